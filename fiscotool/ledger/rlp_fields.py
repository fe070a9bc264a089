"""Typed access to decoded RLP items: an item of another kind or length than the field's is a LedgerFormatError naming the field."""

from __future__ import annotations

from typing import Final

from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.ledger.rlp_items import Item, decode_list

_U256_BITS: Final = 256


def take_list(raw: bytes, what: str, counts: tuple[int, ...]) -> list[Item]:
    """The items of the list `raw` is, which must be one of `counts` many. Raises LedgerFormatError."""
    items = decode_list(raw)
    if len(items) not in counts:
        wanted = " or ".join(map(str, counts))
        raise LedgerFormatError(f"{what} has {wanted} fields, not {len(items)}")
    return items


def bytes_item(item: Item, name: str, *lengths: int) -> bytes:
    """A byte string, of one of `lengths` if any are given."""
    if isinstance(item, list):
        raise LedgerFormatError(f"{name} is a list, not a byte string")
    if lengths and len(item) not in lengths:
        raise LedgerFormatError(f"{name} has {len(item)} bytes, not {' or '.join(map(str, lengths))}")
    return item


def number_item(item: Item, name: str, bits: int = _U256_BITS) -> int:
    """An unsigned number without leading zeros, of at most `bits` bits."""
    raw = bytes_item(item, name)
    if raw[:1] == b"\0":
        raise LedgerFormatError(f"{name} is a number with a leading zero")
    if len(raw) * 8 > bits + 7 or (value := int.from_bytes(raw, "big")) >> bits:
        raise LedgerFormatError(f"{name} is a number of more than {bits} bits")
    return value


def items_of(item: Item, name: str) -> list[Item]:
    """A nested list."""
    if not isinstance(item, list):
        raise LedgerFormatError(f"{name} is a byte string, not a list")
    return item
