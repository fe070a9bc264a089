"""Receipts of one block, encoded as they come: transactions of a block mostly end alike, so what is alike is encoded and hashed once.

Rule 1. The bytes are those `ledger.receipt3.encode_receipt` gives for the whole receipt (tested), whatever is shared in making them.
"""

from __future__ import annotations

from typing import Final

from fiscotool.devnet.contracts import PooledTx
from fiscotool.devnet.outcome import Outcome
from fiscotool.ledger.receipt3 import Receipt, encode_receipt, hash_receipt
from fiscotool.ledger.tars import put_int, put_text

__all__ = ["GAS_USED", "ReceiptWriter"]

GAS_USED: Final = 21_000
_CUMULATIVE_GAS_TAG: Final = 4
_INDEX_TAG: Final = 6


class ReceiptWriter:
    """Collects the receipts of block `number` in order: `encoded` (Tars), `hashes`, `gas_total`, `failed_count` (form.Receipts)."""

    def __init__(self, number: int) -> None:
        self.encoded: list[bytes] = []
        self.hashes: list[bytes] = []
        self.gas_total = 0
        self.failed_count = 0
        self._number = number
        self._alike: dict[Outcome, tuple[bytes, bytes]] = {}

    def finish(self, state_root: bytes) -> tuple[list[bytes], list[bytes]]:
        """(encoded, hashes): receipts of 3.x do not name the state."""
        del state_root
        return self.encoded, self.hashes

    def add(self, outcome: Outcome, tx: PooledTx | None = None) -> None:
        """The receipt of the next transaction. Every one uses 21000 gas, as recorded for calls and system contracts."""
        del tx
        index = len(self.encoded)
        alike = self._alike.get(outcome)
        if alike is None:
            receipt = Receipt(
                version=0,
                gas_used=str(GAS_USED),
                contract_address="",
                status=outcome.status,
                output=outcome.output,
                logs=(),
                block_number=self._number,
                message=outcome.message,
            )
            alike = self._alike[outcome] = encode_receipt(receipt), hash_receipt(receipt)
        self.gas_total += GAS_USED
        if outcome.status:
            self.failed_count += 1
        self.encoded.append(alike[0] + put_text(_CUMULATIVE_GAS_TAG, str(self.gas_total)) + put_int(_INDEX_TAG, index))
        self.hashes.append(alike[1])
