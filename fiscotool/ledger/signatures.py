"""The signature list of a block: who vouches for it, and with what weight.

Rule 1. An entry (index, signature) counts when the signature over the block hash verifies under sealer_list[index] of that very block, and
a signer counts once. The weights of the distinct valid signers must reach the quorum of that block's list, not of today's.

Rule 2. What is signed is the block hash, but for blocks of `classic` (the embedded engine): there a quorum signs the proposal, which is the
header without what execution fills in. Such a header says so by CLASSIC_MARK in its extra data.

Sources: spec 3.x 3.4; bcos-pbft pbft/engine/BlockValidator.cpp; spec 2.x 3.3, where every sealer weighs 1.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final, Protocol

from fiscotool.ledger.crypto import is_signed_by
from fiscotool.ledger.header3 import BlockHeader, hash_header

CLASSIC_MARK: Final = b"classic:"
"""How the extra data of a header starts whose signatures are over the proposal; the hash of the transactions' hashes follows."""

_MARKED_BYTES: Final = len(CLASSIC_MARK) + 32

_verify_once: Final = lru_cache(maxsize=1024)(is_signed_by)
"""Several nodes tell one block with mostly the same signatures: each is verified once, if they are looked at one after another."""


class SignedHeader(Protocol):
    """What headers of both generations have: node ids of 64 bytes, their weights, and (index, signature) of those who signed."""

    @property
    def sealer_list(self) -> tuple[bytes, ...]:
        """The sealers, in index order."""

    @property
    def weights(self) -> tuple[int, ...]:
        """Their weights; a missing one counts as 1."""

    @property
    def signatures(self) -> tuple[tuple[int, bytes], ...]:
        """Who signed, and how."""


def signed_hash(header: SignedHeader, block_hash: bytes) -> bytes:
    """What the signatures of a block with this hash are over (rule 2)."""
    extra = getattr(header, "extra_data", b"")
    if not isinstance(header, BlockHeader) or len(extra) != _MARKED_BYTES or not extra.startswith(CLASSIC_MARK):
        return block_hash
    return hash_header(replace(header, parents=(), txs_root=b"", receipts_root=b"", state_root=b"", gas_used="", signatures=()))


def verify_signature_list(
    header: SignedHeader, block_hash: bytes, sealers: tuple[bytes, ...] | None = None
) -> tuple[tuple[int, bool], ...]:
    """(index, is valid) of each entry, in the order of the list. An index outside the sealer list is invalid.

    `sealers`: the list to go by where the header has none (the filler block of a view change, spec 3.x 1.11).
    """
    signers = header.sealer_list or sealers or ()
    count = len(signers)
    signed = signed_hash(header, block_hash)
    return tuple(
        [(index, 0 <= index < count and _verify_once(signers[index], signed, signature)) for index, signature in header.signatures]
    )


def weight_of(weights: Sequence[int], signers: Collection[int]) -> int:
    """Weight of these sealers, each once. A sealer without an entry in the weights weighs 1."""
    count = len(weights)
    return sum([weights[index] if index < count else 1 for index in set(signers)])


@lru_cache(maxsize=256)
def quorum_weight(weights: tuple[int, ...], sealer_count: int) -> int:
    """Q = W - (W-1) div 3 (bcos-pbft PBFTConfig::updateQuorum; n - f in 2.x, where every weight is 1)."""
    total = weight_of(weights, range(sealer_count))
    return total - (total - 1) // 3


def signed_weight(header: SignedHeader, block_hash: bytes) -> int:
    """Weight of the distinct sealers whose signature is valid."""
    return weight_of(header.weights, {index for index, is_valid in verify_signature_list(header, block_hash) if is_valid})


def quorum_weight_of(header: SignedHeader) -> int:
    """Quorum of this block's sealer list."""
    return quorum_weight(header.weights, len(header.sealer_list))
