"""Transactions: published vectors, every recorded transaction, round trips, and what a pool must not believe."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiscotool.ledger.crypto import BadSignature
from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.ledger.rpc_objects import transaction_from_rpc, transaction_to_rpc
from fiscotool.ledger.tars import integer, put_bytes, put_text, struct
from fiscotool.ledger.tx3 import (
    Transaction,
    TransactionData,
    build_transaction,
    decode_transaction,
    decode_verified,
    encode_transaction,
    encode_transaction_data,
    hash_transaction_data,
    sender_of,
    sign_transaction,
    transaction_hash,
)
from tests.ledger.samples import KEY, flip_field, has_bits, lines, recorded_blocks, transactions


def _word(number: int) -> str:
    return f"{number:064x}"


# insert(string,string,string) of "test1", "test2", "test3": spec 3.x 3.2, published with the C SDK of FISCO BCOS.
VECTOR_INPUT = bytes.fromhex(
    "2fe99bdc"
    + _word(0x60)
    + _word(0xA0)
    + _word(0xE0)
    + "".join(_word(5) + text.encode().hex().ljust(64, "0") for text in ("test1", "test2", "test3"))
)
VECTOR = TransactionData(
    version=0,
    chain_id="chain0",
    group_id="group0",
    block_limit=501,
    nonce="82456994196425209985513938878262806289094428076435270713862099506789849517246",
    to="0x6849f21d1e455e9f0712b1e99fa4fcd23758e8f1",
    input=VECTOR_INPUT,
)
VECTOR_HASH = "0359a5588c5e9c9dcfd2f4ece850d6f4c41bc88e2c27cc051890f26ef0ef118f"
VECTOR_SIGNATURE = bytes.fromhex(
    "d752fbe3218d6f0d4bdcbaf45875bba4a52f9af263badabc0ef93fa31f28d79b0779728b594c1212613a38daea8bdd36670777100b159ac537dfbd83e700d20901"
)


def test_published_vector() -> None:
    tx = Transaction(VECTOR, bytes.fromhex(VECTOR_HASH), VECTOR_SIGNATURE)
    assert hash_transaction_data(VECTOR).hex() == VECTOR_HASH
    assert sender_of(tx).hex() == "3d20a4e26f41b57c2061e520c825fbfa5f321f22"
    _, tx_hash, sender = decode_verified(encode_transaction(tx))
    assert (tx_hash.hex(), sender.hex()) == (VECTOR_HASH, "3d20a4e26f41b57c2061e520c825fbfa5f321f22")


def test_the_bytes_are_those_of_the_tars_compiler() -> None:
    """Head bytes of a version 1 transaction as the node's own code writes them: defaults left out, smallest integers."""
    data = TransactionData(1, "chain0", "group0", 2133, "1314766921094472213162643961343658665731", "", b"\x60" * 0x426)
    raw = encode_transaction(Transaction(data, b"\xaa" * 32, b"\xbb" * 65))
    assert raw.hex() == (
        "1a1001"
        + ("2606" + b"chain0".hex())
        + ("3606" + b"group0".hex())
        + "410855"
        + ("5628" + data.nonce.encode().hex())
        + ("7d00010426" + "60" * 0x426)
        + "0b"
        + ("2d000020" + "aa" * 32)
        + ("3d000041" + "bb" * 65)
    )


def test_every_recorded_transaction_hashes_and_recovers_to_what_the_node_said() -> None:
    seen = 0
    for block in recorded_blocks():
        for shown in block["transactions"]:
            tx = transaction_from_rpc(shown)
            decoded, tx_hash, sender = decode_verified(encode_transaction(tx))
            assert f"0x{tx_hash.hex()}" == shown["hash"]
            assert f"0x{sender.hex()}" == shown["from"]
            assert decoded == tx
            assert transaction_to_rpc(tx, tx_hash, sender) == shown
            seen += 1
    assert seen > 13_000


@pytest.mark.parametrize("name", ["read_methods_genesis", "read_methods_with_blocks"])
def test_transactions_in_recorded_answers(name: str) -> None:
    answers = [
        line["response"]["result"]
        for line in lines("rpc", f"{name}.jsonl.xz")
        if line["api"] == "fisco" and '"getTransaction"' in line["request"] and line["response"].get("result")
    ]
    assert answers or name == "read_methods_genesis"
    for shown in answers:
        tx = transaction_from_rpc(shown)
        assert f"0x{transaction_hash(tx).hex()}" == shown["hash"]
        assert f"0x{sender_of(tx).hex()}" == shown["from"]


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(TransactionData)])
def test_each_field_alone_comes_back(name: str) -> None:
    """Fields left out for being empty must be left out one by one."""
    data = dataclasses.replace(TransactionData(0, "", "", 0, "", "", b""), **{name: getattr(_FULL, name)})
    assert decode_transaction(encode_transaction(Transaction(data))).data == data


@given(tx=transactions)
def test_bytes_come_back(tx: Transaction) -> None:
    assert decode_transaction(encode_transaction(tx)) == tx


_FULL = TransactionData(2, "chain0", "group0", 900, "17", "0x" + "ab" * 20, b"input", "[abi]", "0x1", "0x2", 3, "0x4", "0x5", b"more")
_HASHED = {0: 8, 1: 13, 2: 14}  # How many fields of TransactionData the hash covers, by version.


@given(data=st.data())
@settings(max_examples=300)
def test_a_flipped_bit_in_any_hashed_field_is_noticed(data: st.DataObject) -> None:
    """Also by the pool's entry: the transaction then belongs to nobody or to somebody else, under another hash."""
    version = data.draw(st.sampled_from([0, 1, 2]))
    original = dataclasses.replace(_FULL, version=version)
    names = [field.name for field in dataclasses.fields(TransactionData)][1 : _HASHED[version]]
    changed = flip_field(original, data.draw(st.sampled_from(names)), data.draw)
    assert hash_transaction_data(changed) != hash_transaction_data(original)
    signature = KEY.sign(hash_transaction_data(original))
    try:
        _, _, sender = decode_verified(encode_transaction(Transaction(changed, b"", signature)))
    except BadSignature:
        return
    assert sender != KEY.address


def test_the_version_is_hashed_too() -> None:
    assert len({hash_transaction_data(dataclasses.replace(_FULL, version=version)) for version in (0, 1, 2, 3)}) == 4


def test_what_is_not_hashed() -> None:
    """Spec 3.x 3.2: time, attribute, claimed sender and extra data belong to the envelope."""
    tx = Transaction(_FULL)
    changes: list[dict[str, Any]] = [{"import_time_ms": 5}, {"attribute": 4}, {"extra_data": "x"}, {"sender": b"x"}]
    others = [dataclasses.replace(tx, **change) for change in changes]
    assert {transaction_hash(other) for other in others} == {transaction_hash(tx)}
    plain = dataclasses.replace(_FULL, version=0)
    assert hash_transaction_data(plain) == hash_transaction_data(dataclasses.replace(plain, value="0x9", extension=b"", gas_limit=1))


def test_texts_are_hashed_without_lengths() -> None:
    """A property of the format, not of ours: characters may move between neighbouring texts and the hash stays."""
    moved = dataclasses.replace(_FULL, chain_id="chain0group", group_id="0")
    assert hash_transaction_data(moved) == hash_transaction_data(_FULL)


def test_build_transaction_signs_what_it_was_given() -> None:
    tx = build_transaction(chain_id="chain0", group_id="group0", block_limit=77, to="", input=b"\x60\x00", key=KEY, abi="[]", version=1)
    decoded, tx_hash, sender = decode_verified(encode_transaction(tx))
    assert (decoded, tx_hash, sender) == (tx, tx.data_hash, KEY.address)
    again = build_transaction(chain_id="chain0", group_id="group0", block_limit=77, to="", input=b"\x60\x00", key=KEY, abi="[]", version=1)
    assert again.data.nonce != tx.data.nonce
    assert int(tx.data.nonce) < 2**128


def test_a_wrong_data_hash_is_refused() -> None:
    tx = build_transaction(chain_id="chain0", group_id="group0", block_limit=77, to="", input=b"", key=KEY, nonce="1")
    with pytest.raises(LedgerFormatError, match="is not the hash of the transaction"):
        decode_verified(encode_transaction(dataclasses.replace(tx, data_hash=bytes(32))))


def test_a_claimed_sender_is_not_believed() -> None:
    tx = build_transaction(chain_id="chain0", group_id="group0", block_limit=77, to="", input=b"", key=KEY, nonce="1")
    _, _, sender = decode_verified(encode_transaction(dataclasses.replace(tx, sender=b"\x11" * 20)))
    assert sender == KEY.address


def test_an_unsigned_transaction_is_refused() -> None:
    with pytest.raises(BadSignature, match="65 bytes"):
        decode_verified(encode_transaction(Transaction(_FULL)))


@pytest.mark.parametrize("tx_type", [2, -1, 127])
def test_an_unknown_type_is_refused(tx_type: int) -> None:
    with pytest.raises(LedgerFormatError, match=f"type {tx_type} does not exist"):
        decode_verified(encode_transaction(Transaction(_FULL, tx_type=tx_type)))


def _with_data(fields: bytes) -> bytes:
    return struct(1, fields)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        pytest.param(b"", "without data", id="empty"),
        pytest.param(put_text(1, "text"), "Transaction.data is str, not a struct", id="data is a text"),
        pytest.param(_with_data(put_text(1, "0")), "TransactionData.version is str, not an integer", id="version is a text"),
        pytest.param(_with_data(integer(1, 2**40)), "more than 32 bits", id="version of 40 bits"),
        pytest.param(_with_data(integer(2, 1)), "TransactionData.chainID is int, not a text", id="chain id is a number"),
        pytest.param(_with_data(put_bytes(5, b"1")), "TransactionData.nonce is bytes, not a text", id="nonce is bytes"),
        pytest.param(_with_data(put_text(7, "ab")), "TransactionData.input is str, not bytes", id="input is a text"),
        pytest.param(_with_data(b"") + put_text(3, "s"), "Transaction.signature is str, not bytes", id="signature is a text"),
        pytest.param(_with_data(b"") + integer(5, 2**31), "more than 32 bits", id="attribute of 32 bits unsigned"),
        pytest.param(_with_data(b"") + integer(9, 128), "more than 8 bits", id="type of 8 bits unsigned"),
    ],
)
def test_wrong_types_name_the_field(raw: bytes, says: str) -> None:
    with pytest.raises(LedgerFormatError, match=says):
        decode_transaction(raw)


def test_other_spellings_of_the_same_bytes_are_read() -> None:
    """Explicit defaults, unknown tags and bytes as a list of int8, all of which other writers produce (spec 3.x 3.1)."""
    explicit = integer(1, 0) + b"\x26\x00" + bytes.fromhex("79000300010c00ff") + put_text(30, "from the future")
    tx = decode_transaction(struct(1, explicit) + put_text(6, "unused") + put_text(200, "later"))
    assert tx == Transaction(TransactionData(0, "", "", 0, "", "", b"\x01\x00\xff"))


@given(tx=transactions)
def test_the_data_alone_is_what_is_nested(tx: Transaction) -> None:
    assert encode_transaction(Transaction(tx.data)) == struct(1, encode_transaction_data(tx.data))


def test_flips_cover_every_field() -> None:
    """The flipping test above would pass for a field it never touches."""
    assert all(has_bits(getattr(_FULL, field.name)) for field in dataclasses.fields(TransactionData))


@pytest.mark.parametrize(
    "change", [{"version": 2**31}, {"block_limit": 2**63}, {"block_limit": -(2**63) - 1}, {"nonce": "\ud800"}, {"to": "\udfff"}], ids=str
)
def test_impossible_values_are_refused_before_signing(change: dict[str, Any]) -> None:
    with pytest.raises(LedgerFormatError, match="does not fit"):
        sign_transaction(dataclasses.replace(_FULL, **change), KEY)
