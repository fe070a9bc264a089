"""How many of the edits that must be rejected are: one row an operator, over any number of clean traces.

Rule. A trace that the judge does not find consistent unedited says nothing of edits; it is refused.

Sources: observables 4, 8 (at least 99.5 % of 10,000 edits).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from fiscotool.check.edits import WHOLE_OPERATORS, Clean, Edit, edits_of, picker, shift, splice
from fiscotool.pbft.trace import TraceRecord

__all__ = ["Row", "Survey", "survey"]

SHIFT_S: Final = 10.0
"""How far clocks are shifted: more than any message is under way."""


@dataclass(slots=True)
class Row:
    """What became of the edits of one operator."""

    must_reject: int = 0
    rejected: int = 0
    may_accept: int = 0
    may_rejected: int = 0


@dataclass(slots=True)
class Survey:
    """All rows, and some of the edits that should have been rejected and were not."""

    rows: dict[str, Row] = field(default_factory=dict)
    missed: list[Edit] = field(default_factory=list)

    @property
    def must_reject(self) -> int:
        """Edits that had to be rejected."""
        return sum(row.must_reject for row in self.rows.values())

    @property
    def rejected(self) -> int:
        """Those of them that were."""
        return sum(row.rejected for row in self.rows.values())

    def take(self, edit: Edit, *, is_rejected: bool) -> None:
        """Count one edit."""
        row = self.rows.setdefault(edit.operator, Row())
        if edit.must_reject:
            row.must_reject += 1
            row.rejected += is_rejected
            if not is_rejected:
                self.missed.append(edit)
        else:
            row.may_accept += 1
            row.may_rejected += is_rejected

    def lines(self) -> list[str]:
        """The table as Markdown."""
        head = ["| operator | must be rejected | were | % | may be accepted | rejected all the same |", "|---|---|---|---|---|---|"]
        body = [
            f"| {name} | {row.must_reject:,} | {row.rejected:,} | {_share(row.rejected, row.must_reject)} | {row.may_accept:,} | "
            f"{row.may_rejected:,} |"
            for name, row in self.rows.items()
        ]
        total = f"| **all** | {self.must_reject:,} | {self.rejected:,} | {_share(self.rejected, self.must_reject)} | | |"
        return [*head, *body, total]


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f}" if whole else "–"


def survey(
    traces: Iterable[tuple[Clean, Callable[[Sequence[TraceRecord]], bool]]],
    *,
    edits_a_trace: int,
    seed: int = 1,
    slack_s: float = 0.0,
    into: Survey | None = None,
) -> Survey:
    """Edit every trace about `edits_a_trace` times. With each trace comes `accepts(records)`: whether the judge finds them a run."""
    found = into if into is not None else Survey()
    pick = picker(seed)
    before: Clean | None = None
    for clean, accepts in traces:
        assert accepts(clean.with_lane("", [])), "edits of a trace that is not clean prove nothing"
        for edit in edits_of(clean, pick, edits_a_trace):
            found.take(edit, is_rejected=not accepts(edit.records))
        for replica in clean.names:
            for by_s in (-SHIFT_S, SHIFT_S):
                edit = shift(clean, replica, by_s, slack_s)
                found.take(edit, is_rejected=not accepts(edit.records))
            spliced = splice(clean, before, replica) if before is not None and before.weights == clean.weights else None
            if spliced is not None:
                found.take(spliced, is_rejected=not accepts(spliced.records))
        before = clean
    assert set(found.rows) - set(WHOLE_OPERATORS) or not found.rows
    return found
