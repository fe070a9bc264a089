"""RLP, Ethereum's nesting of byte strings, in the few lines a transaction needs: one pass, canonical only.

    0x00…0x7f            the byte itself                     0x80 + n, n ≤ 55       n bytes
    0xb7 + k             k bytes of length, then the bytes   0xc0 + n, n ≤ 55       a list of n bytes in all
    0xf7 + k             k bytes of length, then the list

Every other way to write the same value is refused: a length that would fit in the head, a length with a leading zero, a single small
byte with a head. The `rlp` package reads and writes the same (tests compare them on arbitrary input) in two to four times the time, and
four nodes on two cores at 2,000 transactions a second have none to give away (bench/ledger_speed.py).

Source: Ethereum yellow paper, appendix B.
"""

from __future__ import annotations

from typing import Final

from fiscotool.ledger.errors import LedgerFormatError

Item = bytes | list["Item"]

_DEPTH_MAX: Final = 8  # A transaction nests three deep: fields, access list, entry, storage keys.
_SHORT_MAX: Final = 55
_STRING: Final = 0x80
_LONG_STRING: Final = 0xB8
_LIST: Final = 0xC0
_LONG_LIST: Final = 0xF8


def _malformed(fact: str) -> LedgerFormatError:
    return LedgerFormatError(f"malformed RLP: {fact}")


def decode_list(raw: bytes) -> list[Item]:
    """The items of the list that `raw` is, nothing behind it. Raises LedgerFormatError."""
    try:
        item, end = _decode(raw, 0, 0)
    except IndexError as problem:
        raise _malformed("it ends in the middle of an item") from problem
    if not isinstance(item, list):
        raise _malformed("a byte string where a list was expected")
    if end != len(raw):
        raise _malformed(f"{len(raw) - end} bytes behind the list")
    return item


def _long_length(raw: bytes, position: int, size: int) -> int:
    if raw[position] == 0:
        raise _malformed("a length with a leading zero")
    length = int.from_bytes(raw[position : position + size], "big")
    if length <= _SHORT_MAX:
        raise _malformed("a long form for a short length")
    return length


def _decode(raw: bytes, position: int, depth: int) -> tuple[Item, int]:
    head = raw[position]
    position += 1
    if head < _STRING:
        return raw[position - 1 : position], position
    if head < _LIST:
        if head < _LONG_STRING:
            length = head - _STRING
        else:
            size = head - _LONG_STRING + 1
            length = _long_length(raw, position, size)
            position += size
        stop = position + length
        if stop > len(raw):
            raise _malformed("it ends in the middle of an item")
        if length == 1 and raw[position] < _STRING:
            raise _malformed("a single small byte with a head")
        return raw[position:stop], stop
    if head < _LONG_LIST:
        length = head - _LIST
    else:
        size = head - _LONG_LIST + 1
        length = _long_length(raw, position, size)
        position += size
    stop = position + length
    if stop > len(raw):
        raise _malformed("it ends in the middle of an item")
    if depth >= _DEPTH_MAX:
        raise _malformed(f"nested deeper than {_DEPTH_MAX}")
    items: list[Item] = []
    while position < stop:
        item, position = _decode(raw, position, depth + 1)
        items.append(item)
    if position != stop:
        raise _malformed("an item reaches beyond its list")
    return items, position


def _head(base: int, length: int) -> bytes:
    if length <= _SHORT_MAX:
        return bytes((base + length,))
    size = (length.bit_length() + 7) // 8
    return bytes((base + _SHORT_MAX + size,)) + length.to_bytes(size, "big")


def list_head(length: int) -> bytes:
    """What stands before the bytes of a list's items, `length` in all."""
    return _head(_LIST, length)


def encode(item: Item) -> bytes:
    """The canonical bytes of an item."""
    if isinstance(item, list):
        body = b"".join(map(encode, item))
        return _head(_LIST, len(body)) + body
    if len(item) == 1 and item[0] < _STRING:
        return item
    return _head(_STRING, len(item)) + item


def integer_item(value: int) -> bytes:
    """The item of a number: big-endian without leading zeros, nothing for 0."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")
