"""One replica's automaton: what is known of its state, and how a record is held against it.

Rule 1. A variable is None as long as nothing tells it: a life whose beginning was not told knows nothing at first (Rule 2 of pbft.trace).
Rule 2. What a record shows is taken over even when a guard is not met, so that one fault is told once.
Rule 3. A step that must have happened and was not told may be assumed while the life's budget lasts (`excuse`); nothing excuses a record
        that contradicts what was told.

Sources: spec 3.x 1.7, 1.17; docs/trace-checking.md.
"""

from __future__ import annotations

from typing import Any

from fiscotool.check.trace_book import Book
from fiscotool.check.trace_context import Members, Mode
from fiscotool.check.trace_guards import GUARDS
from fiscotool.pbft.trace import Act, TraceRecord

__all__ = ["Node", "Slot", "Votes", "settled"]

Votes = dict[str, dict[int, int]]
"""Votes at one height: digest -> sender -> view of the vote counted last."""


class Slot:
    """One height above the ledger. Digests of proposals are empty, and `executed` of results, as long as there are none."""

    __slots__ = (
        "accepted",
        "agreed",
        "checkpoints",
        "commits",
        "committed_in",
        "early_sender",
        "executed",
        "is_counted",
        "is_known",
        "is_open",
        "is_stable",
        "lock",
        "lock_view",
        "prepares",
        "proposed",
        "result",
        "sent",
        "surplus",
        "view",
    )

    def __init__(self, *, is_known: bool) -> None:
        self.accepted = ""
        self.view = -1
        self.lock = ""
        self.lock_view = -1
        self.agreed = ""
        self.executed = ""
        self.is_stable = False
        self.is_known = is_known
        self.is_counted = is_known
        """All Prepares are told, though what was accepted may have been before the records begin."""
        self.is_open = not is_known
        self.committed_in = -1
        self.early_sender = -1
        """2.x: whose proposal was accepted while a view was asked for; it may be of that view."""
        self.result = ""
        self.prepares: Votes = {}
        self.commits: Votes = {}
        self.checkpoints: dict[str, dict[int, int]] = {}
        self.sent: dict[tuple[int, int], str] = {}
        """(0 for Prepare, 1 for Commit; view) -> digest."""
        self.proposed: dict[int, list[str]] = {}
        """View -> what this replica has proposed in it, in order."""
        self.surplus: dict[tuple[str, str], int] = {}
        """In an open slot: (P, C or K; digest) -> weight of votes counted before the records begin, once a told weight shows it."""

    def begins(self) -> None:
        """What is told now comes first at this height, but for votes that were early: all else about it will be told."""
        self.is_known = self.is_counted = True

    def lacks(self, kind: str, digest: str) -> bool:
        """Whether votes of this kind may have been counted before the records begin, nobody knows how many."""
        return self.is_open and (kind, digest) not in self.surplus


def settled(surplus: dict[Any, int], key: object, told: int, have: int) -> int:
    """Weight of votes: what is told beyond the known ones was counted before the records begin, and may be dropped later."""
    extra = surplus.get(key)
    if extra is None or told < have + extra:
        extra = surplus[key] = max(0, told - have)
    return have + extra


class Node:
    """What is known of one replica. `life` is the life being read; `durable_*` is what must outlive it."""

    def __init__(self, replica: str, book: Book) -> None:
        self.replica = replica
        self.book = book
        self.context = book.context
        self.dialect = book.context.dialect
        self.guards = book.guard_counts
        self.is_faulty = replica in book.context.faulty
        self.index: int | None = None
        self.life = -1
        self.durable_votes: dict[tuple[int, int, int], str] = {}
        self.durable_locks: dict[int, tuple[int, str]] = {}
        self.tells_view_changes = True
        """2.x: its records tell of view changes that it received, if only of one in all its lives."""
        self.ledger_height = -1
        self.ledger_hash = ""
        self.position = -1
        self.reset(is_known=False)

    def reset(self, *, is_known: bool) -> None:
        """A life begins. `is_known`: it is told from its first step."""
        start = 0 if is_known else None
        self.is_known = is_known
        self.is_blurred = not is_known
        """Neither a block nor a view was told since the records begin: what is going on may be the end of something untold."""
        self.view: int | None = start
        self.to_view: int | None = start
        self.in_timeout: bool | None = True if is_known else None
        self.cycle: int | None = start
        self.head: int | None = None
        self.low: int | None = None
        """Classic: the last stable checkpoint."""
        self.slots: dict[int, Slot] = {}
        self.done: dict[int, tuple[Slot, int | None]] = {}
        """2.x: slots of the heights written last, with the view they were written in."""
        self.unknown_up_to = -1 if is_known else 1 << 62
        self.view_changes: dict[int, dict[int, int]] = {}
        self.recoveries: dict[int, dict[int, int]] = {}
        self.surplus: dict[tuple[str, int], int] = {}
        """(V or A, view) -> weight of view changes, or answers, counted before the records begin."""
        self.views_known_from = 0 if is_known else 1 << 62
        self.new_view = -1
        self.new_view_sender = -1
        self.entered = -1
        self.is_leaderless = not is_known
        """2.x: a view was asked for and none entered since, so that it knows no leader."""
        self.sent_new_view = -1
        self.again: set[tuple[int, int]] = set()
        """(view, height) of what this replica has proposed again for a NewView."""
        self.cause = "start" if is_known else "unknown"
        self.target = 0
        self.first_asks = 2
        self.unsure_ask: tuple[int, int | None] | None = None
        """A view change sent while nothing is known of reasons: its view, the view asked for before."""
        self.asked: tuple[int, int | None, TraceRecord, int] | None = None
        """A view change sent without a reason told: its view, the view asked for before, its record and place."""
        self.joining: tuple[int, TraceRecord, int] | None = None
        """Classic: a join whose view changes are not all told yet: the own view, its record and place."""
        self.owed: set[int] = set()
        """Classic: views asked for whose view change was not told to have left."""
        self.left = -1
        """Classic: the view left last, while what was sent in it may still be told."""
        self.written = -1
        self.next_executed: int | None = None
        self.debt: tuple[int, TraceRecord, int] | None = None
        self.budget = self.context.missing_max
        self.has_recovered = False
        self.synced = ""

    def members(self, height: int) -> Members:
        """Who votes on `height`, as far as this replica knows: the list after its last block, whatever a later block changes."""
        every = self.context.members
        if len(every) == 1:
            return every[0]
        return self.context.members_at(height if self.head is None else min(height, self.head + 1))

    def members_next(self, record: TraceRecord) -> Members:
        """Who votes on the block after the ledger; where that was not told yet, by what `record` says of it."""
        head = self.head if self.head is not None else record.head if record.head is not None else record.height
        return self.members((head or 0) + 1)

    def leader(self, height: int, view: int) -> int:
        """Who leads `height` in `view`."""
        members = self.members(height)
        if self.dialect == "fisco3":
            return (height // members.leader_period_blocks + view) % members.count
        return (height - 1 + view if self.dialect == "fisco2" else view) % members.count

    def bottom(self) -> int | None:
        """The last height that is done with: no vote for it counts any more."""
        return self.low if self.dialect == "classic" else self.head

    def slot(self, height: int) -> Slot:
        """The slot of `height`, made when there is none."""
        slot = self.slots.get(height)
        if slot is None:
            slot = self.slots[height] = Slot(is_known=height > self.unknown_up_to)
        return slot

    def excuse(self) -> bool:
        """Assume a step that was not told, while the budget lasts."""
        if self.budget <= 0:
            return False
        self.budget -= 1
        self.book.silent_count += 1
        return True

    def fail(self, guard: str, record: TraceRecord, text: str, need: int | None = None, have: int | None = None) -> None:
        """A guard is not met. In the mode it does not bind in, it is a deviation."""
        found = GUARDS[guard]
        if found.lenient and self.excuse():
            return
        mode = "textbook" if self.context.mode is Mode.TEXTBOOK else "fisco"
        self.book.fail(guard, record, self.position, text, need, have, binds=found.binds in ("both", mode), enabled=self.enabled(record))

    def enabled(self, record: TraceRecord) -> tuple[Act, ...]:
        """What the model could do next about the height of `record`: the acts, its messages received apart."""
        acts: list[Act] = []
        height = record.height
        slot = self.slots.get(height) if height is not None else None
        if self.in_timeout:
            acts += [Act.RECEIVE_VIEW_CHANGE, Act.SEND_VIEW_CHANGE, Act.ACCEPT_NEW_VIEW, Act.RECEIVE_RECOVER]
        elif height is None or self.head is None or height > self.head:
            acts.append(Act.ACCEPT_PROPOSAL)
        if slot is not None and height is not None:
            quorum = self.members(height).quorum
            weigh = self.members(height).weight
            if slot.accepted and (0, slot.view) not in slot.sent:
                acts.append(Act.SEND_PREPARE)
            if slot.accepted and not self.in_timeout and slot.lock_view < slot.view:
                acts.append(Act.PREPARED if weigh(slot.prepares.get(slot.accepted, ())) >= quorum else Act.RECEIVE_PREPARE)
            if slot.lock and (1, slot.lock_view) not in slot.sent:
                acts.append(Act.SEND_COMMIT)
            if slot.lock and not slot.agreed:
                acts.append(Act.COMMITTED_LOCAL if weigh(slot.commits.get(slot.lock, ())) >= quorum else Act.RECEIVE_COMMIT)
            if slot.agreed and not slot.executed:
                acts.append(Act.EXECUTED)
            if slot.executed and not slot.is_stable:
                acts.append(Act.STABLE if weigh(slot.checkpoints.get(slot.executed, ())) >= quorum else Act.RECEIVE_CHECKPOINT)
            if slot.is_stable:
                acts.append(Act.LEDGER_COMMIT)
        acts.append(Act.TIMEOUT)
        return tuple(acts)
