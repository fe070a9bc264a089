"""One replica of Raft or HotStuff in the hand: events in, effects kept, the rest of the world written down by the test."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fiscotool.pbft.dialects import Dialect
from fiscotool.pbft.effects import Broadcast, Effect, Execute, Reject, Remember, Send
from fiscotool.pbft.events import Event, Executed, LedgerAdvanced, Started, TimerFired, TimerName
from fiscotool.pbft.messages import Proposal
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.types import Digest, Height, NodeIndex
from fiscotool.protocols.words import message_of, received
from fiscotool.sim import chain


@dataclass
class Hand:
    """A replica, what it wants done since the last look, and its disk."""

    dialect: Dialect
    state: Any
    effects: list[Effect] = field(default_factory=list)
    stand: Any = None

    def do(self, event: Event) -> list[Effect]:
        """One event; what it led to."""
        self.state, effects = self.dialect.step(self.state, event)
        for effect in effects:
            if isinstance(effect, Remember):
                self.stand = effect.record
        self.effects += effects
        return list(effects)

    def hear(self, message: Any) -> list[Effect]:
        """A message from another replica, or its own that comes back."""
        return self.do(received(message))

    def time_out(self, name: TimerName = TimerName.VIEW) -> list[Effect]:
        """The running timer fires."""
        return self.do(TimerFired(name, self.state.epoch))

    def settle(self, effects: list[Effect]) -> list[Effect]:
        """Execute and write what is asked for, until nothing more is."""
        done: list[Effect] = []
        for effect in effects:
            if isinstance(effect, Execute):
                proposal = effect.proposal
                block_hash = chain.execute(proposal, self.state.block_hash)
                more = self.do(Executed(proposal.index, proposal.digest, block_hash))
                more += self.do(LedgerAdvanced(proposal.index, block_hash, self.state.rules, self.state.me))
                done += more + self.settle(more)
        return done

    def restart(self) -> Hand:
        """A new life from the disk."""
        old = self.state
        state = self.dialect.initial_state(rules=old.rules, me=old.me, height=old.height, block_hash=old.block_hash, stand=self.stand)
        return Hand(self.dialect, state, stand=self.stand)


def started(dialect: Dialect, *, me: int = 0, nodes: int = 4, leader_period: int = 1) -> Hand:
    """A replica of a new chain."""
    rules = Rules((1,) * nodes, leader_period_blocks=leader_period)
    hand = Hand(dialect, dialect.initial_state(rules=rules, me=NodeIndex(me), height=Height(0), block_hash=chain.genesis_hash()))
    hand.do(Started())
    return hand


def block(index: int, name: str = "a", sealer: int = 0) -> Proposal:
    """A block with one transaction."""
    return chain.make_proposal(Height(index), NodeIndex(sealer), (name,))


def digest(name: str) -> Digest:
    """Some 32 bytes."""
    return chain.digest_of(name.encode())


def said(effects: list[Effect], kind: type) -> list[Any]:
    """Messages of a kind among effects."""
    return [message for effect in effects if isinstance(message := message_of(effect), kind)]


def sent_to(effects: list[Effect], kind: type) -> list[int]:
    """To whom messages of a kind go."""
    return [effect.to for effect in effects if isinstance(effect, Send) and isinstance(effect.message, kind)]


def refused(effects: list[Effect]) -> bool:
    """Whether the message was not used, and nothing else came of it."""
    return bool(effects) and all(isinstance(effect, Reject) for effect in effects)


def order_of(effects: list[Effect]) -> list[str]:
    """Names of effects, in order; a record before everything it must precede."""
    return [type(effect).__name__ for effect in effects if isinstance(effect, Remember | Send | Broadcast)]
