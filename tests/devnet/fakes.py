"""Stand-ins for what holds transactions, state and blocks, small enough to be read: they keep everything in memory.

Only for tests of the node around them; chains of real processes use the real ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fiscotool.devnet.contracts import ChainConfig, ExecutedBlock, PooledTx, Sealer
from fiscotool.devnet.form import BlockForm
from fiscotool.devnet.form3 import FORM3
from fiscotool.devnet.parts import Parts
from fiscotool.devnet.sealer import block_proposal
from fiscotool.ledger.block3 import Block, encode_block
from fiscotool.ledger.crypto import keccak256
from fiscotool.ledger.header3 import BlockHeader, genesis_header, hash_header, with_signatures
from fiscotool.pbft.messages import Proposal

VERSION = 0x03100000


def pooled(raw: bytes) -> PooledTx:
    return PooledTx(keccak256(raw), raw, b"\0" * 20, "", "", 0, is_web3=False, is_system=False)


@dataclass
class MemoryPool:
    known: dict[bytes, PooledTx] = field(default_factory=dict)
    sealed: set[bytes] = field(default_factory=set)
    committed: set[bytes] = field(default_factory=set)

    def admit(self, raw: bytes) -> PooledTx:
        tx = pooled(raw)
        self.known[tx.tx_hash] = tx
        return tx

    def admit_gossip(self, raws: Iterable[bytes], *, is_needed: bool = False) -> list[PooledTx]:
        new = [tx for tx in map(pooled, raws) if tx.tx_hash not in self.known and tx.tx_hash not in self.committed]
        self.known.update((tx.tx_hash, tx) for tx in new)
        return new

    def seal(self, limit: int) -> list[PooledTx]:
        found = [tx for tx in self.known.values() if tx.tx_hash not in self.sealed][:limit]
        self.sealed.update(tx.tx_hash for tx in found)
        return found

    def mark_sealed(self, tx_hashes: Iterable[bytes], *, number: int = 0, proposal: bytes = b"") -> None:
        self.sealed.update(tx_hashes)

    def release(self, tx_hashes: Iterable[bytes], *, proposal: bytes = b"") -> None:
        self.sealed.difference_update(tx_hashes)

    def missing(self, tx_hashes: Iterable[bytes]) -> list[bytes]:
        return [one for one in tx_hashes if one not in self.known]

    def get(self, tx_hash: bytes) -> PooledTx | None:
        return self.known.get(tx_hash)

    def pending_nonce(self, address: bytes) -> int:
        return sum(tx.sender == address for tx in self.known.values())

    def check_sealable(self, tx_hashes: Sequence[bytes], *, number: int = 0) -> str:
        return "on chain" if self.committed.intersection(tx_hashes) else ""

    def on_committed(self, number: int, tx_hashes: Sequence[bytes]) -> None:
        for one in tx_hashes:
            self.known.pop(one, None)
            self.sealed.discard(one)
            self.committed.add(one)

    @property
    def unsealed_count(self) -> int:
        return len(self.known) - len(self.sealed)

    @property
    def total_count(self) -> int:
        return len(self.known)


@dataclass
class MemoryLedger:
    config: ChainConfig
    blocks: list[tuple[BlockHeader, tuple[PooledTx, ...]]] = field(default_factory=lambda: [(genesis_header(VERSION, b"test"), ())])
    problem: Exception | None = None
    form: BlockForm = FORM3

    @property
    def height(self) -> int:
        return len(self.blocks) - 1

    @property
    def head_hash(self) -> bytes:
        return hash_header(self.blocks[-1][0])

    @property
    def genesis_hash(self) -> bytes:
        return hash_header(self.blocks[0][0])

    def header(self, number: int) -> BlockHeader | None:
        return self.blocks[number][0] if number < len(self.blocks) else None

    def tx_location(self, tx_hash: bytes) -> tuple[int, int] | None:
        found = [(number, at) for number, (_, txs) in enumerate(self.blocks) for at, tx in enumerate(txs) if tx.tx_hash == tx_hash]
        return found[0] if found else None

    def block_tx_hashes(self, number: int) -> list[bytes]:
        return [tx.tx_hash for tx in self.blocks[number][1]]

    async def commit(self, block: ExecutedBlock, signatures: Sequence[tuple[int, bytes]]) -> None:
        await asyncio.sleep(0)
        if self.problem is not None:
            raise self.problem
        assert block.number == self.height + 1
        self.blocks.append((with_signatures(block.header, tuple(signatures)), block.txs))

    def encoded_block(self, number: int) -> bytes:
        header, txs = self.blocks[number]
        return encode_block(Block(header, transactions=tuple(tx.raw for tx in txs)))


class MemoryExecutor:
    """Every transaction costs 1; the state root is the hash of all transactions so far."""

    def execute(self, header: BlockHeader, txs: Sequence[PooledTx]) -> ExecutedBlock:
        root = keccak256(header.parents[0][1] + b"".join(tx.tx_hash for tx in txs))
        done = replace(header, txs_root=root, receipts_root=root, state_root=root, gas_used=str(len(txs)))
        return ExecutedBlock(
            header.number, hash_header(header), hash_header(done), done, tuple(txs), tuple(b"receipt" for _ in txs), None, is_system=False
        )

    def call(self, sender: bytes, to: str, data: bytes) -> tuple[int, bytes, str]:
        return 0, b"", ""

    def on_committed(self, number: int) -> None:
        pass

    def discard_from(self, number: int) -> None:
        pass


class MemorySealer:
    """Proposes as soon as there is something."""

    def __init__(self, pool: MemoryPool, ledger: MemoryLedger, own_id: bytes, propose: Callable[[Proposal], None], limit: int) -> None:
        self.pool, self.ledger, self.propose, self.limit = pool, ledger, propose, limit
        self.me = [sealer.node_id for sealer in ledger.config.sealers].index(own_id)
        self.next, self.last = 1, 0

    def set_range(self, first: int, last: int, view: int) -> None:
        self.next, self.last = first, last
        asyncio.get_running_loop().call_soon(self.on_transactions)

    def on_transactions(self) -> None:
        while self.next <= self.last and self.pool.unsealed_count:
            txs = self.pool.seal(self.limit)
            config = self.ledger.config
            at_ms = 1_700_000_000_000 + self.next
            proposal = block_proposal(self.next, self.me, txs, config, at_ms, form=self.ledger.form, parent_hash=self.ledger.head_hash)
            self.next += 1
            self.propose(proposal)

    def on_block(self, block: ExecutedBlock) -> None:
        pass

    def stop(self) -> None:
        self.last = 0


def memory_parts(own_id: bytes, sealers: Sequence[bytes], *, tx_count_limit: int = 100, form: BlockForm = FORM3) -> Parts:
    """Parts of one node; `sealers` in any order, each with weight 1."""
    members = tuple(Sealer(node_id, 1) for node_id in sorted(sealers))
    ledger = MemoryLedger(ChainConfig(members, (), tx_count_limit, 1, 3_000_000_000, VERSION), form=form)
    pool = MemoryPool()
    any_ledger: Any = ledger
    return Parts(
        store=any_ledger,
        pool=pool,
        executor=MemoryExecutor(),
        make_sealer=lambda propose: MemorySealer(pool, ledger, own_id, propose, tx_count_limit),
        pooled=pooled,
        pending=lambda: [tx.raw for tx in pool.known.values()],
        close=lambda: None,
    )
