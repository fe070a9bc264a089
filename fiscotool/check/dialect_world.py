"""Replicas of fisco2 or classic in hand, as `core_world` has those of fisco3; perhaps with a bug planted in them.

A signature is the text of what it signs and by whom. In classic a primary's pre-prepare is its vote, so it signs what a Prepare would.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fiscotool.check.core_world import GENESIS, CoreWorld, block, hash_of, value_of
from fiscotool.pbft import effects as do
from fiscotool.pbft import events as ev
from fiscotool.pbft import messages as msg
from fiscotool.pbft.dialects import Dialect
from fiscotool.pbft.rules import Quirk
from fiscotool.pbft.types import Digest, Height, NodeIndex, View


class DialectWorld(CoreWorld):
    """Four replicas of a dialect, one of them perhaps a liar that has no core. `writes_at_once`: what consensus makes is in the ledger."""

    writes_at_once = False

    def __init__(self, dialect: Dialect, *, byzantine: int | None = None, quirks: frozenset[Quirk] = frozenset()) -> None:
        self.dialect = dialect
        self.stands: dict[int, do.StandRecord] = {}
        super().__init__(byzantine=byzantine, quirks=quirks)

    def _begin(self) -> None:
        for i in self.honest:
            self.state[i] = self.dialect.initial_state(rules=self.rules, me=NodeIndex(i), height=Height(0), block_hash=GENESIS)
        for i in self.honest:
            self._wake(i)

    def _wake(self, i: int) -> None:
        self.give(i, ev.Started())
        self.give(i, ev.PoolSize(1))

    def _step(self, state: Any, event: ev.Event) -> tuple[Any, tuple[do.Effect, ...]]:
        return self.dialect.step(state, event)

    def _apply(self, i: int, effect: do.Effect) -> list[ev.Event]:
        if isinstance(effect, do.Remember):
            self.stands[i] = effect.record
            return []
        if isinstance(effect, do.CommitBlock) and self.writes_at_once:
            durable = self.durable[i]
            durable.ledger = (*durable.ledger, value_of(effect.digest))
            return [ev.LedgerAdvanced(effect.index, hash_of(durable.ledger), self.rules, NodeIndex(i))]
        return super()._apply(i, effect)

    @property
    def is_classic(self) -> bool:
        """Whether a pre-prepare is a vote."""
        return self.dialect.is_preprepare_signed

    def leader(self, h: int, view: int) -> int:
        """Who leads a height in a view."""
        return view % len(self.rules.weights) if self.is_classic else (h - 1 + view) % len(self.rules.weights)

    def sign(self, message: msg.Message) -> msg.Message:
        """As the driver signs it."""
        if isinstance(message, msg.PrePrepare) and self.is_classic:
            return replace(message, signature=self.proof(message.sender, message.view, message.digest))
        if isinstance(message, msg.NewView):
            entries = [self.sign(entry) for entry in message.preprepares]
            return replace(message, preprepares=tuple(entry for entry in entries if isinstance(entry, msg.PrePrepare)))
        return super().sign(message)

    def _has_prepared(self, signer: int, text: bytes) -> bool:
        told = (one for _, one in self.sent if isinstance(one, msg.Prepare | msg.PrePrepare | msg.NewView) and one.sender == signer)
        votes = (vote for one in told for vote in (one.preprepares if isinstance(one, msg.NewView) else (one,)))
        return any(vote.signature == text for vote in votes)

    def pre_prepare(self, view: int, h: int, value: int) -> msg.PrePrepare:
        """What the leader of a height would send."""
        made = block(h, value)
        signed = self.sign(msg.PrePrepare(View(view), Height(h), made.digest, NodeIndex(self.leader(h, view)), made))
        assert isinstance(signed, msg.PrePrepare)
        return signed

    def named(self, i: int, h: int, value: int) -> Digest:
        """What votes for a block name: of 2.x the hash after execution."""
        return block(h, value).digest if self.is_classic else hash_of((*self.durable[i].ledger[: h - 1], value))

    def committers(self, digest: Digest, kinds: tuple[type[msg.Message], ...] = (msg.Commit,)) -> set[int]:
        """Whose signatures of a block there are."""
        honest = {int(one.sender) for _, one in self.sent if isinstance(one, kinds) and getattr(one, "digest", b"") == digest}
        return honest if self.byzantine is None else honest | {self.byzantine}

    def crash(self, i: int, *, loses: bool = False) -> None:
        """A replica stops and starts again from what is durable."""
        assert not loses
        self.crashes += 1
        durable, more = self.durable[i], {}
        if self.is_classic and i in self.stands:
            more["stand"] = self.stands[i]
        self.ranges.pop(i, None)
        self.stable[i].clear()
        self.state[i] = self.dialect.initial_state(
            rules=self.rules,
            me=NodeIndex(i),
            height=Height(len(durable.ledger)),
            block_hash=hash_of(durable.ledger),
            votes=tuple(durable.votes.values()),
            **more,
        )
        self._wake(i)
