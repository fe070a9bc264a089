"""Judge a run by its full traces: take every step of every node again, and see whether the lives fit together.

    verdict = replay_chain(files)                     files: TraceFile(node, lines), one a life; observer.step_traces reads them
    verdict.verdict                                   Verdict.VIOLATION, CONSISTENT, INCONCLUSIVE or VACUOUS
    verdict.findings                                  (rule, node, life, step, text, due, done), the first differences in front
    verdict.behaves_as                                "M12": the one switch under which all of it is legal

How. Nodes of an embedded chain write down every event their core was given and every effect it gave (`devnet.tracefile`). The judge gives
the same events to its own core, born from the same durable state under the rules the chain declares, and compares: what was done and is
not due, and what was due and not done. Besides: every message heard was sent before by its signer, questions and answers match, disks
keep what they must, and ledgers agree. docs/trace-checking.md proves that nothing else needs to be checked.

Sources: observables 4; docs/trace-checking.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final

from fiscotool.check.replay_ledgers import Ledgers
from fiscotool.check.replay_lives import Life, TraceFile, lives_of
from fiscotool.check.replay_node import NodeJudge, Run
from fiscotool.check.replay_sent import Book
from fiscotool.check.replay_suspects import suspicions, wire_suspicions
from fiscotool.check.replay_verdict import Finding, ReplayVerdict, Suspicion, Verdict
from fiscotool.pbft.codec_life import Birth
from fiscotool.pbft.dialects import DIALECTS

__all__ = ["Finding", "ReplayVerdict", "Suspicion", "TraceFile", "Verdict", "replay_chain"]

STEPS_A_DIAGNOSIS: Final = 400_000
"""How many steps may be taken to find the switch that explains a violation."""


def replay_chain(
    files: Iterable[TraceFile],
    *,
    faulty: Collection[str] = (),
    diagnose: bool = True,
    progress: Callable[[int, int, str], None] = lambda _done, _all, _node: None,
) -> ReplayVerdict:
    """Judge the lives in `files`. Never raises for any content of files.

    `faulty` are names of nodes that may do anything, beside those deployed to lie. `progress(done, all, node)` is called before each life.
    With `diagnose` a violation is replayed with every hole and mutant of the dialect, until one explains it.
    """
    lives = lives_of(files)
    births = {life.node: life.birth for each in lives.values() for life in reversed(each) if life.birth is not None}
    notes = [
        f"{life.title} cannot be judged: {life.bad_text}" for each in lives.values() for life in each if each and not births.get(life.node)
    ]
    dialects = sorted({birth.dialect for birth in births.values()})
    if not births or len(dialects) != 1 or dialects[0] not in DIALECTS:
        why = (
            f"the traces are of {len(dialects)} protocols: {', '.join(dialects)}"
            if len(dialects) > 1
            else "there is no trace of a protocol"
        )
        return ReplayVerdict(Verdict.INCONCLUSIVE if lives else Verdict.VACUOUS, (), (*notes, why))
    run = _run(births, DIALECTS[dialects[0]].name, frozenset(faulty))
    _judge(run, lives, births, progress)
    run.findings += run.book.findings()
    honest = [node_id for node_id in run.book.names if node_id not in run.book.liars | run.book.partial]
    run.findings += run.ledgers.findings(honest)
    run.counters.update(run.book.counters)
    run.counters["synced blocks"] = run.ledgers.synced_count
    findings = tuple(sorted(run.findings, key=lambda one: (one.rule not in {"step", "status"}, one.node, one.life, one.sequence)))
    suspects: tuple[Suspicion, ...] = ()
    if findings and diagnose:
        wrong = [(life, run.first[node, life.number]) for node, each in lives.items() for life in each if (node, life.number) in run.first]
        suspects = suspicions(wrong, run.dialect, steps_max=STEPS_A_DIAGNOSIS) if wrong else wire_suspicions(findings)
    return ReplayVerdict(_verdict(run, findings), findings, tuple(run.notes), run.dialect.name, run.counters, suspects)


def _run(births: dict[str, Birth], dialect: str, faulty: frozenset[str]) -> Run:
    names = {birth.node_id: node for node, birth in births.items()}
    liars = frozenset(birth.node_id for node, birth in births.items() if birth.byzantine or node in faulty)
    book = Book(names, liars)
    # Of a node whose first life began with a history, earlier messages may still be on their way.
    book.partial |= {birth.node_id for birth in births.values() if birth.height > 0 or birth.votes}
    return Run(DIALECTS[dialect], book, Ledgers(dialect))


def _judge(run: Run, lives: dict[str, list[Life]], births: dict[str, Birth], progress: Callable[[int, int, str], None]) -> None:
    done, total = 0, sum(map(len, lives.values()))
    for node, each in lives.items():
        birth = births.get(node)
        node_id = b"" if birth is None else birth.node_id
        judge = NodeJudge(run, node_id, is_liar=node_id in run.book.liars)
        for life in each:
            progress(done, total, node)
            judge.live(life)
            done += 1
    run.counters["lives"] = total
    run.counters["nodes"] = len(lives)
    members = {member for birth in births.values() for member in birth.rules.members}
    absent = len(members - set(run.book.names))
    if absent:
        run.notes.append(f"{absent} sealers have no trace: what they sent is believed")
    liars = sorted(run.book.names[liar] for liar in run.book.liars)
    if liars:
        run.notes.append(f"not judged, for they may do anything: {', '.join(liars)}")


def _verdict(run: Run, findings: tuple[Finding, ...]) -> Verdict:
    if findings:
        return Verdict.VIOLATION
    if not run.is_complete:
        return Verdict.INCONCLUSIVE
    return Verdict.CONSISTENT if run.counters["steps"] else Verdict.VACUOUS
