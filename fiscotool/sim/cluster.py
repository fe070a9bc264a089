"""A whole chain in one thread and virtual time: replicas, their world, and the properties checked at every step.

Rule 1. Everything is decided by the seed and the calls; two clusters made and used alike do the same.
Rule 2. A tick is a millisecond of virtual time. Pool sizes are told every 100, peers and synchronisation looked at every 200
        (spec 1.10, 1.16). A started process meets its peers `CONNECT_TICKS` later (spec 1.14).
Rule 3. Every step of a correct replica is shown to `properties.History`; what it violates is kept in `violations`.
Rule 4. Only authentic messages are delivered (`chain.is_authentic`), as the embedded node's driver does it.

`listeners` see every step (node, event, state before, state after, effects); the transcripts are made that way.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from fiscotool.pbft import effects as do
from fiscotool.pbft import events as ev
from fiscotool.pbft.messages import Message
from fiscotool.pbft.properties import History, Violation
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.state import ReplicaState
from fiscotool.pbft.step import step
from fiscotool.pbft.types import Height, NodeIndex
from fiscotool.sim import chain, workplace
from fiscotool.sim.adversary import Honest, Strategy
from fiscotool.sim.network import Network, Weather
from fiscotool.sim.replica import Block, Replica
from fiscotool.sim.world import Pace

CONNECT_TICKS: Final = 100
"""How long after its process starts a replica's network is up; what it sends before is lost (spec 1.14)."""

HONEST: Final = Honest()
"""What a correct replica does with its messages: sends them. A test may put a lossy wire in `Cluster.honest`."""

Listener = Callable[[str, ev.Event, ReplicaState, ReplicaState, tuple[do.Effect, ...]], None]
"""Told of every step of every replica."""


class Cluster:
    """`replica_count` replicas, of which the first `rules.node_count` are sealers at genesis."""

    def __init__(
        self,
        rules: Rules,
        *,
        seed: int = 0,
        weather: Weather | None = None,
        pace: Pace | None = None,
        strategies: dict[int, Strategy] | None = None,
        replica_count: int | None = None,
    ) -> None:
        self.rng = random.Random(seed)
        self.now = 0
        self.pace = pace or Pace()
        self.network = Network(weather or Weather(), self.rng)
        self.replicas = [Replica(NodeIndex(i), rules) for i in range(replica_count or rules.node_count)]
        self.strategies = strategies or {}
        self.honest: Strategy = HONEST
        self.history = History()
        self.violations: list[Violation] = []
        self.listeners: list[Listener] = []
        self.message_counts: dict[str, int] = {}
        self.step_count = 0
        self.effects_until_crash: dict[int, int] = {}
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0

    # Time

    def after(self, ticks: int, action: Callable[[], None]) -> None:
        """Do `action` in `ticks` ticks; equal times keep the order of the calls."""
        self._order += 1
        heapq.heappush(self._queue, (self.now + ticks, self._order, action))

    def run(self, ticks: int, *, until: Callable[[], bool] | None = None) -> bool:
        """Let time pass; stops early, and returns True, as soon as `until` holds."""
        end = self.now + ticks
        if until is not None and until():
            return True
        while self._queue and self._queue[0][0] <= end:
            self.now, _, action = heapq.heappop(self._queue)
            action()
            if until is not None and until():
                return True
        self.now = end
        return False

    # What a test does to the world

    def start(self, indices: Iterable[int] | None = None) -> None:
        """Start processes; they meet their peers 100 ticks later, as upstream's network comes up after its consensus."""
        for index in range(len(self.replicas)) if indices is None else indices:
            replica = self.replicas[index]
            if replica.is_up:
                continue
            replica.boot()
            replica.connects_at = self.now + CONNECT_TICKS
            self.post(replica, ev.Started())
            self.after(CONNECT_TICKS, partial(workplace.look_around, self, replica, replica.life))
            self.after(CONNECT_TICKS, partial(workplace.tell_pool, self, replica, replica.life))

    def crash(self, index: int) -> None:
        """Kill -9."""
        self.replicas[index].crash()
        self.effects_until_crash.pop(index, None)

    def submit(self, *txs: str) -> None:
        """Transactions reach every replica that is up."""
        for replica in self.replicas:
            if replica.is_up:
                replica.pool.update(dict.fromkeys(txs))
                workplace.plan_seal(self, replica)

    @property
    def heights(self) -> list[int]:
        """Ledger heights by replica."""
        return [replica.height for replica in self.replicas]

    def views(self) -> list[int | None]:
        """Views by replica, None for one that is down."""
        return [replica.state.view if replica.state is not None else None for replica in self.replicas]

    # The inside: used by `workplace`

    def is_reachable(self, sender: int, receiver: int) -> bool:
        """Whether both are up and the link between them is."""
        ends = (self.replicas[sender], self.replicas[receiver])
        return all(end.is_up and end.connects_at <= self.now for end in ends) and self.network.is_open(sender, receiver)

    def post(self, replica: Replica, event: ev.Event, ticks: int = 0) -> None:
        """Give a replica an event later, if it still lives this life then."""
        life = replica.life

        def deliver() -> None:
            if replica.is_up and replica.life == life:
                self._step(replica, event)

        self.after(ticks, deliver)

    def transmit(self, sender: int, receiver: int, message: Message) -> None:
        """Put a signed message on the network."""
        kind = type(message).__name__
        self.message_counts[kind] = self.message_counts.get(kind, 0) + 1
        if not self.is_reachable(sender, receiver):
            return
        for delay in self.network.arrivals(sender, receiver):
            self.after(delay, lambda: self._arrive(receiver, message))

    def _arrive(self, receiver: int, message: Message) -> None:
        replica = self.replicas[receiver]
        if replica.is_up and chain.is_authentic(message, replica.rules):
            self._step(replica, ev.Received(message))

    def _step(self, replica: Replica, event: ev.Event) -> None:
        before = replica.state
        assert before is not None
        after, effects = step(before, event)
        replica.state = after
        self.step_count += 1
        node = f"node{replica.index}"
        budget = self.effects_until_crash.get(replica.index, len(effects))
        done = effects[:budget]  # A crash may fall between two effects; what comes after it never happened.
        if replica.index not in self.strategies:
            self.violations += self.history.check(node, before, event, after, effects, done=len(done))
        for listener in self.listeners:
            listener(node, event, before, after, done)
        for effect in done:
            self._apply(replica, effect)
        if replica.index in self.effects_until_crash:
            self.effects_until_crash[replica.index] = budget - len(done)
            if len(done) < len(effects):
                self.crash(replica.index)

    def _apply(self, replica: Replica, effect: do.Effect) -> None:
        strategy = self.strategies.get(replica.index, self.honest)
        match effect:
            case do.Broadcast(message=message):
                signed = chain.sign(message, replica.rules)
                self.post(replica, ev.Received(signed))
                for to, sent in strategy.broadcast(self, replica, signed):
                    self.transmit(replica.index, to, sent)
            case do.Send(to=to, message=message):
                for target, sent in strategy.send(self, replica, to, chain.sign(message, replica.rules)):
                    self.transmit(replica.index, target, sent)
            case do.Persist(record=record):
                if isinstance(record, do.VoteRecord):
                    replica.votes[record.index] = record
                else:
                    replica.executed[record.proposal.index] = record
            case _:
                workplace.apply(self, replica, effect)

    def commit(self, replica: Replica, block: Block, *, by_sync: bool) -> None:
        """Write a block to a replica's ledger and tell its core."""
        replica.append(block)
        done = set(chain.transactions_of(block.proposal))
        replica.pool = {tx: None for tx in replica.pool if tx not in done}
        self.post(replica, ev.LedgerAdvanced(Height(replica.height), block.block_hash, replica.rules, replica.me, by_sync))
