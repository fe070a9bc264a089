"""Transactions of FISCO BCOS 3.x: the signed data, its hash, its signature, its sender, its bytes.

Rule 1. The hash of a transaction of type BCOS covers every field of TransactionData as sent (a `to` with 0x is another text than one
        without) and nothing else: not importTime, attribute, sender or extraData. The signature is over that hash.
Rule 2. A transaction of type Web3 keeps what its Ethereum sender signed (the unsigned RLP payload) in `extra_transaction_bytes`, its
        keccak is what the signature is over, and the transaction hash is that of the signed Ethereum transaction, put together again
        from payload and signature. The readable fields of `data` only mirror the payload: `decode_verified` refuses a mirror that lies.
Rule 3. `data_hash`, `sender` and `extra_transaction_hash` of a received transaction are claims. Hash and sender are recomputed always;
        a `data_hash` that is not the hash is refused.

Texts are UTF-8; other bytes in a text field are refused, because RPC could not show such a transaction.

Sources: spec 3.x 3.2; bcos-tars-protocol tars/Transaction.tars, impl/TarsHashable.h, protocol/TransactionImpl.cpp.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from struct import Struct, error
from typing import Any, Final

from fiscotool.ledger import eth_payload
from fiscotool.ledger.crypto import KeyPair, address_of, keccak256, recover
from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.ledger.fields import bytes_of, int_of, struct_of, text_of
from fiscotool.ledger.tars import Fields, put_bytes, put_int, put_text, read, struct

TYPE_BCOS: Final = 0
TYPE_WEB3: Final = 1
_KNOWN_TYPES: Final = (TYPE_BCOS, TYPE_WEB3)

# bcos-framework protocol/Transaction.h, enum Attribute.
ATTRIBUTE_EVM_ABI_CODEC: Final = 0x1
ATTRIBUTE_DAG: Final = 0x4

_INT32_END: Final = 2**31
_DATA_TYPES: Final = (int, str, str, int, str, str, bytes, str, str, str, int, str, str, bytes)
_TYPES: Final = (bytes, bytes, int, int, bytes, str, int, bytes, bytes)
_pack_int = Struct(">i").pack
_pack_long = Struct(">q").pack


@dataclass(frozen=True, slots=True)
class TransactionData:
    """What is hashed. `value` and the fee fields are hex texts with 0x, in wei; `block_limit` is the last height it may enter."""

    version: int
    chain_id: str
    group_id: str
    block_limit: int
    nonce: str
    to: str
    input: bytes
    abi: str = ""
    value: str = ""
    gas_price: str = ""
    gas_limit: int = 0
    max_fee_per_gas: str = ""
    max_priority_fee_per_gas: str = ""
    extension: bytes = b""


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction as it travels. `signature` is r ‖ s ‖ v; `data_hash`, `sender` and `extra_transaction_hash` may be empty (Rule 3)."""

    data: TransactionData
    data_hash: bytes = b""
    signature: bytes = b""
    import_time_ms: int = 0
    attribute: int = 0
    sender: bytes = b""
    extra_data: str = ""
    tx_type: int = TYPE_BCOS
    extra_transaction_bytes: bytes = b""
    extra_transaction_hash: bytes = b""


def hash_transaction_data(data: TransactionData) -> bytes:
    """Hash of a transaction of type BCOS: the fields one after another without lengths (TarsHashable.h)."""
    parts = (
        _pack_int(data.version)
        + f"{data.chain_id}{data.group_id}".encode()
        + _pack_long(data.block_limit)
        + f"{data.nonce}{data.to}".encode()
        + data.input
        + data.abi.encode()
    )
    if data.version >= 1:
        parts += f"{data.value}{data.gas_price}".encode() + _pack_long(data.gas_limit)
        parts += f"{data.max_fee_per_gas}{data.max_priority_fee_per_gas}".encode()
        if data.version > 1:
            parts += data.extension
    return keccak256(parts)


def signing_hash(tx: Transaction) -> bytes:
    """The 32 bytes the sender signed."""
    if tx.tx_type == TYPE_WEB3:
        return keccak256(tx.extra_transaction_bytes)
    return hash_transaction_data(tx.data)


def transaction_hash(tx: Transaction) -> bytes:
    """The hash by which the chain and its clients know the transaction (Rules 1 and 2). Raises LedgerFormatError for a bad payload."""
    if tx.tx_type == TYPE_WEB3:
        return keccak256(eth_payload.signed_raw(tx.extra_transaction_bytes, tx.signature))
    return hash_transaction_data(tx.data)


def sender_of(tx: Transaction) -> bytes:
    """The 20-byte address of whoever signed. Raises BadSignature."""
    return address_of(recover(signing_hash(tx), tx.signature))


def encode_transaction_data(data: TransactionData) -> bytes:
    """Tars bytes of TransactionData, without struct marks."""
    return (
        put_int(1, data.version)
        + put_text(2, data.chain_id)
        + put_text(3, data.group_id)
        + put_int(4, data.block_limit)
        + put_text(5, data.nonce)
        + put_text(6, data.to)
        + put_bytes(7, data.input)
        + put_text(8, data.abi)
        + put_text(9, data.value)
        + put_text(10, data.gas_price)
        + put_int(11, data.gas_limit)
        + put_text(12, data.max_fee_per_gas)
        + put_text(13, data.max_priority_fee_per_gas)
        + put_bytes(14, data.extension)
    )


def encode_transaction(tx: Transaction) -> bytes:
    """Tars bytes of Transaction, as sendTransaction takes them (in hex) and as nodes gossip and store them."""
    return (
        struct(1, encode_transaction_data(tx.data))
        + put_bytes(2, tx.data_hash)
        + put_bytes(3, tx.signature)
        + put_int(4, tx.import_time_ms)
        + put_int(5, tx.attribute)
        + put_bytes(7, tx.sender)
        + put_text(8, tx.extra_data)
        + put_int(9, tx.tx_type)
        + put_bytes(10, tx.extra_transaction_bytes)
        + put_bytes(11, tx.extra_transaction_hash)
    )


def _data_from(fields: Fields) -> TransactionData:
    get = fields.get
    values = (
        *(get(1, 0), get(2, ""), get(3, ""), get(4, 0), get(5, ""), get(6, ""), get(7, b"")),
        *(get(8, ""), get(9, ""), get(10, ""), get(11, 0), get(12, ""), get(13, ""), get(14, b"")),
    )
    # One comparison instead of 14 checks; whatever is not as usual is looked at field by field, for the sake of the message.
    if tuple(map(type, values)) == _DATA_TYPES and -_INT32_END <= values[0] < _INT32_END:
        return TransactionData(*values)
    return _unusual_data_from(fields)


def _unusual_data_from(fields: Fields) -> TransactionData:
    names = (
        *("version", "chainID", "groupID", "blockLimit", "nonce", "to", "input"),
        *("abi", "value", "gasPrice", "gasLimit", "maxFeePerGas", "maxPriorityFeePerGas", "extension"),
    )
    values: list[Any] = []
    for tag, (name, kind) in enumerate(zip(names, _DATA_TYPES, strict=True), start=1):
        what = f"TransactionData.{name}"
        if kind is int:
            values.append(int_of(fields, tag, what, 32 if tag == 1 else 64))
        else:
            values.append(text_of(fields, tag, what) if kind is str else bytes_of(fields, tag, what))
    return TransactionData(*values)


def decode_transaction(raw: bytes) -> Transaction:
    """The transaction in Tars bytes. Raises LedgerFormatError. Hash and signature are not looked at: see decode_verified."""
    fields = read(raw)
    return transaction_from(fields)


def transaction_from(fields: Fields) -> Transaction:
    """The transaction of an already read Tars struct (as nested in a Block)."""
    if 1 not in fields:
        raise LedgerFormatError("Transaction without data", hint="sendTransaction wants the Tars bytes of a signed Transaction in hex")
    data = _data_from(struct_of(fields, 1, "Transaction.data"))
    get = fields.get
    values = (get(2, b""), get(3, b""), get(4, 0), get(5, 0), get(7, b""), get(8, ""), get(9, 0), get(10, b""), get(11, b""))
    if tuple(map(type, values)) == _TYPES and -_INT32_END <= values[3] < _INT32_END and values[6] in _KNOWN_TYPES:
        return Transaction(data, *values)
    return Transaction(
        data,
        bytes_of(fields, 2, "Transaction.dataHash"),
        bytes_of(fields, 3, "Transaction.signature"),
        int_of(fields, 4, "Transaction.importTime"),
        int_of(fields, 5, "Transaction.attribute", 32),
        bytes_of(fields, 7, "Transaction.sender"),
        text_of(fields, 8, "Transaction.extraData"),
        int_of(fields, 9, "Transaction.type", 8),
        bytes_of(fields, 10, "Transaction.extraTransactionBytes"),
        bytes_of(fields, 11, "Transaction.extraTransactionHash"),
    )


def decode_verified(raw: bytes) -> tuple[Transaction, bytes, bytes]:
    """(transaction, transaction hash, 20-byte sender) of untrusted Tars bytes: what a pool needs, in one pass.

    Raises LedgerFormatError for malformed bytes, an unknown type, a dataHash that is not the hash, or a Web3 transaction whose fields
    are not those its sender signed; BadSignature when no key can have signed it. Chain id, group, nonce and block limit are the pool's.
    """
    tx = decode_transaction(raw)
    if tx.tx_type == TYPE_BCOS:
        tx_hash = hash_transaction_data(tx.data)
        if tx.data_hash and tx.data_hash != tx_hash:
            raise LedgerFormatError(f"dataHash 0x{tx.data_hash.hex()} is not the hash of the transaction, 0x{tx_hash.hex()}")
        return tx, tx_hash, address_of(recover(tx_hash, tx.signature))
    if tx.tx_type != TYPE_WEB3:
        raise LedgerFormatError(f"transaction type {tx.tx_type} does not exist: 0 is BCOS, 1 is Web3")
    payload, signed_raw = eth_payload.parse_and_sign(tx.extra_transaction_bytes, tx.signature)
    if data_of_payload(payload) != tx.data:
        raise LedgerFormatError("the fields of a Web3 transaction are not those in the payload its sender signed")
    signed = signing_hash(tx)
    if tx.data_hash and tx.data_hash != signed:
        raise LedgerFormatError(f"dataHash 0x{tx.data_hash.hex()} is not the hash of the Ethereum payload, 0x{signed.hex()}")
    return tx, keccak256(signed_raw), address_of(recover(signed, tx.signature))


def data_of_payload(payload: eth_payload.EthereumPayload) -> TransactionData:
    """The mirror of an Ethereum payload that a node keeps beside it (bcos-rpc web3jsonrpc/model/Web3Transaction.cpp).

    The group is empty, the chain id decimal (0 before EIP-155), the nonce, value and fees are hex quantities.
    """
    legacy = payload.max_fee_per_gas is None
    return TransactionData(
        version=0,
        chain_id=str(payload.chain_id or 0),
        group_id="",
        block_limit=0,
        nonce=hex(payload.nonce),
        to=f"0x{payload.to.hex()}" if payload.to else "",
        input=payload.data,
        value=hex(payload.value),
        gas_price=hex(payload.gas_price) if legacy else "",
        gas_limit=payload.gas_limit,
        max_fee_per_gas="" if payload.max_fee_per_gas is None else hex(payload.max_fee_per_gas),
        max_priority_fee_per_gas="" if payload.max_priority_fee_per_gas is None else hex(payload.max_priority_fee_per_gas),
    )


def sign_transaction(data: TransactionData, key: KeyPair, *, attribute: int = 0, extra_data: str = "") -> Transaction:
    """The transaction of type BCOS that `key` makes of `data`, with its hash filled in. Raises LedgerFormatError for impossible values."""
    try:
        data_hash = hash_transaction_data(data)
    except (error, UnicodeEncodeError) as problem:
        raise LedgerFormatError(f"a number or text does not fit into a transaction: {problem}") from problem
    return Transaction(data, data_hash, key.sign(data_hash), 0, attribute, b"", extra_data)


def build_transaction(
    *,
    chain_id: str,
    group_id: str,
    block_limit: int,
    to: str,
    input: bytes,  # noqa: A002 - FISCO's name of the field
    key: KeyPair,
    nonce: str = "",
    abi: str = "",
    version: int = 0,
    attribute: int = 0,
    extra_data: str = "",
    value: str = "",
    gas_price: str = "",
    gas_limit: int = 0,
    max_fee_per_gas: str = "",
    max_priority_fee_per_gas: str = "",
    extension: bytes = b"",
) -> Transaction:
    """A signed transaction of type BCOS. An empty `nonce` becomes a random 128-bit decimal, as SDKs do; an empty `to` deploys `input`."""
    data = TransactionData(
        version=version,
        chain_id=chain_id,
        group_id=group_id,
        block_limit=block_limit,
        nonce=nonce or str(secrets.randbits(128)),
        to=to,
        input=input,
        abi=abi,
        value=value,
        gas_price=gas_price,
        gas_limit=gas_limit,
        max_fee_per_gas=max_fee_per_gas,
        max_priority_fee_per_gas=max_priority_fee_per_gas,
        extension=extension,
    )
    return sign_transaction(data, key, attribute=attribute, extra_data=extra_data)
