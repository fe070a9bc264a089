"""The records of each replica, in their order, and which replica had which index among the members.

Rule 1. Records that come out of order are told and left where they stand. What a node tells after that which follows from it, both being
        one step of it, is put first, at the time of what follows: a 2.x node tells that it asks for a view after it may have entered it,
        and that a block was synchronised after the report of it.
Rule 2. The leader of a new view of 3.x takes what it proposes again as it makes the NewView, and tells of the entry afterwards; of all its
        entries only after all were taken. An entry for another digest than was taken stays where it is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from fiscotool.check.trace_book import Book
from fiscotool.check.trace_cover import gaps_of
from fiscotool.check.trace_messages import list_height
from fiscotool.check.trace_node import Node
from fiscotool.pbft.trace import Act, TraceRecord

__all__ = ["Lane", "lanes_of"]

_TOLD_LATE: Final[dict[str, dict[Act, Act]]] = {
    "fisco2": {Act.SEND_VIEW_CHANGE: Act.ENTER_VIEW, Act.SYNCED_BLOCK: Act.HEAD},
    "fisco3": {Act.REPROPOSE: Act.ACCEPT_PROPOSAL},
}
"""By dialect: what is told late, and what follows from it."""
_LATE_MAX: Final = 4
_ONE_STEP: Final = frozenset({Act.ACCEPT_PROPOSAL, Act.REPROPOSE})
"""Between an entry of a NewView and what was taken out of it there is nothing else (Rule 2), however many there are."""


class Lane:
    """The records of one replica, and how far they were taken."""

    __slots__ = ("low_s", "next", "node", "places")

    def __init__(self, node: Node) -> None:
        self.node = node
        self.places: list[int] = []
        self.next = 0
        self.low_s = float("-inf")


def _put_first(records: list[TraceRecord], places: list[int], effect: Act) -> None:
    """Put the last record before the one that follows from it, if that is among those told just before."""
    record = records[places[-1]]
    is_entry, place = record.act is Act.REPROPOSE, len(places) - 2
    while place >= 0 and (is_entry or place >= len(places) - _LATE_MAX):
        before = records[places[place]]
        if is_entry and (before.act not in _ONE_STEP or before.view != record.view):
            return
        if before.act is effect and before.life == record.life and _is_about(before, record):
            records[places[-1]] = replace(record, at_s=min(record.at_s, before.at_s))
            places.insert(place, places.pop())
            return
        place -= 1


def _is_about(effect: TraceRecord, record: TraceRecord) -> bool:
    """Whether they are about the same view, block or proposal."""
    if record.act is Act.SEND_VIEW_CHANGE:
        return effect.view == record.view
    return effect.height == record.height and (record.act is not Act.REPROPOSE or effect.digest == record.digest)


def lanes_of(records: list[TraceRecord], book: Book) -> dict[str, Lane]:
    """The records of each replica as places in `records`, where times of what was told late are set right. Fills `book.owners`."""
    every, owners, lanes = book.context.members, book.owners, dict[str, Lane]()
    single, since, told_late = len(every) == 1, every[0].since, _TOLD_LATE.get(book.context.dialect, {})
    last: dict[str, tuple[int, int, int | None]] = {}
    telling = set[str]()
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
        effect = told_late.get(record.act)
        if effect is not None:
            _put_first(records, places, effect)
        if record.act is Act.RECEIVE_VIEW_CHANGE and record.sender != index:
            telling.add(name)
        told = record.index
        if told is not None and (told != index or not single):
            index = told
            if not single and record.height is not None:
                since = book.context.members_at(record.head + 1 if record.head is not None else list_height(record)).since
            owners.setdefault((since, told), name)
        last[name] = (record.life, record.sequence, index)
    for name, lane in lanes.items():
        lane.node.tells_view_changes = name in telling
        gaps = gaps_of(records, lane.places, book.context)
        if gaps:
            book.gaps[name] = gaps
    return lanes
