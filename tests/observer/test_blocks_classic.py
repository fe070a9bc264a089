"""Blocks of the published protocol in a recording: signatures over the proposal count, and the chain is known by its blocks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fiscotool.ledger.crypto import KeyPair
from fiscotool.ledger.header3 import BlockHeader, hash_header, header_to_rpc, with_signatures
from fiscotool.ledger.signatures import CLASSIC_MARK
from fiscotool.observer.blocks import BlockReader, ToldBlock, are_of_classic, words_of

KEYS = sorted((KeyPair.from_secret(bytes([k]) * 32) for k in range(1, 5)), key=lambda key: key.node_id)
PROPOSED = BlockHeader(
    version=0x03100000,
    parents=(),
    txs_root=b"",
    receipts_root=b"",
    state_root=b"",
    number=7,
    gas_used="",
    timestamp_ms=1_700_000_000_000,
    sealer=3,
    sealer_list=tuple(key.node_id for key in KEYS),
    extra_data=CLASSIC_MARK + b"\x05" * 32,
    weights=(1, 1, 1, 1),
)
EXECUTED = replace(
    PROPOSED, parents=((6, b"\x06" * 32),), txs_root=b"\x01" * 32, receipts_root=b"\x02" * 32, state_root=b"\x03" * 32, gas_used="21000"
)


def told(header: BlockHeader, node: str = "node0", **changes: Any) -> ToldBlock:
    words = header_to_rpc(header, hash_header(header)) | {"transactions": []} | changes
    return ToldBlock(node, 1.0, 1, words, words_of(words))


def signed(header: BlockHeader, over: bytes) -> BlockHeader:
    return with_signatures(header, tuple((k, KEYS[k].sign(over)) for k in range(3)))


def test_signatures_over_the_proposal_are_valid_where_the_header_says_so() -> None:
    block = told(signed(EXECUTED, hash_header(PROPOSED)))
    (seen,) = BlockReader().read_all([block])
    assert [each.is_valid for each in seen.signatures] == [True] * 3
    assert seen.recomputed_hash == seen.block_hash


def test_signatures_over_anything_else_are_not() -> None:
    over_block = told(signed(EXECUTED, hash_header(EXECUTED)))
    other_time = told(signed(replace(EXECUTED, timestamp_ms=1), hash_header(PROPOSED)))
    unmarked = told(signed(replace(EXECUTED, extra_data=b""), hash_header(PROPOSED)))
    for seen in BlockReader().read_all([over_block, other_time, unmarked]):
        assert not any(each.is_valid for each in seen.signatures)


def test_a_chain_is_known_by_what_most_nodes_tell() -> None:
    plain = replace(EXECUTED, extra_data=b"")
    assert are_of_classic([told(EXECUTED, "node0"), told(EXECUTED, "node1"), told(plain, "node2")])
    assert not are_of_classic([told(EXECUTED, "node0"), told(plain, "node1"), told(plain, "node2")]), "one liar changes nothing"
    assert not are_of_classic([told(EXECUTED, "node0"), told(replace(plain, number=8), "node0")])
    assert not are_of_classic([])
    assert not are_of_classic([told(EXECUTED, extraData=["0x00"])]), "2.x tells a list"
