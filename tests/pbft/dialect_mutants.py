"""Planted bugs in the dialects beside fisco3: one function replaced, and the simulated worlds in which the properties must say so."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from fiscotool.sim.run import Outcome, simulate
from fiscotool.sim.settings import draw_settings

CRASHES: dict[str, Any] = {"crashes": True, "partitions": True, "byzantine": (), "dead": (), "node_count": 4, "action_ticks": 300}
"""Four replicas that crash and are cut off all the time; nobody lies."""


@dataclass(frozen=True)
class Mutant:
    """One function replaced in some modules, the property that must complain, and where."""

    name: str
    shows: str
    places: tuple[tuple[Any, str], ...]
    make: Callable[[Any], Any]
    fixed: dict[str, Any] = field(default_factory=lambda: CRASHES)
    seeds: range = range(12)


def catch(dialect: str, mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plant it; fail when no world shows it. What the core's own assertions notice counts for nothing."""
    for module, name in mutant.places:
        monkeypatch.setattr(module, name, mutant.make(getattr(module, name)))
    shown: set[str] = set()
    for seed in mutant.seeds:
        shown |= set(run(dialect, seed, mutant).rules_broken)
        if mutant.shows in shown:
            return
    pytest.fail(f"nothing noticed: {mutant.name}; shown {sorted(shown)}")


def find_nothing(dialect: str, mutants: Iterable[Mutant]) -> None:
    """The same worlds are clean without the bug."""
    worlds = {tuple(sorted(mutant.fixed.items())): mutant for mutant in mutants}
    for mutant in worlds.values():
        for seed in range(6):
            outcome = run(dialect, seed, mutant)
            assert outcome.is_good, (mutant.name, seed, outcome.rules_broken, outcome.stuck)


def run(dialect: str, seed: int, mutant: Mutant) -> Outcome:
    """One world of the mutant."""
    return simulate(draw_settings(seed, dialect=dialect, ticks=15_000, **mutant.fixed))
