"""Callers of sendTransaction who wait for their block.

Rule 1. A waiter is answered once: with the receipt when its block is durable, or with an error when the pool has dropped the transaction.
Rule 2. A waiter who has gone away costs nothing after the block of its transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from fiscotool.devnet.contracts import AdmissionError, ExecutedBlock

__all__ = ["Waiting"]

_TEXTS: Final = {10000: "NonceCheckFail", 10001: "BlockLimitCheckFail", 10003: "TransactionPoolTimeout"}


class Waiting:
    """Waiters by transaction hash, and watchers of everything: (told of a durable block, told of a dropped hash)."""

    def __init__(self) -> None:
        self.watchers: list[tuple[Callable[[ExecutedBlock], None], Callable[[bytes], None]]] = []
        self._futures: dict[bytes, list[asyncio.Future[bytes]]] = {}

    def __len__(self) -> int:
        return len(self._futures)

    def add(self, tx_hash: bytes) -> asyncio.Future[bytes]:
        """A future for the encoded receipt of this transaction."""
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._futures.setdefault(tx_hash, []).append(future)
        return future

    def on_block(self, block: ExecutedBlock) -> None:
        """Answer whoever waits for this block's transactions."""
        for on_block, _ in self.watchers:
            on_block(block)
        if not self._futures:
            return
        for tx, receipt in zip(block.txs, block.receipts, strict=True):
            for future in self._futures.pop(tx.tx_hash, ()):
                if not future.done():
                    future.set_result(receipt)

    def on_dropped(self, tx_hash: bytes, status: int) -> None:
        """The pool dropped a transaction without a block: refuse whoever waits for it."""
        for _, on_dropped in self.watchers:
            on_dropped(tx_hash)
        for future in self._futures.pop(tx_hash, ()):
            if not future.done():
                future.set_exception(AdmissionError(status, _TEXTS.get(status, "the transaction left the pool")))

    def refuse_all(self, message: str) -> None:
        """The node stops: nobody will be answered any more."""
        for futures in self._futures.values():
            for future in futures:
                if not future.done():
                    future.set_exception(AdmissionError(-1, message))
        self._futures.clear()
