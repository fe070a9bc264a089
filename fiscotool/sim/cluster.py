"""A whole chain in one thread and virtual time: replicas, their world, and the properties checked at every step.

Rule 1. Everything is decided by the seed and the calls; two clusters made and used alike do the same.
Rule 2. A tick is a millisecond of virtual time. Pool sizes are told every 100, peers and synchronisation looked at every 200
        (spec 1.10, 1.16). A started process meets its peers `CONNECT_TICKS` later (spec 1.14).
Rule 3. Every step of a correct replica is shown to `history` (`properties.History`, or None to judge nothing); what it violates is kept
        in `violations`.
Rule 4. Only authentic messages are delivered (`chain.is_authentic`), as the embedded node's driver does it. What a correct replica
        signs is authentic by construction, so only what leaves through a lying strategy is looked at.

`listeners` see every step (node, event, state before, state after, effects); the transcripts are made that way.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any, Final

from fiscotool.pbft import effects as do
from fiscotool.pbft import events as ev
from fiscotool.pbft.dialects import FISCO3, Dialect, History
from fiscotool.pbft.making import make_ledger_advanced, make_received
from fiscotool.pbft.messages import Message
from fiscotool.pbft.properties import Violation
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.types import Height, NodeIndex
from fiscotool.sim import chain, workplace
from fiscotool.sim.adversary import Honest, Strategy
from fiscotool.sim.clock import Clock
from fiscotool.sim.eventlog import EventLog
from fiscotool.sim.network import Network, Weather
from fiscotool.sim.replica import Block, Replica
from fiscotool.sim.world import Pace

CONNECT_TICKS: Final = 100
"""How long after its process starts a replica's network is up; what it sends before is lost (spec 1.14)."""

STEPS_MAX: Final = 3_000_000
"""Steps after which a run is called a storm: messages that beget messages without end would keep it from finishing."""

HONEST: Final = Honest()
"""What a correct replica does with its messages: sends them. A test may put a lossy wire in `Cluster.honest`."""

Listener = Callable[[str, ev.Event, Any, Any, tuple[do.Effect, ...]], None]
"""Told of every step of every replica; the states are of the dialect's own type."""


class Cluster(Clock):
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
        dialect: Dialect = FISCO3,
        log: EventLog | None = None,
    ) -> None:
        super().__init__()
        self.rng = random.Random(seed)
        self.pace = pace or Pace()
        self.network = Network(weather or Weather(), self.rng)
        self.dialect = dialect
        self.replicas = [Replica(NodeIndex(i), rules, dialect) for i in range(replica_count or rules.node_count)]
        self.strategies = strategies or {}
        self.honest: Strategy = HONEST
        self._core = dialect.step
        self.history: History | None = dialect.new_history()
        self.violations: list[Violation] = []
        self.listeners: list[Listener] = []
        self.log = log
        self.tap: Callable[[Message, int], None] | None = None
        self.message_counts: dict[str, int] = {}
        self.step_count = 0
        self.steps_max = STEPS_MAX
        self.effects_until_crash: dict[int, int] = {}
        self._names = [f"node{i}" for i in range(len(self.replicas))]

    # What a test does to the world

    def start(self, indices: Iterable[int] | None = None) -> None:
        """Start processes; they meet their peers 100 ticks later, as upstream's network comes up after its consensus."""
        for index in range(len(self.replicas)) if indices is None else indices:
            replica = self.replicas[index]
            if replica.is_up:
                continue
            replica.boot()
            replica.connects_at = self.now + CONNECT_TICKS
            self._note(index, f"start life={replica.life}")
            self.post(replica, ev.Started())
            self.schedule(CONNECT_TICKS, self._look_around, replica, replica.life)
            self.schedule(CONNECT_TICKS, self._tell_pool, replica, replica.life)

    def crash(self, index: int) -> None:
        """Kill -9."""
        self._note(index, "crash")
        self.replicas[index].crash()
        self.effects_until_crash.pop(index, None)

    def submit(self, *txs: str) -> None:
        """Transactions reach every replica that is up."""
        for replica in self.replicas:
            if replica.is_up:
                replica.admit(txs)
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
        if receiver >= len(self.replicas):
            return False  # A sealer that does not exist, in whose name somebody lied.
        one, other, now = self.replicas[sender], self.replicas[receiver], self.now
        if one.state is None or other.state is None or one.connects_at > now or other.connects_at > now:
            return False
        return self.network.is_open(sender, receiver)

    def post(self, replica: Replica, event: ev.Event, ticks: int = 0) -> None:
        """Give a replica an event later, if it still lives this life then."""
        self.schedule(ticks, self._deliver, (replica, replica.life), event)

    def transmit(self, sender: int, receiver: int, message: Message) -> None:
        """Put a signed message on the network."""
        kind = type(message).__name__
        self.message_counts[kind] = self.message_counts.get(kind, 0) + 1
        if self.tap is not None:
            self.tap(message, 1)
        if not self.is_reachable(sender, receiver):
            return
        arrive = self._arrive_from_liar if sender in self.strategies else self._arrive
        for delay in self.network.arrivals(sender, receiver):
            self.schedule(delay, arrive, self.replicas[receiver], message)

    def _multicast(self, replica: Replica, message: Message, event: ev.Event) -> None:
        """`transmit` to all other sealers, looking only once at what is the same for all; `event` is its arrival."""
        sender, now, count = replica.index, self.now, replica.rules.node_count
        kind = type(message).__name__
        copies = count - (1 if sender < count else 0)
        self.message_counts[kind] = self.message_counts.get(kind, 0) + copies
        if self.tap is not None:
            self.tap(message, copies)
        if replica.state is None or replica.connects_at > now:
            return
        there = [each for each in self.replicas[:count] if each is not replica and each.state is not None and each.connects_at <= now]
        arrive, all_jobs = self._hear, self._jobs
        for receiver, delay in self.network.spread(sender, there):
            jobs = all_jobs.get(now + delay)
            if jobs is None:
                self.schedule(delay, arrive, receiver, event)
            else:
                jobs.append((arrive, receiver, event))

    def _deliver(self, address: tuple[Replica, int], event: ev.Event) -> None:
        replica, life = address
        if replica.state is not None and replica.life == life:
            self._step(replica, event)

    def _hear(self, replica: Replica, event: ev.Event) -> None:
        if replica.state is not None:
            self._step(replica, event)

    def _arrive(self, replica: Replica, message: Message) -> None:
        self._hear(replica, make_received(message))

    def _arrive_from_liar(self, replica: Replica, message: Message) -> None:
        if chain.is_authentic(message, replica.rules):
            self._arrive(replica, message)

    def _look_around(self, replica: Replica, life: int) -> None:
        if replica.life == life and replica.state is not None:
            workplace.look_around(self, replica)
            self.schedule(workplace.LOOK_TICKS, self._look_around, replica, life)

    def _tell_pool(self, replica: Replica, life: int) -> None:
        if replica.life == life and replica.state is not None:
            workplace.tell_pool(self, replica)
            self.schedule(workplace.POOL_TICKS, self._tell_pool, replica, life)

    def _is_storm(self) -> bool:
        if self.step_count > self.steps_max:
            self.violations.append(Violation("storm", "", Height(max(self.heights)), f"{self.step_count} steps until tick {self.now}"))
            return True
        return False

    def _note(self, index: int, text: str) -> None:
        if self.log is not None:
            self.log.note(self.now, index, text)

    def _step(self, replica: Replica, event: ev.Event) -> None:
        before = replica.state
        after, effects = self._core(before, event)
        replica.state = after
        self.step_count += 1
        index, done = replica.index, effects
        if after is before and not effects:
            if not self.listeners:
                return
        else:
            if effects and self.effects_until_crash:
                # A crash may fall between two effects; what comes after it never happened.
                done = effects[: self.effects_until_crash.get(index, len(effects))]
            if self.history is not None and index not in self.strategies:
                self.violations += self.history.check(self._names[index], before, event, after, effects, done=len(done))
            if self.log is not None:
                self.log.step(self.now, index, event, done)
        for listener in self.listeners:
            listener(self._names[index], event, before, after, done)
        for effect in done:
            doing = DOING.get(type(effect))
            if doing is not None:
                doing(self, replica, effect)
        if self.effects_until_crash and index in self.effects_until_crash:
            self.effects_until_crash[index] -= len(done)
            if len(done) < len(effects):
                self.crash(index)

    def _broadcast(self, replica: Replica, effect: do.Broadcast) -> None:
        signed = chain.sign(effect.message, replica.rules)
        event = make_received(signed)
        self.post(replica, event)
        strategy = self.strategies.get(replica.index, self.honest)
        if strategy is HONEST:
            self._multicast(replica, signed, event)
        else:
            for to, sent in strategy.broadcast(self, replica, signed):
                self.transmit(replica.index, to, sent)

    def _send(self, replica: Replica, effect: do.Send) -> None:
        strategy = self.strategies.get(replica.index, self.honest)
        signed = chain.sign(effect.message, replica.rules)
        if effect.to == replica.index:
            self.post(replica, make_received(signed))
            return
        for target, sent in strategy.send(self, replica, effect.to, signed):
            self.transmit(replica.index, target, sent)

    def _persist(self, replica: Replica, effect: do.Persist) -> None:
        record = effect.record
        if isinstance(record, do.VoteRecord):
            replica.votes[record.index] = record
        else:
            replica.executed[record.proposal.index] = record

    def _remember(self, replica: Replica, effect: do.Remember) -> None:
        replica.stand = effect.record

    def commit(self, replica: Replica, block: Block, *, by_sync: bool) -> None:
        """Write a block to a replica's ledger and tell its core."""
        replica.append(block)
        self.post(replica, make_ledger_advanced(Height(replica.height), block.block_hash, replica.rules, replica.me, by_sync))


DOING: Final[dict[type, Callable[[Any, Replica, Any], None]]] = {
    **workplace.DOING,
    do.Broadcast: Cluster._broadcast,  # noqa: SLF001 (the table of this class)
    do.Send: Cluster._send,  # noqa: SLF001
    do.Persist: Cluster._persist,  # noqa: SLF001
    do.Remember: Cluster._remember,  # noqa: SLF001
}
"""What happens for each effect; nothing for a Reject."""
