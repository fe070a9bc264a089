"""What a simulated run is made of, drawn from one number.

Rule 1. Every choice comes from `random.Random.random()`, the one draw Python promises to keep the same in every version.
Rule 2. Features are switched on and off as a whole, then scaled: a swarm of different worlds finds more than one average world.
Rule 3. What the caller fixes is fixed; it is drawn all the same and thrown away, so that fixing one thing changes nothing else.

Source of the swarm idea: Groce et al., Swarm Testing, ISSTA 2012.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from fiscotool.pbft.quorum import faulty_weight_max, weight_of
from fiscotool.pbft.rules import Quirk, Rules, timeout_for
from fiscotool.pbft.types import NodeIndex
from fiscotool.protocols.registry import CRASH_ONLY, FIXED_MEMBERS, PROTOCOLS
from fiscotool.sim.adversary import DoubleVote, Equivocate, Forgetful, Silent, Strategy, Withhold
from fiscotool.sim.network import Weather
from fiscotool.sim.world import Pace

STRATEGIES: Final[dict[str, Callable[[], Strategy]]] = {
    "silent": Silent,
    "withhold": Withhold,
    "equivocate": Equivocate,
    "double-vote": DoubleVote,
    "forgetful": Forgetful,
}
"""What a Byzantine replica may be, by the name used on the command line."""

Item = TypeVar("Item")


def pick(rng: random.Random, items: Sequence[Item]) -> Item:
    """One of `items`."""
    assert items
    return items[int(rng.random() * len(items))]


def between(rng: random.Random, low: int, high: int) -> int:
    """A whole number from `low` to `high`, both included."""
    assert low <= high
    return low + int(rng.random() * (high - low + 1))


def shuffled(rng: random.Random, items: Sequence[Item]) -> list[Item]:
    """`items` in a random order."""
    return [item for _, _, item in sorted((rng.random(), place, item) for place, item in enumerate(items))]


@dataclass(frozen=True, slots=True)
class Settings:
    """A world. Times are ticks (milliseconds of virtual time), probabilities are per message and receiver.

    `byzantine` pairs an index with a strategy; `dead` are correct replicas that crash for good when the safety phase ends, so that
    only a quorum is left to converge. `ticks` is the length of the safety phase, `action_ticks` the mean time between two actions.
    """

    seed: int
    dialect: str = "fisco3"
    weights: tuple[int, ...] = (1, 1, 1, 1)
    leader_period_blocks: int = 1
    delay_ticks_max: int = 10
    loss_probability: float = 0.0
    duplicate_probability: float = 0.0
    byzantine: tuple[tuple[int, str], ...] = ()
    dead: tuple[int, ...] = ()
    quirks: tuple[str, ...] = ()
    ticks: int = 20_000
    action_ticks: int = 1_000
    crashes: bool = True
    partitions: bool = True
    weather_changes: bool = False
    weight_changes: bool = False
    seal_ticks: int = 50
    execute_ticks: int = 2

    @property
    def rules(self) -> Rules:
        """What the replicas are told."""
        quirks = frozenset(Quirk(name) for name in self.quirks)
        timeout = timeout_for(self.seal_ticks, quirks)
        return Rules(self.weights, leader_period_blocks=self.leader_period_blocks, timeout_base_ticks=timeout, quirks=quirks)

    @property
    def weather(self) -> Weather:
        """The network at the beginning."""
        return Weather(1, self.delay_ticks_max, self.loss_probability, self.duplicate_probability)

    @property
    def pace(self) -> Pace:
        """How long a replica's own work takes."""
        return Pace(seal_ticks=self.seal_ticks, execute_ticks=self.execute_ticks)

    def describe(self) -> str:
        """One line for a person."""
        n = len(self.weights)
        weights = "" if set(self.weights) == {1} else f" weights={','.join(map(str, self.weights))}"
        liars = ",".join(f"{index}:{name}" for index, name in self.byzantine) or "none"
        features = ("crashes", "partitions", "weather_changes", "weight_changes")
        on = ",".join(name.replace("_", "-") for name in features if getattr(self, name)) or "none"
        return (
            f"{self.dialect} n={n}{weights} period={self.leader_period_blocks} delay<={self.delay_ticks_max} loss={self.loss_probability} "
            f"dup={self.duplicate_probability} byzantine={liars} dead={','.join(map(str, self.dead)) or 'none'} "
            f"quirks={','.join(self.quirks) or 'none'} faults={on} ticks={self.ticks} every={self.action_ticks} "
            f"seal={self.seal_ticks} execute={self.execute_ticks}"
        )


def draw_settings(seed: int, **fixed: Any) -> Settings:
    """The world of `seed`; `fixed` are fields of `Settings` that the caller decides, and `node_count`."""
    rng = random.Random(seed)
    node_count = pick(rng, (4, 4, 4, 5, 7))
    node_count = fixed.pop("node_count", None) or (len(fixed["weights"]) if "weights" in fixed else node_count)
    settings = Settings(
        seed=seed,
        weights=(1,) * node_count,
        leader_period_blocks=pick(rng, (1, 1, 1, 3)),
        delay_ticks_max=pick(rng, (2, 10, 100, 1_000)),
        loss_probability=pick(rng, (0.0, 0.0, 0.02, 0.2)),
        duplicate_probability=pick(rng, (0.0, 0.1)),
        action_ticks=pick(rng, (300, 1_000, 3_000)),
        crashes=rng.random() < 0.6,  # noqa: PLR2004 (shares of the worlds)
        partitions=rng.random() < 0.6,  # noqa: PLR2004
        weather_changes=rng.random() < 0.2,  # noqa: PLR2004
        seal_ticks=pick(rng, (20, 50, 500)),
        execute_ticks=pick(rng, (1, 2, 40, 400)),
    )
    order, names = shuffled(rng, range(node_count)), [pick(rng, tuple(STRATEGIES)) for _ in range(node_count)]
    liars, spare = between(rng, 0, faulty_weight_max(node_count)), rng.random()
    settings = replace(settings, byzantine=tuple(sorted((index, names[index]) for index in order[:liars])))
    settings = replace(settings, **fixed)
    if settings.dialect in CRASH_ONLY and "byzantine" not in fixed:
        settings = replace(settings, byzantine=())
    if "dead" not in fixed:
        settings = replace(settings, dead=_dead(settings, order, spare))
    return settings


def _dead(settings: Settings, order: Sequence[int], spare: float) -> tuple[int, ...]:
    """Replicas that stay down while the rest must converge: no more weight than may be faulty, liars included."""
    lying = weight_of((NodeIndex(index) for index, _ in settings.byzantine), settings.weights)
    may_fail = faulty_weight_max(sum(settings.weights)) - lying
    if spare >= 0.25 or settings.weight_changes or not settings.crashes:  # noqa: PLR2004 (share of the worlds)
        return ()
    liars = {index for index, _ in settings.byzantine}
    found: list[int] = []
    for index in order:
        if index not in liars and settings.weights[index] <= may_fail:
            may_fail -= settings.weights[index]
            found.append(index)
    return tuple(sorted(found))


def problems_of(settings: Settings) -> str | None:
    """Why these settings make no world, in a sentence; None when they do."""
    n = len(settings.weights)
    if settings.dialect not in PROTOCOLS:
        return f"no dialect {settings.dialect!r}; there are {', '.join(PROTOCOLS)}"
    if n < 1 or min(settings.weights) < 1:
        return "a group has at least one sealer, and every sealer a weight of at least 1"
    known = {quirk.value for quirk in Quirk}
    for name in settings.quirks:
        if name not in known:
            return f"no quirk {name!r}; there are {', '.join(sorted(known))}"
    for index, name in settings.byzantine:
        if not 0 <= index < n or name not in STRATEGIES:
            return f"no Byzantine replica {index}:{name}; indexes go to {n - 1}, strategies are {', '.join(STRATEGIES)}"
    if settings.dialect in FIXED_MEMBERS and settings.weight_changes:
        return f"the members of {settings.dialect} never change"
    if settings.ticks < 1 or settings.action_ticks < 1:
        return "the run lasts at least one tick"
    return None
