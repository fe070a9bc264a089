"""Scenes in which nobody lies and hardly anything breaks.

hops                  every message takes 300 ms
quick                 nothing is wrong, and every message arrives within 100 ms
reweighed             weights change, then nothing happens for a while, then the next block comes
forgetful_executor    the executors of all replicas fail once
same_pool             the pool has as many transactions after a block as before, and the next leader says nothing
"""

from __future__ import annotations

from fiscotool.sim.adversary import Silent
from fiscotool.sim.network import Weather
from fiscotool.sim.polled import PolledCluster
from fiscotool.sim.world import Pace
from fiscotool.trials.place import Place
from fiscotool.trials.polled_stage import peace, scene_of


def hops(place: Place, seed: int) -> PolledCluster:
    """Every message takes 300 ms."""
    fixed = Weather(300, 300)
    cluster = PolledCluster(place.rules(), seed=seed, dialect=place.dialect, weather=fixed, every_ticks=50, known_delays=(300, 300))
    cluster.start()
    cluster.run(6_000)
    for number in range(4):
        cluster.submit(f"t{number}")
        cluster.run(2_500)
    return cluster


def quick(place: Place, seed: int) -> PolledCluster:
    """Nothing is wrong, and every message arrives within 100 ms; in some worlds it takes long to execute a block."""
    pace = Pace(execute_ticks=(2, 4_000, 400)[seed % 3])
    # One leader: a simulated one does not know which transactions are in another's proposal under way.
    rules = place.rules(leader_period_blocks=10_000)
    cluster = PolledCluster(rules, seed=seed, dialect=place.dialect, weather=Weather(1, 100), pace=pace, known_delays=(1, 100))
    cluster.start()
    cluster.run(5_000)
    for number in range(24):
        cluster.submit(f"t{number}")
        cluster.run(9_000, until=lambda: not any(replica.pool for replica in cluster.replicas))
        cluster.run(cluster.rng.choice((30, 300, 1_000)))
    cluster.run(2_000)
    return cluster


def reweighed(place: Place, seed: int) -> PolledCluster:
    """The weights change, then nothing happens for a while, then the next block comes."""
    cluster = scene_of(place, seed)
    rng = cluster.rng
    for number in range(5):
        cluster.submit(f"weights:{','.join(str(rng.choice((1, 2, 3))) for _ in range(4))}#{number}")
        cluster.run(4_000)
        cluster.submit(*(f"t{number}.{k}" for k in range(3)))
        cluster.run(4_000)
    return peace(cluster)


def forgetful_executor(place: Place, seed: int) -> PolledCluster:
    """The executors of all replicas fail once, at the second of two blocks on their way."""
    cluster = scene_of(place, seed, rules={"leader_period_blocks": 8}, pace=Pace(execute_ticks=300, block_txs_max=1))
    for number in range(3):
        cluster.submit(*(f"t{number}.{k}" for k in range(4)))
        cluster.run(250 + 70 * (seed % 8))
        for replica in cluster.replicas:
            replica.layers = {}
        cluster.run(4_000)
    return peace(cluster)


def same_pool(place: Place, seed: int) -> PolledCluster:
    """The pool has as many transactions after a block as before, and the next leader says nothing."""
    cluster = scene_of(place, seed, pace=Pace(block_txs_max=1))
    cluster.submit("a")
    cluster.run(2_000, until=lambda: min(cluster.heights) > 0)
    status = cluster.dialect.status(cluster.replicas[0].state)
    cluster.strategies[status.leader] = Silent()
    cluster.submit("b")
    cluster.run(60_000)
    return cluster
