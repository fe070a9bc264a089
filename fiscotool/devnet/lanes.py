"""Web3 transactions of the pool, ordered by nonce per sender.

Rule 1. A transaction is ready when all nonces from its account's next one up to its own are in the pool or in blocks being agreed.
Rule 2. One with a gap before it is held until the gap is filled: sealed earlier, it would get a failed receipt and be lost.

Deviation: the real node admits gaps as well, but seals without looking at them (spec 3.x 2.6); its execution does not compare nonces.
Ours does (executor.py Rule 2), for an Ethereum client counts on it.

Sources: spec 3.x 2.6; bcos-txpool `validator/Web3NonceChecker.cpp`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["Lanes"]


@dataclass(slots=True)
class _Lane:
    next: int
    held: dict[int, bytes] = field(default_factory=dict)


class Lanes:
    """Hashes of pooled Web3 transactions by sender and nonce."""

    def __init__(self) -> None:
        self._lanes: dict[bytes, _Lane] = {}

    def senders(self) -> list[bytes]:
        """Who has transactions in the pool."""
        return list(self._lanes)

    def has(self, sender: bytes, nonce: int) -> bool:
        """Whether the pool holds this nonce of this sender."""
        lane = self._lanes.get(sender)
        return lane is not None and nonce in lane.held

    def next_nonce(self, sender: bytes) -> int | None:
        """The first nonce the pool lacks, or None when it holds nothing of this sender (eth_getTransactionCount "pending")."""
        lane = self._lanes.get(sender)
        return None if lane is None else lane.next

    def add(self, sender: bytes, nonce: int, tx_hash: bytes, account_nonce: int) -> list[bytes]:
        """Take a transaction in; returns the hashes that are ready now."""
        lane = self._lanes.get(sender)
        if lane is None:
            lane = self._lanes[sender] = _Lane(account_nonce)
        lane.held[nonce] = tx_hash
        return list(self._ready(lane))

    def _ready(self, lane: _Lane) -> Iterator[bytes]:
        while (tx_hash := lane.held.get(lane.next)) is not None:
            lane.next += 1
            yield tx_hash

    def ready(self, sender: bytes) -> list[bytes]:
        """The hashes of this sender that are ready, by nonce, sealed or not."""
        lane = self._lanes.get(sender)
        return [] if lane is None else [lane.held[nonce] for nonce in sorted(lane.held) if nonce < lane.next]

    def remove(self, sender: bytes, nonce: int, account_nonce: int) -> list[bytes]:
        """A transaction left the pool; returns the hashes that are not ready any more, because it left a gap."""
        lane = self._lanes[sender]
        del lane.held[nonce]
        if not lane.held:
            del self._lanes[sender]
            return []
        if not account_nonce <= nonce < lane.next:
            return []
        unready = [lane.held[at] for at in range(nonce + 1, lane.next)]
        lane.next = nonce
        return unready

    def advance(self, sender: bytes, account_nonce: int) -> tuple[list[bytes], list[bytes]]:
        """The account's nonce rose; returns (hashes whose nonce is used up, hashes that are ready now)."""
        lane = self._lanes.get(sender)
        if lane is None or account_nonce <= lane.next:
            return [], []
        stale = [lane.held[nonce] for nonce in sorted(lane.held) if nonce < account_nonce]
        lane.next = account_nonce
        return stale, list(self._ready(lane))
