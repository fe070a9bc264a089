"""From the RLP bytes of a 2.x transaction to a PooledTx, and whether the pool may have it.

Rule 1. What is checked, in the node's order: chain and group are its own, the hash is new, the nonce is used neither on chain nor in the
        pool, the block limit is above our height by at most the window, the signature has a signer. Recovering it, which costs most,
        comes last.
Rule 2. A refusal says the real node's word for it; `status` is the neutral one of the pool (admission.py), the same for both generations.
Rule 3. Only `ConsensusPrecompiled` and `SystemConfigPrecompiled` change who agrees and how: transactions to them are system transactions.

Recorded order: a transaction that is known is TransactionAlreadyKown before anything else is said of its nonce; after its block its
nonce is what refuses it.

Sources: spec 2.x 2.2, 3.1; libtxpool `TxPool.cpp` `submitTransactions`; recordings v2/rpc/bad_input.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from fiscotool.devnet.admission import (
    ALREADY_IN_POOL,
    BLOCK_LIMIT_CHECK_FAIL,
    INVALID_CHAIN_ID,
    INVALID_GROUP_ID,
    INVALID_SIGNATURE,
    MALFORMED_TX,
    NONCE_CHECK_FAIL,
    TX_BYTES_MAX,
    UNDECODABLE,
    PoolLedger,
)
from fiscotool.devnet.contracts import AdmissionError, PooledTx
from fiscotool.devnet.nonces import nonce_digest
from fiscotool.ledger.crypto import keccak256
from fiscotool.ledger.errors import BadSignature, LedgerFormatError
from fiscotool.ledger.precompiled2 import CONSENSUS2, SYSTEM_CONFIG2
from fiscotool.ledger.tx2 import Transaction2, decode_transaction2, sender_of2

__all__ = ["Admission2", "pooled_tx2"]

_SYSTEM: Final = frozenset({CONSENSUS2, SYSTEM_CONFIG2})


def _pooled(tx: Transaction2, raw: bytes, tx_hash: bytes) -> PooledTx:
    """Raises BadSignature."""
    to = f"0x{tx.to.hex()}" if tx.to else ""
    return PooledTx(
        tx_hash=tx_hash,
        raw=raw,
        sender=sender_of2(tx),
        to=to,
        nonce=str(tx.nonce),
        block_limit=tx.block_limit,
        is_web3=False,
        is_system=to in _SYSTEM,
        value=tx.value,
        input=tx.input,
    )


def pooled_tx2(raw: bytes) -> PooledTx:
    """Decode and verify one transaction, as of a synchronised block. Raises LedgerFormatError, also for a signature of nobody."""
    try:
        return _pooled(decode_transaction2(raw), raw, keccak256(raw))
    except BadSignature as problem:
        raise LedgerFormatError(problem.message, hint=problem.hint) from problem


class Admission2:
    """The rules (txpool.Judge). `known` and `nonces` are the pool's: hashes held, digests of nonces held."""

    def __init__(self, ledger: PoolLedger, *, chain_id: str, group_id: str, known: Container[bytes], nonces: Container[bytes]) -> None:
        self._ledger = ledger
        self._chain_id = int(chain_id)
        self._group_id = int(group_id)
        self._known = known
        self._nonces = nonces

    def judge(self, raw: bytes, *, is_local: bool, is_needed: bool) -> tuple[PooledTx, bytes]:
        """The transaction with the digest of its nonce. Raises AdmissionError."""
        del is_local, is_needed
        if len(raw) > TX_BYTES_MAX:
            raise AdmissionError(MALFORMED_TX[0], "MalformedTx")
        try:
            tx = decode_transaction2(raw)
        except LedgerFormatError as problem:
            raise AdmissionError(UNDECODABLE, problem.message) from problem
        tx_hash = keccak256(raw)
        digest = nonce_digest(str(tx.nonce))
        self._check(tx, tx_hash, digest)
        try:
            return _pooled(tx, raw, tx_hash), digest
        except BadSignature:
            raise AdmissionError(INVALID_SIGNATURE[0], "InvalidSignature") from None

    def _check(self, tx: Transaction2, tx_hash: bytes, digest: bytes) -> None:
        ledger = self._ledger
        if tx_hash in self._known:
            raise AdmissionError(ALREADY_IN_POOL[0], "TransactionAlreadyKown")
        if digest in ledger.nonces:
            raise AdmissionError(NONCE_CHECK_FAIL[0], "TransactionNonceCheckFail")
        if digest in self._nonces:
            raise AdmissionError(NONCE_CHECK_FAIL[0], "TxPoolNonceCheckFail")
        if tx.chain_id != self._chain_id:
            raise AdmissionError(INVALID_CHAIN_ID[0], "InvalidChainId")
        if tx.group_id != self._group_id:
            raise AdmissionError(INVALID_GROUP_ID[0], "InvalidGroupId")
        if not 0 < tx.block_limit - ledger.height <= ledger.nonces.limit_blocks:
            raise AdmissionError(BLOCK_LIMIT_CHECK_FAIL[0], f"BlockLimitCheckFailed, txBlockLimit={tx.block_limit}")
