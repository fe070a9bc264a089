"""What calls cost the clients, against a server in another process.

    python bench/rpc_client.py [--rate 2500] [--delay-ms 300] [--for-s 6] [--calls 3000]

Load client, the server answering after a delay: one line a mode with calls/s, client CPU per call (µs), latency. Goal: at most 80 µs of
client CPU a call.

Typed clients of both generations against bare `requests` sessions posting the same bytes to the same server, in turns within one run, so
that whatever else the machine does meets both alike: CPU of this thread a call, and wall-clock medians. Goal: at most 0.3 ms a call more
than bare `requests`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import socket
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import httptools
import requests
import uvloop

from fiscotool.rpc.aio.files import allow_open_files
from fiscotool.rpc.aio.load import LoadClient
from fiscotool.rpc.aio.plan import LoadPlan, LoadResult, LoadTarget, PreparedTx
from fiscotool.rpc.any_client import AnyClient
from fiscotool.rpc.client import NodeClient
from fiscotool.rpc.client2 import NodeClient2

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


# Typed clients against bare requests

STATUS3 = json.dumps(
    {
        "blockNumber": 42, "changeCycle": 0, "connectedNodeList": 4, "consensusNodesNum": 4, "hash": "cd" * 32, "index": 0,
        "isConsensusNode": True, "leaderIndex": 3, "maxFaultyQuorum": 1, "minRequiredQuorum": 3, "nodeID": "ab" * 64,
        "timeout": False, "view": 7,
        "consensusNodeList": [{"index": index, "nodeID": f"{index:0128x}", "termWeight": 0, "weight": 1} for index in range(4)],
    }
)  # fmt: skip
STATUS2 = [
    {
        "accountType": 1, "allowFutureBlocks": True, "cfgErr": False, "connectedNodes": 3, "consensusedBlockNumber": 43, "currentView": 7,
        "groupId": 1, "highestblockHash": "0x" + "cd" * 32, "highestblockNumber": 42, "leaderFailed": False, "max_faulty_leader": 1,
        "nodeId": "ab" * 64, "nodeNum": 4, "node_index": 0, "omitEmptyBlock": True, "protocolId": 65544, "toView": 7,
        **{f"sealer.{index}": f"{index:0128x}" for index in range(4)},
    },
    [{"nodeId": f"{index:0128x}", "view": 7} for index in range(4)],
]  # fmt: skip
VERSION2 = {"FISCO-BCOS Version": "2.9.1", "Supported Version": "2.9.0", "Chain Id": "1"}


class Node(asyncio.Protocol):
    """A node of both generations, told apart by the type of the group, that answers at once."""

    def connection_made(self, transport: Any) -> None:
        """A client came."""
        self.transport = transport
        self.body = b""
        self.parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request."""
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """Bytes of its body."""
        self.body += body

    def on_message_complete(self) -> None:
        """The request is whole."""
        asked, self.body = json.loads(self.body), b""
        is_old = asked["params"][:1] == [1]
        result: Any = {
            "getBlockNumber": "0x2a" if is_old else 42,
            "getConsensusStatus": STATUS2 if is_old else STATUS3,
            "getClientVersion": VERSION2,
            "getGroupList": [1],
        }[asked["method"]]
        answer = json.dumps({"id": asked["id"], "jsonrpc": "2.0", "result": result}).encode()
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer))


def serve_node(listener: socket.socket) -> None:
    """The node's process."""

    async def work() -> None:
        server = await asyncio.get_running_loop().create_server(Node, sock=listener)
        async with server:
            await server.serve_forever()

    asyncio.Runner(loop_factory=uvloop.new_event_loop).run(work())


def bare(url: str, method: str, params: list[Any]) -> Callable[[], Any]:
    """What one would write by hand with `requests`."""
    session = requests.Session()
    session.trust_env = False

    def call() -> Any:
        return session.post(url, json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, timeout=5).json()["result"]

    return call


def compare(url: str, calls: int) -> None:
    """One line a pair: what the typed call costs over the bare one."""
    old, new, asked = NodeClient2(url), NodeClient(url), AnyClient(url, group="1")
    pairs: list[tuple[str, Callable[[], Any], Callable[[], Any]]] = [
        ("2.x getBlockNumber", bare(url, "getBlockNumber", [1]), old.block_number),
        ("2.x getConsensusStatus", bare(url, "getConsensusStatus", [1]), old.consensus_status),
        ("2.x, dialect asked for", bare(url, "getConsensusStatus", [1]), asked.consensus_status),
        ("3.x getBlockNumber", bare(url, "getBlockNumber", ["group0", ""]), new.block_number),
        ("3.x getConsensusStatus", bare(url, "getConsensusStatus", ["group0", ""]), new.consensus_status),
    ]
    for name, by_hand, typed in pairs:
        cpu_s, wall_s = {by_hand: 0.0, typed: 0.0}, {by_hand: [0.0] * 0, typed: [0.0] * 0}
        for _ in range(100):
            by_hand()
            typed()
        for _ in range(calls):
            for call in (by_hand, typed):
                cpu_began_s, began_s = time.thread_time(), time.perf_counter()
                call()
                wall_s[call].append(time.perf_counter() - began_s)
                cpu_s[call] += time.thread_time() - cpu_began_s
        bare_us, typed_us = (cpu_s[call] / calls * 1e6 for call in (by_hand, typed))
        bare_ms, typed_ms = (statistics.median(wall_s[call]) * 1e3 for call in (by_hand, typed))
        print(
            f"{name:24} CPU {bare_us:4.0f} µs bare, {typed_us:4.0f} µs typed: {typed_us - bare_us:+4.0f} µs ({typed_us / bare_us:.2f} ×); "
            f"median {bare_ms:.2f} ms bare, {typed_ms:.2f} ms typed: {typed_ms - bare_ms:+.2f} ms"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=2500.0)
    parser.add_argument("--delay-ms", type=float, default=300.0)
    parser.add_argument("--for-s", type=float, default=6.0)
    parser.add_argument("--calls", type=int, default=3000)
    given = parser.parse_args()
    if given.for_s > 0:
        load(given.rate, given.delay_ms / 1e3, given.for_s)
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    process = multiprocessing.get_context("fork").Process(target=serve_node, args=(listener,), daemon=True)
    process.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()
    try:
        compare(url, given.calls)
    finally:
        process.terminate()
        process.join()


def load(rate_per_s: float, delay_s: float, for_s: float) -> None:
    """The load client's lines."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    process = multiprocessing.get_context("fork").Process(target=serve, args=(listener, delay_s), daemon=True)
    process.start()
    target = LoadTarget("server", f"http://127.0.0.1:{listener.getsockname()[1]}")
    listener.close()
    try:
        open_loop = LoadPlan(outstanding_max=4000, rate_per_s=rate_per_s, send_for_s=for_s, deadline_s=60)
        show(f"open loop at {rate_per_s:.0f}/s", LoadClient([target], open_loop).run(transactions()))
        closed_loop = LoadPlan(outstanding_max=1000, send_for_s=for_s, deadline_s=60)
        show("closed loop, 1000 outstanding", LoadClient([target], closed_loop).run(transactions()))
    finally:
        process.terminate()
        process.join()


if __name__ == "__main__":
    main()
