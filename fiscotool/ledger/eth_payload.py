"""The unsigned Ethereum payload inside a Web3 transaction: taken apart, and put together with its signature again.

    legacy before EIP-155   rlp([nonce, gasPrice, gas, to, value, data])
    legacy, EIP-155         rlp([nonce, gasPrice, gas, to, value, data, chainId, 0, 0])
    EIP-2930                0x01 ‖ rlp([chainId, nonce, gasPrice, gas, to, value, data, accessList])
    EIP-1559                0x02 ‖ rlp([chainId, nonce, maxPriorityFee, maxFee, gas, to, value, data, accessList])

The signed transaction has the same list with (v, r, s) behind it, EIP-155 instead of (chainId, 0, 0). v is 27 + y before EIP-155,
35 + 2·chainId + y with it, and the plain y, 0 or 1, in typed transactions.

Only canonical RLP is taken (no leading zeros, shortest lengths, nothing behind): otherwise one transaction would have two hashes.

Sources: EIP-155, EIP-2718, EIP-2930, EIP-1559; spec 3.x 2.6; bcos-rpc web3jsonrpc/model/Web3Transaction.cpp.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.ledger.rlp_items import Item, decode_list, encode, integer_item

LEGACY: Final = 0
EIP2930: Final = 1
EIP1559: Final = 2

AccessList = tuple[tuple[bytes, tuple[bytes, ...]], ...]

_LIST_HEAD_MIN: Final = 0xC0
_ADDRESS_BYTES: Final = 20
_WORD_BYTES: Final = 32
_FIELDS: Final = {LEGACY: 6, EIP2930: 8, EIP1559: 9}
_EIP155_FIELDS: Final = 9
_UINT64_MAX: Final = 2**64 - 1
_INT64_MAX: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class EthereumPayload:
    """What the sender signed. Amounts in wei. `to` is empty for a deployment; `chain_id` is None before EIP-155.

    `max_fee_per_gas` and `max_priority_fee_per_gas` are None where `gas_price` counts, which is 0 in an EIP-1559 transaction.
    """

    eth_type: int
    chain_id: int | None
    nonce: int
    gas_price: int
    gas_limit: int
    to: bytes
    value: int
    data: bytes
    max_fee_per_gas: int | None = None
    max_priority_fee_per_gas: int | None = None
    access_list: AccessList = ()


def _malformed(fact: str) -> LedgerFormatError:
    return LedgerFormatError(f"malformed Ethereum transaction: {fact}")


def split(raw: bytes) -> tuple[int, list[Item]]:
    """(type, items) of a raw transaction or payload. Raises LedgerFormatError."""
    if not raw:
        raise _malformed("no bytes")
    eth_type, body = (LEGACY, raw) if raw[0] >= _LIST_HEAD_MIN else (raw[0], raw[1:])
    if eth_type not in _FIELDS or (eth_type == LEGACY and raw[0] < _LIST_HEAD_MIN):
        raise LedgerFormatError(
            f"Ethereum transaction type {raw[0]:#04x} is not supported", hint="legacy, EIP-2930 (0x01) and EIP-1559 (0x02) transactions are"
        )
    return eth_type, decode_list(body)


def number(item: Item, what: str, limit: int = 2**256 - 1) -> int:
    """A canonical RLP integer up to `limit`."""
    if not isinstance(item, bytes) or item[:1] == b"\x00":
        raise _malformed(f"{what} is not a canonical integer")
    value = int.from_bytes(item, "big")
    if value > limit:
        raise _malformed(f"{what} is too large")
    return value


def _bytes(item: Item, what: str) -> bytes:
    if not isinstance(item, bytes):
        raise _malformed(f"{what} is a list")
    return item


def _address(item: Item) -> bytes:
    if not isinstance(item, bytes) or len(item) not in {0, _ADDRESS_BYTES}:
        raise _malformed("`to` is neither empty nor 20 bytes")
    return item


def _access_list(item: Item) -> AccessList:
    if not isinstance(item, list):
        raise _malformed("the access list is not a list")
    entries = []
    for entry in item:
        match entry:
            case [bytes() as address, list() as keys] if len(address) == _ADDRESS_BYTES:
                if not all(isinstance(key, bytes) and len(key) == _WORD_BYTES for key in keys):
                    raise _malformed("a storage key of the access list is not 32 bytes")
                entries.append((address, tuple(keys)))
            case _:
                raise _malformed("an entry of the access list is not [address, storage keys]")
    return tuple(entries)


def payload_of(eth_type: int, items: list[Item], chain_id: int | None) -> EthereumPayload:
    """The payload from its leading items; for typed transactions the chain id is the first of them."""
    if eth_type == LEGACY:
        nonce, gas_price, gas_limit, to, value, data = items[:6]
        max_fee = priority_fee = None
        access: Item = []
    elif eth_type == EIP2930:
        chain, nonce, gas_price, gas_limit, to, value, data, access = items[:8]
        max_fee = priority_fee = None
        chain_id = number(chain, "the chain id", _UINT64_MAX)
    else:
        chain, nonce, priority_fee, max_fee, gas_limit, to, value, data, access = items[:9]
        gas_price = b""
        chain_id = number(chain, "the chain id", _UINT64_MAX)
    return EthereumPayload(
        eth_type,
        chain_id,
        number(nonce, "the nonce", _UINT64_MAX),
        number(gas_price, "the gas price"),
        number(gas_limit, "the gas limit", _INT64_MAX),
        _address(to),
        number(value, "the value"),
        _bytes(data, "the data"),
        None if max_fee is None else number(max_fee, "the fee cap"),
        None if priority_fee is None else number(priority_fee, "the priority fee"),
        _access_list(access),
    )


def parse(payload: bytes) -> EthereumPayload:
    """The fields of an unsigned payload. Raises LedgerFormatError."""
    eth_type, items = split(payload)
    return payload_of(eth_type, items, _checked_chain_id(eth_type, items))


def parse_and_sign(payload: bytes, signature65: bytes) -> tuple[EthereumPayload, bytes]:
    """The fields of an unsigned payload, and the raw signed transaction it becomes with `signature65`. Raises LedgerFormatError."""
    eth_type, items = split(payload)
    chain_id = _checked_chain_id(eth_type, items)
    return payload_of(eth_type, items, chain_id), _signed(eth_type, items, chain_id, signature65)


def signed_raw(payload: bytes, signature65: bytes) -> bytes:
    """The raw signed transaction, whose keccak is the transaction hash. Raises LedgerFormatError."""
    eth_type, items = split(payload)
    return _signed(eth_type, items, _checked_chain_id(eth_type, items), signature65)


def _checked_chain_id(eth_type: int, items: list[Item]) -> int | None:
    """Check the number of items of an unsigned payload; the chain id of a legacy one (None before EIP-155 and for typed ones)."""
    if eth_type == LEGACY and len(items) == _EIP155_FIELDS:
        if items[7] != b"" or items[8] != b"":
            raise _malformed("an EIP-155 payload does not end in chain id, 0, 0")
        return number(items[6], "the chain id", _UINT64_MAX)
    if len(items) != _FIELDS[eth_type]:
        raise _malformed(f"a payload of type {eth_type} has {len(items)} fields")
    return None


def _signed(eth_type: int, items: list[Item], chain_id: int | None, signature65: bytes) -> bytes:
    if len(signature65) != 2 * _WORD_BYTES + 1:
        raise _malformed(f"a signature of {len(signature65)} bytes")
    y_parity = signature65[64]
    if eth_type != LEGACY:
        v = y_parity
    elif chain_id is None:
        v = 27 + y_parity
    else:
        v = 35 + 2 * chain_id + y_parity
    signature = (integer_item(v), signature65[:32].lstrip(b"\x00"), signature65[32:64].lstrip(b"\x00"))
    return _typed(eth_type, [*items[: _FIELDS[eth_type]], *signature])


def unsigned(eth_type: int, items: list[Item], chain_id: int | None) -> bytes:
    """The payload that was signed, from the items of the signed transaction."""
    fields = items[: _FIELDS[eth_type]]
    if eth_type == LEGACY and chain_id is not None:
        fields = [*fields, integer_item(chain_id), b"", b""]
    return _typed(eth_type, fields)


def _typed(eth_type: int, items: list[Item]) -> bytes:
    encoded = encode(items)
    return encoded if eth_type == LEGACY else bytes((eth_type,)) + encoded


def field_count(eth_type: int) -> int:
    """Fields in front of v, r, s."""
    return _FIELDS[eth_type]
