"""Group commit: the event loop goes on while one worker thread makes records durable, many at a time.

Rule 1. `append` numbers each record; `is_durable(number)` is true once a batch that contains it has been fsynced.
Rule 2. At most one batch is being written; what is appended meanwhile forms the next one.
Rule 3. The first failure is final: nothing counts as durable after it, and `on_failed` is called once.

Sources: Gray & Reuter, "Transaction Processing", section 9.6 (group commit).
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from fiscotool.devnet.consensus_log import StoredTransactions
from fiscotool.pbft.effects import ExecutedRecord, StandRecord, VoteRecord
from fiscotool.pbft.types import Height

__all__ = ["DurableWriter", "Record"]

Record = VoteRecord | ExecutedRecord | StandRecord | StoredTransactions


class RecordStore(Protocol):
    """Where records go (`consensus_log.ConsensusLog`)."""

    def write(self, records: Sequence[Record], forget_until: Height) -> None:
        """Blocking; durable when it returns."""


class DurableWriter:
    """Numbers records and reports, in order, when they are durable."""

    def __init__(self, store: RecordStore, *, on_durable: Callable[[], None], on_failed: Callable[[Exception], None]) -> None:
        self.forget_until = Height(0)
        self.batches_written = 0
        self._store = store
        self._on_durable = on_durable
        self._on_failed = on_failed
        self._waiting: list[Record] = []
        self._appended = 0
        self._durable = 0
        self._is_writing = False
        self._is_failed = False
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="consensus-log")

    def append(self, record: Record) -> int:
        """Hand a record over; returns its number."""
        self._waiting.append(record)
        self._appended += 1
        if not self._is_writing and not self._is_failed:
            self._is_writing = True
            # What else this turn of the loop appends goes into the same batch.
            asyncio.get_running_loop().call_soon(self._write)
        return self._appended

    @property
    def last(self) -> int:
        """Number of the last record appended."""
        return self._appended

    def is_durable(self, number: int) -> bool:
        """Whether record `number` and all before it are on the disk."""
        return number <= self._durable

    def _write(self) -> None:
        records, self._waiting = self._waiting, []
        future = asyncio.get_running_loop().run_in_executor(self._pool, self._store.write, records, self.forget_until)
        until = self._appended
        future.add_done_callback(lambda done: self._on_written(done, until))

    def _on_written(self, done: asyncio.Future[None], until: int) -> None:
        if done.cancelled():
            return
        problem = done.exception()
        if problem is not None:
            self._is_failed = True
            if not isinstance(problem, (sqlite3.Error, OSError)):
                raise problem
            self._on_failed(problem)
            return
        self.batches_written += 1
        self._durable = until
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._write)
        else:
            self._is_writing = False
        self._on_durable()

    def close(self) -> None:
        """Wait for the batch being written; drop what waits (nobody has been told of it)."""
        self._pool.shutdown(wait=True, cancel_futures=True)
