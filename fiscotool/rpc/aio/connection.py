"""One keep-alive HTTP/1.1 connection to a node: one exchange at a time, as few steps per exchange as asyncio allows.

Rule 1. `exchange` is told of exactly one outcome: an answer or a Failure. A connection that failed is never used again.
Rule 2. No task, future or timer is made here; whoever wants a bound keeps one and calls `abandon`.
Rule 3. A Failure says what kind it is: "refused" nothing was sent; "timeout", "closed" it was sent and no answer came; "malformed"
        something else came.

Parsing is httptools' (llhttp); headers are not looked at.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import httptools

from fiscotool.errors import UsageError
from fiscotool.rpc.codec import RawAnswer
from fiscotool.rpc.tls import TlsFiles, client_context

FailureKind = Literal["refused", "timeout", "closed", "malformed"]
_ANSWER_BYTES_MAX: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer."""

    kind: FailureKind
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}" if self.detail else self.kind


@dataclass(frozen=True, slots=True)
class Address:
    """Where a node's RPC is. `context`: for TLS."""

    host: str
    port: int
    context: ssl.SSLContext | None = None

    @classmethod
    def of(cls, url: str, tls: TlsFiles | None = None) -> Address:
        """The address in a URL. Raises UsageError for what is none, EnvironmentFailure for certificates that cannot be used."""
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = None
        if parts.scheme not in ("http", "https") or not parts.hostname or not port:
            raise UsageError(f"{url!r} is not the URL of a node's RPC", hint="write it as http://HOST:PORT or https://HOST:PORT")
        if parts.scheme == "http":
            return cls(parts.hostname, port)
        if tls is None:
            raise UsageError(f"{url} is reached over TLS, and no certificates were given", hint="give the chain's sdk directory")
        return cls(parts.hostname, port, client_context(tls))

    def http_request(self, body: bytes) -> bytes:
        """The bytes of a request with `body`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        head = f"POST / HTTP/1.1\r\nHost: {host}:{self.port}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body


Outcome = RawAnswer | Failure
Done = Callable[[Outcome], None]


class HttpConnection(asyncio.Protocol):
    """A connection that was made. `is_free`: another exchange may begin."""

    __slots__ = ("_body", "_complete", "_done", "_has_begun", "_parser", "_parts", "_size_bytes", "_stays", "_transport", "is_open")

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser: Any = httptools.HttpResponseParser(self)
        self._done: Done | None = None
        self._parts: list[bytes] = []
        self._size_bytes = 0
        self._complete = self._has_begun = False
        self._stays = True
        self.is_open = False

    @property
    def is_free(self) -> bool:
        """Whether the connection stands and no exchange is under way."""
        return self.is_open and self._done is None

    def exchange(self, request: bytes, done: Done) -> None:
        """Send the bytes of a request and have `done` called once, from the loop, with the answer or the failure."""
        if not self.is_free or self._transport is None:
            raise RuntimeError("this connection is closed or has an exchange under way")
        self._done = done
        self._transport.write(request)

    def abandon(self, failure: Failure | None = None) -> None:
        """Close at once; an exchange under way ends with `failure`, or is forgotten."""
        done, self._done = self._done, None
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()
        if done is not None and failure is not None:
            done(failure)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = transport  # type: ignore[assignment]
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        """Bytes of an answer."""
        self._has_begun = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as problem:
            self.abandon(Failure("malformed", f"not HTTP: {problem or type(problem).__name__} ({data[:40]!r})"))
            return
        if self._complete:
            self._finish()
        elif self._size_bytes > _ANSWER_BYTES_MAX:
            self.abandon(Failure("malformed", f"an answer of more than {_ANSWER_BYTES_MAX >> 20} MiB"))

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side closed, or the system did."""
        self.is_open = False
        if self._done is not None:
            done, self._done = self._done, None
            if self._has_begun:
                done(Failure("malformed", f"the connection ended in the middle of an answer ({self._size_bytes} bytes of its body)"))
            else:
                done(Failure("closed", str(exc) if exc else "the connection was closed without an answer"))

    def _finish(self) -> None:
        answer = RawAnswer(self._parser.get_status_code(), b"".join(self._parts))
        self._parts.clear()
        self._complete = self._has_begun = False
        self._size_bytes = 0
        if not self._stays:
            self.is_open = False
            if self._transport is not None:
                self._transport.close()
        done, self._done = self._done, None
        if done is not None:
            done(answer)

    # httptools callbacks

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._parts.append(body)
        self._size_bytes += len(body)

    def on_message_complete(self) -> None:
        """The answer is whole. The parser knows only now whether the connection stays."""
        self._complete = True
        self._stays = self._parser.should_keep_alive()


async def connect(address: Address) -> HttpConnection:
    """A new connection. Raises OSError (refused, unreachable) or ssl.SSLError; waits as long as the system does: bound it."""
    loop = asyncio.get_running_loop()
    name = address.host if address.context is not None else None
    _, protocol = await loop.create_connection(HttpConnection, address.host, address.port, ssl=address.context, server_hostname=name)
    return protocol
