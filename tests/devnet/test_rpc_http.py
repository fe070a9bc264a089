"""The HTTP server: order, limits, garbage, closing. Real sockets, a handler made for the test."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from fiscotool.devnet.rpc_exchange import Answer, HttpLimits, Pending
from fiscotool.devnet.rpc_http import HttpServer, listen
from tests.recordings.exchange import Reply, read_reply

FAST = HttpLimits(body_bytes_max=100_000, request_s=0.3, idle_s=0.5, stalled_write_s=0.5, connections_max=64, pipelined_max=8, sweep_s=0.05)


def post(body: bytes, extra: str = "") -> bytes:
    return f"POST / HTTP/1.1\r\nHost: x\r\n{extra}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Handler:
    """Answers a body with itself; what begins with `later` waits for `release`."""

    def __init__(self) -> None:
        self.pending: list[tuple[bytes, Pending]] = []
        self.served = 0

    def __call__(self, body: bytes) -> Answer:
        self.served += 1
        if body.startswith(b"bug"):
            raise KeyError("planted")
        if body.startswith(b"large"):
            return b"x" * 200_000
        if not body.startswith(b"later"):
            return body
        pending = Pending()
        self.pending.append((body, pending))
        return pending

    def release(self, index: int) -> None:
        body, pending = self.pending[index]
        pending.complete(body)


@contextlib.asynccontextmanager
async def serving(limits: HttpLimits = FAST) -> AsyncIterator[tuple[HttpServer, Handler]]:
    handler = Handler()
    server = await listen(handler, "127.0.0.1", 0, limits=limits)
    try:
        yield server, handler
    finally:
        await server.close()


@contextlib.asynccontextmanager
async def connected(server: HttpServer) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def until(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    deadline_s = asyncio.get_running_loop().time() + within_s
    while not condition():
        assert asyncio.get_running_loop().time() < deadline_s, "the condition did not come true"
        await asyncio.sleep(0.01)


Scenario = Callable[[], Coroutine[Any, Any, None]]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Scenario], None]:
    """Runs a scenario on one of the two event loops a node may have."""

    def runner(scenario: Scenario) -> None:
        factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop
        with asyncio.Runner(loop_factory=factory) as loop:
            loop.run(asyncio.wait_for(scenario(), 30))

    return runner


Run = Callable[[Scenario], None]


def test_requests_on_one_connection_and_in_pieces(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as (server, _), connected(server) as (reader, writer):
            for body in (b"one", b"two", b""):
                writer.write(post(body))
                assert (await read_reply(reader)).body == body
            for byte in post(b"byte by byte"):
                writer.write(bytes((byte,)))
                await asyncio.sleep(0)
            assert (await read_reply(reader)).body == b"byte by byte"
            writer.write(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")
            assert (await read_reply(reader)).body == b"abcdefg"

    run(scenario)


def test_answers_leave_in_the_order_of_the_requests(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as (server, handler), connected(server) as (reader, writer):
            writer.write(
                post(b"later 1") + post(b"soon") + post(b"later 2") + post(b"OPTIONS").replace(b"POST", b"OPTIONS") + post(b"last")
            )
            await until(lambda: handler.served == 4)
            handler.release(1)
            handler.release(0)
            replies = [await read_reply(reader) for _ in range(5)]
            assert [reply.body for reply in replies] == [b"later 1", b"soon", b"later 2", b"", b"last"]
            assert [reply.status for reply in replies] == [200, 200, 200, 204, 200]

    run(scenario)


def test_more_pipelined_requests_than_allowed_wait_unexecuted(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as (server, handler), connected(server) as (reader, writer):
            writer.write(b"".join(post(b"later %d" % index) for index in range(30)))
            await until(lambda: handler.served == FAST.pipelined_max)
            await asyncio.sleep(0.05)
            assert handler.served == FAST.pipelined_max
            for index in range(30):
                handler.release(index)
                assert (await read_reply(reader)).body == b"later %d" % index

    run(scenario)


def test_a_client_that_does_not_read_is_paused_and_then_dropped(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as (server, handler):
            with socket.create_connection(("127.0.0.1", server.port)) as client:
                client.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    client.send(post(b"large") * 1000)
                await until(lambda: handler.served > 2)
                served = 0
                while served != handler.served:
                    served = handler.served
                    await asyncio.sleep(0.1)
                assert served < 200, "answers pile up for a client that does not read"
                await until(lambda: server.connection_count == 0)

    run(scenario)


def test_a_slow_reader_gets_everything_in_the_end(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as (server, handler), connected(server) as (reader, writer):
            writer.write(post(b"large") * 40)
            for _ in range(40):
                assert len((await read_reply(reader)).body) == 200_000
            assert handler.served == 40

    run(scenario)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc", 408),
        (b"POST / HT", 408),
        (post(b"whole") + b"POST", 408),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 300_000, 413),
        (b"GET / HTTP/1.1\r\n" + b"X-Long: " + b"y" * 40_000, 413),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64), 400),
        (b'{"jsonrpc":"2.0"}\r\n\r\n', 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
    ],
)
def test_what_is_wrong_is_told_and_the_connection_ends(run: Run, sent: bytes, status: int) -> None:
    async def scenario() -> None:
        async with serving() as (server, _), connected(server) as (reader, writer):
            writer.write(sent)
            reply = await read_reply(reader)
            if reply.status == 200:
                reply = await read_reply(reader)
            assert reply.status == status
            assert reply.is_closed
            writer.close()
            await until(lambda: server.connection_count == 0)

    run(scenario)


def test_idle_connections_end_and_waiting_ones_do_not(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as (server, handler), connected(server) as (idle, _), connected(server) as (waiting, writer):
            writer.write(post(b"later"))
            assert await asyncio.wait_for(idle.read(), 5) == b""
            handler.release(0)
            assert (await read_reply(waiting)).body == b"later"

    run(scenario)


def test_connection_close_head_and_half_closed_clients(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as (server, handler):
            async with connected(server) as (reader, writer):
                writer.write(post(b"bye", "Connection: close\r\n") + post(b"never"))
                reply = await read_reply(reader)
                assert (reply.body, reply.is_closed) == (b"bye", True)
            async with connected(server) as (reader, writer):
                writer.write(post(b"a").replace(b"POST", b"HEAD", 1) + post(b"b"))
                head: Reply = await read_reply(reader, has_body=False)
                assert head.headers["Content-Length"] == "1"
                assert (await read_reply(reader)).body == b"b"
            async with connected(server) as (reader, writer):
                writer.write(post(b"later"))
                writer.write_eof()
                await until(lambda: len(handler.pending) == 1)
                handler.release(0)
                assert (await read_reply(reader)).body == b"later"
                assert await reader.read() == b""

    run(scenario)


def test_expect_continue_and_upgrade(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as (server, _):
            async with connected(server) as (reader, writer):
                writer.write(post(b"xyz", "Expect: 100-continue\r\n")[:-3])
                assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5) == b"HTTP/1.1 100 Continue\r\n\r\n"
                writer.write(b"xyz")
                assert (await read_reply(reader)).body == b"xyz"
            async with connected(server) as (reader, writer):
                writer.write(b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
                assert (await read_reply(reader)).status == 200
                assert await reader.read() == b""

    run(scenario)


def test_too_many_connections_are_refused(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as (server, _), contextlib.AsyncExitStack() as stack:
            for _ in range(FAST.connections_max):
                await stack.enter_async_context(connected(server))
            await until(lambda: server.connection_count == FAST.connections_max)
            async with connected(server) as (reader, _):
                with contextlib.suppress(ConnectionError):
                    assert await reader.read() == b""
            assert server.refused_count == 1

    run(scenario)


def test_two_thousand_calls_wait_at_once(run: Run) -> None:
    async def scenario() -> None:
        limits = HttpLimits()
        async with serving(limits) as (server, handler), contextlib.AsyncExitStack() as stack:
            clients = []
            for _ in range(200):
                clients.append(await stack.enter_async_context(connected(server)))
                clients[-1][1].write(b"".join(post(b"later %d" % index) for index in range(10)))
            await until(lambda: handler.served == 2000)
            for index in random.Random(3).sample(range(2000), 2000):
                handler.release(index)
            for reader, _ in clients:
                assert [(await read_reply(reader)).body for _ in range(10)] == [b"later %d" % index for index in range(10)]

    run(scenario)


def test_a_client_that_leaves_does_not_disturb_its_answer(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as (server, handler):
            async with connected(server) as (_, writer):
                writer.write(post(b"later"))
                await until(lambda: len(handler.pending) == 1)
            await until(lambda: server.connection_count == 0)
            handler.release(0)
            async with connected(server) as (reader, writer):
                writer.write(post(b"alive"))
                assert (await read_reply(reader)).body == b"alive"

    run(scenario)


def test_a_bug_in_a_handler_costs_one_connection_and_is_logged(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with serving() as (server, _):
            async with connected(server) as (reader, writer):
                writer.write(post(b"bug"))
                assert (await read_reply(reader)).status == 500
            async with connected(server) as (reader, writer):
                writer.write(post(b"alive"))
                assert (await read_reply(reader)).body == b"alive"

    run(scenario)
    assert "planted" in caplog.text


def test_closing_the_server_closes_its_connections(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as (server, handler), connected(server) as (reader, writer):
            writer.write(post(b"later"))
            await until(lambda: len(handler.pending) == 1)
            await server.close()
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            with pytest.raises(OSError, match=r".*"):
                await asyncio.open_connection("127.0.0.1", server.port)

    async def outer() -> None:
        with contextlib.suppress(IndexError, OSError):
            await scenario()

    run(outer)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=5))
def test_garbage_never_harms_the_server(pieces: list[bytes]) -> None:
    async def scenario() -> None:
        async with serving() as (server, _):
            async with connected(server) as (_, writer):
                with contextlib.suppress(ConnectionError):
                    for piece in pieces:
                        writer.write(piece)
                        await writer.drain()
            async with connected(server) as (reader, writer):
                writer.write(post(b"alive"))
                assert (await read_reply(reader)).body == b"alive"

    asyncio.run(asyncio.wait_for(scenario(), 10))
