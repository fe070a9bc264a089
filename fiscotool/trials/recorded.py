"""What is said of the recording of an embedded chain: by its polls and headers alone, and by its traces.

`polls` is `consistency.judge`, which knows nothing but what any operator could have asked the nodes. `traces` is `check.trace` on what
the nodes logged.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from fiscotool.chain.model import Chain
from fiscotool.check.trace import Members, TraceContext, check_trace
from fiscotool.check.trace import Verdict as TraceResult
from fiscotool.consistency.findings import Verdict as Finding
from fiscotool.consistency.judge import judge
from fiscotool.errors import FiscoToolError
from fiscotool.mutants.mutant import Mutant
from fiscotool.observer.any_recording import load_any_recording
from fiscotool.observer.logs.collect import read_all, sources_of
from fiscotool.observer.logs.trace import TraceMaker
from fiscotool.pbft.trace import TraceRecord
from fiscotool.trials.drills import drill_for
from fiscotool.trials.embedded import Drill, record, trial_directory
from fiscotool.trials.verdict import Result, Verdict

POLLS: Final = "polls"
TRACES: Final = "traces"

MISSING_MAX: Final = 5
"""Lines of one life that an embedded node's log may lack: what it collected while it was not looking (view changes before a NewView)."""


def try_embedded(mutant: Mutant, first_port: int, *, drill: Drill | None = None) -> tuple[Verdict, Verdict]:
    """Run the chain once, judge it twice: (traces, polls)."""
    began = time.monotonic()
    drill = drill or drill_for(mutant.name)
    what = drill.told()
    with trial_directory(mutant.name) as place:
        try:
            chain = record(mutant, drill, place, first_port)
        except FiscoToolError as problem:
            seconds = time.monotonic() - began
            found = ("the nodes do not start",)
            text = f"{problem}"[:200]
            return Verdict(mutant.name, TRACES, Result.KILLED, found, text, seconds), Verdict(
                mutant.name, POLLS, Result.KILLED, found, text, seconds
            )
        ran = time.monotonic() - began
        return (
            _verdict(mutant, TRACES, what, ran, lambda: said_of_traces(chain)),
            _verdict(mutant, POLLS, what, ran, lambda: said_of_polls(place / "run.jsonl")),
        )


def said_of_clean(dialect: str, drill: Drill, first_port: int) -> dict[str, list[str]]:
    """The reverse: what is said of a chain without a mutant under this drill, by method. It should be nothing."""
    with trial_directory("clean") as place:
        chain = record(None, drill, place, first_port, dialect=dialect)
        return {TRACES: list(said_of_traces(chain)), POLLS: list(said_of_polls(place / "run.jsonl"))}


def _verdict(mutant: Mutant, method: str, what: str, ran_s: float, ask: Callable[[], tuple[str, ...]]) -> Verdict:
    found = ask()
    return Verdict(mutant.name, method, Result.KILLED if found else Result.SURVIVED, found, what, ran_s)


def said_of_polls(recording: Path) -> tuple[str, ...]:
    """The invariants that are violated, by id."""
    judgement = judge(load_any_recording(recording))
    return tuple(finding.invariant.id for finding in judgement.findings if finding.verdict is Finding.VIOLATED)


def said_of_traces(chain: Chain) -> tuple[str, ...]:
    """The guards that did not hold, by rule and name."""
    liars = frozenset(node.name for node in chain.nodes if node.byzantine)
    members = (Members(0, (1,) * len(chain.nodes), chain.genesis.leader_period_blocks),)
    context = TraceContext(members=members, dialect=chain.protocol, faulty=liars, missing_max=MISSING_MAX, ends_open=True)
    verdict = check_trace(records_of(chain), context=context)
    if verdict.verdict is not TraceResult.VIOLATION:
        return ()
    return tuple(dict.fromkeys(f"{breach.rule} {breach.guard}" for breach in verdict.breaches))


def records_of(chain: Chain) -> list[TraceRecord]:
    """What the nodes' logs tell."""
    found, _ = read_all(sources_of([node.directory / "log" for node in chain.nodes]))
    records: list[TraceRecord] = []
    for node, events in found.items():
        maker = TraceMaker(node)
        records += [*maker.records(events), *maker.flush()]
    return records
