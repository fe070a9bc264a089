"""Receipts and roots of 2.x: the roots of every recorded block are made of its transactions and receipts."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiscotool.ledger.crypto import keccak256
from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.ledger.merkle2 import EMPTY_ROOT2, merkle_root2
from fiscotool.ledger.receipt2 import LogEntry2, Receipt2, decode_receipt2, encode_receipt2, hash_receipt2, receipt2_from_rpc
from tests.ledger.samples import flip_field, has_bits
from tests.ledger.samples2 import receipts, recorded_blocks2


def test_the_roots_of_every_recorded_block_are_those_of_its_transactions_and_receipts() -> None:
    largest = with_receipts = 0
    for block in recorded_blocks2():
        if block["number"] == "0x0":
            continue
        hashes = [bytes.fromhex(tx["hash"][2:]) for tx in block["transactions"]]
        assert merkle_root2(hashes).hex() == block["transactionsRoot"][2:], block["number"]
        largest = max(largest, len(hashes))
        if len(block["receipts"]) == len(hashes):
            with_receipts += 1
            told = [hash_receipt2(receipt2_from_rpc(receipt)) for receipt in block["receipts"]]
            assert merkle_root2(told).hex() == block["receiptsRoot"][2:], block["number"]
    assert largest == 18, "two levels of sixteen"
    assert with_receipts == 86


def test_the_root_has_another_form_for_none_one_and_many() -> None:
    leaves = [keccak256(number.to_bytes(2, "big")) for number in range(300)]
    assert merkle_root2([]) == EMPTY_ROOT2 == keccak256(b"")
    assert merkle_root2(leaves[:1]) == keccak256(b"\x80" + leaves[0])
    assert merkle_root2(leaves[:2]) == keccak256(keccak256(b"\x80" + leaves[0] + b"\x01" + leaves[1]))
    roots = [merkle_root2(leaves[:count]) for count in range(300)]
    assert len(set(roots)) == 300
    assert merkle_root2([leaves[1], leaves[0]]) != roots[2], "order counts"


FULL = Receipt2(b"\x01" * 32, 0x5318, b"\x02" * 20, b"\x03" * 256, 0x1A, b"output", (LogEntry2(b"\x04" * 20, (b"\x05" * 32,), b"data"),), 7)


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Receipt2)])
@given(data=st.data())
@settings(max_examples=25)
def test_a_flipped_bit_in_any_field_is_noticed(name: str, data: st.DataObject) -> None:
    assert has_bits(getattr(FULL, name))
    assert hash_receipt2(flip_field(FULL, name, data.draw)) != hash_receipt2(FULL)


def test_remaining_gas_is_hashed_only_where_there_is_any() -> None:
    assert hash_receipt2(dataclasses.replace(FULL, remain_gas=None)) != hash_receipt2(dataclasses.replace(FULL, remain_gas=0))


@given(receipt=receipts)
def test_bytes_come_back(receipt: Receipt2) -> None:
    assert decode_receipt2(encode_receipt2(receipt)) == receipt


@given(raw=st.binary(max_size=400))
def test_garbage_is_a_format_error(raw: bytes) -> None:
    try:
        decode_receipt2(raw)
    except LedgerFormatError:
        return


def test_another_shape_is_a_format_error() -> None:
    shown = next(receipt for block in recorded_blocks2() for receipt in block["receipts"])
    for name in ("root", "gasUsed", "contractAddress", "logsBloom", "status", "output", "logs"):
        values: list[Any] = [1.5, "0xzz", {}, [1]]
        for value in values:
            with pytest.raises(LedgerFormatError):
                receipt2_from_rpc(shown | {name: value})
