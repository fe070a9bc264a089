"""Scenes for an observer: worst cases within what the protocol must bear, written so that a bug shows in heights, headers and times.

Every scene is a function of a place and a seed. It plays with at most f liars, crashes, splits and lost messages, ends in peace, and says
nothing itself: the recording does. A correct core comes out of each without an accusation. `world:NAME` is a world of the simulator's own
trials, with an observer beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from fiscotool.sim.polled import PolledCluster
from fiscotool.trials.place import Place
from fiscotool.trials.polled_forks import alone, behind, locks, lost, short
from fiscotool.trials.polled_lies import broken, far, replayed, shown, usurped
from fiscotool.trials.polled_quiet import forgetful_executor, hops, quick, reweighed, same_pool
from fiscotool.trials.polled_stage import STEPS_MAX, go_on
from fiscotool.trials.worlds import WORLDS

Scene = Callable[[Place, int], PolledCluster]


def world(name: str) -> Scene:
    """A world of the simulator's trials, observed."""

    def scene(place: Place, seed: int) -> PolledCluster:
        made: list[PolledCluster] = []

        def make(*arguments: Any, **more: Any) -> PolledCluster:
            made.append(PolledCluster(*arguments, **more))
            made[-1].steps_max = STEPS_MAX
            return made[-1]

        WORLDS[name](replace(place, make=make), seed)
        return go_on(made[-1])

    return scene


_OWN: Final[tuple[Scene, ...]] = (
    alone,
    lost,
    short,
    locks,
    behind,
    usurped,
    shown,
    far,
    hops,
    quick,
    reweighed,
    replayed,
    forgetful_executor,
    same_pool,
    broken,
)

SCENES: Final[dict[str, Scene]] = {
    **{scene.__name__: scene for scene in _OWN},
    **{f"world:{name}": world(name) for name in WORLDS if name not in {"two_locks", "redated", "twice_asked"}},
}
"""By name."""
