"""The signature list of a block: who vouches for it, and with what weight.

Rule. An entry (index, signature) counts when the signature over the block hash verifies under sealer_list[index] of that very block, and
a signer counts once. The weights of the distinct valid signers must reach the quorum of that block's list, not of today's.

Source: spec 3.x 3.4; bcos-pbft pbft/engine/BlockValidator.cpp.
"""

from __future__ import annotations

from fiscotool.ledger.crypto import verify
from fiscotool.ledger.header3 import BlockHeader


def verify_signature_list(header: BlockHeader, block_hash: bytes) -> tuple[tuple[int, bool], ...]:
    """(index, is valid) of each entry, in the order of the list. An index outside the sealer list is invalid."""
    sealers = header.sealer_list
    return tuple(
        (index, 0 <= index < len(sealers) and verify(sealers[index], block_hash, signature)) for index, signature in header.signatures
    )


def signed_weight(header: BlockHeader, block_hash: bytes) -> int:
    """Weight of the distinct sealers whose signature is valid. A sealer without an entry in the weights weighs 1."""
    signers = {index for index, is_valid in verify_signature_list(header, block_hash) if is_valid}
    return sum(header.weights[index] if index < len(header.weights) else 1 for index in signers)


def quorum_weight_of(header: BlockHeader) -> int:
    """Q = W - (W-1) div 3 of this block's sealer list (bcos-pbft PBFTConfig::updateQuorum)."""
    total = sum(header.weights[index] if index < len(header.weights) else 1 for index in range(len(header.sealer_list)))
    return total - (total - 1) // 3
