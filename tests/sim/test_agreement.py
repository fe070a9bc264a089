"""Agreement (OSDI'99 section 4.5.1) and liveness after healing (4.5.2), for drawn schedules with at most f faulty replicas."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiscotool.pbft.rules import Rules
from fiscotool.pbft.types import Height, NodeIndex
from fiscotool.sim import chain, swarm
from fiscotool.sim.adversary import DoubleVote, Equivocate
from fiscotool.sim.cluster import Cluster
from fiscotool.sim.faults import Trouble, torment
from fiscotool.sim.network import Network, Weather
from fiscotool.sim.replica import Replica


def known_seeds() -> list[tuple[int, str]]:
    """The runs of seeds.txt."""
    lines = (Path(__file__).parent / "seeds.txt").read_text().splitlines()
    fields = [line.split("#")[0].split() for line in lines]
    return [(int(seed), kind) for seed, kind in (pair for pair in fields if pair)]


@pytest.mark.parametrize(("seed", "kind"), known_seeds())
def test_runs_that_once_showed_a_bug(seed: int, kind: str) -> None:
    outcome = swarm.run_seed(seed, kind)
    assert outcome.is_good, outcome.reproduce()


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(swarm.KINDS))
def test_no_two_replicas_decide_differently_and_all_go_on_after_healing(seed: int, kind: str) -> None:
    outcome = swarm.run_seed(seed, kind)
    assert outcome.is_good, outcome.reproduce()


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), weights=st.lists(st.integers(1, 4), min_size=2, max_size=6))
def test_weighted_chains_agree(seed: int, weights: list[int]) -> None:
    cluster = Cluster(Rules(tuple(weights)), seed=seed, weather=Weather(1, 50, 0.05, 0.1))
    cluster.start()
    torment(cluster, Trouble(ticks=15_000))
    assert cluster.violations == []


def test_a_run_makes_progress_and_meets_trouble() -> None:
    """Guards against properties that hold because nothing happens."""
    outcomes = [swarm.run_seed(seed, "mix") for seed in range(8)]
    assert max(outcome.height for outcome in outcomes) >= 5
    assert sum(outcome.step_count for outcome in outcomes) > 3_000


def test_with_more_than_f_byzantine_replicas_the_properties_do_say_no() -> None:
    """Two of four equivocate and double-vote: somewhere agreement breaks, and it is seen."""
    for seed in range(40):
        cluster = Cluster(Rules((1, 1, 1, 1)), seed=seed, weather=Weather(1, 60), strategies={1: Equivocate(), 0: DoubleVote()})
        cluster.start()
        torment(cluster, Trouble(ticks=20_000, crashes=False))
        if any(violation.rule in {"agreement", "certificate"} for violation in cluster.violations):
            return
    pytest.fail("no seed broke agreement")


@pytest.mark.parametrize(("node_count", "total"), [(4, 39), (7, 132), (16, 735)])
def test_a_block_costs_n_minus_1_plus_3_n_times_n_minus_1_messages(node_count: int, total: int) -> None:
    cluster = Cluster(Rules((1,) * node_count), seed=1)
    cluster.start()
    cluster.run(4_000)
    before = dict(cluster.message_counts)
    cluster.submit("a")
    cluster.run(400)
    assert set(cluster.heights) == {1}
    counts = {kind: count - before.get(kind, 0) for kind, count in cluster.message_counts.items() if count != before.get(kind, 0)}
    every = node_count * (node_count - 1)
    assert counts == {"PrePrepare": node_count - 1, "Prepare": every, "Commit": every, "CheckPoint": every}
    assert sum(counts.values()) == total


def test_nobody_can_sign_for_another() -> None:
    rules = Rules((1, 1, 1, 1))
    block = chain.make_proposal(Height(1), NodeIndex(0), ("a",))
    assert chain.is_sound(block)
    forged = chain.proof_signature(rules, NodeIndex(1), 3, 1, block.digest)
    assert forged != chain.proof_signature(rules, NodeIndex(2), 3, 1, block.digest)
    assert forged != chain.proof_signature(rules, NodeIndex(1), 4, 1, block.digest)


def test_the_network_cuts_loses_and_doubles() -> None:
    network = Network(Weather(2, 2, 0.0, 1.0), random.Random(1))
    assert network.arrivals(0, 1) == [2, 2]
    network.partition([[0], [1, 2]])
    assert network.arrivals(0, 1) == []
    assert network.arrivals(1, 2) == [2, 2]
    assert network.arrivals(3, 1) == []
    network.heal(weather=Weather(1, 1, 1.0))
    assert network.arrivals(0, 1) == []


@pytest.mark.parametrize("weather", [Weather(1, 3), Weather(2, 2), Weather(1, 9, 0.3, 0.4)], ids=str)
def test_a_message_to_many_arrives_as_one_to_each_would(weather: Weather) -> None:
    """`spread` draws what `arrivals` draws, in the same order, also across a partition."""
    replicas = [Replica(NodeIndex(i), Rules((1,) * 6)) for i in range(6)]
    for groups in ([], [[0, 1, 2], [3, 4, 5]]):
        one, many = Network(weather, random.Random(5)), Network(weather, random.Random(5))
        for network in (one, many):
            network.partition(groups)
        for sender in (0, 4, 0, 5) * 10:
            others = [replica for replica in replicas if replica.index != sender]
            each = [(replica, delay) for replica in others for delay in one.arrivals(sender, replica.index)]
            assert many.spread(sender, others) == each
