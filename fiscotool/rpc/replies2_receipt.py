"""What a 2.x node says of receipts, proofs, local calls and counts.

Facts (recorded from 2.9.1, confirmed by the specification):
- An unknown transaction, or one that is in no block yet, has the receipt null.
- `status` 0 is success. A receipt of a batch has neither block nor input; the batch says the block once for all.
- A compressed batch is base64 of zlib of the JSON text.

Sources: spec 2.x 2.1, 3.2; librpc/Rpc.cpp; recordings v2/rpc, v2/blocks_full_node0.
"""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from fiscotool.rpc.members import Members, UnexpectedShape, as_quantity
from fiscotool.rpc.replies2_chain import Transaction2, transaction_object

UNPACKED_BYTES_MAX: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class LogEntry2:
    """One event a contract emitted."""

    address: str
    topics: tuple[str, ...]
    data: str
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipt2:
    """What came of a transaction of 2.x. `status` 0 is success (rpc.status2); `gas_used` in gas.

    What a receipt of a batch lacks is None.
    """

    tx_hash: str
    index: int
    status: int
    output: str
    gas_used: int
    contract_address: str
    sender: str
    to: str
    logs: tuple[LogEntry2, ...]
    block_number: int | None = None
    block_hash: str | None = None
    input: str | None = None
    status_message: str | None = None
    remain_gas: int | None = None
    state_root: str | None = None
    logs_bloom: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        """Whether execution did what was asked."""
        return self.status == 0


@dataclass(frozen=True, slots=True)
class ProofStep:
    """One level of a Merkle proof: what stands left and right of the element, as the node sent it."""

    left: tuple[str, ...]
    right: tuple[str, ...]
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TransactionWithProof:
    """getTransactionByHashWithProof; `proof` from the leaf to the root."""

    transaction: Transaction2
    proof: tuple[ProofStep, ...]
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReceiptWithProof:
    """getTransactionReceiptByHashWithProof; `proof` from the leaf to the root."""

    receipt: Receipt2
    proof: tuple[ProofStep, ...]
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BatchReceipts:
    """getBatchReceiptsByBlock…AndRange. `count` is how many the block has, not how many are here."""

    block_number: int
    block_hash: str
    receipts_root: str
    count: int
    receipts: tuple[Receipt2, ...]
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallResult2:
    """What `call` returned: nothing was changed. `status` as in a receipt."""

    block_number: int
    status: int
    output: str
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TransactionCount2:
    """getTotalTransactionCount of 2.x."""

    block_number: int
    transaction_count: int
    failed_count: int
    extra: dict[str, Any] = field(default_factory=dict)


def _log2(value: Any, what: str) -> LogEntry2:
    members = Members(value, what)
    return LogEntry2(members.text("address"), members.texts("topics"), members.text("data"), members.extra())


def receipt2(value: Any) -> Receipt2 | None:
    """The reply of getTransactionReceipt; None for null (unknown, or not in a block yet)."""
    return None if value is None else _receipt2(value, "the receipt")


def _receipt2(value: Any, what: str) -> Receipt2:
    members = Members(value, what)
    return Receipt2(
        tx_hash=members.text("transactionHash"),
        index=members.quantity("transactionIndex"),
        status=members.quantity("status"),
        output=members.text("output"),
        gas_used=members.quantity("gasUsed"),
        contract_address=members.text("contractAddress"),
        sender=members.text("from"),
        to=members.text("to"),
        logs=members.each("logs", _log2),
        block_number=members.quantity_or_none("blockNumber"),
        block_hash=members.text_or_none("blockHash"),
        input=members.text_or_none("input"),
        status_message=members.text_or_none("statusMsg"),
        remain_gas=members.quantity_or_none("remainGas"),
        state_root=members.text_or_none("root"),
        logs_bloom=members.text_or_none("logsBloom"),
        extra=members.extra(),
    )


def _step(value: Any, what: str) -> ProofStep:
    members = Members(value, what)
    return ProofStep(members.texts("left"), members.texts("right"), members.extra())


def transaction_with_proof(value: Any) -> TransactionWithProof | None:
    """The reply of getTransactionByHashWithProof; None for null (unknown)."""
    if value is None:
        return None
    members = Members(value, "the transaction with proof")
    return TransactionWithProof(
        transaction_object(members.take("transaction"), "the transaction"), members.each("txProof", _step), members.extra()
    )


def receipt_with_proof(value: Any) -> ReceiptWithProof | None:
    """The reply of getTransactionReceiptByHashWithProof; None for null (unknown)."""
    if value is None:
        return None
    members = Members(value, "the receipt with proof")
    return ReceiptWithProof(
        _receipt2(members.take("transactionReceipt"), "the receipt"), members.each("receiptProof", _step), members.extra()
    )


def _unpacked(text: str) -> Any:
    """The JSON in a compressed batch."""
    try:
        unpacker = zlib.decompressobj()
        unpacked = unpacker.decompress(base64.b64decode(text, validate=True), UNPACKED_BYTES_MAX)
        if unpacker.unconsumed_tail:
            raise UnexpectedShape(f"the compressed receipts are longer than {UNPACKED_BYTES_MAX >> 20} MiB")
        return orjson.loads(unpacked)
    except (ValueError, zlib.error) as problem:  # Of base64, also for text that is not ASCII, and of JSON.
        raise UnexpectedShape(f"the receipts are a text that is not compressed JSON: {problem}") from problem


def batch_receipts(value: Any) -> BatchReceipts:
    """The reply of getBatchReceiptsByBlockNumberAndRange and …ByBlockHashAndRange, compressed or not."""
    members = Members(_unpacked(value) if type(value) is str else value, "the batch of receipts")
    block = Members(members.take("blockInfo"), "the batch of receipts.blockInfo")
    return BatchReceipts(
        block_number=block.quantity("blockNumber"),
        block_hash=block.text("blockHash"),
        receipts_root=block.text("receiptRoot"),
        count=block.quantity("receiptsCount"),
        receipts=members.each("transactionReceipts", _receipt2),
        extra=members.extra() | block.extra(),
    )


def call_result2(value: Any) -> CallResult2:
    """The reply of call."""
    members = Members(value, "the call's result")
    return CallResult2(members.quantity("currentBlockNumber"), members.quantity("status"), members.text("output"), members.extra())


def transaction_count2(value: Any) -> TransactionCount2:
    """The reply of getTotalTransactionCount."""
    members = Members(value, "the transaction count")
    return TransactionCount2(
        members.quantity("blockNumber"),
        members.quantity("txSum"),
        as_quantity(members.maybe("failedTxSum", "0x0"), "failedTxSum"),
        members.extra(),
    )
