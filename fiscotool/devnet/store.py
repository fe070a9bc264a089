"""The ledger of a node: what is durable, and how a block becomes so (contracts.LedgerStore).

Rule 1. `height`, `config`, balances and everything else a reader sees move together, in the event loop, after the block is on the disk.
Rule 2. `commit` returns when the block is durable. One thread writes; blocks that come while it works share its next transaction.
Rule 3. The first failed write is final (LedgerWriteError, DiskFull): the file still holds a consistent chain up to `height`, and this
        process writes nothing more to it.

    ledger = open_ledger(data_directory, genesis)        # settings.GenesisSettings; raises LedgerError
    await ledger.commit(executed, signatures)
    ledger.close()

Sources: spec 3.x 1.8 steps 13 and 14, 1.13, 3.4; ledger_file.py, ledger_reading.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fiscotool.devnet.contracts import ExecutedBlock
from fiscotool.devnet.form import BlockForm
from fiscotool.devnet.forms import form_of
from fiscotool.devnet.ledger_errors import DiskFull, LedgerError, LedgerWriteError
from fiscotool.devnet.ledger_file import FILE_NAME, BlockRow, Head, open_writer, read_head, unusable, write_blocks
from fiscotool.devnet.ledger_reading import Body, LedgerReading
from fiscotool.devnet.packing import pack_rows
from fiscotool.devnet.settings import GenesisSettings
from fiscotool.devnet.state import chain_config
from fiscotool.devnet.txindex import SEGMENT_TXS, Segment

__all__ = ["DiskFull", "LedgerError", "LedgerWriteError", "SqliteLedger", "open_ledger"]

_CHECKPOINT_BYTES: Final = 4 * 1024 * 1024
_BLOCK_OVERHEAD_BYTES: Final = 32 * 1024


@dataclass(frozen=True, slots=True)
class _Pending:
    row: BlockRow
    header: Any
    body: Body
    head: Head
    done: asyncio.Future[None]


def open_ledger(directory: Path, genesis: GenesisSettings, *, segment_txs: int = SEGMENT_TXS) -> SqliteLedger:
    """The ledger in `directory`, begun with block 0 if there is none. Raises LedgerError: damaged, or of another chain."""
    path = directory / FILE_NAME
    form = form_of(genesis.generation, genesis.protocol)
    writer = open_writer(path, form)
    try:
        return SqliteLedger(path, writer, _begin(path, writer, genesis, form), genesis.block_limit, segment_txs, form)
    except (sqlite3.Error, ValueError) as problem:
        writer.close()
        raise unusable(path, problem) from problem
    except LedgerError:
        writer.close()
        raise


def _begin(path: Path, writer: sqlite3.Connection, genesis: GenesisSettings, form: BlockForm) -> Head:
    """The head, after writing block 0 into an empty file. Raises LedgerError for another chain's file."""
    header = form.genesis_header(genesis)
    genesis_hash = form.hash_header(header)
    head = read_head(writer)
    if head is None:
        head = Head(genesis_hash, 0, genesis_hash, 0, 0)
        write_blocks(writer, [BlockRow(0, genesis_hash, form.encode_header(header), b"", b"", b"", form.initial_state(genesis))], head)
    if head.genesis_hash != genesis_hash:
        raise LedgerError(
            f"{path} holds another chain: its genesis block is {head.genesis_hash.hex()[:16]}…, config.genesis makes "
            f"{genesis_hash.hex()[:16]}…",
            hint="The Genesis Data is inconsistent with the initial Genesis Data: put the first config.genesis back, or remove data/",
        )
    return head


class SqliteLedger(LedgerReading):
    """An open ledger; see `open_ledger`. Used by one event loop, in one thread."""

    def __init__(self, path: Path, writer: sqlite3.Connection, head: Head, block_limit: int, segment_txs: int, form: BlockForm) -> None:
        super().__init__(path, head, block_limit, segment_txs, form)
        self._writer = writer
        self._queued_head = head
        self._queue: list[_Pending] = []
        self._is_writing = False
        self._failure: LedgerWriteError | None = None
        self._unchecked_bytes = 0
        self._is_closed = False
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")

    async def commit(self, block: ExecutedBlock, signatures: Sequence[tuple[int, bytes]]) -> None:
        """Write block, receipts, state changes and head in one durable transaction.

        Raises LedgerWriteError (an OSError) when the disk fails, DiskFull when it is full, ValueError for a block out of order.
        """
        if self._failure is not None:
            raise self._failure
        if self._is_closed:
            raise LedgerWriteError(f"{self.path} is closed", hint="start the node again")
        if block.number != self._queued_head.number + 1:
            raise ValueError(f"block {block.number} cannot follow block {self._queued_head.number}")
        pending = self._prepare(block, signatures)
        self._queue.append(pending)
        self._queued_head = pending.head
        if not self._is_writing:
            self._start_writing()
        await asyncio.shield(pending.done)

    def _prepare(self, block: ExecutedBlock, signatures: Sequence[tuple[int, bytes]]) -> _Pending:
        header = self.form.with_signatures(block.header, tuple(sorted(signatures)))
        tx_hashes = [tx.tx_hash for tx in block.txs]
        body = Body(tx_hashes, tuple(tx.raw for tx in block.txs), block.receipts)
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
            self.form.encode_header(header),
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
        write_blocks(self._writer, [one.row for one in batch], batch[-1].head, segment)
        return segment

    def _on_written(self, batch: list[_Pending], done: asyncio.Future[Segment | None]) -> None:
        self._is_writing = False
        if done.cancelled():
            self._queue[:0] = batch
            self._refuse_waiting()
            return
        problem = done.exception()
        if problem is not None:
            self._fail(batch, problem)
            return
        self._index.on_written([(one.row.number, one.body.tx_hashes) for one in batch], done.result())
        for one in batch:
            self._apply(one)
            if not one.done.done():
                one.done.set_result(None)
        if self._is_closed:
            self._refuse_waiting()
        elif self._queue:
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

    def _refuse_waiting(self) -> None:
        waiting, self._queue = self._queue, []
        for one in waiting:
            one.done.cancel()

    def _checkpoint(self) -> None:
        # A checkpoint only moves durable blocks from the write-ahead log into the file; whether it succeeds changes nothing for them.
        with contextlib.suppress(sqlite3.Error):
            self._writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def close(self) -> None:
        """Wait for the write in progress and close the file; what waits behind it is not written."""
        self._is_closed = True
        if not self._is_writing:
            self._refuse_waiting()
        self._pool.shutdown(wait=True)
        self._reader.close()
        self._writer.close()
