"""Is the state of a node's timer one that the protocol has?

Theory. Every commit and every new view sets changeCycle to 0 and ends the time-out together; only a time-out raises it, and begins one.
So a node that is not in time-out counts none. A status is read without a lock: one answer may be torn between the two, two successive
equal answers are not.

Sources: spec 3.x 1.8 (9), 1.10, 1.12; bcos-pbft PBFTConfig resetToView, PBFTEngine triggerTimeout, reachNewView.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from fiscotool.consistency.examination import Examination, Words, evidence
from fiscotool.consistency.facts import Facts
from fiscotool.consistency.findings import Finding, Invariant, InvariantClass
from fiscotool.consistency.observations import Sample

TIMER_RESET: Final = Invariant(
    "timer-reset",
    InvariantClass.CONFORMANCE,
    "No time-outs counted outside a time-out",
    "非超时状态下不计超时次数",
    "A node that is not in time-out tells changeCycle 0. A difference counts when two successive answers of one life, equal in height and "
    "view, show it.",
    "不处于超时状态的节点，其 changeCycle 为 0。同一进程高度与视图相同的连续两次回答均不符才算违反。",
    "bcos-pbft PBFTConfig resetToView, PBFTEngine triggerTimeout; spec 3.x 1.10",
    is_required=False,
)


def check_timer_reset(facts: Facts) -> Finding:
    """Every answer that tells both."""
    exam = Examination(TIMER_RESET)
    has_timed_out = False
    for node, lives in facts.lives.items():
        for life in lives:
            told = [s for s in life.samples if s.change_cycle is not None and s.timeout is not None]
            has_timed_out = has_timed_out or any(s.timeout or s.change_cycle for s in told)
            for earlier, later in pairwise(told):
                if earlier.timeout or later.timeout:
                    continue
                exam.checked_count += 1
                if not later.change_cycle or _standing(earlier) != _standing(later):
                    continue
                exam.breach(
                    evidence(
                        Words(
                            f"{node}, not in time-out, tells changeCycle {later.change_cycle} at {later.got_s:.2f} s.",
                            f"{node} 不处于超时状态，但在 {later.got_s:.2f} 秒给出 changeCycle {later.change_cycle}。",
                        ),
                        node=node,
                        lines=(earlier.line, later.line),
                    )
                )
                break
    if not has_timed_out and not exam.breach_count:
        # Where nothing ever timed out, a counter that is never reset would look the same.
        exam.checked_count = 0
    return exam.finding(
        Words(
            f"{exam.checked_count} answers outside time-outs, all counting none.", f"{exam.checked_count} 次非超时状态的回答，计数均为 0。"
        ),
        Words("No node timed out.", "没有节点超时。"),
    )


def _standing(sample: Sample) -> tuple[int | None, int | None, int | None]:
    return sample.consensus_height, sample.view, sample.change_cycle
