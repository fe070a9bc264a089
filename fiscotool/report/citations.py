"""The recording's lines that the evidence points at, as the appendix shows them.

Rule 1. Bounded: at most CITATIONS_MAX lines, and a long list inside a record is cut with the number of members that were left out.

Sources: docs/report.md.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from fiscotool.consistency.findings import Finding
from fiscotool.consistency.observations import Observations

CITATIONS_MAX: Final = 400
"""How many recording lines an appendix shows."""
_MEMBERS_MAX: Final = 4
_TEXT_MAX_CHARS: Final = 2000


@dataclass(frozen=True, slots=True)
class Citation:
    """One line of the recording. `kind`: sample, block, tx or fault. `record`: what the line said, without empty members."""

    line: int
    kind: str
    record: dict[str, Any]

    @property
    def text(self) -> str:
        """The record as compact JSON on one line."""
        text = json.dumps(self.record, ensure_ascii=False, default=str)
        return text if len(text) <= _TEXT_MAX_CHARS else f"{text[:_TEXT_MAX_CHARS]}…"


def citations_of(observations: Observations, findings: Iterable[Finding]) -> tuple[tuple[Citation, ...], int]:
    """The lines cited, in order, and how many more there are than can be shown."""
    wanted = sorted({line for finding in findings for fact in finding.evidence for line in fact.lines})
    shown = set(wanted[:CITATIONS_MAX])
    found: dict[int, Citation] = {}
    groups: tuple[tuple[str, Iterable[Any]], ...] = (
        ("sample", observations.samples),
        ("block", observations.blocks),
        ("tx", observations.txs),
        ("fault", observations.faults),
    )
    for kind, group in groups:
        for item in group:
            if item.line in shown and item.line not in found:
                found[item.line] = Citation(item.line, kind, _record(item))
    return tuple(found[line] for line in sorted(found)), len(wanted) - len(shown)


def _record(item: Any) -> dict[str, Any]:
    fields = {key: _short(value) for key, value in dataclasses.asdict(item).items()}
    return {key: value for key, value in fields.items() if key != "line" and value not in (None, "", [])}


def _short(value: Any) -> Any:
    """Times to the microsecond; lists cut."""
    if isinstance(value, float):
        return round(value, 6)
    if not isinstance(value, list | tuple):
        return value
    kept = [_short(member) for member in value[:_MEMBERS_MAX]]
    return [*kept, f"… {len(value) - _MEMBERS_MAX} more"] if len(value) > _MEMBERS_MAX else kept
