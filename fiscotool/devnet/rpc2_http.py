"""The HTTP of a 2.x node's JSON-RPC port.

Rule 1. POST is answered with 200, whatever the path; OPTIONS with 200 and what may be asked; every other verb with 405 and a sentence.
Rule 2. The headers are those recorded, but for `Server`, which says what this is.

Deviation: the real node never answers PUT; here it is 405 like the rest.

Sources: spec 2.x 2.1; librpc/SafeHttpServer.cpp; recordings v2/rpc/bad_input.
"""

from __future__ import annotations

from email.utils import formatdate
from typing import Final

__all__ = ["MANNERS2", "Manners2"]

_HEAD: Final = b"HTTP/1.1 %b\r\nDate: %b\r\nServer: fiscotool\r\n%b%bContent-Length: %d\r\n\r\n"
_JSON: Final = b"Content-Type: application/json\r\n"
_CLOSE: Final = b"Connection: close\r\n"
_MAY: Final = b"Allow: POST, OPTIONS\r\nAccess-Control-Allow-Headers: origin, content-type, accept\r\nDAV: 1\r\n"
_NOT_ALLOWED: Final = b"Not allowed HTTP Method"


def _head(status: bytes, kind: bytes, length: int, *, keep: bool) -> bytes:
    return _HEAD % (status, formatdate(usegmt=True).encode(), kind, b"" if keep else _CLOSE, length)


class Manners2:
    """See rpc_exchange.Manners."""

    def answer(self, answer: bytes, *, keep: bool = True, has_body: bool = True) -> bytes:
        """200."""
        return _head(b"200 OK", _JSON, len(answer), keep=keep) + (answer if has_body else b"")

    def options(self, *, keep: bool) -> bytes:
        """200 and what may be asked."""
        return _head(b"200 OK", _MAY, 0, keep=keep)

    def not_allowed(self, method: bytes, *, keep: bool) -> bytes | None:
        """405, for HEAD without its text."""
        if method == b"POST":
            return None
        head = _head(b"405 Method Not Allowed", _JSON, len(_NOT_ALLOWED), keep=keep)
        return head if method == b"HEAD" else head + _NOT_ALLOWED

    def refusal(self, status: bytes, text: bytes) -> bytes:
        """The connection ends with it."""
        return _head(status, _JSON, len(text), keep=False) + text


MANNERS2: Final = Manners2()
