"""The signature list of a block: who vouches for it, and with what weight.

Rule. An entry (index, signature) counts when the signature over the block hash verifies under sealer_list[index] of that very block, and
a signer counts once. The weights of the distinct valid signers must reach the quorum of that block's list, not of today's.

Sources: spec 3.x 3.4; bcos-pbft pbft/engine/BlockValidator.cpp; spec 2.x 3.3, where every sealer weighs 1.
"""

from __future__ import annotations

from typing import Protocol

from fiscotool.ledger.crypto import verify


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


def verify_signature_list(
    header: SignedHeader, block_hash: bytes, sealers: tuple[bytes, ...] | None = None
) -> tuple[tuple[int, bool], ...]:
    """(index, is valid) of each entry, in the order of the list. An index outside the sealer list is invalid.

    `sealers`: the list to go by where the header has none (the filler block of a view change, spec 3.x 1.11).
    """
    signers = header.sealer_list or sealers or ()
    return tuple(
        (index, 0 <= index < len(signers) and verify(signers[index], block_hash, signature)) for index, signature in header.signatures
    )


def signed_weight(header: SignedHeader, block_hash: bytes) -> int:
    """Weight of the distinct sealers whose signature is valid. A sealer without an entry in the weights weighs 1."""
    signers = {index for index, is_valid in verify_signature_list(header, block_hash) if is_valid}
    return sum(header.weights[index] if index < len(header.weights) else 1 for index in signers)


def quorum_weight_of(header: SignedHeader) -> int:
    """Q = W - (W-1) div 3 of this block's sealer list (bcos-pbft PBFTConfig::updateQuorum)."""
    total = sum(header.weights[index] if index < len(header.weights) else 1 for index in range(len(header.sealer_list)))
    return total - (total - 1) // 3
