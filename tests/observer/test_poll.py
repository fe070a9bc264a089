"""The poller against real sockets: healthy nodes, a dead one, a frozen one, ones that answer nonsense, restarts, and the end of a run."""

from __future__ import annotations

import itertools
import json
import socket
import time
from collections import Counter
from pathlib import Path

import pytest

from fiscotool.consistency.observations import Incarnation, NodeIdentity, RunInfo
from fiscotool.errors import EnvironmentFailure
from fiscotool.observer.poll import Heard, Poller, PollTarget
from fiscotool.observer.recording import RecordingWriter, load_recording
from tests.observer.fake_chain import FakeNode, fake_nodes
from tests.support.ports import free_ports
from tests.support.until import until


def run_info(nodes: list[FakeNode]) -> RunInfo:
    return RunInfo(nodes=tuple(NodeIdentity(node.name, "") for node in nodes))


def gap_max_s(heard: list[Heard], name: str) -> float:
    times = [item.got_clock_s for item in heard if item.name == name]
    return max((b - a for a, b in itertools.pairwise(times)), default=0.0)


def test_a_healthy_chain_is_recorded_with_every_block_of_every_node(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with fake_nodes() as nodes:
        with RecordingWriter(path) as writer:
            writer.run(run_info(nodes))
            with Poller([node.target for node in nodes], 0.05, writer, lambda _name: Incarnation(7, 1.5)) as poller:
                until(lambda: len(poller.heard()) == 4)
                for node in nodes:
                    node.height = 9
                until(lambda: all(node.asked.count("getBlockByNumber") >= 10 for node in nodes))
        observations = load_recording(path)
    assert observations.problems == ()
    assert observations.ended_s is not None
    per_node = Counter(block.node for block in observations.blocks)
    assert per_node == {f"node{index}": 10 for index in range(4)}
    assert {block.number for block in observations.blocks} == set(range(10))
    for block in observations.blocks:
        assert block.recomputed_hash == block.block_hash
        assert block.number == 0 or sum(signature.is_valid for signature in block.signatures) >= 3
    last = [sample for sample in observations.samples if sample.node == "node2"][-1]
    assert (last.height, last.view, last.timeout, last.leader_index, last.connected_count) == (9, 3, False, 1, 4)
    assert (last.quorum_weight, last.node_count, last.is_syncing, last.pending_count) == (3, 4, False, 0)
    assert last.incarnation == Incarnation(7, 1.5)
    assert last.block_hash == nodes[0].blocks[9]["hash"][2:]


def test_equal_words_are_written_once(tmp_path: Path) -> None:
    """Four nodes tell the same block in the same words: one line has them, three refer to it."""
    path = tmp_path / "run.jsonl"
    with fake_nodes() as nodes, RecordingWriter(path) as writer:
        writer.run(run_info(nodes))
        with Poller([node.target for node in nodes], 0.05, writer):
            until(lambda: all(node.asked.count("getBlockByNumber") >= 6 for node in nodes))
    assert path.read_text().count('"signatureList"') == 6
    assert len(load_recording(path).blocks) == 24


def test_a_dead_and_a_frozen_node_delay_nobody(tmp_path: Path) -> None:
    heard: list[Heard] = []
    dead = PollTarget("dead", f"http://127.0.0.1:{free_ports(1)[0]}")
    with fake_nodes(2) as nodes:
        nodes[1].mode = "silent"
        with Poller([nodes[0].target, nodes[1].target, dead], 0.05, timeout_s=3.0, on_heard=heard.append):
            until(lambda: sum(item.name == "node1" for item in heard) >= 2)
            until(lambda: sum(item.name == "node0" for item in heard) >= 15)
    errors = {item.name: item.error for item in heard}
    assert errors["node0"] == ""
    assert errors["node1"].startswith("timeout")
    assert errors["dead"] == "refused: Connection refused"
    assert gap_max_s(heard, "node0") < 2.5, "the healthy node did not wait for the frozen one"
    assert all(item.got_clock_s - item.sent_clock_s < 8 for item in heard)


@pytest.mark.parametrize(
    ("mode", "error"),
    [("garbage", "malformed: not HTTP"), ("page", "malformed: getBlockNumber"), ("error", "error -32004: getBlockNumber")],
)
def test_nonsense_is_an_error_in_the_sample(mode: str, error: str) -> None:
    heard: list[Heard] = []
    with fake_nodes(1) as nodes:
        nodes[0].mode = mode
        with Poller([nodes[0].target], 0.05, on_heard=heard.append):
            until(lambda: len(heard) >= 2)
            assert heard[-1].error.startswith(error)
            assert heard[-1].values == {}
            nodes[0].mode = "ok"
            until(lambda: not heard[-1].error)
    assert heard[-1].values["height"] == 5


def test_a_node_that_cannot_be_connected_to_is_bounded() -> None:
    """A full accept queue: the connection is never made (a frozen node under many clients)."""
    heard: list[Heard] = []
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        with Poller([PollTarget("full", f"http://127.0.0.1:{port}")], 0.05, timeout_s=0.3, on_heard=heard.append):
            until(lambda: len(heard) >= 2)
        for filler in fillers:
            filler.close()
    assert all(item.error.startswith("timeout") for item in heard)


def test_a_restarted_node_is_caught_up_with(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    lives = {"node0": Incarnation(1, 1.0), "node1": Incarnation(2, 1.0)}
    with fake_nodes(2) as nodes:
        with RecordingWriter(path) as writer:
            writer.run(run_info(nodes))
            with Poller([node.target for node in nodes], 0.05, writer, lives.get) as poller:
                until(lambda: nodes[1].asked.count("getBlockByNumber") >= 6)
                nodes[1].mode = "garbage"
                nodes[0].height = 20
                until(lambda: bool(poller.heard()["node1"].error))
                lives["node1"] = Incarnation(3, 9.0)
                nodes[1].height, nodes[1].view, nodes[1].mode = 20, 0, "ok"
                until(lambda: nodes[1].asked.count("getBlockByNumber") >= 20)
                until(lambda: poller.heard()["node1"].incarnation == Incarnation(3, 9.0))
        observations = load_recording(path)
    assert {block.number for block in observations.blocks if block.node == "node1"} == set(range(21))
    seen = [sample for sample in observations.samples if sample.node == "node1" and sample.incarnation]
    assert [life.pid for life in dict.fromkeys(sample.incarnation for sample in seen if sample.incarnation)] == [2, 3]
    assert all(sample.view == 0 for sample in seen if sample.incarnation == Incarnation(3, 9.0))


def test_a_poll_across_a_restart_belongs_to_no_life() -> None:
    lives = iter([Incarnation(1, 1.0), Incarnation(1, 1.0), Incarnation(2, 2.0)])
    heard: list[Heard] = []
    with (
        fake_nodes(1) as nodes,
        Poller([nodes[0].target], 0.05, None, lambda _name: next(lives, Incarnation(2, 2.0)), on_heard=heard.append),
    ):
        until(lambda: len(heard) >= 4)
    assert [item.incarnation.pid if item.incarnation else None for item in heard[:4]] == [None, 1, None, 2]


def test_a_wiped_node_is_asked_for_its_blocks_again(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with fake_nodes(1) as nodes:
        with RecordingWriter(path) as writer, Poller([nodes[0].target], 0.05, writer) as poller:
            until(lambda: nodes[0].asked.count("getBlockByNumber") >= 6)
            nodes[0].height = 2
            until(lambda: poller.heard()["node0"].values.get("height") == 2)
            nodes[0].height = 5
            until(lambda: nodes[0].asked.count("getBlockByNumber") >= 9)
        numbers = Counter(block.number for block in load_recording(path).blocks)
    assert numbers == {0: 1, 1: 1, 2: 1, 3: 2, 4: 2, 5: 2}


def test_the_end_waits_for_missing_blocks_and_says_what_it_could_not_get(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with fake_nodes(3) as nodes:
        with RecordingWriter(path) as writer, Poller([node.target for node in nodes], 5.0, writer, complete_within_s=2.0) as poller:
            until(lambda: len(poller.heard()) == 3)
            until(lambda: all(node.asked.count("getBlockByNumber") >= 6 for node in nodes))
            nodes[0].height = 30  # Rises after the last poll on schedule; only the end can notice.
            nodes[1].height = 10_000  # Claims blocks it does not have.
            nodes[2].mode = "garbage"
        text = path.read_text()
        observations = load_recording(path)
    assert {block.number for block in observations.blocks if block.node == "node0"} == set(range(31))
    assert "node1: blocks 6 to 10000 were not told" in text
    assert "node2: it does not answer" in text
    assert observations.ended_s is not None


def test_stop_is_bounded_with_a_frozen_node(tmp_path: Path) -> None:
    with fake_nodes(1) as nodes, RecordingWriter(tmp_path / "run.jsonl") as writer:
        poller = Poller([nodes[0].target], 0.05, writer, timeout_s=0.5, complete_within_s=0.5)
        poller.start()
        until(lambda: bool(poller.heard()))
        nodes[0].mode = "silent"
        began_s = time.monotonic()
        poller.stop()
        assert time.monotonic() - began_s < 15


def test_a_full_disk_does_not_stop_the_watching(tmp_path: Path) -> None:
    with fake_nodes(1) as nodes, RecordingWriter(Path("/dev/full")) as writer:
        poller = Poller([nodes[0].target], 0.05, writer)
        poller.start()
        until(lambda: bool(poller.problem))
        before = len(nodes[0].asked)
        until(lambda: len(nodes[0].asked) > before + 10)
        with pytest.raises(EnvironmentFailure, match="the disk is full"):
            poller.stop()


def test_an_error_in_the_watched_block_is_not_hidden_by_the_end(tmp_path: Path) -> None:
    with (
        fake_nodes(1) as nodes,
        RecordingWriter(Path("/dev/full")) as writer,
        pytest.raises(ZeroDivisionError),
        Poller([nodes[0].target], 0.05, writer) as poller,
    ):
        until(lambda: bool(poller.problem))
        raise ZeroDivisionError


@pytest.mark.parametrize("lie", [0, 10**9], ids=["low", "high"])
def test_where_blocks_are_asked_from_is_not_for_one_liar_to_say(tmp_path: Path, lie: int) -> None:
    path = tmp_path / "run.jsonl"
    with fake_nodes() as nodes:
        for node in nodes:
            node.blocks = tuple(block | {"number": block["number"] + 500} for block in node.blocks)
            node.height = 520
        nodes[0].height = lie
        with RecordingWriter(path) as writer, Poller([node.target for node in nodes], 0.05, writer, complete_within_s=1.0):
            until(lambda: all("getBlockByNumber" in node.asked for node in nodes[1:]))
    first = {json.loads(body)["params"][2] for node in nodes[1:] for body in node.server.requests if b"getBlockByNumber" in body}
    assert min(first) == 420
