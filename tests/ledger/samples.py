"""Recorded objects, published vectors and hypothesis strategies that the tests of this room share."""

from __future__ import annotations

import dataclasses
import json
import lzma
from collections.abc import Callable
from functools import cache
from typing import Any

from hypothesis import strategies as st

from fiscotool.ledger.block3 import Block, TransactionMetaData
from fiscotool.ledger.crypto import KeyPair
from fiscotool.ledger.header3 import BlockHeader
from fiscotool.ledger.receipt3 import LogEntry, Receipt
from fiscotool.ledger.tx3 import Transaction, TransactionData
from tests.support.shared import shared

Draw = Callable[[st.SearchStrategy[Any]], Any]

KEY = KeyPair.from_secret(bytes(31) + b"\x07")

int32s = st.integers(-(2**31), 2**31 - 1)
int64s = st.integers(-(2**63), 2**63 - 1)
heights = st.integers(0, 2**63 - 1)
texts = st.text(max_size=300)
blobs = st.binary(max_size=400)
hashes = st.binary(min_size=32, max_size=32)
signatures = st.binary(min_size=65, max_size=65)

transaction_datas = st.builds(
    TransactionData, int32s, texts, texts, int64s, texts, texts, blobs, texts, texts, texts, int64s, texts, texts, blobs
)
transactions = st.builds(
    Transaction, transaction_datas, hashes, signatures, int64s, int32s, blobs, texts, st.sampled_from([0, 1]), blobs, st.just(b"")
)
logs = st.builds(LogEntry, texts, st.lists(hashes, max_size=4).map(tuple), blobs)
receipts = st.builds(
    Receipt, int32s, texts, texts, int32s, blobs, st.lists(logs, max_size=3).map(tuple), int64s, texts, texts, texts, blobs, int32s, int32s
)
headers = st.builds(
    BlockHeader,
    int32s,
    st.lists(st.tuples(heights, hashes), max_size=2).map(tuple),
    hashes,
    hashes,
    hashes,
    heights,
    texts,
    int64s,
    int64s,
    st.lists(st.binary(min_size=64, max_size=64), max_size=5).map(tuple),
    blobs,
    st.lists(int64s, max_size=5).map(tuple),
    st.lists(st.tuples(int64s, signatures), max_size=4).map(tuple),
)
metadatas = st.builds(TransactionMetaData, hashes, texts, texts, int32s)


def blocks() -> st.SearchStrategy[Block]:
    """Blocks with well-formed transactions and receipts inside."""
    from fiscotool.ledger.receipt3 import encode_receipt
    from fiscotool.ledger.tx3 import encode_transaction

    return st.builds(
        Block,
        headers,
        st.lists(metadatas, max_size=3).map(tuple),
        st.lists(transactions.map(encode_transaction), max_size=3).map(tuple),
        st.lists(receipts.map(encode_receipt), max_size=3).map(tuple),
        int32s,
        int32s,
    )


def lines(*parts: str) -> list[Any]:
    """The JSON values of a recorded .jsonl.xz file."""
    with lzma.open(shared("recordings", "v3", *parts), "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@cache
def recorded_headers() -> tuple[dict[str, Any], ...]:
    """Every header every node told."""
    return tuple(line["response"]["result"] for line in lines("headers_all_nodes.jsonl.xz"))


@cache
def recorded_blocks() -> tuple[dict[str, Any], ...]:
    """Full blocks with `receipts` (their results) added."""
    return tuple(
        line["block"]["result"] | {"receipts": [receipt["result"] for receipt in line["receipts"]]}
        for line in lines("blocks_full_node0.jsonl.xz")
    )


def flipped(value: Any, draw: Draw) -> Any:
    """`value` with one bit changed: of an integer, of a byte, of an ASCII character, of one element of a tuple or dataclass."""
    if isinstance(value, int):
        return value ^ (1 << draw(st.integers(0, 30)))
    if isinstance(value, bytes):
        bit = draw(st.integers(0, 8 * len(value) - 1))
        return value[: bit // 8] + bytes((value[bit // 8] ^ (1 << bit % 8),)) + value[bit // 8 + 1 :]
    if isinstance(value, str):
        place = draw(st.integers(0, len(value) - 1))
        return value[:place] + chr(ord(value[place]) ^ (1 << draw(st.integers(0, 6)))) + value[place + 1 :]
    if isinstance(value, tuple):
        place = draw(st.sampled_from([index for index, item in enumerate(value) if has_bits(item)]))
        return (*value[:place], flipped(value[place], draw), *value[place + 1 :])
    names = [field.name for field in dataclasses.fields(value) if has_bits(getattr(value, field.name))]
    return flip_field(value, draw(st.sampled_from(names)), draw)


def has_bits(value: Any) -> bool:
    """Whether there is anything to flip in `value`."""
    if isinstance(value, (bytes, str)):
        return bool(value)
    if isinstance(value, tuple):
        return any(map(has_bits, value))
    return True


def flip_field(record: Any, name: str, draw: Draw) -> Any:
    """`record`, a dataclass, with one bit of its field `name` changed."""
    return dataclasses.replace(record, **{name: flipped(getattr(record, name), draw)})
