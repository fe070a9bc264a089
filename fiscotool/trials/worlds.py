"""Simulated worlds by name, each a function of a seed: what is in them, what happens, and what must have come of it.

    calm          four healthy replicas and transactions
    slow          executing takes longer than the timeout
    down          two of four are down for a minute
    restarts      two of four restart on an idle chain
    burst         a leader's period of many blocks under loss: gaps
    crashes       crashes and partitions all the time, nobody lies
    swarm         whatever the seed draws (`sim.settings.draw_settings`)
    five          five replicas, crashes and partitions
    weights       crashes while the weights change
    sluggish      crashes, and executing takes longer than the timeout
    stumbling     every execution fails the first time
    heavier       all weights become three, then a liar asks for a view far away
    <corner>      a state that is rarely reached (`corners`), of fisco3
    <liar>        one replica of `liars` or `sim.settings.STRATEGIES` among four, under crashes, loss and duplicates

Every world ends with a phase of peace, in which the chain must get on (`sim.faults.recover`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from fiscotool.pbft.events import Event, Executed
from fiscotool.sim import faults
from fiscotool.sim.adversary import Strategy
from fiscotool.sim.cluster import Cluster
from fiscotool.sim.replica import Replica
from fiscotool.sim.schedule import plan, play
from fiscotool.sim.settings import STRATEGIES, draw_settings
from fiscotool.trials.corners import old_list, redated, twice_asked, two_locks
from fiscotool.trials.liars import LIARS
from fiscotool.trials.place import Place, complaints

CRASHES: Final[dict[str, Any]] = {"crashes": True, "partitions": True, "byzantine": (), "dead": (), "node_count": 4, "action_ticks": 300}
"""Four replicas that crash and are cut off all the time; nobody lies."""


World = Callable[[Place, int], tuple[str, ...]]
"""A run, from a seed; what is wrong with it, by name."""


def _end(cluster: Cluster) -> tuple[str, ...]:
    """Peace; what is wrong after all."""
    return complaints(cluster, is_live=bool(cluster.violations) or faults.recover(cluster))


def _calm(place: Place, seed: int, *, ticks: int = 4_000, **more: Any) -> Cluster:
    cluster = place.make(place.rules(), seed=seed, dialect=place.dialect, **more)
    cluster.start()
    cluster.run(ticks)
    return cluster


def calm(place: Place, seed: int) -> tuple[str, ...]:
    """A healthy chain makes blocks, and changes no view."""
    cluster = _calm(place, seed)
    views = cluster.views()
    for number in range(6):
        cluster.submit(f"t{number}")
        cluster.run(400)
    found = complaints(cluster, is_live=min(cluster.heights) >= 5)  # noqa: PLR2004 (of the six that were asked for)
    needless = place.dialect.name == "fisco3" and cluster.views() != views
    return (*found, "needless-view-change") if needless else found


def slow(place: Place, seed: int) -> tuple[str, ...]:
    """Executing takes longer than the timeout."""
    cluster = _calm(place, seed)
    cluster.pace = replace(cluster.pace, execute_ticks=4_000)
    cluster.submit("a")
    cluster.run(20_000)
    return complaints(cluster, is_live=True)


def down(place: Place, seed: int) -> tuple[str, ...]:
    """Two of four are down for a minute, then come back."""
    cluster = _calm(place, seed)
    cluster.crash(0)
    cluster.crash(1)
    cluster.submit("a")
    cluster.run(60_000)
    return _end(cluster)


def restarts(place: Place, seed: int) -> tuple[str, ...]:
    """Two of four come back to an idle chain."""
    cluster = _calm(place, seed)
    cluster.crash(0)
    cluster.crash(1)
    cluster.start([0, 1])
    cluster.run(10_000)
    return _end(cluster)


def _play(place: Place, seed: int, strategies: dict[int, Strategy], **fixed: Any) -> tuple[str, ...]:
    settings = draw_settings(seed, dialect=place.dialect.name, **{"ticks": 15_000, **fixed})
    rules = replace(settings.rules, quirks=place.quirks)
    strategies = strategies or {index: STRATEGIES[name]() for index, name in settings.byzantine}
    cluster = place.make(rules, seed=seed, weather=settings.weather, pace=settings.pace, strategies=strategies, dialect=place.dialect)
    cluster.start()
    play(cluster, plan(settings), settings.ticks)
    if cluster.violations:
        return complaints(cluster, is_live=True)
    is_live = faults.recover(cluster, dead=settings.dead)
    core = [replica for replica in cluster.replicas if replica.index not in settings.dead and replica.index not in strategies]
    stall = None if is_live else place.dialect.known_stall([replica.state for replica in core])
    return complaints(cluster, is_live=is_live or stall is not None)


def burst(place: Place, seed: int) -> tuple[str, ...]:
    """A leader's period of eight blocks, and loss: gaps."""
    fixed = {"leader_period_blocks": 8, "loss_probability": 0.3, "delay_ticks_max": 10, "seal_ticks": 20}
    return _play(place, seed, {}, **{**CRASHES, **fixed, "crashes": False})


def crashes(place: Place, seed: int) -> tuple[str, ...]:
    """Nobody lies."""
    return _play(place, seed, {}, **CRASHES)


def swarm(place: Place, seed: int) -> tuple[str, ...]:
    """Whatever the seed draws."""
    return _play(place, seed, {})


def five(place: Place, seed: int) -> tuple[str, ...]:
    """Five replicas, of which one may fail."""
    return _play(place, seed, {}, **{**CRASHES, "node_count": 5})


def weights(place: Place, seed: int) -> tuple[str, ...]:
    """The weights change all the time."""
    return _play(place, seed, {}, **{**CRASHES, "weight_changes": True, "crashes": bool(seed % 2)})


def sluggish(place: Place, seed: int) -> tuple[str, ...]:
    """Crashes, and executing takes longer than the timeout."""
    return _play(place, seed, {}, **{**CRASHES, "execute_ticks": 4_000})


def stumbling(place: Place, seed: int) -> tuple[str, ...]:
    """Every execution fails the first time, in every replica."""
    cluster = _calm(place, seed)
    failed: set[tuple[int, bytes]] = set()
    post = cluster.post

    def stumble(replica: Replica, event: Event, ticks: int = 0) -> None:
        if isinstance(event, Executed) and (replica.index, event.digest) not in failed:
            failed.add((replica.index, event.digest))
            event = replace(event, block_hash=None)
        post(replica, event, ticks)

    cluster.post = stumble  # type: ignore[method-assign]  # the one place where work's results come in
    for number in range(3):
        cluster.submit(f"t{number}")
        cluster.run(2_000)
    return _end(cluster)


def heavier(place: Place, seed: int) -> tuple[str, ...]:
    """One of four has the weight of the old f+1 now, and is less than the new f+1."""
    cluster = _calm(place, seed, strategies={3: LIARS["farview"]()})
    cluster.submit("weights:3,3,3,3#1")
    cluster.run(6_000, until=lambda: min(cluster.heights) >= 1)
    cluster.crash(0)
    for number in range(4):
        cluster.submit(f"t{number}")
        cluster.run(2_500)
    return _end(cluster)


def with_liar(name: str) -> World:
    """A world with one liar; calm every other time."""
    make: Callable[[], Strategy] = STRATEGIES[name] if name in STRATEGIES else LIARS[name]

    def world(place: Place, seed: int) -> tuple[str, ...]:
        stormy = bool(seed % 2)
        weather = {"loss_probability": 0.05, "duplicate_probability": 0.1, "delay_ticks_max": (10, 100, 1_000)[seed % 3]} if stormy else {}
        fixed = {**CRASHES, "crashes": stormy, "partitions": stormy, **weather, "action_ticks": 600, "seal_ticks": 50}
        return _play(place, seed, {(seed // 2) % 4: make()}, **fixed)

    return world


HONEST: Final = (calm, slow, down, restarts, burst, crashes, swarm, five, weights, sluggish, stumbling, heavier)

WORLDS: Final[dict[str, World]] = {
    **{world.__name__: world for world in HONEST},
    **{world.__name__: world for world in (two_locks, redated, twice_asked, old_list)},
    **{name: with_liar(name) for name in (*STRATEGIES, *LIARS)},
}
"""By name."""
