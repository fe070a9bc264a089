"""What a sendTransaction call costs the load client, against a server in another process that answers after a delay.

    python bench/rpc_client.py [--rate 2500] [--delay-ms 300] [--for-s 6]

Prints one line a mode: calls/s, client CPU per call (µs), latency. Goal: at most 80 µs of client CPU a call.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import socket
from collections import deque
from collections.abc import Iterator
from typing import Any, ClassVar

import httptools
import uvloop

from fiscotool.rpc.aio.files import allow_open_files
from fiscotool.rpc.aio.load import LoadClient
from fiscotool.rpc.aio.plan import LoadPlan, LoadResult, LoadTarget, PreparedTx

RECEIPT = (
    b'{"id":1,"jsonrpc":"2.0","result":{"blockNumber":42,"checksumContractAddress":"","contractAddress":"","extraData":"",'
    b'"from":"0xfcc06254c27275295e9584bf2c01908a94f31c49","gasUsed":"21000","hash":"0xdade7082ba82603deae837396190417bfd0345afccbf1be11f40c5d2e73a5534",'
    b'"input":"0x","logEntries":[],"message":"","output":"0x","status":0,"to":"0x6849f21d1e455e9f0712b1e99fa4fcd23758e8f1",'
    b'"transactionHash":"0x039fd4df61bbb38c7cd613613dce414d62f0684e0058f9769c244f71cfe1d002","version":0}}'
)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(RECEIPT), RECEIPT)


class Server(asyncio.Protocol):
    """Answers every request `delay_s` after it came."""

    delay_s = 0.0
    due: ClassVar[deque[tuple[float, asyncio.Transport]]] = deque()

    def connection_made(self, transport: Any) -> None:
        """A client came."""
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request."""
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        """The request is whole; answer it when it is due."""
        self.due.append((asyncio.get_running_loop().time() + self.delay_s, self.transport))


async def answer_when_due() -> None:
    loop = asyncio.get_running_loop()
    while True:
        now_s = loop.time()
        while Server.due and Server.due[0][0] <= now_s:
            Server.due.popleft()[1].write(ANSWER)
        await asyncio.sleep(0.002)


def serve(listener: socket.socket, delay_s: float) -> None:
    """The server process."""

    async def work() -> None:
        Server.delay_s = delay_s
        allow_open_files(8000)
        server = await asyncio.get_running_loop().create_server(Server, sock=listener, backlog=2048)
        async with server:
            await answer_when_due()

    asyncio.Runner(loop_factory=uvloop.new_event_loop).run(work())


def transactions() -> Iterator[PreparedTx]:
    raw = "0x" + "ab" * 250
    while True:
        yield PreparedTx("cd" * 32, raw)


def show(mode: str, result: LoadResult) -> None:
    count = len(result.outcomes)
    print(
        f"{mode}: {count / result.elapsed_s:.0f} calls/s, {result.client_cpu_s / max(1, count) * 1e6:.0f} µs client CPU per call, "
        f"p50 {1e3 * (result.latency_s(0.5) or 0):.0f} ms, p99 {1e3 * (result.latency_s(0.99) or 0):.0f} ms, "
        f"committed {result.count('committed')}, unknown {result.count('unknown')}, unsent {result.unsent_count}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=2500.0)
    parser.add_argument("--delay-ms", type=float, default=300.0)
    parser.add_argument("--for-s", type=float, default=6.0)
    given = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    process = multiprocessing.get_context("fork").Process(target=serve, args=(listener, given.delay_ms / 1e3), daemon=True)
    process.start()
    target = LoadTarget("server", f"http://127.0.0.1:{listener.getsockname()[1]}")
    listener.close()
    try:
        open_loop = LoadPlan(outstanding_max=4000, rate_per_s=given.rate, send_for_s=given.for_s, deadline_s=60)
        show(f"open loop at {given.rate:.0f}/s", LoadClient([target], open_loop).run(transactions()))
        closed_loop = LoadPlan(outstanding_max=1000, send_for_s=given.for_s, deadline_s=60)
        show("closed loop, 1000 outstanding", LoadClient([target], closed_loop).run(transactions()))
    finally:
        process.terminate()
        process.join()


if __name__ == "__main__":
    main()
