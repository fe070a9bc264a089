"""Tars, the binary format of everything a FISCO BCOS 3.x node stores or sends: primitives to write and read it.

Rule 1. What is written is what the node's generated code writes, byte for byte: fields in ascending order of tag, integers in the
        smallest type, fields equal to their default left out (all fields of the ledger's structs are optional, spec 3.x 3.1).
Rule 2. Reading takes time and memory linear in the input and never trusts a length: whatever is wrong raises LedgerFormatError.
        Unknown tags are skipped; tags that do not ascend are refused, because a second value for a field would be ambiguous.

A field is a head byte `tag << 4 | type` (tags from 15 on: 0xF0 | type, then the tag) and a payload:

    0 int8   1 int16   2 int32   3 int64   4 float   5 double   6 text, 1-byte length   7 text, 4-byte length
    8 map    9 list   10 struct begin   11 struct end   12 the integer 0, no payload   13 bytes

A value read is an int, a float, a str (6, 7), bytes (13), a list (9), a dict from tag to value (10), or a list of pairs (8).

Sources: spec 3.x 3.1; TarsCpp servant/tup/Tars.h.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct, error
from typing import Any, Final

from fiscotool.ledger.errors import LedgerFormatError

Fields = dict[int, Any]

INT8, INT16, INT32, INT64, FLOAT, DOUBLE, STRING1, STRING4, MAP, LIST, STRUCT, STRUCT_END, ZERO, BYTES = range(14)

# Structs of the ledger nest four deep (Block, BlockHeader, BlockHeaderData, ParentInfo); more than this is an attack on the stack.
_DEPTH_MAX: Final = 16
_TAG_ESCAPE: Final = 15
_STRING1_MAX: Final = 255
_LENGTH_MAX: Final = 2**31 - 1
_INT8_END, _INT16_END, _INT32_END = 2**7, 2**15, 2**31

_HEADS: Final = tuple(
    tuple(bytes((tag << 4 | kind,)) if tag < _TAG_ESCAPE else bytes((0xF0 | kind, tag)) for tag in range(256)) for kind in range(14)
)
_ZERO_HEADS, _STRING1_HEADS, _LIST_HEADS, _STRUCT_HEADS = _HEADS[ZERO], _HEADS[STRING1], _HEADS[LIST], _HEADS[STRUCT]
_BYTES_HEADS: Final = tuple(head + b"\x00" for head in _HEADS[BYTES])
_ONE_BYTE: Final = tuple(bytes((value,)) for value in range(256))
_END: Final = bytes((STRUCT_END,))

_pack16, _pack32, _pack64 = Struct(">h").pack, Struct(">i").pack, Struct(">q").pack
_unpack16, _unpack32, _unpack64 = Struct(">h").unpack_from, Struct(">i").unpack_from, Struct(">q").unpack_from
_unpack_length4 = Struct(">I").unpack_from
_unpack_float, _unpack_double = Struct(">f").unpack_from, Struct(">d").unpack_from


def integer(tag: int, value: int) -> bytes:
    """An integer field in the smallest type that holds `value`, written also when it is 0."""
    if value == 0:
        return _ZERO_HEADS[tag]
    if -_INT8_END <= value < _INT8_END:
        return _HEADS[INT8][tag] + _ONE_BYTE[value & 0xFF]
    if -_INT16_END <= value < _INT16_END:
        return _HEADS[INT16][tag] + _pack16(value)
    if -_INT32_END <= value < _INT32_END:
        return _HEADS[INT32][tag] + _pack32(value)
    return _HEADS[INT64][tag] + _pack64(value)


def put_int(tag: int, value: int) -> bytes:
    """An optional integer field: nothing for 0."""
    return integer(tag, value) if value else b""


def put_text(tag: int, text: str) -> bytes:
    """An optional text field in UTF-8: nothing for the empty text."""
    return string(tag, text) if text else b""


def string(tag: int, text: str) -> bytes:
    """A text field, written also when it is empty."""
    data = text.encode()
    length = len(data)
    if length <= _STRING1_MAX:
        return _STRING1_HEADS[tag] + _ONE_BYTE[length] + data
    return _HEADS[STRING4][tag] + length.to_bytes(4, "big") + data


def put_bytes(tag: int, data: bytes) -> bytes:
    """An optional bytes field: nothing for no bytes."""
    return simple_list(tag, data) if data else b""


def simple_list(tag: int, data: bytes) -> bytes:
    """A bytes field, written also when it is empty."""
    return _BYTES_HEADS[tag] + integer(0, len(data)) + data


def struct(tag: int, fields: bytes) -> bytes:
    """A nested struct around already written fields; always written, also when all its fields were left out."""
    return _STRUCT_HEADS[tag] + fields + _END


def put_list(tag: int, elements: Iterable[bytes]) -> bytes:
    """An optional list of already written elements, each a field with tag 0: nothing for an empty list."""
    written = list(elements)
    return _LIST_HEADS[tag] + integer(0, len(written)) + b"".join(written) if written else b""


def _malformed(fact: str) -> LedgerFormatError:
    return LedgerFormatError(f"malformed Tars bytes: {fact}")


def read(raw: bytes, *, raw_lists: frozenset[int] = frozenset()) -> Fields:
    """The fields of a top-level object by tag. Raises LedgerFormatError and nothing else.

    A list of structs whose tag is in `raw_lists` gives the bytes of each struct, without its marks, instead of its fields: a block's
    transactions keep the very bytes they came in.
    """
    try:
        fields, _ = _read_fields(bytes(raw), 0, 0, raw_lists)
    except (IndexError, error) as problem:
        raise _malformed("they end in the middle of a field") from problem
    except UnicodeDecodeError as problem:
        raise _malformed("a text is not UTF-8") from problem
    return fields


def _read_length(raw: bytes, position: int) -> tuple[int, int]:
    head = raw[position]
    if head == INT8:
        length, position = raw[position + 1], position + 2
        if length >= _INT8_END:
            raise _malformed("a negative length")
        return length, position
    if head == ZERO:
        return 0, position + 1
    if head == INT16:
        (length,), position = _unpack16(raw, position + 1), position + 3
    elif head == INT32:
        (length,), position = _unpack32(raw, position + 1), position + 5
    elif head == INT64:
        (length,), position = _unpack64(raw, position + 1), position + 9
    else:
        raise _malformed("a length is not an integer field with tag 0")
    if not 0 <= length <= _LENGTH_MAX:
        raise _malformed(f"a length of {length}")
    return length, position


def _read_fields(raw: bytes, position: int, depth: int, raw_lists: frozenset[int] = frozenset()) -> tuple[Fields, int]:
    """Fields from `position` to the end of the struct (`depth` > 0) or of the input. The heart of the reader, so it is flat and long."""
    end = len(raw)
    fields: Fields = {}
    tag_before = -1
    while position < end:
        head = raw[position]
        position += 1
        kind, tag = head & 15, head >> 4
        if tag == _TAG_ESCAPE:
            tag = raw[position]
            position += 1
        if kind == STRUCT_END:
            if not depth:
                raise _malformed("a struct ends that never began")
            return fields, position
        if tag <= tag_before:
            raise _malformed(f"tag {tag} comes after tag {tag_before}")
        tag_before = tag
        if kind == STRING1:
            stop = position + 1 + raw[position]
            fields[tag] = raw[position + 1 : stop].decode()
            position = stop
        elif kind == BYTES:
            if raw[position]:
                raise _malformed("a simple list of something else than bytes")
            length, position = _read_length(raw, position + 1)
            fields[tag] = raw[position : position + length]
            position += length
        elif kind == LIST and tag in raw_lists:
            fields[tag], position = _read_raw_list(raw, position, depth + 1)
        else:
            fields[tag], position = _read_value(raw, position, kind, depth)
        if position > end:  # Slices past the end are short, not errors; this is where they are noticed.
            raise _malformed("they end in the middle of a field")
    if depth:
        raise _malformed("they end in the middle of a struct")
    return fields, position


def _read_value(raw: bytes, position: int, kind: int, depth: int) -> tuple[Any, int]:
    if kind == ZERO:
        return 0, position
    if kind == INT8:
        value = raw[position]
        return (value - 256 if value >= _INT8_END else value), position + 1
    if kind == INT16:
        return _unpack16(raw, position)[0], position + 2
    if kind == INT32:
        return _unpack32(raw, position)[0], position + 4
    if kind == INT64:
        return _unpack64(raw, position)[0], position + 8
    if kind == STRING1:
        stop = position + 1 + raw[position]
        return raw[position + 1 : stop].decode(), stop
    if kind == STRING4:
        stop = position + 4 + _unpack_length4(raw, position)[0]
        return raw[position + 4 : stop].decode(), stop
    if kind == BYTES:
        if raw[position]:
            raise _malformed("a simple list of something else than bytes")
        length, position = _read_length(raw, position + 1)
        return raw[position : position + length], position + length
    if kind == FLOAT:
        return _unpack_float(raw, position)[0], position + 4
    if kind == DOUBLE:
        return _unpack_double(raw, position)[0], position + 8
    if depth >= _DEPTH_MAX:
        raise _malformed(f"nested deeper than {_DEPTH_MAX}")
    if kind == STRUCT:
        return _read_fields(raw, position, depth + 1)
    if kind == LIST:
        return _read_list(raw, position, depth + 1)
    if kind == MAP:
        return _read_map(raw, position, depth + 1)
    raise _malformed(f"type {kind} does not exist")


def _read_element(raw: bytes, position: int, tag: int, depth: int) -> tuple[Any, int]:
    head = raw[position]
    if head >> 4 != tag:
        raise _malformed(f"an element of a list or map has tag {head >> 4}")
    value, position = _read_value(raw, position + 1, head & 15, depth)
    if position > len(raw):
        raise _malformed("they end in the middle of a list")
    return value, position


def _read_list(raw: bytes, position: int, depth: int) -> tuple[list[Any], int]:
    length, position = _read_length(raw, position)
    values = []
    for _ in range(length):  # Every element takes at least one byte, so this ends with the input whatever the length says.
        value, position = _read_element(raw, position, 0, depth)
        values.append(value)
    return values, position


def _read_raw_list(raw: bytes, position: int, depth: int) -> tuple[list[bytes], int]:
    length, position = _read_length(raw, position)
    structs = []
    for _ in range(length):
        if raw[position] != STRUCT:
            raise _malformed("a list of structs has another element")
        begin = position + 1
        _, position = _read_fields(raw, begin, depth)
        structs.append(raw[begin : position - 1])
    return structs, position


def _read_map(raw: bytes, position: int, depth: int) -> tuple[list[tuple[Any, Any]], int]:
    length, position = _read_length(raw, position)
    pairs = []
    for _ in range(length):
        key, position = _read_element(raw, position, 0, depth)
        value, position = _read_element(raw, position, 1, depth)
        pairs.append((key, value))
    return pairs, position
