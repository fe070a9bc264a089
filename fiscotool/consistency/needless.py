"""Does the view change although nobody can have had a reason?

Theory. A view change has a cause at f+1 weight of sealers at least: their timers ran out, which takes a whole time-out without a block,
or they found the leader unreachable or far behind (instant view changes). Where samples show every sealer connected to all others, close
together, and getting blocks, fewer than f+1 can have had either, and the view has no right to rise.

What is invisible. A connection lost and found again between two samples would have been a cause; it is taken as none when nothing was
done to the chain for half a minute. Chains slower than two blocks a time-out are not judged.

Sources: OSDI'99 4.4, 4.5.2; spec 3.x 1.10, 1.11, 1.15; bcos-pbft PBFTEngine onTimeout, PBFTCacheProcessor; FISCO #2211, #2190 (F1, F6).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import pairwise
from typing import Final

from fiscotool.consistency.examination import Examination, Words, evidence
from fiscotool.consistency.facts import Facts, faulty_weight_max
from fiscotool.consistency.findings import Finding, Invariant, InvariantClass
from fiscotool.consistency.observations import Sample
from fiscotool.consistency.steadiness import Steadiness

NEEDLESS_VIEW_CHANGE: Final = Invariant(
    "needless-view-change",
    InvariantClass.LIVENESS,
    "No view change without a cause",
    "没有无缘由的视图切换",
    "While nothing was done to the chain and its sealers for 30 s, no Byzantine node is declared, and every sealer answers, is connected "
    "to all others, not in "
    "time-out, within 5 blocks of the highest and got a block within the last time-out (but for at most f weight of them), no node's "
    "view rises.",
    "若 30 秒内未对链及其共识节点列表做任何操作、没有声明拜占庭节点，且所有共识节点均应答、与其他节点全部相连、不处于超时状态、"
    "与最高高度相差不超过 5 "
    "个区块，并在最近一个超时周期内得到过区块（至多 f 权重者除外），则没有节点的视图上升。",
    "OSDI'99 4.4; bcos-pbft PBFTEngine onTimeout; spec 3.x 1.10, 1.11",
    is_required=False,
)

QUIET_S: Final = 30.0
BEHIND_MAX_BLOCKS: Final = 5
_EARLY: Final = 0.9
"""A timer is taken to run at least this share of its time."""
_SPREAD_S: Final = 0.5
"""View changes of others may have been on their way this long."""


def check_needless_view_change(facts: Facts) -> Finding:
    """Every two answers one after the other between which a view rose or could have risen."""
    exam = Examination(NEEDLESS_VIEW_CHANGE)
    calm = _Calm(facts)
    for node, lives in facts.lives.items():
        for life in lives:
            told = [sample for sample in life.samples if sample.view is not None]
            for earlier, later in pairwise(told):
                if later.sent_s <= earlier.got_s or not calm.has_no_cause(earlier.sent_s, later.got_s):
                    continue
                exam.checked_count += 1
                if (later.view or 0) <= (earlier.view or 0):
                    continue
                exam.breach(
                    evidence(
                        Words(
                            f"{node} went from view {earlier.view} to {later.view} by {later.got_s:.2f} s: every sealer was connected "
                            "and got blocks, so no timer can have run out.",
                            f"{node} 在 {later.got_s:.2f} 秒前由视图 {earlier.view} 进入 {later.view}："
                            "当时所有共识节点均相连并持续得到区块，不可能有定时器到期。",
                        ),
                        node=node,
                        lines=(earlier.line, later.line),
                    )
                )
                break
    return exam.finding(
        Words(
            f"{exam.checked_count} times a view change would have had no cause, and there was none.",
            f"{exam.checked_count} 次视图切换没有缘由的时刻，均未切换。",
        ),
        Words(
            "At no time were all sealers known to be connected and to get blocks within a time-out.",
            "没有任何时刻可确知所有共识节点均相连并在超时周期内得到区块。",
        ),
    )


class _Calm:
    """Answers whether anybody can have had a cause for a view change."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._steadiness = Steadiness(facts)
        self._timeout_s = facts.run.timeout_base_s * _EARLY
        self._is_honest = not any(node.byzantine for node in facts.run.nodes)
        self._troubles = [(f.injected_s, f.healed_s if f.healed_s is not None else float("inf")) for f in facts.observations.faults]
        self._troubles += _list_changes(facts)
        self._told: dict[str, list[Sample]] = {
            name: [s for s in samples if not s.error and _height(s) is not None] for name, samples in facts.samples_of.items()
        }
        self._sent = {name: [s.sent_s for s in told] for name, told in self._told.items()}

    def has_no_cause(self, from_s: float, to_s: float) -> bool:
        """Whether certainly fewer than f+1 weight of sealers had a reason to change the view before `to_s`."""
        if not self._is_honest or any(start_s <= to_s and end_s > from_s - QUIET_S for start_s, end_s in self._troubles):
            return False
        since_s = to_s - self._timeout_s
        if since_s >= from_s - _SPREAD_S:
            return False
        weights = self._facts.weights_by_name(self._facts.height_shown_by(from_s))
        maybe_out, heights = 0, []
        for name, weight in weights.items():
            inside = self._between(name, since_s, to_s)
            if not inside or not all(_is_well(sample) for sample in inside) or not self._steadiness.is_steady(name, since_s, to_s):
                return False
            before = [_height(s) for s in inside if s.got_s <= from_s - _SPREAD_S]
            heights.append(_height(inside[-1]) or 0)
            # Two heights within the span: a block came after the span began, and no time-out has passed since.
            maybe_out += weight * (len({height for height in before if height is not None}) < 2)  # noqa: PLR2004
        return bool(heights) and max(heights) - min(heights) <= BEHIND_MAX_BLOCKS and maybe_out <= faulty_weight_max(sum(weights.values()))

    def _between(self, name: str, from_s: float, to_s: float) -> list[Sample]:
        sent = self._sent.get(name, [])
        return self._told.get(name, [])[bisect_left(sent, from_s) : bisect_right(sent, to_s)]


def _list_changes(facts: Facts) -> list[tuple[float, float]]:
    """When the list of sealers changed: a new one may be far behind, or not be connected, and everyone's leader is another."""
    told = [[s for s in samples if s.node_count is not None] for samples in facts.samples_of.values()]
    return [(a.sent_s, b.got_s) for samples in told for a, b in pairwise(samples) if a.node_count != b.node_count]


def _height(sample: Sample) -> int | None:
    return sample.height if sample.height is not None else sample.consensus_height


def _is_well(sample: Sample) -> bool:
    """Connected to all, not in time-out, not syncing, as far as this answer tells."""
    is_connected = sample.connected_count is None or sample.node_count is None or sample.connected_count >= sample.node_count
    return is_connected and not sample.timeout and not sample.change_cycle and not sample.is_syncing
