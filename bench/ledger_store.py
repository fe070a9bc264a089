"""What one node spends on a transaction, from its bytes to the disk, beside the network and the votes: microseconds a transaction.

    python bench/ledger_store.py [--directory DIR] [--seconds S]      prints the table; exit status 1 when a limit is passed

Blocks of 1000 and of 10 plain native transactions, all different. The first row is the ledger room's (decode, hash, recover the sender);
it is also inside `admit`, so the pool's own cost is the difference. `commit` is twice: processor time of the process, which limits
throughput, and wall time, which is mostly the fsync. Limits: the first row is left to bench/ledger_speed.py; the sum of all others
(processor time) is to stay below 60 µs in blocks of 1000.

`--seconds S` goes on for S seconds with blocks of 1000 and prints memory along the way: it must level off.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil

from fiscotool.devnet.executor import BlockExecutor
from fiscotool.devnet.proposals import ContentCache, objection
from fiscotool.devnet.sealer import Sealer
from fiscotool.devnet.settings import parse_genesis
from fiscotool.devnet.store import SqliteLedger, open_ledger
from fiscotool.devnet.txpool import TxPool
from fiscotool.ledger.crypto import KeyPair
from fiscotool.ledger.tx3 import TransactionData, decode_verified, encode_transaction, sign_transaction

KEYS = sorted((KeyPair.generate() for _ in range(4)), key=lambda key: key.node_id)
USER = KeyPair.generate()
GENESIS = "\n".join(
    [
        *("[chain]", "chain_id=chain0", "group_id=group0", "[web3]", "chain_id=20200", "[consensus]"),
        *(f"node.{index}={key.node_id.hex()}: 1" for index, key in enumerate(KEYS)),
    ]
)
LIMIT_US = 60.0
ROWS = ("decode + recover", "admit", "seal", "verify", "execute", "commit (processor)", "commit (wall)", "forget", "find")
OWN = ("seal", "verify", "execute", "commit (processor)", "forget")


def signed(count: int, block_limit: int) -> list[bytes]:
    return [
        encode_transaction(
            sign_transaction(TransactionData(0, "chain0", "group0", block_limit, f"{time.perf_counter_ns()}", "22" * 20, b""), USER)
        )
        for _ in range(count)
    ]


class Node:
    """A node's parts without network."""

    def __init__(self, directory: Path, tx_count: int) -> None:
        self.ledger: SqliteLedger = open_ledger(directory, replace(parse_genesis(GENESIS), tx_count_limit=tx_count))
        clock = time.monotonic_ns
        self.pool = TxPool(
            self.ledger,
            chain_id="chain0",
            group_id="group0",
            now_ms=lambda: clock() // 1_000_000,
            import_time_ms=lambda: time.time_ns() // 1_000_000,
        )
        self.executor = BlockExecutor(self.ledger)
        self.sealer = Sealer(self.ledger, node_id=KEYS[0].node_id, min_seal_time_ms=1, wall_ms=lambda: time.time_ns() // 1_000_000)
        self.contents = ContentCache()
        self.spent_s = dict.fromkeys(ROWS, 0.0)
        self.tx_total = 0

    @contextmanager
    def row(self, name: str) -> Iterator[None]:
        """Count the time inside for this row of the table."""
        began_s = time.perf_counter()
        yield
        self.spent_s[name] += time.perf_counter() - began_s

    async def block(self, raws: list[bytes], *, is_warm: bool = True) -> None:
        """Take these transactions from bytes to the disk."""
        number = self.ledger.height + 1
        with self.row("decode + recover"):
            if is_warm:
                for raw in raws:
                    decode_verified(raw)
        with self.row("admit"):
            taken = self.pool.admit_gossip(raws)
        assert len(taken) == len(raws)
        self.sealer.set_range(number, number, 0)
        with self.row("seal"):
            proposal = self.sealer.poll(10**9, self.pool)
        assert proposal is not None
        with self.row("verify"):
            content = self.contents.of(proposal)
            assert not objection(proposal, content, self.ledger.config)
            assert not self.pool.check_sealable(content.tx_hashes, number=number)
            self.pool.mark_sealed(content.tx_hashes, number=number, proposal=proposal.digest)
        with self.row("execute"):
            txs = [tx for tx in map(self.pool.get, content.tx_hashes) if tx is not None]
            done = self.executor.execute(replace(content.header, parents=((number - 1, self.ledger.head_hash),)), txs)
        signatures = [(index, key.sign(done.block_hash)) for index, key in enumerate(KEYS[:3])]
        processor_s = time.process_time()
        with self.row("commit (wall)"):
            await self.ledger.commit(done, signatures)
        self.spent_s["commit (processor)"] += time.process_time() - processor_s
        with self.row("forget"):
            self.pool.on_committed(number, [tx.tx_hash for tx in done.txs])
            self.executor.on_committed(number)
        with self.row("find"):
            assert self.ledger.receipt(done.txs[-1].tx_hash)
        self.tx_total += len(raws)

    def us_per_tx(self, name: str) -> float:
        """Microseconds a transaction of this row."""
        return self.spent_s[name] / self.tx_total * 1e6


async def measure(directory: Path, tx_count: int, blocks: int) -> Node:
    node = Node(directory, tx_count)
    for _ in range(blocks):
        await node.block(signed(tx_count, node.ledger.height + 500))
    began_s = time.perf_counter()
    node.ledger.close()
    open_ledger(directory, replace(parse_genesis(GENESIS), tx_count_limit=tx_count)).close()
    print(f"{blocks} blocks of {tx_count}: closed and opened again in {(time.perf_counter() - began_s) * 1000:.0f} ms")
    return node


async def go_on(directory: Path, seconds: float) -> None:
    node = Node(directory, 1000)
    process = psutil.Process()
    began_s = told_s = time.monotonic()
    while time.monotonic() < began_s + seconds:
        await node.block(signed(1000, node.ledger.height + 500), is_warm=False)
        if time.monotonic() >= told_s + seconds / 10:
            told_s = time.monotonic()
            print(f"{told_s - began_s:6.0f} s  {node.tx_total:9} transactions  {process.memory_info().rss / 2**20:6.1f} MiB")
    first = node.ledger.block_tx_hashes(1)[0]
    looked_s = time.perf_counter()
    assert node.ledger.tx_location(first) == (1, 0)
    print(f"the oldest transaction was found in {(time.perf_counter() - looked_s) * 1e6:.0f} µs")
    node.ledger.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--directory", type=Path, help="where to write; by default a temporary directory")
    parser.add_argument("--seconds", type=float, default=0.0)
    given = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="ledger-store-", dir=given.directory))
    try:
        if given.seconds:
            asyncio.run(go_on(directory / "long", given.seconds))
            return 0
        nodes = [asyncio.run(measure(directory / str(count), count, blocks)) for count, blocks in ((1000, 12), (10, 150))]
        print(f"{'µs a transaction':22}{'1000':>9}{'10':>9}")
        for name in ROWS:
            print(f"{name:22}" + "".join(f"{node.us_per_tx(name):9.1f}" for node in nodes))
        sums = [sum(map(node.us_per_tx, OWN)) + max(0.0, node.us_per_tx("admit") - node.us_per_tx("decode + recover")) for node in nodes]
        print(f"{'own, without recover':22}" + "".join(f"{total:9.1f}" for total in sums) + f"   (limit for 1000: {LIMIT_US})")
        return int(sums[0] > LIMIT_US)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
