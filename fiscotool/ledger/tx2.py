"""Transactions of FISCO BCOS 2.x: RLP bytes, hash, signature, sender, RPC object.

Rule 1. A transaction is an RLP list: nonce, gasPrice, gasLimit, blockLimit, to, value, data, chainId, groupId, extraData, v, r, s. The
        sender signs keccak of the list of the first ten; the transaction hash is keccak of all thirteen. v is 27 or 28 in bytes, 0 or 1
        in a signature and in RPC.
Rule 2. The old form of release candidate 1 lacks chainId, groupId and extraData: seven fields are signed, ten are sent. Here its chain
        and group id are None.
Rule 3. `to` is 20 bytes, or none for a deployment; RPC tells a deployment's as forty zeros. Which of the two a transaction to forty
        zeros is, only its hash tells.
Rule 4. s must not be in the upper half: the node refuses such a signature.
Rule 5. Recorded: one transaction with call data shorter than a selector, sent to a contract, kills every node of a 2.9.1 chain at once
        (all of them execute it). `build_transaction2` refuses to make one unless it is told to.

Sources: spec 2.x 3.1; libethcore/Transaction.cpp; recordings v2/blocks_full_node0, v2/logs/crash_by_short_calldata.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import Any, Final

from fiscotool.ledger import rpc_json
from fiscotool.ledger.crypto import BadSignature, KeyPair, address_of, keccak256, recover
from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.ledger.rlp_fields import bytes_item, number_item, take_list
from fiscotool.ledger.rlp_items import Item, encode, integer_item

GAS_PRICE: Final = 300_000_000
GAS_LIMIT: Final = 300_000_000
"""What SDKs of 2.x send: nobody is charged unless the chain says so."""

_ADDRESS_BYTES: Final = 20
_SELECTOR_BYTES: Final = 4
_SIGNATURE_BYTES: Final = 65
_V_BASE: Final = 27
_NONCE_BITS: Final = 250
_U256_END: Final = 1 << 256
_NEW_COUNT, _OLD_COUNT = 13, 10
_S_MAX: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


@dataclass(frozen=True, slots=True)
class Transaction2:
    """A transaction of 2.x. `nonce` is any number never used before; `block_limit` the last height it may enter.

    `value` and `gas_price` in wei. `signature` is r ‖ s ‖ v with v in 0, 1; empty before it is signed.
    """

    nonce: int
    block_limit: int
    to: bytes
    input: bytes
    chain_id: int | None
    group_id: int | None
    gas_price: int = GAS_PRICE
    gas_limit: int = GAS_LIMIT
    value: int = 0
    extra_data: bytes = b""
    signature: bytes = b""


def _signed_items(tx: Transaction2) -> list[Item]:
    items: list[Item] = [
        integer_item(tx.nonce),
        integer_item(tx.gas_price),
        integer_item(tx.gas_limit),
        integer_item(tx.block_limit),
        tx.to,
        integer_item(tx.value),
        tx.input,
    ]
    if tx.chain_id is not None and tx.group_id is not None:
        items += [integer_item(tx.chain_id), integer_item(tx.group_id), tx.extra_data]
    return items


def _all_items(tx: Transaction2) -> list[Item]:
    if len(tx.signature) != _SIGNATURE_BYTES:
        raise LedgerFormatError(
            f"a transaction of 2.x has a signature of 65 bytes, not {len(tx.signature)}",
            hint="128 bytes are a signature of national cryptography, which is not supported here",
        )
    r, s = int.from_bytes(tx.signature[:32], "big"), int.from_bytes(tx.signature[32:64], "big")
    return [*_signed_items(tx), integer_item(tx.signature[64] + _V_BASE), integer_item(r), integer_item(s)]


def signing_hash2(tx: Transaction2) -> bytes:
    """The 32 bytes the sender signs."""
    return keccak256(encode(_signed_items(tx)))


def encode_transaction2(tx: Transaction2) -> bytes:
    """RLP bytes, as sendRawTransaction takes them (in hex). Raises LedgerFormatError for one that is not signed."""
    return encode(_all_items(tx))


def transaction_hash2(tx: Transaction2) -> bytes:
    """The hash by which chain and clients know the transaction. Raises LedgerFormatError for one that is not signed."""
    return keccak256(encode(_all_items(tx)))


def sender_of2(tx: Transaction2) -> bytes:
    """The 20-byte address of whoever signed. Raises BadSignature (Rule 4)."""
    if int.from_bytes(tx.signature[32:64], "big") > _S_MAX:
        raise BadSignature("the s of a signature is in the upper half")
    return address_of(recover(signing_hash2(tx), tx.signature))


def decode_transaction2(raw: bytes) -> Transaction2:
    """The transaction in RLP bytes, new form or old. Raises LedgerFormatError; whose signature it is, is not looked at."""
    items = take_list(raw, "a transaction of 2.x", (_NEW_COUNT, _OLD_COUNT))
    is_new = len(items) == _NEW_COUNT
    v = number_item(items[-3], "v", 8) - _V_BASE
    if v not in {0, 1}:
        raise LedgerFormatError(f"v of a transaction is {v + _V_BASE}, neither 27 nor 28")
    r, s = number_item(items[-2], "r"), number_item(items[-1], "s")
    return Transaction2(
        nonce=number_item(items[0], "nonce"),
        gas_price=number_item(items[1], "gasPrice"),
        gas_limit=number_item(items[2], "gasLimit"),
        block_limit=number_item(items[3], "blockLimit"),
        to=bytes_item(items[4], "to", 0, _ADDRESS_BYTES),
        value=number_item(items[5], "value"),
        input=bytes_item(items[6], "data"),
        chain_id=number_item(items[7], "chainId") if is_new else None,
        group_id=number_item(items[8], "groupId") if is_new else None,
        extra_data=bytes_item(items[9], "extraData") if is_new else b"",
        signature=r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes((v,)),
    )


def decode_verified2(raw: bytes) -> tuple[Transaction2, bytes, bytes]:
    """(transaction, hash, 20-byte sender) of untrusted RLP bytes. Raises LedgerFormatError or BadSignature.

    Chain id, group, nonce and block limit are for the pool to judge.
    """
    tx = decode_transaction2(raw)
    return tx, keccak256(raw), sender_of2(tx)


def build_transaction2(
    *,
    chain_id: int | str,
    group_id: int | str,
    block_limit: int,
    to: str | bytes,
    input: bytes,  # noqa: A002 - FISCO's name of the field
    key: KeyPair,
    nonce: int | None = None,
    gas_price: int = GAS_PRICE,
    gas_limit: int = GAS_LIMIT,
    value: int = 0,
    extra_data: bytes = b"",
    may_crash_nodes: bool = False,
) -> Transaction2:
    """A signed transaction. `chain_id` and `group_id` are numbers, also as text ("1"); an empty `to` deploys `input`.

    Without a `nonce` a random one of 250 bits is taken, as SDKs do. Raises LedgerFormatError for what no transaction can hold, and for
    call data that kills nodes (Rule 5) unless `may_crash_nodes`.
    """
    address = to if isinstance(to, bytes) else rpc_json.hex_bytes(to, "to")
    if len(address) not in {0, _ADDRESS_BYTES}:
        raise LedgerFormatError(f"'to' has {len(address)} bytes, not 20", hint="an empty one deploys a contract")
    if address and len(input) < _SELECTOR_BYTES and not may_crash_nodes:
        raise LedgerFormatError(
            f"call data of {len(input)} bytes is shorter than a selector: a 2.x chain whose nodes execute it may crash as a whole",
            hint="give at least four bytes, or say may_crash_nodes=True for a drill that is meant to do that",
        )
    tx = Transaction2(
        nonce=secrets.randbits(_NONCE_BITS) if nonce is None else nonce,
        block_limit=block_limit,
        to=address,
        input=input,
        chain_id=_number(chain_id, "chain_id"),
        group_id=_number(group_id, "group_id"),
        gas_price=gas_price,
        gas_limit=gas_limit,
        value=value,
        extra_data=extra_data,
    )
    for name in ("nonce", "block_limit", "gas_price", "gas_limit", "value", "chain_id", "group_id"):
        if not 0 <= getattr(tx, name) < _U256_END:
            raise LedgerFormatError(f"{name} is {getattr(tx, name)}: it must fit in 256 bits, unsigned")
    return sign_transaction2(tx, key)


def _number(value: int | str, name: str) -> int:
    if isinstance(value, int):
        return value
    if not (value.isascii() and value.isdigit()):
        raise LedgerFormatError(f"{name} of a 2.x chain is a number, not {value!r}")
    return int(value)


def sign_transaction2(tx: Transaction2, key: KeyPair) -> Transaction2:
    """The transaction signed by `key`."""
    return replace(tx, signature=key.sign(signing_hash2(tx)))


def transaction2_from_rpc(obj: dict[str, Any]) -> Transaction2:
    """The transaction in an RPC object of getTransactionByHash or a whole block. Raises LedgerFormatError.

    `hash` and `from` of the object remain claims; its hash only decides between the two meanings of forty zeros (Rule 3).
    """
    parts = rpc_json.objects({"signature": [obj.get("signature")]}, "signature")[0]
    v = rpc_json.quantity(parts, "v", 8)
    numbers = (rpc_json.quantity(parts, name).to_bytes(32, "big") for name in ("r", "s"))
    to = rpc_json.data(obj, "to", _ADDRESS_BYTES)
    is_old = "chainId" not in obj
    tx = Transaction2(
        nonce=rpc_json.quantity(obj, "nonce"),
        gas_price=rpc_json.quantity(obj, "gasPrice"),
        gas_limit=rpc_json.quantity(obj, "gas"),
        block_limit=rpc_json.quantity(obj, "blockLimit"),
        to=to if any(to) else b"",
        value=rpc_json.quantity(obj, "value"),
        input=rpc_json.data(obj, "input"),
        chain_id=None if is_old else rpc_json.quantity(obj, "chainId"),
        group_id=None if is_old else rpc_json.quantity(obj, "groupId"),
        extra_data=b"" if is_old else rpc_json.data(obj, "extraData"),
        signature=b"".join(numbers) + bytes((v,)),
    )
    if not any(to):
        called = replace(tx, to=to)
        if transaction_hash2(called) == rpc_json.data(obj, "hash"):
            return called
    return tx


def transaction2_to_rpc(tx: Transaction2, *, sender: bytes | None = None, tx_hash: bytes | None = None) -> dict[str, Any]:
    """The object of getTransactionByHash, without the three members about its block. Who knows sender and hash may say so."""
    ids = (
        {}
        if tx.chain_id is None
        else {"chainId": hex(tx.chain_id), "groupId": hex(tx.group_id or 0), "extraData": f"0x{tx.extra_data.hex()}"}
    )
    return {
        "blockLimit": hex(tx.block_limit),
        "from": f"0x{(sender or sender_of2(tx)).hex()}",
        "gas": hex(tx.gas_limit),
        "gasPrice": hex(tx.gas_price),
        "hash": f"0x{(tx_hash or transaction_hash2(tx)).hex()}",
        "input": f"0x{tx.input.hex()}",
        "nonce": hex(tx.nonce),
        "signature": {
            "r": f"0x{tx.signature[:32].hex()}",
            "s": f"0x{tx.signature[32:64].hex()}",
            "signature": f"0x{tx.signature.hex()}",
            "v": hex(tx.signature[64]),
        },
        "to": f"0x{(tx.to or bytes(_ADDRESS_BYTES)).hex()}",
        "value": hex(tx.value),
        **ids,
    }
