"""One replica driven by hand: for tests that say a rule in a few lines.

Replica 0 of four equal ones at height 10 in view 1, unless told otherwise. Leaders with period 1: (height + view) mod 4.
Blocks are named by letters; `block(11, "A")` has the digest `d("A")`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeVar

from fiscotool.pbft.effects import Broadcast, Effect, ExecutedRecord, Persist, Reject, RejectReason, Send, VoteRecord
from fiscotool.pbft.events import Event, Executed, FillersBuilt, LedgerAdvanced, Proposed, Received, Verified
from fiscotool.pbft.messages import (
    CheckPoint,
    Commit,
    Message,
    NewView,
    Prepare,
    PreparedCertificate,
    PrePrepare,
    Proposal,
    ViewChange,
)
from fiscotool.pbft.properties import History, Violation
from fiscotool.pbft.quorum import leader_of
from fiscotool.pbft.rules import Quirk, Rules
from fiscotool.pbft.state import ReplicaState, Slot, initial_state, put_slot, slot_at
from fiscotool.pbft.step import step
from fiscotool.pbft.types import Digest, Height, NodeIndex, View

E = TypeVar("E")
M = TypeVar("M")


def d(name: str) -> Digest:
    """The digest called `name`."""
    return Digest(name.encode())


def block(index: int, name: str, *, is_system: bool = False, is_filler: bool = False) -> Proposal:
    """A complete proposal."""
    return Proposal(Height(index), d(name), f"{index}{name}".encode(), is_system=is_system, is_filler=is_filler)


def bare(proposal: Proposal) -> Proposal:
    """Its proof-only copy."""
    return replace(proposal, data=b"")


def cert(index: int, name: str, view: int, signers: tuple[int, ...] = (0, 1, 2), *, is_full: bool = False) -> PreparedCertificate:
    """A prepared certificate."""
    proposal = block(index, name)
    signed = tuple((NodeIndex(signer), b"s%d" % signer) for signer in signers)
    return PreparedCertificate(View(view), proposal if is_full else bare(proposal), signed)


def pre(index: int, name: str, view: int, rules: Rules, *, sender: int | None = None, is_system: bool = False) -> PrePrepare:
    """A pre-prepare of the rightful leader, or of `sender`."""
    leader = leader_of(Height(index), View(view), rules) if sender is None else NodeIndex(sender)
    return PrePrepare(View(view), Height(index), d(name), leader, block(index, name, is_system=is_system))


def view_change(sender: int, view: int, *certs: PreparedCertificate, index: int = 10, ledger: str = "head") -> ViewChange:
    """A view change of a replica whose ledger ends at `index`."""
    return ViewChange(View(view), Height(index), d(ledger), NodeIndex(sender), certs)


@dataclass
class Hand:
    """A replica and what it said so far."""

    state: ReplicaState
    effects: list[Effect] = field(default_factory=list)
    last: tuple[Effect, ...] = ()
    history: History = field(default_factory=History)
    complaints: list[Violation] = field(default_factory=list)

    def give(self, event: Event) -> tuple[Effect, ...]:
        """One step; broadcasts come back signed, as a driver does it, before this returns."""
        before = self.state
        self.state, effects = step(self.state, event)
        assert self.state is before or self.state != before or effects, "a no-op must return the same object"
        self.effects += effects
        self.complaints += self.history.check("node0", before, event, self.state, effects)
        echoed: list[Effect] = list(effects)
        for effect in effects:
            if isinstance(effect, Broadcast):
                echoed += self.give(Received(signed(effect.message)))
        self.last = tuple(echoed)
        return self.last

    def hear(self, *messages: Message) -> tuple[Effect, ...]:
        """Messages arrive one after the other; all effects."""
        found: list[Effect] = []
        for message in messages:
            found += self.give(Received(message))
        self.last = tuple(found)
        return self.last

    def slot(self, index: int) -> Slot:
        """What is known of a height."""
        return slot_at(self.state, Height(index))

    def of(self, kind: type[E]) -> list[E]:
        """The effects of the last call of one kind."""
        return [effect for effect in self.last if isinstance(effect, kind)]

    def said(self, kind: type[M]) -> list[M]:
        """The messages of one kind that were broadcast in the last call."""
        return [effect.message for effect in self.of(Broadcast) if isinstance(effect.message, kind)]

    def sent(self, kind: type[M]) -> list[tuple[int, M]]:
        """The unicasts of one kind in the last call."""
        return [(effect.to, effect.message) for effect in self.of(Send) if isinstance(effect.message, kind)]

    def refusals(self) -> list[RejectReason]:
        """Why messages of the last call were not used."""
        return [effect.reason for effect in self.of(Reject)]

    def others(self, senders: tuple[int, ...] | None) -> tuple[int, ...]:
        """`senders`, or two that are not this replica."""
        return senders if senders is not None else tuple(i for i in range(4) if i != self.state.me)[:2]

    # The phases, in one call each

    def accept(self, index: int, name: str, *, is_system: bool = False) -> None:
        """Get the pre-prepare of the rightful leader accepted; a leader proposes itself."""
        rules = self.state.rules
        message = pre(index, name, self.state.view, rules, is_system=is_system)
        if message.sender == self.state.me:
            self.give(Proposed(message.proposal))
        else:
            self.hear(message)
            self.give(Verified(Height(index), d(name), is_valid=True))

    def prepares(self, index: int, name: str, senders: tuple[int, ...] | None = None, view: int | None = None) -> tuple[Effect, ...]:
        """Prepares of others."""
        at = View(self.state.view if view is None else view)
        return self.hear(*(Prepare(at, Height(index), d(name), NodeIndex(s), b"s%d" % s) for s in self.others(senders)))

    def commits(self, index: int, name: str, senders: tuple[int, ...] | None = None, view: int | None = None) -> tuple[Effect, ...]:
        """Commits of others."""
        at = View(self.state.view if view is None else view)
        return self.hear(*(Commit(at, Height(index), d(name), NodeIndex(s)) for s in self.others(senders)))

    def checkpoints(self, index: int, name: str, senders: tuple[int, ...] | None = None) -> tuple[Effect, ...]:
        """Checkpoints of others, for the executed hash called `name`."""
        return self.hear(*(CheckPoint(self.state.view, Height(index), d(name), NodeIndex(s), b"c%d" % s) for s in self.others(senders)))

    def lock(self, index: int, name: str) -> None:
        """Get prepared on a block in the present view."""
        self.accept(index, name)
        self.prepares(index, name)
        assert self.slot(index).cert is not None

    def lock_by_force(self, index: int, name: str) -> None:
        """Plant a lock of view 1, whatever was counted."""
        slot = self.slot(index)._replace(cert=cert(index, name, 1, is_full=True))
        self.state = put_slot(self.state, slot)

    def agree(self, index: int, name: str, *, is_system: bool = False) -> None:
        """Get a block agreed."""
        self.accept(index, name, is_system=is_system)
        self.prepares(index, name)
        self.commits(index, name)
        assert self.slot(index).agreed is not None

    def execute(self, index: int, name: str) -> tuple[Effect, ...]:
        """The executor answers: the executed hash of block A is `xA`."""
        return self.give(Executed(Height(index), d(name), d("x" + name)))

    def write(self, index: int, name: str, *, rules: Rules | None = None, by_sync: bool = False) -> tuple[Effect, ...]:
        """The block is in the ledger."""
        return self.give(LedgerAdvanced(Height(index), d("x" + name), rules or self.state.rules, self.state.me, by_sync))

    def commit_block(self, index: int, name: str) -> None:
        """All four phases of one block."""
        self.agree(index, name)
        self.execute(index, name)
        self.checkpoints(index, "x" + name)
        self.write(index, name)
        assert self.state.height == index

    def fill(self, view: int, *indexes: int) -> tuple[Effect, ...]:
        """Empty blocks for gaps, called F and their height."""
        return self.give(FillersBuilt(View(view), tuple(block(i, f"F{i}", is_filler=True) for i in indexes)))

    def enter(self, view: int, *extra: ViewChange, entries: tuple[PrePrepare, ...] = ()) -> tuple[Effect, ...]:
        """A NewView of the rightful leader; `extra` replaces the bare view changes of their senders."""
        height = self.state.height
        ledger = self.state.block_hash.decode()
        given = {vc.sender: vc for vc in extra}
        shown = tuple(given.get(NodeIndex(s), view_change(s, view, index=height, ledger=ledger)) for s in (1, 2, 3))
        leader = leader_of(Height(height + 1), View(view), self.state.rules)
        return self.hear(NewView(View(view), height, leader, shown, entries))


def restarted(hand: Hand) -> Hand:
    """The same replica after a crash: only what it made durable is left."""
    votes = {e.record.index: e.record for e in hand.effects if isinstance(e, Persist) and isinstance(e.record, VoteRecord)}
    done = {e.record.proposal.index: e.record for e in hand.effects if isinstance(e, Persist) and isinstance(e.record, ExecutedRecord)}
    old = hand.state
    state = initial_state(
        rules=old.rules, me=old.me, height=old.height, block_hash=old.block_hash, votes=tuple(votes.values()), executed=tuple(done.values())
    )
    return Hand(state, effects=list(hand.effects), history=hand.history)


def signed(message: Message) -> Message:
    """As the driver signs it."""
    if isinstance(message, Prepare):
        return replace(message, signature=b"s%d" % message.sender)
    if isinstance(message, CheckPoint):
        return replace(message, signature=b"c%d" % message.sender)
    return message


def replica(
    *,
    me: int = 0,
    view: int = 1,
    height: int = 10,
    weights: tuple[int, ...] = (1, 1, 1, 1),
    period: int = 1,
    quirks: frozenset[Quirk] = frozenset(),
) -> Hand:
    """A replica that is in `view` and knows nothing above `height`."""
    rules = Rules(weights, leader_period_blocks=period, quirks=quirks)
    state = initial_state(rules=rules, me=NodeIndex(me), height=Height(height), block_hash=d("head"))
    state = state._replace(view=View(view), to_view=View(view), in_timeout=False, recovered=True)
    return Hand(state)
