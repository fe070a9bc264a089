"""Throughput and latency of an embedded chain of four nodes, with batching and pipelining and without, in one run.

    python bench/chain_tps.py [--for 30] [--outstanding 1500] [--rate 500] [--seal-ms 10] [--skip-plain]

Every node verifies every signature. The chain runs on this machine with the client; all cores are shared. Figures:
    closed loop   always `outstanding` transactions unanswered: committed transactions a second, from the first to the last answer
    open loop     `rate` a second whatever the nodes do: latency from when a transaction was due to the answer of the node that took
                  it, which is after its block was durable there
    CPU           seconds of each node and of the client in the closed loop, and what part of the machine that is
Each figure is of a fresh chain. "Plain" is the same with one transaction a block and one block at a time. At the end: the ratios.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

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
READY_S = 30.0


@dataclass(frozen=True)
class Figures:
    """What one chain reached: transactions a second in the closed loop, median latency in the open one."""

    tps: float
    p50_s: float


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


def prepared(chain: Chain, count: int) -> list[PreparedTx]:
    """Signed transactions, made before the clock runs."""
    key = KeyPair.generate()
    limit = height_of(chain) + BLOCK_LIMIT_BLOCKS
    made = []
    for _ in range(count):
        tx = build_transaction(chain_id=chain.chain_id, group_id=chain.group_id, block_limit=limit, to=TO, input=b"", key=key)
        made.append(PreparedTx("0x" + tx.data_hash.hex(), encode_transaction(tx).hex()))
    return made


def load(chain: Chain, plan: LoadPlan, txs: list[PreparedTx]) -> LoadResult:
    """Send the transactions to all nodes in turn."""
    targets = [LoadTarget(node.name, f"http://127.0.0.1:{node.rpc_port}") for node in chain.nodes]
    return LoadClient(targets, plan).run(iter(txs))


def percent(seconds: float, elapsed_s: float) -> str:
    """CPU seconds as part of the machine."""
    return f"{seconds:6.1f} s ({100 * seconds / elapsed_s / (os.cpu_count() or 1):4.1f} % of the machine)"


def closed_loop(name: str, chain: Chain, processes: list[psutil.Process], args: argparse.Namespace, tps_guess: int) -> LoadResult:
    """Always as many unanswered as allowed; prints throughput, CPU and memory."""
    txs = prepared(chain, int(tps_guess * args.for_s))
    height = height_of(chain)
    before = [process.cpu_times() for process in processes]
    result = load(chain, LoadPlan(args.outstanding, send_for_s=args.for_s), txs)
    after = [process.cpu_times() for process in processes]
    blocks = height_of(chain) - height
    committed = result.count("committed")
    print(f"{name}, closed loop, {args.outstanding} outstanding, {args.for_s:g} s")
    print(f"    committed            {committed} of {len(result.outcomes)} sent, {result.count('unknown')} unknown")
    print(f"    throughput           {result.committed_per_s:.0f} tx/s, {blocks} blocks of {committed / max(1, blocks):.0f}")
    print(f"    latency p50 p99      {latencies(result, 0.5, 0.99)}")
    for index, (was, now) in enumerate(zip(before, after, strict=True)):
        print(f"    CPU of node{index}         {percent(now.user + now.system - was.user - was.system, result.elapsed_s)}")
    print(f"    CPU of the client    {percent(result.client_cpu_s, result.elapsed_s)}")
    print(f"    memory of a node     {max(process.memory_info().rss for process in processes) >> 20} MiB at most", flush=True)
    return result


def cpu_s(processes: list[psutil.Process]) -> float:
    """CPU seconds of all processes together."""
    return sum(times.user + times.system for times in (process.cpu_times() for process in processes))


def open_loop(name: str, chain: Chain, processes: list[psutil.Process], args: argparse.Namespace) -> LoadResult:
    """So many a second whatever the nodes do; prints latencies."""
    height, before_s = height_of(chain), cpu_s(processes)
    result = load(chain, LoadPlan(8_000, rate_per_s=args.rate, send_for_s=args.open_s), prepared(chain, int(args.rate * args.open_s)))
    committed, due = result.count("committed"), len(result.outcomes) + result.unsent_count
    print(f"{name}, open loop, {args.rate:g} tx/s, {args.open_s:g} s")
    print(f"    latency p50 p95 p99  {latencies(result, 0.5, 0.95, 0.99)} of the {committed} committed, {due} were due")
    print(
        f"    blocks               {height_of(chain) - height}; CPU of the nodes {percent(cpu_s(processes) - before_s, result.elapsed_s)}",
        flush=True,
    )
    return result


def latencies(result: LoadResult, *shares: float) -> str:
    """Percentiles in milliseconds."""
    return "  ".join(f"{1000 * (result.latency_s(share) or float('inf')):.0f} ms" for share in shares)


def measure(name: str, root: Path, spec: ChainSpec, args: argparse.Namespace, tps_guess: int) -> Figures:
    """Each loop on a fresh chain, after two seconds of warming up, so that what one leaves behind does not burden the other."""
    with running_chain(root / "closed", spec) as (chain, processes):
        load(chain, LoadPlan(200, send_for_s=2.0), prepared(chain, tps_guess * 2))
        closed = closed_loop(name, chain, processes, args, tps_guess)
    with running_chain(root / "open", spec) as (chain, processes):
        load(chain, LoadPlan(10, send_for_s=2.0), prepared(chain, tps_guess))
        opened = open_loop(name, chain, processes, args)
    return Figures(closed.committed_per_s, opened.latency_s(0.5) or float("inf"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--for", dest="for_s", type=float, default=30.0, help="seconds of the closed loop")
    parser.add_argument("--open", dest="open_s", type=float, default=15.0, help="seconds of the open loop")
    parser.add_argument("--outstanding", type=int, default=1500)
    parser.add_argument("--rate", type=float, default=500.0)
    parser.add_argument("--seal-ms", type=int, default=10, help="min_seal_time of the batched chain")
    parser.add_argument("--tps-guess", type=int, default=3500, help="how many transactions to prepare for each second")
    parser.add_argument("--skip-plain", action="store_true", help="only the chain with batching and pipelining")
    args = parser.parse_args()
    hosts = parse_layout(f"127.0.0.1:{NODES}")
    with tempfile.TemporaryDirectory() as folder:
        batched = ChainSpec(hosts=hosts, ports=PORTS, min_seal_time_ms=args.seal_ms, block_tx_count_limit=1000)
        fast = measure("batched and pipelined", Path(folder) / "batched", batched, args, args.tps_guess)
        if args.skip_plain:
            return
        plain_spec = ChainSpec(hosts=hosts, ports=PORTS, min_seal_time_ms=1, block_tx_count_limit=1, pipeline_blocks=1)
        plain = measure("plain: one transaction a block, one block at a time", Path(folder) / "plain", plain_spec, args, 200)
    print(f"throughput: {fast.tps / plain.tps:.2f} times plain; latency p50 at {args.rate:g}/s: {fast.p50_s / plain.p50_s:.2f} of plain")


if __name__ == "__main__":
    main()
