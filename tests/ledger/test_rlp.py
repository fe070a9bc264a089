"""Our RLP against the `rlp` package, on arbitrary values and on arbitrary bytes."""

from __future__ import annotations

from typing import Any

import pytest
import rlp
from hypothesis import example, given
from hypothesis import strategies as st
from rlp.exceptions import RLPException

from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.ledger.rlp_items import Item, decode_list, encode, integer_item

items: st.SearchStrategy[Any] = st.recursive(st.binary(max_size=80), lambda inner: st.lists(inner, max_size=6), max_leaves=20)


def _depth(item: Item) -> int:
    return 1 + max(map(_depth, item), default=0) if isinstance(item, list) else 0


@given(values=st.lists(items, max_size=8))
def test_writes_and_reads_what_the_package_does(values: list[Any]) -> None:
    raw = encode(values)
    assert raw == rlp.encode(values)
    if _depth(values) <= 8:
        assert decode_list(raw) == values


@given(raw=st.binary(max_size=120))
@example(b"\xc0")
@example(b"\xf8\x38" + b"\x01" * 56)
@example(b"\xc1\x81")
@example(b"\xc2\x81\x05")
@example(b"\xb8\x01a")
@example(b"\xf9\x00\x38" + b"\x01" * 56)
@example(b"\xc0\x00")
def test_accepts_what_the_package_accepts(raw: bytes) -> None:
    """A list under the strict rules of the package is a list to us, and nothing else is."""
    try:
        wanted: Any = rlp.decode(raw)
    except RLPException:
        wanted = None
    if not isinstance(wanted, list):
        with pytest.raises(LedgerFormatError, match="malformed RLP"):
            decode_list(raw)
    elif _depth(wanted) <= 8:
        assert decode_list(raw) == wanted


def test_deep_nesting_is_refused_without_recursing() -> None:
    raw = b"\xc0"
    for _ in range(50_000):
        if len(raw) > 55:
            break
        raw = bytes((0xC0 + len(raw),)) + raw
    with pytest.raises(LedgerFormatError, match="nested deeper"):
        decode_list(raw)


@given(value=st.integers(0, 2**256))
def test_integers(value: int) -> None:
    assert rlp.encode(value) == encode(integer_item(value))
