"""Rules of 3.x that say nothing of a 2.x chain, and what of a 2.x sample may be compared.

Rule. A rule about what 2.x does not have, or does not tell, is inconclusive there, with the reason; never violated, never held.

Facts: in 2.x the view starts again at 0 with every block and grows by one a second while there are none; within one height, in one
life of a process, it does not fall. The leader of block h is (view + h - 1) mod n (consistency.schedule2). changeCycle and the leader
are not told; there are no filler blocks, since a proposal without transactions is never committed.

Sources: spec 2.x 1.1, 1.7, 1.10, 1.13 (4, 5, 8); recordings v2/timeline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final

from fiscotool.consistency.examination import Words
from fiscotool.consistency.findings import Finding, Invariant, Verdict
from fiscotool.consistency.observations import Sample

if TYPE_CHECKING:
    from fiscotool.consistency.facts import Facts

SECOND: Final = 2

NOT_OF_2X: Final[dict[str, Words]] = {
    "announced-leader": Words("2.x nodes do not tell whom they take for the leader.", "2.x 节点不公布其认定的领导者。"),
    "read-own-receipt": Words(
        "2.x answers before the block: what a load of this tool counts as committed, any node's block has shown.",
        "2.x 在出块之前就应答：本工具的负载以任一节点的区块确认交易。",
    ),
    "view-sequence": Words("2.x views start again with every block.", "2.x 的视图随每个区块重新开始。"),
    "needless-view-change": Words("2.x changes views by itself while there is nothing to do.", "2.x 空闲时自行切换视图。"),
    "timer-reset": Words("2.x nodes do not tell their changeCycle.", "2.x 节点不给出 changeCycle。"),
    "timer-backoff": Words("2.x nodes do not tell their changeCycle.", "2.x 节点不给出 changeCycle。"),
}
"""Why a rule is not asked of a 2.x chain, by the invariant's id."""

_CLASSIC: Final = "classic"

NOT_OF_CLASSIC: Final[dict[str, Words]] = {
    "timer-reset": Words(
        "The published protocol counts time-outs until a block is executed, not until a view begins.",
        "原始 PBFT 的超时计数在区块执行后清零，而不是在进入视图时。",
    ),
    "timer-backoff": Words(
        "In the published protocol a replica that joins others or restarts counts a time-out it did not wait for.",
        "原始 PBFT 中，跟随他人或重启的副本会计入一次自己并未等待的超时。",
    ),
}
"""Why a rule is not asked of an embedded chain that runs PBFT as published. Its leader is that of the view alone (RunInfo)."""


def is_second(facts: Facts) -> bool:
    """Whether the chain is of 2.x."""
    return facts.run.generation == SECOND


def decide(invariant: Invariant, rule: Callable[[Facts], Finding], facts: Facts) -> Finding:
    """The rule's finding; inconclusive for one that says nothing of this chain."""
    if facts.run.protocol == _CLASSIC:
        words = NOT_OF_CLASSIC.get(invariant.id)
    else:
        words = NOT_OF_2X.get(invariant.id) if is_second(facts) else None
    return rule(facts) if words is None else Finding(invariant, Verdict.INCONCLUSIVE, words.en, words.zh, 0)


def rests_of(samples: Sequence[Sample]) -> Iterator[list[Sample]]:
    """The samples of one life that were surely taken at one height, height by height.

    A sample counts if the one before it and the one after it show the same height as it does: then the height stood still while it was
    taken, and its view is of that height.
    """
    dated = _with_heights(samples)
    for _, group in groupby(dated, key=lambda item: item[1]):
        inner = [sample for sample, _ in group][1:-1]
        if inner:
            yield inner


def _with_heights(samples: Sequence[Sample]) -> list[tuple[Sample, int]]:
    """Each sample with the height told last by then; heights do not fall, so that equal ones on both sides leave no room for another."""
    found: list[tuple[Sample, int]] = []
    height: int | None = None
    for sample in samples:
        told = [value for value in (sample.height, sample.consensus_height) if value is not None]
        if told:
            # A torn answer that tells two heights belongs to neither.
            height = told[0] if len(set(told)) == 1 else -len(found) - 1
        if height is not None:
            found.append((sample, height))
    return found
