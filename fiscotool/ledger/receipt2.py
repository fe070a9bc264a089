"""Receipts of FISCO BCOS 2.x: RLP bytes, hash, RPC object.

Rule 1. A receipt is the RLP list stateRoot, gasUsed, contractAddress, logsBloom, status, output, remainGas, logs; chains whose
        supported_version is below 2.9.0 have no remainGas. Its hash is keccak of these bytes.
Rule 2. A log is the list address, topics, data.
Rule 3. A receipt does not name its transaction: it belongs to the one at the same place of the block.

Sources: spec 2.x 3.2; libethcore/TransactionReceipt.cpp `streamRLP`. Every recorded receiptsRoot is made of these hashes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from fiscotool.ledger import rpc_json
from fiscotool.ledger.crypto import keccak256
from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.ledger.rlp_fields import bytes_item, items_of, number_item, take_list
from fiscotool.ledger.rlp_items import Item, encode, integer_item

_ADDRESS_BYTES: Final = 20
_HASH_BYTES: Final = 32
_BLOOM_BYTES: Final = 256
_NEW_COUNT, _OLD_COUNT = 8, 7
_LOG_COUNT: Final = 3


@dataclass(frozen=True, slots=True)
class LogEntry2:
    """One event: the 20-byte address of the contract that emitted it, 32-byte topics, data."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Receipt2:
    """A receipt. `status` 0 is success; `remain_gas` None on chains before 2.9.0; `contract_address` 20 bytes, zeros for no deployment."""

    state_root: bytes
    gas_used: int
    contract_address: bytes
    logs_bloom: bytes
    status: int
    output: bytes
    logs: tuple[LogEntry2, ...] = ()
    remain_gas: int | None = None


def encode_receipt2(receipt: Receipt2) -> bytes:
    """The RLP bytes the hash is made of."""
    logs: list[Item] = [[log.address, list(log.topics), log.data] for log in receipt.logs]
    remain: list[Item] = [] if receipt.remain_gas is None else [integer_item(receipt.remain_gas)]
    return encode(
        [
            receipt.state_root,
            integer_item(receipt.gas_used),
            receipt.contract_address,
            receipt.logs_bloom,
            integer_item(receipt.status),
            receipt.output,
            *remain,
            logs,
        ]
    )


def hash_receipt2(receipt: Receipt2) -> bytes:
    """The 32-byte receipt hash."""
    return keccak256(encode_receipt2(receipt))


def decode_receipt2(raw: bytes) -> Receipt2:
    """The receipt in RLP bytes. Raises LedgerFormatError."""
    items = take_list(raw, "a receipt of 2.x", (_NEW_COUNT, _OLD_COUNT))
    return Receipt2(
        state_root=bytes_item(items[0], "stateRoot", _HASH_BYTES),
        gas_used=number_item(items[1], "gasUsed"),
        contract_address=bytes_item(items[2], "contractAddress", _ADDRESS_BYTES),
        logs_bloom=bytes_item(items[3], "logsBloom", _BLOOM_BYTES),
        status=number_item(items[4], "status", 32),
        output=bytes_item(items[5], "output"),
        remain_gas=number_item(items[6], "remainGas") if len(items) == _NEW_COUNT else None,
        logs=tuple(_log(item) for item in items_of(items[-1], "logs")),
    )


def _log(item: Item) -> LogEntry2:
    parts = items_of(item, "a log")
    if len(parts) != _LOG_COUNT:
        raise LedgerFormatError(f"a log has {_LOG_COUNT} parts, not {len(parts)}")
    return LogEntry2(
        bytes_item(parts[0], "address", _ADDRESS_BYTES),
        tuple(bytes_item(topic, "a topic", _HASH_BYTES) for topic in items_of(parts[1], "topics")),
        bytes_item(parts[2], "data"),
    )


def receipt2_from_rpc(obj: dict[str, Any]) -> Receipt2:
    """The receipt in an object of getTransactionReceipt. Raises LedgerFormatError."""
    return Receipt2(
        state_root=rpc_json.data(obj, "root", _HASH_BYTES),
        gas_used=rpc_json.quantity(obj, "gasUsed"),
        contract_address=rpc_json.data(obj, "contractAddress", _ADDRESS_BYTES),
        logs_bloom=rpc_json.data(obj, "logsBloom", _BLOOM_BYTES),
        status=rpc_json.quantity(obj, "status", 32),
        output=rpc_json.data(obj, "output"),
        remain_gas=rpc_json.quantity(obj, "remainGas") if "remainGas" in obj else None,
        logs=tuple(
            LogEntry2(
                rpc_json.data(log, "address", _ADDRESS_BYTES),
                tuple(rpc_json.hex_bytes(topic, "topics") for topic in rpc_json.array(log, "topics")),
                rpc_json.data(log, "data"),
            )
            for log in rpc_json.objects(obj, "logs")
        ),
    )
