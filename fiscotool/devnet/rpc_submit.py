"""Transactions that come in by RPC, on either port.

Rule 1. sendTransaction is answered when the block with the transaction is durable, with its receipt; without a quorum that is when the
        pool gives the transaction up. Thousands of calls may wait at once.
Rule 2. The transaction is decoded once here, for the answer's `to`, `from`, `input`; admission is the pool's alone, and so is the verdict.
Rule 3. What the real node refuses before its pool sees it is refused here: a text that is no transaction, and another chain's name, both
        with code -1 and a text of its compiler's making (here: the last line of it).

Sources: spec 3.x 2.3, 2.5, 3.2; recordings rpc/sendTransaction_cases.txt, rpc/bad_input.jsonl.xz; bcos-rpc JsonRpcImpl_2_0.cpp.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final, Protocol

from fiscotool.devnet import rpc_errors
from fiscotool.devnet.contracts import AdmissionError, NodeFacade
from fiscotool.devnet.rpc_errors import FAULTS, RpcFault, fault_of, status_name
from fiscotool.devnet.rpc_promise import Promise
from fiscotool.devnet.rpc_view import ChainView, ShownTx
from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.ledger.receipt3 import decode_receipt, hash_receipt
from fiscotool.ledger.rpc_objects import receipt_to_rpc
from fiscotool.ledger.tx3 import Transaction, decode_transaction, transaction_hash

__all__ = ["await_submission", "call_data_of", "send_native"]

_log = logging.getLogger(__name__)

UNEXPECTED_HEX: Final = "Unexpect hex string"
_WHAT: Final = "std::exception::what: "


def call_data_of(text: str) -> bytes:
    """Hex data of a transaction or a call. Raises RpcFault(-32600): empty or odd text, or what is not hex."""
    if not text or len(text) % 2:
        raise RpcFault(rpc_errors.INVALID_REQUEST, UNEXPECTED_HEX)
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise RpcFault(rpc_errors.INVALID_REQUEST, rpc_errors.BAD_HEX) from None


def _refused(problem: AdmissionError) -> RpcFault:
    if problem.status == rpc_errors.INVALID_CHAIN_ID:
        return RpcFault(rpc_errors.OTHER_EXCEPTION, f"{_WHAT}Chain ID mismatch!\n")
    return RpcFault(problem.status, status_name(problem.status, problem.message))


class HasFacade(Protocol):
    """Whoever knows the node (`rpc_view.ChainView`, `rpc2_chain.Chain2`)."""

    @property
    def facade(self) -> NodeFacade:
        """The node."""


def await_submission(
    view: HasFacade,
    raw: bytes,
    *,
    wait: bool,
    shape: Callable[[bytes], Any],
    refused: Callable[[AdmissionError], RpcFault] = _refused,
) -> Promise:
    """Submit `raw`: the promise of `shape(receipt)` when `wait`, of `shape(transaction hash)` else. Raises RpcFault if refused at once."""
    promise = Promise()
    try:
        future = asyncio.ensure_future(view.facade.submit(raw, wait=wait))
    except AdmissionError as problem:
        raise refused(problem) from problem

    def on_done(done: asyncio.Future[bytes]) -> None:
        if done.cancelled():
            promise.reject(RpcFault(rpc_errors.INTERNAL_ERROR, "the node is stopping"))
            return
        problem = done.exception()
        if problem is None:
            _settle(promise, shape, done.result())
        elif isinstance(problem, AdmissionError):
            promise.reject(refused(problem))
        else:
            _log.error("a submitted transaction failed inside the node: %r", problem)
            promise.reject(RpcFault(rpc_errors.INTERNAL_ERROR, str(problem)))

    future.add_done_callback(on_done)
    return promise


def _settle(promise: Promise, shape: Callable[[bytes], Any], result: bytes) -> None:
    try:
        value = shape(result)
    except FAULTS as problem:
        promise.reject(fault_of(problem))
    else:
        promise.resolve(value)


def _decoded(text: str, chain_id: str) -> tuple[bytes, Transaction, bytes]:
    try:
        raw = call_data_of(text)
        tx = decode_transaction(raw)
        tx_hash = transaction_hash(tx)
    except RpcFault as fault:
        raise RpcFault(rpc_errors.OTHER_EXCEPTION, f"{_WHAT}{fault.message}\n") from fault
    except LedgerFormatError as problem:
        raise RpcFault(rpc_errors.OTHER_EXCEPTION, f"{_WHAT}{problem.message}\n") from problem
    if tx.data.chain_id != chain_id:
        raise RpcFault(rpc_errors.OTHER_EXCEPTION, f"{_WHAT}Chain ID mismatch!\n")
    return raw, tx, tx_hash


def send_native(view: ChainView, text: str, *, chain_id: str, needs_proof: bool, returns_input: bool) -> Promise:
    """sendTransaction: the promise of the receipt object. Raises RpcFault when refused at once."""
    raw, tx, tx_hash = _decoded(text, chain_id)

    def shape(encoded: bytes) -> dict[str, Any]:
        receipt = decode_receipt(encoded)
        shown = receipt_to_rpc(receipt, hash_receipt(receipt), tx, tx_hash, view.sender(tx, tx_hash))
        if receipt.status != 0:
            shown["hash"] = "0x"
        if not returns_input:
            del shown["input"], shown["extraData"]
        if needs_proof:
            location = view.ledger.tx_location(tx_hash)
            proof = [] if location is None else view.receipt_proof(ShownTx(tx, tx_hash, b"", *location))
            shown |= {"receiptProof": proof, "txReceiptProof": proof}
        return shown

    def on_admitted() -> None:
        pooled = view.facade.pool.get(tx_hash)
        if pooled is not None:
            view.remember_sender(tx_hash, pooled.sender)

    promise = await_submission(view, raw, wait=True, shape=shape)
    # The submission has had its first step by then, so the pool has recovered the sender: once is enough.
    asyncio.get_running_loop().call_soon(on_admitted)
    return promise
