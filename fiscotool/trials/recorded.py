"""What is said of an embedded chain: by its polls and headers alone, by its nodes' logs, and by the full traces of their cores.

    polls    `consistency.judge`, which knows nothing but what any operator could have asked the nodes
    logs     `check.trace` on what the nodes logged: what a real node would have told
    traces   `check.replay` on every step of every core; where that finds nothing, what the logs tell counts

None is told of the mutant.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from fiscotool.chain.model import Chain
from fiscotool.check.replay import replay_chain
from fiscotool.check.trace import Members, TraceContext, check_trace
from fiscotool.check.trace import Verdict as TraceResult
from fiscotool.consistency.findings import Verdict as Finding
from fiscotool.consistency.judge import judge
from fiscotool.errors import FiscoToolError
from fiscotool.mutants.mutant import Mutant
from fiscotool.observer.any_recording import load_any_recording
from fiscotool.observer.logs.collect import read_all, sources_of
from fiscotool.observer.logs.trace import TraceMaker
from fiscotool.observer.step_traces import read_traces
from fiscotool.pbft.trace import TraceRecord
from fiscotool.trials.drill import Drill
from fiscotool.trials.drills import drill_for
from fiscotool.trials.embedded import record, trial_directory
from fiscotool.trials.reasons import UNREACHED
from fiscotool.trials.verdict import Result, Verdict

POLLS: Final = "polls"
LOGS: Final = "logs"
TRACES: Final = "traces"

OF_CHAINS: Final = (TRACES, LOGS, POLLS)
"""What an embedded chain is judged by."""

MISSING_MAX: Final = 5
"""Lines of one life that an embedded node's log may lack: what it collected while it was not looking (view changes before a NewView)."""

_EVIDENCE_MAX: Final = 240

WEIGHING: Final = ("weights", "heavier")
"""Acts that change weights: logs do not tell them, so logs are not judged there."""

Said = tuple[tuple[str, ...], str]
"""What is complained of, by name, and where to look."""


def try_embedded(mutant: Mutant, first_port: int, *, drill: Drill | None = None) -> tuple[Verdict, ...]:
    """Run the chain and judge it three times, in the order of `OF_CHAINS`; what any of the runs shows counts.

    Keys are drawn for each chain, and with them who leads when: where the traces of the first show nothing and should, there is a second.
    """
    drill = drill or drill_for(mutant.name)
    verdicts = _try_once(mutant, drill, first_port)
    if verdicts[0].result is Result.KILLED or mutant.name in UNREACHED:
        return verdicts
    again = _try_once(mutant, drill, first_port)
    return tuple(one if one.result is Result.KILLED else other for one, other in zip(verdicts, again, strict=True))


def _try_once(mutant: Mutant, drill: Drill, first_port: int) -> tuple[Verdict, ...]:
    began = time.monotonic()
    with trial_directory(mutant.name) as place:
        try:
            chain = record(mutant, drill, place, first_port)
        except FiscoToolError as problem:
            seconds = time.monotonic() - began
            text = f"{problem}"[:_EVIDENCE_MAX]
            return tuple(Verdict(mutant.name, method, Result.KILLED, ("the nodes do not start",), text, seconds) for method in OF_CHAINS)
        ran_s = time.monotonic() - began
        said = said_of(chain, place, drill)
    return tuple(_verdict(mutant.name, method, said[method], drill.told(), ran_s) for method in OF_CHAINS)


def said_of_clean(dialect: str, drill: Drill, first_port: int) -> dict[str, list[str]]:
    """The reverse: what is said of a chain without a mutant under this drill, by method. It should be nothing."""
    with trial_directory("clean") as place:
        chain = record(None, drill, place, first_port, dialect=dialect)
        return {method: [*by, *([evidence] if evidence else [])] for method, (by, evidence) in said_of(chain, place, drill).items()}


def said_of(chain: Chain, place: Path, drill: Drill) -> dict[str, Said]:
    """By method."""
    judges: dict[str, Callable[[], Said]] = {
        TRACES: lambda: said_of_steps(place / "nodes"),
        LOGS: (lambda: ((), "")) if drill.act in WEIGHING else (lambda: said_of_logs(chain)),
        POLLS: lambda: said_of_polls(place / "run.jsonl"),
    }
    said = {method: ask() for method, ask in judges.items()}
    if not said[TRACES][0]:
        said[TRACES] = said[LOGS]
    return said


def _verdict(name: str, method: str, said: Said, what: str, ran_s: float) -> Verdict:
    by, evidence = said
    return Verdict(name, method, Result.KILLED if by else Result.SURVIVED, by, f"{what}: {evidence}" if evidence else what, ran_s)


def said_of_polls(recording: Path) -> Said:
    """The invariants that are violated, by id."""
    return tuple(
        dict.fromkeys(
            finding.invariant.id for finding in judge(load_any_recording(recording)).findings if finding.verdict is Finding.VIOLATED
        )
    ), ""


def said_of_steps(root: Path) -> Said:
    """The rules of `check.replay_verdict.RULES` that do not hold."""
    verdict = replay_chain(read_traces([root]), diagnose=False)
    first = verdict.first
    return tuple(dict.fromkeys(finding.rule for finding in verdict.findings)), "" if first is None else first.sentence[:_EVIDENCE_MAX]


def said_of_logs(chain: Chain) -> Said:
    """The guards that did not hold, by rule and name."""
    liars = frozenset(node.name for node in chain.nodes if node.byzantine)
    members = (Members(0, (1,) * len(chain.nodes), chain.genesis.leader_period_blocks),)
    context = TraceContext(members=members, dialect=chain.protocol, faulty=liars, missing_max=MISSING_MAX, ends_open=True)
    verdict = check_trace(records_of(chain), context=context)
    if verdict.verdict is not TraceResult.VIOLATION:
        return (), ""
    return tuple(dict.fromkeys(f"{breach.rule} {breach.guard}" for breach in verdict.breaches)), ""


def records_of(chain: Chain) -> list[TraceRecord]:
    """What the nodes' logs tell."""
    found, _ = read_all(sources_of([node.directory / "log" for node in chain.nodes]))
    records: list[TraceRecord] = []
    for node, events in found.items():
        maker = TraceMaker(node)
        records += [*maker.records(events), *maker.flush()]
    return records
