"""Raw Ethereum transactions (eth_sendRawTransaction): decoded, and wrapped into a FISCO transaction of type Web3.

Rule 1. The transaction hash is keccak(raw), the hash every Ethereum client computes, also for legacy transactions.
Rule 2. What is wrapped is the payload that was signed, with the signature r ‖ s ‖ y beside it, as a real node stores it; raw and hash
        follow from these two (eth_payload.signed_raw), so a wrapped transaction can be verified without trusting who sent it.
Rule 3. A high s is refused (EIP-2): its low twin is the same transfer under another hash.

Sources: EIP-2, EIP-155, EIP-2718, EIP-2930, EIP-1559; bcos-rpc web3jsonrpc/model/Web3Transaction.cpp `takeToTarsTransaction`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fiscotool.ledger import eth_payload
from fiscotool.ledger.crypto import BadSignature, address_of, keccak256, recover
from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.ledger.eth_payload import EIP1559, EIP2930, LEGACY, AccessList
from fiscotool.ledger.tx3 import TYPE_WEB3, Transaction, data_of_payload

__all__ = ["EIP1559", "EIP2930", "LEGACY", "EthereumTx", "decode_ethereum", "wrap_ethereum"]

_S_MAX: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_V_MAX: Final = 35 + 2 * (2**64 - 1) + 1


@dataclass(frozen=True, slots=True)
class EthereumTx:
    """A decoded raw transaction. Amounts in wei; `to` is empty for a deployment; `chain_id` None before EIP-155.

    `payload` is what was signed, `signature` r ‖ s ‖ y (65 bytes). Fee fields as in eth_payload.EthereumPayload.
    """

    hash: bytes
    sender: bytes
    eth_type: int
    chain_id: int | None
    nonce: int
    gas_price: int
    gas_limit: int
    to: bytes
    value: int
    data: bytes
    max_fee_per_gas: int | None
    max_priority_fee_per_gas: int | None
    access_list: AccessList
    payload: bytes
    signature: bytes


def decode_ethereum(raw: bytes) -> EthereumTx:
    """The transaction in `raw` with its hash and sender. Raises LedgerFormatError, or BadSignature when it is not signed properly."""
    raw = bytes(raw)
    eth_type, items = eth_payload.split(raw)
    count = eth_payload.field_count(eth_type)
    if len(items) != count + 3:
        raise LedgerFormatError(f"malformed Ethereum transaction: a signed one of type {eth_type} has {count + 3} fields, not {len(items)}")
    v = eth_payload.number(items[count], "v", _V_MAX)
    r = eth_payload.number(items[count + 1], "r")
    s = eth_payload.number(items[count + 2], "s")
    chain_id, y_parity = _split_v(eth_type, v)
    if s > _S_MAX:
        raise BadSignature("the s of an Ethereum signature is in the upper half (EIP-2)")
    payload = eth_payload.unsigned(eth_type, items, chain_id)
    fields = eth_payload.payload_of(eth_type, items, chain_id)
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes((y_parity,))
    sender = address_of(recover(keccak256(payload), signature))
    return EthereumTx(
        keccak256(raw),
        sender,
        eth_type,
        fields.chain_id,
        fields.nonce,
        fields.gas_price,
        fields.gas_limit,
        fields.to,
        fields.value,
        fields.data,
        fields.max_fee_per_gas,
        fields.max_priority_fee_per_gas,
        fields.access_list,
        payload,
        signature,
    )


def _split_v(eth_type: int, v: int) -> tuple[int | None, int]:
    if eth_type != LEGACY:
        if v > 1:
            raise BadSignature(f"y parity {v} of a typed Ethereum transaction is neither 0 nor 1")
        return None, v
    if v in {27, 28}:
        return None, v - 27
    if v < 35:  # noqa: PLR2004 - EIP-155: v = 35 + 2·chainId + y
        raise BadSignature(f"v {v} of a legacy Ethereum transaction is neither 27, 28 nor at least 35")
    return (v - 35) // 2, (v - 35) % 2


def wrap_ethereum(raw: bytes, *, import_time_ms: int = 0) -> Transaction:
    """The FISCO transaction of type Web3 for a raw Ethereum transaction. Raises as decode_ethereum does."""
    tx = decode_ethereum(raw)
    return Transaction(
        data_of_payload(eth_payload.parse(tx.payload)),
        data_hash=keccak256(tx.payload),
        signature=tx.signature,
        import_time_ms=import_time_ms,
        tx_type=TYPE_WEB3,
        extra_transaction_bytes=tx.payload,
        extra_transaction_hash=tx.hash,
    )


def unwrap_ethereum(tx: Transaction) -> bytes:
    """The raw signed Ethereum transaction inside a transaction of type Web3. Raises LedgerFormatError for another type."""
    if tx.tx_type != TYPE_WEB3:
        raise LedgerFormatError("a transaction of type BCOS has no Ethereum form")
    return eth_payload.signed_raw(tx.extra_transaction_bytes, tx.signature)
