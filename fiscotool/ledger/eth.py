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
from fiscotool.ledger.eth_payload import EIP1559, EIP2930, LEGACY, AccessList, EthereumPayload
from fiscotool.ledger.tx3 import TYPE_WEB3, Transaction, data_of_payload

__all__ = ["EIP1559", "EIP2930", "LEGACY", "EthereumTx", "decode_ethereum", "wrap_ethereum"]

_S_MAX: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_V_MAX: Final = 35 + 2 * (2**64 - 1) + 1


@dataclass(frozen=True, slots=True)
class EthereumTx:
    """A decoded raw transaction: `fields` is what was said, `payload` the bytes that were signed, `signature` r ‖ s ‖ y (65 bytes).

    The members of `fields` are also properties here. Amounts in wei; `to` is empty for a deployment; `chain_id` None before EIP-155.
    """

    hash: bytes
    sender: bytes
    fields: EthereumPayload
    payload: bytes
    signature: bytes

    @property
    def eth_type(self) -> int:
        """LEGACY, EIP2930 or EIP1559."""
        return self.fields.eth_type

    @property
    def chain_id(self) -> int | None:
        """The numeric Ethereum chain id that was signed."""
        return self.fields.chain_id

    @property
    def nonce(self) -> int:
        """The sender's transaction count."""
        return self.fields.nonce

    @property
    def gas_price(self) -> int:
        """Price in wei, 0 in an EIP-1559 transaction."""
        return self.fields.gas_price

    @property
    def gas_limit(self) -> int:
        """Gas the sender pays for at most."""
        return self.fields.gas_limit

    @property
    def to(self) -> bytes:
        """20 bytes, or none to deploy `data`."""
        return self.fields.to

    @property
    def value(self) -> int:
        """Transferred amount in wei."""
        return self.fields.value

    @property
    def data(self) -> bytes:
        """Call data or creation code."""
        return self.fields.data

    @property
    def max_fee_per_gas(self) -> int | None:
        """Fee cap of EIP-1559 in wei, else None."""
        return self.fields.max_fee_per_gas

    @property
    def max_priority_fee_per_gas(self) -> int | None:
        """Priority fee of EIP-1559 in wei, else None."""
        return self.fields.max_priority_fee_per_gas

    @property
    def access_list(self) -> AccessList:
        """Addresses with their storage keys; empty in legacy transactions."""
        return self.fields.access_list


def decode_ethereum(raw: bytes) -> EthereumTx:
    """The transaction in `raw` with its hash and sender. Raises LedgerFormatError, or BadSignature when it is not signed properly."""
    tx, _ = _decode(bytes(raw))
    return tx


def _decode(raw: bytes) -> tuple[EthereumTx, bytes]:
    """The transaction and the hash its sender signed."""
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
    signed = keccak256(payload)
    sender = address_of(recover(signed, signature))
    return EthereumTx(keccak256(raw), sender, fields, payload, signature), signed


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
    tx, signed = _decode(bytes(raw))
    return Transaction(
        data_of_payload(tx.fields),
        data_hash=signed,
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
