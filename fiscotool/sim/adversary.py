"""What a Byzantine replica does: it runs a correct core and lies with the messages that core would send.

It signs for itself only; certificates it shows are real ones or left out. Each strategy decides per receiver, from the cluster's
seeded generator.

    Honest       sends what the core says
    Silent       sends nothing
    Withhold     forgets messages at random, per receiver
    Equivocate   as a leader proposes two blocks to two halves; votes for whatever each receiver was shown (in fisco2 for its result)
    DoubleVote   prepares and commits every digest it has seen at a height
    Forgetful    view changes without certificates, and of a height it does not have
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from fiscotool.pbft.messages import Commit, Message, Prepare, PrePrepare, ViewChange
from fiscotool.pbft.types import Digest, Height
from fiscotool.sim import chain, equivocation
from fiscotool.sim.replica import Replica
from fiscotool.sim.world import World

Sent = list[tuple[int, Message]]
"""(receiver, signed message)."""


class Strategy(Protocol):
    """How messages leave a replica."""

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        """What goes out instead of a broadcast."""

    def send(self, world: World, replica: Replica, to: int, message: Message) -> Sent:
        """What goes out instead of a unicast."""


def others(replica: Replica) -> list[int]:
    """All other sealers."""
    return [index for index in range(replica.rules.node_count) if index != replica.index]


class Honest:
    """A correct replica."""

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        """Everyone gets the same."""
        assert world.replicas[replica.index] is replica
        return [(to, message) for to in others(replica)]

    def send(self, world: World, replica: Replica, to: int, message: Message) -> Sent:
        """As asked."""
        assert world.replicas[replica.index] is replica
        return [(to, message)]


class Silent(Honest):
    """Hears, and says nothing."""

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:  # noqa: ARG002 (a Strategy decides with less)
        """Nothing."""
        return []

    def send(self, world: World, replica: Replica, to: int, message: Message) -> Sent:  # noqa: ARG002 (a Strategy decides with less)
        """Nothing."""
        return []


class Withhold(Honest):
    """Each receiver gets each message with probability one half."""

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        """A random half."""
        return [(to, message) for to in others(replica) if world.rng.random() < 0.5]  # noqa: PLR2004 (one half)


class Equivocate(Honest):
    """Shows odd and even receivers different blocks, and votes for each in front of those who were shown it."""

    def __init__(self) -> None:
        self._twins: dict[Digest, Digest] = {}

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:  # noqa: ARG002 (a Strategy decides with less)
        """The block to even receivers, its twin to odd ones."""
        if isinstance(message, PrePrepare) and message.proposal.data:
            txs = chain.transactions_of(message.proposal)
            twin = chain.make_proposal(message.index, replica.index, txs, salt="twin")
            self._twins[message.digest] = twin.digest
            self._twins[chain.execute(message.proposal, replica.head_hash)] = chain.execute(twin, replica.head_hash)
            other: Message = chain.sign(replace(message, digest=twin.digest, proposal=twin), replica.rules)
        elif isinstance(message, Prepare | Commit) and message.digest in self._twins:
            other = chain.sign(replace(message, digest=self._twins[message.digest]), replica.rules)
        else:
            other = equivocation.other_story(message, replica.index, replica.rules, self._twins) or message
        return [(to, other if to % 2 else message) for to in others(replica)]

    def send(self, world: World, replica: Replica, to: int, message: Message) -> Sent:  # noqa: ARG002 (a Strategy decides with less)
        """Raft's leader speaks to each alone; HotStuff's collector gets a vote for each of two nodes."""
        other = equivocation.other_story(message, replica.index, replica.rules, self._twins)
        if other is None:
            return [(to, message)]
        return [(to, message), (to, other)] if equivocation.is_vote(message) else [(to, other if to % 2 else message)]


class DoubleVote(Honest):
    """Votes for every digest it has ever seen at that height, in front of everyone."""

    def __init__(self) -> None:
        self._seen: dict[Height, dict[Digest, None]] = {}

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        """One vote for each digest seen."""
        if not isinstance(message, Prepare | Commit):
            return [(to, message) for to in others(replica)]
        seen = self._seen.setdefault(message.index, {})
        seen[message.digest] = None
        for peer in world.replicas:
            seen.update(dict.fromkeys(_votes_of(peer, message.index)))
        votes = [chain.sign(replace(message, digest=digest), replica.rules) for digest in seen]
        return [(to, vote) for vote in votes for to in others(replica)]


def _votes_of(peer: Replica, index: Height) -> list[Digest]:
    """What a replica votes for at a height: the proposal's digest, or in fisco2 the hash after execution."""
    state = peer.state
    if state is None:
        return []
    if peer.dialect.name == "fisco2":
        return [state.executed_hash] if state.raw is not None and state.raw.index == index and state.executed_hash else []
    return [slot.pre.digest for slot in state.slots if slot.height == index and slot.pre is not None]


class Forgetful(Honest):
    """Hides what it prepared and boasts of blocks it does not have."""

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:  # noqa: ARG002 (a Strategy decides with less)
        """View changes lose their certificates; to odd receivers the height is far too high."""
        if not isinstance(message, ViewChange):
            return [(to, message) for to in others(replica)]
        bare = replace(message, prepared=())
        boast = replace(bare, index=Height(bare.index + 1000), digest=chain.digest_of(b"boast"))
        return [(to, boast if to % 2 else bare) for to in others(replica)]
