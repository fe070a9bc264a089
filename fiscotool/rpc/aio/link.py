"""Awaitable calls to one node over a few keep-alive connections.

Rule 1. Every call ends within its `timeout_s`, connecting included, with an answer or a Failure as a value: a poller expects both.
Rule 2. A kept connection that the node closed meanwhile is not the node's failure: the call is made once more on a new one. So this is
        for reads only; what must not be sent twice goes through rpc.aio.load.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from typing import Final

from fiscotool.rpc.aio.connection import Address, Failure, HttpConnection, Outcome, connect

_IDLE_MAX: Final = 8


class NodeLink:
    """Calls to one node. Belongs to the loop it is used on."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._idle: list[HttpConnection] = []

    async def post(self, request: bytes, timeout_s: float) -> Outcome:
        """The outcome of one request, given as `address.http_request` makes it."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + timeout_s
        while self._idle:
            connection = self._idle.pop()
            if connection.is_free:
                outcome = await self._exchange(connection, request, deadline_s)
                if not isinstance(outcome, Failure) or outcome.kind != "closed":
                    return outcome
        try:
            async with asyncio.timeout_at(deadline_s):
                connection = await connect(self.address)
        except TimeoutError:
            return Failure("timeout", "no connection")
        except ssl.SSLError as problem:
            return Failure("refused", f"TLS: {problem.reason or problem}")
        except (ConnectionResetError, BrokenPipeError) as problem:
            return Failure("closed", problem.strerror or "reset")
        except socket.gaierror as problem:
            return Failure("refused", f"unknown host: {problem.strerror}")
        except OSError as problem:
            return Failure("refused", _reason(problem))
        return await self._exchange(connection, request, deadline_s)

    async def _exchange(self, connection: HttpConnection, request: bytes, deadline_s: float) -> Outcome:
        loop = asyncio.get_running_loop()
        arrived: asyncio.Future[Outcome] = loop.create_future()

        def done(outcome: Outcome) -> None:
            if not arrived.done():
                arrived.set_result(outcome)

        timer = loop.call_at(deadline_s, connection.abandon, Failure("timeout"))
        connection.exchange(request, done)
        try:
            outcome = await arrived
        except asyncio.CancelledError:
            connection.abandon()
            raise
        finally:
            timer.cancel()
        if connection.is_free and len(self._idle) < _IDLE_MAX:
            self._idle.append(connection)
        elif connection.is_open:
            connection.abandon()
        return outcome

    def close(self) -> None:
        """Drop the kept connections."""
        for connection in self._idle:
            connection.abandon()
        self._idle.clear()


def _reason(problem: OSError) -> str:
    """What the system says, also when several addresses of a host were tried and uvloop or asyncio packed the errors into one."""
    if problem.errno == errno.ECONNREFUSED or "Connect call failed" in str(problem):
        return os.strerror(errno.ECONNREFUSED)
    return problem.strerror or str(problem) or type(problem).__name__
