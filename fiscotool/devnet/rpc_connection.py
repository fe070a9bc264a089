"""One HTTP connection of the RPC server.

Rule 1. Answers leave in the order of the requests, also when a later one is ready first.
Rule 2. While the client does not read what it was sent, or has `pipelined_max` answers outstanding, its further requests are neither
        read nor executed: a small request cannot pile up large answers in memory.
Rule 3. Every state but "waits for an answer" has a time limit, checked by the server's sweep. Waiting for an answer has none: a
        transaction without a quorum waits until the pool gives it up, as on the real node.

A request that is answered at once takes the short way through `on_message_complete`: no queue, one write.

Sources: RFC 9112 (pipelining: section 9.3.2; half-closed connections: 9.6); spec 3.x 2.1.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from enum import Enum
from typing import Protocol, cast

import httptools

from fiscotool.devnet import rpc_exchange as http
from fiscotool.devnet.rpc_exchange import Answer, Handler, HttpLimits, Manners, Pending, Waiting

__all__ = ["Connection", "ConnectionOwner"]


_log = logging.getLogger(__name__)


class ConnectionOwner(Protocol):
    """The server as its connections see it."""

    handle: Handler
    limits: HttpLimits
    manners: Manners
    loop: asyncio.AbstractEventLoop

    def add(self, connection: Connection) -> bool:
        """Take the connection in; False when there is no room."""

    def remove(self, connection: Connection) -> None:
        """The connection is gone."""


class _Phase(Enum):
    IDLE = "between requests, or waiting for an answer"
    READING = "in the middle of a request"
    STALLED = "the client does not read"
    LEAVING = "the client has closed its side, and may or may not still listen"
    CLOSING = "the last bytes are on their way"


class Connection(asyncio.Protocol):
    """httptools calls `on_message_begin`, `on_body` and `on_message_complete`; what else it could report is not needed."""

    def __init__(self, owner: ConnectionOwner) -> None:
        self._owner = owner
        self._handle = owner.handle
        self._limits = owner.limits
        self._rendered = owner.manners.answer
        self._manners = owner.manners
        self._loop = owner.loop
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._queue: deque[Waiting] = deque()
        self._backlog: deque[tuple[bytes, bytes, bool]] = deque()
        self._body: bytes | bytearray = b""
        self._received_bytes = 0
        self._is_paused = False
        self._is_last = False
        self._phase = _Phase.IDLE
        self._since_s = self._loop.time()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came; one too many is turned away."""
        # Not checked with isinstance: uvloop's transports only look like asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        if not self._owner.add(self):
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """The client left. What it waited for goes on without it: a submitted transaction cannot be taken back."""
        self._phase = _Phase.CLOSING
        self._transport = None
        self._queue.clear()
        self._backlog.clear()
        self._owner.remove(self)

    def data_received(self, data: bytes) -> None:
        """Bytes of any number of requests, or of a part of one."""
        if self._is_last:
            return
        if self._phase is _Phase.IDLE:
            self._since_s = self._loop.time()
        self._received_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Neither WebSocket nor HTTP/2 is spoken here: the request was answered as any other, and nothing can follow it.
            self._end_after_queue()
            return
        except httptools.HttpParserCallbackError as bug:
            _log.error("a request failed inside the node", exc_info=bug)
            self._refuse(http.SERVER_ERROR, b"internal error")
            return
        except httptools.HttpParserError:
            if not self._is_last:
                self._refuse(http.BAD_REQUEST, b"this is not HTTP/1.1")
            return
        if self._phase is _Phase.READING:
            self._check_size(data)

    def eof_received(self) -> bool:
        """The client left, or half-closed: what it is owed soon it still gets, but not over TLS, which cannot be half-closed."""
        if self._transport is None or self._transport.get_extra_info("sslcontext") is not None or not (self._queue or self._backlog):
            return False
        self._phase = _Phase.LEAVING
        self._since_s = self._loop.time()
        self._end_after_queue()
        return True

    def pause_writing(self) -> None:
        """The client reads slower than it asks."""
        if self._phase is not _Phase.CLOSING:
            self._phase = _Phase.STALLED
            self._since_s = self._loop.time()
            self._pause_reading()

    def resume_writing(self) -> None:
        """It has caught up."""
        if self._phase is _Phase.STALLED:
            self._phase = _Phase.LEAVING if self._is_last else _Phase.READING if self._received_bytes else _Phase.IDLE
            self._since_s = self._loop.time()
            self._go_on()

    # What httptools calls

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        if self._phase is _Phase.IDLE:
            self._phase = _Phase.READING

    def on_body(self, body: bytes) -> None:
        """A part of a body, most often all of it."""
        if not self._body:
            self._body = body
            return
        if isinstance(self._body, bytes):
            self._body = bytearray(self._body)
        self._body += body

    def on_message_complete(self) -> None:
        """A request is complete: have it answered."""
        body = bytes(self._body)
        self._body = b""
        self._received_bytes = 0
        if self._is_last:
            return
        parser = self._parser
        keep = parser.should_keep_alive()
        method = parser.get_method()
        self._is_last = not keep
        if self._phase is _Phase.READING:
            self._phase = _Phase.IDLE
        if self._phase is _Phase.STALLED or self._backlog or len(self._queue) >= self._limits.pipelined_max:
            self._backlog.append((body, method, keep))
            self._pause_reading()
        elif keep and method == b"POST" and not self._queue:
            answer = self._handle(body)
            if type(answer) is bytes and self._transport is not None:
                self._transport.write(self._rendered(answer))
            else:
                self._enqueue(answer, keep=True, has_body=True)
        else:
            self._serve(body, method, keep=keep)

    # Answers

    def _serve(self, body: bytes, method: bytes, *, keep: bool) -> None:
        if method == b"OPTIONS":
            ready: bytes | None = self._manners.options(keep=keep)
        else:
            ready = self._manners.not_allowed(method, keep=keep)
        if ready is not None:
            self._queue.append(Waiting(ready, keep=keep, has_body=True))
            self._deliver()
            return
        self._enqueue(self._handle(body), keep=keep, has_body=method != b"HEAD")

    def _enqueue(self, answer: Answer, *, keep: bool, has_body: bool) -> None:
        if isinstance(answer, Pending):
            answer.deliver = self._deliver
        else:
            answer = self._rendered(answer, keep=keep, has_body=has_body)
        self._queue.append(Waiting(answer, keep=keep, has_body=has_body))
        self._deliver()

    def _deliver(self) -> None:
        """Write what is ready at the head of the queue."""
        queue, transport = self._queue, self._transport
        while queue and transport is not None:
            first = queue[0]
            answer = first.answer
            if isinstance(answer, Pending):
                if answer.answer is None:
                    return
                answer = self._rendered(answer.answer, keep=first.keep, has_body=first.has_body)
            queue.popleft()
            transport.write(answer)
            if not first.keep:
                self._finish()
                return
        if self._phase is _Phase.IDLE:
            self._since_s = self._loop.time()
        if self._is_paused and self._phase is not _Phase.STALLED:
            self._go_on()

    def _go_on(self) -> None:
        """Answer what had to wait; read on when nothing is left of it."""
        while self._backlog and self._phase is not _Phase.STALLED and len(self._queue) < self._limits.pipelined_max:
            body, method, keep = self._backlog.popleft()
            self._serve(body, method, keep=keep)
        if not self._backlog and self._is_paused and self._phase is not _Phase.STALLED and self._transport is not None:
            self._is_paused = False
            self._transport.resume_reading()

    def _end_after_queue(self) -> None:
        """Take no further request, answer those that are there, then close."""
        self._is_last = True
        if self._backlog:
            body, method, _ = self._backlog.pop()
            self._backlog.append((body, method, False))
        elif self._queue:
            self._queue[-1].keep = False
        else:
            self._finish()

    def _refuse(self, status: bytes, text: bytes) -> None:
        """Say what is wrong. What the client still sends is read and dropped for a while: a reset would take the answer from it."""
        transport = self._transport
        if transport is not None:
            transport.write(self._manners.refusal(status, text))
        if transport is None or not transport.can_write_eof():
            self._finish()
            return
        self._end_phase()
        transport.write_eof()

    def _finish(self) -> None:
        """Nothing more is read; what was written still goes out, within the time for stalled writes."""
        self._end_phase()
        if self._transport is not None:
            self._transport.close()

    def _end_phase(self) -> None:
        self._is_last = True
        self._phase = _Phase.CLOSING
        self._since_s = self._loop.time()
        self._queue.clear()
        self._backlog.clear()

    # Limits

    def _check_size(self, data: bytes) -> None:
        problem = self._limits.problem_of(len(self._body), self._received_bytes)
        if problem:
            self._refuse(http.TOO_LARGE, problem)
        elif not self._body and b"100-continue" in data and self._transport is not None:
            self._transport.write(http.CONTINUE)

    def _pause_reading(self) -> None:
        if self._transport is not None and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def sweep(self, now_s: float) -> None:
        """Drop the connection if it has been in its phase for too long."""
        age_s = now_s - self._since_s
        limits = self._limits
        if self._transport is None:
            return
        if self._phase is _Phase.READING:
            if age_s > limits.request_s:
                self._refuse(http.TIMED_OUT, b"the request did not come to its end in %d seconds" % limits.request_s)
        elif self._phase is not _Phase.IDLE:
            if age_s > limits.stalled_write_s:
                self._transport.abort()
        elif not self._queue and age_s > limits.idle_s:
            self._transport.close()

    def drop(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()
