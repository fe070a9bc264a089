"""Receipts: the published vector, every recorded receipt, round trips, and changed bits."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.ledger.merkle import merkle_root
from fiscotool.ledger.receipt3 import LogEntry, Receipt, decode_receipt, encode_receipt, hash_receipt, receipt_from_rpc
from fiscotool.ledger.rpc_objects import receipt_to_rpc, transaction_from_rpc
from fiscotool.ledger.tars import put_text, struct
from tests.ledger.samples import flip_field, has_bits, lines, receipts, recorded_blocks

# Spec 3.x 3.2, 3.3: the receipt of the published transaction vector.
VECTOR = Receipt(
    version=0,
    gas_used="19413",
    contract_address="",
    status=0,
    output=bytes(31) + b"\x01",
    logs=(
        LogEntry(
            "6849f21d1e455e9f0712b1e99fa4fcd23758e8f1",
            (bytes.fromhex("c57b01fa77f41df77eaab79a0e2623fab2e7ae3e9530d9b1cab225ad65f2b7ce"),),
            bytes(31) + b"\x01",
        ),
    ),
    block_number=2,
)
VECTOR_HASH = "b59cfe6ef607b72a6bab515042e0882213d179bd421afba353e2259b2a6396e4"


def test_published_vector() -> None:
    assert hash_receipt(VECTOR).hex() == VECTOR_HASH
    assert hash_receipt(decode_receipt(encode_receipt(VECTOR, bytes.fromhex(VECTOR_HASH)))).hex() == VECTOR_HASH


def test_every_recorded_receipt_hashes_to_what_the_node_said() -> None:
    seen = failed = 0
    for block in recorded_blocks():
        txs = {shown["hash"]: shown for shown in block["transactions"]}
        for shown in block["receipts"]:
            receipt = receipt_from_rpc(shown)
            assert f"0x{hash_receipt(receipt).hex()}" == shown["hash"]
            tx = transaction_from_rpc(txs[shown["transactionHash"]])
            back = receipt_to_rpc(receipt, hash_receipt(receipt), tx, tx.data_hash, tx.sender)
            assert back | {"transactionProof": None} == shown
            seen, failed = seen + 1, failed + (shown["status"] != 0)
    assert (seen, failed) == (212, 3)


def test_receipts_root_of_recorded_blocks() -> None:
    complete = [block for block in recorded_blocks() if block["transactions"] and len(block["receipts"]) == len(block["transactions"])]
    assert complete
    for block in complete:
        assert f"0x{merkle_root([hash_receipt(receipt_from_rpc(one)) for one in block['receipts']]).hex()}" == block["receiptsRoot"]


@pytest.mark.parametrize("name", ["idle_with_txs", "kill9_leader_txs", "expand_node4_observer_sealer_remove_txs"])
def test_receipts_answered_to_recorded_transactions(name: str) -> None:
    """SendTransaction answers hash "0x" when the status is not 0, so only successes can be compared."""
    told = [(line["response"] or {}).get("result") for line in lines("timeline", f"{name}.txs.jsonl.xz")]
    good = [receipt for receipt in told if receipt and receipt["status"] == 0]
    assert len(good) > 20
    for shown in good:
        assert f"0x{hash_receipt(receipt_from_rpc(shown)).hex()}" == shown["hash"]


@given(receipt=receipts)
def test_bytes_come_back(receipt: Receipt) -> None:
    assert decode_receipt(encode_receipt(receipt)) == receipt


_FULL = dataclasses.replace(VECTOR, version=1, contract_address="ab" * 20, status=16, effective_gas_price="0x1")
_NOT_HASHED = {"message": "x", "cumulative_gas_used": "1", "logs_bloom": b"\x01", "transaction_index": 1, "log_index": 1}


@given(data=st.data())
@settings(max_examples=200)
def test_a_flipped_bit_in_any_hashed_field_is_noticed(data: st.DataObject) -> None:
    names = [field.name for field in dataclasses.fields(Receipt) if field.name not in _NOT_HASHED]
    assert all(has_bits(getattr(_FULL, name)) for name in names)
    changed = flip_field(_FULL, data.draw(st.sampled_from(names)), data.draw)
    assert hash_receipt(changed) != hash_receipt(_FULL)


@pytest.mark.parametrize("name", _NOT_HASHED)
def test_what_is_not_hashed(name: str) -> None:
    changed = dataclasses.replace(_FULL, **{name: _NOT_HASHED[name]})  # type: ignore[arg-type]
    assert hash_receipt(changed) == hash_receipt(_FULL)
    assert decode_receipt(encode_receipt(changed)) == changed


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        pytest.param(b"", "without data", id="empty"),
        pytest.param(struct(1, put_text(4, "0")), "TransactionReceiptData.status is str", id="status is a text"),
        pytest.param(struct(1, put_text(6, "0")), "logEntries is str, not a list", id="logs are a text"),
    ],
)
def test_wrong_types_name_the_field(raw: bytes, says: str) -> None:
    with pytest.raises(LedgerFormatError, match=says):
        decode_receipt(raw)
