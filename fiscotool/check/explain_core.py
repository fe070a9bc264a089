"""The smallest part of a trace that still shows what is wrong with it.

Rule 1. A part still fails if the judge finds the same guard not met at the same record, with the same words: the same votes counted, the
        same weight lacking, the same other record contradicted. So nothing that the finding rests on can be lost.
Rule 2. Removed in this order: what came later, whole replicas, whole heights, single records (ddmin), until no single record can go.
Rule 3. The result was judged once more. It is minimal, not the minimum; how many judgements were made is told, and bounded.

What a part lacks the judge takes as not having happened, which is right for what its replica reports wholly and why the finding, not the
verdict, is compared: records that explained others may be gone, and what those others then lack is not what is asked about.

Sources: Zeller & Hildebrandt, "Simplifying and isolating failure-inducing input" (2002); Junker, "QuickXplain" (2004).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from fiscotool.check.trace import Breach, TraceContext, check_trace
from fiscotool.pbft.trace import TraceRecord

__all__ = ["Core", "smallest"]

WORK_MAX: Final = 2_000_000
"""Records looked at in all before the search stops where it is."""
_KEPT_BREACHES: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Core:
    """`records` in order of time; `is_minimal`: no single one of them can be left out. `checks` judgements were made."""

    records: tuple[TraceRecord, ...]
    is_minimal: bool
    checks: int


def smallest(records: Sequence[TraceRecord], context: TraceContext, breach: Breach, *, work_max: int = WORK_MAX) -> Core:
    """The part of `records` in which `breach`, found by the judge in all of them, is still found."""
    search = _Search(context, breach, work_max)
    kept = search.start(records)
    for group in (_by_replica, _by_height):
        kept = search.drop_groups(kept, group)
    kept, is_minimal = search.ddmin(kept)
    ordered = sorted(kept, key=lambda record: (record.at_s, record.replica, record.life, record.sequence))
    return Core(tuple(ordered), is_minimal, search.checks)


def _by_replica(record: TraceRecord) -> Hashable:
    return record.replica


def _by_height(record: TraceRecord) -> Hashable:
    return record.height


class _Search:
    def __init__(self, context: TraceContext, breach: Breach, work_max: int) -> None:
        self.checks = 0
        self._context = replace(context, breaches_max=_KEPT_BREACHES)
        self._breach = breach
        self._work_left = work_max

    def fails(self, records: Sequence[TraceRecord]) -> bool:
        """Whether the same is found here (Rule 1)."""
        self.checks += 1
        self._work_left -= len(records)
        wanted = self._breach
        return any(
            found.guard == wanted.guard and found.text == wanted.text and _place(found.record) == _place(wanted.record)
            for found in check_trace(records, context=self._context).breaches
        )

    @property
    def may_go_on(self) -> bool:
        """Whether work is left."""
        return self._work_left > 0

    def start(self, records: Sequence[TraceRecord]) -> list[TraceRecord]:
        """The smallest of some likely parts: what the replica says of the height, what all say, and all that came before."""
        wanted = self._breach.record
        before = [record for record in records if record.at_s <= wanted.at_s + wanted.error_s]
        near = {wanted.height, None}
        mine = [record for record in before if record.replica == wanted.replica and record.height in near]
        ours = [record for record in before if record.height in near]
        life = [record for record in before if record.replica == wanted.replica and record.life == wanted.life]
        for part in (mine, ours, life, before):
            if self.fails(part):
                return part
        return list(records)

    def drop_groups(self, kept: list[TraceRecord], group: Callable[[TraceRecord], Hashable]) -> list[TraceRecord]:
        """Without every group that is not needed; the groups of the failing record stay."""
        own = group(self._breach.record)
        for name in sorted({group(record) for record in kept} - {own}, key=repr):
            if not self.may_go_on:
                break
            fewer = [record for record in kept if group(record) != name]
            if self.fails(fewer):
                kept = fewer
        return kept

    def ddmin(self, kept: list[TraceRecord]) -> tuple[list[TraceRecord], bool]:
        """Without every chunk that is not needed, in halves, then smaller; true at the end if no single record can go."""
        size = max(1, len(kept) // 2)
        while self.may_go_on:
            at, has_shrunk = 0, False
            while at < len(kept) and self.may_go_on:
                fewer = kept[:at] + kept[at + size :]
                if fewer and self.fails(fewer):
                    kept, has_shrunk = fewer, True
                else:
                    at += size
            if size == 1 and not has_shrunk:
                return kept, self.may_go_on
            size = max(1, size // 2)
        return kept, False


def _place(record: TraceRecord) -> tuple[str, int, int]:
    return record.replica, record.life, record.sequence
