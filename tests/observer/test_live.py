"""The live view: one snapshot a node, also of nodes that do not answer; leaders by name."""

from __future__ import annotations

import threading

from fiscotool.observer.live import NodeSnapshot, snapshots_of, watch
from fiscotool.observer.node_watch import Heard
from fiscotool.observer.target import PollTarget
from tests.observer.fake_chain import fake_nodes
from tests.support.ports import free_ports


def polling_threads() -> int:
    return sum(thread.name == "fiscotool-poller" for thread in threading.enumerate())


def test_snapshots_of_a_chain_with_a_dead_node() -> None:
    dead = PollTarget("node4", f"http://127.0.0.1:{free_ports(1)[0]}")
    with fake_nodes() as nodes:
        nodes[3].timeout = True
        views = watch([*(node.target for node in nodes), dead], every_s=0.1)
        first = next(views)
        assert polling_threads() == 1
        assert [snapshot.node for snapshot in first] == ["node0", "node1", "node2", "node3", "node4"]
        # leader = (view + height + 1) mod 4 = (3 + 5 + 1) mod 4
        assert first[0] == NodeSnapshot(
            "node0",
            "answers",
            height=5,
            view=3,
            leader="node1",
            timeout=False,
            change_cycle=0,
            connected_count=4,
            node_count=4,
            is_syncing=False,
            pending_count=0,
        )
        assert [snapshot.is_leader for snapshot in first] == [False, True, False, False, False]
        assert first[3].timeout is True
        assert first[4] == NodeSnapshot("node4", "silent", error="refused: Connection refused")
        for node in nodes:
            node.height = 6
        assert any(snapshots[0].height == 6 and snapshots[2].is_leader for snapshots, _ in zip(views, range(50), strict=False))
        views.close()
        assert polling_threads() == 0


def test_a_frozen_node_does_not_hold_up_the_table() -> None:
    with fake_nodes(2) as nodes:
        nodes[1].mode = "silent"
        views = watch(
            [node.target for node in nodes], every_s=0.1, timeout_s=2.0, state_of={"node0": "running", "node1": "paused"}.__getitem__
        )
        first = next(views)
        views.close()
    assert [(snapshot.state, snapshot.error) for snapshot in first] == [("running", ""), ("paused", "timeout")]


def test_a_leader_without_a_known_name_is_told_by_index() -> None:
    targets = [PollTarget("node0", "http://127.0.0.1:1"), PollTarget("node1", "http://127.0.0.1:1")]
    heard = {"node0": Heard("node0", 0.0, 0.1, None, values={"leader_index": 2, "consensus_height": 9})}
    first, second = snapshots_of(targets, heard)
    assert (first.leader, first.height) == ("#2", 9)
    assert second.error == "not asked yet"
