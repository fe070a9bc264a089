"""What scenes for an observer are made with: a settled chain, a phase of peace, a liar without a past.

See `polled_scenes`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

from fiscotool.pbft.messages import CheckPoint, Commit, Message, NewView, Prepare, PrePrepare, ViewChange
from fiscotool.sim.adversary import DoubleVote, Equivocate, Forgetful, Honest, Silent, Strategy
from fiscotool.sim.polled import PolledCluster
from fiscotool.trials.liars import LIARS
from fiscotool.trials.place import Place

SETTLED_TICKS: Final = 4_000
PEACE_TICKS: Final = 90_000
"""Longer than the bound of progress after a heal."""

STEPS_MAX: Final = 60_000
"""A scene that takes more steps is a storm, and ends."""

ALL_LIARS: Final[dict[str, Callable[[], Strategy]]] = {
    "honest": Honest,
    "silent": Silent,
    "equivocate": Equivocate,
    "doublevote": DoubleVote,
    "forgetful": Forgetful,
    **LIARS,
}


def scene_of(place: Place, seed: int, **more: Any) -> PolledCluster:
    """A cluster that has found its view."""
    cluster = PolledCluster(place.rules(**more.pop("rules", {})), seed=seed, dialect=place.dialect, **more)
    cluster.steps_max = STEPS_MAX
    cluster.start()
    cluster.run(SETTLED_TICKS)
    return cluster


def peace(cluster: PolledCluster, *, ticks: int = PEACE_TICKS, silent: bool = True) -> PolledCluster:
    """Everything heals, liars fall silent, transactions keep coming."""
    cluster.effects_until_crash.clear()
    cluster.lose(None)
    cluster.network.heal()
    cluster.start()
    if silent:
        for index in cluster.strategies:
            cluster.strategies[index] = Silent()
    end, number = cluster.now + ticks, 0
    target = max(cluster.heights) + 3
    honest = [replica for replica in cluster.replicas if replica.index not in cluster.strategies]
    while cluster.now < end:
        number += 1
        cluster.submit(f"peace{cluster.now}-{number}")
        if cluster.run(1_500, until=lambda: all(replica.height >= target for replica in honest)):
            break
    cluster.run(2_000)
    return cluster


def go_on(cluster: PolledCluster, *, ticks: int = PEACE_TICKS) -> PolledCluster:
    """Whoever is up has transactions to agree on for as long as progress may take, or until there is some."""
    end, target = cluster.now + ticks, max(cluster.heights) + 2
    up = [replica for replica in cluster.replicas if replica.is_up and replica.index not in cluster.strategies]
    while cluster.now < end and cluster.storm_s is None:
        cluster.submit(f"on{cluster.now}")
        if cluster.run(1_500, until=lambda: all(replica.height >= target for replica in up)):
            break
    return cluster


def stage_loss(rng: random.Random, liar: int, *, is_last: bool) -> Callable[[int, int, Message], bool] | None:
    """What a stage loses: nothing, votes, or what makes a view stick."""
    if is_last or rng.choice((True, False, False)):
        return None
    kinds: tuple[type, ...] = rng.choice(
        ((Prepare,), (Commit,), (CheckPoint,), (NewView,), (ViewChange,), (Prepare, Commit), (PrePrepare,))
    )
    spared = rng.choice((-1, *range(4)))
    return lambda _sender, to, message: isinstance(message, kinds) and to not in (spared, liar)


def forget(cluster: PolledCluster, liar: int) -> None:
    """The liar begins anew, and says that it never voted."""
    replica = cluster.replicas[liar]
    cluster.crash(liar)
    replica.votes.clear()
    replica.executed.clear()
    replica.stand = None
    cluster.start([liar])
