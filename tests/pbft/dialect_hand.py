"""One replica of any dialect driven by hand: replica 0 of four equal ones, ledger at 10, unless told otherwise.

`tests.pbft.hand` is the same with phrases of fisco3; here only what all dialects share. Every step is judged by the dialect's properties.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from fiscotool.pbft.dialects import Dialect
from fiscotool.pbft.effects import Broadcast, CommitBlock, Effect, Execute, Reject, RejectReason, Send, VerifyProposal
from fiscotool.pbft.events import Event, Executed, LedgerAdvanced, Received, Started, TimerFired, TimerName, Verified
from fiscotool.pbft.messages import CheckPoint, Commit, Message, Prepare
from fiscotool.pbft.properties import Violation
from fiscotool.pbft.rules import Quirk, Rules
from fiscotool.pbft.types import Digest, Height, NodeIndex
from tests.pbft.hand import d

E = TypeVar("E")
M = TypeVar("M")


def result_of(digest: bytes) -> Digest:
    """The hash after execution of the block with this digest."""
    return Digest(b"x" + digest)


@dataclass
class DialectHand:
    """A replica, what it said, and what its properties have against it."""

    dialect: Dialect
    state: Any
    last: tuple[Effect, ...] = ()
    effects: list[Effect] = field(default_factory=list)
    complaints: list[Violation] = field(default_factory=list)
    works: bool = True
    """Whether its node verifies and executes at once, with success."""

    def __post_init__(self) -> None:
        self.history = self.dialect.new_history()

    def give(self, event: Event) -> tuple[Effect, ...]:
        """One step; what it broadcasts comes back signed, and its node does its work, before this returns."""
        before = self.state
        self.state, effects = self.dialect.step(before, event)
        assert self.state is before or self.state != before or effects, "a no-op must return the same object"
        self.effects += effects
        self.complaints += self.history.check("node0", before, event, self.state, effects)
        seen: list[Effect] = list(effects)
        for effect in effects:
            seen += self._follow(effect)
        self.last = tuple(seen)
        return self.last

    def _follow(self, effect: Effect) -> tuple[Effect, ...]:
        if isinstance(effect, Broadcast):
            message = effect.message
            if isinstance(message, Prepare | Commit | CheckPoint):
                message = replace(message, signature=b"s%d" % message.sender)
            return self.give(Received(message))
        if isinstance(effect, VerifyProposal) and self.works:
            return self.give(Verified(effect.proposal.index, effect.proposal.digest, is_valid=True))
        if isinstance(effect, Execute) and self.works:
            return self.give(Executed(effect.proposal.index, effect.proposal.digest, result_of(effect.proposal.digest)))
        if isinstance(effect, CommitBlock) and self.works:
            return self.give(LedgerAdvanced(effect.index, effect.block_hash, self.state.rules, self.state.me))
        return ()

    def hear(self, *messages: Message) -> tuple[Effect, ...]:
        """Messages arrive one after the other."""
        found: list[Effect] = []
        for message in messages:
            found += self.give(Received(message))
        self.last = tuple(found)
        return self.last

    def expire(self) -> tuple[Effect, ...]:
        """The view timer runs out."""
        return self.give(TimerFired(TimerName.VIEW, self.state.timer_epoch))

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


def started(
    dialect: Dialect,
    *,
    me: int | None = 0,
    height: int = 10,
    quirks: frozenset[Quirk] = frozenset(),
    weights: tuple[int, ...] = (1, 1, 1, 1),
    **more: Any,
) -> DialectHand:
    """A replica whose process has just started."""
    index = None if me is None else NodeIndex(me)
    rules = Rules(weights, quirks=quirks)
    hand = DialectHand(dialect, dialect.initial_state(rules=rules, me=index, height=Height(height), block_hash=d("head"), **more))
    hand.give(Started())
    return hand
