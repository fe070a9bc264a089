"""The mutant in simulated replicas that are only polled: judged from outside by `consistency.judge`, as an embedded or a real chain is.

The scenes are those of `polled_scenes`, with an observer beside them (`sim.polled`); nobody looks inside. What is also said of the same
scene without the mutant counts for nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Final

from fiscotool.consistency.findings import Verdict as Finding
from fiscotool.consistency.judge import judge
from fiscotool.mutants.mutant import Mutant
from fiscotool.trials.place import Place, place_of
from fiscotool.trials.polled_scenes import SCENES
from fiscotool.trials.simulator import worlds_for
from fiscotool.trials.verdict import Result, Verdict
from fiscotool.trials.watched_hints import WATCHED_HINTS

METHOD: Final = "simulated polls"

SEEDS: Final = 6
OF_WORLDS: Final = "world:"
"""How scenes that are worlds of `worlds` begin."""


def watched(place: Place, scene: str, seed: int) -> tuple[str, ...]:
    """The invariants that polls of this scene show to be violated; in order, each once."""
    found = judge(SCENES[scene](place, seed).observations()).findings
    return tuple(dict.fromkeys(finding.invariant.id for finding in found if finding.verdict is Finding.VIOLATED))


def attempts(mutant: Mutant) -> Iterator[tuple[str, int]]:
    """(scene, seed) in the order they are tried: where the mutant is known to show itself first."""
    if mutant.name in WATCHED_HINTS:
        yield WATCHED_HINTS[mutant.name]
    own = [name for name in SCENES if not name.startswith(OF_WORLDS)]
    known = [name for world in worlds_for(mutant) if (name := f"{OF_WORLDS}{world}") in SCENES]
    for seed in range(SEEDS):
        yield from ((name, seed) for name in (*own, *known))


def try_watching(mutant: Mutant, *, cpu_s_max: float = 6.0) -> Verdict:
    """Until something is said, the seeds are used up, or the time."""
    if mutant.wire_switch:
        return Verdict(mutant.name, METHOD, Result.NOT_APPLICABLE, ("the simulator has no wire and no synchronised bytes",))
    began_s, place, clean = time.process_time(), place_of(mutant.dialect, mutant), place_of(mutant.dialect)
    for scene, seed in attempts(mutant):
        found = watched(place, scene, seed)
        if found:
            alarms = watched(clean, scene, seed)
            found = tuple(each for each in found if each not in alarms)
        spent_s = time.process_time() - began_s
        if found:
            return Verdict(mutant.name, METHOD, Result.KILLED, found, f"scene {scene}, seed {seed}", spent_s)
        if spent_s > cpu_s_max:
            break
    return Verdict(mutant.name, METHOD, Result.SURVIVED, (), f"{cpu_s_max:.0f} s of scenes", time.process_time() - began_s)


def find_nothing(dialect: str, tried: Iterable[tuple[str, int]]) -> list[str]:
    """The reverse: what polls of these scenes say of the core without a mutant. It must be nothing."""
    place = place_of(dialect)
    return [f"{scene} {seed}: {', '.join(found)}" for scene, seed in tried if (found := watched(place, scene, seed))]
