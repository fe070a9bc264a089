"""The roots over a block's transactions and receipts in FISCO BCOS 2.x.

A leaf is the RLP of the place ‖ the hash. Runs of up to 16 neighbours are hashed together, level by level, until one is left, which is
hashed once more: one leaf gives keccak(leaf), two to sixteen keccak(keccak(leaves)). No leaves give keccak of nothing.

The genesis block has zero roots. Chains whose supported_version is below 2.2.0 have other roots, which cannot be recomputed from what
is documented.

Sources: spec 2.x 3.3; libdevcore/TrieHash2.cpp `getHash256`. Checked against every recorded block, of up to 18 transactions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sha3 import keccak_256

from fiscotool.ledger.rlp_items import encode, integer_item

EMPTY_ROOT2: Final[bytes] = keccak_256(b"").digest()
_WIDTH: Final = 16


def merkle_root2(hashes: Sequence[bytes]) -> bytes:
    """Root over the 32-byte hashes of a block's transactions (or receipts) in block order."""
    if not hashes:
        return EMPTY_ROOT2
    level = [encode(integer_item(place)) + leaf for place, leaf in enumerate(hashes)]
    while len(level) > 1:
        level = [keccak_256(b"".join(level[start : start + _WIDTH])).digest() for start in range(0, len(level), _WIDTH)]
    root: bytes = keccak_256(level[0]).digest()
    return root


def merkle_steps2(hashes: Sequence[bytes], position: int) -> list[tuple[list[bytes], list[bytes]]]:
    """The proof that the hash at `position` is under the root: for each level what stands left and right of it, leaf level first.

    Whoever checks it hashes left ‖ own ‖ right, beginning with the RLP of the position ‖ the hash. The last level has no neighbours:
    there the one hash that is left is hashed once more (recorded: a block of one transaction has just that level).
    """
    level = [encode(integer_item(place)) + leaf for place, leaf in enumerate(hashes)]
    steps: list[tuple[list[bytes], list[bytes]]] = []
    while len(level) > 1:
        start = position - position % _WIDTH
        steps.append((level[start:position], level[position + 1 : start + _WIDTH]))
        level = [keccak_256(b"".join(level[at : at + _WIDTH])).digest() for at in range(0, len(level), _WIDTH)]
        position //= _WIDTH
    return [*steps, ([], [])]
