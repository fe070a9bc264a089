"""Is a transaction fit for the pool? Decoding, the rules of admission, the sender.

Rule 1. A transaction is admitted at most once: not while it is in the pool, not when its nonce is on the chain (nonces.py, lanes.py), not
        past its block limit.
Rule 2. What costs most, recovering the sender, comes last.
Rule 3. What comes in here is kept in canonical form, with the time it came in; what peers send is kept as it is.

Sources: spec 3.x 2.5, 2.6, 3.2; bcos-txpool `validator/*`; bcos-rpc `validator/TxValidator`; recordings rpc/sendTransaction_cases.txt.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import replace
from typing import Final, Protocol

from fiscotool.devnet.contracts import AdmissionError, PooledTx
from fiscotool.devnet.lanes import Lanes
from fiscotool.devnet.nonces import NonceWindow, nonce_digest
from fiscotool.devnet.pooled import pooled
from fiscotool.devnet.state import Account
from fiscotool.ledger.crypto import address_of, recover
from fiscotool.ledger.errors import BadSignature, LedgerFormatError
from fiscotool.ledger.tx3 import (
    TYPE_BCOS,
    TYPE_WEB3,
    Transaction,
    decode_transaction,
    decode_verified,
    encode_transaction,
    hash_transaction_data,
)

__all__ = ["TX_BYTES_MAX", "Admission", "Judge", "PoolLedger", "refused"]

TX_BYTES_MAX: Final = 1 << 20
_WEB3_NONCES_AHEAD: Final = 600_000
_INIT_CODE_BYTES_MAX: Final = 0xC000

# TransactionStatus: code and name, which is the message (spec 3.x 2.5).
NONCE_CHECK_FAIL: Final = (10000, "NonceCheckFail")
BLOCK_LIMIT_CHECK_FAIL: Final = (10001, "BlockLimitCheckFail")
POOL_IS_FULL: Final = (10002, "TxPoolIsFull")
MALFORMED_TX: Final = (10003, "MalformTx")
ALREADY_IN_POOL: Final = (10004, "AlreadyInTxPool")
INVALID_CHAIN_ID: Final = (10006, "InvalidChainId")
INVALID_GROUP_ID: Final = (10007, "InvalidGroupId")
INVALID_SIGNATURE: Final = (10008, "InvalidSignature")
POOL_TIMEOUT: Final = (10010, "TransactionPoolTimeout")
INIT_CODE_TOO_LARGE: Final = (10013, "MaxInitCodeSizeExceeded")
INSUFFICIENT_FUNDS: Final = (10015, "InsufficientFunds")
UNDECODABLE: Final = -1


class PoolLedger(Protocol):
    """What the pool asks of the ledger (`store.SqliteLedger`)."""

    nonces: NonceWindow

    @property
    def height(self) -> int:
        """Number of the last block."""

    def account(self, address: bytes) -> Account:
        """Balance and nonce."""

    def system_config(self, key: str) -> tuple[str, int] | None:
        """A configuration value in force."""


class Judge(Protocol):
    """Who decides what the pool takes: Admission for 3.x, pooled2.Admission2 for 2.x."""

    def judge(self, raw: bytes, *, is_local: bool, is_needed: bool) -> tuple[PooledTx, bytes | int]:
        """As Admission.judge."""


def refused(reason: tuple[int, str]) -> AdmissionError:
    """The refusal for one of the reasons above."""
    return AdmissionError(*reason)


class Admission:
    """The rules. `known`, `nonces` and `lanes` are the pool's: hashes held, digests of native nonces held, Web3 nonces held."""

    def __init__(
        self,
        ledger: PoolLedger,
        *,
        chain_id: str,
        group_id: str,
        known: Container[bytes],
        nonces: Container[bytes],
        lanes: Lanes,
        import_time_ms: Callable[[], int],
    ) -> None:
        self._ledger = ledger
        self._chain_id = chain_id
        self._group_id = group_id
        self._known = known
        self._nonces = nonces
        self._lanes = lanes
        self._import_time_ms = import_time_ms

    def judge(self, raw: bytes, *, is_local: bool, is_needed: bool) -> tuple[PooledTx, bytes | int]:
        """The transaction with the digest of its native nonce, or its Web3 nonce. Raises AdmissionError.

        `is_local`: it came in by this node's RPC. `is_needed`: a proposal holds it, perhaps made on a higher block than ours, so balance
        and distance of a Web3 nonce are left to execution.
        """
        if len(raw) > TX_BYTES_MAX:
            raise refused(MALFORMED_TX)
        try:
            tx = decode_transaction(raw)
            if is_local and not tx.import_time_ms:
                tx = replace(tx, import_time_ms=self._import_time_ms())
                raw = encode_transaction(tx)
            if tx.tx_type == TYPE_BCOS:
                return self._native(tx, raw)
            if tx.tx_type == TYPE_WEB3:
                return self._web3(raw, is_needed=is_needed)
        except BadSignature:
            raise refused(INVALID_SIGNATURE) from None
        except LedgerFormatError as problem:
            raise AdmissionError(UNDECODABLE, problem.message) from problem
        raise refused(MALFORMED_TX)

    def _native(self, tx: Transaction, raw: bytes) -> tuple[PooledTx, bytes]:
        data = tx.data
        if data.chain_id != self._chain_id:
            raise refused(INVALID_CHAIN_ID)
        if data.group_id != self._group_id:
            raise refused(INVALID_GROUP_ID)
        tx_hash = hash_transaction_data(data)
        if tx_hash in self._known:
            raise refused(ALREADY_IN_POOL)
        if tx.data_hash and tx.data_hash != tx_hash:
            raise refused(MALFORMED_TX)
        ledger = self._ledger
        digest = nonce_digest(data.nonce)
        if digest in self._nonces or digest in ledger.nonces:
            raise refused(NONCE_CHECK_FAIL)
        if not 0 < data.block_limit - ledger.height <= ledger.nonces.limit_blocks:
            raise refused(BLOCK_LIMIT_CHECK_FAIL)
        return pooled(tx, raw, tx_hash, address_of(recover(tx_hash, tx.signature))), digest

    def _web3(self, raw: bytes, *, is_needed: bool) -> tuple[PooledTx, int]:
        tx, tx_hash, sender = decode_verified(raw)
        if tx_hash in self._known:
            raise refused(ALREADY_IN_POOL)
        chain_id = self._ledger.system_config("web3_chain_id")
        if tx.data.chain_id != "0" and (chain_id is None or tx.data.chain_id != chain_id[0]):
            raise refused(INVALID_CHAIN_ID)
        taken = pooled(tx, raw, tx_hash, sender)
        if not taken.to and len(taken.input) > _INIT_CODE_BYTES_MAX:
            raise refused(INIT_CODE_TOO_LARGE)
        nonce = int(taken.nonce, 16)
        account = self._ledger.account(sender)
        if nonce < account.nonce or self._lanes.has(sender, nonce):
            raise refused(NONCE_CHECK_FAIL)
        if is_needed:
            return taken, nonce
        if nonce > account.nonce + _WEB3_NONCES_AHEAD:
            raise refused(NONCE_CHECK_FAIL)
        if account.balance == 0 or account.balance < taken.value:
            raise refused(INSUFFICIENT_FUNDS)
        return taken, nonce
