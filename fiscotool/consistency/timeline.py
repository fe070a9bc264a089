"""A run as plain series, ready to draw: height, view, time-outs and reachability per node, faults as bands, blocks and transaction rates.

Rule 1. Series are step functions: a point is kept only where the value changes, plus the last one, so nothing is lost and 10⁵
        samples of an idle hour are a handful of points.
Rule 2. Nothing here judges.

Sources: docs/observer.md.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from fiscotool.consistency.facts import FOREVER, Facts
from fiscotool.consistency.observations import Observations, Sample

Point = tuple[float, int]
"""Seconds, and the value from then on."""
Span = tuple[float, float]
"""Seconds, from and to."""

_GAP_S: Final = 3.0
"""Longer without an answer, and nothing is drawn."""


@dataclass(frozen=True, slots=True)
class NodeSeries:
    """One node over time. `up` are the spans in which it answered, `timeouts` those in which it said it was in time-out."""

    node: str
    heights: tuple[Point, ...]
    views: tuple[Point, ...]
    timeouts: tuple[Span, ...]
    up: tuple[Span, ...]
    restarts: tuple[float, ...]
    error_count: int
    sample_count: int


@dataclass(frozen=True, slots=True)
class FaultBand:
    """One fault as a band. `end_s` is the end of the recording if it was never healed."""

    fault_id: str
    kind: str
    node: str
    role: str
    start_s: float
    end_s: float
    is_healed: bool


@dataclass(frozen=True, slots=True)
class BlockMark:
    """One block at the time it was first shown."""

    shown_s: float
    number: int
    sealer: str
    tx_count: int | None


@dataclass(frozen=True, slots=True)
class RateBucket:
    """Transactions sent and committed in one stretch of time; counts, not per second."""

    start_s: float
    end_s: float
    sent: int
    committed: int
    failed: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything a chart needs."""

    start_s: float
    end_s: float
    nodes: tuple[NodeSeries, ...]
    faults: tuple[FaultBand, ...]
    blocks: tuple[BlockMark, ...]
    rates: tuple[RateBucket, ...]


def timeline(observations: Observations, *, bucket_count: int = 120) -> Timeline:
    """The series of a run. `bucket_count`: into how many stretches the transactions are counted."""
    facts = Facts(observations)
    end_s = facts.end_s
    start_s = min((sample.sent_s for sample in observations.samples), default=0.0)
    names = list(dict.fromkeys([*facts.names, *facts.samples_of]))
    bands = tuple(
        FaultBand(f.fault_id, f.kind, f.node, f.role, f.injected_s, end_s if f.healed_s is None else f.healed_s, f.healed_s is not None)
        for f in sorted(observations.faults, key=lambda fault: fault.injected_s)
    )
    return Timeline(
        start_s=start_s,
        end_s=end_s,
        nodes=tuple(_series(facts, name) for name in names),
        faults=bands,
        blocks=_blocks(facts, start_s),
        rates=_rates(observations, start_s, end_s, bucket_count),
    )


def _series(facts: Facts, name: str) -> NodeSeries:
    samples = facts.samples_of.get(name, ())
    answered = [sample for sample in samples if not sample.error]
    lives = facts.lives.get(name, ())
    restarts = tuple(
        later.first_got_s
        for earlier, later in itertools.pairwise(lives)
        # A life whose process was not recorded may be the same one.
        if None not in (earlier.incarnation, later.incarnation) and later.incarnation != earlier.incarnation
    )
    return NodeSeries(
        node=name,
        heights=_steps((s.got_s, s.height) for s in answered),
        views=_steps((s.got_s, s.view) for s in answered),
        timeouts=_spans([(s, bool(s.timeout)) for s in answered if s.timeout is not None], facts.end_s),
        up=_spans([(s, not s.error) for s in samples], facts.end_s, is_seen_only=True),
        restarts=restarts,
        error_count=len(samples) - len(answered),
        sample_count=len(samples),
    )


def _steps(pairs: Iterable[tuple[float, int | None]]) -> tuple[Point, ...]:
    """Points where the value changes, and the last point."""
    kept: list[Point] = []
    last: Point | None = None
    for at_s, value in pairs:
        if value is None:
            continue
        if not kept or kept[-1][1] != value:
            kept.append((at_s, value))
        last = (at_s, value)
    if last is not None and kept and kept[-1] != last:
        kept.append(last)
    return tuple(kept)


def _spans(flags: list[tuple[Sample, bool]], end_s: float, *, is_seen_only: bool = False) -> tuple[Span, ...]:
    """Stretches in which the flag held from sample to sample, up to the one where it did not, or only to the last one where it did."""
    found: list[Span] = []
    since_s: float | None = None
    last_s = 0.0
    for sample, holds in flags:
        if since_s is not None and (not holds or sample.sent_s - last_s > _GAP_S):
            is_known_until = not is_seen_only and not holds and sample.sent_s - last_s <= _GAP_S
            found.append((since_s, sample.sent_s if is_known_until else last_s))
            since_s = None
        if holds and since_s is None:
            since_s = sample.got_s
        last_s = sample.got_s
    if since_s is not None:
        found.append((since_s, min(end_s, last_s)))
    return tuple(found)


def _blocks(facts: Facts, start_s: float) -> tuple[BlockMark, ...]:
    marks = []
    for number, block in facts.chain.items():
        shown_s = facts.first_shown_s(number)
        if shown_s == FOREVER or shown_s < start_s or number == 0:
            continue
        marks.append(
            BlockMark(shown_s, number, facts.sealer_name(block, block.sealer), len(block.tx_hashes) if block.tx_hashes_known else None)
        )
    return tuple(sorted(marks, key=lambda mark: mark.shown_s))


def _rates(observations: Observations, start_s: float, end_s: float, bucket_count: int) -> tuple[RateBucket, ...]:
    if not observations.txs or end_s <= start_s or bucket_count < 1:
        return ()
    edges = [start_s + (end_s - start_s) * index / bucket_count for index in range(bucket_count + 1)]
    sent, committed, failed = [0] * bucket_count, [0] * bucket_count, [0] * bucket_count
    for tx in observations.txs:
        sent[_bucket(edges, tx.sent_s)] += 1
        if tx.outcome == "committed":
            committed[_bucket(edges, tx.got_s)] += 1
        else:
            failed[_bucket(edges, tx.sent_s)] += 1
    return tuple(RateBucket(edges[index], edges[index + 1], sent[index], committed[index], failed[index]) for index in range(bucket_count))


def _bucket(edges: list[float], at_s: float) -> int:
    return min(max(bisect_right(edges, at_s) - 1, 0), len(edges) - 2)
