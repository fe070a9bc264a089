"""Events of a node's log become trace records, the words in which a run is compared with the model.

Rule 1. One `TraceMaker` a node; a STARTED event begins a new life of its process.
Rule 2. What a line does not say is taken from the one before it that says why: a 3.x node counts its own Prepare and its own Commit, with
        view and hash, right before it says that it has sent it; an embedded node accepts or is prepared right before.
Rule 3. A 2.x node writes that it has sent its Sign after what may have followed from it. Records from the execution on are held back until
        then (at most until the next height is executed), so that a life's sequence is the order in which things happened.

Sources: spec 3.x 5.2, 5.4; spec 2.x 5.2; the recorded logs (v3/logs: in 184 of 5,240 cases a node was prepared before it wrote
"handlePrePrepareMsg and broadcast prepare packet", in none before "broadcast prepare packet").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from fiscotool.observer.logs.events import Kind, LogEvent
from fiscotool.pbft.trace import Act, TraceRecord

__all__ = ["ACTS", "TraceMaker"]

ACTS: Final[dict[Kind, Act]] = {
    Kind.STARTED: Act.START,
    Kind.STOPPED: Act.STOP,
    Kind.PROPOSED: Act.PROPOSE,
    Kind.ACCEPTED: Act.ACCEPT_PROPOSAL,
    Kind.PREPARE_SENT: Act.SEND_PREPARE,
    Kind.PREPARE_COUNTED: Act.RECEIVE_PREPARE,
    Kind.PREPARED: Act.PREPARED,
    Kind.COMMIT_SENT: Act.SEND_COMMIT,
    Kind.COMMIT_COUNTED: Act.RECEIVE_COMMIT,
    Kind.COMMITTED: Act.COMMITTED_LOCAL,
    Kind.EXECUTED: Act.EXECUTED,
    Kind.CHECKPOINT_SENT: Act.SEND_CHECKPOINT,
    Kind.CHECKPOINT_COUNTED: Act.RECEIVE_CHECKPOINT,
    Kind.STABLE: Act.STABLE,
    Kind.WRITTEN: Act.LEDGER_COMMIT,
    Kind.SYNCED: Act.SYNCED_BLOCK,
    Kind.REPORT: Act.HEAD,
    Kind.TIMEOUT: Act.TIMEOUT,
    Kind.FAST_VIEW_CHANGE: Act.FAST_VIEW_CHANGE,
    Kind.ROTATION_JOINED: Act.FAST_VIEW_CHANGE,
    Kind.FAULTY_LEADER: Act.FAST_VIEW_CHANGE,
    Kind.VIEW_RAISED: Act.SEND_VIEW_CHANGE,
    Kind.VIEW_CHANGE_SENT: Act.SEND_VIEW_CHANGE,
    Kind.VIEW_CHANGE_COUNTED: Act.RECEIVE_VIEW_CHANGE,
    Kind.NEW_VIEW_SENT: Act.SEND_NEW_VIEW,
    Kind.NEW_VIEW_ACCEPTED: Act.ACCEPT_NEW_VIEW,
    Kind.REPROPOSED: Act.REPROPOSE,
    Kind.VIEW_ENTERED: Act.ENTER_VIEW,
    Kind.ROTATED: Act.ENTER_VIEW,
    Kind.RECOVER_SENT: Act.SEND_RECOVER,
    Kind.RECOVER_COUNTED: Act.RECEIVE_RECOVER,
    Kind.RECOVERED: Act.RECOVER,
}
"""Kinds that are acts of the protocol; the others are about what surrounds it."""

_REASONS: Final = {
    Act.RECEIVE_PREPARE: Act.SEND_PREPARE,
    Act.ACCEPT_PROPOSAL: Act.SEND_PREPARE,
    Act.RECEIVE_COMMIT: Act.SEND_COMMIT,
    Act.PREPARED: Act.SEND_COMMIT,
}
"""What goes before a vote is sent (Rule 2); of counted votes only the own ones."""
_REASONS_MAX: Final = 256
_HELD_MAX: Final = 256


class TraceMaker:
    """Makes the records of one node from its events, in order. `offset_s` is added to every time, `error_s` said in every record."""

    def __init__(self, replica: str, *, offset_s: float = 0.0, error_s: float = 0.0) -> None:
        self.replica = replica
        self.life = -1
        self._offset_s = offset_s
        self._error_s = error_s
        self._sequence = 0
        self._reasons: dict[tuple[Act, int | None], TraceRecord] = {}
        self._held: list[TraceRecord] = []
        self._held_height: int | None = None

    def records(self, events: Iterable[LogEvent]) -> Iterator[TraceRecord]:
        """The records of `events`; those held back (Rule 3) come with a later call or with `flush`."""
        for event in events:
            act = ACTS.get(event.kind)
            if act is not None:
                yield from self._ordered(event, self._record(event, act))

    def flush(self) -> Iterator[TraceRecord]:
        """The records that were held back: the log is over."""
        held, self._held, self._held_height = self._held, [], None
        yield from self._numbered(held)

    def _record(self, event: LogEvent, act: Act) -> TraceRecord:
        if act is Act.START:
            self.life += 1
            self._reasons.clear()
        elif self.life < 0:
            self.life = 0  # the log begins in the middle of a life
        state = event.state
        record = TraceRecord(
            replica=self.replica,
            life=self.life,
            sequence=0,
            at_s=event.at_s + self._offset_s,
            act=act,
            height=event.height,
            view=event.view,
            digest=event.digest,
            sender=event.sender,
            weight=event.weight,
            index=event.own,
            own_view=state.view if state else None,
            to_view=state.to_view if state else None,
            head=state.head if state else None,
            error_s=self._error_s,
            change_cycle=state.change_cycle if state else None,
        )
        if act in _REASONS and (act in {Act.ACCEPT_PROPOSAL, Act.PREPARED} or event.sender == event.own):
            # A NewView proposes several heights again, all of which are accepted before the first Prepare is sent.
            key = (_REASONS[act], record.height)
            self._reasons.pop(key, None)
            self._reasons[key] = record
            if len(self._reasons) > _REASONS_MAX:
                del self._reasons[next(iter(self._reasons))]
        if act is Act.SEND_RECOVER and state is not None:
            # A 3.x node shows the view change it answers; its answer says its own view and head.
            record = replace(record, view=state.view, height=state.head)
        reason = self._reasons.get((act, record.height))
        if reason is not None and record.view is None:
            view = reason.view if reason.own_view is None else reason.own_view
            record = replace(
                record,
                view=view,
                digest=reason.digest,
                sender=event.own,
                own_view=reason.own_view,
                to_view=reason.to_view,
                head=reason.head,
            )
        return record

    def _ordered(self, event: LogEvent, record: TraceRecord) -> Iterator[TraceRecord]:
        is_executed_2x = event.kind is Kind.EXECUTED and "blkNum=" in event.message
        if record.act is Act.START or is_executed_2x or len(self._held) >= _HELD_MAX:
            yield from self.flush()
        if is_executed_2x:
            yield from self._numbered([record])
            self._held_height = record.height
        elif self._held_height is None:
            yield from self._numbered([record])
        elif record.act is Act.SEND_PREPARE and record.height == self._held_height:
            earliest_s = min([record.at_s, *(held.at_s for held in self._held)])
            yield from self._numbered([replace(record, at_s=earliest_s)])
            yield from self.flush()
        else:
            self._held.append(record)

    def _numbered(self, records: list[TraceRecord]) -> Iterator[TraceRecord]:
        for record in records:
            if record.act is Act.START:
                self._sequence = 0
            yield replace(record, sequence=self._sequence)
            self._sequence += 1
