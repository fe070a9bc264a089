"""What an outsider sees of a simulated chain: a poller in virtual time beside the cluster, and its recording as `Observations`.

    cluster = PolledCluster(rules, seed=7, dialect=dialect)     # used like any `Cluster`
    cluster.start(); cluster.submit("a"); cluster.run(5_000)
    judgement = judge(cluster.observations())

    judgement = judge(polled_run(draw_settings(7)))             # both phases of `sim.run`, polled

Rule 1. It tells only what RPC of the dialect's nodes would tell, and what the one who runs the chain knows: polls of every replica that
        is up, headers as each replica has them, what clients sent and got, and what was done to the chain. Never a message, a vote, a lock.
Rule 2. It only looks: no draw from the cluster's generator, no effect on a replica. The same seed gives the same recording.
Rule 3. `History` does not judge here. Where a core stops on an assertion of its own, its process ends, as a node's would, and is not
        started again by itself: polls see it fall silent, and nobody asked for it.
Rule 4. Splits, loss and long delays of the network are in the recording as faults of every replica they touch; liars are declared.

A tick is a millisecond of virtual time; second 0 of the recording is tick 0. Lines are counted, nothing is written.

Sources: docs/observer.md; spec 3.x 2.4, 2.x 8.1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from fiscotool.consistency.observations import (
    LEADER_STAYS_BLOCKS,
    FaultSeen,
    NodeIdentity,
    Observations,
    RunInfo,
)
from fiscotool.pbft import events as ev
from fiscotool.pbft.dialects import DIALECTS, FISCO3, Dialect
from fiscotool.pbft.effects import Effect
from fiscotool.pbft.messages import Message
from fiscotool.pbft.rules import Rules
from fiscotool.sim import faults
from fiscotool.sim.adversary import Honest, Sent, Strategy
from fiscotool.sim.cluster import HONEST, Cluster
from fiscotool.sim.network import Network, Weather
from fiscotool.sim.polled_reading import EPOCH_S, TICKS_A_SECOND, Reader, node_id_of
from fiscotool.sim.replica import Replica
from fiscotool.sim.schedule import Schedule, plan, play
from fiscotool.sim.settings import STRATEGIES, Settings
from fiscotool.sim.world import Pace, World

EVERY_TICKS: Final = 200
"""How often every replica is asked."""

ROUGH_DELAY_TICKS: Final = 100
"""A network that is slower than this at times is told as a fault."""


class CoreStoppedError(Exception):
    """A core's own assertion failed: the process ends."""


Lost = Callable[[int, int, Message], bool]
"""Whether the network loses a message of this sender to this receiver."""


class _LossyWire(Honest):
    """A correct replica behind a network that loses what it is told to lose."""

    def __init__(self, is_lost: Lost) -> None:
        self._is_lost = is_lost

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        """To those it is not lost to."""
        return [(to, each) for to, each in super().broadcast(world, replica, message) if not self._is_lost(replica.index, to, each)]

    def send(self, world: World, replica: Replica, to: int, message: Message) -> Sent:
        """Unless it is lost."""
        return [(to, each) for to, each in super().send(world, replica, to, message) if not self._is_lost(replica.index, to, each)]


class _Unjudged:
    """Stands where the cluster keeps what judges from inside."""

    def check(self, *_: Any, **__: Any) -> list[Any]:
        """Nothing is said."""
        return []


class _WatchedNetwork(Network):
    """The cluster's network, whose splits and weather are told."""

    def __init__(self, weather: Weather, rng: Any, tell: Callable[[frozenset[str]], None]) -> None:
        self._tell: Callable[[frozenset[str]], None] = lambda _: None
        super().__init__(weather, rng)
        self._tell = tell
        self._announce()

    def __setattr__(self, name: str, value: Any) -> None:
        """Whoever sets the weather or the split changes what is wrong with the network."""
        super().__setattr__(name, value)
        if name in {"weather", "_group_of"} and hasattr(self, "_group_of"):
            self._announce()

    def _announce(self) -> None:
        weather, found = self.weather, set()
        if self._group_of:
            found.add("cut")
        if weather.loss_probability:
            found.add("loss")
        if weather.delay_ticks_max > ROUGH_DELAY_TICKS:
            found.add("delay")
        self._tell(frozenset(found))


@dataclass(slots=True)
class _Faults:
    """What was done, by node and kind, since when."""

    done: list[FaultSeen] = field(default_factory=list)
    open: dict[tuple[str, str], FaultSeen] = field(default_factory=dict)

    def begin(self, node: str, kind: str, at_s: float, line: int) -> None:
        """It took effect."""
        if (node, kind) not in self.open:
            self.open[(node, kind)] = FaultSeen(f"{kind}-{node}-{line}", kind, node, at_s, line)

    def end(self, node: str, kind: str, at_s: float) -> None:
        """It was repaired."""
        fault = self.open.pop((node, kind), None)
        if fault is not None:
            self.done.append(replace(fault, healed_s=at_s))

    def all(self) -> tuple[FaultSeen, ...]:
        """In order of injection."""
        return tuple(sorted([*self.done, *self.open.values()], key=lambda fault: (fault.injected_s, fault.node)))


class PolledCluster(Cluster):
    """A cluster and its observer. `known_delays` are bounds (least, most) of every message's way in ticks, when the network has any."""

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
        every_ticks: int = EVERY_TICKS,
        known_delays: tuple[int, int] | None = None,
    ) -> None:
        stopping = replace(dialect, step=partial(_step_or_stop, dialect.step))
        super().__init__(rules, seed=seed, weather=weather, pace=pace, strategies=strategies, replica_count=replica_count, dialect=stopping)
        self.history = _Unjudged()
        self.every_ticks = every_ticks
        self.known_delays = known_delays
        self.reader = Reader(self)
        self.faults = _Faults()
        self.stopped: dict[int, str] = {}
        self.storm_s: float | None = None
        self.network = _WatchedNetwork(weather or Weather(), self.rng, self._network_is)
        self.listeners.append(self.reader.on_step)
        for index, replica in enumerate(self.replicas):
            # One after the other: answers of one moment would leave every moment between them without an answer.
            self.schedule(index * every_ticks // len(self.replicas), self._poll, replica, None)

    # What is done to the world, noted

    def crash(self, index: int) -> None:
        """Kill -9, on purpose."""
        if self.replicas[index].is_up:
            self.faults.begin(self._names[index], "kill", self.now_s, self.reader.line())
        super().crash(index)

    def start(self, indices: Iterable[int] | None = None) -> None:
        """Start processes that are down."""
        wanted = list(range(len(self.replicas)) if indices is None else indices)
        for index in wanted:
            if not self.replicas[index].is_up:
                self.faults.end(self._names[index], "kill", self.now_s)
        super().start(wanted)
        for index in wanted:
            self.reader.started(index)

    def submit(self, *txs: str) -> None:
        """Clients send transactions."""
        self.reader.sent(txs)
        super().submit(*txs)

    def lose(self, is_lost: Lost | None) -> None:
        """The network loses these messages of correct replicas from now on; None: no longer."""
        self.honest = HONEST if is_lost is None else _LossyWire(is_lost)
        for name in self._names:
            if is_lost is None:
                self.faults.end(name, "wire", self.now_s)
            else:
                self.faults.begin(name, "wire", self.now_s, self.reader.line())

    @property
    def now_s(self) -> float:
        """The time of the recording."""
        return self.now / TICKS_A_SECOND

    def observations(self) -> Observations:
        """The recording so far."""
        if self.storm_s is None:
            self._ask_all()
        return Observations(
            run=self._run_info(),
            samples=tuple(self.reader.samples),
            blocks=tuple(self.reader.blocks),
            txs=self.reader.transactions(),
            faults=self.faults.all(),
            ended_s=self.now_s if self.storm_s is None else self.storm_s,
        )

    # Inside

    def _ask_all(self) -> None:
        for replica in self.replicas:
            self.reader.ask(replica)

    def _poll(self, replica: Replica, _nothing: None) -> None:
        self.reader.ask(replica)
        self.schedule(self.every_ticks, self._poll, replica, None)

    def _network_is(self, wrong: frozenset[str]) -> None:
        for kind in sorted({"cut", "loss", "delay"}):
            for name in self._names:
                if kind in wrong:
                    self.faults.begin(name, kind, self.now_s, self.reader.line())
                else:
                    self.faults.end(name, kind, self.now_s)

    def _step(self, replica: Replica, event: ev.Event) -> None:
        try:
            super()._step(replica, event)
        except CoreStoppedError as problem:
            self.stopped[replica.index] = str(problem)
            super().crash(replica.index)
        if self.step_count > self.steps_max and self.storm_s is None:
            # The run ends here (`Cluster.run`), so this is the last that can be asked.
            self._ask_all()
            self.storm_s = self.now_s

    def _run_info(self) -> RunInfo:
        rules, name = self.replicas[0].genesis_rules, self.dialect.name
        liars = {index: type(strategy).__name__.lower() for index, strategy in self.strategies.items()}
        nodes = tuple(
            NodeIdentity(each, node_id_of(index), rpc_port=index + 1, byzantine=liars.get(index, ""))
            for index, each in enumerate(self._names)
        )
        return RunInfo(
            nodes,
            engine="simulated",
            leader_period_blocks=LEADER_STAYS_BLOCKS if name == "classic" else rules.leader_period_blocks,
            timeout_base_s=rules.timeout_base_ticks / TICKS_A_SECOND,
            min_seal_time_s=self.pace.seal_ticks / TICKS_A_SECOND,
            started_epoch_s=EPOCH_S,
            clock_error_s=0.0,
            generation=2 if name == "fisco2" else 3,
            protocol=name,
            delay_min_s=self.known_delays and self.known_delays[0] / TICKS_A_SECOND,
            delay_max_s=self.known_delays and self.known_delays[1] / TICKS_A_SECOND,
        )


def _step_or_stop(step: Callable[[Any, ev.Event], tuple[Any, tuple[Effect, ...]]], state: Any, event: ev.Event) -> tuple[Any, Any]:
    try:
        return step(state, event)
    except AssertionError as problem:
        raise CoreStoppedError(str(problem)) from problem


def polled_run(settings: Settings, *, dialect: Dialect | None = None, schedule: Schedule | None = None) -> Observations:
    """Both phases of `sim.run.simulate`, seen from outside. `dialect` replaces the settings' own, for instance by a mutant of it."""
    cluster = PolledCluster(
        settings.rules,
        seed=settings.seed,
        weather=settings.weather,
        pace=settings.pace,
        strategies={index: STRATEGIES[name]() for index, name in settings.byzantine},
        dialect=dialect or DIALECTS[settings.dialect],
    )
    cluster.start()
    play(cluster, plan(settings) if schedule is None else schedule, settings.ticks)
    faults.recover(cluster, dead=settings.dead)
    return cluster.observations()


def digest_of_recording(observations: Observations) -> str:
    """SHA-256 of everything in it: equal on every machine for equal seeds."""
    return hashlib.sha256(repr(observations).encode()).hexdigest()
