"""The records of each replica, in their order, and which replica had which index among the members.

Rule. Records that come out of order are told and left where they stand. A 2.x node tells that it asks for a view after it may have entered
      it; the asking comes first.
"""

from __future__ import annotations

from collections.abc import Sequence

from fiscotool.check.trace_book import Book
from fiscotool.check.trace_node import Node
from fiscotool.pbft.trace import Act, TraceRecord

__all__ = ["Lane", "lanes_of"]


class Lane:
    """The records of one replica, and how far they were taken."""

    __slots__ = ("low_s", "next", "node", "places")

    def __init__(self, node: Node) -> None:
        self.node = node
        self.places: list[int] = []
        self.next = 0
        self.low_s = float("-inf")


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
        if is_2x and record.act is Act.SEND_VIEW_CHANGE and len(places) > 1:
            before = records[places[-2]]
            if before.act is Act.ENTER_VIEW and before.view == record.view and before.life == record.life:
                places[-1], places[-2] = places[-2], places[-1]
        told = record.index
        if told is not None and (told != index or not single):
            index = told
            if not single and record.height is not None:
                since = book.context.members_at(record.height).since
            owners.setdefault((since, told), name)
        last[name] = (record.life, record.sequence, index)
    return lanes
