"""One run from one number: the seed draws the chain, the network, the liars and the faults; the outcome says what was wrong.

The same seed makes the same run everywhere, so a number that once showed a bug is a regression test (tests/sim/seeds.txt).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fiscotool.pbft.properties import Violation
from fiscotool.pbft.rules import Rules
from fiscotool.sim.adversary import DoubleVote, Equivocate, Forgetful, Silent, Strategy, Withhold
from fiscotool.sim.cluster import Cluster
from fiscotool.sim.faults import Trouble, recover, torment
from fiscotool.sim.network import Weather

STRATEGIES: Final[tuple[Callable[[], Strategy], ...]] = (Silent, Withhold, Equivocate, DoubleVote, Forgetful)
"""What a Byzantine replica may be in a drawn run."""

KINDS: Final = ("mix", "crash", "system")
"""mix: crashes, partitions and up to f Byzantine replicas; crash: no Byzantine ones; system: membership weights change as well."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run showed. `text` names everything that was drawn, for a person."""

    seed: int
    kind: str
    text: str
    violations: tuple[Violation, ...]
    is_live: bool
    height: int
    step_count: int

    @property
    def is_good(self) -> bool:
        """Whether nothing was wrong."""
        return self.is_live and not self.violations

    def reproduce(self) -> str:
        """How to see it again."""
        return f"swarm.run_seed({self.seed}, {self.kind!r}): {self.text}; live={self.is_live}, violations={self.violations[:3]}"


def draw(seed: int, kind: str = "mix") -> tuple[Cluster, Trouble, str]:
    """The chain and the trouble that belong to a seed, and their description."""
    assert kind in KINDS
    rng = random.Random(seed)
    node_count = rng.choice([4, 4, 4, 5, 7])
    rules = Rules((1,) * node_count, leader_period_blocks=rng.choice([1, 1, 3]))
    strategies: dict[int, Strategy] = {}
    if kind == "mix" and rng.random() < 0.6:  # noqa: PLR2004 (share of the runs with liars)
        for index in rng.sample(range(node_count), rng.randint(1, (node_count - 1) // 3)):
            strategies[index] = rng.choice(STRATEGIES)()
    weather = Weather(1, rng.choice([10, 100, 1500]), rng.choice([0, 0, 0.05, 0.2]), rng.choice([0, 0.1]))
    liars = {index: type(strategy).__name__ for index, strategy in strategies.items()}
    text = f"n={node_count} period={rules.leader_period_blocks} {weather} Byzantine={liars}"
    cluster = Cluster(rules, seed=seed, weather=weather, strategies=strategies)
    return cluster, Trouble(system_transactions=kind == "system"), text


def run_seed(seed: int, kind: str = "mix") -> Outcome:
    """Both phases of a drawn run."""
    cluster, trouble, text = draw(seed, kind)
    cluster.start()
    torment(cluster, trouble)
    is_live = recover(cluster)
    violations = tuple(cluster.violations)
    return Outcome(seed, kind, text, violations, is_live, max(cluster.heights), cluster.step_count)
