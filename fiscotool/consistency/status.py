"""Do the nodes' own words about consensus fit the rules: quorum arithmetic, the announced leader, the back-off of the timer?

Theory. `getConsensusStatus` is read without a lock, so the fields of one reply may be of different moments. A relation between
fields is therefore demanded only where they stood still: of two successive equal answers, or in quiescence.

FISCO deviation. q = W − ⌊(W−1)/3⌋ (not 2f+1: five sealers need four). The announced leader is of the next height to seal, which runs
ahead of the ledger while blocks are executing. Fast view changes do not count as time-outs (spec 3.x 1.10).

Sources: spec 3.x 1.5, 1.6, 1.10, 2.4; bcos-pbft PBFTConfig updateQuorum, leaderIndex, PBFTTimer.h.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from typing import Final

from fiscotool.consistency.examination import Examination, Words, evidence
from fiscotool.consistency.facts import Facts, faulty_weight_max, quorum_weight
from fiscotool.consistency.findings import Finding, Invariant, InvariantClass
from fiscotool.consistency.lives import Life
from fiscotool.consistency.observations import Sample

QUORUM_ARITHMETIC: Final = Invariant(
    "quorum-arithmetic",
    InvariantClass.CONFORMANCE,
    "Quorum arithmetic",
    "法定多数的算术",
    "The status of a node gives f = ⌊(W−1)/3⌋ and q = W − f for its sealers' total weight W. A difference counts when two successive "
    "answers of the node show it.",
    "节点状态给出的 f 与 q 满足 f = ⌊(W−1)/3⌋、q = W − f（W 为共识节点总权重）。同一节点连续两次回答均不符才算违反。",
    "bcos-pbft PBFTConfig updateQuorum; spec 3.x 1.5",
)

ANNOUNCED_LEADER: Final = Invariant(
    "announced-leader",
    InvariantClass.CONFORMANCE,
    "Announced leader follows the formula",
    "公布的领导者符合公式",
    "While a node's height and view have not changed for longer than one time-out and do not change before its next answer, it is "
    "not in time-out and no transaction waits in its pool, its leaderIndex is (⌊(h+1)/P⌋ + v) mod n.",
    "当节点的高度与视图在超过一个超时周期内未变、到下次回答也未变，不处于超时状态且交易池为空时，其 leaderIndex = (⌊(h+1)/P⌋ + v) mod n。",
    "bcos-pbft PBFTConfig getLeader, leaderIndex; spec 3.x 1.6",
)

TIMER_BACKOFF: Final = Invariant(
    "timer-backoff",
    InvariantClass.CONFORMANCE,
    "Time-outs back off",
    "超时按倍数退避",
    "changeCycle is between 0 and 10, and it does not rise from a to b in less time than the timers between need: "
    "Σ T·1.5^k for a < k < b. The first of them may have been almost over.",
    "changeCycle 介于 0 与 10 之间；由 a 升到 b 所用时间不少于其间各定时器之和 Σ T·1.5^k(a < k < b)，其中第一个定时器可能已接近到期。",
    "bcos-pbft PBFTTimer.h; spec 3.x 1.10",
)

BACKOFF_FACTOR: Final = 1.5
CYCLE_MAX: Final = 10
_CLOCK_SLACK: Final = 0.03
"""A timer may be this much early by its own clock and the observer's."""


def timeout_s(base_s: float, cycle: int) -> float:
    """The timer after `cycle` time-outs in a row: T·1.5^min(cycle, 10), in seconds."""
    return float(base_s * BACKOFF_FACTOR ** min(cycle, CYCLE_MAX))


def check_quorum_arithmetic(facts: Facts) -> Finding:
    """What nodes say of f and q."""
    exam = Examination(QUORUM_ARITHMETIC)
    totals_of: dict[int, list[int]] = {}
    newest = max(facts.chain, default=0)
    for node, samples in facts.samples_of.items():
        told = [s for s in samples if None not in (s.node_count, s.quorum_weight, s.faulty_weight_max)]
        for earlier, later in pairwise(told):
            if _numbers(earlier) != _numbers(later):
                continue
            exam.checked_count += 1
            count, quorum, faulty = _numbers(later)
            totals = totals_of[count] = totals_of.get(count) or _possible_totals(facts, count)
            if (later.consensus_height or later.height or 0) >= newest > 0:
                # The list of the next block is in no header yet: what is told has to fit itself.
                totals = [*totals, quorum + faulty]
            if any(quorum == quorum_weight(total) and faulty == faulty_weight_max(total) for total in totals):
                continue
            exam.breach(
                evidence(
                    Words(
                        f"{node} works with n = {count}, q = {quorum}, f = {faulty}; the rule gives q = {quorum_weight(totals[0])}, "
                        f"f = {faulty_weight_max(totals[0])}.",
                        f"{node} 使用 n = {count}、q = {quorum}、f = {faulty}；按规则应为 q = {quorum_weight(totals[0])}、"
                        f"f = {faulty_weight_max(totals[0])}。",
                    ),
                    node=node,
                    lines=(earlier.line, later.line),
                )
            )
            break
    return exam.finding(
        Words(f"{exam.checked_count} answers give the right f and q.", f"{exam.checked_count} 次回答的 f 与 q 正确。"),
        Words("No node told its quorum twice.", "没有节点两次给出法定多数。"),
    )


def _numbers(sample: Sample) -> tuple[int, int, int]:
    return sample.node_count or 0, sample.quorum_weight or 0, sample.faulty_weight_max or 0


def _possible_totals(facts: Facts, count: int) -> list[int]:
    """Total weights a list of `count` sealers had on this chain; `count` itself if no block tells."""
    totals = {sum(block.weights) for block in facts.chain.values() if block.weights and len(block.sealer_list) == count}
    return sorted(totals) or [count]


def check_announced_leader(facts: Facts) -> Finding:
    """The leader nodes announce when nothing moves."""
    exam = Examination(ANNOUNCED_LEADER)
    period, quiet_s = max(1, facts.run.leader_period_blocks), facts.run.timeout_base_s * 1.2
    for node, lives in facts.lives.items():
        for life in lives:
            for sample, height, view in _quiescent(life, quiet_s):
                exam.checked_count += 1
                count = sample.node_count or 0
                expected = ((height + 1) // period + view) % count
                if sample.leader_index == expected:
                    continue
                exam.breach(
                    evidence(
                        Words(
                            f"{node}, still at height {height} and view {view}, announces leader {sample.leader_index}; the "
                            f"formula gives "
                            f"{expected} of {count}.",
                            f"{node} 静止在高度 {height}、视图 {view}，公布的领导者为 {sample.leader_index}；按公式应为 "
                            f"{expected}（共 {count}）。",
                        ),
                        node=node,
                        height=height,
                        lines=(sample.line,),
                    )
                )
                break
    return exam.finding(
        Words(f"{exam.checked_count} quiet answers announce the right leader.", f"{exam.checked_count} 次静止时的回答公布了正确的领导者。"),
        Words("No node was quiet for longer than one time-out.", "没有节点静止超过一个超时周期。"),
    )


def _quiescent(life: Life, quiet_s: float) -> list[tuple[Sample, int, int]]:
    """Status answers with a leader, around which nothing moved: with the height and view that stood."""
    found = []
    quiet_since_s, height, view = float("inf"), None, None
    status: list[tuple[Sample, int, int]] = []
    for sample in life.samples:
        moved = (
            (sample.height is not None and sample.height != height)
            or (sample.consensus_height is not None and sample.consensus_height != height)
            or (sample.view is not None and sample.view != view)
            or bool(sample.timeout)
            or bool(sample.change_cycle)
            or bool(sample.is_syncing)
            # With transactions waiting, the next height to seal may be ahead of the ledger by what is under way (pipelining).
            or bool(sample.pending_count)
        )
        if moved:
            height = (
                sample.height if sample.height is not None else (sample.consensus_height if sample.consensus_height is not None else height)
            )
            view = sample.view if sample.view is not None else view
            quiet_since_s = float("inf") if sample.timeout or sample.change_cycle else sample.got_s
            status = []
            continue
        # An earlier answer counts once this one shows that nothing moved after it either.
        found.extend(status)
        status = []
        if height is not None and view is not None and sample.leader_index is not None and sample.node_count and _is_member(sample):
            if quiet_since_s == float("inf"):
                quiet_since_s = sample.got_s
            if sample.sent_s - quiet_since_s > quiet_s:
                status.append((sample, height, view))
    return found


def _is_member(sample: Sample) -> bool:
    """A node outside the sealer list announces nothing of meaning (its index is 2^64−1)."""
    return sample.node_index is None or sample.node_index < (sample.node_count or 0)


def check_timer_backoff(facts: Facts) -> Finding:
    """How fast changeCycle climbs."""
    exam = Examination(TIMER_BACKOFF)
    for node, lives in facts.lives.items():
        for life in lives:
            told = sorted((s for s in life.samples if s.change_cycle is not None), key=lambda s: s.sent_s)
            for run in _climbs(told):
                _check_climb(exam, node, run, facts.run.timeout_base_s)
    return exam.finding(
        Words(f"{exam.checked_count} time-outs, none early.", f"{exam.checked_count} 次超时，均未提前。"),
        Words("No node timed out.", "没有节点超时。"),
    )


def _climbs(samples: list[Sample]) -> list[list[Sample]]:
    """Longest stretches in which changeCycle does not fall (it falls with every commit and new view)."""
    runs: list[list[Sample]] = []
    for sample in samples:
        if runs and (sample.change_cycle or 0) >= (runs[-1][-1].change_cycle or 0):
            runs[-1].append(sample)
        else:
            runs.append([sample])
    return runs


def _check_climb(exam: Examination, node: str, run: list[Sample], base_s: float) -> None:
    cycles = [sample.change_cycle or 0 for sample in run]
    if cycles[-1] > CYCLE_MAX or cycles[0] < 0:
        exam.checked_count += 1
        exam.breach(
            evidence(
                Words(f"{node} shows changeCycle {cycles[-1]}.", f"{node} 的 changeCycle 为 {cycles[-1]}。"),
                node=node,
                lines=(run[-1].line,),
            )
        )
        return
    levels = sorted(set(cycles))
    for low in levels:
        for high in levels:
            if high <= low:
                continue
            exam.checked_count += high == low + 1
            before, after = run[bisect_left(cycles, low + 1) - 1], run[bisect_left(cycles, high)]
            needed_s = sum(timeout_s(base_s, cycle) for cycle in range(low + 1, high)) * (1 - _CLOCK_SLACK)
            took_s = after.got_s - before.sent_s
            if took_s < needed_s:
                exam.breach(
                    evidence(
                        Words(
                            f"{node} went from changeCycle {low} to {high} in {took_s:.2f} s; the timers between need {needed_s:.2f} s.",
                            f"{node} 的 changeCycle 在 {took_s:.2f} 秒内由 {low} 升到 {high}；其间定时器至少需要 {needed_s:.2f} 秒。",
                        ),
                        node=node,
                        lines=(before.line, after.line),
                    )
                )
                return
