"""Receipts of one 2.x block. They name the state after the block, so they are written when all transactions have been executed.

Rule 1. Gas is what the real node takes before a transaction does anything: 21000, 68 for each byte of call data that is not zero, 4 for
        each that is (recorded: 0x5318 for four such bytes); 53000 instead of 21000 for a deployment. Nothing more is counted.
Rule 2. Nothing is charged: remainGas is 0 (recorded), and there is no contract address but zeros, since nothing is deployed.

Sources: spec 2.x 3.2; libethcore `TransactionReceipt.cpp`, `Transaction.cpp` `baseGasRequired`; recordings v2/blocks_full_node0.
"""

from __future__ import annotations

from typing import Final

from fiscotool.devnet.contracts import PooledTx
from fiscotool.devnet.outcome import Outcome
from fiscotool.ledger.crypto import keccak256
from fiscotool.ledger.receipt2 import Receipt2, encode_receipt2

__all__ = ["ReceiptWriter2", "base_gas2"]

_CALL_GAS: Final = 21_000
_DEPLOYMENT_GAS: Final = 53_000
_ZERO_BYTE_GAS: Final = 4
_BYTE_GAS: Final = 68
_NO_BLOOM: Final = bytes(256)
_NO_ADDRESS: Final = bytes(20)


def base_gas2(to: str, data: bytes) -> int:
    """Rule 1."""
    zeros = data.count(0)
    return (_CALL_GAS if to else _DEPLOYMENT_GAS) + zeros * _ZERO_BYTE_GAS + (len(data) - zeros) * _BYTE_GAS


class ReceiptWriter2:
    """As form.Receipts."""

    def __init__(self) -> None:
        self.gas_total = 0
        self.failed_count = 0
        self._outcomes: list[tuple[Outcome, int]] = []

    def add(self, outcome: Outcome, tx: PooledTx) -> None:
        """The outcome of the next transaction."""
        gas = base_gas2(tx.to, tx.input)
        self.gas_total += gas
        self.failed_count += bool(outcome.status)
        self._outcomes.append((outcome, gas))

    def finish(self, state_root: bytes) -> tuple[list[bytes], list[bytes]]:
        """(encoded receipts, their hashes). Those that are alike are written once."""
        alike: dict[tuple[Outcome, int], tuple[bytes, bytes]] = {}
        for key in self._outcomes:
            if key not in alike:
                outcome, gas = key
                raw = encode_receipt2(
                    Receipt2(
                        state_root=state_root,
                        gas_used=gas,
                        contract_address=_NO_ADDRESS,
                        logs_bloom=_NO_BLOOM,
                        status=outcome.status,
                        output=outcome.output,
                        remain_gas=0,
                    )
                )
                alike[key] = raw, keccak256(raw)
        written = [alike[key] for key in self._outcomes]
        return [raw for raw, _ in written], [digest for _, digest in written]
