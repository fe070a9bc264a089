"""The doctor on what real chains said: the polls of recorded drills, at moments where it is known what was wrong.

Reference: recordings/v3/timeline, recordings/v2/timeline.
"""

from __future__ import annotations

import json
import lzma
from typing import Any

import pytest

from fiscotool.doctor.diagnosis import diagnose
from fiscotool.doctor.looking import is_trouble
from fiscotool.doctor.situation import NodeSeen, Situation
from fiscotool.rpc.neutral2 import consensus_of
from fiscotool.rpc.replies2_status import consensus_status2
from fiscotool.rpc.replies_consensus import ConsensusStatus, consensus_status
from tests.support.shared import shared


def lines(*parts: str) -> list[dict[str, Any]]:
    with lzma.open(shared("recordings", *parts), "rt") as file:
        return [json.loads(line) for line in file]


def situation3(drill: str, at_s: float, started: dict[int, float]) -> Situation:
    """What the nodes had said `at_s` seconds after the drill began; `started` has the second at which restarted ones began."""
    told = lines("v3", "timeline", f"{drill}.jsonl.xz")
    began = told[0]["t"]
    ids = {int(k): node_id for k, node_id in told[0]["node_ids"].items()}
    newest: dict[int, dict[str, Any]] = {
        line["node"]: line for line in told if line.get("method") == "getConsensusStatus" and line["t"] - began <= at_s
    }
    nodes = []
    for k, node_id in ids.items():
        line = newest[k]
        result = (line.get("response") or {}).get("result")
        if result is None or line["t"] - began < at_s - 2:
            nodes.append(NodeSeen(f"node{k}", node_id, "stopped"))
        else:
            status = consensus_status(result)
            up_s = at_s - started.get(k, -3600.0)
            nodes.append(NodeSeen(f"node{k}", node_id, "running", up_s, status=status, later=status, pending=0, pending_later=0))
    return Situation(3, tuple(nodes), dict.fromkeys(ids.values(), 1), apart_s=1.5)


def ids_of(situation: Situation) -> dict[str, tuple[str, ...]]:
    return {finding.id: finding.nodes for finding in diagnose(situation)}


def test_two_killed_on_an_idle_chain() -> None:
    """The two that are left look healthy by their own word; the doctor says that no block can be made."""
    found = ids_of(situation3("kill9_two_idle", 60.0, {}))
    assert found["quorum-missing"] == ("node1", "node2")
    assert "able" not in found


def test_a_node_that_came_back_where_two_were_lost_is_stuck() -> None:
    """start.sh of node2 at 100 s: there are three again, and still it cannot learn the view from two."""
    found = ids_of(situation3("kill9_two_idle", 130.0, {2: 100.0}))
    assert found["restart-stuck"] == ("node2",)
    assert "quorum-missing" not in found


def test_both_came_back_and_are_stuck() -> None:
    found = ids_of(situation3("kill9_two_idle", 182.0, {2: 100.0, 1: 141.6}))
    assert found["restart-stuck"] == ("node1", "node2")


def test_before_the_fault_all_is_well() -> None:
    assert "able" in ids_of(situation3("kill9_two_idle", 8.0, {}))


def test_one_restarted_comes_back_by_itself() -> None:
    """A node killed alone: the other three answer it, so it is never called stuck, and at the end all is well."""
    told = lines("v3", "timeline", "kill9_follower_idle.jsonl.xz")
    begin = next(line["t"] for line in told if line.get("event") == "start.sh begin") - told[0]["t"]
    node = next(line["node"] for line in told if line.get("event") == "start.sh begin")
    seen = [ids_of(situation3("kill9_follower_idle", begin + after, {node: begin})) for after in (2.5, 9.0, 20.0)]
    assert all("restart-stuck" not in found for found in seen)
    assert "able" in seen[-1]
    assert not {"starting", "rejoining", "in-timeout"} & set(seen[-1])


@pytest.mark.parametrize("generation", ["v2", "v3"])
def test_healthy_logs_tell_of_no_tls_trouble(generation: str) -> None:
    """A chain whose nodes were killed, frozen and restarted all day: sessions broke, and no certificate was refused."""
    for path in sorted(shared("recordings", generation, "logs").glob("node0/*.xz"))[-2:]:
        with lzma.open(path, "rt", errors="replace") as file:
            found = [line for line in file if is_trouble(line)]
        assert found == [], path.name


def test_a_refused_certificate_is_trouble() -> None:
    assert is_trouble("warning|2026-11-21 04:32:13|[Gateway]TLS handshake failed,message=unknown ca")
    assert is_trouble("error|[P2P][Host]handshakeServer failed,errorValue=1,message=certificate verify failed")


def status2(consensus: Any) -> ConsensusStatus:
    return consensus_of(consensus_status2(consensus))


def test_two_killed_on_a_2x_chain() -> None:
    told = [line for line in lines("v2", "timeline", "07_kill9_two_tx5.jsonl.xz") if line.get("ev") == "poll"]
    fault = next(line["t"] for line in lines("v2", "timeline", "07_kill9_two_tx5.jsonl.xz") if line.get("ev") == "fault")
    healthy = {line["node"]: line for line in told if line["t"] < fault}
    broken = {line["node"]: line for line in told if fault + 10 < line["t"] < fault + 12}
    ids = {k: status2(line["consensus"]).node_id for k, line in healthy.items()}

    def seen(polls: dict[int, Any]) -> Situation:
        nodes = []
        for k, node_id in ids.items():
            answer = polls.get(k, {}).get("consensus")
            status = status2(answer) if isinstance(answer, list) else None
            nodes.append(NodeSeen(f"node{k}", node_id, "running" if status else "stopped", 3600.0, status=status, later=status))
        return Situation(2, tuple(nodes), dict.fromkeys(ids.values(), 1), apart_s=1.5)

    assert "able" in ids_of(seen(healthy))
    lost = ids_of(seen(broken))
    assert len(lost["quorum-missing"]) == 2
    assert "able" not in lost
