"""The records of each replica, in their order, and which replica had which index among the members.

Rule. Records that come out of order are told and left where they stand. A 2.x node tells that it asks for a view after it may have
      entered it, and that a block was synchronised after the report of it; what comes first is put first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fiscotool.check.trace_book import Book
from fiscotool.check.trace_cover import gaps_of
from fiscotool.check.trace_node import Node
from fiscotool.pbft.trace import Act, TraceRecord

__all__ = ["Lane", "lanes_of"]

_TOLD_LATE: Final = {Act.SEND_VIEW_CHANGE: Act.ENTER_VIEW, Act.SYNCED_BLOCK: Act.HEAD}
"""2.x: what is told late, and what follows from it."""
_LATE_MAX: Final = 4


class Lane:
    """The records of one replica, and how far they were taken."""

    __slots__ = ("low_s", "next", "node", "places")

    def __init__(self, node: Node) -> None:
        self.node = node
        self.places: list[int] = []
        self.next = 0
        self.low_s = float("-inf")


def _put_first(records: Sequence[TraceRecord], places: list[int]) -> None:
    """Put the last record before the one that follows from it, if that is among the few told just before."""
    record = records[places[-1]]
    effect, place = _TOLD_LATE[record.act], len(places) - 2
    while place >= max(0, len(places) - _LATE_MAX):
        before = records[places[place]]
        same = before.view == record.view if effect is Act.ENTER_VIEW else before.height == record.height
        if before.act is effect and same and before.life == record.life:
            places.insert(place, places.pop())
            return
        place -= 1


def lanes_of(records: Sequence[TraceRecord], book: Book) -> dict[str, Lane]:
    """The records of each replica as places in `records`. Fills `book.owners`."""
    every, owners, lanes = book.context.members, book.owners, dict[str, Lane]()
    single, since, is_2x = len(every) == 1, every[0].since, book.context.dialect == "fisco2"
    last: dict[str, tuple[int, int, int | None]] = {}
    for place, record in enumerate(records):
        name = record.replica
        lane = lanes.get(name)
        if lane is None:
            lane = lanes[name] = Lane(Node(name, book))
            life, sequence, index = -1, -1, None
        else:
            life, sequence, index = last[name]
        book.guard_counts["report.order"] += 1
        if (record.life, record.sequence) <= (life, sequence):
            text = f"comes after record {sequence} of life {life}"
            book.fail("report.order", record, place, text, None, None, binds=True)
        places = lane.places
        places.append(place)
        if is_2x and record.act in _TOLD_LATE:
            _put_first(records, places)
        told = record.index
        if told is not None and (told != index or not single):
            index = told
            if not single and record.height is not None:
                since = book.context.members_at(record.height).since
            owners.setdefault((since, told), name)
        last[name] = (record.life, record.sequence, index)
    for name, lane in lanes.items():
        gaps = gaps_of(records, lane.places, book.context)
        if gaps:
            book.gaps[name] = gaps
    return lanes
