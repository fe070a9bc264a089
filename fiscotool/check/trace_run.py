"""Takes the records of all replicas in an order in which every message is sent before it is received.

Rule 1. Of the replicas that can go on, the one whose next record has the earliest time goes on.
Rule 2. A record that receives a message waits until it is sent. When all wait, the earliest record is what no schedule explains: its
        message was never sent, or only after something that follows from it.
Rule 3. No record comes for a time at which what precedes it, here or at the sender, had certainly not happened yet.

Cost: every record is taken once, and looked at again at most once for each wait; with k replicas, O(N log k).
"""

from __future__ import annotations

import heapq
from array import array
from collections import Counter, defaultdict

from fiscotool.check.trace_book import Book, Key
from fiscotool.check.trace_context import TraceContext
from fiscotool.check.trace_dialects import AUTOMATA
from fiscotool.check.trace_fisco2 import sent_by
from fiscotool.check.trace_lanes import Lane, lanes_of
from fiscotool.check.trace_messages import KINDS_RECEIVED, KINDS_SENT, TALLIES, abridged, key_of, list_height
from fiscotool.check.trace_node import Node
from fiscotool.check.trace_outcome import verdict_of
from fiscotool.check.trace_verdict import TraceVerdict
from fiscotool.check.trace_views import own_state
from fiscotool.pbft.trace import Act, TraceRecord

__all__ = ["Run"]

_TIE_S = 1e-6
"""Times are told in microseconds and compared as floating point numbers."""


class Run:
    """One check. `records` are in the order given; `verdict` may be called once."""

    def __init__(self, records: list[TraceRecord], context: TraceContext) -> None:
        self._context = context
        self._records = records
        self._book = Book(context)
        self._witness = array("q")
        self._lanes = lanes_of(records, self._book)
        self._waiting: dict[Key, list[Lane]] = defaultdict(list)
        self._ready: list[tuple[float, str, Lane]] = []
        self._keeps_voters = not context.tells_receives or context.missing_max > 0
        self._digits = min((len(record.digest) for record in records if record.digest), default=0)
        self._mixed = any(len(record.digest) > self._digits for record in records)
        self._steps = AUTOMATA[context.dialect]
        self._ends_open = context.ends_open
        self._is_2x = context.dialect == "fisco2"
        self._past_end: Counter[str] = Counter()
        self._sent_last: dict[Key, dict[str, int]] | None = None
        """Key -> replica -> the last of its places that sends it."""

    def verdict(self) -> TraceVerdict:
        """Take all records and say what came of it."""
        self._ready = [(self._records[lane.places[0]].at_s, name, lane) for name, lane in self._lanes.items()]
        heapq.heapify(self._ready)
        while self._ready or self._waiting:
            if not self._ready:
                self._break_deadlock()
                continue
            _, _, lane = heapq.heappop(self._ready)
            self._advance(lane)
        for lane in self._lanes.values():
            self._end_of_life(lane)
        return verdict_of(self._records, self._lanes, self._book, self._witness, self._past_end)

    def _advance(self, lane: Lane) -> None:
        """Take records of this lane as long as it is the one whose turn it is."""
        records, ready, node, places = self._records, self._ready, lane.node, lane.places
        limit_s = ready[0][0] if ready else float("inf")
        if self._book.is_over:
            limit_s = float("-inf")
        steps, book, append = self._steps, self._book, self._witness.append
        forced = lane if book.is_over else None
        while lane.next < len(places):
            place = places[lane.next]
            record = records[place]
            if record.at_s > limit_s and lane is not forced:
                heapq.heappush(ready, (record.at_s, node.replica, lane))
                return
            if self._mixed and len(record.digest) > self._digits:
                record = abridged(record, self._digits)
            if record.index is not None:
                node.index = record.index
            key = self._received(node, record)
            if key is not None and key not in book.sent and not (self._ends_open and self._is_past_end(record)):
                self._waiting[key].append(lane)
                return
            if not node.is_faulty:
                node.position = place
                book.now_s = record.at_s
                if record.life != node.life and record.act is not Act.START:
                    node.life = record.life
                    node.reset(is_known=False)
                if record.own_view is not None:
                    own_state(node, record)
                step = steps.get(record.act)
                wanted = step(node, record) if step is not None else None
                if wanted is not None and not book.is_over:
                    self._waiting[wanted].append(lane)
                    return
            self._time(lane, record, place, key)
            append(place)
            lane.next += 1
            forced = None
            self._send(lane, record)
        if self._ends_open and lane.next == len(places):
            book.ended.add(node.replica)
            for key in list(self._waiting):
                self._wake(key)

    def _received(self, node: Node, record: TraceRecord) -> Key | None:
        """The message this record receives from a replica that reports what it sends; None for any other record."""
        kind = KINDS_RECEIVED.get(record.act)
        sender = record.sender
        if kind is None or sender is None or sender == node.index or node.is_faulty or (self._is_2x and kind not in "PC"):
            return None
        height = record.height if record.height is not None else 0
        if kind == "O":
            if ("R", record.view, height, record.digest) in self._book.sent or node.new_view == record.view != node.view:
                return None
            if node.new_view >= 0 and node.new_view == record.view and not self._leads(node, record):
                return None
            if node.is_blurred:
                return None  # a NewView that is not told may have proposed it again
        among = list_height(record)
        if self._book.owner(among, sender) == node.replica:
            return None  # its index was not told yet
        if not self._book.is_trusted(among, sender):
            self._book.premises["sender not watched"] += 1
            return None
        return key_of(kind, sender, record)

    def _leads(self, node: Node, record: TraceRecord) -> bool:
        return node.leader(record.height or 0, record.view or 0) == record.sender

    def _is_past_end(self, record: TraceRecord) -> bool:
        """Whether the sender's report had ended when this was received, and not with the process."""
        sender = self._book.owner(list_height(record), record.sender if record.sender is not None else -1)
        lane = self._lanes.get(sender or "")
        if lane is None or lane.next < len(lane.places):
            return False
        last = self._records[lane.places[-1]]
        if last.act is Act.STOP or last.at_s > record.at_s + self._context.slack_s:
            return False
        self._past_end[lane.node.replica] += 1
        return True

    def _time(self, lane: Lane, record: TraceRecord, place: int, key: Key | None) -> None:
        """Rule 3."""
        error_s = record.error_s + self._context.slack_s
        low_s = lane.low_s
        if key is not None and self._book.sent.get(key, low_s) > low_s:
            low_s = self._book.sent[key]
        if low_s > record.at_s + error_s + _TIE_S and low_s > lane.low_s and key is not None and self._may_be_hidden(key, lane):
            low_s = lane.low_s  # it was sent before, in a gap; what is told is that it was sent again
        if low_s > record.at_s + error_s + _TIE_S:
            text = f"told for {low_s - record.at_s - error_s:.6f} s before what precedes it"
            self._book.guard_counts["time.respected"] += 1
            self._book.fail("time.respected", record, place, text, None, None, binds=not lane.node.is_faulty)
            low_s = record.at_s - error_s
        lane.low_s = max(low_s, record.at_s - error_s)

    def _send(self, lane: Lane, record: TraceRecord) -> None:
        """What this record sends is there from now on; who waits for it goes on."""
        kind = KINDS_SENT.get(record.act)
        node = lane.node
        if self._is_2x and kind not in {"L", "H"}:
            for key, about in sent_by(node, record):
                self._publish(key, lane.low_s)
                self._tally(about, key[1], lane.low_s)
            return
        if kind is None:
            kind = KINDS_RECEIVED.get(record.act)
            if kind is None or record.sender != node.index:
                return
        index = node.index
        if kind == "R":
            self._publish(("R", record.view, record.height if record.height is not None else 0, record.digest), lane.low_s)
            return
        if kind in "LH":
            if record.height is not None:
                self._publish(("L", record.height), lane.low_s)
                if node.to_view is not None and node.in_timeout and index is not None:
                    self._publish(("V", index, node.to_view, record.height), lane.low_s)
            return
        if index is None:
            return
        key = key_of(kind, index, record)
        if key not in self._book.sent:
            self._publish(key, lane.low_s)
            if self._keeps_voters and kind in "PCK":
                view = 0 if kind == "K" else record.view
                self._tally(("#" + kind, view, record.height, record.digest), index, lane.low_s)

    def _tally(self, about: Key, index: object, low_s: float) -> None:
        assert isinstance(index, int)
        self._book.voters.setdefault(about, {})[index] = low_s
        if about in self._waiting:
            self._wake(about)

    def _publish(self, key: Key, low_s: float) -> None:
        sent = self._book.sent
        if key not in sent:
            sent[key] = low_s
            if key in self._waiting:
                self._wake(key)

    def _wake(self, key: Key) -> None:
        for lane in self._waiting.pop(key, ()):
            heapq.heappush(self._ready, (self._records[lane.places[lane.next]].at_s, lane.node.replica, lane))

    def _break_deadlock(self) -> None:
        """All wait. The earliest record has no explanation; it is told and taken, so that the rest is looked at as well."""
        waiting = [(self._records[lane.places[lane.next]].at_s, key, lane) for key, lanes in self._waiting.items() for lane in lanes]
        waiting = [found for found in waiting if self._may_be_hidden(found[1], found[2])] or waiting
        _, key, lane = min(waiting, key=lambda found: (found[0], found[2].node.replica))
        place = lane.places[lane.next]
        record = self._records[place]
        self._waiting[key].remove(lane)
        if not self._waiting[key]:
            del self._waiting[key]
        if key[0] in TALLIES:
            # The step itself tells what it lacks, when it is told that nothing more will come.
            self._book.is_over = True
            self._resume(lane)
            self._book.is_over = False
            return
        if self._may_be_hidden(key, lane):
            self._book.premises["sent in a gap"] += 1
            self._publish(key, float("-inf"))
            self._resume(lane)
            return
        later = self._is_sent_later(key)
        guard = "message.before" if later else "message.sent"
        text = "its sending follows from what follows it" if later else f"member {record.sender} never sent it"
        self._book.guard_counts[guard] += 1
        if not (guard == "message.sent" and lane.node.excuse()):
            self._book.fail(guard, record, place, text, None, None, binds=True, enabled=lane.node.enabled(record))
        self._publish(key, record.at_s)
        self._resume(lane)

    def _may_be_hidden(self, key: Key, lane: Lane) -> bool:
        """Whether what this replica waits for may have been sent in a gap of what its sender tells."""
        record = self._records[lane.places[lane.next]]
        if key[0] in TALLIES or record.sender is None:
            return False
        height = record.height if record.height is not None else 0
        replica = self._book.owner(list_height(record), record.sender)
        self._book.now_s = record.at_s
        return replica is not None and self._book.may_hide(replica, height)

    def _resume(self, lane: Lane) -> None:
        if self._book.is_over:
            self._advance(lane)
        else:
            heapq.heappush(self._ready, (self._records[lane.places[lane.next]].at_s, lane.node.replica, lane))

    def _is_sent_later(self, key: Key) -> bool:
        """Whether what was not taken yet sends this. Where it is sent last is looked for once, for all messages."""
        if self._sent_last is None:
            self._sent_last = defaultdict(dict)
            for name, lane in self._lanes.items():
                index = None
                for number, place in enumerate(lane.places):
                    record = self._records[place]
                    index = record.index if record.index is not None else index
                    kind = KINDS_SENT.get(record.act) or (KINDS_RECEIVED.get(record.act) if record.sender == index else None)
                    if kind is not None and index is not None and kind not in "RLH":
                        self._sent_last[key_of(kind, index, record)][name] = number
        return any(number >= self._lanes[name].next for name, number in self._sent_last.get(key, {}).items())

    def _end_of_life(self, lane: Lane) -> None:
        """A view told and never entered."""
        debt = lane.node.debt
        if debt is not None and not self._ends_open:
            _, record, lane.node.position = debt
            lane.node.debt = None
            lane.node.fail("view.moved", record, f"is in view {record.own_view}, and never entered it")
