"""`status` and `query` on real nodes of both generations, as recorded: asked by address, answered by what the real node answered."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from fiscotool.cli import main as door
from tests.rpc.fake_server import Behaviour, FakeServer, http_answer, recorded, recorded_behaviour, serving
from tests.rpc.recorded2 import READS, recorded_behaviour2, rows2


def knowing_no_more(behaviour: Behaviour) -> Behaviour:
    """What was not recorded is answered as the 3.x node answers a method it does not have (recorded, too)."""
    text = "The method does not exist/is not available."

    def behave(body: bytes, connection: socket.socket) -> bytes | None:
        try:
            return behaviour(body, connection)
        except KeyError:
            return http_answer(
                json.dumps({"error": {"code": -32601, "message": text}, "id": json.loads(body)["id"], "jsonrpc": "2.0"}).encode()
            )

    return behave


@pytest.fixture(scope="module")
def node3() -> Iterator[FakeServer]:
    """Node 0 of the recorded 3.16.4 chain, with blocks."""
    rows = [row for row in recorded("read_methods_genesis", "read_methods_with_blocks") if row["api"] == "fisco"]
    with serving(knowing_no_more(recorded_behaviour(rows))) as server:
        yield server


@pytest.fixture(scope="module")
def node2() -> Iterator[FakeServer]:
    """Node 0 of the recorded 2.9.1 chain at height 1."""
    with serving(recorded_behaviour2([row for row in rows2(READS[1]) if row["node"] == 0])) as server:
        yield server


@pytest.fixture(params=["3.x", "2.x"])
def node(request: pytest.FixtureRequest) -> FakeServer:
    server: FakeServer = request.getfixturevalue("node3" if request.param == "3.x" else "node2")
    return server


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert door.run(words) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def test_status(node: FakeServer, capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = json.loads(said(capsys, "status", "--json", "--rpc", node.url))
    assert row["state"] == "answers"
    assert row["sealers"] == 4
    assert row["quorum"] == 3
    assert row["height"] >= 0
    assert door.run(["status", "--rpc", node.url]) == 0
    assert "1 of 4 nodes take part, 3 are needed; 3 are not among these addresses" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["view", "height", "consensus", "sync", "sealers", "peers", "pending", "total", "version", "block 1"])
def test_query_in_words_and_json(node: FakeServer, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads(said(capsys, "query", *what.split(), "--json", "--rpc", node.url))
    assert data is not None
    text = said(capsys, "query", *what.split(), "--rpc", node.url)
    assert text.strip()
    assert "None" not in text
    assert "{" not in text, "lists and objects are shown as tables"
    assert max(len(line) for line in text.splitlines()) <= 200
