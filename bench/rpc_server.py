"""What a call costs the RPC server, and how many it answers a second on one core.

    python bench/rpc_server.py [seconds per figure]

The server runs in a process of its own over a chain in memory, so only RPC is measured; its CPU time is read from the system.
Figures: a trivial call, a status, a header, sendTransaction (its figure holds the pool's verification and the
sealing of blocks in memory as well), 2,000 calls waiting at once.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import resource
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fiscotool.devnet.rpc_servers import start_rpc
from fiscotool.ledger.crypto import KeyPair
from fiscotool.ledger.tx3 import build_transaction, encode_transaction
from tests.devnet.rpc_world import World, identity, small_world

CONNECTIONS = 32
SENDERS = 200
SEAL_S = 0.1
KEY = KeyPair.from_secret(bytes(31) + b"\x09")


def cpu_s() -> float:
    """CPU seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def serve(pipe: Connection) -> None:
    """Answer until the pipe says stop; `hold` stops sealing blocks until `seal`, anything else asks for the CPU time used."""
    world: World = small_world(seals_at_once=False)
    is_held = False
    loop = asyncio.get_running_loop()
    servers = await start_rpc(world, identity(world), host="127.0.0.1", native_port=0, web3_port=0)
    pipe.send(servers.native.port)
    stop = loop.create_future()

    def seal() -> None:
        if world.pool.txs and not is_held:
            world.seal()
        loop.call_later(SEAL_S, seal)

    def on_word() -> None:
        nonlocal is_held
        word = pipe.recv()
        if word == "stop":
            stop.set_result(None)
        elif word in {"hold", "seal"}:
            is_held = word == "hold"
        else:
            pipe.send((cpu_s(), world.submitted, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))

    seal()
    loop.add_reader(pipe.fileno(), on_word)
    await stop
    await servers.close()


def run_server(pipe: Connection) -> None:
    """The server process."""
    uvloop.run(serve(pipe))


class Client(asyncio.Protocol):
    """Sends one request after the other, each when the last is answered."""

    def __init__(self, requests: list[bytes], end_s: float, *, once: bool) -> None:
        self.requests = requests[::-1]
        self.once = once
        self.end_s = end_s
        self.answered = 0
        self.failed = 0
        self.done = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None
        self.missing = 0
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast("asyncio.Transport", transport)
        self.next()

    def next(self) -> None:
        """Send the next request, or be done."""
        if time.monotonic() > self.end_s or (self.once and not self.requests):
            if not self.done.done():
                self.done.set_result(None)
            return
        assert self.transport is not None
        self.transport.write(self.requests.pop() if self.once else self.requests[0])

    def data_received(self, data: bytes) -> None:
        """A part of an answer, or all of it."""
        self.buffer += data
        head, blank, body = self.buffer.partition(b"\r\n\r\n")
        if not blank or len(body) < int(head[head.index(b"Length: ") + 8 :]):
            return
        self.failed += b'"error"' in body
        self.answered += 1
        self.buffer = b""
        self.next()


def request(method: str, *params: object) -> bytes:
    """A POST as usual clients send it."""
    body = json.dumps({"jsonrpc": "2.0", "method": method, "params": ["group0", "", *params], "id": 1}).encode()
    head = b"POST / HTTP/1.1\r\nHost: 127.0.0.1:20200\r\nUser-Agent: bench\r\nAccept: */*\r\nContent-Type: application/json\r\n"
    return head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def transactions(count: int) -> list[bytes]:
    """Signed transactions as requests."""
    raws = (
        build_transaction(chain_id="chain0", group_id="group0", block_limit=900, to="0x" + "22" * 20, input=b"", key=KEY)
        for _ in range(count)
    )
    return [request("sendTransaction", f"0x{encode_transaction(tx).hex()}", False) for tx in raws]


async def drive(port: int, requests: list[list[bytes]], seconds: float, *, once: bool) -> tuple[int, int, float]:
    """(answered, of them errors, seconds) with one connection for each list of requests."""
    loop = asyncio.get_running_loop()
    start_s = time.monotonic()
    clients = [Client(one, start_s + seconds, once=once) for one in requests]
    for client in clients:
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*(client.done for client in clients))
    for client in clients:
        assert client.transport is not None
        client.transport.close()
    return sum(client.answered for client in clients), sum(client.failed for client in clients), time.monotonic() - start_s


async def waiting_calls(port: int, pipe: Connection, count: int) -> None:
    """`count` sendTransaction calls on as many connections, all waiting for one block."""
    pipe.send("hold")
    calls = transactions(count)
    pipe.send("cpu")
    _, base, _ = pipe.recv()
    start_s = time.monotonic()
    driving = asyncio.ensure_future(drive(port, [[call] for call in calls], 60.0, once=True))
    submitted = base
    while submitted < base + count and time.monotonic() < start_s + 60.0:
        await asyncio.sleep(0.05)
        pipe.send("cpu")
        _, submitted, _ = pipe.recv()
    admitted_s = time.monotonic() - start_s
    pipe.send("seal")
    answered, failed, took_s = await driving
    after_s = took_s - admitted_s
    print(
        f"{count} waiting calls   admitted after {admitted_s:.2f} s, {answered} answered {after_s:.2f} s after the block, {failed} errors"
    )


async def measure(pipe: Connection, seconds: float) -> None:
    """Print every figure."""
    port = pipe.recv()
    plans = {
        "getBlockNumber": [[request("getBlockNumber")] for _ in range(CONNECTIONS)],
        "getConsensusStatus": [[request("getConsensusStatus")] for _ in range(CONNECTIONS)],
        "getBlockByNumber": [[request("getBlockByNumber", 0, True, True)] for _ in range(CONNECTIONS)],
        "sendTransaction": [transactions(25) for _ in range(SENDERS)],
    }
    for name, requests in plans.items():
        once = name == "sendTransaction"
        pipe.send("cpu")
        before = pipe.recv()[0]
        answered, failed, took_s = await drive(port, requests, 60.0 if once else seconds, once=once)
        pipe.send("cpu")
        used_s = pipe.recv()[0] - before
        print(f"{name:20} {answered / took_s:8.0f} calls/s   {1e6 * used_s / answered:6.1f} µs CPU of the server a call   {failed} errors")
    await waiting_calls(port, pipe, 2000)


def main() -> None:
    """Run it."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=run_server, args=(there,))
    server.start()
    try:
        asyncio.run(measure(here, seconds))
    finally:
        here.send("stop")
        server.join(10)


if __name__ == "__main__":
    main()
