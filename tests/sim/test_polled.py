"""The observer of simulated chains: it sees what RPC tells, changes nothing, and accuses nobody who is right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fiscotool.consistency.findings import Verdict
from fiscotool.consistency.judge import judge
from fiscotool.consistency.observations import Observations
from fiscotool.pbft.dialects import DIALECTS, FISCO3
from fiscotool.pbft.rules import Rules
from fiscotool.sim.adversary import Silent
from fiscotool.sim.cluster import Cluster
from fiscotool.sim.polled import PolledCluster, digest_of_recording, polled_run
from fiscotool.sim.settings import draw_settings

FOUR = Rules((1, 1, 1, 1))


def violated(seen: Observations) -> list[str]:
    return [finding.invariant.id for finding in judge(seen).findings if finding.verdict is Verdict.VIOLATED]


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_nobody_who_is_right_is_accused(dialect: str) -> None:
    for seed in range(6):
        assert violated(polled_run(draw_settings(seed, dialect=dialect, ticks=8_000))) == [], seed


def test_the_same_seed_gives_the_same_recording() -> None:
    settings = draw_settings(3, ticks=5_000)
    assert digest_of_recording(polled_run(settings)) == digest_of_recording(polled_run(settings))


def _run(cluster: Cluster) -> tuple[list[int], dict[str, int], int]:
    cluster.start()
    for number in range(8):
        cluster.submit(f"t{number}")
        cluster.run(700)
        if number == 3:
            cluster.crash(2)
    return cluster.heights, cluster.message_counts, cluster.step_count


def test_looking_changes_nothing() -> None:
    assert _run(Cluster(FOUR, seed=5)) == _run(PolledCluster(FOUR, seed=5))


def test_faults_lives_and_liars_are_in_the_recording() -> None:
    cluster = PolledCluster(FOUR, strategies={3: Silent()})
    cluster.start()
    cluster.run(1_000)
    cluster.crash(0)
    cluster.network.partition([[1, 2], [0, 3]])
    cluster.run(1_000)
    cluster.network.heal()
    cluster.start([0])
    cluster.run(1_000)
    seen = cluster.observations()
    assert [(f.kind, f.node, f.injected_s, f.healed_s) for f in seen.faults if f.kind == "kill"] == [("kill", "node0", 1.0, 2.0)]
    assert {f.node for f in seen.faults if f.kind == "cut" and f.healed_s == 2.0} == {f"node{i}" for i in range(4)}
    assert len({s.incarnation for s in seen.samples if s.node == "node0" and not s.error}) == 2
    assert {s.error for s in seen.samples if s.node == "node0" and 1.0 < s.sent_s < 2.0} == {"refused"}
    assert [node.byzantine for node in seen.run.nodes] == ["", "", "", "silent"]


def test_headers_are_those_of_each_replica_and_signatures_are_examined() -> None:
    cluster = PolledCluster(FOUR)
    cluster.start()
    cluster.run(4_000)
    cluster.submit("a")
    cluster.run(2_000)
    told = [block for block in cluster.observations().blocks if block.number == 1]
    assert {block.node for block in told} == {f"node{i}" for i in range(4)}
    assert all(len(block.signatures) >= 3 and all(entry.is_valid for entry in block.signatures) for block in told)
    assert {block.recomputed_hash for block in told} == {block.block_hash for block in told}


def test_a_core_that_stops_itself_is_a_process_that_ends_unasked() -> None:
    def step(state: Any, event: Any) -> Any:
        assert state.height < 2 or state.me != 1, "planted"
        return FISCO3.step(state, event)

    cluster = PolledCluster(FOUR, dialect=replace(FISCO3, step=step))
    cluster.start()
    cluster.run(4_000)
    for number in range(6):
        cluster.submit(f"t{number}")
        cluster.run(1_000)
    cluster.run(12_000)
    assert list(cluster.stopped) == [1]
    assert "process-alive" in violated(cluster.observations())
