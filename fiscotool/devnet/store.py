"""The ledger of a node: what is durable, and how a block becomes so (contracts.LedgerReader, contracts.LedgerStore).

Rule 1. `height`, `config`, balances and everything else a reader sees move together, in the event loop, after the block is on the disk.
Rule 2. `commit` returns when the block is durable. One thread writes; blocks that come while it works share its next transaction.
Rule 3. The first failed write is final (LedgerWriteError, DiskFull): the file still holds a consistent chain up to `height`, and this
        process writes nothing more to it.
Rule 4. Memory is bounded: the last blocks by number of transactions, headers and accounts by count, the hash index and the nonces by
        their windows. Everything else is read from the file.

    ledger = open_ledger(data_directory, genesis)        # settings.GenesisSettings; raises LedgerError
    await ledger.commit(executed, signatures)
    ledger.close()

Sources: spec 3.x 1.13, 2.3, 3.4; ledger_file.py, txindex.py, nonces.py for the parts.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import struct
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fiscotool.devnet.caches import BoundedCache
from fiscotool.devnet.contracts import ChainConfig, ExecutedBlock
from fiscotool.devnet.genesis import block_zero, initial_state
from fiscotool.devnet.ledger_errors import DiskFull, LedgerError, LedgerWriteError
from fiscotool.devnet.ledger_file import (
    FILE_NAME,
    BlockRow,
    Head,
    open_reader,
    open_writer,
    read_head,
    unusable,
    write_blocks,
)
from fiscotool.devnet.nonces import NonceWindow
from fiscotool.devnet.packing import pack_rows, unpack_rows
from fiscotool.devnet.settings import GenesisSettings
from fiscotool.devnet.state import EMPTY_ACCOUNT, Account, NodeRecord, Setting, chain_config
from fiscotool.devnet.txindex import Segment, TxIndex, split_hashes
from fiscotool.ledger.block3 import COMPLETE_BLOCK, Block, encode_block
from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.ledger.header3 import BlockHeader, decode_header, encode_header, hash_header, with_signatures

__all__ = ["DiskFull", "LedgerError", "LedgerWriteError", "SqliteLedger", "open_ledger"]

_HEADERS_CACHED: Final = 256
_BODY_TXS_CACHED: Final = 6000
_ACCOUNTS_CACHED: Final = 20_000
_CHECKPOINT_BYTES: Final = 4 * 1024 * 1024
_BLOCK_OVERHEAD_BYTES: Final = 32 * 1024


@dataclass(frozen=True, slots=True)
class _Body:
    tx_hashes: list[bytes]
    transactions: tuple[bytes, ...]
    receipts: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _Pending:
    row: BlockRow
    header: BlockHeader
    body: _Body
    head: Head
    done: asyncio.Future[None]


def open_ledger(directory: Path, genesis: GenesisSettings, *, segment_txs: int | None = None) -> SqliteLedger:
    """The ledger in `directory`, begun with block 0 if there is none. Raises LedgerError: damaged, or of another chain."""
    path = directory / FILE_NAME
    writer = open_writer(path)
    try:
        return SqliteLedger(path, writer, _begin(path, writer, genesis), genesis.block_limit, segment_txs)
    except (sqlite3.Error, ValueError) as problem:
        writer.close()
        raise unusable(path, problem) from problem
    except LedgerError:
        writer.close()
        raise


def _begin(path: Path, writer: sqlite3.Connection, genesis: GenesisSettings) -> Head:
    """The head, after writing block 0 into an empty file. Raises LedgerError for another chain's file."""
    header = block_zero(genesis)
    genesis_hash = hash_header(header)
    head = read_head(writer)
    if head is None:
        head = Head(genesis_hash, 0, genesis_hash, 0, 0)
        write_blocks(writer, [BlockRow(0, genesis_hash, encode_header(header), b"", b"", b"", initial_state(genesis))], head)
    if head.genesis_hash != genesis_hash:
        raise LedgerError(
            f"{path} holds another chain: its genesis block is {head.genesis_hash.hex()[:16]}…, config.genesis makes "
            f"{genesis_hash.hex()[:16]}…",
            hint="The Genesis Data is inconsistent with the initial Genesis Data: put the first config.genesis back, or remove data/",
        )
    return head


class SqliteLedger:
    """An open ledger; see `open_ledger`. Used by one event loop, in one thread."""

    def __init__(self, path: Path, writer: sqlite3.Connection, head: Head, block_limit: int, segment_txs: int | None) -> None:
        self.path = path
        self.nonces = NonceWindow(block_limit)
        self._writer = writer
        self._reader = open_reader(path)
        self._head = head
        self._queued_head = head
        self._queue: list[_Pending] = []
        self._is_writing = False
        self._failure: LedgerWriteError | None = None
        self._unchecked_bytes = 0
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
        self._headers: BoundedCache[int, BlockHeader] = BoundedCache(_HEADERS_CACHED)
        self._bodies: BoundedCache[int, _Body] = BoundedCache(_BODY_TXS_CACHED, cost=lambda body: 20 + len(body.tx_hashes))
        self._accounts: BoundedCache[bytes, Account] = BoundedCache(_ACCOUNTS_CACHED)
        self._index = TxIndex(self._reader) if segment_txs is None else TxIndex(self._reader, segment_txs=segment_txs)
        self._settings = {key: Setting(*rest) for key, *rest in self._reader.execute("SELECT name, value, enable_number FROM setting")}
        self._nodes = {
            node_id: NodeRecord(bool(is_sealer), weight, enabled)
            for node_id, is_sealer, weight, enabled in self._reader.execute("SELECT node_id, is_sealer, weight, enable_number FROM node")
        }
        self._config = chain_config(self)
        first = head.number + 1 - block_limit
        for number, nonces in self._reader.execute("SELECT number, nonces FROM block WHERE number >= ? ORDER BY number", (first,)):
            self.nonces.add(number, nonces)

    # What is in force and where the chain stands.

    @property
    def height(self) -> int:
        """Number of the last block."""
        return self._head.number

    @property
    def head_hash(self) -> bytes:
        """Hash of the last block."""
        return self._head.hash

    @property
    def genesis_hash(self) -> bytes:
        """Hash of block 0."""
        return self._head.genesis_hash

    @property
    def config(self) -> ChainConfig:
        """Configuration in force for the next block."""
        return self._config

    def totals(self) -> tuple[int, int]:
        """(transactions, failed transactions) on the whole chain."""
        return self._head.tx_total, self._head.failed_total

    # State (state.StateReader).

    def account(self, address: bytes) -> Account:
        """The account of a 20-byte address; an empty one for an unknown address."""
        found = self._accounts.get(address)
        if found is None:
            row = self._one("SELECT balance, nonce FROM account WHERE address = ?", address)
            found = EMPTY_ACCOUNT if row is None else Account(int.from_bytes(row[0], "big"), row[1])
            self._accounts.put(address, found)
        return found

    def balance(self, address: bytes) -> int:
        """Balance of an account in wei, 0 for an unknown one."""
        return self.account(address).balance

    def account_nonce(self, address: bytes) -> int:
        """Next nonce of a Web3 account."""
        return self.account(address).nonce

    def setting(self, key: str) -> Setting | None:
        """A system configuration value, or None."""
        return self._settings.get(key)

    def system_config(self, key: str) -> tuple[str, int] | None:
        """(value, enable number) of a system configuration key, or None."""
        return self._settings.get(key)

    def nodes(self) -> Mapping[bytes, NodeRecord]:
        """All members by node id."""
        return self._nodes

    # Blocks.

    def _one(self, sql: str, *values: object) -> Any:
        try:
            return self._reader.execute(sql, values).fetchone()
        except sqlite3.Error as problem:
            raise unusable(self.path, problem) from problem

    def header(self, number: int) -> BlockHeader | None:
        """The header with its signature list, or None."""
        found = self._headers.get(number)
        if found is None and 0 <= number <= self.height:
            row = self._one("SELECT header FROM block WHERE number = ?", number)
            try:
                found = decode_header(row[0])
            except (LedgerFormatError, TypeError) as problem:
                raise unusable(self.path, f"block {number}: {problem}") from problem
            self._headers.put(number, found)
        return found

    def block_hash(self, number: int) -> bytes | None:
        """Hash of a block by height, or None."""
        if number == self.height:
            return self.head_hash
        row = self._one("SELECT hash FROM block WHERE number = ?", number) if 0 <= number < self.height else None
        return None if row is None else bytes(row[0])

    def number_of(self, block_hash: bytes) -> int | None:
        """Height of a block by hash, or None."""
        row = self._one("SELECT number FROM block WHERE hash = ?", block_hash)
        return None if row is None or row[0] > self.height else int(row[0])

    def _body(self, number: int) -> _Body | None:
        body = self._bodies.get(number)
        if body is None and 0 <= number <= self.height:
            row = self._one("SELECT tx_hashes, transactions, receipts FROM block JOIN body USING (number) WHERE number = ?", number)
            try:
                body = _Body(split_hashes(row[0]), unpack_rows(row[1]), unpack_rows(row[2]))
            except (TypeError, struct.error) as problem:
                raise unusable(self.path, f"the body of block {number}: {problem}") from problem
            self._bodies.put(number, body)
        return body

    def block_txs(self, number: int) -> list[bytes]:
        """Raw (Tars) transactions of a block, in order; none of an unknown block."""
        body = self._body(number)
        return [] if body is None else list(body.transactions)

    def block_tx_hashes(self, number: int) -> list[bytes]:
        """Their hashes, in order."""
        body = self._body(number)
        return [] if body is None else list(body.tx_hashes)

    def block_receipts(self, number: int) -> list[bytes]:
        """Encoded (Tars) receipts of a block, in order of its transactions."""
        body = self._body(number)
        return [] if body is None else list(body.receipts)

    def encoded_block(self, number: int) -> bytes:
        """The block as sent to a synchronising peer: Tars Block with header, signatures and transactions. Raises KeyError."""
        header, body = self.header(number), self._body(number)
        if header is None or body is None:
            raise KeyError(number)
        return encode_block(Block(header, transactions=body.transactions, block_type=COMPLETE_BLOCK))

    # Transactions.

    def _find(self, tx_hash: bytes) -> tuple[_Body, int, int] | None:
        for number, position in self._index.candidates(tx_hash):
            body = self._body(number)
            if body is not None and position < len(body.tx_hashes) and body.tx_hashes[position] == tx_hash:
                return body, number, position
        return None

    def tx_location(self, tx_hash: bytes) -> tuple[int, int] | None:
        """(block number, position) of a transaction on chain, or None."""
        found = self._find(tx_hash)
        return None if found is None else found[1:]

    def tx(self, tx_hash: bytes) -> bytes | None:
        """Raw transaction, or None."""
        found = self._find(tx_hash)
        return None if found is None else found[0].transactions[found[2]]

    def receipt(self, tx_hash: bytes) -> bytes | None:
        """Encoded (Tars) receipt, or None."""
        found = self._find(tx_hash)
        return None if found is None else found[0].receipts[found[2]]

    # Writing.

    async def commit(self, block: ExecutedBlock, signatures: Sequence[tuple[int, bytes]]) -> None:
        """Write block, receipts, state changes and head in one durable transaction.

        Raises LedgerWriteError (an OSError) when the disk fails, DiskFull when it is full, ValueError for a block out of order.
        """
        if self._failure is not None:
            raise self._failure
        if block.number != self._queued_head.number + 1:
            raise ValueError(f"block {block.number} cannot follow block {self._queued_head.number}")
        pending = self._prepare(block, signatures)
        self._queue.append(pending)
        self._queued_head = pending.head
        if not self._is_writing:
            self._start_writing()
        await asyncio.shield(pending.done)

    def _prepare(self, block: ExecutedBlock, signatures: Sequence[tuple[int, bytes]]) -> _Pending:
        header = with_signatures(block.header, tuple(sorted(signatures)))
        tx_hashes = [tx.tx_hash for tx in block.txs]
        body = _Body(tx_hashes, tuple(tx.raw for tx in block.txs), block.receipts)
        last = self._queued_head
        head = Head(
            last.genesis_hash,
            block.number,
            block.block_hash,
            last.tx_total + len(tx_hashes),
            last.failed_total + block.changes.failed_count,
        )
        row = BlockRow(
            block.number,
            block.block_hash,
            encode_header(header),
            b"".join(tx_hashes),
            pack_rows(body.transactions),
            pack_rows(body.receipts),
            block.changes,
        )
        return _Pending(row, header, body, head, asyncio.get_running_loop().create_future())

    def _start_writing(self) -> None:
        batch, self._queue = self._queue, []
        self._is_writing = True
        future = asyncio.get_running_loop().run_in_executor(self._pool, self._write, batch)
        future.add_done_callback(lambda done: self._on_written(batch, done))

    def _write(self, batch: list[_Pending]) -> Segment | None:
        blocks = [(one.row.number, one.body.tx_hashes) for one in batch]
        segment = self._index.plan_segment(blocks)
        write_blocks(self._writer, [one.row for one in batch], batch[-1].head, [] if segment is None else [segment])
        return segment

    def _on_written(self, batch: list[_Pending], done: asyncio.Future[Segment | None]) -> None:
        self._is_writing = False
        problem = done.exception()
        if problem is not None:
            self._fail(batch, problem)
            return
        self._index.on_written([(one.row.number, one.body.tx_hashes) for one in batch], done.result())
        for one in batch:
            self._apply(one)
            if not one.done.done():
                one.done.set_result(None)
        if self._queue:
            self._start_writing()
        elif self._unchecked_bytes >= _CHECKPOINT_BYTES:
            self._unchecked_bytes = 0
            self._pool.submit(self._checkpoint)

    def _apply(self, one: _Pending) -> None:
        changes = one.row.changes
        self._head = one.head
        self._headers.put(one.head.number, one.header)
        self._bodies.put(one.head.number, one.body)
        self.nonces.add(one.head.number, changes.nonces)
        for address, account in changes.accounts.items():
            self._accounts.put(address, account)
        if changes.settings or changes.nodes:
            self._settings.update(changes.settings)
            merged = {**self._nodes, **changes.nodes}
            self._nodes = {node_id: record for node_id, record in merged.items() if record is not None}
            self._config = chain_config(self)
        self._unchecked_bytes += _BLOCK_OVERHEAD_BYTES + len(one.row.transactions) + len(one.row.receipts)

    def _fail(self, batch: list[_Pending], problem: BaseException) -> None:
        code = getattr(problem, "sqlite_errorcode", None)
        kind = DiskFull if code == sqlite3.SQLITE_FULL else LedgerWriteError
        number = batch[0].row.number
        self._failure = kind(
            f"{self.path}: block {number} cannot be written: {problem}",
            hint=f"make room on the disk or mend it, then start the node again: its ledger is complete up to block {self.height}",
        )
        self._failure.__cause__ = problem
        for one in (*batch, *self._queue):
            if not one.done.done():
                one.done.set_exception(self._failure)
        self._queue.clear()

    def _checkpoint(self) -> None:
        # A checkpoint only moves durable blocks from the write-ahead log into the file; whether it succeeds changes nothing for them.
        with contextlib.suppress(sqlite3.Error):
            self._writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def close(self) -> None:
        """Wait for the write in progress and close the file."""
        self._pool.shutdown(wait=True)
        self._reader.close()
        self._writer.close()
