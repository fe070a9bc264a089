"""`check --traces`: full traces of embedded nodes, judged by taking every step again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fiscotool.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from fiscotool.check.replay import Finding, ReplayVerdict
    from fiscotool.cli.output import Output

__all__ = ["check_traces"]

_SHOWN_MAX = 8
_MARKS = {"violation": "✘", "consistent": "✔", "inconclusive": "?", "vacuous": "?"}


def check_traces(paths: Sequence[Path], faulty: Sequence[str], output: Output) -> int:
    """Read, judge and tell; the exit code. Raises UsageError for places without traces and names without nodes."""
    from fiscotool.check.replay import Verdict, replay_chain
    from fiscotool.observer.step_traces import read_traces

    files = read_traces(paths)
    unknown = sorted(set(faulty) - {file.node for file in files})
    if unknown:
        raise UsageError(f"--faulty {unknown[0]}: no trace is of that node", hint="the names are those of the directories, node0 and so on")
    verdict = replay_chain(files, faulty=faulty, progress=lambda done, total, node: output.progress(f"life {done + 1} of {total}: {node}"))
    output.progress_done()
    output.show(_data(verdict), lambda: _text(verdict))
    if verdict.verdict is Verdict.CONSISTENT:
        return ExitCode.OK
    return ExitCode.VIOLATED if verdict.verdict is Verdict.VIOLATION else ExitCode.INCONCLUSIVE


def _data(verdict: ReplayVerdict) -> dict[str, object]:
    """The verdict as plain data."""
    return {
        "verdict": verdict.verdict.value,
        "dialect": verdict.dialect,
        "findings": [_finding(finding) for finding in verdict.findings],
        "behaves_as": verdict.behaves_as or None,
        "suspicions": [
            {"name": each.name, "title": each.title, "legal_lives": each.legal, "lives": each.lives, "about": each.about or None}
            for each in verdict.suspicions
        ],
        "counters": dict(sorted(verdict.counters.items())),
        "notes": list(verdict.notes),
    }


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "rule": finding.rule,
        "node": finding.node,
        "life": finding.life,
        "step": finding.sequence,
        "at_ms": finding.at_ms,
        "text": finding.text,
        "event": finding.event or None,
        "due_and_not_done": list(finding.due),
        "done_and_not_due": list(finding.done),
    }


def _text(verdict: ReplayVerdict) -> str:
    count = verdict.counters
    word = verdict.verdict.value
    lines = [
        (
            f"{_MARKS[word]} {word}: {count['steps']} steps of {count['nodes']} nodes in {count['lives']} lives taken again, "
            f"{count['found sent']} messages found sent"
        )
    ]
    for finding in verdict.findings[:_SHOWN_MAX]:
        lines.append(f"  ✘ {finding.rule}: {finding.node} (life {finding.life}, step {finding.sequence}, {finding.at_ms / 1000:.3f} s)")
        lines.append(f"      {finding.text}")
    if len(verdict.findings) > _SHOWN_MAX:
        lines.append(f"  and {len(verdict.findings) - _SHOWN_MAX} more")
    for each in verdict.suspicions:
        how = "all of it is legal with it" if each.is_full else f"{each.legal} of {each.lives} lives are legal with it"
        who = f"{each.about} behaves" if each.about else "behaves"
        lines.append(f"  {who} as if {each.name}: {each.title} ({how})")
    lines += [f"  note: {note}" for note in verdict.notes]
    return "\n".join(lines)
