"""Does the chain go on: after each fault and heal, and all the time, as fast as the timers allow?

Theory. With a quorum up and work to do, a new block comes after at most f+2 time-outs of a chain whose timers stand at cycle c:
f faulty leaders in a row, and one that was under way (observables L1); in 2.x after a whole turn of n more:

    bound = Σ T·1.5^min(k,10) for k = c … c+f+1, plus slack for execution, reconnection and polling.

Rule 1. Nothing is demanded of an idle chain (FISCO seals no empty blocks) or of one without a quorum.
Rule 2. A later fault or heal starts the bound anew: the timers may have been torn down by it. A heal shortly before counts, too.
Rule 3. A block counts as progress if it was sealed after the moment in question; what was in flight before does not.

Sources: Castro–Liskov 4.5.2; spec 3.x 1.10, 1.11, 1.15; docs/invariants.md L1.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import Final

from fiscotool.consistency.downtime import affects_process
from fiscotool.consistency.examination import Examination, Words, evidence
from fiscotool.consistency.facts import FOREVER, Facts, faulty_weight_max
from fiscotool.consistency.findings import Evidence, Finding, Invariant, InvariantClass
from fiscotool.consistency.generations import is_second
from fiscotool.consistency.observations import FaultSeen, Sample
from fiscotool.consistency.status import timeout_s
from fiscotool.consistency.steadiness import Steadiness

PROGRESS: Final = Invariant(
    "progress-after-fault",
    InvariantClass.LIVENESS,
    "The chain goes on after a fault",
    "故障后链继续出块",
    "After every injection and every heal, if sealers of a quorum are up and undisturbed and a transaction is waiting, a block sealed "
    "after it appears within Σ T·1.5^min(k,10) for k = c … c+f+1, plus 5 s after an injection and 15 s after a heal (c: "
    "largest changeCycle then; n more in 2.x, 2 more once the network was broken). The sampling error is on the chain's side.",
    "每次故障注入与修复之后，若法定多数的共识节点正常且未受干扰，并有交易待处理，则在 Σ T·1.5^min(k,10)（k = c … c+f+1，c 为当时最大的 "
    "changeCycle；2.x 另加 n，网络曾受损另加 2）加 5 秒（注入后）或 15 秒（修复后）之内出现在其后出块的区块。采样误差按有利于链的一方计。",
    "OSDI'99 4.5.2; bcos-pbft PBFTTimer.h; spec 3.x 1.10",
)

NO_STALL: Final = Invariant(
    "no-stall",
    InvariantClass.LIVENESS,
    "No stall while there is work",
    "有交易时不停滞",
    "Also without a fault: while a quorum is up and undisturbed and a transaction is waiting, no two blocks in a row are "
    "further apart than the bound of `progress-after-fault` with c = 0.",
    "没有故障时亦然：法定多数正常且未受干扰、并有交易待处理时，相邻两个区块的间隔不超过「故障后链继续出块」在 c = 0 时的上限。",
    "OSDI'99 4.5.2; spec 3.x 1.8, 1.10",
)

INJECT_SLACK_S: Final = 5.0
HEAL_SLACK_S: Final = 15.0
"""Peers look for lost connections every 10 s (spec 3.x 1.15)."""
_APART_VIEWS: Final = 2
"""Views that may run out while replicas that were kept apart meet."""
_READY_S: Final = 5.0
"""A started node need not answer at once; from then on it must."""


class Outcome(Enum):
    """How the wait for progress ended."""

    MADE = "made"
    LATE = "late"
    IDLE = "idle"
    NO_QUORUM = "no quorum"
    UNFINISHED = "unfinished"


@dataclass(frozen=True, slots=True)
class Wait:
    """One wait for progress from `from_s`: which block ended it, when it was shown at the latest, and when it had to be."""

    from_s: float
    outcome: Outcome
    number: int | None
    shown_s: float
    deadline_s: float


class Progress:
    """Judges waits. Shared by the two rules here and the table of recoveries."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self.steadiness = Steadiness(facts)
        faults = [fault for fault in facts.observations.faults if fault.confirmed]
        self._heals = {fault.healed_s for fault in faults if fault.healed_s is not None}
        self._moments = sorted({fault.injected_s for fault in faults} | self._heals)
        self._network_faults = [fault.injected_s for fault in faults if not affects_process(fault)]
        told = (
            sorted((s.got_s, cycle) for life in lives for s in life.samples if (cycle := cycle_of(s)) is not None)
            for lives in facts.lives.values()
        )
        self._cycles = [([got_s for got_s, _ in each], [cycle for _, cycle in each]) for each in told]

    def bound_s(self, at_s: float, slack_s: float) -> float:
        """How long progress may take from `at_s` on, with the timers as they stood then."""
        facts, cycle = self._facts, self._cycle_at(at_s)
        weights = facts.weights_by_name(facts.height_shown_by(at_s))
        faulty = faulty_weight_max(sum(weights.values()))
        # A chain whose minimum sealing time exceeds the time-out lengthens the time-out (spec 3.x 1.10).
        base_s = max(facts.run.timeout_base_s, facts.run.min_seal_time_s)
        # In 2.x only a sealer that is locked may propose what others are locked on, so that a whole turn may pass (spec 2.x 1.11).
        turn = len(weights) if is_second(facts) else 0
        # Where the network failed, replicas may stand in different views, and ask for different ones with different patience.
        apart = _APART_VIEWS if any(broken_s <= at_s for broken_s in self._network_faults) else 0
        return sum(timeout_s(base_s, k) for k in range(cycle, cycle + faulty + 2 + turn + apart)) + slack_s + facts.run.min_seal_time_s

    def next_block(self, after_s: float) -> tuple[int | None, float]:
        """The first block certainly not in flight at `after_s`, and when it was shown; (None, infinity) if there is none."""
        facts = self._facts
        best: tuple[int | None, float] = (None, FOREVER)
        height = facts.height_shown_by(after_s)
        is_dated = False
        for number in (number for number in facts.chain if number > height):
            sealed_s = max(facts.sealed_after_s(number), self._stamp_s(number))
            is_dated = is_dated or sealed_s > after_s
            if sealed_s >= after_s and facts.first_shown_s(number) < best[1]:
                return number, facts.first_shown_s(number)
        if is_dated:
            return best
        # Nothing dates the blocks: one may have been under way, the one after it was not.
        shown_s = facts.first_shown_s(height + 2)
        return (height + 2, shown_s) if shown_s < FOREVER else best

    def wait(self, from_s: float, slack_s: float, *, ends_with: tuple[int | None, float] | None = None) -> Wait:
        """Judge the wait that begins at `from_s`; later moments start its bound anew."""
        number, shown_s = ends_with or self.next_block(from_s)
        base_s, deadline_s = from_s, from_s + self.bound_s(from_s, slack_s)
        for moment_s in self._moments:
            if from_s - HEAL_SLACK_S < moment_s <= from_s and moment_s in self._heals:
                deadline_s = max(deadline_s, moment_s + self.bound_s(moment_s, HEAL_SLACK_S))
            if from_s < moment_s < min(shown_s, deadline_s):
                base_s = moment_s
                deadline_s = moment_s + self.bound_s(moment_s, HEAL_SLACK_S if moment_s in self._heals else INJECT_SLACK_S)
        first_s = self.steadiness.first_pending_after(base_s)
        if first_s is not None and first_s > base_s:
            deadline_s += first_s - base_s
            base_s = first_s
        if shown_s <= deadline_s:
            return Wait(from_s, Outcome.MADE, number, shown_s, deadline_s)
        pending_s = self.steadiness.pending_from(base_s, min(deadline_s, self._facts.end_s))
        if first_s is None or pending_s is None or pending_s > base_s:
            return Wait(from_s, Outcome.IDLE, number, shown_s, deadline_s)
        if deadline_s > self._facts.end_s:
            return Wait(from_s, Outcome.UNFINISHED, number, shown_s, deadline_s)
        if not self.steadiness.has_quorum(base_s + _READY_S, deadline_s, self._facts.height_shown_by(base_s)):
            return Wait(from_s, Outcome.NO_QUORUM, number, shown_s, deadline_s)
        return Wait(from_s, Outcome.LATE, number, shown_s, deadline_s)

    def last_heal_before(self, at_s: float) -> float | None:
        """The last heal before `at_s`; None if there was none."""
        return max((heal_s for heal_s in self._heals if heal_s < at_s), default=None)

    def moments_between(self, from_s: float, to_s: float) -> bool:
        """Whether a fault or heal falls into [from_s, to_s]."""
        return any(from_s <= moment_s <= to_s for moment_s in self._moments)

    def _stamp_s(self, number: int) -> float:
        epoch_s = self._facts.run.started_epoch_s
        if epoch_s is None or len({node.host for node in self._facts.run.nodes}) != 1:
            return -FOREVER
        return self._facts.chain[number].timestamp_ms / 1000 - epoch_s

    def _cycle_at(self, at_s: float) -> int:
        positions = [(cycles, bisect_right(times, at_s)) for times, cycles in self._cycles]
        return max((cycles[at - 1] for cycles, at in positions if at), default=0)


def cycle_of(sample: Sample) -> int | None:
    """How often the timer ran out in a row: told by 3.x; in 2.x at most one more than the views asked for ahead (spec 2.x 1.8, 1.10)."""
    if sample.change_cycle is not None or sample.to_view is None or sample.view is None:
        return sample.change_cycle
    return max(0, sample.to_view - sample.view) + 1


def check_progress(facts: Facts) -> Finding:
    """After every injection and heal."""
    exam = Examination(PROGRESS)
    progress = Progress(facts)
    reasons: dict[Outcome, int] = {}
    for fault in facts.observations.faults:
        if not fault.confirmed:
            continue
        moments = [(fault.injected_s, INJECT_SLACK_S, Words("injected", "注入"))]
        if fault.healed_s is not None:
            moments.append((fault.healed_s, HEAL_SLACK_S, Words("healed", "修复")))
        for at_s, slack_s, what in moments:
            wait = progress.wait(at_s, slack_s)
            reasons[wait.outcome] = reasons.get(wait.outcome, 0) + 1
            if wait.outcome is Outcome.MADE:
                exam.checked_count += 1
                exam.note(_made(fault, wait, what))
            elif wait.outcome is Outcome.LATE:
                exam.checked_count += 1
                exam.breach(_late(fault, wait, what))
    return exam.finding(
        Words(
            f"{exam.checked_count} times the chain went on within the bound of its timers.",
            f"{exam.checked_count} 次在定时器允许的上限内恢复出块。",
        ),
        _why_not(facts, reasons),
    )


def _made(fault: FaultSeen, wait: Wait, what: Words) -> Evidence:
    took_s, bound_s = wait.shown_s - wait.from_s, wait.deadline_s - wait.from_s
    return evidence(
        Words(
            f"{fault.kind} {fault.node} {what.en} at {wait.from_s:.2f} s: block {wait.number} came {took_s:.2f} s later, "
            f"{bound_s:.1f} s were allowed.",
            f"{wait.from_s:.2f} 秒{what.zh} {fault.kind} {fault.node}：{took_s:.2f} 秒后出现区块 {wait.number}，上限 {bound_s:.1f} 秒。",
        ),
        node=fault.node,
        height=wait.number,
        lines=(fault.line,),
    )


def _late(fault: FaultSeen, wait: Wait, what: Words) -> Evidence:
    bound_s = wait.deadline_s - wait.from_s
    came = f"came {wait.shown_s - wait.from_s:.2f} s later" if wait.shown_s < FOREVER else "never came"
    came_zh = f"{wait.shown_s - wait.from_s:.2f} 秒后才出现" if wait.shown_s < FOREVER else "始终没有出现"
    return evidence(
        Words(
            f"{fault.kind} {fault.node} {what.en} at {wait.from_s:.2f} s: a quorum was up and transactions waited, but the next "
            f"block {came}; "
            f"{bound_s:.1f} s were allowed.",
            f"{wait.from_s:.2f} 秒{what.zh} {fault.kind} {fault.node}：法定多数正常且有交易等待，但下一个区块{came_zh}；上限 "
            f"{bound_s:.1f} 秒。",
        ),
        node=fault.node,
        height=wait.number,
        lines=(fault.line,),
    )


def _why_not(facts: Facts, reasons: dict[Outcome, int]) -> Words:
    if not facts.observations.faults:
        return Words("No fault was injected.", "没有注入故障。")
    if reasons.get(Outcome.IDLE):
        return Words(
            "No transaction was waiting after the faults, and an idle chain makes no blocks.",
            "故障之后没有待处理的交易；空闲的链不出块。",
        )
    if reasons.get(Outcome.NO_QUORUM):
        return Words("No quorum was up long enough after the faults.", "故障之后没有足够长时间的法定多数。")
    return Words("The recording ended before the bound of the timers was over.", "记录在定时器上限之前结束。")


def check_no_stall(facts: Facts) -> Finding:
    """Between all blocks, where nothing was done to the chain."""
    exam = Examination(NO_STALL)
    progress = Progress(facts)
    times, heights = facts.growth()
    spans = [(start_s, end_s, number) for (start_s, end_s), number in zip(pairwise(times), heights[1:], strict=False)]
    if times:
        spans.append((times[-1], FOREVER, heights[-1] + 1))
    if not times and facts.samples_of:
        # A chain that never makes its first block stalls from when it was first asked.
        first_s = min(sample.got_s for samples in facts.samples_of.values() for sample in samples)
        spans.append((first_s + HEAL_SLACK_S, FOREVER, 1))
    longest_s = 0.0
    for start_s, end_s, number in spans:
        if (
            progress.moments_between(start_s, min(end_s, facts.end_s))
            or progress.steadiness.pending_from(start_s, min(end_s, facts.end_s)) is None
        ):
            continue
        wait = progress.wait(start_s, INJECT_SLACK_S, ends_with=(number, end_s))
        if wait.outcome is Outcome.MADE:
            exam.checked_count += 1
            longest_s = max(longest_s, end_s - start_s)
        elif wait.outcome is Outcome.LATE:
            exam.checked_count += 1
            upto = f"{end_s:.2f} s" if end_s < FOREVER else "the end"
            upto_zh = f"{end_s:.2f} 秒" if end_s < FOREVER else "记录结束"
            exam.breach(
                evidence(
                    Words(
                        f"No block from {start_s:.2f} s to {upto} although a quorum was up and transactions waited; "
                        f"{wait.deadline_s - start_s:.1f} s were allowed.",
                        f"{start_s:.2f} 秒至{upto_zh}没有新区块，而法定多数正常且有交易等待；上限 {wait.deadline_s - start_s:.1f} 秒。",
                    ),
                    height=number,
                )
            )
    return exam.finding(
        Words(
            f"{exam.checked_count} gaps between blocks, the longest {longest_s:.2f} s.",
            f"{exam.checked_count} 个出块间隔，最长 {longest_s:.2f} 秒。",
        ),
        Words("No transaction was waiting between two blocks outside of faults.", "故障之外没有在两个区块之间等待的交易。"),
    )
