"""Sockets that obey one deadline for a whole exchange, whatever the server does.

A timeout per read is not a bound: a server that sends one byte a second keeps a client of `requests` for hours. These sockets set
their timeout anew before each read and write, to what is left until the deadline of the calling thread.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_LEAST_S = 0.001


class _Deadline(threading.local):
    """Of this thread, in seconds of time.monotonic; None: the socket's own timeout holds."""

    at_s: float | None = None


_now = _Deadline()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Bound everything this thread does with the sockets below, until the block ends, to `seconds` in all."""
    before = _now.at_s
    _now.at_s = time.monotonic() + seconds
    try:
        yield
    finally:
        _now.at_s = before


def _arm(endpoint: socket.socket) -> None:
    if _now.at_s is not None:
        left_s = _now.at_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the deadline of the exchange has passed")
        endpoint.settimeout(max(left_s, _LEAST_S))


class DeadlineSocket(socket.socket):
    """A TCP socket under the thread's deadline."""

    def recv_into(self, *given: Any, **named: Any) -> int:
        """As socket.recv_into."""
        _arm(self)
        return super().recv_into(*given, **named)

    def sendall(self, *given: Any, **named: Any) -> None:
        """As socket.sendall."""
        _arm(self)
        super().sendall(*given, **named)


class DeadlineSSLSocket(ssl.SSLSocket):
    """A TLS socket under the thread's deadline."""

    def recv_into(self, *given: Any, **named: Any) -> int:
        """As ssl.SSLSocket.recv_into."""
        _arm(self)
        return super().recv_into(*given, **named)

    def do_handshake(self, *given: Any, **named: Any) -> None:
        """As ssl.SSLSocket.do_handshake."""
        _arm(self)
        super().do_handshake(*given, **named)


def adopt(plain: socket.socket) -> DeadlineSocket:
    """The same connection as a DeadlineSocket; `plain` is spent."""
    left_s = plain.gettimeout()
    adopted = DeadlineSocket(plain.family, plain.type, plain.proto, fileno=plain.detach())
    adopted.settimeout(left_s)
    return adopted
