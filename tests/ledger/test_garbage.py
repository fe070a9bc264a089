"""Every decoder of the room, fed with anything: a value, LedgerFormatError or BadSignature, and soon."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiscotool.ledger.block3 import Block, decode_block, encode_block
from fiscotool.ledger.errors import BadSignature, LedgerFormatError
from fiscotool.ledger.eth import decode_ethereum, wrap_ethereum
from fiscotool.ledger.header3 import decode_header, encode_header, hash_header
from fiscotool.ledger.receipt3 import Receipt, decode_receipt, encode_receipt, hash_receipt
from fiscotool.ledger.tx3 import (
    TransactionData,
    decode_transaction,
    decode_verified,
    encode_transaction,
    hash_transaction_data,
    sign_transaction,
)
from tests.ledger.samples import KEY, blocks, headers, receipts, transactions
from tests.ledger.test_header3 import FULL

DECODERS: dict[str, Callable[[bytes], Any]] = {
    "transaction": decode_transaction,
    "verified transaction": decode_verified,
    "receipt": decode_receipt,
    "header": decode_header,
    "block": decode_block,
    "ethereum": decode_ethereum,
    "ethereum wrapped": wrap_ethereum,
}
_TX = encode_transaction(sign_transaction(TransactionData(1, "chain0", "group0", 9, "5", "", b"\x60" * 40, value="0x1"), KEY))
_RECEIPT = encode_receipt(Receipt(0, "44", "ab" * 20, 0, b"", (), 7))
GOOD = [_TX, _RECEIPT, encode_header(FULL), encode_block(Block(FULL, (), (_TX, _TX), (_RECEIPT,)))]


def _decode(decode: Callable[[bytes], Any], raw: bytes) -> Any:
    try:
        return decode(raw)
    except (LedgerFormatError, BadSignature):
        return None


@pytest.mark.parametrize("name", DECODERS)
@given(raw=st.binary(max_size=300))
@settings(max_examples=150)
def test_arbitrary_bytes(name: str, raw: bytes) -> None:
    _decode(DECODERS[name], raw)


@pytest.mark.parametrize("name", DECODERS)
@given(data=st.data())
@settings(max_examples=200)
def test_damaged_objects(name: str, data: st.DataObject) -> None:
    """Closer to the mark than random bytes: one byte changed, a piece cut out, doubled or put in the place of another."""
    raw = bytearray(data.draw(st.sampled_from(GOOD)))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(raw) - 1))
        stop = data.draw(st.integers(start, min(len(raw), start + 40)))
        match data.draw(st.sampled_from(["change", "cut", "double", "overwrite"])):
            case "change":
                raw[start] = data.draw(st.integers(0, 255))
            case "cut" if stop - start < len(raw):
                del raw[start:stop]
            case "double":
                raw[start:start] = raw[start:stop]
            case _:
                raw[start:stop] = data.draw(st.binary(max_size=8))
        if not raw:
            break
    decoded = _decode(DECODERS[name], bytes(raw))
    if decoded is None:
        return
    match name:  # What was accepted must be usable: hashing it cannot fail.
        case "transaction":
            hash_transaction_data(decoded.data)
        case "receipt":
            hash_receipt(decoded)
        case "header":
            hash_header(decoded)
        case "block":
            hash_header(decoded.header)


@given(tx=transactions, receipt=receipts, header=headers, block=blocks(), data=st.data())
@settings(max_examples=60)
def test_truncated_objects_are_refused(tx: Any, receipt: Any, header: Any, block: Any, data: st.DataObject) -> None:
    """A cut inside the first struct. Cuts between top-level fields cannot be told from defaults left out; hashes catch those."""
    encoded = {
        decode_transaction: encode_transaction(tx),
        decode_receipt: encode_receipt(receipt),
        decode_header: encode_header(header),
        decode_block: encode_block(block),
    }
    for decode, raw in encoded.items():
        cut = data.draw(st.integers(0, len(raw) - 1))
        result = _decode(decode, raw[:cut])
        assert result is None or result != decode(raw)


def test_a_megabyte_of_hostile_bytes_is_refused_quickly() -> None:
    """Lists in lists, zeros in a list, and a text of a megabyte: linear, so far below a second each."""
    hostile = [b"\x0a" * 2**20, b"\x09\x00\x01" * 2**18, b"\x19\x02" + (2**20).to_bytes(4, "big") + b"\x0c" * 2**20, b"\xff" * 2**20]
    began_s = time.perf_counter()
    for raw in hostile:
        for decode in DECODERS.values():
            assert _decode(decode, raw) is None
    assert time.perf_counter() - began_s < 30
