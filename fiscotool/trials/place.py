"""Where a simulated world happens, and what is said of it afterwards."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from fiscotool.mutants.mutant import Mutant
from fiscotool.mutants.plant import SIGNED_DIFFERENTLY, mutated
from fiscotool.pbft.dialects import DIALECTS, Dialect
from fiscotool.pbft.rules import Quirk, Rules
from fiscotool.sim.cluster import Cluster


@dataclass(frozen=True, slots=True)
class Place:
    """Where a world happens: the dialect, the mutant in it, and in which replicas. `make` makes the cluster, perhaps with an observer."""

    dialect: Dialect
    quirks: frozenset[Quirk] = frozenset()
    make: Callable[..., Cluster] = Cluster

    def rules(self, weights: tuple[int, ...] = (1, 1, 1, 1), **more: Any) -> Rules:
        """Rules of a group."""
        return Rules(weights, quirks=self.quirks, **more)


def place_of(dialect: str, mutant: Mutant | None = None, replicas: Collection[int] | None = None) -> Place:
    """The place with the mutant in all replicas, or in these."""
    quirks = frozenset({mutant.switch} & SIGNED_DIFFERENTLY) if mutant is not None and mutant.switch is not None else frozenset()
    return Place(mutated(DIALECTS[dialect], mutant, replicas), quirks)


def complaints(cluster: Cluster, *, is_live: bool) -> tuple[str, ...]:
    """The properties that do not hold, by name."""
    names = dict.fromkeys(violation.rule for violation in cluster.violations)
    stall = None if is_live else cluster.dialect.known_stall([replica.state for replica in cluster.replicas])
    return (*names, *(() if is_live or stall else ("liveness",)))
