"""The mutant in simulated replicas, judged by the properties of its dialect and by whether the chain gets on.

Every world is tried with a number of seeds, those first that are known to show the mutant (`HINTS`). The core's own assertions stop a
replica, as they would stop a node; they count as noticed only when no property says anything.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from fiscotool.mutants.mutant import Mutant
from fiscotool.sim.settings import STRATEGIES
from fiscotool.trials.hints import HINTS
from fiscotool.trials.place import Place, place_of
from fiscotool.trials.verdict import Result, Verdict
from fiscotool.trials.worlds import WORLDS

METHOD = "simulator"

HONEST_WORLDS = ("calm", "slow", "down", "restarts", "crashes", "burst", "five", "weights", "sluggish", "stumbling", "heavier", "swarm")
CORNERS = ("two_locks", "redated", "twice_asked", "old_list")


NOT_IN: Final[dict[str, tuple[str, ...]]] = {"fisco3": (), "fisco2": ("heavier", "stumbling"), "classic": ("heavier", "weights")}
"""Worlds that make no sense in a dialect: members of classic never change, and 2.x makes another block where one could not be executed."""


def worlds_for(mutant: Mutant) -> tuple[str, ...]:
    """The worlds worth trying, likely ones first."""
    fisco3 = mutant.dialect == "fisco3"
    liars = tuple(name for name in WORLDS if name not in (*HONEST_WORLDS, *CORNERS) and (fisco3 or name in STRATEGIES))
    honest = tuple(name for name in HONEST_WORLDS if name not in NOT_IN[mutant.dialect])
    honest = (*honest, *CORNERS) if fisco3 else honest
    return (*liars, *honest) if mutant.needs_byzantine else (*honest, *liars)


def attempts(mutant: Mutant, seeds: int) -> Iterator[tuple[str, int]]:
    """(world, seed) in the order they are tried."""
    hint = HINTS.get(mutant.name)
    if hint is not None:
        yield hint.world, hint.seed
    for low in range(0, seeds, 4):
        for world in worlds_for(mutant):
            yield from ((world, seed) for seed in range(low, min(low + (1 if world in {"calm", "slow", "down", "restarts"} else 4), seeds)))


def try_simulator(mutant: Mutant, *, seeds: int = 40, cpu_s_max: float = 30.0, replicas: Collection[int] | None = None) -> Verdict:
    """Simulate until something complains, the seeds are used up, or the time."""
    if mutant.wire_switch:
        return Verdict(mutant.name, METHOD, Result.NOT_APPLICABLE, ("the simulator has no wire and no synchronised bytes",))
    began = time.process_time()
    place = place_of(mutant.dialect, mutant, replicas)
    asserted = ""
    for world, seed in attempts(mutant, seeds):
        try:
            found = WORLDS[world](place, seed)
        except AssertionError as problem:
            asserted = asserted or f"{world} {seed}: {problem}"
            found = ()
        spent = time.process_time() - began
        if found:
            return Verdict(mutant.name, METHOD, Result.KILLED, found, f"world {world}, seed {seed}", spent)
        if spent > cpu_s_max:
            break
    spent = time.process_time() - began
    if asserted:
        return Verdict(mutant.name, METHOD, Result.KILLED, ("assertion",), asserted.strip(": "), spent)
    return Verdict(mutant.name, METHOD, Result.SURVIVED, (), f"{seeds} seeds or {cpu_s_max:.0f} s", spent)


def find_nothing(dialect: str, tried: Iterable[tuple[str, int]]) -> list[str]:
    """The reverse: what these worlds say of the core without a mutant. It must be nothing."""
    place: Place = place_of(dialect)
    return [f"{world} {seed}: {', '.join(found)}" for world, seed in tried if (found := WORLDS[world](place, seed))]
