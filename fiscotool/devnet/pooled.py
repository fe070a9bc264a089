"""From untrusted bytes to a PooledTx: what the pool keeps of a transaction, and what execution needs.

Rule 1. A native transaction of version 0 moves no value, whatever its `value` says: only from version 1 on is that field signed.
Rule 2. The value is a hex number with 0x below 2^256.

Sources: spec 3.x 3.2, 3.6; bcos-tars-protocol `impl/TarsHashable.h`.
"""

from __future__ import annotations

import re
from typing import Final

from fiscotool.devnet.contracts import PooledTx
from fiscotool.ledger.errors import BadSignature, LedgerFormatError
from fiscotool.ledger.precompiled import SYSTEM_TO
from fiscotool.ledger.tx3 import TYPE_WEB3, Transaction, TransactionData, decode_verified

__all__ = ["pooled", "pooled_tx", "value_of"]

_HEX_NUMBER: Final = re.compile(r"(?:0x)?[0-9a-fA-F]{1,64}")


def value_of(data: TransactionData, *, is_web3: bool) -> int:
    """Wei the transaction moves (Rules 1 and 2). Raises LedgerFormatError."""
    text = data.value
    if not text or (data.version < 1 and not is_web3):
        return 0
    if not _HEX_NUMBER.fullmatch(text):
        raise LedgerFormatError(f"the value {text[:80]!r} of a transaction is not a hex number below 2^256")
    return int(text, 16)


def pooled(tx: Transaction, raw: bytes, tx_hash: bytes, sender: bytes) -> PooledTx:
    """The PooledTx of a transaction whose hash and sender are verified. Raises LedgerFormatError for a bad value."""
    data = tx.data
    is_web3 = tx.tx_type == TYPE_WEB3
    return PooledTx(
        tx_hash,
        raw,
        sender,
        data.to,
        data.nonce,
        data.block_limit,
        is_web3,
        data.to in SYSTEM_TO,
        tx.attribute,
        value_of(data, is_web3=is_web3) if data.value else 0,
        data.input,
    )


def pooled_tx(raw: bytes) -> PooledTx:
    """Decode and verify one transaction, as of a synchronised block. Raises LedgerFormatError, also for a signature of nobody."""
    try:
        tx, tx_hash, sender = decode_verified(raw)
    except BadSignature as problem:
        raise LedgerFormatError(problem.message, hint=problem.hint) from problem
    return pooled(tx, raw, tx_hash, sender)
