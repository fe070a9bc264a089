"""Servers that answer as recorded, or badly: real sockets on this machine, each request answered by a function.

A behaviour gets the request's body and the connection, and either returns the bytes of an HTTP answer or does what it likes with the
connection and returns None.
"""

from __future__ import annotations

import json
import lzma
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.ports import free_ports
from tests.support.shared import shared

Behaviour = Callable[[bytes, "socket.socket"], bytes | None]


def http_answer(body: bytes, *, status: str = "200 OK", content_type: str = "application/json", length: int | None = None) -> bytes:
    """Bytes of an HTTP answer as the real node's Boost.Beast writes them."""
    size = len(body) if length is None else length
    head = f"HTTP/1.1 {status}\r\nServer: Boost.Beast/357\r\nContent-Type: {content_type}\r\nContent-Length: {size}\r\n\r\n"
    return head.encode() + body


def result_answer(request: bytes, result: Any) -> bytes:
    """An answer with `result`, under the request's id."""
    return http_answer(json.dumps({"id": json.loads(request)["id"], "jsonrpc": "2.0", "result": result}).encode())


class FakeServer:
    """A listening server. `requests` are the bodies it was sent; `behaviour` may be replaced while it runs."""

    def __init__(self, behaviour: Behaviour, *, port: int | None = None, context: ssl.SSLContext | None = None) -> None:
        self.behaviour = behaviour
        self.requests: list[bytes] = []
        self.connection_count = 0
        self.closing = threading.Event()
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                outer.connection_count += 1
                try:
                    outer.serve(self.request)
                except OSError:
                    return

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            request_queue_size = 512
            block_on_close = False

            def get_request(self) -> tuple[Any, Any]:
                plain, address = super().get_request()
                if context is None:
                    return plain, address
                plain.settimeout(5)
                return context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False), address

            def shutdown_request(self, request: Any) -> None:
                self.close_request(request)

        self.port = port if port is not None else free_ports(1)[0]
        self._server = Server(("127.0.0.1", self.port), Handler)
        self.url = f"{'http' if context is None else 'https'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def serve(self, connection: socket.socket) -> None:
        """Answer requests on one connection until it ends."""
        stream = connection.makefile("rb")
        with stream:
            while not self.closing.is_set():
                size = -1
                while (line := stream.readline()) not in (b"\r\n", b""):
                    name, _, value = line.partition(b":")
                    if name.lower() == b"content-length":
                        size = int(value)
                if size < 0:
                    return
                body = stream.read(size)
                self.requests.append(body)
                answer = self.behaviour(body, connection)
                if answer is None:
                    return
                connection.sendall(answer)

    def stop(self) -> None:
        """Stop listening; open connections end with their clients."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


@contextmanager
def serving(behaviour: Behaviour, *, port: int | None = None, context: ssl.SSLContext | None = None) -> Iterator[FakeServer]:
    """A FakeServer for the length of a block."""
    server = FakeServer(behaviour, port=port, context=context)
    try:
        yield server
    finally:
        server.stop()


# Bad behaviours


def silent(server_done: threading.Event) -> Behaviour:
    """Never answers; ends when `server_done` is set."""

    def behave(_body: bytes, _connection: socket.socket) -> bytes | None:
        server_done.wait(30)
        return None

    return behave


def half(body: bytes, connection: socket.socket) -> bytes | None:
    """Half of a proper answer, then the end."""
    whole = result_answer(body, 7)
    connection.sendall(whole[: len(whole) - 10])
    connection.shutdown(socket.SHUT_RDWR)
    return None


def garbage(_body: bytes, connection: socket.socket) -> bytes | None:
    """Bytes of another protocol, then the end."""
    connection.sendall(b"\x16\x03\x01SSH-2.0-OpenSSH_9.2\r\n")
    connection.shutdown(socket.SHUT_RDWR)
    return None


def hang_up(_body: bytes, connection: socket.socket) -> bytes | None:
    """The connection ends without an answer."""
    connection.shutdown(socket.SHUT_RDWR)
    return None


def web_page(_body: bytes, _connection: socket.socket) -> bytes | None:
    """A web server's page."""
    page = b"<html><head><title>404 Not Found</title></head><body>nginx</body></html>"
    return http_answer(page, status="404 Not Found", content_type="text/html")


def trickle(server_done: threading.Event) -> Behaviour:
    """A byte of the status line every 50 ms, for ever."""

    def behave(_body: bytes, connection: socket.socket) -> bytes | None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not server_done.wait(0.05):
            connection.sendall(b"a")
        return None

    return behave


# Recorded answers


def recorded(*names: str) -> list[dict[str, Any]]:
    """Rows of recordings/v3/rpc/<name>.jsonl.xz."""
    rows: list[dict[str, Any]] = []
    for name in names:
        with lzma.open(shared("recordings", "v3", "rpc", f"{name}.jsonl.xz"), "rt") as lines:
            rows += [json.loads(line) for line in lines]
    return rows


def key_of(request: bytes | str) -> str:
    """What a request asks, whatever its id."""
    asked = json.loads(request)
    return json.dumps([asked["method"], asked["params"]], sort_keys=True)


def recorded_behaviour(rows: list[dict[str, Any]]) -> Behaviour:
    """Answers what node 0 answered to the same question, under the id of the request."""
    answers = {key_of(row["request"]): row["response_raw"] for row in rows}

    def behave(body: bytes, _connection: socket.socket) -> bytes | None:
        raw = answers[key_of(body)]
        request_id = json.loads(body)["id"]
        return http_answer(raw.replace('"id":1,', f'"id":{request_id},', 1).encode("utf-8", "surrogatepass"))

    return behave
