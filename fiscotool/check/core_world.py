"""Replicas of the core itself, in hand: whoever schedules decides what arrives where, and when, and how often.

Everything ever sent stays in `sent` and can be delivered to anyone it was meant for, in any order, again, or never. What a node does for
its core (verifying, building fillers, executing) happens at once; writing a block and making one wait until they are asked for. A
signature is the text of what it signs and by whom, so nothing can be forged that the liar cannot sign; under `proof-without-view` a
Prepare's text leaves out the view.

Blocks are called by the model's values: at each height `a`, `b` and the empty block.

Sources: the contract of `pbft.step`; as fiscotool.check.step_explorer, which moves in larger steps.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

from fiscotool.check.fisco3_bounds import FILLER, NODES, leader_of
from fiscotool.pbft import effects as do
from fiscotool.pbft import events as ev
from fiscotool.pbft.messages import Message, NewView, Prepare, PreparedCertificate, PrePrepare, Proposal, ViewChange
from fiscotool.pbft.rules import Quirk, Rules
from fiscotool.pbft.state import initial_state
from fiscotool.pbft.step import step
from fiscotool.pbft.types import Digest, Height, NodeIndex, View

GENESIS = Digest(b"x")


def block(h: int, value: int) -> Proposal:
    """A block before execution."""
    text = b"%d:%d" % (h, value)
    return Proposal(Height(h), Digest(text), text, is_filler=value == FILLER)


def value_of(digest: bytes) -> int:
    """Which block a digest names."""
    return int(digest.split(b":")[1])


def hash_of(prefix: tuple[int, ...]) -> Digest:
    """The hash of the last block of a chain."""
    return Digest(GENESIS + b"".join(b"|%d" % value for value in prefix))


@dataclass
class Durable:
    """What survives a crash."""

    votes: dict[int, do.VoteRecord] = field(default_factory=dict)
    executed: dict[int, do.ExecutedRecord] = field(default_factory=dict)
    ledger: tuple[int, ...] = ()


class CoreWorld:
    """Four replicas, one of them perhaps a liar that has no core."""

    def __init__(self, *, byzantine: int | None = None, quirks: frozenset[Quirk] = frozenset()) -> None:
        self.rules = Rules((1,) * NODES, quirks=quirks)
        self.byzantine = byzantine
        self.honest = tuple(i for i in range(NODES) if i != byzantine)
        self.sent: dict[tuple[int, Message], None] = {}
        self.stable: dict[int, dict[int, int]] = {i: {} for i in self.honest}
        self.ranges: dict[int, tuple[int, int]] = {}
        self.durable = {i: Durable() for i in self.honest}
        self.crashes = 0
        self.state: dict[int, Any] = {}
        self._begin()

    def _begin(self) -> None:
        """Everybody in view 0, as after the views of a start, with transactions waiting."""
        for i in self.honest:
            state = initial_state(rules=self.rules, me=NodeIndex(i), height=Height(0), block_hash=GENESIS)
            self.state[i] = state._replace(in_timeout=False, recovered=True)
        for i in self.honest:
            self.give(i, ev.PoolSize(1))
            if leader_of(1, 0) == i:
                self.ranges[i] = (1, 1)

    def _step(self, state: Any, event: ev.Event) -> tuple[Any, tuple[do.Effect, ...]]:
        """One step of a replica."""
        return step(state, event)

    def key(self) -> tuple[object, ...]:
        """Equal for worlds that can do the same; the order in which messages were sent does not count."""
        ledgers = tuple(durable.ledger for durable in self.durable.values())
        return frozenset(self.sent), tuple(self.state.values()), ledgers, tuple(map(str, self.stable.values())), tuple(self.ranges.items())

    def copy(self) -> CoreWorld:
        """The same world, to be changed apart."""
        other = copy(self)
        other.sent, other.state, other.ranges = dict(self.sent), dict(self.state), dict(self.ranges)
        other.stable = {i: dict(values) for i, values in self.stable.items()}
        other.durable = {i: Durable(dict(one.votes), dict(one.executed), one.ledger) for i, one in self.durable.items()}
        return other

    def give(self, i: int, event: ev.Event) -> None:
        """One event, and all that a node does at once because of it."""
        todo = [event]
        while todo:
            self.state[i], effects = self._step(self.state[i], todo.pop(0))
            for effect in effects:
                todo += self._apply(i, effect)

    def _apply(self, i: int, effect: do.Effect) -> list[ev.Event]:
        """What a node does for its core; the answers."""
        match effect:
            case do.Persist(record=do.VoteRecord() as record):
                self.durable[i].votes[record.index] = record
            case do.Persist(record=record):
                assert isinstance(record, do.ExecutedRecord)
                self.durable[i].executed[record.proposal.index] = record
            case do.Broadcast(message=message):
                signed = self.sign(message)
                self.sent |= {(j, signed): None for j in self.honest if j != i}
                return [ev.Received(signed)]
            case do.Send(to=to, message=message) if to in self.honest:
                self.sent[to, message] = None
            case do.VerifyProposal(proposal=proposal):
                return [ev.Verified(proposal.index, proposal.digest, is_valid=True)]
            case do.BuildFillers(view=view, indexes=indexes):
                return [ev.FillersBuilt(view, tuple(block(index, FILLER) for index in indexes))]
            case do.Execute(proposal=proposal):
                return [ev.Executed(proposal.index, proposal.digest, hash_of((*self._below(i, proposal.index), value_of(proposal.digest))))]
            case do.CommitBlock(index=index, digest=digest):
                self.stable[i][index] = value_of(digest)
            case do.SealRange(first=first, last=last):
                self.ranges[i] = (first, last)
            case _:
                pass
        return []

    def _below(self, i: int, index: int) -> tuple[int, ...]:
        """The chain under a height: written, then executed."""
        chain = self.durable[i].ledger
        done = self.durable[i].executed
        return (*chain, *(value_of(done[h].proposal.digest) for h in range(len(chain) + 1, index)))

    def sign(self, message: Message) -> Message:
        """As the driver signs it."""
        if isinstance(message, Prepare):
            return replace(message, signature=self.proof(message.sender, message.view, message.digest))
        return message

    def proof(self, signer: int, view: int, digest: bytes) -> bytes:
        """What a Prepare contributes to a certificate."""
        return b"%d|%s" % (signer, digest) if self.rules.has(Quirk.PROOF_WITHOUT_VIEW) else b"%d|%d|%s" % (signer, view, digest)

    def is_authentic(self, message: Message) -> bool:
        """Whether every signature in it is its signer's, over just this."""
        if isinstance(message, NewView):
            return all(map(self.is_authentic, message.view_changes))
        certs = message.prepared if isinstance(message, ViewChange) else ()
        return all(
            text == self.proof(signer, cert.view, cert.proposal.digest) and (signer == self.byzantine or self._has_prepared(signer, text))
            for cert in certs
            for signer, text in cert.signatures
        )

    def _has_prepared(self, signer: int, text: bytes) -> bool:
        return any(isinstance(one, Prepare) and one.sender == signer and one.signature == text for _, one in self.sent)

    # What whoever schedules may do

    def deliver(self, i: int, message: Message) -> None:
        """A message arrives, if its signatures are right; again, perhaps."""
        if self.is_authentic(message):
            self.give(i, ev.Received(message))

    def propose(self, i: int, h: int, value: int) -> None:
        """The sealer of a replica makes a block."""
        self.give(i, ev.Proposed(block(h, value)))

    def expire(self, i: int) -> None:
        """The view timer of a replica runs out."""
        self.give(i, ev.TimerFired(ev.TimerName.VIEW, self.state[i].timer_epoch))

    def write(self, i: int, value: int, *, by_sync: bool = False) -> None:
        """The next block is in a replica's ledger."""
        durable = self.durable[i]
        durable.ledger = (*durable.ledger, value)
        h = len(durable.ledger)
        self.stable[i].pop(h, None)
        self.give(i, ev.LedgerAdvanced(Height(h), hash_of(durable.ledger), self.rules, NodeIndex(i), by_sync))

    def crash(self, i: int, *, loses: bool = False) -> None:
        """A replica stops and starts again from what is durable; `loses`: from nothing but the blocks before its last one."""
        self.crashes += 1
        if loses:
            self.durable[i] = Durable(ledger=self.durable[i].ledger[:-1])
        durable = self.durable[i]
        self.ranges.pop(i, None)
        self.stable[i].clear()
        self.state[i] = initial_state(
            rules=self.rules,
            me=NodeIndex(i),
            height=Height(len(durable.ledger)),
            block_hash=hash_of(durable.ledger),
            votes=tuple(durable.votes.values()),
            executed=tuple(durable.executed[h] for h in sorted(durable.executed)),
        )
        self.give(i, ev.Started())

    def lie(self, message: Message) -> None:
        """The liar says something to everyone who will hear it."""
        assert message.sender == self.byzantine
        self.sent |= {(i, self.sign(message)): None for i in self.honest}

    def certificate(self, view: int, h: int, value: int, *, dated: int | None = None) -> PreparedCertificate:
        """A certificate from the Prepares there are, and the liar's; `dated` shows it as one of another view."""
        digest = block(h, value).digest
        found = {one.sender for _, one in self.sent if isinstance(one, Prepare) and (one.view, one.digest) == (view, digest)}
        signers = sorted(found | {NodeIndex(self.byzantine)} if self.byzantine is not None else found)
        signed = tuple((signer, self.proof(signer, view, digest)) for signer in signers)
        return PreparedCertificate(View(view if dated is None else dated), replace(block(h, value), data=b""), signed)

    def pre_prepare(self, view: int, h: int, value: int) -> PrePrepare:
        """What the leader of a height would send."""
        proposal = block(h, value)
        return PrePrepare(View(view), Height(h), proposal.digest, NodeIndex(leader_of(h, view)), proposal)
