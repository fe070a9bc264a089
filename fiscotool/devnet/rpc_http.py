"""The HTTP server below both RPC ports: JSON texts in, JSON texts out, nothing else.

Rule 1. Every answer is 200 with the headers a real node sends, whatever the verb, the path or the content type; OPTIONS is 204 without a
        body, HEAD has the headers of the answer only. (What is not HTTP at all gets 400, what is too large 413, what never ends 408, and
        then the line goes down: the real node just drops it, which tells its operator nothing.)
Rule 2. Nothing a client does or leaves undone costs more than `HttpLimits` says.
Rule 3. A handler never blocks: it returns the answer, or a `Pending` that is completed later. Thousands may be pending.

Sources: spec 3.x 2.1; recordings rpc/*.jsonl.xz, misc/rpc_with_ssl_on.txt.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import ssl
from pathlib import Path
from typing import Final

from fiscotool.devnet.rpc_connection import Connection
from fiscotool.devnet.rpc_exchange import MANNERS3, Handler, HttpLimits, Manners

__all__ = ["HttpServer", "listen", "rpc_tls_context"]

_log = logging.getLogger(__name__)

_BACKLOG: Final = 4096
_HANDSHAKE_S: Final = 10.0


class HttpServer:
    """A listening port with its connections. Made by `listen` inside a running loop."""

    def __init__(self, handle: Handler, limits: HttpLimits, manners: Manners = MANNERS3) -> None:
        self.handle = handle
        self.manners = manners
        self.limits = limits
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self.refused_count = 0
        self._connections: set[Connection] = set()
        self._listener: asyncio.Server | None = None
        self._sweeper: asyncio.TimerHandle | None = None

    async def open(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        """Listen. Raises OSError when the port is taken."""
        _allow_files(2 * self.limits.connections_max)
        self._listener = await self.loop.create_server(
            lambda: Connection(self),
            host,
            port,
            ssl=tls,
            backlog=_BACKLOG,
            ssl_handshake_timeout=_HANDSHAKE_S if tls is not None else None,
        )
        self._sweeper = self.loop.call_later(self.limits.sweep_s, self._sweep)

    @property
    def port(self) -> int:
        """The port listened on (of use when 0 was asked for)."""
        assert self._listener is not None
        return int(self._listener.sockets[0].getsockname()[1])

    @property
    def connection_count(self) -> int:
        """Clients connected now."""
        return len(self._connections)

    def add(self, connection: Connection) -> bool:
        """Take a connection in, if there is room."""
        if len(self._connections) >= self.limits.connections_max:
            self.refused_count += 1
            if self.refused_count == 1:
                _log.warning("more than %d RPC connections: further ones are refused", self.limits.connections_max)
            return False
        self._connections.add(connection)
        return True

    def remove(self, connection: Connection) -> None:
        """The connection is gone."""
        self._connections.discard(connection)

    def _sweep(self) -> None:
        now_s = self.loop.time()
        for connection in tuple(self._connections):
            connection.sweep(now_s)
        self._sweeper = self.loop.call_later(self.limits.sweep_s, self._sweep)

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._listener is not None:
            self._listener.close()
        for connection in tuple(self._connections):
            connection.drop()
        if self._listener is not None:
            await self._listener.wait_closed()


def _allow_files(count: int) -> None:
    """Let this process have so many files open, as far as the system lets it: the usual limit of 1024 is soon reached by callers."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def listen(
    handle: Handler,
    host: str,
    port: int,
    *,
    tls: ssl.SSLContext | None = None,
    limits: HttpLimits | None = None,
    manners: Manners = MANNERS3,
) -> HttpServer:
    """A server that answers with `handle`. Raises OSError when the port is taken."""
    server = HttpServer(handle, limits or HttpLimits(), manners)
    await server.open(host, port, tls)
    return server


def rpc_tls_context(ca_cert: Path, node_cert: Path, node_key: Path) -> ssl.SSLContext:
    """TLS as the real node's RPC port speaks it: version 1.2 and a client certificate of the chain's CA, or no connection.

    Raises OSError and ssl.SSLError for files that cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(node_cert, node_key)
    context.load_verify_locations(ca_cert)
    context.verify_mode = ssl.CERT_REQUIRED
    return context
