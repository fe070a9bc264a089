"""Who was up and undisturbed all through a span of time, and when there was work to do. What progress may be demanded of.

Rule 1. A node counts as steady only on positive evidence: it answered, it never failed to answer, and nothing was done to it.
Rule 2. Work was to be done only if a transaction is known to have been with a node that could pass it on.

Sources: docs/invariants.md; spec 3.x 2.5 (`sendTransaction` hangs without a quorum), 1.10 (the timer runs while the pool is not empty).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate, pairwise
from typing import Final

from fiscotool.consistency.facts import FOREVER, Facts, quorum_weight
from fiscotool.consistency.observations import FaultSeen, TxSeen

POOL_EXPIRY_S: Final = 600.0
"""How long a node keeps a transaction that is not mined (`txs_expiration_time`)."""
GOSSIP_S: Final = 1.0
"""A transaction sent this long before its node was hurt has reached the others."""
_SAMPLE_GAP_S: Final = 3.0
"""Longer without an answer, and a node is not known to have been up."""


class Steadiness:
    """Answers about spans of time; built once for the rules about liveness."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._ok: dict[str, list[float]] = {}
        self._failed: dict[str, list[float]] = {}
        for name, samples in facts.samples_of.items():
            self._ok[name] = [sample.sent_s for sample in samples if not sample.error]
            self._failed[name] = [sample.sent_s for sample in samples if sample.error]
        self._faults: dict[str, list[FaultSeen]] = {name: [] for name in facts.names}
        for fault in facts.observations.faults:
            self._faults.setdefault(fault.node, []).append(fault)
        self.pending = _union([self._pending_span(tx) for tx in facts.observations.txs] + self._pool_spans())
        self._pending_ends = [end_s for _, end_s in self.pending]

    def is_steady(self, node: str, from_s: float, to_s: float) -> bool:
        """Whether this node answered all through [from_s, to_s] and no fault touched it."""
        if any(f.injected_s <= to_s and (f.healed_s is None or f.healed_s > from_s) for f in self._faults.get(node, ())):
            return False
        ok, failed = self._ok.get(node, []), self._failed.get(node, [])
        if bisect_right(failed, to_s) > bisect_left(failed, from_s):
            return False
        inside = ok[bisect_left(ok, from_s - _SAMPLE_GAP_S) : bisect_right(ok, to_s)]
        if not inside or inside[0] > from_s + _SAMPLE_GAP_S or inside[-1] < to_s - _SAMPLE_GAP_S:
            return False
        return all(later - earlier <= _SAMPLE_GAP_S for earlier, later in pairwise(inside))

    def steady_nodes(self, from_s: float, to_s: float) -> tuple[str, ...]:
        """All nodes steady in [from_s, to_s]."""
        return tuple(name for name in self._facts.names if self.is_steady(name, from_s, to_s))

    def has_quorum(self, from_s: float, to_s: float, number: int) -> bool:
        """Whether the sealers steady in [from_s, to_s] weigh a quorum of the list in force at height `number`."""
        weights = self._facts.weights_by_name(number)
        steady = set(self.steady_nodes(from_s, to_s))
        return sum(weight for name, weight in weights.items() if name in steady) >= quorum_weight(sum(weights.values()))

    def pending_from(self, from_s: float, to_s: float) -> float | None:
        """Since when in [from_s, to_s] work was pending without a break until `to_s`; None if it was not then."""
        at = bisect_left(self._pending_ends, to_s)
        if at == len(self.pending) or self.pending[at][0] > to_s:
            return None
        return max(self.pending[at][0], from_s)

    def first_pending_after(self, from_s: float) -> float | None:
        """The earliest time from `from_s` on at which work was pending."""
        at = bisect_right(self._pending_ends, from_s)
        return max(self.pending[at][0], from_s) if at < len(self.pending) else None

    def _pending_span(self, tx: TxSeen) -> tuple[float, float]:
        if tx.outcome == "committed":
            return tx.sent_s, tx.got_s
        if tx.outcome != "unknown":
            return tx.sent_s, tx.sent_s
        for fault in self._faults.get(tx.node, ()):
            if fault.injected_s <= tx.sent_s + GOSSIP_S and (fault.healed_s is None or fault.healed_s > tx.sent_s):
                return tx.sent_s, tx.sent_s
        if not self.is_steady(tx.node, tx.sent_s, tx.sent_s + GOSSIP_S):
            return tx.sent_s, tx.sent_s
        settled_s = min((self._facts.first_shown_s(h) for h in self._facts.heights_of_tx.get(tx.tx_hash, ())), default=FOREVER)
        return tx.sent_s + GOSSIP_S, min(settled_s, tx.sent_s + POOL_EXPIRY_S, self._facts.end_s)

    def _pool_spans(self) -> list[tuple[float, float]]:
        """Between two samples of one life that both show a pool that is not empty, with no new height, it was not empty throughout."""
        spans: list[tuple[float, float]] = []
        for lives in self._facts.lives.values():
            for life in lives:
                told = [s for s in life.samples if s.pending_count is not None and s.height is not None]
                spans.extend(
                    (earlier.got_s, later.sent_s)
                    for earlier, later in pairwise(told)
                    if earlier.pending_count and later.pending_count and earlier.height == later.height
                )
        return spans


def _union(spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Overlapping spans joined, in order; empty ones dropped."""
    kept = sorted(span for span in spans if span[1] > span[0])
    joined: list[tuple[float, float]] = []
    ends = list(accumulate((end for _, end in kept), max))
    for index, (start_s, _) in enumerate(kept):
        if joined and start_s <= ends[index - 1]:
            joined[-1] = (joined[-1][0], ends[index])
        else:
            joined.append((start_s, ends[index]))
    return joined
