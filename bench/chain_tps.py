"""Throughput, latency and memory of an embedded chain of four nodes, with batching and pipelining and without, in one run.

    python bench/chain_tps.py [--for 30] [--outstanding 1500] [--rate 500] [--seal-ms 10] [--skip-plain] [--skip-open]

Every node verifies every signature. The chain runs on this machine with the client; all cores are shared. Figures:
    closed loop   always `outstanding` transactions unanswered: committed transactions a second, from the first to the last answer
    open loop     `rate` a second whatever the nodes do: latency from when a transaction was due to the answer of the node that took
                  it, which is after its block was durable there
    CPU           seconds of each node and of the client in the closed loop, and what part of the machine that is
    memory        resident set of the largest node; in loops of more than a minute also as it went, to see whether it is flat
Each figure is of a fresh chain. "Plain" is the same with one transaction a block and one block at a time. At the end: the ratios.

A transaction is valid for at most 1000 blocks after it was signed, so that with one transaction a block no more than that can wait at
all: plain has at most 500 outstanding in the closed loop, and is also measured at half the rate it can bear, because at a rate
above it the latency only says how long one has been sending.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import psutil

from fiscotool.chain.layout import PortBases, parse_layout
from fiscotool.chain.model import Chain
from fiscotool.chain.plan import plan_chain
from fiscotool.chain.spec import ChainSpec
from fiscotool.chain.write import write_chain
from fiscotool.ledger.crypto import KeyPair
from fiscotool.ledger.tx3 import build_transaction, encode_transaction
from fiscotool.rpc.aio.load import LoadClient
from fiscotool.rpc.aio.plan import LoadPlan, LoadResult, LoadTarget, PreparedTx

NODES = 4
PORTS = PortBases(p2p=28300, rpc=28200, web3=28545)
TO = "0x" + "11" * 20
BLOCK_LIMIT_BLOCKS = 990
FRESH_BLOCKS = 200
"""How many blocks before its limit a transaction is no longer sent but signed again."""
PLAIN_OUTSTANDING_MAX = 500
PREPARED_MAX_S = 60
MEMORY_EVERY_S = 1.0
READY_S = 30.0


@contextmanager
def running_chain(root: Path, spec: ChainSpec) -> Iterator[tuple[Chain, list[psutil.Process]]]:
    """A fresh chain whose nodes have all reached a view; stopped afterwards."""
    chain = write_chain(plan_chain(spec), root)
    children: list[subprocess.Popen[bytes]] = []
    try:
        for node in chain.nodes:
            binary = node.directory.parent / "fisco-bcos"
            out = (node.directory / "nohup.out").open("wb")
            command = [sys.executable, str(binary), "-c", "config.ini", "-g", "config.genesis"]
            children.append(subprocess.Popen(command, cwd=node.directory, stdout=out, stderr=out))
            out.close()
        deadline_s = time.monotonic() + READY_S
        while not all(is_ready(node.rpc_port) for node in chain.nodes):
            assert time.monotonic() < deadline_s, "the chain did not become ready"
            time.sleep(0.1)
        yield chain, [psutil.Process(child.pid) for child in children]
    finally:
        for child in children:
            child.terminate()
        for child in children:
            child.wait(20)


def ask(port: int, method: str) -> object:
    """Result of a call without parameters, None when there is no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("POST", "/", json.dumps({"jsonrpc": "2.0", "method": method, "params": ["group0", ""], "id": 1}))
        return json.loads(connection.getresponse().read()).get("result")
    except OSError:
        return None
    finally:
        connection.close()


def is_ready(port: int) -> bool:
    """Whether the node is in a view."""
    status = ask(port, "getConsensusStatus")
    return isinstance(status, str) and json.loads(status)["timeout"] is False


def height_of(chain: Chain) -> int:
    """Height of the first node."""
    return int(str(ask(chain.nodes[0].rpc_port, "getBlockNumber")))


class Stock:
    """Signed transactions: the first `count` made before the clock runs, as long as their block limit lasts; then signed as they are taken.

    Watches the chain and its processes from a thread of its own while it is open.
    """

    def __init__(self, chain: Chain, processes: list[psutil.Process], count: int) -> None:
        self._chain, self._processes = chain, processes
        self._key = KeyPair.generate()
        self._height = height_of(chain)
        self._limit = self._height + BLOCK_LIMIT_BLOCKS
        self._ready = [self._signed() for _ in range(count)]
        self._ready.reverse()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.memory_mib: list[tuple[float, float]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def __iter__(self) -> Iterator[PreparedTx]:
        """Never ends: whoever takes them does."""
        while True:
            if self._height > self._limit - FRESH_BLOCKS:
                self._ready.clear()
                self._limit = self._height + BLOCK_LIMIT_BLOCKS
            yield self._ready.pop() if self._ready else self._signed()

    def _signed(self) -> PreparedTx:
        tx = build_transaction(
            chain_id=self._chain.chain_id, group_id=self._chain.group_id, block_limit=self._limit, to=TO, input=b"", key=self._key
        )
        return PreparedTx("0x" + tx.data_hash.hex(), encode_transaction(tx).hex())

    def _watch(self) -> None:
        began_s = time.monotonic()
        while not self._over.wait(MEMORY_EVERY_S):
            told = ask(self._chain.nodes[0].rpc_port, "getBlockNumber")
            self._height = told if isinstance(told, int) else self._height
            self.memory_mib.append((time.monotonic() - began_s, max(p.memory_info().rss for p in self._processes) / 2**20))


def load(chain: Chain, plan: LoadPlan, stock: Stock) -> LoadResult:
    """Send transactions to all nodes in turn."""
    targets = [LoadTarget(node.name, f"http://127.0.0.1:{node.rpc_port}") for node in chain.nodes]
    with stock:
        return LoadClient(targets, plan).run(iter(stock))


def warm_up(chain: Chain, processes: list[psutil.Process], outstanding: int) -> None:
    """Two seconds of load, which nobody measures."""
    load(chain, LoadPlan(outstanding, send_for_s=2.0), Stock(chain, processes, 0))


def percent(seconds: float, elapsed_s: float) -> str:
    """CPU seconds as part of the machine."""
    return f"{seconds:6.1f} s ({100 * seconds / elapsed_s / (os.cpu_count() or 1):4.1f} % of the machine)"


def closed_loop(name: str, chain: Chain, processes: list[psutil.Process], outstanding: int, for_s: float, tps_guess: int) -> LoadResult:
    """Always as many unanswered as allowed; prints throughput, CPU and memory."""
    stock = Stock(chain, processes, min(int(tps_guess * for_s), tps_guess * PREPARED_MAX_S))
    height = height_of(chain)
    before = [process.cpu_times() for process in processes]
    result = load(chain, LoadPlan(outstanding, send_for_s=for_s, deadline_s=for_s + 60), stock)
    after = [process.cpu_times() for process in processes]
    blocks = height_of(chain) - height
    committed = result.count("committed")
    print(f"{name}, closed loop, {outstanding} outstanding, {for_s:g} s")
    print(f"    transactions         {outcomes(result)}")
    print(f"    throughput           {result.committed_per_s:.0f} tx/s, {blocks} blocks of {committed / max(1, blocks):.0f}")
    print(f"    latency p50 p99      {latencies(result, 0.5, 0.99)}")
    for index, (was, now) in enumerate(zip(before, after, strict=True)):
        print(f"    CPU of node{index}         {percent(now.user + now.system - was.user - was.system, result.elapsed_s)}")
    print(f"    CPU of the client    {percent(result.client_cpu_s, result.elapsed_s)}")
    print(f"    memory of a node     {max(mib for _, mib in stock.memory_mib):.0f} MiB at most", flush=True)
    for minute in range(1, int(for_s // 60) + 1) if for_s > 60 else ():
        at_s, mib = min(stock.memory_mib, key=lambda told: abs(told[0] - 60 * minute))
        print(f"        after {at_s:4.0f} s     {mib:.0f} MiB", flush=True)
    return result


def outcomes(result: LoadResult) -> str:
    """How many of which."""
    return (
        f"{result.count('committed')}, {result.count('refused')} refused, {result.count('unknown')} unknown, {result.unsent_count} unsent"
    )


def cpu_s(processes: list[psutil.Process]) -> float:
    """CPU seconds of all processes together."""
    return sum(times.user + times.system for times in (process.cpu_times() for process in processes))


def open_loop(name: str, chain: Chain, processes: list[psutil.Process], rate_per_s: float, for_s: float) -> LoadResult:
    """So many a second whatever the nodes do; prints latencies."""
    stock = Stock(chain, processes, int(rate_per_s * for_s))
    height, before_s = height_of(chain), cpu_s(processes)
    result = load(chain, LoadPlan(8_000, rate_per_s=rate_per_s, send_for_s=for_s), stock)
    print(f"{name}, open loop, {rate_per_s:g} tx/s, {for_s:g} s")
    print(f"    latency p50 p95 p99  {latencies(result, 0.5, 0.95, 0.99)}")
    print(f"    transactions         {outcomes(result)}")
    print(
        f"    blocks               {height_of(chain) - height}; CPU of the nodes {percent(cpu_s(processes) - before_s, result.elapsed_s)}",
        flush=True,
    )
    return result


def latencies(result: LoadResult, *shares: float) -> str:
    """Percentiles in milliseconds."""
    return "  ".join(f"{1000 * (result.latency_s(share) or float('inf')):.0f} ms" for share in shares)


def median_s(result: LoadResult) -> float:
    """Median latency, infinite if nothing was committed."""
    return result.latency_s(0.5) or float("inf")


def measure_closed(name: str, root: Path, spec: ChainSpec, outstanding: int, for_s: float, tps_guess: int) -> LoadResult:
    """The closed loop on a fresh chain."""
    with running_chain(root, spec) as (chain, processes):
        warm_up(chain, processes, 200)
        return closed_loop(name, chain, processes, outstanding, for_s, tps_guess)


def measure_open(name: str, root: Path, spec: ChainSpec, rate_per_s: float, for_s: float) -> LoadResult:
    """The open loop on a fresh chain, so that what another one left behind does not burden it."""
    with running_chain(root, spec) as (chain, processes):
        warm_up(chain, processes, 10)
        return open_loop(name, chain, processes, rate_per_s, for_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--for", dest="for_s", type=float, default=30.0, help="seconds of the closed loop")
    parser.add_argument("--open", dest="open_s", type=float, default=15.0, help="seconds of the open loop")
    parser.add_argument("--outstanding", type=int, default=1500)
    parser.add_argument("--rate", type=float, default=500.0)
    parser.add_argument("--seal-ms", type=int, default=10, help="min_seal_time of the batched chain")
    parser.add_argument("--tps-guess", type=int, default=3500, help="how many transactions to prepare for each second")
    parser.add_argument("--skip-plain", action="store_true", help="only the chain with batching and pipelining")
    parser.add_argument("--skip-open", action="store_true", help="only the closed loop of it")
    args = parser.parse_args()
    hosts = parse_layout(f"127.0.0.1:{NODES}")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        batched = ChainSpec(hosts=hosts, ports=PORTS, min_seal_time_ms=args.seal_ms, block_tx_count_limit=1000)
        fast = measure_closed("batched and pipelined", root / "a", batched, args.outstanding, args.for_s, args.tps_guess)
        if args.skip_open:
            return
        quick = measure_open("batched and pipelined", root / "b", batched, args.rate, args.open_s)
        if args.skip_plain:
            return
        plain = ChainSpec(hosts=hosts, ports=PORTS, min_seal_time_ms=1, block_tx_count_limit=1, pipeline_blocks=1)
        outstanding = min(args.outstanding, PLAIN_OUTSTANDING_MAX)
        slow = measure_closed("plain: one transaction a block, one block at a time", root / "c", plain, outstanding, args.for_s, 100)
        late = measure_open("plain", root / "d", plain, args.rate, args.open_s)
        easy = measure_open("plain, half of what it can bear", root / "e", plain, max(1.0, slow.committed_per_s // 2), args.open_s)
    print(f"throughput                      {fast.committed_per_s / slow.committed_per_s:.1f} times plain")
    print(f"latency p50 at {args.rate:g}/s            {median_s(quick) / median_s(late):.4f} of plain, which is overloaded then")
    print(f"latency p50, both within bounds {median_s(quick) / median_s(easy):.2f} of plain at {slow.committed_per_s // 2:g}/s")


if __name__ == "__main__":
    main()
