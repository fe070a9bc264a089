"""What a 2.x node says of blocks and transactions.

Facts (recorded from 2.9.1, confirmed by the specification):
- Quantities are hex with 0x; only `number` of a header is an integer. Ids in sealerList have no 0x. Timestamps are ms.
- `signatureList` is there only when it was asked for (blocks: with their transactions). An unknown transaction or receipt is null.
- `to` of a creation is forty zeros. A pending transaction has no blockHash, blockNumber, transactionIndex (0x0… on some releases).

Sources: spec 2.x 3.1, 3.3; librpc/Rpc.cpp, librpc/JsonHelper.cpp; recordings v2/rpc, v2/blocks_full_node0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fiscotool.rpc.members import Members, as_decimal, as_list, as_quantity, as_text


@dataclass(frozen=True, slots=True)
class Signature2:
    """One entry of a block's signature list."""

    sealer_index: int
    signature: str
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TxSignature:
    """A transaction's signature. `v` 0 or 1; under national cryptography it is the public key, as text in `v_text`."""

    r: str
    s: str
    v_text: str
    whole: str
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Transaction2:
    """A transaction of 2.x. Block fields are None while it waits in the pool. `gas_limit` in gas, `value` in wei."""

    tx_hash: str
    sender: str
    to: str
    input: str
    nonce: int
    block_limit: int
    gas_price: int
    gas_limit: int
    value: int
    chain_id: int | None
    group_id: int | None
    extra_data: str
    signature: TxSignature | None
    block_hash: str | None
    block_number: int | None
    index: int | None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Block2:
    """A block of 2.x, or its header (`tx_hashes` None). `signatures` None: not asked for.

    `told` is the object as the node sent it, for whoever hashes the header again.
    """

    number: int
    block_hash: str
    parent_hash: str
    state_root: str
    txs_root: str
    receipts_root: str
    db_hash: str
    logs_bloom: str
    gas_limit: int
    gas_used: int
    timestamp_ms: int
    extra_data: tuple[str, ...]
    sealer: int
    sealer_list: tuple[str, ...]
    signatures: tuple[Signature2, ...] | None = None
    tx_hashes: tuple[str, ...] | None = None
    transactions: tuple[Transaction2, ...] | None = None
    told: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    extra: dict[str, Any] = field(default_factory=dict)


def _signature2(value: Any, what: str) -> Signature2:
    members = Members(value, what)
    return Signature2(members.quantity("index"), members.text("signature"), members.extra())


def _tx_signature(value: Any, what: str) -> TxSignature:
    members = Members(value, what)
    return TxSignature(members.text("r"), members.text("s"), members.text("v"), members.text("signature"), members.extra())


def _id(members: Members, name: str, what: str) -> int | None:
    """Chain and group id: hex, or decimal text on some releases."""
    value = members.maybe(name)
    if value is None:
        return None
    text = as_text(value, f"{what}.{name}")
    return as_quantity(text, f"{what}.{name}") if text.startswith("0x") else as_decimal(text, f"{what}.{name}")


def transaction2(value: Any, what: str = "the transaction") -> Transaction2 | None:
    """The reply of getTransactionByHash and the two by index; None for null (unknown)."""
    return None if value is None else transaction_object(value, what)


def transaction_object(value: Any, what: str) -> Transaction2:
    """A transaction wherever it stands."""
    members = Members(value, what)
    signature = members.maybe("signature")
    return Transaction2(
        tx_hash=members.text("hash"),
        sender=members.text("from"),
        to=members.text("to"),
        input=members.text("input"),
        nonce=members.quantity("nonce"),
        block_limit=members.quantity("blockLimit"),
        gas_price=members.quantity("gasPrice"),
        gas_limit=members.quantity("gas"),
        value=members.quantity("value"),
        chain_id=_id(members, "chainId", what),
        group_id=_id(members, "groupId", what),
        extra_data=members.text_or("extraData"),
        signature=None if signature is None else _tx_signature(signature, f"{what}.signature"),
        block_hash=members.text_or_none("blockHash"),
        block_number=members.quantity_or_none("blockNumber"),
        index=members.quantity_or_none("transactionIndex"),
        extra=members.extra(),
    )


def transactions2(value: Any) -> tuple[Transaction2, ...]:
    """The reply of getPendingTransactions."""
    return tuple(transaction_object(item, f"transaction {place}") for place, item in enumerate(as_list(value, "the transactions")))


def block2(value: Any) -> Block2:
    """The reply of getBlockByNumber, getBlockByHash, getBlockHeaderByNumber and getBlockHeaderByHash."""
    members = Members(value, "the block")
    tx_hashes: tuple[str, ...] | None = None
    transactions: tuple[Transaction2, ...] | None = None
    if members.has("transactions"):
        listed = as_list(members.take("transactions"), "the block.transactions")
        if any(type(item) is dict for item in listed):
            transactions = tuple(transaction_object(item, f"transaction {place} of the block") for place, item in enumerate(listed))
            tx_hashes = tuple(item.tx_hash for item in transactions)
        else:
            tx_hashes = tuple(as_text(item, "a transaction hash of the block") for item in listed)
    return Block2(
        number=members.quantity("number"),
        block_hash=members.text("hash"),
        parent_hash=members.text("parentHash"),
        state_root=members.text("stateRoot"),
        txs_root=members.text("transactionsRoot"),
        receipts_root=members.text("receiptsRoot"),
        db_hash=members.text("dbHash"),
        logs_bloom=members.text("logsBloom"),
        gas_limit=members.quantity("gasLimit"),
        gas_used=members.quantity("gasUsed"),
        timestamp_ms=members.quantity("timestamp"),
        extra_data=members.texts("extraData"),
        sealer=members.quantity("sealer"),
        sealer_list=members.texts("sealerList"),
        signatures=members.each_or_none("signatureList", _signature2),
        tx_hashes=tx_hashes,
        transactions=transactions,
        told=value,
        extra=members.extra(),
    )
