"""The Merkle root against every recorded block and against a second, recursive definition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiscotool.ledger.crypto import keccak256
from fiscotool.ledger.merkle import EMPTY_ROOT, merkle_root
from tests.ledger.samples import hashes, recorded_blocks


def _by_recursion(level: list[bytes]) -> bytes:
    """The rule of the specification word for word: hash groups of two, then again, until one is left."""
    if len(level) == 1:
        return level[0]
    return _by_recursion([keccak256(b"".join(level[start : start + 2])) for start in range(0, len(level), 2)])


def test_every_recorded_txs_root() -> None:
    sizes = set()
    for block in recorded_blocks():
        leaves = [bytes.fromhex(tx["hash"][2:]) for tx in block["transactions"]]
        assert f"0x{merkle_root(leaves).hex()}" == block["txsRoot"], f"block {block['number']}"
        sizes.add(len(leaves))
    assert {0, 1, 2, 23, 75, 1000} <= sizes


@given(leaves=st.lists(hashes, min_size=1, max_size=70))
def test_agrees_with_the_recursive_definition(leaves: list[bytes]) -> None:
    assert merkle_root(leaves) == _by_recursion(leaves)


@given(leaves=st.lists(hashes, min_size=2, max_size=9, unique=True), data=st.data())
def test_order_and_membership_count(leaves: list[bytes], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(leaves) - 2))
    swapped = [*leaves[:first], leaves[first + 1], leaves[first], *leaves[first + 2 :]]
    assert merkle_root(swapped) != merkle_root(leaves)
    assert merkle_root(leaves[1:]) != merkle_root(leaves)


@pytest.mark.parametrize(
    ("count", "why"), [pytest.param(0, "no leaves", id="none is 32 zero bytes"), pytest.param(1, "one leaf", id="one is itself")]
)
def test_small_cases(count: int, why: str) -> None:
    assert merkle_root([b"\x01" * 32][:count]) == (b"\x01" * 32 if count else EMPTY_ROOT), why


def test_three_leaves_by_hand() -> None:
    one, two, three = (bytes((number,)) * 32 for number in (1, 2, 3))
    assert merkle_root([one, two, three]) == keccak256(keccak256(one + two) + keccak256(three))
