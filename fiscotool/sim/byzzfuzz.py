"""Round-based fuzzing: c rounds in which the network splits and d in which one replica lies, for every (c, d) of a grid.

A round is all messages of one kind, height and view; rounds are numbered as they first appear. A plan names, for some rounds, into which
parts the network falls for the messages of that round, and for some, to whom the Byzantine replica sends a mutated message instead. So
few faults, placed by structure and not by time, reach deep: a plan of (1, 1) may split exactly the Commits of a view.

After `rounds` rounds the faults are over, and a core of correct replicas must converge (the liveness phase of `sim.faults`).

    agreement   a property of the dialect's History was broken
    validity    a block holds what no client submitted, or is not what its header says
    liveness    the core did not converge, and the states show no standstill the protocol is known for

Source: Winter et al., Randomized Testing of Byzantine Fault Tolerant Algorithms, OOPSLA 2023.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from fiscotool.pbft.dialects import Dialect
from fiscotool.pbft.messages import CheckPoint, Commit, Message, NewView, Prepare, PrePrepare, ViewChange
from fiscotool.pbft.rules import Quirk, Rules
from fiscotool.pbft.types import Digest
from fiscotool.sim import chain, faults
from fiscotool.sim.adversary import Honest, Sent, others
from fiscotool.sim.cluster import Cluster
from fiscotool.sim.mutations import SCOPES, mutate
from fiscotool.sim.network import Weather
from fiscotool.sim.replica import Replica
from fiscotool.sim.settings import between, pick
from fiscotool.sim.world import Pace, World

IN_ROUNDS: Final = (PrePrepare, Prepare, Commit, CheckPoint, ViewChange, NewView)
"""Messages that make rounds; answers and requests belong to the round that is on."""

WARM_TICKS: Final = 30_000
FAULTY_TICKS: Final = 40_000
STEP_TICKS: Final = 100


@dataclass(frozen=True, slots=True)
class Lie:
    """In `round`, these receivers get a mutation of what the liar would send; `draw` chooses which (`mutations.mutate`)."""

    round: int
    receivers: tuple[int, ...]
    draw: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The faults of one schedule. `cuts` pairs a round with the part of each replica."""

    seed: int
    liar: int
    cuts: tuple[tuple[int, tuple[int, ...]], ...]
    lies: tuple[Lie, ...]

    def lines(self) -> list[str]:
        """For people."""
        cuts = [f"round {number}: parts {' '.join(map(str, parts))}" for number, parts in self.cuts]
        lies = [f"round {lie.round}: node{self.liar} to {list(lie.receivers)}, draw {lie.draw}" for lie in self.lies]
        return [f"seed {self.seed}, node{self.liar} lies", *cuts, *lies]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a schedule showed: names of what was broken, and the first detail."""

    plan: Plan
    broken: tuple[str, ...]
    detail: str
    known_stall: str = ""
    rounds: int = 0
    told: tuple[str, ...] = ()
    """The lies that were told: round, kind of message, mutation."""


@dataclass(slots=True)
class Cell:
    """All schedules of one (c, d). `first` is the first that showed something wrong."""

    network: int
    process: int
    schedules: int = 0
    agreement: int = 0
    validity: int = 0
    liveness: int = 0
    known_stalls: int = 0
    rounds: int = 0
    first: Verdict | None = None


def draw_plan(seed: int, *, nodes: int, rounds: int, network: int, process: int, scope: str) -> Plan:
    """A plan of `network` cuts and `process` lies, all drawn evenly."""
    rng = random.Random(f"{seed}/{network}/{process}/{scope}")
    assert scope in SCOPES
    cuts = tuple((between(rng, 0, rounds - 1), _parts(rng, nodes)) for _ in range(network))
    liar = between(rng, 0, nodes - 1)
    lies = []
    for _ in range(process):
        receivers = [i for i in range(nodes) if i != liar]
        share = pick(rng, (0.5, 1.0))  # Half of the lies are told to everyone.
        told = tuple(i for i in receivers if rng.random() < share) or (pick(rng, receivers),)
        lies.append(Lie(between(rng, 0, rounds - 1), told, between(rng, 0, 2**20)))
    return Plan(seed, liar, cuts, tuple(lies))


def _parts(rng: random.Random, nodes: int) -> tuple[int, ...]:
    """Into which part each replica falls; at least two parts."""
    while True:
        parts = tuple(between(rng, 0, 1 if nodes < 5 else 2) for _ in range(nodes))  # noqa: PLR2004 (three parts need more replicas)
        if len(set(parts)) > 1:
            return parts


@dataclass(slots=True)
class Wire(Honest):
    """How messages of all replicas leave while a plan is in force."""

    plan: Plan
    scope: str
    told: list[str] = field(default_factory=list)
    numbers: dict[tuple[str, int, int], int] = field(default_factory=dict)
    seen: list[Digest] = field(default_factory=list)
    is_on: bool = False

    def round_of(self, message: Message) -> int:
        """The number of its round; -1 while no rounds are counted."""
        if not self.is_on:
            return -1
        if not isinstance(message, IN_ROUNDS):
            return len(self.numbers) - 1
        return self.numbers.setdefault((type(message).__name__, message.index, message.view), len(self.numbers))

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        """To those the plan lets it reach, mutated where the plan says so."""
        del world
        return self._leave(replica, message, others(replica))

    def send(self, world: World, replica: Replica, to: int, message: Message) -> Sent:
        """Likewise."""
        del world
        return self._leave(replica, message, [to])

    def _leave(self, replica: Replica, message: Message, receivers: list[int]) -> Sent:
        number = self.round_of(message)
        if number < 0:
            return [(to, message) for to in receivers]
        digest = getattr(message, "digest", None)
        if digest and digest not in self.seen:
            self.seen.append(digest)
        for cut, parts in self.plan.cuts:
            if cut == number:
                receivers = [to for to in receivers if parts[to] == parts[replica.index]]
        sent: dict[int, Message | None] = dict.fromkeys(receivers, message)
        if replica.index == self.plan.liar:
            for lie in self.plan.lies:
                if lie.round == number:
                    name, changed = mutate(message, self.scope, lie.draw, replica, self.seen)
                    self.told.append(f"round {number}: {type(message).__name__}: {name}")
                    sent |= {to: changed for to in lie.receivers if to in sent}
        return [(to, each) for to, each in sent.items() if each is not None]


def run_plan(dialect: Dialect, plan: Plan, *, nodes: int, rounds: int, scope: str, quirks: frozenset[Quirk] = frozenset()) -> Verdict:
    """One schedule."""
    wire = Wire(plan, scope)
    liars = {plan.liar: wire} if plan.lies else {}
    rules = Rules((1,) * nodes, quirks=quirks)
    cluster = Cluster(rules, seed=plan.seed, weather=Weather(1, 5), pace=Pace(seal_ticks=20), strategies=dict(liars), dialect=dialect)
    cluster.honest = wire
    submitted = {"warm"}
    cluster.start()
    cluster.run(WARM_TICKS // 2, until=lambda: not any(_waits(replica) for replica in cluster.replicas))
    cluster.submit("warm")
    cluster.run(WARM_TICKS, until=lambda: min(cluster.heights) >= 1)
    wire.is_on = True
    end, number = cluster.now + FAULTY_TICKS, 0
    while len(wire.numbers) < rounds and cluster.now < end and not cluster.violations:
        number += 1
        submitted.add(f"t{number}")
        cluster.submit(f"t{number}")
        cluster.run(STEP_TICKS)
    reached, wire.is_on = len(wire.numbers), False
    is_live = bool(cluster.violations) or faults.recover(cluster)
    core = [replica for replica in cluster.replicas if replica.index not in cluster.strategies]
    stall = "" if is_live else cluster.dialect.known_stall([replica.state for replica in core]) or ""
    broken = {"agreement": [f"{found.rule}: {found.node}: {found.detail}" for found in cluster.violations[:1]]}
    broken["validity"] = list(_invalid(core, submitted))[:1]
    broken["liveness"] = [f"heights {cluster.heights}, views {cluster.views()}"] if not is_live and not stall else []
    found = [text for texts in broken.values() for text in texts]
    return Verdict(
        plan, tuple(name for name, texts in broken.items() if texts), found[0] if found else "", stall, reached, tuple(wire.told)
    )


def _waits(replica: Replica) -> bool:
    """Whether a replica is still looking for its first view."""
    return replica.state is None or bool(replica.state.in_timeout)


def _invalid(core: list[Replica], submitted: set[str]) -> Iterator[str]:
    """What correct ledgers hold that they must not. What `faults.recover` submits begins with `heal`.

    A transaction in two blocks is none of it: pipelined proposals of two leaders may share one, and the later execution leaves it out.
    """
    for replica in core:
        for height, block in enumerate(replica.ledger, start=1):
            if not chain.is_sound(block.proposal):
                yield f"node{replica.index}: block {height} is not what its header says"
            for tx in chain.transactions_of(block.proposal):
                if tx not in submitted and not tx.startswith("heal"):
                    yield f"node{replica.index}: block {height} holds {tx!r}, which nobody submitted"


def run_cell(
    dialect: Dialect,
    network: int,
    process: int,
    *,
    seeds: range,
    nodes: int = 4,
    rounds: int = 24,
    scope: str = "small",
    quirks: frozenset[Quirk] = frozenset(),
    stop_early: bool = False,
) -> Cell:
    """All schedules of one budget; with `stop_early` until one shows something wrong."""
    cell = Cell(network, process)
    for seed in seeds:
        plan = draw_plan(seed, nodes=nodes, rounds=rounds, network=network, process=process, scope=scope)
        verdict = run_plan(dialect, plan, nodes=nodes, rounds=rounds, scope=scope, quirks=quirks)
        cell.schedules += 1
        cell.rounds += verdict.rounds
        cell.known_stalls += bool(verdict.known_stall)
        for name in verdict.broken:
            setattr(cell, name, getattr(cell, name) + 1)
        if verdict.broken and cell.first is None:
            cell.first = verdict
            if stop_early:
                break
    return cell
