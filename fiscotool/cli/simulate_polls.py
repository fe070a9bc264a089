"""`simulate --polls`: the run as an outsider sees it, judged like a recording."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fiscotool.cli.output import Output, table
from fiscotool.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from fiscotool.consistency.findings import Judgement
    from fiscotool.sim.schedule import Schedule
    from fiscotool.sim.settings import Settings


def run_polled(output: Output, settings: Settings, schedule: Schedule | None) -> int:
    """Simulate, poll, judge, and say what each invariant says."""
    from fiscotool.consistency.findings import Verdict
    from fiscotool.consistency.judge import judge
    from fiscotool.pbft.dialects import DIALECTS
    from fiscotool.sim.polled import digest_of_recording, polled_run

    if settings.dialect not in DIALECTS:
        raise UsageError(f"--polls knows no {settings.dialect}", hint=f"it polls {', '.join(DIALECTS)}")
    seen = polled_run(settings, schedule=schedule)
    judgement = judge(seen)
    digest = digest_of_recording(seen)
    data = {
        "seed": settings.seed,
        "verdict": judgement.verdict.value,
        "samples": len(seen.samples),
        "recording_sha256": digest,
        "findings": [_row(finding) for finding in judgement.findings],
        "settings": asdict(settings),
    }
    output.show(data, lambda: _text(judgement, len(seen.samples), digest))
    return ExitCode.VIOLATED if judgement.verdict is Verdict.VIOLATED else ExitCode.OK


def _row(finding: Any) -> dict[str, Any]:
    return {
        "invariant": finding.invariant.id,
        "verdict": finding.verdict.value,
        "checked": finding.checked_count,
        "summary": finding.summary,
    }


def _text(judgement: Judgement, samples: int, digest: str) -> str:
    """For people: violated ones first, then what holds; what could not be decided is counted."""
    from fiscotool.consistency.findings import Verdict

    order = {Verdict.VIOLATED: 0, Verdict.HOLDS: 1}
    known = sorted((f for f in judgement.findings if f.verdict in order), key=lambda finding: order[finding.verdict])
    rows = [(finding.verdict.value, finding.invariant.id, str(finding.checked_count), finding.summary) for finding in known]
    open_count = len(judgement.findings) - len(known)
    return "\n".join(
        [
            f"{judgement.verdict.value}, from {samples} polls and the headers",
            table(("verdict", "invariant", "checked", "what was seen"), rows),
            f"{open_count} more invariants: the run had nothing that could have broken them",
            f"recording sha256 {digest}",
        ]
    )
