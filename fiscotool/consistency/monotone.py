"""Nothing goes back: heights never, views not within one life of a process.

Theory. For a quantity that may only grow, comparing samples ordered in real time (a.got_s < b.sent_s) is sound and complete: a
growing history through all intervals exists exactly if no earlier sample is above a later one. One pass with a running maximum
over samples sorted by their ends decides it, O(k log k).

FISCO deviation. The view is kept in memory only and starts again at 0 with every process (spec 3.x 1.12), so it is compared within
one incarnation (pid and start time); in 2.x it starts again with every block, so it is compared within one height. The height is on
disk and survives `kill -9`; only a wiped data directory may lower it.

Sources: spec 3.x 1.17 (8, 9); docs/invariants.md on sampling.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from fiscotool.consistency.downtime import WIPE_KINDS
from fiscotool.consistency.examination import Examination, Words, evidence
from fiscotool.consistency.facts import Facts
from fiscotool.consistency.findings import Finding, Invariant, InvariantClass
from fiscotool.consistency.generations import is_second, rests_of

HEIGHT_MONOTONE: Final = Invariant(
    "height-monotone",
    InvariantClass.DURABILITY,
    "Heights never fall",
    "高度从不回退",
    "Of two answers of one node ordered in real time, the later never shows a smaller height, also across restarts and kill -9; "
    "exempt is a node whose data directory was removed on purpose in between.",
    "同一节点按真实时间先后的两次回答，后者的高度从不更小，重启与 kill -9 之后亦然；仅当其间有意删除了数据目录时例外。",
    "spec 3.x 1.13, 1.17 (9); bcos-ledger",
)

VIEW_MONOTONE: Final = Invariant(
    "view-monotone",
    InvariantClass.SAFETY,
    "Views never fall within a process life",
    "同一进程生命期内视图从不回退",
    "Of two answers of one process (same pid and start time) ordered in real time, the later never shows a smaller view.",
    "同一进程（pid 与启动时间相同）按真实时间先后的两次回答，后者的视图从不更小。",
    "OSDI'99 4.4; spec 3.x 1.17 (8); bcos-pbft PBFTConfig m_view",
)

CONSENSUS_HEIGHT: Final = Invariant(
    "consensus-height",
    InvariantClass.CONFORMANCE,
    "Consensus does not run ahead of the ledger",
    "共识高度不超过账本高度",
    "The block number in a node's consensus status is never above the ledger height the same node shows later, and never below the one it "
    "showed 30 s before.",
    "节点共识状态中的区块高度，从不大于同一节点之后给出的账本高度，也从不小于它 30 秒之前给出的账本高度。",
    "bcos-pbft PBFTConfig committedProposal; spec 3.x 1.8 (14)",
)


FOLLOWS_WITHIN_S: Final = 30.0
"""How long consensus may take to learn of a block in its own ledger: one poll more than the slowest round of block sync."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One value a node told: it was true at some instant between `sent_s` and `got_s`."""

    sent_s: float
    got_s: float
    value: int
    line: int


def falls(earlier: Iterable[Reading], later: Iterable[Reading]) -> Iterator[tuple[Reading | None, Reading]]:
    """For each later reading that has earlier ones before it: the greatest of those if it is above, else None."""
    ended = sorted(earlier, key=lambda reading: reading.got_s)
    best: Reading | None = None
    at = 0
    for reading in sorted(later, key=lambda reading: reading.sent_s):
        while at < len(ended) and ended[at].got_s < reading.sent_s:
            if best is None or ended[at].value > best.value:
                best = ended[at]
            at += 1
        if best is not None:
            yield (best if best.value > reading.value else None), reading


def check_height_monotone(facts: Facts) -> Finding:
    """Heights by node, cut where its data was wiped."""
    exam = Examination(HEIGHT_MONOTONE)
    for node, samples in facts.samples_of.items():
        wipes = wipes_of(facts, node)
        for epoch in range(len(wipes) + 1):
            readings = [
                Reading(s.sent_s, s.got_s, s.height, s.line) for s in samples if s.height is not None and epoch_of(wipes, s.sent_s) == epoch
            ]
            told = [
                Reading(b.seen_s, b.seen_s, b.number, b.line)
                for b in facts.observations.blocks
                if b.node == node and epoch_of(wipes, b.seen_s) == epoch
            ]
            judge_falls(exam, node, "height", "高度", falls([*readings, *told], readings))
    return exam.finding(
        Words(
            f"{exam.checked_count} later answers, none lower than an earlier one.", f"{exam.checked_count} 次后续回答，没有一次低于之前。"
        ),
        Words("No node answered twice.", "没有节点回答过两次。"),
    )


def check_view_monotone(facts: Facts) -> Finding:
    """Views by life; in 2.x by life and height."""
    exam = Examination(VIEW_MONOTONE)
    unknown = 0
    for node, lives in facts.lives.items():
        for life in lives:
            for samples in rests_of(life.samples) if is_second(facts) else (life.samples,):
                readings = [Reading(s.sent_s, s.got_s, s.view, s.line) for s in samples if s.view is not None]
                if life.incarnation is None:
                    # What never fell has fallen within no life, wherever one ended; a fall may have been the end of one.
                    for fall, _ in falls(readings, readings):
                        unknown += fall is not None
                        exam.checked_count += fall is None
                    continue
                judge_falls(exam, node, "view", "视图", falls(readings, readings))
    if unknown:
        exam.cannot_tell(
            Words(
                f"{unknown} answers show a smaller view than before, from processes whose identity is not recorded: perhaps restarts.",
                f"{unknown} 次回答的视图小于之前，但未记录进程身份：可能是重启所致。",
            )
        )
    return exam.finding(
        Words(f"{exam.checked_count} later answers, none of a smaller view.", f"{exam.checked_count} 次后续回答，视图从未变小。"),
        Words("No node answered twice.", "没有节点回答过两次。"),
    )


def check_consensus_height(facts: Facts) -> Finding:
    """The consensus status against later ledger heights."""
    exam = Examination(CONSENSUS_HEIGHT)
    for node, samples in facts.samples_of.items():
        wipes = wipes_of(facts, node)
        for epoch in range(len(wipes) + 1):
            told = [s for s in samples if epoch_of(wipes, s.sent_s) == epoch]
            status = [Reading(s.sent_s, s.got_s, s.consensus_height, s.line) for s in told if s.consensus_height is not None]
            ledger = [Reading(s.sent_s, s.got_s, s.height, s.line) for s in told if s.height is not None]
            judge_falls(exam, node, "height after its consensus status", "（相对共识状态的）账本高度", falls(status, ledger))
            settled = [replace(reading, got_s=reading.got_s + FOLLOWS_WITHIN_S) for reading in ledger]
            judge_falls(exam, node, "consensus height long after its ledger", "（相对先前账本的）共识高度", falls(settled, status))
    return exam.finding(
        Words(
            f"{exam.checked_count} ledger heights, none below an earlier consensus status.",
            f"{exam.checked_count} 次账本高度，均不低于之前的共识状态。",
        ),
        Words("No consensus status was read before a ledger height.", "没有在账本高度之前读到共识状态。"),
    )


def judge_falls(exam: Examination, node: str, what: str, what_zh: str, found: Iterator[tuple[Reading | None, Reading]]) -> None:
    """Count every later reading; one breach for each stretch of readings below an earlier one."""
    is_falling = False
    for best, reading in found:
        exam.checked_count += 1
        if best is None:
            is_falling = False
        elif not is_falling:
            # One breach a fall, not one for every sample until it is made up for.
            is_falling = True
            exam.breach(
                evidence(
                    Words(
                        f"{node} showed {what} {best.value} by {best.got_s:.2f} s and {reading.value} after {reading.sent_s:.2f} s.",
                        f"{node} 的{what_zh}在 {best.got_s:.2f} 秒前为 {best.value}，在 {reading.sent_s:.2f} 秒后为 {reading.value}。",
                    ),
                    node=node,
                    height=reading.value if what == "height" else None,
                    lines=(best.line, reading.line),
                    before=best.value,
                    after=reading.value,
                )
            )


def wipes_of(facts: Facts, node: str) -> tuple[float, ...]:
    """When this node's data directory was removed, in order."""
    return tuple(sorted(f.injected_s for f in facts.observations.faults if f.node == node and f.kind.lower() in WIPE_KINDS))


def epoch_of(wipes: tuple[float, ...], time_s: float) -> int:
    """How many removals lie before `time_s`: heights are compared within one epoch only."""
    return sum(1 for wiped_s in wipes if wiped_s <= time_s)
