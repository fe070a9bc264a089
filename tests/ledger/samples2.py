"""Recorded objects of a 2.9.1 chain, and hypothesis strategies, that the tests of 2.x share."""

from __future__ import annotations

import json
import lzma
from functools import cache
from typing import Any

from hypothesis import strategies as st

from fiscotool.ledger.header2 import BlockHeader2
from fiscotool.ledger.receipt2 import LogEntry2, Receipt2
from fiscotool.ledger.tx2 import Transaction2
from tests.support.shared import shared

hashes = st.binary(min_size=32, max_size=32)
addresses = st.binary(min_size=20, max_size=20)
blooms = st.binary(min_size=256, max_size=256)
u256s = st.integers(0, 2**256 - 1)
heights = st.integers(0, 2**63 - 1)
blobs = st.binary(max_size=300)
low_s_signatures = st.builds(
    lambda r, s, v: r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes((v,)), u256s, st.integers(0, 2**254), st.integers(0, 1)
)

headers = st.builds(
    BlockHeader2,
    *[hashes] * 5,
    blooms,
    heights,
    u256s,
    u256s,
    heights,
    st.lists(blobs, max_size=3).map(tuple),
    u256s,
    st.lists(st.binary(min_size=64, max_size=64), max_size=5).map(tuple),
)
new_transactions = st.builds(
    Transaction2, u256s, u256s, addresses | st.just(b""), blobs, u256s, u256s, u256s, u256s, u256s, blobs, low_s_signatures
)
old_transactions = st.builds(
    Transaction2,
    u256s,
    u256s,
    addresses | st.just(b""),
    blobs,
    st.none(),
    st.none(),
    u256s,
    u256s,
    u256s,
    st.just(b""),
    low_s_signatures,
)
transactions = new_transactions | old_transactions
logs = st.builds(LogEntry2, addresses, st.lists(hashes, max_size=4).map(tuple), blobs)
receipts = st.builds(
    Receipt2,
    hashes,
    u256s,
    addresses,
    blooms,
    st.integers(0, 2**32 - 1),
    blobs,
    st.lists(logs, max_size=3).map(tuple),
    st.none() | u256s,
)


def lines2(*parts: str) -> list[Any]:
    """The JSON values of a recorded .jsonl.xz file."""
    with lzma.open(shared("recordings", "v2", *parts), "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@cache
def recorded_headers2() -> tuple[dict[str, Any], ...]:
    """Every header every node told."""
    return tuple(line["response"]["result"] for line in lines2("headers_all_nodes.jsonl.xz"))


@cache
def recorded_blocks2() -> tuple[dict[str, Any], ...]:
    """Whole blocks with `receipts` (their results) added: at most three were asked for, however many transactions there are."""
    return tuple(
        line["block"]["result"] | {"receipts": [receipt["result"] for receipt in line["receipts"]]}
        for line in lines2("blocks_full_node0.jsonl.xz")
    )
