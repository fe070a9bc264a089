"""What the Ethereum port says: blocks, transactions, receipts, logs.

Facts (recorded): `hash` is FISCO's block hash; timestamps are seconds; a native transaction is of type 0x0 with "0x" + nonce text as
nonce, which need not be hex: `nonce` stays a text. `to` is null for a deployment. net_peerCount is a plain integer.

Source: spec 3.x 2.6.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fiscotool.rpc.members import Members, as_list, as_quantity, as_text


@dataclass(frozen=True, slots=True)
class EthTransaction:
    """eth_getTransactionByHash. Amounts in wei, `gas` in gas. `block_number` None: still in the pool."""

    tx_hash: str
    block_hash: str | None
    block_number: int | None
    index: int | None
    sender: str
    to: str | None
    nonce: str
    value: int
    input: str
    gas: int
    gas_price: int | None
    kind: int
    chain_id: int | None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EthLog:
    """An event."""

    address: str
    topics: tuple[str, ...]
    data: str
    block_number: int | None
    tx_hash: str
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EthReceipt:
    """eth_getTransactionReceipt. `status` 1 is success, the other way round than in a native receipt."""

    tx_hash: str
    index: int
    block_hash: str
    block_number: int
    sender: str
    to: str | None
    contract_address: str | None
    status: int
    gas_used: int
    cumulative_gas_used: int
    effective_gas_price: int | None
    logs: tuple[EthLog, ...]
    kind: int
    logs_bloom: str
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EthBlock:
    """eth_getBlockByNumber. `timestamp_s`: seconds since 1970. `told` is the object as sent, with Ethereum's many constants."""

    number: int
    block_hash: str
    parent_hash: str
    miner: str
    timestamp_s: int
    gas_used: int
    gas_limit: int
    tx_hashes: tuple[str, ...]
    transactions: tuple[EthTransaction, ...] | None
    told: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


def eth_transaction(value: Any, what: str = "the transaction") -> EthTransaction | None:
    """A transaction; None for null (unknown)."""
    return None if value is None else _transaction(value, what)


def _transaction(value: Any, what: str) -> EthTransaction:
    members = Members(value, what)
    to = members.take("to")
    return EthTransaction(
        tx_hash=members.text("hash"),
        block_hash=members.text_or("blockHash") or None,
        block_number=members.quantity_or_none("blockNumber"),
        index=members.quantity_or_none("transactionIndex"),
        sender=members.text("from"),
        to=None if to is None else as_text(to, f"{what}.to"),
        nonce=members.text("nonce"),
        value=members.quantity("value"),
        input=members.text("input"),
        gas=members.quantity("gas"),
        gas_price=members.quantity_or_none("gasPrice"),
        kind=members.quantity("type"),
        chain_id=members.quantity_or_none("chainId"),
        extra=members.extra(),
    )


def _log(value: Any, what: str) -> EthLog:
    members = Members(value, what)
    return EthLog(
        address=members.text("address"),
        topics=members.texts("topics"),
        data=members.text("data"),
        block_number=members.quantity_or_none("blockNumber"),
        tx_hash=members.text_or("transactionHash"),
        extra=members.extra(),
    )


def eth_receipt(value: Any) -> EthReceipt | None:
    """A receipt; None for null (not committed yet, or unknown)."""
    if value is None:
        return None
    members = Members(value, "the receipt")
    return EthReceipt(
        tx_hash=members.text("transactionHash"),
        index=members.quantity("transactionIndex"),
        block_hash=members.text("blockHash"),
        block_number=members.quantity("blockNumber"),
        sender=members.text("from"),
        to=members.text_or_none("to"),
        contract_address=members.text_or_none("contractAddress"),
        status=members.quantity("status"),
        gas_used=members.quantity("gasUsed"),
        cumulative_gas_used=members.quantity("cumulativeGasUsed"),
        effective_gas_price=members.quantity_or_none("effectiveGasPrice"),
        logs=members.each("logs", _log),
        kind=members.quantity("type"),
        logs_bloom=members.text_or("logsBloom"),
        extra=members.extra(),
    )


def eth_block(value: Any) -> EthBlock | None:
    """A block; None for null (not there yet)."""
    if value is None:
        return None
    members = Members(value, "the block")
    listed = as_list(members.take("transactions"), "the block.transactions")
    transactions: tuple[EthTransaction, ...] | None = None
    if any(type(item) is dict for item in listed):
        transactions = tuple(_transaction(item, "a transaction of the block") for item in listed)
        tx_hashes = tuple(item.tx_hash for item in transactions)
    else:
        tx_hashes = tuple(as_text(item, "a transaction hash of the block") for item in listed)
    return EthBlock(
        number=members.quantity("number"),
        block_hash=members.text("hash"),
        parent_hash=members.text("parentHash"),
        miner=members.text("miner"),
        timestamp_s=members.quantity("timestamp"),
        gas_used=members.quantity("gasUsed"),
        gas_limit=members.quantity("gasLimit"),
        tx_hashes=tx_hashes,
        transactions=transactions,
        told=value,
    )


def eth_logs(value: Any) -> tuple[EthLog | str, ...]:
    """Logs, or hashes for block and transaction filters."""
    items = as_list(value, "the logs")
    return tuple(as_text(item, "a hash") if type(item) is str else _log(item, "a log") for item in items)


def quantity(value: Any) -> int:
    """A quantity."""
    return as_quantity(value, "the result")


def eth_text(value: Any) -> str:
    """A text."""
    return as_text(value, "the result")
