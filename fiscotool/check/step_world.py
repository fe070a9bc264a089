"""A small world of replicas that run the core itself: what a node does for its core happens at once, and one replica may lie.

A move (`step_explorer`) hands in events; each happens with all that follows from it inside its replica. What is broken by a step of a
correct replica, or by the world as a whole (two ledgers, agreements or certificates of one view differ), is kept in `broken` by name.

Sources: the core's contract (ARCHITECTURE.md); pbft/effects.py for what a node must do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from fiscotool.pbft import effects as do
from fiscotool.pbft import events as ev
from fiscotool.pbft.dialects import Dialect
from fiscotool.pbft.messages import CheckPoint, Commit, Message, NewView, Prepare, PrePrepare, Proposal
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.types import Digest, Height, NodeIndex, View

LOCAL_STEPS_MAX: Final = 400
"""Events that one move may cause in one replica: a bound against a core that answers itself for ever."""


class Peer(NamedTuple):
    """One replica: its memory (None for the liar), what is durable, and its ledger."""

    state: Any
    votes: tuple[tuple[int, Any], ...] = ()
    executed: tuple[tuple[int, Any], ...] = ()
    stand: Any = None
    ledger: tuple[Digest, ...] = ()


class World(NamedTuple):
    """Everything there is. `mail` has (receiver, message) in the order sent; `seen` what the liar has heard of."""

    peers: tuple[Peer, ...]
    mail: tuple[tuple[int, Message], ...] = ()
    crashes: int = 0


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far to look. `worlds_max` bounds the distinct worlds, `depth_max` the moves."""

    nodes: int = 4
    heights: int = 1
    depth_max: int = 8
    worlds_max: int = 2_000
    crashes: int = 0
    liar: int | None = None


class Inside:
    """What happens inside a move."""

    def __init__(self, dialect: Dialect, bounds: Bounds, rules: Rules) -> None:
        self.dialect = dialect
        self.bounds = bounds
        self.rules = rules
        self.broken: dict[str, None] = {}

    def settle(self, world: World, events: Iterable[tuple[int, ev.Event]]) -> World:
        """The events happen in order, each with all that follows from it inside its replica."""
        peers, mail = list(world.peers), list(world.mail)
        heard: dict[Message, None] = {}
        for index, event in events:
            if peers[index].state is None:
                if isinstance(event, ev.Received):
                    heard[event.message] = None
                continue
            peers[index] = self._react(index, peers[index], event, mail)
        liar = self.bounds.liar
        if liar is not None:
            mail += self._lies(liar, peers, list(heard), mail)
        self._agree(peers)
        calm = tuple(peer if peer.state is None else peer._replace(state=_without_epochs(peer.state)) for peer in peers)
        return World(calm, tuple(dict.fromkeys(mail)), world.crashes)

    def _react(self, index: int, peer: Peer, event: ev.Event, mail: list[tuple[int, Message]]) -> Peer:
        """One event and its local consequences."""
        queue: list[ev.Event] = [event]
        for _ in range(LOCAL_STEPS_MAX):
            if not queue:
                return peer
            before, now = peer.state, queue.pop(0)
            after, effects = self.dialect.step(before, now)
            if after is not before or effects:
                for violation in self.dialect.new_history().check(f"node{index}", before, now, after, effects):
                    self.broken[violation.rule] = None
            peer = peer._replace(state=after)
            for effect in effects:
                peer = self._do(index, peer, effect, queue, mail)
        self.broken["storm"] = None
        return peer

    def _do(self, index: int, peer: Peer, effect: do.Effect, queue: list[ev.Event], mail: list[tuple[int, Message]]) -> Peer:
        """What a node does for its core, at once."""
        match effect:
            case do.Broadcast(message=message):
                signed = _signed(message)
                mail += [(to, signed) for to in range(self.bounds.nodes) if to != index]
                queue.append(ev.Received(signed))
            case do.Send(to=to, message=message):
                mail.append((to, _signed(message)))
            case do.Persist(record=record):
                if isinstance(record, do.VoteRecord):
                    return peer._replace(votes=_kept(peer.votes, record.index, record))
                return peer._replace(executed=_kept(peer.executed, record.proposal.index, record))
            case do.Remember(record=record):
                return peer._replace(stand=record)
            case do.VerifyProposal(proposal=proposal):
                queue.append(ev.Verified(proposal.index, proposal.digest, is_valid=True))
            case do.Execute(proposal=proposal):
                queue.append(ev.Executed(proposal.index, proposal.digest, hash_of(f"x{proposal.digest.hex()}")))
            case do.CommitBlock(index=height, block_hash=block_hash):
                if height == len(peer.ledger) + 1:
                    queue.append(ev.LedgerAdvanced(height, block_hash, self.rules, NodeIndex(index)))
                    return peer._replace(ledger=(*peer.ledger, block_hash))
            case do.BuildFillers(view=view, indexes=indexes):
                queue.append(ev.FillersBuilt(view, tuple(_block(height, index, view, is_filler=True) for height in indexes)))
            case do.SealRange(first=first, last=last, view=view):
                if len(peer.ledger) < first <= min(last, self.bounds.heights):
                    queue.append(ev.Proposed(_block(first, index, view)))
            case _:
                pass
        return peer

    def _lies(self, liar: int, peers: list[Peer], heard: list[Message], mail: list[tuple[int, Message]]) -> list[tuple[int, Message]]:
        """Votes for everything heard of, to everyone; two blocks where it leads."""
        lies: list[tuple[int, Message]] = []
        others = [index for index in range(self.bounds.nodes) if index != liar]
        me = NodeIndex(liar)
        for message in [*heard, *dict.fromkeys(message for to, message in mail if to == liar)]:
            if isinstance(message, PrePrepare):
                votes: tuple[Message, ...] = tuple(
                    kind(message.view, message.index, message.digest, me, b"s%d" % liar) for kind in (Prepare, Commit)
                )
                lies += [(to, vote) for to in others for vote in votes]
            elif isinstance(message, Prepare | Commit | CheckPoint):
                lies += [(to, replace(message, sender=me, signature=b"s%d" % liar)) for to in others]
        for place in dict.fromkeys((len(peer.ledger) + 1, peer.state.view) for peer in peers if peer.state is not None):
            lies += self._two_blocks(me, Height(place[0]), place[1], others)
        return lies

    def _two_blocks(self, me: NodeIndex, height: Height, view: View, others: list[int]) -> list[tuple[int, Message]]:
        """As a leader it shows odd and even replicas different blocks, and votes for both."""
        if height > self.bounds.heights or (height // self.rules.leader_period_blocks + view) % self.bounds.nodes != me:
            return []
        found: list[tuple[int, Message]] = []
        for to in others:
            made = _block(height, me, View(view), twin=to % 2)
            found.append((to, PrePrepare(view, height, made.digest, me, made)))
        digests = [_block(height, me, View(view), twin=twin).digest for twin in (0, 1)]
        for digest in digests:
            signature = b"s%d" % me
            found += [(to, vote(view, height, digest, me, signature)) for to in others for vote in (Prepare, Commit)]
        return found

    def _agree(self, peers: list[Peer]) -> None:
        """Rule 2, of the world: ledgers, agreements, certificates."""
        written: dict[int, Digest] = {}
        certified: dict[tuple[int, int], Digest] = {}
        agreed: dict[int, Digest] = {}
        for peer in peers:
            for height, digest in enumerate(peer.ledger, start=1):
                if written.setdefault(height, digest) != digest:
                    self.broken["agreement"] = None
            for slot in getattr(peer.state, "slots", ()):
                cert = slot.cert
                if cert is not None and certified.setdefault((slot.height, cert.view), cert.proposal.digest) != cert.proposal.digest:
                    self.broken["certificate"] = None
                done = getattr(slot, "agreed", None) or getattr(slot, "committed", None)
                pulled = getattr(slot, "is_pulled", False)
                if done is not None and not pulled and agreed.setdefault(slot.height, done.digest) != done.digest:
                    self.broken["agreement"] = None


def _kept(records: tuple[tuple[int, Any], ...], index: int, record: Any) -> tuple[tuple[int, Any], ...]:
    """One record an index, the latest."""
    return tuple(sorted((*(entry for entry in records if entry[0] != index), (index, record)), key=lambda entry: entry[0]))


def _without_epochs(state: Any) -> Any:
    """Numbers of timers only tell old ones from new ones, and nothing old is kept here."""
    return state._replace(timer_epoch=1)


def hash_of(text: str) -> Digest:
    """The hash of whatever is written so."""
    return Digest(hashlib.sha256(text.encode()).digest())


def _block(height: Height, maker: int, view: View, *, is_filler: bool = False, twin: int = 0) -> Proposal:
    """The one block of this maker, height and view, or its twin."""
    name = f"{height}.{maker}.{view}.{int(is_filler)}.{twin}"
    return Proposal(height, hash_of(name), name.encode(), sealer=NodeIndex(maker), is_filler=is_filler)


def _signed(message: Message) -> Message:
    """As the driver signs it."""
    signature = b"s%d" % message.sender
    if isinstance(message, Prepare | Commit | CheckPoint | PrePrepare):
        return replace(message, signature=signature)
    if isinstance(message, NewView):
        entries = tuple(replace(each, signature=signature) for each in message.preprepares)
        return replace(message, preprepares=entries)
    return message
