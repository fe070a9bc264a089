"""The commands that only ask work on a 2.x chain: its directory as `deploy` makes it, and its addresses; nodes answer as recorded.

The nodes are fakes on the directory's own ports: JSON-RPC as recorded from 2.9.1, and the channel port with the certificates deploy made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fiscotool.chain.model import Chain
from fiscotool.chain.read import read_chain
from fiscotool.cli import main as door
from fiscotool.rpc.channel.client import ChannelClient
from fiscotool.rpc.channel.words import BlockNotice
from fiscotool.rpc.client2 import NodeClient2
from fiscotool.rpc.tls import TlsFiles
from tests.drills.pool_node import PoolNode
from tests.rpc import channel_server
from tests.rpc.channel_server import ChannelServer
from tests.support.ports import free_ports
from tests.support.until import until


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A 2.x chain of one node, made natively for a program that only tells its version."""
    home = tmp_path_factory.mktemp("old")
    stub = home / "fisco-bcos"
    stub.write_text('#!/bin/sh\necho "FISCO-BCOS Version : 2.9.1"\n')
    stub.chmod(0o755)
    ports = ",".join(str(port) for port in free_ports(3))
    made = home / "nodes"
    asked = ["deploy", "-l", "127.0.0.1:1", "-e", str(stub), "-v", "2.9.1", "-p", ports, "--maker", "native", "-o", str(made)]
    assert door.run(asked) == 0
    return made


@pytest.fixture(scope="module")
def chain(directory: Path) -> Chain:
    return read_chain(directory)


@pytest.fixture
def node(chain: Chain) -> Iterator[PoolNode]:
    fake = PoolNode("node0", 0, chain.nodes[0].rpc_port)
    yield fake
    fake.stop()


def answer_of(arguments: list[str], capsys: pytest.CaptureFixture[str], *, code: int = 0) -> Any:
    """What a command prints as JSON."""
    capsys.readouterr()
    ended = door.run([*arguments, "--json"])
    out, err = capsys.readouterr()
    assert ended == code, err
    return json.loads(out) if out.strip() else err


@pytest.fixture(params=["--dir", "--rpc"])
def where(request: pytest.FixtureRequest, directory: Path, chain: Chain) -> list[str]:
    """The chain by its directory, and by an address."""
    return [request.param, str(directory) if request.param == "--dir" else f"127.0.0.1:{chain.nodes[0].rpc_port}"]


def test_status(node: PoolNode, where: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    node.leader_failed = True
    told = json.dumps(answer_of(["status", *where], capsys))
    assert '"height": 5' in told
    assert '"view": 3' in told
    assert '"timeout": true' in told


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (["height"], 5),
        (["view"], 3),
    ],
)
def test_query_numbers(node: PoolNode, where: list[str], what: list[str], expected: int, capsys: pytest.CaptureFixture[str]) -> None:
    del node
    assert answer_of(["query", *what, *where], capsys) == expected


def test_query_objects(node: PoolNode, where: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    consensus = answer_of(["query", "consensus", *where], capsys)
    assert (consensus["height"], consensus["leader_index"], consensus["change_cycle"]) == (5, 0, None)
    block = answer_of(["query", "block", "4", *where], capsys)
    assert block["block_hash"] == node.blocks[4]["hash"]
    assert len(block["signatures"]) == 3
    assert answer_of(["query", "version", *where], capsys)["version"] == "2.9.1"
    assert answer_of(["query", "sync", *where], capsys)["known_highest"] == 5
    for what, words in (("consensus", "0 ("), ("sync", "highest known"), ("version", "2.9.1")):
        assert door.run(["query", what, *where]) == 0
        assert words in capsys.readouterr().out
    assert door.run(["query", "block", "99", *where]) == 4
    assert "no block of this number" in capsys.readouterr().err


def test_rpc_with_parameters_of_2x(node: PoolNode, where: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    del node
    capsys.readouterr()
    assert door.run(["rpc", "getBlockNumber", "1", *where]) == 0
    assert json.loads(capsys.readouterr().out) == "0x5"
    assert door.run(["rpc", "getBlockNumber", "7", *where]) == 4
    assert "does not run a group of this number" in capsys.readouterr().err


def test_watch_observe_and_check(node: PoolNode, where: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert door.run(["watch", "--for", "1", *where]) == 0
    assert "h5" in capsys.readouterr().out.replace(" ", "")
    out = tmp_path / "run.jsonl"
    assert door.run(["observe", "--out", str(out), "--for", "1s", "--every", "100ms", *where]) == 0
    first = json.loads(out.read_text().splitlines()[0])
    assert first["generation"] == 2
    heights = {json.loads(line)["height"] for line in out.read_text().splitlines() if '"kind":"poll"' in line}
    assert heights == {5}
    capsys.readouterr()
    assert door.run(["check", str(out)]) in (0, 5), "nothing is violated; much cannot be told of one quiet node"
    assert node.asked.count("getConsensusStatus") > 3


def test_send(node: PoolNode, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = answer_of(["send", "--count", "5", "--dir", str(directory)], capsys)
    assert (told["submitted"], told["committed"], told["unknown"]) == (5, 5, 0)
    assert {item["hash"] for item in told["transactions"]} == {tx_hash.removeprefix("0x") for tx_hash in node.block_of.values()}
    refused = answer_of(["send", "--kind", "web3", "--dir", str(directory)], capsys, code=2)
    assert "Ethereum JSON-RPC" in refused


def test_the_channel_with_the_certificates_of_the_directory(chain: Chain) -> None:
    home = chain.nodes[0]
    heights: list[BlockNotice] = []
    with (
        ChannelServer(home.directory / "conf" / "channel_cert", port=home.channel_port) as server,
        ChannelClient(f"127.0.0.1:{home.channel_port}", TlsFiles.from_sdk(home.sdk_directory), on_block=heights.append) as channel,
    ):
        until(lambda: heights == [BlockNotice("1", 7)])
        server.push(channel_server.block_notice(1, 8))
        until(lambda: heights[-1] == BlockNotice("1", 8))
        assert NodeClient2("channel://node0", transport=channel).block_number() == 7
