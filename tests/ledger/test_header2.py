"""Headers of 2.x: every recorded one hashes to its own hash and is signed by a quorum; any changed bit is noticed."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.ledger.header2 import (
    BlockHeader2,
    decode_header2,
    encode_header2,
    hash_header2,
    header2_from_rpc,
    header2_to_rpc,
    with_signatures2,
)
from fiscotool.ledger.signatures import quorum_weight_of, signed_weight, verify_signature_list
from tests.ledger.samples import KEY, flip_field, has_bits
from tests.ledger.samples2 import headers, recorded_blocks2, recorded_headers2


def test_every_recorded_header_hashes_to_its_own_hash_and_comes_back() -> None:
    for shown in recorded_headers2():
        header = header2_from_rpc(shown)
        block_hash = hash_header2(header)
        assert f"0x{block_hash.hex()}" == shown["hash"], f"block {shown['number']}"
        assert header2_to_rpc(header, block_hash) == shown
        assert decode_header2(encode_header2(header)) == dataclasses.replace(header, signatures=())
    assert len(recorded_headers2()) == 3364


def test_every_recorded_signature_is_its_sealers_and_they_are_a_quorum() -> None:
    count = 0
    for shown in recorded_headers2():
        header, block_hash = header2_from_rpc(shown), bytes.fromhex(shown["hash"][2:])
        valid = verify_signature_list(header, block_hash)
        assert all(is_valid for _, is_valid in valid), f"block {shown['number']}"
        if header.number:
            assert signed_weight(header, block_hash) >= quorum_weight_of(header) == 3
        count += len(valid)
    assert count == 10_083


def test_every_whole_block_has_the_header_it_hashes_to() -> None:
    for shown in recorded_blocks2():
        header = header2_from_rpc(shown)
        told = {name: value for name, value in shown.items() if name not in ("transactions", "receipts")}
        assert header2_to_rpc(header, hash_header2(header), in_block=True) == told


def test_parents_are_the_hashes_below_from_the_genesis_block_on() -> None:
    by_number = {shown["number"]: header2_from_rpc(shown) for shown in recorded_headers2()}
    for number, header in by_number.items():
        assert header.parents == (((number - 1, hash_header2(by_number[number - 1])),) if number else ())


@given(header=headers)
def test_bytes_and_objects_come_back(header: BlockHeader2) -> None:
    assert decode_header2(encode_header2(header)) == header
    for in_block in (False, True):
        assert header2_from_rpc(header2_to_rpc(header, hash_header2(header), in_block=in_block)) == header


FULL = BlockHeader2(
    parent_hash=b"\x01" * 32,
    state_root=b"\x02" * 32,
    txs_root=b"\x03" * 32,
    receipts_root=b"\x04" * 32,
    db_hash=b"\x05" * 32,
    logs_bloom=b"\x06" * 256,
    number=0x107,
    gas_limit=0x5F5E100,
    gas_used=0x5208,
    timestamp_ms=1_795_236_785_524,
    extra_data=(b"one", b"two"),
    sealer=2,
    sealer_list=(b"\x05" * 64, b"\x06" * 64, b"\x07" * 64, b"\x08" * 64),
    signatures=((0, b"\x09" * 65),),
)
_FIELDS = [field.name for field in dataclasses.fields(BlockHeader2) if field.name != "signatures"]


@pytest.mark.parametrize("name", _FIELDS)
@given(data=st.data())
@settings(max_examples=30)
def test_a_flipped_bit_in_any_hashed_field_is_noticed(name: str, data: st.DataObject) -> None:
    assert has_bits(getattr(FULL, name))
    changed = flip_field(FULL, name, data.draw)
    assert hash_header2(changed) != hash_header2(FULL)
    assert decode_header2(encode_header2(changed)) == dataclasses.replace(changed, signatures=())


def test_a_flipped_bit_in_a_told_header_or_its_signatures_is_noticed() -> None:
    """On a real block: each hex digit of each member, one at a time."""
    shown = recorded_headers2()[800]
    for name in set(shown) - {"signatureList", "number", "extraData", "sealerList", "hash"}:
        text = shown[name]
        place = len(text) - 1
        changed = shown | {name: text[:place] + format(int(text[place], 16) ^ 1, "x")}
        assert f"0x{hash_header2(header2_from_rpc(changed)).hex()}" != shown["hash"], name
    header = header2_from_rpc(shown)
    for index, (signer, signature) in enumerate(header.signatures):
        broken = bytes((signature[0] ^ 1,)) + signature[1:]
        entries = (*header.signatures[:index], (signer, broken), *header.signatures[index + 1 :])
        verdicts = verify_signature_list(with_signatures2(header, entries), hash_header2(header))
        assert [is_valid for _, is_valid in verdicts].count(False) == 1
        assert signed_weight(with_signatures2(header, entries), hash_header2(header)) == 2


def test_signatures_are_not_hashed_and_count_once_a_signer() -> None:
    assert hash_header2(with_signatures2(FULL, ())) == hash_header2(FULL)
    header = dataclasses.replace(FULL, sealer_list=(KEY.node_id, *FULL.sealer_list[1:]))
    block_hash = hash_header2(header)
    good = KEY.sign(block_hash)
    signed = with_signatures2(header, ((0, good), (0, good), (1, good), (4, good)))
    assert verify_signature_list(signed, block_hash) == ((0, True), (0, True), (1, False), (4, False))
    assert signed_weight(signed, block_hash) == 1
    assert quorum_weight_of(signed) == 3


_SHOWN = header2_to_rpc(FULL, hash_header2(FULL))


@pytest.mark.parametrize("name", [name for name in _SHOWN if name != "hash"])
@pytest.mark.parametrize(
    "value", [None, "text", 1.5, [], {}, True, -1, "0x", "0xzz", "-0x1", [1.5], ["x"], [None], "\ud800", 2**300], ids=repr
)
def test_a_member_of_another_type_is_a_format_error_or_a_header(name: str, value: Any) -> None:
    try:
        header = header2_from_rpc(_SHOWN | {name: value})
    except LedgerFormatError:
        return
    hash_header2(header)


@pytest.mark.parametrize("name", [name for name in _SHOWN if name not in ("hash", "signatureList")])
def test_a_missing_member_is_named(name: str) -> None:
    with pytest.raises(LedgerFormatError, match=f"'{name}'"):
        header2_from_rpc({other: value for other, value in _SHOWN.items() if other != name})


@given(raw=st.binary(max_size=900))
def test_garbage_is_a_format_error(raw: bytes) -> None:
    try:
        decode_header2(raw)
    except LedgerFormatError:
        return


@given(header=headers, data=st.data())
def test_a_cut_or_changed_encoding_is_a_format_error_or_another_header(header: BlockHeader2, data: st.DataObject) -> None:
    raw = encode_header2(header)
    place = data.draw(st.integers(0, len(raw) - 1))
    for other in (raw[:place], raw[:place] + bytes((raw[place] ^ data.draw(st.integers(1, 255)),)) + raw[place + 1 :]):
        try:
            assert encode_header2(decode_header2(other)) == other
        except LedgerFormatError:
            continue
