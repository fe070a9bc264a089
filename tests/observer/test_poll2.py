"""2.x nodes are watched, waited for and recorded in the same words as 3.x nodes; a chain may have both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fiscotool.consistency.observations import NodeIdentity, RunInfo
from fiscotool.errors import WaitTimeout
from fiscotool.observer.live import watch
from fiscotool.observer.loading import load_recording
from fiscotool.observer.poll import Poller, PollTarget
from fiscotool.observer.pushes import ChannelAddress
from fiscotool.observer.questions import QUESTIONS2, Speech
from fiscotool.observer.recording import RecordingWriter
from fiscotool.observer.waits import wait_for_height, wait_recovered, wait_same_view
from fiscotool.rpc.any_client import AnyClient
from fiscotool.rpc.client2 import NodeClient2
from fiscotool.rpc.dialect import Dialect
from fiscotool.rpc.neutral import NodeReader
from fiscotool.rpc.tls import TlsFiles
from tests.observer.fake_chain import fake_nodes
from tests.observer.fake_chain2 import FakeNode2, fake_nodes2
from tests.rpc.channel_server import ChannelServer, block_notice
from tests.rpc.conftest import make_sdk
from tests.support.until import until


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sdk(tmp_path_factory.mktemp("sdk"), "FISCO-BCOS-test")


@pytest.fixture(scope="module")
def other_sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sdk(tmp_path_factory.mktemp("other"), "FISCO-BCOS-other")


def record(path: Path, nodes: list[FakeNode2], *, raise_to: int = 0) -> None:
    """Poll until every node was polled thrice, also after the heights rose."""
    with RecordingWriter(path) as writer:
        names = tuple(NodeIdentity(node.name, node.blocks[1]["sealerList"][node.index]) for node in nodes)
        writer.run(RunInfo(names, "1", "1", "fisco", "2.9.1", generation=2))
        with Poller([node.target for node in nodes], 0.05, writer, complete_within_s=5) as poller:
            until(lambda: len(poller.heard()) == len(nodes))
            for node in nodes:
                node.height = max(node.height, raise_to)
            counts = {node.name: len(node.asked) for node in nodes}
            until(lambda: all(len(node.asked) > counts[node.name] + 12 for node in nodes))


def test_polls_and_blocks_of_2x_nodes_are_recorded_and_hold(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with fake_nodes2() as nodes:
        nodes[2].leader_failed = True
        record(path, nodes, raise_to=12)
    seen = load_recording(path)
    assert seen.problems == ()
    assert seen.run.generation == 2
    answered = [sample for sample in seen.samples if not sample.error]
    assert {sample.node for sample in answered} == {node.name for node in nodes}
    last = {sample.node: sample for sample in answered}
    healthy, failed = last["node1"], last["node2"]
    assert (healthy.height, healthy.consensus_height, healthy.view, healthy.to_view) == (12, 12, 3, 3)
    assert (healthy.timeout, healthy.leader_index, healthy.node_index) == (False, (3 + 12) % 4, 1)
    assert (healthy.connected_count, healthy.node_count, healthy.quorum_weight, healthy.faulty_weight_max) == (4, 4, 3, 1)
    assert (healthy.pending_count, healthy.is_syncing, healthy.change_cycle) == (2, False, None)
    assert (failed.timeout, failed.leader_index, failed.to_view) == (True, None, 4)
    by_node = {name: [block for block in seen.blocks if block.node == name] for name in last}
    for blocks in by_node.values():
        assert [block.number for block in blocks] == list(range(13))
        for block in blocks:
            assert block.recomputed_hash == block.block_hash
            assert block.tx_hashes_known
            assert block.weights == (1,) * len(block.sealer_list)
            assert all(entry.is_valid for entry in block.signatures)
        assert [len(block.signatures) for block in blocks[1:]] == [3] * 12
        assert blocks[5].parent_hash == blocks[4].block_hash
        assert (blocks[0].parent_number, blocks[5].parent_number) == (None, 4)
    assert "getPbftView" not in nodes[0].asked


def test_a_node_without_headers_is_asked_for_whole_blocks(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with fake_nodes2(1) as nodes:
        nodes[0].has_headers = False
        with RecordingWriter(path) as writer:
            writer.run(RunInfo((NodeIdentity("node0", ""),), "1", "1", generation=2))
            with Poller([nodes[0].target], 0.05, writer, complete_within_s=5):
                until(lambda: nodes[0].asked.count("getBlockByNumber") >= 6)
        assert nodes[0].asked.count("getBlockHeaderByNumber") <= 2
    blocks = load_recording(path).blocks
    assert [block.number for block in blocks] == list(range(6))
    for block in blocks:
        assert block.recomputed_hash == block.block_hash
        assert len(block.tx_hashes) == (1 if block.number else 0)
        assert len(block.signatures) == (3 if block.number else 0)


def test_a_planted_lie_in_a_block_of_2x_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with fake_nodes2(1) as nodes:
        lie = dict(nodes[0].blocks[3], stateRoot="0x" + "77" * 32)
        forged = dict(nodes[0].blocks[4])
        forged["signatureList"] = [{**forged["signatureList"][0], "signature": "0x" + "11" * 65}, *forged["signatureList"][1:]]
        nodes[0].blocks = (*nodes[0].blocks[:3], lie, forged, *nodes[0].blocks[5:])
        record(path, nodes)
    blocks = {block.number: block for block in load_recording(path).blocks}
    assert blocks[3].recomputed_hash != blocks[3].block_hash
    assert [entry.is_valid for entry in blocks[4].signatures] == [False, True, True]
    assert blocks[2].recomputed_hash == blocks[2].block_hash


def test_a_node_that_is_starting_is_asked_again_what_it_is() -> None:
    with fake_nodes2(1) as (node,), Poller([node.target], 0.05) as poller:
        node.is_starting = True
        until(lambda: "error -40010: getClientVersion" in [heard.error for heard in poller.heard().values()])
        node.is_starting = False
        until(lambda: poller.heard()["node0"].values.get("height") == 5)
        assert node.asked.count("getClientVersion") >= 2


def test_both_generations_side_by_side() -> None:
    with fake_nodes2(1) as (old,), fake_nodes(1) as (new,):
        targets = [PollTarget("old", old.server.url, group=""), PollTarget("new", new.server.url)]
        for snapshots in watch(targets, every_s=0.05):
            if all(snapshot.height == 5 for snapshot in snapshots):
                break
        assert [(snapshot.view, snapshot.node_count) for snapshot in snapshots] == [(3, 4), (3, 4)]
        assert all(snapshot.leader for snapshot in snapshots)
        assert snapshots[0].change_cycle is None


def test_waiting_for_2x_nodes() -> None:
    with fake_nodes2(2) as nodes:
        clients: list[NodeReader] = [NodeClient2(nodes[0].server.url, name="node0"), AnyClient(nodes[1].server.url, name="node1")]
        assert wait_for_height(clients, 5, 5) == {"node0": 5, "node1": 5}
        assert wait_same_view(clients, 5) == 3
        assert wait_recovered(clients[0], 5, others=clients[1:]).height == 5
        nodes[1].leader_failed = True
        with pytest.raises(WaitTimeout, match="node1: height 5, view 3, asking for a view change, 4 of 4 connected"):
            wait_same_view(clients, 0.3)


def test_how_each_generation_is_asked() -> None:
    assert PollTarget("n", "u").speech == Speech.of(Dialect.FISCO3, "group0")
    assert PollTarget("n", "u", group="1").speech is None
    assert PollTarget("n", "u", group="").speech is None
    assert PollTarget("n", "u", group="2", dialect=Dialect.FISCO2).speech == Speech(Dialect.FISCO2, QUESTIONS2, (2,))
    assert Speech.of(Dialect.FISCO2, "1").block_questions(7) == (
        ("getBlockHeaderByNumber", (1, "7", True)),
        ("getBlockByNumber", (1, "7", False)),
    )


def test_blocks_are_fetched_when_they_are_pushed_not_when_they_are_polled(tmp_path: Path, sdk: Path) -> None:
    path = tmp_path / "run.jsonl"
    with fake_nodes2(1) as (node,), ChannelServer(sdk) as channel, RecordingWriter(path) as writer:
        channel.height = 5
        target = replace(node.target, channel=ChannelAddress(channel.address, TlsFiles.from_sdk(sdk)))
        writer.run(RunInfo((NodeIdentity("node0", ""),), "1", "1", generation=2))
        with Poller([target], 60.0, writer, complete_within_s=5) as poller:
            until(lambda: poller.heard()["node0"].values.get("height") == 5 if "node0" in poller.heard() else False)
            assert channel.subscribed.wait(10)
            until(lambda: node.asked.count("getBlockHeaderByNumber") == 6)
            node.height = 8
            channel.push(block_notice(2, 99) + block_notice(1, 8))
            until(lambda: node.asked.count("getBlockHeaderByNumber") == 9)
            assert node.asked.count("getBlockNumber") == 1, "it was polled once"
    assert sorted(block.number for block in load_recording(path).blocks) == list(range(9))


def test_a_channel_that_cannot_be_had_costs_only_the_pushes(tmp_path: Path, sdk: Path, other_sdk: Path) -> None:
    absent = TlsFiles.from_sdk(tmp_path)
    with fake_nodes2(2) as nodes, ChannelServer(sdk) as channel, RecordingWriter(tmp_path / "run.jsonl") as writer:
        channels = [ChannelAddress(channel.address, TlsFiles.from_sdk(other_sdk)), ChannelAddress(channel.address, absent)]
        targets = [replace(node.target, channel=address) for node, address in zip(nodes, channels, strict=True)]
        writer.run(RunInfo(tuple(NodeIdentity(node.name, "") for node in nodes), "1", "1", generation=2))
        with Poller(targets, 0.05, writer, complete_within_s=5):
            until(lambda: all(node.asked.count("getBlockHeaderByNumber") == 6 for node in nodes))
    assert {block.node for block in load_recording(tmp_path / "run.jsonl").blocks} == {"node0", "node1"}
