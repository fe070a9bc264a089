"""Nodes that restart in the middle of a call, chains of mixed versions, and answers that belong to nobody: what the clients say."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from fiscotool.errors import MalformedAnswer, OutcomeUnknown, Refused, RpcError, Unreachable
from fiscotool.rpc.any_client import AnyClient
from fiscotool.rpc.client import NodeClient
from fiscotool.rpc.client2 import NodeClient2
from fiscotool.rpc.neutral import NodeReader
from fiscotool.rpc.refusals2 import AskedAs3x
from tests.observer.fake_chain2 import FakeNode2
from tests.rpc import fake_server as fake
from tests.support.ports import free_ports

TX = "0x" + "ab" * 32


def height_answer(body: bytes, _connection: socket.socket) -> bytes:
    """Answers in the dialect it is asked in."""
    asked = json.loads(body)
    if asked["method"] == "getClientVersion":
        return fake.result_answer(body, {"FISCO-BCOS Version": "2.9.1", "Supported Version": "2.9.0", "Chain Id": "1"})
    if asked["method"] == "getGroupList":
        return fake.result_answer(body, [1])
    return fake.result_answer(body, "0x7" if asked["params"] == [1] else 7)


MAKERS: list[Any] = [
    pytest.param(lambda url: NodeClient(url, name="node0", timeout_s=3), id="3.x"),
    pytest.param(lambda url: NodeClient2(url, name="node0", timeout_s=3), id="2.x"),
    pytest.param(lambda url: AnyClient(url, name="node0", timeout_s=3), id="asked"),
]


@pytest.mark.parametrize("make", MAKERS)
def test_a_node_that_restarts_in_the_middle_of_a_call(make: Callable[[str], NodeReader]) -> None:
    """Answered; then it dies with a call on the wire; then nobody listens; then it is back on the same port."""
    port = free_ports(1)[0]
    dying = threading.Event()

    def die(body: bytes, connection: socket.socket) -> bytes | None:
        if not dying.is_set():
            return height_answer(body, connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        connection.close()
        return None

    with make(f"http://127.0.0.1:{port}") as client:
        with fake.serving(die, port=port) as server:
            assert client.block_number() == 7
            dying.set()
            with pytest.raises(OutcomeUnknown, match="node0 closed the connection without an answer to getBlockNumber"):
                client.block_number()
            asked = sum(json.loads(body)["method"] == "getBlockNumber" for body in server.requests)
            assert asked == 3, "a read is asked once more over a new connection, and then given up"
            with pytest.raises(OutcomeUnknown) as caught:
                client.submit("0x00", tx_hash=TX)
            assert caught.value.tx_hash == TX
            assert sum(b"end" in body for body in server.requests) == 1, "a transaction never is"
        with pytest.raises(Unreachable, match="node0 cannot be reached"):
            client.block_number()
        with fake.serving(height_answer, port=port):
            assert client.block_number() == 7


@pytest.mark.parametrize(
    ("told_id", "words"),
    [("2", "id '2' instead of 1"), (None, "id None instead of 1"), (True, "id True instead of 1"), (7, "id 7 instead of 1")],
)
@pytest.mark.parametrize("make", MAKERS[:2])
def test_answers_to_other_requests(make: Callable[[str], NodeReader], told_id: Any, words: str) -> None:
    body = json.dumps({"id": told_id, "jsonrpc": "2.0", "result": "0x7"}).encode()
    with (
        fake.serving(lambda _b, _c: fake.http_answer(body)) as server,
        make(server.url) as client,
        pytest.raises(MalformedAnswer, match=words),
    ):
        client.block_number()


def test_a_2x_node_in_a_directory_of_3x_is_named() -> None:
    node = FakeNode2("node0", 0)
    real = {
        "getBlockNumber": "INVALID_PARAMS: Invalid method parameters (invalid name and/or type) recognised",
        "getGroupInfoList": "METHOD_NOT_FOUND: The method being requested is not available on this server",
    }

    def as_recorded(body: bytes, _connection: socket.socket) -> bytes:
        error = {"code": -32602, "message": real[json.loads(body)["method"]]}
        return fake.http_answer(json.dumps({"error": error, "id": json.loads(body)["id"], "jsonrpc": "2.0"}).encode())

    node.server.behaviour = as_recorded
    try:
        with NodeClient(node.server.url, name="node0") as client:
            for ask in (client.block_number, client.group_infos):
                with pytest.raises(AskedAs3x, match=r"is of 2\.x and was asked in the words of 3\.x") as caught:
                    ask()
                assert "--group 1" in caught.value.hint
    finally:
        node.stop()


def test_a_3x_node_in_a_directory_of_2x_is_named() -> None:
    with fake.serving(lambda body, _c: fake.result_answer(body, 7)) as server, NodeClient2(server.url, name="node0") as client:
        with pytest.raises(MalformedAnswer, match="unexpected shape") as caught:
            client.block_number()
        assert "another version than 2.x" in caught.value.hint


def test_a_code_nobody_documented_keeps_the_nodes_words() -> None:
    answer = {"error": {"code": -49999, "message": "new in 2.12"}, "id": 1, "jsonrpc": "2.0"}
    for make in (NodeClient, NodeClient2):
        with fake.serving(lambda _b, _c: fake.http_answer(json.dumps(answer).encode())) as server, make(server.url) as client:
            with pytest.raises(Refused, match=r"new in 2\.12") as caught:
                client.block_number()
            assert isinstance(caught.value, RpcError)
            assert caught.value.code == -49999
