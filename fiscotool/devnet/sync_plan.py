"""What block synchronisation knows of a peer, and which blocks to ask for.

Sources: spec 3.x 1.16 (shards of at most 8 blocks); bcos-sync `state/SyncPeerStatus.h`, `state/DownloadRequestQueue.h`.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Final

__all__ = ["SHARD_BLOCKS", "PeerView", "missing_shards"]

SHARD_BLOCKS: Final = 8
"""The most blocks a request asks for."""


@dataclass(slots=True)
class PeerView:
    """What a connected peer says of itself, and how it behaves when asked."""

    number: int
    head_hash: bytes
    genesis_hash: bytes
    asked: dict[int, float] = field(default_factory=dict)
    """First height of each shard in flight, with its deadline on the loop's clock."""
    not_before_s: float = 0.0
    silences: int = 0
    shards_asked: int = 0


def missing_shards(first: int, last: int, taken: Container[int]) -> list[tuple[int, int]]:
    """(first height, count) of the shards that cover `first`..`last` without what is `taken`, lowest first."""
    shards: list[tuple[int, int]] = []
    for height in range(first, last + 1):
        if height in taken:
            continue
        if shards and sum(shards[-1]) == height and shards[-1][1] < SHARD_BLOCKS:
            shards[-1] = (shards[-1][0], shards[-1][1] + 1)
        else:
            shards.append((height, 1))
    return shards
