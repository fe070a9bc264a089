"""Blocks as bytes: what goes in comes out, and the transactions inside keep their very bytes."""

from __future__ import annotations

import pytest
from hypothesis import given

from fiscotool.ledger.block3 import Block, TransactionMetaData, decode_block, encode_block
from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.ledger.header3 import hash_header, header_from_rpc
from fiscotool.ledger.merkle import merkle_root
from fiscotool.ledger.rpc_objects import transaction_from_rpc
from fiscotool.ledger.tars import integer, put_list, put_text, struct
from fiscotool.ledger.tx3 import decode_verified, encode_transaction
from tests.ledger.samples import blocks, recorded_blocks


@given(block=blocks())
def test_bytes_come_back(block: Block) -> None:
    assert decode_block(encode_block(block)) == block


def test_a_recorded_block_survives_the_way_to_a_peer() -> None:
    shown = max((block for block in recorded_blocks() if len(block["transactions"]) <= 200), key=lambda block: len(block["transactions"]))
    raws = tuple(encode_transaction(transaction_from_rpc(tx)) for tx in shown["transactions"])
    block = decode_block(encode_block(Block(header_from_rpc(shown), transactions=raws)))
    assert f"0x{hash_header(block.header).hex()}" == shown["hash"]
    tx_hashes = [decode_verified(raw)[1] for raw in block.transactions]
    assert merkle_root(tx_hashes) == block.header.txs_root


def test_unknown_fields_of_inner_transactions_survive() -> None:
    """A newer node may add fields; a block passed on must not lose them."""
    shown = recorded_blocks()[1]
    raw = encode_transaction(transaction_from_rpc(shown["transactions"][0])) + put_text(60, "from the future")
    block = decode_block(encode_block(Block(header_from_rpc(shown), transactions=(raw,))))
    assert block.transactions == (raw,)


def test_a_proposal_carries_metadata() -> None:
    metadata = (TransactionMetaData(b"\x01" * 32, "0x" + "22" * 20, "", 4), TransactionMetaData(b"\x02" * 32))
    proposal = Block(header_from_rpc(recorded_blocks()[1]), metadata)
    assert decode_block(encode_block(proposal)).metadata == metadata


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        pytest.param(b"", "BlockHeader without data", id="nothing"),
        pytest.param(struct(3, b""), "BlockHeader without data", id="header without data"),
        pytest.param(struct(3, struct(1, b"")) + put_text(4, "x"), "Block.transactions is str", id="transactions are a text"),
        pytest.param(struct(3, struct(1, b"")) + put_list(6, [integer(0, 1)]), "TransactionMetaData is int", id="metadata is a number"),
    ],
)
def test_what_is_refused(raw: bytes, says: str) -> None:
    with pytest.raises(LedgerFormatError, match=says):
        decode_block(raw)
