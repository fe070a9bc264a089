"""A seeded schedule of trouble, and what must be true once it is over.

Phase 1, safety: replicas crash between any two effects and come back, the network splits, loses and doubles messages, transactions
come. Any number of correct replicas may be down at a time, for their votes are durable; Byzantine ones are the caller's choice.
Phase 2, liveness: everything heals, transactions keep coming; every correct replica must write new blocks within the bound.

Sources: OSDI'99 section 4.5; the two phases are those of simulators of replicated state machines in general.
"""

from __future__ import annotations

from dataclasses import dataclass

from fiscotool.sim.cluster import Cluster
from fiscotool.sim.network import Weather


@dataclass(frozen=True, slots=True)
class Trouble:
    """What may happen in phase 1. `action_ticks` is the mean time between two actions."""

    ticks: int = 30_000
    action_ticks: int = 1_200
    crashes: bool = True
    partitions: bool = True
    system_transactions: bool = False


def torment(cluster: Cluster, trouble: Trouble) -> None:
    """Phase 1: actions drawn from the cluster's generator until the time is up."""
    end = cluster.now + trouble.ticks
    number = 0
    while cluster.now < end:
        cluster.run(cluster.rng.randint(1, 2 * trouble.action_ticks))
        number += 1
        _act(cluster, trouble, number)


def _act(cluster: Cluster, trouble: Trouble, number: int) -> None:
    """One action; transactions are the most frequent one."""
    choice = cluster.rng.random()
    indices = list(range(len(cluster.replicas)))
    if choice < 0.15 and trouble.crashes:  # noqa: PLR2004 (shares of the actions)
        cluster.effects_until_crash[cluster.rng.choice(indices)] = cluster.rng.randint(0, 12)
    elif choice < 0.35 and trouble.crashes:  # noqa: PLR2004
        cluster.start([cluster.rng.choice(indices)])
    elif choice < 0.5 and trouble.partitions:  # noqa: PLR2004
        cluster.rng.shuffle(indices)
        cut = cluster.rng.randint(1, len(indices) - 1)
        cluster.network.partition([indices[:cut], indices[cut:]])
    elif choice < 0.65:  # noqa: PLR2004
        cluster.network.heal()
    else:
        system = trouble.system_transactions and cluster.rng.random() < 0.2  # noqa: PLR2004
        weights = ",".join(str(cluster.rng.randint(1, 3)) for _ in cluster.replicas)
        cluster.submit(f"weights:{weights}#{number}" if system else f"t{number}", f"u{number}", f"w{number}")


def recover(cluster: Cluster, *, blocks: int = 2, dead: tuple[int, ...] = ()) -> bool:
    """Phase 2: heal everything; whether every correct replica got `blocks` further than anyone was, in time.

    `dead` replicas crash for good instead; the others must do without them.
    """
    cluster.effects_until_crash.clear()
    cluster.network.heal(weather=Weather())
    for index in dead:
        cluster.crash(index)
    cluster.start(index for index in range(len(cluster.replicas)) if index not in dead)
    target = max(cluster.heights) + blocks
    correct = [replica for replica in cluster.replicas if replica.index not in cluster.strategies and replica.index not in dead]

    def is_there() -> bool:
        return all(replica.height >= target for replica in correct)

    deadline = cluster.now + liveness_bound_ticks(cluster)
    number = 0
    while cluster.now < deadline:
        number += 1
        cluster.submit(f"heal{cluster.now}-{number}")
        if cluster.run(1_000, until=is_there):
            return True
    return False


def liveness_bound_ticks(cluster: Cluster) -> int:
    """Within this time after healing a block must come: the running timers, then f + 2 more views at the longest wait.

    Observables L1: the sum of T * 1.5**min(k, 10) for k = c ... c+f+1, c the largest change cycle at the time of healing. Two
    cycles are added because the last timers may be armed just before the network heals, and replicas meet at different views;
    other dialects need more (`Dialect.views_to_live`).
    """
    states = [replica.state for replica in cluster.replicas if replica.state is not None]
    cycle = max((state.change_cycle for state in states), default=0)
    rules = states[0].rules
    dialect = cluster.dialect
    cycles = range(cycle, cycle + dialect.views_to_live(rules.node_count))
    return sum(dialect.timeout_ticks(rules, min(k, dialect.change_cycle_max)) for k in cycles) + 10_000
