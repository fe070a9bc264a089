"""What holds a node's transactions, state and blocks, as the node sees it. `assembly.py` makes the real ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from fiscotool.devnet.contracts import ExecutedBlock, Executor, LedgerStore, Pool, PooledTx
from fiscotool.pbft.messages import Proposal

__all__ = ["Parts", "SealerPort"]


class SealerPort(Protocol):
    """The sealer, as far as the node commands it."""

    def set_range(self, first: int, last: int, view: int) -> None:
        """Propose these heights from now on, in order; `last < first`: none."""

    def on_transactions(self) -> None:
        """The pool has something new."""

    def on_block(self, block: ExecutedBlock) -> None:
        """A block is durable."""

    def stop(self) -> None:
        """Propose nothing any more."""


@dataclass(frozen=True, slots=True)
class Parts:
    """`make_sealer(propose)` gives the sealer; `pooled` decodes and verifies one transaction or raises LedgerFormatError.

    `pending` gives the raw transactions that wait in the pool; `close` closes the ledger's file.
    """

    store: LedgerStore
    pool: Pool
    executor: Executor
    make_sealer: Callable[[Callable[[Proposal], None]], SealerPort]
    pooled: Callable[[bytes], PooledTx]
    pending: Callable[[], list[bytes]]
    close: Callable[[], None]
    expire: Callable[[], int] = lambda: 0
    """Drop what waited too long; returns how many."""
    watch_dropped: Callable[[Callable[[bytes, int], None]], None] = lambda _: None
    """Tell this callback (hash, TransactionStatus) of every transaction that leaves the pool without a block."""
