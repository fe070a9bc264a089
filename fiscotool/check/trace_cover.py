"""What of each replica's run its records do not cover: a beginning that was rotated away, lives that are lost, the last lines of a kill.

Rule 1. A gap is told by what surrounds it: records that begin without START, a life whose ledger begins above the one before, a life that
        ended without STOP (what a killed process had not flushed yet).
Rule 2. In a gap a replica may have sent whatever is not above its window at the gap's end. Views are no bound: there may have been several
        lives, and views begin again with each.
Rule 3. Nothing is a gap unless the report may be open (`TraceContext.ends_open`).

Sources: Cirstea et al., "Validating traces of distributed programs against TLA+ specifications" (2024); spec 3.x 1.8, 1.13.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from fiscotool.check.trace_context import TraceContext
from fiscotool.pbft.trace import Act, TraceRecord

__all__ = ["FAR", "Gap", "gaps_of"]

FAR: Final = 1 << 62
_SURE: Final = frozenset({Act.HEAD, Act.LEDGER_COMMIT, Act.SYNCED_BLOCK})


class Gap(NamedTuple):
    """Records missing from `begin_s` on, minus infinity for the beginning.

    `after` is the ledger's height at its beginning, `head` at its end, FAR where untold.
    `lost`: records are missing for certain. Otherwise some may be, because the process before was killed.
    """

    begin_s: float
    head: int
    lost: bool
    after: int = 0


def gaps_of(records: Sequence[TraceRecord], places: Sequence[int], context: TraceContext) -> list[Gap]:
    """The gaps of one replica, whose records are at `places`."""
    if not context.ends_open:
        return []
    gaps: list[Gap] = []
    last_head, end_s, has_stopped = 0, float("-inf"), True
    for first, last in _lives(records, places):
        life = [records[place] for place in places[first:last]]
        head = _first_head(life)
        is_lost = life[0].act is not Act.START or last_head < head < FAR
        if is_lost or not has_stopped:
            gaps.append(Gap(end_s, head, is_lost, last_head))
        last_head = max([last_head, *(record.height for record in life if record.act in _SURE and record.height is not None)])
        end_s, has_stopped = life[-1].at_s - context.slack_s, life[-1].act is Act.STOP
    return gaps


def _lives(records: Sequence[TraceRecord], places: Sequence[int]) -> list[tuple[int, int]]:
    """Where lives begin and end among `places`."""
    starts = [number for number, place in enumerate(places) if not number or records[place].life != records[places[number - 1]].life]
    return list(zip(starts, [*starts[1:], len(places)], strict=True))


def _first_head(life: Sequence[TraceRecord]) -> int:
    """The first head that is told: a bound from above of the one at the beginning."""
    for record in life:
        if record.head is not None:
            return record.head
        if record.act in _SURE and record.height is not None:
            return record.height
    return FAR
