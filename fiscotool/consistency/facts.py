"""What all rules ask of a recording, indexed once: who said what when, the chain as told, and when a block can have been made.

Rule 1. `first_shown_s(h)` is an upper bound of the time block h was first committed anywhere; `sealed_after_s(h)` a lower bound of
        the time it was proposed. Both are sound for any sampling, and both may be infinite.
Rule 2. What a node declared Byzantine says is left out by `judge` before this class is made; it stays a sealer all the same.

Theory. A block can hold only transactions that were sent before it was sealed, sealing follows height, and a leader seals at
most `PIPELINE_BLOCKS` above its ledger (spec 3.x 1.1, 1.8): two lower bounds that need no clock of any node.

Sources: spec 3.x 1.5, 1.8; docs/invariants.md on sampling.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import cached_property
from typing import Final

from fiscotool.consistency.downtime import ONE_HOST_CLOCK_ERROR_S, Downtime, QuorumLost, downtimes, quorum_losses
from fiscotool.consistency.lives import Life, Views, lives_of
from fiscotool.consistency.observations import BlockSeen, Observations, Sample, TxSeen

PIPELINE_BLOCKS: Final = 50
"""How far above its ledger a leader may seal: the smallest value FISCO accepts for `consensus.pipeline_size`."""

FOREVER: Final = float("inf")


def faulty_weight_max(weight_total: int) -> int:
    """The most weight that may be faulty: f = ⌊(W−1)/3⌋ (bcos-pbft PBFTConfig `updateQuorum`)."""
    return (weight_total - 1) // 3


def quorum_weight(weight_total: int) -> int:
    """The weight that decides: q = W − f."""
    return weight_total - faulty_weight_max(weight_total)


class Facts:
    """A recording, indexed. Everything here is derived from `observations` alone."""

    def __init__(self, observations: Observations) -> None:
        self.observations = observations
        self.run = observations.run
        self.names: tuple[str, ...] = tuple(node.name for node in observations.run.nodes)
        self.name_of_id = {node.node_id.lower().removeprefix("0x"): node.name for node in observations.run.nodes}
        grouped: defaultdict[str, list[Sample]] = defaultdict(list)
        for sample in observations.samples:
            grouped[sample.node].append(sample)
        self.samples_of: dict[str, tuple[Sample, ...]] = {
            name: tuple(sorted(grouped[name], key=lambda sample: sample.sent_s)) for name in sorted(grouped, key=_natural)
        }
        told: defaultdict[int, list[BlockSeen]] = defaultdict(list)
        for block in observations.blocks:
            told[block.number].append(block)
        self.told_at: dict[int, tuple[BlockSeen, ...]] = {number: tuple(told[number]) for number in sorted(told)}

    @cached_property
    def end_s(self) -> float:
        """When the recording ended: said so, or the last thing in it."""
        if self.observations.ended_s is not None:
            return self.observations.ended_s
        times = (
            [s.got_s for s in self.observations.samples]
            + [b.seen_s for b in self.observations.blocks]
            + [t.got_s for t in self.observations.txs]
        )
        return max(times, default=0.0)

    @cached_property
    def chain(self) -> dict[int, BlockSeen]:
        """One telling a height: of the hash most nodes told. Where that is not one hash, agreement is broken and says so."""
        chosen = {}
        for number, blocks in self.told_at.items():
            votes = Counter(block.block_hash for block in {block.node: block for block in blocks}.values())
            best = max(votes.values())
            winner = next(block.block_hash for block in blocks if votes.get(block.block_hash, 0) == best)
            # A telling with transaction hashes says more than one without.
            chosen[number] = max((b for b in blocks if b.block_hash == winner), key=lambda b: b.tx_hashes_known)
        return chosen

    @cached_property
    def lives(self) -> dict[str, tuple[Life, ...]]:
        """Each node's lives in order."""
        return {name: lives_of(samples) for name, samples in self.samples_of.items()}

    @cached_property
    def views(self) -> dict[str, Views]:
        """Each node's possible views."""
        return {name: Views(lives) for name, lives in self.lives.items()}

    @cached_property
    def downtimes(self) -> tuple[Downtime, ...]:
        """Spans in which a node certainly did nothing."""
        # Where clocks may differ by who knows how much, the start of a process tells nothing.
        epoch_s = None if self.clock_error_s is None else self.run.started_epoch_s
        error_s = self.run.clock_error_s or 0.0
        return downtimes(self.observations.faults, self.samples_of, epoch_s=epoch_s, clock_error_s=error_s)

    @cached_property
    def clock_error_s(self) -> float | None:
        """How far the clocks of nodes and observer may be apart; None if nobody knows."""
        if self.run.clock_error_s is not None:
            return self.run.clock_error_s
        return ONE_HOST_CLOCK_ERROR_S if len({node.host for node in self.run.nodes}) == 1 else None

    @cached_property
    def quorum_losses(self) -> tuple[QuorumLost, ...]:
        """Spans in which the sealers were certainly short of a quorum, by the list of the last block told."""
        weights = self.weights_by_name(max(self.chain, default=0))
        return quorum_losses(self.downtimes, weights, quorum_weight(sum(weights.values()))) if weights else ()

    def sealers_at(self, number: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """Sealer ids and weights in force at a height: the block's own, or the nearest earlier ones for a filler without a list."""
        heights = self._heights_with_list
        at = bisect_left(heights, number + 1) - 1
        if at < 0:
            return ((), ()) if not heights else self._list_of(heights[0])
        return self._list_of(heights[at])

    def weights_by_name(self, number: int) -> dict[str, int]:
        """Weight of each sealer at a height, by node name (an unknown sealer keeps its id). Without headers: one each."""
        ids, weights = self.sealers_at(number)
        if not ids:
            return dict.fromkeys(self.names, 1)
        return {self.name_of(node_id): weight for node_id, weight in zip(ids, weights, strict=False)}

    def name_of(self, node_id: str) -> str:
        """The run's name of a sealer, or the beginning of its id."""
        clean = node_id.lower().removeprefix("0x")
        return self.name_of_id.get(clean, clean[:8] + "…")

    def sealer_name(self, block: BlockSeen, index: int) -> str:
        """The node behind a sealer index of this block."""
        ids, _ = (block.sealer_list, ()) if block.sealer_list else self.sealers_at(block.number)
        return self.name_of(ids[index]) if 0 <= index < len(ids) else f"#{index}"

    def first_shown_s(self, number: int) -> float:
        """By when some node had this block (the earliest answer that shows it); infinite if none did."""
        times, heights = self._shown
        at = bisect_left(heights, number)
        return times[at] if at < len(times) else FOREVER

    def first_shown_by_s(self, node: str, number: int) -> float:
        """By when this node had this block; infinite if it never showed it."""
        times, heights = self._shown_by.get(node, ([], []))
        at = bisect_left(heights, number)
        return times[at] if at < len(times) else FOREVER

    def committed_after_s(self, number: int) -> float:
        """A time before which certainly no sealer had this block; minus infinity if a sealer was never seen below it."""
        return min((self.asked_below_s(name, number) for name in self.weights_by_name(number)), default=-FOREVER)

    def asked_below_s(self, node: str, number: int) -> float:
        """When this node was last asked and did not yet have this block; minus infinity if it was never seen below it."""
        sent, heights = self._asked_by.get(node, ([], []))
        at = bisect_left(heights, number)
        return sent[at - 1] if at else -FOREVER

    def growth(self) -> tuple[list[float], list[int]]:
        """When the chain was first shown to be longer, and how long then."""
        return self._shown

    def height_shown_by(self, time_s: float, *, other_than: str = "") -> int:
        """The largest height any (other) node had shown by then; 0 if none."""
        best = 0
        for node, (times, heights) in self._shown_by.items():
            at = bisect_right(times, time_s)
            if node != other_than and at:
                best = max(best, heights[at - 1])
        return best

    def sealed_after_s(self, number: int) -> float:
        """A time before which this block cannot have been sealed; minus infinity if nothing bounds it."""
        return self._sealed_after.get(number, -FOREVER)

    def is_empty(self, block: BlockSeen) -> bool:
        """Whether the block certainly holds no transaction."""
        return block.tx_hashes_known and not block.tx_hashes

    @cached_property
    def txs_by_hash(self) -> dict[str, tuple[TxSeen, ...]]:
        """Every attempt to send a transaction, by hash."""
        found: defaultdict[str, list[TxSeen]] = defaultdict(list)
        for tx in self.observations.txs:
            found[tx.tx_hash].append(tx)
        return {tx_hash: tuple(attempts) for tx_hash, attempts in found.items()}

    @cached_property
    def heights_of_tx(self) -> dict[str, tuple[int, ...]]:
        """Every height at which the chain has a transaction, once for each time it stands there."""
        found: defaultdict[str, list[int]] = defaultdict(list)
        for number, block in self.chain.items():
            for tx_hash in block.tx_hashes:
                found[tx_hash].append(number)
        return {tx_hash: tuple(heights) for tx_hash, heights in found.items()}

    @cached_property
    def _heights_with_list(self) -> list[int]:
        return [number for number, block in self.chain.items() if block.sealer_list]

    def _list_of(self, number: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
        block = self.chain[number]
        return block.sealer_list, block.weights or (1,) * len(block.sealer_list)

    @cached_property
    def _shown(self) -> tuple[list[float], list[int]]:
        believed = [node for node in self._shown_by if node not in self.early_claims] or list(self._shown_by)
        return _steps(pair for node in believed for pair in self._shown_pairs(node))

    @cached_property
    def early_claims(self) -> dict[str, tuple[int, float]]:
        """Nodes that claimed a block before its transactions were sent, with the height and the time: they do not tell the truth.

        What such a node shows is no bound of anything, or one liar would make the other sealers look guilty.
        """
        found = {}
        numbers = list(self.chain)
        for node, (times, heights) in self._shown_by.items():
            for at_s, height in zip(times, heights, strict=True):
                at = bisect_right(numbers, height) - 1
                if at >= 0 and self.sealed_after_s(numbers[at]) > at_s:
                    found[node] = (height, at_s)
                    break
        return found

    @cached_property
    def _shown_by(self) -> dict[str, tuple[list[float], list[int]]]:
        nodes = {*self.samples_of, *(block.node for block in self.observations.blocks)}
        return {node: _steps(self._shown_pairs(node)) for node in nodes}

    def _shown_pairs(self, node: str) -> Iterable[tuple[float, int]]:
        for sample in self.samples_of.get(node, ()):
            height = max(sample.height or 0, sample.consensus_height or 0)
            if height:
                yield sample.got_s, height
        yield from self._blocks_by.get(node, ())

    @cached_property
    def _blocks_by(self) -> dict[str, list[tuple[float, int]]]:
        found: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
        for block in self.observations.blocks:
            found[block.node].append((block.seen_s, block.number))
        return found

    @cached_property
    def _asked_by(self) -> dict[str, tuple[list[float], list[int]]]:
        """Per node: times of questions, and the highest ledger height answered by then (running maximum)."""
        found = {}
        for name, samples in self.samples_of.items():
            sent, heights, best = [], [], 0
            for sample in samples:
                if sample.height is None:
                    continue
                best = max(best, sample.height)
                sent.append(sample.sent_s)
                heights.append(best)
            found[name] = (sent, heights)
        return found

    @cached_property
    def _sealed_after(self) -> dict[int, float]:
        newest: defaultdict[int, float] = defaultdict(lambda: -FOREVER)
        for tx_hash, attempts in self.txs_by_hash.items():
            sent_s = min(attempt.sent_s for attempt in attempts)
            heights = self.heights_of_tx.get(tx_hash) or tuple(
                a.block_number for a in attempts if a.block_number is not None and not self._lists_transactions(a.block_number)
            )
            for number in heights:
                newest[number] = max(newest[number], sent_s)
        bounds, best = {}, -FOREVER
        for number in self.chain:
            best = max(best, newest[number], self.committed_after_s(number - PIPELINE_BLOCKS) if number > PIPELINE_BLOCKS else -FOREVER)
            bounds[number] = best
        return bounds

    def _lists_transactions(self, number: int) -> bool:
        block = self.chain.get(number)
        return block is not None and block.tx_hashes_known


def _steps(pairs: Iterable[tuple[float, int]]) -> tuple[list[float], list[int]]:
    """Times at which the running maximum rose, and to what."""
    times: list[float] = []
    values: list[int] = []
    for time_s, value in sorted(pairs):
        if not values or value > values[-1]:
            times.append(time_s)
            values.append(value)
    return times, values


def _natural(name: str) -> tuple[str, int, str]:
    """node2 before node10."""
    stem = name.rstrip("0123456789")
    digits = name[len(stem) :]
    return stem, int(digits) if digits else -1, name
