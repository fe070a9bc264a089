"""The lives of a node's process, and which views it can have had at a time.

Rule 1. A view never falls within one life and starts again at 0 with the next (FISCO keeps it in memory only).
Rule 2. Bounds are closed under ignorance: what was not sampled may have been anything the neighbours in time allow.

Sources: spec 3.x 1.7, 1.12; bcos-pbft PBFTConfig `m_view`; docs/invariants.md on sampling.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fiscotool.consistency.observations import Incarnation, Sample

VIEW_UNBOUNDED: Final = 1 << 63
"""Larger than any view a node accepts (bcos-pbft `MaxView`)."""

_TAIL_S: Final = 2.0
"""A process restarted this shortly after its last sample cannot yet vote: it recovers its view no sooner than one timeout."""


@dataclass(frozen=True, slots=True)
class Life:
    """One life of one node's process as far as it was sampled. `incarnation` None: it is not known to be one life."""

    node: str
    incarnation: Incarnation | None
    samples: tuple[Sample, ...]

    @property
    def first_got_s(self) -> float:
        """When its first answer was there."""
        return self.samples[0].got_s

    @property
    def last_sent_s(self) -> float:
        """When its last answered question was asked."""
        return self.samples[-1].sent_s


@dataclass(frozen=True, slots=True)
class ViewBounds:
    """The views a node can have had during a span of time, both ends included."""

    low: int
    high: int


def lives_of(samples: Sequence[Sample]) -> tuple[Life, ...]:
    """The answered samples of one node, in time order, cut where the process changes."""
    lives: list[Life] = []
    current: list[Sample] = []
    for sample in samples:
        if sample.error:
            continue
        if current and sample.incarnation != current[-1].incarnation:
            lives.append(Life(current[0].node, current[0].incarnation, tuple(current)))
            current = []
        current.append(sample)
    if current:
        lives.append(Life(current[0].node, current[0].incarnation, tuple(current)))
    return tuple(lives)


class Views:
    """Answers which views one node can have had between two instants; O(log k) a question."""

    def __init__(self, lives: Sequence[Life]) -> None:
        self._lives = lives
        self._known = [tuple(sample for sample in life.samples if sample.view is not None) for life in lives]
        # Sorted by each end of the interval on its own: bounds stay sound because views never fall within a life.
        self._by_got = [_running_max(sorted((s.got_s, s.view or 0) for s in known)) for known in self._known]
        self._by_sent = [_running_min_from_end(sorted((s.sent_s, s.view or 0) for s in known)) for known in self._known]

    def between(self, from_s: float, to_s: float) -> ViewBounds:
        """Bounds over every instant of [from_s, to_s]."""
        low, high = VIEW_UNBOUNDED, -1
        for index, life in enumerate(self._lives):
            begins_s = self._lives[index - 1].last_sent_s if index else float("-inf")
            ends_s = self._lives[index + 1].first_got_s if index + 1 < len(self._lives) else float("inf")
            if ends_s < from_s or begins_s > to_s:
                continue
            bounds = self._in_life(index, from_s, to_s)
            is_before_first = index == 0 and from_s < life.samples[0].sent_s
            is_past_last = ends_s == float("inf") and to_s > life.samples[-1].got_s + _TAIL_S
            if life.incarnation is None or is_before_first or is_past_last:
                bounds = ViewBounds(0, VIEW_UNBOUNDED)
            low, high = min(low, bounds.low), max(high, bounds.high)
        return ViewBounds(low, high) if high >= 0 else ViewBounds(0, VIEW_UNBOUNDED)

    def _in_life(self, index: int, from_s: float, to_s: float) -> ViewBounds:
        times, lows = self._by_got[index]
        before = bisect_left(times, from_s) - 1
        low = lows[before] if before >= 0 else 0
        times, highs = self._by_sent[index]
        after = bisect_right(times, to_s)
        high = highs[after] if after < len(times) else VIEW_UNBOUNDED
        return ViewBounds(low, high)


def _running_max(pairs: list[tuple[float, int]]) -> tuple[list[float], list[int]]:
    times, values, best = [], [], 0
    for time_s, value in pairs:
        best = max(best, value)
        times.append(time_s)
        values.append(best)
    return times, values


def _running_min_from_end(pairs: list[tuple[float, int]]) -> tuple[list[float], list[int]]:
    times = [time_s for time_s, _ in pairs]
    values = [value for _, value in pairs]
    for index in range(len(values) - 2, -1, -1):
        values[index] = min(values[index], values[index + 1])
    return times, values
