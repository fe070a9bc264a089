"""The nonces of the last blocks: a native transaction whose nonce is among them is not admitted and not executed again.

Rule 1. The window at block N is that of the blocks N - limit … N - 1 (limit: `chain.block_limit`, 1000). Within it a nonce is used once on
        the whole chain, whoever sends it (spec 3.x 3.2).
Rule 2. `block_of` is exact about the block, so that executing nodes which have committed more or fewer blocks agree (executor.py, Rule 1).

A million nonces (1000 full blocks) take about 20 MB here; as Python texts in a set they would take 150. A nonce stands for itself by 8
bytes of BLAKE2b: refusing a stranger's nonce takes 2^63 tries.

Sources: spec 3.x 3.2; bcos-txpool `validator/LedgerNonceChecker.cpp`.
"""

from __future__ import annotations

from collections import deque
from hashlib import blake2b
from typing import Final

__all__ = ["DIGEST_BYTES", "NonceWindow", "nonce_digest"]

DIGEST_BYTES: Final = 8
_BUCKET_BITS: Final = 14
_BUCKET_MASK: Final = (1 << _BUCKET_BITS) - 1


def nonce_digest(nonce: str) -> bytes:
    """The 8 bytes that stand for a nonce."""
    return blake2b(nonce.encode(), digest_size=DIGEST_BYTES).digest()


def _find(packed: bytes | bytearray, digest: bytes) -> int:
    """Offset of `digest` in a row of digests, or -1. A match across two neighbours is none."""
    at = packed.find(digest)
    while at >= 0 and at % DIGEST_BYTES:
        at = packed.find(digest, at + 1)
    return at


class NonceWindow:
    """Nonce digests of the last `limit_blocks` committed blocks."""

    def __init__(self, limit_blocks: int) -> None:
        self.limit_blocks = limit_blocks
        self._blocks: deque[tuple[int, bytes]] = deque()
        self._buckets = [bytearray() for _ in range(_BUCKET_MASK + 1)]

    def add(self, number: int, digests: bytes) -> None:
        """Block `number` is committed; what is now outside of the window of the next block is forgotten."""
        buckets = self._buckets
        for at in range(0, len(digests), DIGEST_BYTES):
            digest = digests[at : at + DIGEST_BYTES]
            buckets[(digest[0] << 8 | digest[1]) & _BUCKET_MASK] += digest
        self._blocks.append((number, digests))
        while self._blocks[0][0] <= number - self.limit_blocks:
            self._forget(self._blocks.popleft()[1])

    def _forget(self, digests: bytes) -> None:
        for at in range(0, len(digests), DIGEST_BYTES):
            digest = digests[at : at + DIGEST_BYTES]
            bucket = self._buckets[(digest[0] << 8 | digest[1]) & _BUCKET_MASK]
            found = _find(bucket, digest)
            del bucket[found : found + DIGEST_BYTES]

    def __contains__(self, digest: bytes) -> bool:
        return _find(self._buckets[(digest[0] << 8 | digest[1]) & _BUCKET_MASK], digest) >= 0

    def block_of(self, digest: bytes) -> int | None:
        """The last block in the window that has this nonce, or None."""
        if digest not in self:
            return None
        return next((number for number, digests in reversed(self._blocks) if _find(digests, digest) >= 0), None)

    def of_block(self, number: int) -> bytes:
        """The digests of a block in the window; none for a block outside."""
        return next((digests for at, digests in reversed(self._blocks) if at == number), b"")
