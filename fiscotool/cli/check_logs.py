"""`check` of what nodes logged: logs alone, or beside a recording's polls and headers.

Rule 1. A recording is violated if its polls or its logs are. Logs that tell too little take nothing from what the polls show.
Rule 2. What was judged by what is said, also where the logs could not be used.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fiscotool.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from fiscotool.check.trace import TraceContext, TraceVerdict
    from fiscotool.cli.output import Output
    from fiscotool.consistency.observations import Observations
    from fiscotool.pbft.trace import TraceRecord

__all__ = ["Beside", "check_logs", "logs_beside"]

Explained = tuple[str, Path | None] | None
"""In which language, and where to draw it; None when no explanation was asked for."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What logs add to a recording's polls: whether they violate the protocol, as data, and for people."""

    is_violated: bool
    data: dict[str, object]
    text: str


def check_logs(
    logs: tuple[Path, ...], mode: str, weights: str | None, faulty: tuple[str, ...], explained: Explained, output: Output
) -> int:
    """Logs or a trace, held against the protocol record by record; the exit code."""
    from fiscotool.check.trace import Verdict

    verdict, data, told = _judged(logs, mode, weights, faulty, explained)
    output.show(data, lambda: told)
    if verdict.verdict is Verdict.CONSISTENT:
        return ExitCode.OK
    return ExitCode.VIOLATED if verdict.verdict is Verdict.VIOLATION else ExitCode.INCONCLUSIVE


def logs_beside(
    observations: Observations, logs: tuple[Path, ...], mode: str, weights: str | None, faulty: tuple[str, ...], explained: Explained
) -> Beside:
    """What the given logs say, or without any the recording's own log lines."""
    from fiscotool.check.trace import Verdict
    from fiscotool.observer.logs.recorded import recorded_evidence

    if logs:
        liars = tuple(node.name for node in observations.run.nodes if node.byzantine)
        verdict, data, told = _judged(logs, mode, weights, (*faulty, *liars), explained, are_known=False)
        source = "the logs given"
    else:
        evidence = recorded_evidence(observations)
        if evidence is None:
            reason = "no log lines of votes are in the recording"
            text = f"? logs: not judged, {reason}; the verdict is of polls and headers. Add --logs nodes to judge the logs as well"
            return Beside(False, {"verdict": "not judged", "reason": reason}, text)
        verdict, data, told = _told(evidence.records, evidence.context, evidence.notes, mode, explained)
        source = "the log lines in the recording"
    return Beside(verdict.verdict is Verdict.VIOLATION, {"source": source, **data}, f"by {source}, record by record:\n{told}")


def _judged(
    logs: tuple[Path, ...], mode: str, weights: str | None, faulty: tuple[str, ...], explained: Explained, *, are_known: bool = True
) -> tuple[TraceVerdict, dict[str, object], str]:
    """The verdict on logs or a trace, as data and in words. Raises UsageError for options that make no sense."""
    from fiscotool.cli.traces import read_evidence

    parts = () if weights is None else tuple(weights.split(","))
    if not all(part.strip().isdigit() and int(part) for part in parts):
        raise UsageError(f"--weights {weights!r} is no list of whole numbers above 0", hint="write for instance --weights 1,1,2,1")
    records, context, notes = read_evidence(logs, weights=tuple(map(int, parts)), faulty=frozenset(faulty))
    unknown = sorted(set(faulty) - {record.replica for record in records})
    if unknown and are_known:
        raise UsageError(f"--faulty {unknown[0]}: no log is of that node", hint="the names are those of the directories, node0 and so on")
    return _told(records, context, notes, mode, explained)


def _told(
    records: list[TraceRecord], context: TraceContext, notes: tuple[str, ...], mode: str, explained: Explained
) -> tuple[TraceVerdict, dict[str, object], str]:
    """Judge, and say it; with the explanation if it was asked for."""
    from dataclasses import replace

    from fiscotool.check.trace import Mode, check_trace
    from fiscotool.cli.traces import verdict_data, verdict_text

    context = replace(context, mode=Mode(mode))
    verdict = check_trace(records, context=context)
    verdict = replace(verdict, notes=(*notes, *verdict.notes))
    data, told = verdict_data(verdict), verdict_text(verdict)
    if explained is not None:
        from fiscotool.cli.explain import with_explanation

        data, told = with_explanation(records, context, verdict, data=data, text=told, lang=explained[0], svg=explained[1])
    return verdict, data, told
