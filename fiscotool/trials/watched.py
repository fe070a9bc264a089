"""The mutant in simulated replicas that are only polled: judged from outside by `consistency.judge`, as an embedded or a real chain is.

The worlds are those of `worlds` and the scenes of `polled_scenes`, with an observer beside them (`sim.polled`); nobody looks inside. What
is also said of the same world without the mutant counts for nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from fiscotool.consistency.findings import Verdict as Finding
from fiscotool.consistency.judge import judge
from fiscotool.mutants.mutant import Mutant
from fiscotool.sim.polled import PolledCluster
from fiscotool.trials.place import Place, place_of
from fiscotool.trials.polled_scenes import SCENES
from fiscotool.trials.simulator import worlds_for
from fiscotool.trials.verdict import Result, Verdict
from fiscotool.trials.watched_hints import WATCHED_HINTS
from fiscotool.trials.worlds import WORLDS

METHOD: Final = "simulated polls"

SCENE_SEEDS: Final = 12
WORLD_SEEDS: Final = 4


def watched(place: Place, world: str, seed: int) -> tuple[str, ...]:
    """The invariants that polls of this world, or scene, show to be violated; in order, each once."""
    made: list[PolledCluster] = []

    def make(*arguments: Any, **more: Any) -> PolledCluster:
        made.append(PolledCluster(*arguments, **more))
        return made[-1]

    if world in SCENES:
        made.append(SCENES[world](place, seed))
    else:
        WORLDS[world](replace(place, make=make), seed)
    found = judge(made[-1].observations()).findings
    return tuple(dict.fromkeys(finding.invariant.id for finding in found if finding.verdict is Finding.VIOLATED))


def attempts(mutant: Mutant, *, scene_seeds: int = SCENE_SEEDS, world_seeds: int = WORLD_SEEDS) -> Iterator[tuple[str, int]]:
    """(world or scene, seed) in the order they are tried: where the mutant is known to show itself first."""
    if mutant.name in WATCHED_HINTS:
        yield WATCHED_HINTS[mutant.name]
    names = worlds_for(mutant)
    for seed in range(max(scene_seeds, world_seeds)):
        if seed < world_seeds:
            yield from ((name, seed) for name in names)
        if seed < scene_seeds:
            yield from ((name, seed) for name in SCENES)


def try_watching(mutant: Mutant, *, cpu_s_max: float = 10.0) -> Verdict:
    """Until something is said, the seeds are used up, or the time."""
    if mutant.wire_switch:
        return Verdict(mutant.name, METHOD, Result.NOT_APPLICABLE, ("the simulator has no wire and no synchronised bytes",))
    began_s, place, clean = time.process_time(), place_of(mutant.dialect, mutant), place_of(mutant.dialect)
    for world, seed in attempts(mutant):
        found = watched(place, world, seed)
        if found:
            alarms = watched(clean, world, seed)
            found = tuple(each for each in found if each not in alarms)
        spent_s = time.process_time() - began_s
        if found:
            return Verdict(mutant.name, METHOD, Result.KILLED, found, f"world {world}, seed {seed}", spent_s)
        if spent_s > cpu_s_max:
            break
    return Verdict(mutant.name, METHOD, Result.SURVIVED, (), f"{cpu_s_max:.0f} s of worlds", time.process_time() - began_s)


def find_nothing(dialect: str, tried: Iterable[tuple[str, int]]) -> list[str]:
    """The reverse: what polls of these worlds say of the core without a mutant. It must be nothing."""
    place = place_of(dialect)
    return [f"{world} {seed}: {', '.join(found)}" for world, seed in tried if (found := watched(place, world, seed))]
