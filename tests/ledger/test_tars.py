"""Tars primitives: published rules as bytes, round trips, and nothing but LedgerFormatError for anything else."""

from __future__ import annotations

import struct as python_struct
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fiscotool.ledger import tars
from fiscotool.ledger.errors import LedgerFormatError
from tests.ledger.samples import blobs, int64s, texts


# Spec 3.x 3.1; the head is tag << 4 | type.
@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        pytest.param(tars.integer(1, 0), "1c", id="zero has a type of its own and no payload"),
        pytest.param(tars.integer(1, 1), "1001", id="int8"),
        pytest.param(tars.integer(1, -128), "1080", id="smallest int8"),
        pytest.param(tars.integer(1, 128), "110080", id="128 needs int16"),
        pytest.param(tars.integer(1, -129), "11ff7f", id="-129 needs int16"),
        pytest.param(tars.integer(1, 32768), "1200008000", id="32768 needs int32"),
        pytest.param(tars.integer(1, 2**31), "130000000080000000", id="2**31 needs int64"),
        pytest.param(tars.integer(15, 1), "f00f01", id="tag 15 goes into a byte of its own"),
        pytest.param(tars.integer(255, 0), "fcff", id="largest tag"),
        pytest.param(tars.string(2, "ab"), "26026162", id="short text"),
        pytest.param(tars.string(2, ""), "2600", id="empty text, written on purpose"),
        pytest.param(tars.put_text(2, ""), "", id="empty text, left out"),
        pytest.param(tars.put_int(2, 0), "", id="zero, left out"),
        pytest.param(tars.put_bytes(2, b""), "", id="no bytes, left out"),
        pytest.param(tars.put_list(2, ()), "", id="no elements, left out"),
        pytest.param(tars.string(2, "a" * 256), "2700000100" + "61" * 256, id="256 characters need a 4-byte length"),
        pytest.param(tars.simple_list(3, b"xyz"), "3d00000378797a", id="bytes"),
        pytest.param(tars.simple_list(3, b""), "3d000c", id="no bytes, written on purpose"),
        pytest.param(tars.struct(1, tars.integer(2, 5)), "1a20050b", id="struct"),
        pytest.param(tars.put_list(4, [tars.integer(0, 1), tars.integer(0, 0)]), "49000200010c", id="list"),
    ],
)
def test_what_is_written(written: bytes, wanted: str) -> None:
    assert written.hex() == wanted


@given(value=int64s)
@example(0)
@example(-(2**63))
@example(2**63 - 1)
def test_integers_come_back(value: int) -> None:
    assert tars.read(tars.integer(3, value)) == {3: value}


@given(text=texts, data=blobs, numbers=st.lists(int64s, max_size=20))
def test_fields_come_back(text: str, data: bytes, numbers: list[int]) -> None:
    inner = tars.string(0, text) + tars.simple_list(1, data) + tars.put_list(20, (tars.integer(0, number) for number in numbers))
    expected: dict[int, Any] = {0: text, 1: data}
    if numbers:
        expected[20] = numbers
    assert tars.read(tars.struct(7, inner)) == {7: expected}


def test_floats_and_maps_of_unknown_fields_are_skipped() -> None:
    single, double = bytes((0x04,)) + python_struct.pack(">f", 0.5), bytes((0x15,)) + python_struct.pack(">d", 0.25)
    pairs = bytes((0x28,)) + tars.integer(0, 1) + tars.string(0, "key") + tars.integer(1, 9)
    assert tars.read(single + double + pairs + tars.integer(3, 4)) == {0: 0.5, 1: 0.25, 2: [("key", 9)], 3: 4}


# Each of these would hang, exhaust memory or give two meanings if it were believed.
@pytest.mark.parametrize(
    "hexed",
    [
        pytest.param("1a", id="struct without end"),
        pytest.param("0b", id="end without struct"),
        pytest.param("1b", id="end with a tag, still no struct"),
        pytest.param("10011001", id="same tag twice"),
        pytest.param("20011001", id="tags descend"),
        pytest.param("10", id="int8 without payload"),
        pytest.param("1100", id="half an int16"),
        pytest.param("13000000", id="half an int64"),
        pytest.param("f0", id="escaped tag missing"),
        pytest.param("16", id="text without length"),
        pytest.param("160561", id="text shorter than its length"),
        pytest.param("17ffffffff61", id="text of 4 GiB"),
        pytest.param("1602fffe", id="text that is not UTF-8"),
        pytest.param("1d0012ffffffff", id="bytes of negative length"),
        pytest.param("1d00027fffffff", id="bytes of 2 GiB that are not there"),
        pytest.param("1d00037fffffffffffffff", id="bytes of 8 EiB"),
        pytest.param("1d000080", id="bytes with a length of -128"),
        pytest.param("1d060100", id="simple list of texts"),
        pytest.param("1d00", id="bytes without length"),
        pytest.param("19027fffffff", id="list of 2 Gi elements that are not there"),
        pytest.param("1902ffffffff", id="list of -1 elements"),
        pytest.param("1900011001", id="element with a tag"),
        pytest.param("18000106016b0001", id="map value without tag 1"),
        pytest.param("1e", id="type 14"),
        pytest.param("1f", id="type 15"),
        pytest.param("0a" * 5000 + "0b" * 5000, id="5000 structs inside each other"),
        pytest.param("090001" * 5000, id="5000 lists inside each other"),
    ],
)
def test_what_is_refused(hexed: str) -> None:
    with pytest.raises(LedgerFormatError, match="malformed Tars"):
        tars.read(bytes.fromhex(hexed))


@given(raw=st.binary(max_size=200))
def test_garbage_is_fields_or_a_format_error(raw: bytes) -> None:
    try:
        fields = tars.read(raw)
    except LedgerFormatError:
        return
    assert all(0 <= tag <= 255 for tag in fields)


@given(data=st.data(), text=texts, blob=blobs)
def test_no_prefix_is_taken_for_the_whole(data: st.DataObject, text: str, blob: bytes) -> None:
    raw = tars.struct(1, tars.string(1, text) + tars.simple_list(2, blob))
    cut = data.draw(st.integers(1, len(raw) - 1))
    with pytest.raises(LedgerFormatError):
        tars.read(raw[:cut])


@given(elements=st.lists(st.tuples(int64s, texts), max_size=5))
def test_raw_lists_keep_the_bytes(elements: list[tuple[int, str]]) -> None:
    structs = [tars.put_int(1, number) + tars.put_text(2, text) for number, text in elements]
    raw = tars.put_list(4, (tars.struct(0, fields) for fields in structs))
    assert tars.read(raw, raw_lists=frozenset({4})).get(4, []) == structs


def test_a_raw_list_of_something_else_is_refused() -> None:
    with pytest.raises(LedgerFormatError, match="another element"):
        tars.read(tars.put_list(4, [tars.integer(0, 1)]), raw_lists=frozenset({4}))
