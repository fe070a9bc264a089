"""Small edits of a recording: what a wrong node, a wrong chain or a legal oddity would have left in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fiscotool.consistency.observations import BlockSeen, Observations, Sample, TxSeen

Edit = Callable[[Observations], Observations]


def blocks(seen: Observations, number: int, *, node: str = "", **changes: Any) -> Observations:
    """Every telling of a block, or one node's, with other fields; a callable gets the old value."""

    def changed(block: BlockSeen) -> BlockSeen:
        if block.number != number or (node and block.node != node):
            return block
        return replace(block, **{key: value(getattr(block, key)) if callable(value) else value for key, value in changes.items()})

    return replace(seen, blocks=tuple(changed(block) for block in seen.blocks))


def samples(seen: Observations, node: str, from_s: float = 0.0, to_s: float = 1e9, **changes: Any) -> Observations:
    """A node's answers to questions asked in [from_s, to_s), with other fields."""

    def changed(sample: Sample) -> Sample:
        if sample.node != node or not from_s <= sample.sent_s < to_s or sample.error:
            return sample
        return replace(sample, **{key: value(getattr(sample, key)) if callable(value) else value for key, value in changes.items()})

    return replace(seen, samples=tuple(changed(sample) for sample in seen.samples))


def one_sample(seen: Observations, node: str, at_s: float, **changes: Any) -> Observations:
    """The first answered sample of a node asked at or after `at_s`, with other fields."""
    sent_s = next(s.sent_s for s in seen.samples if s.node == node and s.sent_s >= at_s and not s.error)
    return samples(seen, node, sent_s, sent_s + 1e-6, **changes)


def without_txs(seen: Observations, gone: Callable[[TxSeen], bool]) -> Observations:
    """As if a client had never sent some transactions."""
    return replace(seen, txs=tuple(tx for tx in seen.txs if not gone(tx)))


def emptied(seen: Observations, number: int) -> Observations:
    """A block without its transactions, which were never sent."""
    held = set(telling(seen, number).tx_hashes)
    return blocks(without_txs(seen, lambda tx: tx.tx_hash in held), number, tx_hashes=())


def telling(seen: Observations, number: int) -> BlockSeen:
    """Some telling of a block."""
    return next(block for block in seen.blocks if block.number == number)


def made_at(seen: Observations, at_s: float) -> int:
    """The number of the first block sealed at or after `at_s`."""
    assert seen.run.started_epoch_s is not None
    stamp_ms = (seen.run.started_epoch_s + at_s) * 1000
    return min(block.number for block in seen.blocks if block.number and block.timestamp_ms >= stamp_ms)


def stalled(seen: Observations, from_s: float, to_s: float) -> Observations:
    """Blocks made in between become visible only at `to_s`, and clients wait as long."""
    cap = max((s.height or 0 for s in seen.samples if s.got_s < from_s), default=0)

    def held(sample: Sample) -> Sample:
        if sample.height is None or sample.got_s >= to_s or sample.height <= cap:
            return sample
        return replace(sample, height=cap, consensus_height=cap, block_hash=None, leader_index=None, known_height=cap)

    return replace(
        seen,
        samples=tuple(held(sample) for sample in seen.samples),
        blocks=tuple(replace(b, seen_s=max(b.seen_s, to_s + 0.5)) if b.number > cap and b.seen_s < to_s + 0.5 else b for b in seen.blocks),
        txs=tuple(replace(tx, got_s=to_s + 0.5) if (tx.block_number or 0) > cap and tx.got_s < to_s else tx for tx in seen.txs),
    )


def turned(seen: Observations, at_s: float, *, blind_s: float = 0.0) -> Observations:
    """From `at_s` on every node is in the next view, and so are the proposers; within `blind_s` of that no view was sampled."""
    number = made_at(seen, at_s)
    for node in [each.name for each in seen.run.nodes]:
        seen = samples(seen, node, at_s, view=lambda view: view + 1, leader_index=lambda leader: (leader + 1) % 4)
        if blind_s:
            seen = samples(seen, node, at_s - blind_s, at_s + blind_s, view=None)
    turned_blocks = tuple(replace(b, sealer=(b.sealer + 1) % 4) if b.number >= number else b for b in seen.blocks)
    return replace(seen, blocks=turned_blocks)
