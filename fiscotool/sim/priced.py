"""A chain in virtual time in which work and bandwidth cost: the world in which protocols are measured.

Rule 1. A tick is a millisecond, times between ticks are fractions. What arrives waits for the replica's one core, then for its
        signatures to be verified, then it is a step. What leaves is signed first, then waits for the link; a broadcast is n-1 messages on
        the link. Two messages of one sender to one receiver stay in order, as TCP keeps them.
Rule 2. Everyone has the same transactions; a replica that may propose gets a full block at once. Empty nodes of HotStuff are empty.
Rule 3. A crash is silent: no one is told, only timers find out.
Rule 4. Everything is a function of the seed, the prices and the calls.

`cluster.Cluster` is the world for faults; this one is for costs and knows none but crashes and kinds of messages that are lost.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from fiscotool.pbft import effects as do
from fiscotool.pbft import events as ev
from fiscotool.pbft.dialects import Dialect
from fiscotool.pbft.messages import Message
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.types import Height, NodeIndex
from fiscotool.protocols.hotstuff.messages import Certificate
from fiscotool.sim import chain, workplace
from fiscotool.sim.prices import PAIRINGS, Bill, Item, Prices, certificates_in, kind_of, sign_s, signatures_in, size_bytes
from fiscotool.sim.replica import Block, Replica
from fiscotool.sim.world import Pace

TICKS_A_SECOND: Final = 1_000


class Packet(NamedTuple):
    """A message under way, with what receiving it takes: signatures and seconds to verify them, and certificates."""

    event: ev.Received
    item: Item
    signatures: int
    verify_s: float
    certificates: tuple[Certificate, ...]


class PricedWorld:
    """`rules.node_count` replicas of one protocol. `bill` may be replaced to start counting anew."""

    def __init__(self, dialect: Dialect, rules: Rules, prices: Prices, *, seed: int = 1) -> None:
        self.rng = random.Random(seed)
        self.pace = Pace(seal_ticks=0, verify_ticks=0, execute_ticks=0, commit_ticks=0)
        self.prices = prices
        self.dialect = dialect
        self.now = 0.0
        self.replicas = [Replica(NodeIndex(i), rules, dialect) for i in range(rules.node_count)]
        self.bill = Bill()
        self.lost: tuple[str, ...] = ()
        self.is_loaded = False
        self.written: dict[int, list[float]] = {}
        self.proposed: dict[int, float] = {}
        self.steps = 0
        self._waiting: list[str] = []
        self._number = 0
        self._queue: list[tuple[float, int, Callable[[Any, Any], None], Any, Any]] = []
        self._order = 0
        self._has_moved = True
        self._core_free = [0.0] * rules.node_count
        self._link_free = [0.0] * rules.node_count
        self._latest = [[0.0] * rules.node_count for _ in range(rules.node_count)]
        self._seen: list[set[tuple[int, bytes]]] = [set() for _ in range(rules.node_count)]

    # Time

    def schedule(self, ticks: float, function: Callable[[Any, Any], None], first: Any, second: Any) -> None:
        """Do `function(first, second)` in `ticks` ticks."""
        self._at(self.now + ticks, function, first, second)

    def after(self, ticks: int, action: Callable[[], None]) -> None:
        """Do `action` in `ticks` ticks."""
        self._at(self.now + ticks, _call, action, None)

    def _at(self, time: float, function: Callable[[Any, Any], None], first: Any, second: Any) -> None:
        self._order += 1
        heapq.heappush(self._queue, (time, self._order, function, first, second))

    def run(self, until: Callable[[], bool], *, ticks_max: float) -> bool:
        """Let time pass until a condition holds; False when it does not within `ticks_max`.

        The condition is looked at whenever a replica did something; most steps only count a vote.
        """
        end = self.now + ticks_max
        queue = self._queue
        self._has_moved = True
        while True:
            if self._has_moved:
                self._has_moved = False
                if until():
                    return True
            if not queue or queue[0][0] > end:
                self.now = end
                return until()
            self.now, _, function, first, second = heapq.heappop(queue)
            function(first, second)

    # What a measurement does

    def start(self) -> None:
        """Start all; they know each other at once."""
        everyone = frozenset(replica.index for replica in self.replicas)
        for replica in self.replicas:
            replica.boot()
            self.post(replica, ev.Started())
            self.post(replica, ev.PeersChanged(everyone - {replica.index}, frozenset()))

    def crash(self, index: int) -> None:
        """The power is cut (rule 3)."""
        self.replicas[index].life += 1
        self.replicas[index].crash()

    def submit(self) -> None:
        """One full block's worth of transactions everywhere."""
        self._number += 1
        self._waiting.append(f"t{self._number}")
        self._tell(1)

    def load(self) -> None:
        """From now on there are always transactions."""
        self.is_loaded = True
        self._tell(1)

    def rest(self) -> None:
        """The pool is empty again, as it becomes some time after a block."""
        self._tell(0)

    def _tell(self, count: int) -> None:
        for replica in self.replicas:
            self.post(replica, ev.PoolSize(count))
            self._seal(replica)

    # The surroundings of a replica: used by `workplace`

    def post(self, replica: Replica, event: ev.Event, ticks: int = 0) -> None:
        """Give a replica an event later, if it still lives this life then."""
        self._at(self.now + ticks, self._deliver, (replica, replica.life), event)

    def is_reachable(self, sender: int, receiver: int) -> bool:
        """Whether both are up."""
        return self.replicas[sender].is_up and self.replicas[receiver].is_up

    def commit(self, replica: Replica, block: Block, *, by_sync: bool) -> None:
        """A block is in a replica's ledger."""
        replica.append(block)
        self._has_moved = True
        if not block.proposal.is_filler:
            self.written.setdefault(replica.height, []).append(self.now)
        self.post(replica, ev.LedgerAdvanced(Height(replica.height), block.block_hash, replica.rules, replica.me, by_sync))

    def _deliver(self, address: tuple[Replica, int], event: ev.Event) -> None:
        replica, life = address
        if replica.state is not None and replica.life == life:
            self._step(replica, event)

    def _arrive(self, replica: Replica, packet: Packet) -> None:
        if replica.state is None:
            return
        now, index = self.now, replica.index
        free = self._core_free[index]
        cost_s = packet.verify_s
        packet.item.verified += packet.signatures
        if packet.certificates:
            cost_s += self._verify_certificates(index, packet.certificates)
        if not cost_s and free <= now:
            self._step(replica, packet.event)
            return
        done = max(free, now) + cost_s * TICKS_A_SECOND
        self._core_free[index] = done
        self._at(done, self._received, replica, packet.event)

    def _received(self, replica: Replica, event: ev.Received) -> None:
        if replica.state is not None:
            self._step(replica, event)

    def _verify_certificates(self, index: int, certificates: tuple[Certificate, ...]) -> float:
        """Seconds for those that this replica has not verified before."""
        cost_s = 0.0
        for certificate in certificates:
            name = (certificate.view, certificate.digest)
            if certificate.signers and name not in self._seen[index]:
                self._seen[index].add(name)
                self.bill.pairings += PAIRINGS
                cost_s += self.prices.bls_verify_s
        return cost_s

    def _step(self, replica: Replica, event: ev.Event) -> None:
        before = replica.state
        self.steps += 1
        replica.state, effects = self.dialect.step(before, event)
        high = getattr(replica.state, "high", None)
        if high is not None and high is not before.high and (high.view, high.digest) not in self._seen[replica.index]:
            self._aggregate(replica.index, high.view, high.digest, len(high.signers))
        if effects:
            self._has_moved = True
            for effect in effects:
                self._apply(replica, effect)

    def _aggregate(self, index: int, view: int, digest: bytes, shares: int) -> None:
        """A replica made a certificate itself: it adds the shares up and verifies the sum."""
        self._seen[index].add((view, digest))
        self.bill.aggregated += shares
        self.bill.pairings += PAIRINGS
        cost_s = shares * self.prices.bls_add_s + self.prices.bls_verify_s
        self._core_free[index] = max(self.now, self._core_free[index]) + cost_s * TICKS_A_SECOND

    def _apply(self, replica: Replica, effect: do.Effect) -> None:
        if isinstance(effect, do.Broadcast):
            self._send(replica, effect.message, [peer for peer in self.replicas if peer is not replica], is_heard=True)
        elif isinstance(effect, do.Send):
            is_own = effect.to == replica.index
            self._send(replica, effect.message, [] if is_own else [self.replicas[effect.to]], is_heard=is_own)
        elif isinstance(effect, do.SealRange):
            replica.range = (effect.first, effect.last, effect.view)
            self._seal(replica)
        elif isinstance(effect, do.ReleaseTransactions):
            self._release(effect)
        elif isinstance(effect, do.Persist | do.Remember):
            pass  # Nothing restarts here; writing is free for all.
        else:
            workplace.apply(self, replica, effect)

    def _send(self, replica: Replica, message: Message, receivers: list[Replica], *, is_heard: bool) -> None:
        index, prices, bill = replica.index, self.prices, self.bill
        signed = chain.sign(message, replica.rules)
        cost_s, count = sign_s(signed, prices)
        bill.signed += count
        leaves = max(self.now, self._core_free[index]) + cost_s * TICKS_A_SECOND
        if cost_s:
            self._core_free[index] = leaves
        event = ev.Received(signed)
        if is_heard:
            self._at(leaves, self._received, replica, event)
        kind = kind_of(message)
        size = size_bytes(signed, prices, len(self.replicas))
        item = bill.item(kind)
        item.messages += len(receivers)
        item.size_bytes += size * len(receivers)
        if kind in self.lost:
            return
        signatures = signatures_in(signed)
        packet = Packet(event, item, signatures, signatures * prices.verify_s, certificates_in(signed))
        each = size / prices.bandwidth_bytes_s * TICKS_A_SECOND
        link = max(leaves, self._link_free[index])
        low, spread = prices.delay_low_s * TICKS_A_SECOND, (prices.delay_high_s - prices.delay_low_s) * TICKS_A_SECOND
        random_of = self.rng.random
        latest = self._latest[index]
        for receiver in receivers:
            link += each
            to = receiver.index
            arrives = latest[to] = max(latest[to], link + low + (spread * random_of() if spread else 0.0))
            self._at(arrives, self._arrive, receiver, packet)
        self._link_free[index] = link

    def _seal(self, replica: Replica) -> None:
        first, last, view = replica.range
        while first <= last and replica.state is not None and replica.state.view == view and (self._waiting or self.is_loaded):
            if not self._waiting:
                self._number += 1
                self._waiting.append(f"t{self._number}")
            proposal = chain.make_proposal(Height(first), replica.index, (self._waiting.pop(0),), salt=f"v{view}")
            self.proposed.setdefault(first, self.now)
            first += 1
            replica.range = (first, last, view)
            self.post(replica, ev.Proposed(proposal))

    def _release(self, effect: do.ReleaseTransactions) -> None:
        for tx in chain.transactions_of(effect.proposal) if effect.proposal.data else ():
            if not any(tx in replica.on_chain for replica in self.replicas) and tx not in self._waiting:
                self._waiting.insert(0, tx)
        for replica in self.replicas:
            self._seal(replica)


def _call(action: Callable[[], None], _nothing: None) -> None:
    action()
