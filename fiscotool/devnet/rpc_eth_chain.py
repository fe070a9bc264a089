"""What the Ethereum JSON-RPC reads, calls and sends.

Peculiar, and recorded: a block parameter that is not a text counts as "latest"; state is always the latest, whichever block is named;
an address that is none has balance and count 0x0; what cannot be converted is -32603 with a diagnostic text of the real node's compiler.
eth_sendRawTransaction refuses a sender whose balance is zero or below the value, also at gas price zero (since 3.16.4).

The embedded chain has no contract code and no storage; gas of a call is estimated as what every Ethereum transaction costs at least.

Sources: spec 3.x 2.6; recordings rpc/*.jsonl.xz, rpc/single_tx_cases.txt; bcos-rpc web3jsonrpc/endpoints/EthEndpoint.cpp.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from fiscotool.devnet import rpc_errors
from fiscotool.devnet.contracts import AdmissionError
from fiscotool.devnet.rpc_errors import RpcFault, as_bool, as_text, data_of, hash_of, status_name
from fiscotool.devnet.rpc_eth_shapes import block_steps, receipt_object, transaction_object
from fiscotool.devnet.rpc_logs import block_number_of
from fiscotool.devnet.rpc_promise import Promise
from fiscotool.devnet.rpc_submit import await_submission
from fiscotool.devnet.rpc_view import ChainView, ShownBlock, ShownTx
from fiscotool.ledger.errors import BadSignature, LedgerFormatError
from fiscotool.ledger.eth import decode_ethereum, wrap_ethereum
from fiscotool.ledger.tx3 import decode_transaction, encode_transaction

__all__ = ["EthChain"]

_ADDRESS_BYTES: Final = 20
_TX_GAS: Final = 21000
_ZERO_BYTE_GAS: Final = 4
_BYTE_GAS: Final = 16
_RLP_SHORT_LIST: Final = 0xC0
_RLP_LONG_LIST: Final = 0xF7
_TYPED_END: Final = 0x80


def _diagnostic(exception: str, what: str) -> RpcFault:
    return RpcFault(rpc_errors.INTERNAL_ERROR, f"Dynamic exception type: {exception}\nstd::exception::what: {what}\n")


def _hash(value: Any) -> bytes:
    try:
        return hash_of(as_text(value))
    except ValueError:
        raise _diagnostic("boost::wrapexcept<boost::algorithm::non_hex_input>", "std::exception") from None


def _flag(value: Any) -> bool:
    try:
        return as_bool(value)
    except RpcFault as fault:
        raise _diagnostic("Json::LogicError", fault.message) from None


def _unsigned(value: Any) -> int:
    """A hex quantity where no tag is allowed."""
    try:
        return int(as_text(value), 16)
    except ValueError:
        raise _diagnostic("std::invalid_argument", "stoull") from None


def _address(value: Any) -> bytes:
    """An address; zeros for what is none."""
    try:
        return data_of(as_text(value))[:_ADDRESS_BYTES].rjust(_ADDRESS_BYTES, b"\0")
    except ValueError:
        return bytes(_ADDRESS_BYTES)


def _is_cut_short(raw: bytes) -> bool:
    """Whether the RLP list in `raw` says it is longer than it is."""
    body = raw[1:] if raw[0] < _TYPED_END else raw
    if not body or body[0] < _RLP_SHORT_LIST:
        return not body
    if body[0] <= _RLP_LONG_LIST:
        return len(body) - 1 < body[0] - _RLP_SHORT_LIST
    digits = body[0] - _RLP_LONG_LIST
    return len(body) - 1 - digits < int.from_bytes(body[1 : 1 + digits], "big")


def _eth_refused(problem: AdmissionError) -> RpcFault:
    return RpcFault(rpc_errors.INTERNAL_ERROR, status_name(problem.status, problem.message))


class EthChain:
    """Reads, calls and sends. Parameters come as JSON values, None for those that were not given."""

    def __init__(self, view: ChainView, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self._view = view
        self._now_ms = now_ms

    # Blocks

    def _block_at(self, tag: Any) -> ShownBlock | None:
        """The block a tag or number names; a number as JSON number counts as no tag at all, that is as the latest block."""
        try:
            number = block_number_of(as_text(tag))
        except ValueError:
            return None
        return self._view.block(self._view.ledger.height if number is None else number)

    def _block_of(self, block_hash: Any) -> ShownBlock | None:
        number = self._view.number_of(_hash(block_hash))
        return None if number is None else self._view.block(number)

    def block_by_number(self, tag: Any, is_full: Any) -> Any:
        """What eth_getBlockByNumber answers."""
        full, block = _flag(is_full), self._block_at(tag)
        return None if block is None else block_steps(self._view, block, is_full=full)

    def block_by_hash(self, block_hash: Any, is_full: Any) -> Any:
        """What eth_getBlockByHash answers."""
        block, full = self._block_of(block_hash), _flag(is_full)
        return None if block is None else block_steps(self._view, block, is_full=full)

    def count_by_hash(self, block_hash: Any) -> str | None:
        """What eth_getBlockTransactionCountByHash answers."""
        block = self._block_of(block_hash)
        return None if block is None else hex(len(block.tx_hashes))

    def count_by_number(self, number: Any) -> str | None:
        """What eth_getBlockTransactionCountByNumber answers: only a number is understood, not a tag."""
        block = self._view.block(_unsigned(number))
        return None if block is None else hex(len(block.tx_hashes))

    # Transactions

    def transaction(self, tx_hash: Any) -> dict[str, Any] | None:
        """What eth_getTransactionByHash answers."""
        shown = self._view.tx(_hash(tx_hash))
        block = None if shown is None else self._view.header(shown.number)
        return None if shown is None or block is None else transaction_object(shown, block.block_hash)

    def transaction_at_hash(self, block_hash: Any, index: Any) -> dict[str, Any] | None:
        """What eth_getTransactionByBlockHashAndIndex answers."""
        return self._transaction_in(self._block_of(block_hash), index)

    def transaction_at_number(self, tag: Any, index: Any) -> dict[str, Any] | None:
        """What eth_getTransactionByBlockNumberAndIndex answers."""
        return self._transaction_in(self._block_at(tag), index)

    def _transaction_in(self, block: ShownBlock | None, index: Any) -> dict[str, Any] | None:
        position = _unsigned(index)
        if block is None or not 0 <= position < len(block.tx_hashes):
            return None
        tx_hash = block.tx_hashes[position]
        raw = self._view.ledger.tx(tx_hash)
        if raw is None:
            return None
        tx = decode_transaction(raw)
        shown = ShownTx(tx, tx_hash, self._view.sender(tx, tx_hash), block.header.number, position)
        return transaction_object(shown, block.block_hash)

    def receipt(self, tx_hash: Any) -> dict[str, Any] | None:
        """What eth_getTransactionReceipt answers."""
        shown = self._view.tx(_hash(tx_hash))
        if shown is None:
            return None
        receipt, block = self._view.receipt(shown.tx_hash), self._view.header(shown.number)
        return None if receipt is None or block is None else receipt_object(shown, receipt, block.block_hash)

    # Accounts

    def balance(self, address: Any) -> str:
        """What eth_getBalance answers."""
        return hex(self._view.ledger.balance(_address(address)))

    def transaction_count(self, address: Any, tag: Any) -> str:
        """What eth_getTransactionCount answers; "pending" counts what waits in the pool."""
        account = _address(address)
        is_pending = as_text(tag) == "pending"
        return hex(self._view.facade.pool.pending_nonce(account) if is_pending else self._view.ledger.account_nonce(account))

    # Calls

    def _execute(self, request: Any) -> tuple[bytes, bytes]:
        """(output, data) of a call request. Raises RpcFault: -32602, or the status of the failed call with its output as data."""
        if not isinstance(request, dict):
            raise RpcFault(rpc_errors.INVALID_PARAMS, "Invalid call request!")
        text = as_text(request.get("data")) or as_text(request.get("input"))
        try:
            data = data_of(text)
        except ValueError:
            raise RpcFault(rpc_errors.INVALID_PARAMS, "Invalid call request!") from None
        status, output, _ = self._view.facade.executor.call(_address(request.get("from")), as_text(request.get("to")), data)
        if status != 0:
            raise RpcFault(status, "", f"0x{output.hex()}")
        return output, data

    def call(self, request: Any) -> str:
        """What eth_call answers."""
        output, _ = self._execute(request)
        return f"0x{output.hex()}"

    def estimate_gas(self, request: Any) -> str:
        """What eth_estimateGas answers."""
        _, data = self._execute(request)
        zeros = data.count(0)
        return hex(_TX_GAS + _ZERO_BYTE_GAS * zeros + _BYTE_GAS * (len(data) - zeros))

    # Sending

    def send_raw(self, text: Any) -> Promise:
        """What eth_sendRawTransaction promises: the transaction hash, once the pool has taken it. Raises RpcFault."""
        try:
            raw = data_of(as_text(text))
        except ValueError:
            raise _diagnostic("boost::wrapexcept<boost::algorithm::non_hex_input>", "std::exception") from None
        if not as_text(text):
            raise RpcFault(rpc_errors.INTERNAL_ERROR, "Empty input hex string")
        if not raw:
            raise RpcFault(rpc_errors.INVALID_PARAMS, "Input too short")
        if _is_cut_short(raw):
            raise RpcFault(rpc_errors.INVALID_PARAMS, "Input data is too short")
        try:
            tx = decode_ethereum(raw)
        except BadSignature:
            raise RpcFault(rpc_errors.INTERNAL_ERROR, status_name(10008, "")) from None
        except LedgerFormatError as problem:
            raise RpcFault(rpc_errors.INVALID_PARAMS, problem.message) from problem
        balance = self._view.ledger.balance(tx.sender)
        if balance == 0 or balance < tx.value:
            raise RpcFault(rpc_errors.INVALID_PARAMS, status_name(10015, ""))
        wrapped = encode_transaction(wrap_ethereum(raw, import_time_ms=self._now_ms()))
        self._view.remember_sender(tx.hash, tx.sender)
        return await_submission(self._view, wrapped, wait=False, shape=lambda tx_hash: f"0x{tx_hash.hex()}", refused=_eth_refused)
