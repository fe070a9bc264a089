"""Typed access to decoded Tars fields: a value of another type than the schema's is a LedgerFormatError naming struct and field."""

from __future__ import annotations

from typing import Any, Final

from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.ledger.tars import Fields

_INT8: Final = range(-0x80, 0x80)


def _wrong(what: str, value: object, wanted: str) -> LedgerFormatError:
    return LedgerFormatError(f"{what} is {type(value).__name__}, not {wanted}")


def int_of(fields: Fields, tag: int, what: str, bits: int = 64) -> int:
    """A signed integer that fits in `bits`; 0 when left out."""
    value = fields.get(tag, 0)
    if type(value) is not int:
        raise _wrong(what, value, "an integer")
    if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
        raise LedgerFormatError(f"{what} is {value}, more than {bits} bits")
    return value


def text_of(fields: Fields, tag: int, what: str) -> str:
    """A text; empty when left out."""
    value = fields.get(tag, "")
    if type(value) is not str:
        raise _wrong(what, value, "a text")
    return value


def bytes_of(fields: Fields, tag: int, what: str) -> bytes:
    """Bytes; empty when left out. Also takes a list of int8, the other encoding Tars readers accept for them."""
    return as_bytes(fields.get(tag, b""), what)


def as_bytes(value: Any, what: str) -> bytes:
    """`value` as bytes, see bytes_of."""
    if type(value) is bytes:
        return value
    if type(value) is list and all(type(item) is int and item in _INT8 for item in value):
        return bytes(item & 0xFF for item in value)
    raise _wrong(what, value, "bytes")


def list_of(fields: Fields, tag: int, what: str) -> list[Any]:
    """A list of values of any type; empty when left out."""
    value = fields.get(tag, [])
    if type(value) is not list:
        raise _wrong(what, value, "a list")
    return value


def struct_of(fields: Fields, tag: int, what: str) -> Fields:
    """A nested struct; without fields when left out."""
    return as_struct(fields.get(tag, {}), what)


def as_struct(value: Any, what: str) -> Fields:
    """`value` as the fields of a struct."""
    if type(value) is not dict:
        raise _wrong(what, value, "a struct")
    return value
