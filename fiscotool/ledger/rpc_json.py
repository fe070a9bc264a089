"""Typed access to members of RPC objects: what is missing or of another type is a LedgerFormatError that names the member."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from fiscotool.ledger.errors import LedgerFormatError

_HEX_QUANTITY: Final = re.compile(r"0x[0-9a-fA-F]{1,64}")


def _member(obj: dict[str, Any], name: str) -> Any:
    if not isinstance(obj, dict):
        raise LedgerFormatError(f"expected a JSON object with the member {name!r}, got {type(obj).__name__}")
    if name not in obj:
        raise LedgerFormatError(f"the RPC object has no member {name!r}")
    return obj[name]


def as_integer(value: Any, name: str, bits: int = 64) -> int:
    """A JSON integer of at most `bits` bits, signed."""
    if type(value) is not int or not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
        raise LedgerFormatError(f"{name!r} is not an integer of {bits} bits: {value!r}"[:200])
    return value


def integer(obj: dict[str, Any], name: str, bits: int = 64) -> int:
    """Member `name` as an integer."""
    return as_integer(_member(obj, name), name, bits)


def text(obj: dict[str, Any], name: str, default: str | None = None) -> str:
    """Member `name` as a text that can be encoded in UTF-8; `default` when it is absent and a default is given."""
    if default is not None and isinstance(obj, dict) and name not in obj:
        return default
    value = _member(obj, name)
    if type(value) is not str:
        raise LedgerFormatError(f"{name!r} is {type(value).__name__}, not a text")
    try:
        value.encode()
    except UnicodeEncodeError as problem:
        raise LedgerFormatError(f"{name!r} is not proper Unicode text") from problem
    return value


def hex_bytes(value: Any, name: str) -> bytes:
    """A hex text, with or without 0x, as bytes."""
    if type(value) is not str:
        raise LedgerFormatError(f"{name!r} is {type(value).__name__}, not a hex text")
    try:
        return bytes.fromhex(value.removeprefix("0x"))
    except ValueError as problem:
        raise LedgerFormatError(f"{name!r} is not a hex text: {value[:80]!r}") from problem


def data(obj: dict[str, Any], name: str, length_bytes: int | None = None) -> bytes:
    """Member `name`, a hex text, as bytes; of exactly `length_bytes` if that is given."""
    found = hex_bytes(_member(obj, name), name)
    if length_bytes is not None and len(found) != length_bytes:
        raise LedgerFormatError(f"{name!r} has {len(found)} bytes, not {length_bytes}")
    return found


def as_quantity(value: Any, name: str, bits: int = 256) -> int:
    """An unsigned number as 2.x tells it, hex with 0x, or a JSON integer; of at most `bits` bits."""
    if type(value) is str and _HEX_QUANTITY.fullmatch(value):
        value = int(value, 16)
    if type(value) is not int or value < 0 or value >> bits:
        raise LedgerFormatError(f"{name!r} is not a number of {bits} bits: {value!r}"[:200])
    return value


def quantity(obj: dict[str, Any], name: str, bits: int = 256) -> int:
    """Member `name` as an unsigned number."""
    return as_quantity(_member(obj, name), name, bits)


def array(obj: dict[str, Any], name: str) -> list[Any]:
    """Member `name` as a list; null counts as empty, as nodes written in C++ answer it."""
    value = _member(obj, name)
    if value is None:
        return []
    if type(value) is not list:
        raise LedgerFormatError(f"{name!r} is {type(value).__name__}, not a list")
    return value


@lru_cache(maxsize=256)
def _bytes_of_texts(texts: tuple[str, ...], name: str) -> tuple[bytes, ...]:
    return tuple(hex_bytes(text, name) for text in texts)


def node_ids(obj: dict[str, Any], name: str) -> tuple[bytes, ...]:
    """Member `name`, a list of hex texts, as bytes. Block after block has the same sealers: they are read once."""
    texts = tuple(array(obj, name))
    try:
        return _bytes_of_texts(texts, name)
    except TypeError:
        return tuple(hex_bytes(text, name) for text in texts)


def objects(obj: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Member `name` as a list of objects."""
    values = array(obj, name)
    if not all(isinstance(value, dict) for value in values):
        raise LedgerFormatError(f"{name!r} has an element that is not an object")
    return values
