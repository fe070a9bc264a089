"""Receipts of FISCO BCOS 3.x: what executing a transaction did, its hash, its bytes, its RPC object.

Rule 1. The hash covers version, gas, contract address, status, output, logs and block number; not message, cumulative gas, bloom or
        indices. It does not cover the transaction hash: receipts are bound to transactions by their order under receiptsRoot.
Rule 2. gas_used is decimal text, in RPC as in the hash. The contract address is hashed as stored, without 0x; RPC puts 0x before it.
Rule 3. Addresses of log entries are hashed as stored, 40 hex digits without 0x.

Sources: spec 3.x 3.3; bcos-tars-protocol tars/TransactionReceipt.tars, impl/TarsHashable.h; bcos-rpc jsonrpc/JsonRpcImpl_2_0.cpp.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Any

from fiscotool.ledger import rpc_json
from fiscotool.ledger.crypto import keccak256
from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.ledger.fields import as_bytes, as_struct, bytes_of, int_of, list_of, struct_of, text_of
from fiscotool.ledger.tars import Fields, integer, put_bytes, put_int, put_list, put_text, read, simple_list, struct

_pack_int = Struct(">i").pack
_pack_long = Struct(">q").pack


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One event. `address` is the emitting contract as 40 hex digits; topics are 32 bytes each."""

    address: str
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt. `status` 0 is success; `gas_used` and `cumulative_gas_used` decimal text; `contract_address` 40 hex digits or empty."""

    version: int
    gas_used: str
    contract_address: str
    status: int
    output: bytes
    logs: tuple[LogEntry, ...]
    block_number: int
    effective_gas_price: str = ""
    message: str = ""
    cumulative_gas_used: str = ""
    logs_bloom: bytes = b""
    transaction_index: int = 0
    log_index: int = 0


def hash_receipt(receipt: Receipt) -> bytes:
    """The receipt hash, a leaf of receiptsRoot (TarsHashable.h)."""
    parts = (
        _pack_int(receipt.version) + f"{receipt.gas_used}{receipt.contract_address}".encode() + _pack_int(receipt.status) + receipt.output
    )
    if receipt.version >= 1:
        parts += receipt.effective_gas_price.encode()
    for log in receipt.logs:
        parts += log.address.encode() + b"".join(log.topics) + log.data
    return keccak256(parts + _pack_long(receipt.block_number))


def encode_receipt(receipt: Receipt, data_hash: bytes = b"") -> bytes:
    """Tars bytes of TransactionReceipt; `data_hash` goes into its field 2."""
    logs = receipt.logs and put_list(6, map(_log_field, receipt.logs))
    data = (
        integer(1, receipt.version)
        + put_text(2, receipt.gas_used)
        + put_text(3, receipt.contract_address)
        + put_int(4, receipt.status)
        + put_bytes(5, receipt.output)
        + (logs or b"")
        + put_int(7, receipt.block_number)
        + put_text(8, receipt.effective_gas_price)
    )
    return (
        struct(1, data)
        + put_bytes(2, data_hash)
        + put_text(3, receipt.message)
        + put_text(4, receipt.cumulative_gas_used)
        + put_bytes(5, receipt.logs_bloom)
        + put_int(6, receipt.transaction_index)
        + put_int(7, receipt.log_index)
    )


def _log_field(log: LogEntry) -> bytes:
    return struct(0, put_text(1, log.address) + put_list(2, (simple_list(0, topic) for topic in log.topics)) + put_bytes(3, log.data))


def decode_receipt(raw: bytes) -> Receipt:
    """The receipt in Tars bytes. Raises LedgerFormatError."""
    return receipt_from(read(raw))


def receipt_from(fields: Fields) -> Receipt:
    """The receipt of an already read Tars struct (as nested in a Block)."""
    if 1 not in fields:
        raise LedgerFormatError("TransactionReceipt without data")
    data = struct_of(fields, 1, "TransactionReceipt.data")
    return Receipt(
        version=int_of(data, 1, "TransactionReceiptData.version", 32),
        gas_used=text_of(data, 2, "TransactionReceiptData.gasUsed"),
        contract_address=text_of(data, 3, "TransactionReceiptData.contractAddress"),
        status=int_of(data, 4, "TransactionReceiptData.status", 32),
        output=bytes_of(data, 5, "TransactionReceiptData.output"),
        logs=tuple(_log_from(as_struct(item, "LogEntry")) for item in list_of(data, 6, "TransactionReceiptData.logEntries")),
        block_number=int_of(data, 7, "TransactionReceiptData.blockNumber"),
        effective_gas_price=text_of(data, 8, "TransactionReceiptData.effectiveGasPrice"),
        message=text_of(fields, 3, "TransactionReceipt.message"),
        cumulative_gas_used=text_of(fields, 4, "TransactionReceipt.cumulativeGasUsed"),
        logs_bloom=bytes_of(fields, 5, "TransactionReceipt.logsBloom"),
        transaction_index=int_of(fields, 6, "TransactionReceipt.transactionIndex"),
        log_index=int_of(fields, 7, "TransactionReceipt.logIndex"),
    )


def _log_from(fields: Fields) -> LogEntry:
    return LogEntry(
        text_of(fields, 1, "LogEntry.address"),
        tuple(as_bytes(topic, "LogEntry.topic") for topic in list_of(fields, 2, "LogEntry.topic")),
        bytes_of(fields, 3, "LogEntry.data"),
    )


def receipt_from_rpc(obj: dict[str, Any]) -> Receipt:
    """The receipt in the object of getTransactionReceipt or sendTransaction. Raises LedgerFormatError."""
    return Receipt(
        version=rpc_json.integer(obj, "version", 32),
        gas_used=rpc_json.text(obj, "gasUsed"),
        contract_address=rpc_json.text(obj, "contractAddress").removeprefix("0x"),
        status=rpc_json.integer(obj, "status", 32),
        output=rpc_json.data(obj, "output"),
        logs=tuple(
            LogEntry(
                rpc_json.text(log, "address").removeprefix("0x"),
                tuple(rpc_json.hex_bytes(topic, "topics") for topic in rpc_json.array(log, "topics")),
                rpc_json.data(log, "data"),
            )
            for log in rpc_json.objects(obj, "logEntries")
        ),
        block_number=rpc_json.integer(obj, "blockNumber"),
        effective_gas_price=rpc_json.text(obj, "effectiveGasPrice", default=""),
        message=rpc_json.text(obj, "message", default=""),
    )
