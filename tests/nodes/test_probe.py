"""What the readiness probe makes of every kind of answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fiscotool.chain.model import NodeHome
from fiscotool.nodes.probe import probe_rpc
from tests.support.ports import free_ports


def node_at(port: int) -> NodeHome:
    return NodeHome("node0", Path("/nowhere"), "127.0.0.1", 1, port, 3, web3_enabled=False, rpc_tls=False, node_id="", p2p_id="")


@contextmanager
def answering(answer: bytes | None) -> Iterator[NodeHome]:
    """A server that reads one request and answers so; None: never."""
    (port,) = free_ports(1)
    over = threading.Event()

    def serve(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            if answer is None:
                over.wait(30)
            else:
                connection.sendall(answer)
                # Closing with something unread would reset the connection and throw away the answer.
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass

    with socket.create_server(("127.0.0.1", port)) as server:
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        yield node_at(port)
        over.set()
        thread.join(30)


def http(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


@pytest.mark.parametrize(
    ("answer", "fact"),
    [
        pytest.param(http(b'{"id":1,"jsonrpc":"2.0","result":{}}'), "", id="a result"),
        pytest.param(http(b'{"id":1,"jsonrpc":"2.0","error":{"code":-32601}}'), "", id="an error of JSON-RPC is an answer"),
        pytest.param(http(b'{"id":1,"jsonrpc":"2.0","error":{"code":-40010}}'), "not finished starting", id="2.x starting"),
        pytest.param(http(b'{"id":1,"jsonrpc":"2.0","error":{"code":-32004}}'), "not finished starting", id="3.x starting"),
        pytest.param(http(b"<html>"), "not with JSON", id="a web server"),
        pytest.param(http(b"[" * 200_000), "not with JSON", id="nesting without end"),
        pytest.param(http(b"[]"), "not as JSON-RPC", id="other JSON"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", "does not answer", id="another protocol"),
        pytest.param(b"", "does not answer", id="closed without a word"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", "not with JSON", id="half an answer"),
    ],
)
def test_answers(answer: bytes, fact: str) -> None:
    with answering(answer) as node:
        told = probe_rpc(node)
    assert (fact in told) if fact else told == ""


def test_no_answer_ends_in_time() -> None:
    with answering(None) as node:
        assert "timed out" in probe_rpc(node, within_s=0.2)


def test_nobody_there() -> None:
    (port,) = free_ports(1)
    assert "Connection refused" in probe_rpc(node_at(port))
