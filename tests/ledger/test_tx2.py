"""Transactions of 2.x: every recorded one has its hash and its sender; what is built, signed and sent comes back."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiscotool.ledger.crypto import BadSignature, keccak256
from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.ledger.tx2 import (
    Transaction2,
    build_transaction2,
    decode_transaction2,
    decode_verified2,
    encode_transaction2,
    sender_of2,
    sign_transaction2,
    signing_hash2,
    transaction2_from_rpc,
    transaction2_to_rpc,
    transaction_hash2,
)
from tests.ledger.samples import KEY, flip_field, has_bits
from tests.ledger.samples2 import new_transactions, recorded_blocks2, transactions

_OF_BLOCK = {"blockHash", "blockNumber", "transactionIndex"}


def recorded() -> list[dict[str, Any]]:
    return [shown for block in recorded_blocks2() for shown in block["transactions"]]


def test_every_recorded_transaction_has_its_hash_and_its_sender_and_comes_back() -> None:
    assert len(recorded()) == 290
    for shown in recorded():
        tx = transaction2_from_rpc(shown)
        assert f"0x{transaction_hash2(tx).hex()}" == shown["hash"]
        assert f"0x{sender_of2(tx).hex()}" == shown["from"]
        raw = encode_transaction2(tx)
        assert keccak256(raw).hex() == shown["hash"][2:]
        assert decode_verified2(raw) == (tx, transaction_hash2(tx), sender_of2(tx))
        assert transaction2_to_rpc(tx) == {name: value for name, value in shown.items() if name not in _OF_BLOCK}


def sample(**changes: Any) -> Transaction2:
    values: dict[str, Any] = {
        "chain_id": "1",
        "group_id": 1,
        "block_limit": 0x1F4,
        "to": "0x" + "11" * 20,
        "input": bytes.fromhex("d09de08a"),
        "key": KEY,
        "nonce": 77,
        "extra_data": b"memo",
        "value": 3,
    }
    return build_transaction2(**(values | changes))


_SIGNED = ["nonce", "block_limit", "to", "input", "chain_id", "group_id", "gas_price", "gas_limit", "value", "extra_data"]


@pytest.mark.parametrize("name", _SIGNED)
@given(data=st.data())
@settings(max_examples=25)
def test_a_flipped_bit_in_any_field_gives_another_hash_and_another_sender(name: str, data: st.DataObject) -> None:
    tx = sample()
    assert has_bits(getattr(tx, name))
    changed = flip_field(tx, name, data.draw)
    assert signing_hash2(changed) != signing_hash2(tx)
    assert transaction_hash2(changed) != transaction_hash2(tx)
    try:
        assert sender_of2(changed) != KEY.address
    except BadSignature:
        return


def test_every_field_is_flipped_by_the_test_above() -> None:
    assert {field.name for field in dataclasses.fields(Transaction2)} == {*_SIGNED, "signature"}


@given(data=st.data())
def test_a_flipped_bit_in_the_signature_is_another_sender_or_none(data: st.DataObject) -> None:
    tx = sample()
    changed = flip_field(tx, "signature", data.draw)
    try:
        assert sender_of2(changed) != KEY.address
    except BadSignature:
        return


@given(tx=transactions)
def test_bytes_come_back_in_both_forms(tx: Transaction2) -> None:
    assert decode_transaction2(encode_transaction2(tx)) == tx


@given(tx=new_transactions)
def test_objects_come_back(tx: Transaction2) -> None:
    signed = sign_transaction2(tx, KEY)
    assert transaction2_from_rpc(transaction2_to_rpc(signed)) == signed


def test_the_old_form_has_ten_fields_and_no_chain_id() -> None:
    old = sign_transaction2(dataclasses.replace(sample(), chain_id=None, group_id=None, extra_data=b""), KEY)
    decoded, tx_hash, sender = decode_verified2(encode_transaction2(old))
    assert (decoded.chain_id, sender) == (None, KEY.address)
    assert tx_hash != transaction_hash2(sample())
    assert transaction2_from_rpc(transaction2_to_rpc(old)) == old


def test_forty_zeros_are_a_deployment_or_an_address_as_the_hash_says() -> None:
    for tx in (sample(to=""), sample(to=bytes(20))):
        shown = transaction2_to_rpc(tx)
        assert shown["to"] == "0x" + "00" * 20
        assert transaction2_from_rpc(shown) == tx


def test_a_nonce_is_random_unless_given() -> None:
    first, second = sample(nonce=None), sample(nonce=None)
    assert first.nonce != second.nonce
    assert max(first.nonce, second.nonce) > 2**200


@pytest.mark.parametrize("length", [0, 1, 3])
def test_call_data_that_kills_nodes_is_not_built_by_accident(length: int) -> None:
    with pytest.raises(LedgerFormatError, match="shorter than a selector"):
        sample(input=bytes(length))
    assert sample(input=bytes(length), may_crash_nodes=True).input == bytes(length)
    assert sample(input=bytes(length), to="").to == b""


@pytest.mark.parametrize(
    "changes",
    [
        {"chain_id": "chain0"},
        {"group_id": "group0"},
        {"group_id": -1},
        {"to": "0x11"},
        {"to": "nonsense"},
        {"nonce": -1},
        {"nonce": 2**256},
        {"block_limit": -5},
        {"value": 2**256},
    ],
)
def test_what_no_transaction_can_hold_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(LedgerFormatError):
        sample(**changes)


def test_a_signature_of_another_length_is_refused_with_the_reason() -> None:
    with pytest.raises(LedgerFormatError, match="65 bytes"):
        encode_transaction2(dataclasses.replace(sample(), signature=b""))
    with pytest.raises(LedgerFormatError) as caught:
        transaction_hash2(dataclasses.replace(sample(), signature=bytes(128)))
    assert "national" in caught.value.hint


def test_a_high_s_is_refused() -> None:
    tx = sample()
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    high = (order - int.from_bytes(tx.signature[32:64], "big")).to_bytes(32, "big")
    with pytest.raises(BadSignature, match="upper half"):
        sender_of2(dataclasses.replace(tx, signature=tx.signature[:32] + high + bytes((tx.signature[64] ^ 1,))))


def test_v_is_27_or_28() -> None:
    raw = encode_transaction2(dataclasses.replace(sample(), signature=sample().signature[:64] + b"\x05"))
    with pytest.raises(LedgerFormatError, match="27 nor 28"):
        decode_transaction2(raw)


@given(raw=st.binary(max_size=400))
def test_garbage_is_a_format_error(raw: bytes) -> None:
    try:
        decode_verified2(raw)
    except (LedgerFormatError, BadSignature):
        return


@pytest.mark.parametrize("name", list(transaction2_to_rpc(sample())))
@pytest.mark.parametrize("value", [None, 1.5, [], {}, True, -1, "", "0x", "0xzz", "\ud800", 2**300], ids=repr)
def test_a_member_of_another_type_is_a_format_error_or_a_transaction(name: str, value: Any) -> None:
    try:
        tx = transaction2_from_rpc(transaction2_to_rpc(sample()) | {name: value})
    except LedgerFormatError:
        return
    transaction_hash2(tx)
