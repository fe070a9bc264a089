"""What a node says of blocks and transactions.

Facts (recorded from 3.16.4, confirmed by the specification):
- Hashes, ids, addresses and data are hex with 0x, as told; gasUsed is decimal text without 0x; timestamps are ms.
- A block with onlyTxHash lists hashes in `transactions`, else whole transactions; with onlyHeader there is no such member.
- A transaction's nonce is the hex of the bytes of its nonce text.

Sources: spec 3.x 2.4; bcos-rpc JsonRpcImpl_2_0.cpp `toJsonResp`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fiscotool.rpc.members import Members, as_integer, as_list, as_text


@dataclass(frozen=True, slots=True)
class Signature:
    """One entry of a block's signature list."""

    sealer_index: int
    signature: str
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Parent:
    """The block before, as a header names it."""

    number: int
    block_hash: str
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction as told by getTransaction or within a full block. The optional ones are there from version 1 on.

    `tx_proof` is there only when a proof was asked for; `transaction_proof` is an empty leftover of the older API.
    """

    version: int
    tx_hash: str
    sender: str
    to: str
    input: str
    nonce: str
    block_limit: int
    chain_id: str
    group_id: str
    import_time_ms: int | None
    abi: str
    signature: str
    extra_data: str
    value: str | None = None
    gas_price: str | None = None
    gas_limit: int | None = None
    max_fee_per_gas: str | None = None
    max_priority_fee_per_gas: str | None = None
    extension: tuple[int, ...] | None = None
    tx_proof: tuple[str, ...] | None = None
    transaction_proof: Any = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Block:
    """A block or its header. `transactions` and `tx_hashes` are None as far as they were not asked for.

    `told` is the object as the node sent it, for whoever hashes the header again.
    """

    number: int
    block_hash: str
    version: int
    parents: tuple[Parent, ...]
    txs_root: str
    receipts_root: str
    state_root: str
    gas_used: str
    timestamp_ms: int
    sealer: int
    sealer_list: tuple[str, ...]
    weights: tuple[int, ...]
    signatures: tuple[Signature, ...]
    extra_data: str
    tx_hashes: tuple[str, ...] | None = None
    transactions: tuple[Transaction, ...] | None = None
    told: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    extra: dict[str, Any] = field(default_factory=dict)


def _signature(value: Any, what: str) -> Signature:
    members = Members(value, what)
    return Signature(members.integer("sealerIndex"), members.text("signature"), members.extra())


def _parent(value: Any, what: str) -> Parent:
    members = Members(value, what)
    return Parent(members.integer("blockNumber"), members.text("blockHash"), members.extra())


def transaction(value: Any, what: str = "the transaction") -> Transaction:
    """The reply of getTransaction, also an item of a full block's transactions."""
    members = Members(value, what)
    return Transaction(
        version=members.integer("version"),
        tx_hash=members.text("hash"),
        sender=members.text("from"),
        to=members.text("to"),
        input=members.text("input"),
        nonce=members.text("nonce"),
        block_limit=members.integer("blockLimit"),
        chain_id=members.text("chainID"),
        group_id=members.text("groupID"),
        import_time_ms=members.integer("importTime"),
        abi=members.text_or("abi"),
        signature=members.text("signature"),
        extra_data=members.text_or("extraData"),
        value=members.text_or_none("value"),
        gas_price=members.text_or_none("gasPrice"),
        gas_limit=members.integer_or("gasLimit", None),
        max_fee_per_gas=members.text_or_none("maxFeePerGas"),
        max_priority_fee_per_gas=members.text_or_none("maxPriorityFeePerGas"),
        extension=members.each_or_none("extension", as_integer),
        tx_proof=members.each_or_none("txProof", as_text),
        transaction_proof=members.maybe("transactionProof"),
        extra=members.extra(),
    )


def block(value: Any) -> Block:
    """The reply of getBlockByNumber and getBlockByHash."""
    members = Members(value, "the block")
    tx_hashes: tuple[str, ...] | None = None
    transactions: tuple[Transaction, ...] | None = None
    if members.has("transactions"):
        listed = as_list(members.take("transactions"), "the block.transactions")
        if any(type(item) is dict for item in listed):
            transactions = tuple(transaction(item, f"transaction {index} of the block") for index, item in enumerate(listed))
            tx_hashes = tuple(item.tx_hash for item in transactions)
        else:
            tx_hashes = tuple(as_text(item, "a transaction hash of the block") for item in listed)
    return Block(
        number=members.integer("number"),
        block_hash=members.text("hash"),
        version=members.integer("version"),
        parents=members.each("parentInfo", _parent),
        txs_root=members.text("txsRoot"),
        receipts_root=members.text("receiptsRoot"),
        state_root=members.text("stateRoot"),
        gas_used=members.text("gasUsed"),
        timestamp_ms=members.integer("timestamp"),
        sealer=members.integer("sealer"),
        sealer_list=members.texts("sealerList"),
        weights=members.each("consensusWeights", as_integer),
        signatures=members.each("signatureList", _signature),
        extra_data=members.text("extraData"),
        tx_hashes=tx_hashes,
        transactions=transactions,
        told=value,
        extra=members.extra(),
    )
