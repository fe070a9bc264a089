"""A node's channel port: real TLS on this machine, the framing of spec 2.x 2.4, answers as recorded over HTTP, and misbehaviour on demand.

Frames are read and written here with `struct`, not with the code under test.
"""

from __future__ import annotations

import json
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.ports import free_ports

HEADER = struct.Struct(">IH32si")
RPC, HEARTBEAT, HANDSHAKE, SUBSCRIBE, TX_NOTIFY, BLOCK_NOTIFY = 0x12, 0x13, 0x14, 0x32, 0x1000, 0x1001
TX_HASH = "0x" + "5a" * 32


def frame(kind: int, seq: bytes, data: bytes, result: int = 0) -> bytes:
    """The bytes of a frame."""
    return HEADER.pack(HEADER.size + len(data), kind, seq, result) + data


def block_notice(group: int, number: int, protocol: int = 3) -> bytes:
    """A notice about a block, as the node pushes it."""
    topic = f"_block_notify_{group}".encode()
    payload = f"{group},{number}".encode() if protocol == 1 else json.dumps({"blockNumber": number, "groupID": group}).encode() + b"\n"
    return frame(BLOCK_NOTIFY, b"0" * 32, bytes([len(topic) + 1]) + topic + payload)


def tls_server_context(sdk: Path) -> ssl.SSLContext:
    """TLS 1.2, the client must present a certificate of the chain's CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(sdk / "node.crt", sdk / "node.key")
    context.load_verify_locations(sdk / "ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


class OneAtATime(ssl.SSLSocket):
    """A connection that one thread reads while others push: OpenSSL's objects bear only one user at a time."""

    @property
    def _turn(self) -> threading.RLock:
        turn: threading.RLock = self.__dict__.setdefault("_its_turn", threading.RLock())
        return turn

    def send(self, data: Any, flags: int = 0) -> int:
        """See ssl.SSLSocket."""
        with self._turn:
            return super().send(data, flags)

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        """See ssl.SSLSocket. Waits for bytes before it takes its turn."""
        if not self.pending() and not select.select([self], [], [], self.gettimeout())[0]:
            raise TimeoutError
        with self._turn:
            return super().recv_into(buffer, nbytes, flags)


class ChannelServer:
    """One node. `take(kind, seq, data, connection)` may be replaced; it returns True when it has dealt with a frame itself."""

    def __init__(self, sdk: Path, *, port: int = 0, protocol: int = 3, curve: str = "") -> None:
        self.port = port or free_ports(1)[0]
        self.address = f"127.0.0.1:{self.port}"
        self.protocol = protocol
        self.height = 7
        self.heard: list[tuple[int, bytes]] = []
        self.connections: list[ssl.SSLSocket] = []
        self.subscribed = threading.Event()
        self.answer_heartbeats = True
        self.receipt: dict[str, Any] | None = {"transactionHash": TX_HASH, "status": "0x0", "blockNumber": "0x8", "blockHash": "0x01"}
        self.take: Callable[[int, bytes, bytes, ssl.SSLSocket], bool] = lambda *_: False
        self._context = tls_server_context(sdk)
        self._context.sslsocket_class = OneAtATime
        if curve:
            self._context.set_ecdh_curve(curve)
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=16)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop listening and end all connections, as a killed node does."""
        self._over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()
        self._thread.join(5)

    def drop(self) -> None:
        """End all connections; new ones are taken."""
        while self.connections:
            with suppress(OSError):
                self.connections.pop().shutdown(socket.SHUT_RDWR)

    def push(self, data: bytes) -> None:
        """Send to everyone, as it is."""
        for connection in list(self.connections):
            connection.sendall(data)

    def kinds(self) -> list[int]:
        """Types of the frames heard so far."""
        return [kind for kind, _ in self.heard]

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(20)
        try:
            connection = self._context.wrap_socket(plain, server_side=True)
        except OSError:
            plain.close()
            return
        self.connections.append(connection)
        with connection, suppress(OSError):
            stream = connection.makefile("rb")
            while len(head := stream.read(HEADER.size)) == HEADER.size:
                length, kind, seq, _ = HEADER.unpack(head)
                data = stream.read(length - HEADER.size)
                self.heard.append((kind, data))
                if not self.take(kind, seq, data, connection):
                    self._answer(kind, seq, data, connection)

    def _answer(self, kind: int, seq: bytes, data: bytes, connection: ssl.SSLSocket) -> None:
        if kind == HANDSHAKE:
            told = json.dumps({"protocol": self.protocol, "nodeVersion": "2.9.0"}).encode() + b"\n"
            connection.sendall(frame(HANDSHAKE, seq, told))
        elif kind == HEARTBEAT and self.answer_heartbeats:
            connection.sendall(frame(HEARTBEAT, seq, b"1" if self.protocol == 1 else b'{"heartBeat":1}\n'))
        elif kind == SUBSCRIBE:
            self.subscribed.set()
        elif kind == RPC:
            asked = json.loads(data)
            result: Any = hex(self.height) if asked["method"] == "getBlockNumber" else TX_HASH
            told = json.dumps({"id": asked["id"], "jsonrpc": "2.0", "result": result}).encode() + b"\n"
            connection.sendall(frame(RPC, seq, told))
            if asked["method"] == "sendRawTransaction" and self.receipt is not None:
                connection.sendall(frame(TX_NOTIFY, seq, json.dumps(self.receipt).encode()))
