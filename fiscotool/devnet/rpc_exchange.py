"""What the HTTP server and the methods behind it exchange: a body comes in, an answer or the promise of one goes out.

The headers are the real node's (recorded with every answer), but for `Server`, which says what this is.

Sources: recordings rpc/*.jsonl.xz (response_headers); spec 3.x 2.1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

__all__ = [
    "BAD_REQUEST",
    "CONTINUE",
    "MANNERS3",
    "SERVER_ERROR",
    "TIMED_OUT",
    "TOO_LARGE",
    "Answer",
    "Handler",
    "HttpLimits",
    "Manners",
    "Manners3",
    "Pending",
    "Waiting",
    "no_content",
    "refusal",
    "rendered",
]

_COMMON: Final = (
    b"Server: fiscotool\r\n"
    b"Content-Type: application/json\r\n"
    b"%b"
    b"Access-Control-Allow-Origin: *\r\n"
    b"Access-Control-Allow-Methods: GET, POST, OPTIONS\r\n"
    b"Access-Control-Allow-Headers: Content-Type, Authorization, X-Requested-With\r\n"
    b"Access-Control-Max-Age: 86400\r\n"
    b"Access-Control-Allow-Credentials: true\r\n"
    b"Content-Length: "
)
_OPEN: Final = _COMMON % b""
_CLOSE: Final = _COMMON % b"Connection: close\r\n"
_OK_OPEN: Final = b"HTTP/1.1 200 OK\r\n" + _OPEN
_OK_CLOSE: Final = b"HTTP/1.1 200 OK\r\n" + _CLOSE
_NO_CONTENT_OPEN: Final = b"HTTP/1.1 204 No Content\r\n" + _OPEN + b"0\r\n\r\n"
_NO_CONTENT_CLOSE: Final = b"HTTP/1.1 204 No Content\r\n" + _CLOSE + b"0\r\n\r\n"

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
BAD_REQUEST: Final = b"400 Bad Request"
SERVER_ERROR: Final = b"500 Internal Server Error"
TOO_LARGE: Final = b"413 Content Too Large"
TIMED_OUT: Final = b"408 Request Timeout"


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """What a client may use up. The body limit is the real node's default of `web3_rpc.request_body_size_limit`."""

    body_bytes_max: int = 10_240_000
    header_bytes_max: int = 16 * 1024
    request_s: float = 30.0
    idle_s: float = 600.0
    stalled_write_s: float = 30.0
    connections_max: int = 8192
    pipelined_max: int = 256
    sweep_s: float = 1.0

    def problem_of(self, body_bytes: int, received_bytes: int) -> bytes:
        """Why a request of which so much has come is refused; empty when it is not."""
        if body_bytes > self.body_bytes_max or received_bytes > 2 * self.body_bytes_max:
            return b"the body of the request is too large: %d bytes are allowed" % self.body_bytes_max
        if not body_bytes and received_bytes > self.header_bytes_max:
            return b"the headers of the request are too long"
        return b""


class Pending:
    """An answer that is not there yet. Whoever made it calls `complete` once; the connection sets `deliver`."""

    __slots__ = ("answer", "deliver")

    def __init__(self) -> None:
        self.answer: bytes | None = None
        self.deliver: Callable[[], None] | None = None

    def complete(self, answer: bytes) -> None:
        """Here is the answer."""
        self.answer = answer
        if self.deliver is not None:
            self.deliver()


Answer = bytes | Pending
Handler = Callable[[bytes], Answer]
"""Takes the body of a request (empty when there is none) and never raises for anything a client sent."""


class Waiting:
    """A request whose answer, or whose turn, is still to come."""

    __slots__ = ("answer", "has_body", "keep")

    def __init__(self, answer: Answer, *, keep: bool, has_body: bool) -> None:
        self.answer = answer
        self.keep = keep
        self.has_body = has_body


def rendered(answer: bytes, *, keep: bool = True, has_body: bool = True) -> bytes:
    """The HTTP response with this JSON text. `has_body` is false for HEAD: the length is told, the text is not."""
    return b"%b%d\r\n\r\n%b" % (_OK_OPEN if keep else _OK_CLOSE, len(answer), answer if has_body else b"")


def no_content(*, keep: bool) -> bytes:
    """The response to OPTIONS."""
    return _NO_CONTENT_OPEN if keep else _NO_CONTENT_CLOSE


def refusal(status: bytes, text: bytes) -> bytes:
    """The response to what is not a request this server takes; the connection ends with it."""
    body = b'{"error":{"code":-32600,"message":"%b"},"id":0,"jsonrpc":""}' % text
    return b"HTTP/1.1 %b\r\n%b%d\r\n\r\n%b" % (status, _CLOSE, len(body), body)


class Manners(Protocol):
    """How the HTTP of a generation's RPC looks: 3.x takes every verb, 2.x POST alone (rpc2_http)."""

    def answer(self, answer: bytes, *, keep: bool = True, has_body: bool = True) -> bytes:
        """The response with this text."""

    def options(self, *, keep: bool) -> bytes:
        """The response to OPTIONS."""

    def not_allowed(self, method: bytes, *, keep: bool) -> bytes | None:
        """The response to a verb that is not taken, None for one that is."""

    def refusal(self, status: bytes, text: bytes) -> bytes:
        """The response to what is not a request this server takes."""


class Manners3:
    """See Manners."""

    def answer(self, answer: bytes, *, keep: bool = True, has_body: bool = True) -> bytes:
        """200, whatever the verb."""
        return rendered(answer, keep=keep, has_body=has_body)

    def options(self, *, keep: bool) -> bytes:
        """204."""
        return no_content(keep=keep)

    def not_allowed(self, method: bytes, *, keep: bool) -> bytes | None:
        """Every verb is taken."""
        del method, keep
        return None

    def refusal(self, status: bytes, text: bytes) -> bytes:
        """An error as JSON."""
        return refusal(status, text)


MANNERS3: Final = Manners3()
