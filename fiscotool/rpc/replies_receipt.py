"""What a node says of receipts, events, local calls, counts and configuration.

Facts (recorded from 3.16.4, confirmed by the specification):
- sendTransaction answers a receipt without proof members; its `hash` is "0x" when the status is not 0.
- `status` 0 is success. An executed but failed transaction is a receipt with another status, not an error.
- gasUsed is decimal text without 0x; addresses are lower case but checksumContractAddress, which is EIP-55 or empty.

Sources: spec 3.x 2.4; bcos-rpc JsonRpcImpl_2_0.cpp `toJsonResp`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fiscotool.rpc.members import Members, UnexpectedShape, as_flag, as_list, as_text


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One event a contract emitted."""

    address: str
    topics: tuple[str, ...]
    data: str
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came of a transaction. `status` 0 is success (the others: rpc.status.TransactionStatus)."""

    tx_hash: str
    block_number: int
    status: int
    output: str
    message: str
    gas_used: str
    receipt_hash: str
    version: int
    contract_address: str
    checksum_contract_address: str
    sender: str
    to: str
    input: str
    extra_data: str
    logs: tuple[LogEntry, ...]
    effective_gas_price: str | None = None
    tx_receipt_proof: tuple[str, ...] | None = None
    receipt_proof: Any = None
    transaction_proof: Any = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        """Whether execution did what was asked."""
        return self.status == 0


@dataclass(frozen=True, slots=True)
class CallResult:
    """What `call` returned: nothing was changed. `status` as in a receipt."""

    block_number: int
    status: int
    output: str
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TransactionCount:
    """getTotalTransactionCount."""

    block_number: int
    transaction_count: int
    failed_count: int
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SystemConfig:
    """getSystemConfigByKey: the value, in force from `enabled_from_block` on."""

    value: str
    enabled_from_block: int
    extra: dict[str, Any] = field(default_factory=dict)


def log_entry(value: Any, what: str = "a log entry") -> LogEntry:
    """An event of a receipt or of getLogs."""
    members = Members(value, what)
    return LogEntry(members.text("address"), members.texts("topics"), members.text("data"), members.extra())


def receipt(value: Any) -> Receipt:
    """The reply of sendTransaction and getTransactionReceipt."""
    members = Members(value, "the receipt")
    return Receipt(
        tx_hash=members.text("transactionHash"),
        block_number=members.integer("blockNumber"),
        status=members.integer("status"),
        output=members.text("output"),
        message=members.text_or("message"),
        gas_used=members.text("gasUsed"),
        receipt_hash=members.text("hash"),
        version=members.integer("version"),
        contract_address=members.text_or("contractAddress"),
        checksum_contract_address=members.text_or("checksumContractAddress"),
        sender=members.text_or("from"),
        to=members.text_or("to"),
        input=members.text_or("input"),
        extra_data=members.text_or("extraData"),
        logs=members.each("logEntries", log_entry),
        effective_gas_price=members.text_or_none("effectiveGasPrice"),
        tx_receipt_proof=members.each_or_none("txReceiptProof", as_text),
        receipt_proof=members.maybe("receiptProof"),
        transaction_proof=members.maybe("transactionProof"),
        extra=members.extra(),
    )


def call_result(value: Any) -> CallResult:
    """The reply of call."""
    members = Members(value, "the call's result")
    return CallResult(members.integer("blockNumber"), members.integer("status"), members.text("output"), members.extra())


def transaction_count(value: Any) -> TransactionCount:
    """The reply of getTotalTransactionCount."""
    members = Members(value, "the transaction count")
    return TransactionCount(
        block_number=members.integer("blockNumber"),
        transaction_count=members.integer("transactionCount"),
        failed_count=members.integer("failedTransactionCount"),
        extra=members.extra(),
    )


def system_config(value: Any) -> SystemConfig:
    """The reply of getSystemConfigByKey."""
    members = Members(value, "the configuration entry")
    return SystemConfig(members.text("value"), members.integer("blockNumber"), members.extra())


def text(value: Any) -> str:
    """The reply of getBlockHashByNumber, getCode, getABI and the methods that make a filter."""
    return as_text(value, "the result")


def flag(value: Any) -> bool:
    """The reply of uninstallFilter."""
    return as_flag(value, "the result")


def changes(value: Any) -> tuple[LogEntry | str, ...]:
    """The reply of getLogs, getFilterChanges and getFilterLogs: log entries, or hashes for block and transaction filters."""
    items = as_list(value, "the changes")
    for item in items:
        if type(item) not in (dict, str):
            raise UnexpectedShape("a change is neither a log entry nor a hash")
    return tuple(log_entry(item) if type(item) is dict else as_text(item, "a hash") for item in items)
