"""Does a view begin without a quorum to ask for it, and do views grow faster than replicas can ask for them?

Theory. A view is entered with the view changes of a quorum, or told to a restarted replica by a quorum (3.x). While sealers of more weight
than W − q are down, neither can come about anew; what the dead had asked for before is still counted, and that is at most what their
timers and the leaders they found gone allowed. A replica asks for one view more than before when its timer runs out or when it finds a
leader gone, or follows f+1 others: so views never leap.

What is invisible. Views that replicas ask for are not told by 3.x nodes; the allowances below are generous for that reason.

Sources: OSDI'99 4.4, 4.5.2; spec 3.x 1.11, 1.12, 1.15; FISCO PR #2212 (CVE-2022-26534), #2311.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from fiscotool.consistency.downtime import STOPPED_KINDS
from fiscotool.consistency.examination import Examination, Words, evidence
from fiscotool.consistency.facts import Facts
from fiscotool.consistency.findings import Evidence, Finding, Invariant, InvariantClass
from fiscotool.consistency.generations import is_second
from fiscotool.consistency.observations import Sample

NO_QUORUM_NO_VIEW: Final = Invariant(
    "no-quorum-no-view",
    InvariantClass.SAFETY,
    "No view without a quorum",
    "没有法定多数就没有新视图",
    "While sealers of more weight than W − q are certainly down, no node comes more than 2n + 1 views beyond the latest that anyone had "
    "entered, or asked for by time-outs, before they went down (n + 1 in 2.x, which tells what is asked for); and a 3.x process "
    "started meanwhile stays in view 0.",
    "当宕机的共识节点权重超过 W − q 时，没有节点进入的视图比其宕机之前任何节点已进入或因超时请求的最新视图多出 2n + 1 以上"
    "（2.x 会给出所请求的视图，为 n + 1）；"
    "其间启动的 3.x 进程停留在视图 0。",
    "OSDI'99 4.4; spec 3.x 1.11, 1.12",
    is_required=False,
)

VIEW_PACE: Final = Invariant(
    "view-pace",
    InvariantClass.LIVENESS,
    "Views do not leap",
    "视图不会跳跃",
    "Once every sealer has answered, the latest view that anyone shows grows by no more than 40 views plus 20 a second: each needs "
    "a time-out or a lost leader, and a round of messages.",
    "在每个共识节点都应答过之后，各节点给出的最新视图的增长不超过 40 再加每秒 20：每次切换都需要一次超时或领导者失联，以及一轮消息。",
    "OSDI'99 4.5.2; FISCO #2212, #2311 (F1, F2)",
    is_required=False,
)

VIEWS_AT_ONCE: Final = 40
VIEWS_A_SECOND: Final = 20.0
_CYCLE_MAX: Final = 10
"""A node that shows so many time-outs may have had any number."""


@dataclass(frozen=True, slots=True)
class _Loss:
    """A time without a quorum, joined of spans with changing nodes."""

    start_s: float
    end_s: float
    nodes: frozenset[str]


def _losses(facts: Facts) -> list[_Loss]:
    found: list[_Loss] = []
    for span in facts.quorum_losses:
        if found and found[-1].end_s == span.start_s:
            found[-1] = _Loss(found[-1].start_s, span.end_s, found[-1].nodes | set(span.nodes))
        else:
            found.append(_Loss(span.start_s, span.end_s, frozenset(span.nodes)))
    return found


def check_no_quorum_no_view(facts: Facts) -> Finding:
    """Views shown while a quorum was lost."""
    exam = Examination(NO_QUORUM_NO_VIEW)
    for loss in _losses(facts):
        before = [s for samples in facts.samples_of.values() for s in samples if s.view is not None and s.got_s <= loss.start_s]
        if not before or any((s.change_cycle or 0) >= _CYCLE_MAX for s in before):
            continue
        count = max((s.node_count or 0 for s in before), default=0) or len(facts.names)
        if is_second(facts):
            # Views are of one height there, and the views asked for are told.
            top = max(s.height or 0 for s in before)
            highest = max((max(s.view or 0, s.to_view or 0) for s in before if s.height == top), default=0) + count + 1
        else:
            highest = max((s.view or 0) + (s.change_cycle or 0) for s in before) + 2 * count + 1
        for sample in _shown(facts, loss):
            exam.checked_count += 1
            if (sample.view or 0) > highest:
                exam.breach(_unasked(sample, loss, highest))
                break
        for sample in _newborn(facts, loss):
            exam.checked_count += 1
            if sample.view:
                exam.breach(_unasked(sample, loss, 0))
                break
    return exam.finding(
        Words(
            f"{exam.checked_count} answers without a quorum, none of a new view.",
            f"失去法定多数期间的 {exam.checked_count} 次回答均无新视图。",
        ),
        Words("The quorum was never lost for certain.", "没有确定失去法定多数的时段。"),
    )


def _shown(facts: Facts, loss: _Loss) -> Iterator[Sample]:
    """Answers with a view within the loss, by node."""
    for samples in facts.samples_of.values():
        yield from (s for s in samples if s.view is not None and s.sent_s > loss.start_s and s.got_s < min(loss.end_s, facts.end_s + 1))


def _newborn(facts: Facts, loss: _Loss) -> Iterator[Sample]:
    """Answers within the loss of 3.x processes that were started in it."""
    if facts.run.protocol != "fisco3" or facts.run.generation != 3:  # noqa: PLR2004 (of FISCO BCOS)
        return
    for node in loss.nodes:
        ended = [d for d in facts.downtimes if d.node == node and d.fault.kind.lower() in STOPPED_KINDS]
        down_s = min((d.start_s for d in ended if d.start_s < loss.end_s and d.end_s > loss.start_s), default=None)
        if down_s is None:
            continue
        # Down within the loss, so whatever answers afterwards and before its end was started in it.
        since_s = max(down_s, loss.start_s)
        yield from (s for s in facts.samples_of.get(node, ()) if s.view is not None and s.sent_s > since_s and s.got_s < loss.end_s)


def _unasked(sample: Sample, loss: _Loss, highest: int) -> Evidence:
    down = ", ".join(sorted(loss.nodes))
    return evidence(
        Words(
            f"{sample.node} shows view {sample.view} at {sample.got_s:.2f} s; {down} were down from {loss.start_s:.2f} s on, so nobody can "
            f"have come beyond view {highest}.",
            f"{sample.node} 在 {sample.got_s:.2f} 秒给出视图 {sample.view}；"
            f"自 {loss.start_s:.2f} 秒起 {down} 宕机，视图不可能超过 {highest}。",
        ),
        node=sample.node,
        lines=(sample.line,),
    )


def check_view_pace(facts: Facts) -> Finding:
    """The latest view over time, from when all had answered."""
    exam = Examination(VIEW_PACE)
    sealers = set(facts.weights_by_name(0)) & set(facts.samples_of)
    told = sorted((s for samples in facts.samples_of.values() for s in samples if s.view is not None), key=lambda s: s.got_s)
    missing, latest = set(sealers), 0
    since_s: float | None = None
    base = 0
    for sample in told:
        view = sample.view or 0
        if since_s is None:
            missing.discard(sample.node)
            latest = max(latest, view)
            if not missing:
                since_s, base = sample.sent_s, latest
            continue
        if view <= latest:
            continue
        latest = view
        exam.checked_count += 1
        allowed = base + VIEWS_AT_ONCE + VIEWS_A_SECOND * (sample.got_s - since_s)
        if view > allowed:
            exam.breach(
                evidence(
                    Words(
                        f"{sample.node} shows view {view} at {sample.got_s:.2f} s; {sample.got_s - since_s:.1f} s before the latest was "
                        f"{base}.",
                        f"{sample.node} 在 {sample.got_s:.2f} 秒给出视图 {view}；{sample.got_s - since_s:.1f} 秒之前最新视图为 {base}。",
                    ),
                    node=sample.node,
                    lines=(sample.line,),
                )
            )
            break
    return exam.finding(
        Words(f"{exam.checked_count} times the latest view rose, never by a leap.", f"最新视图上升 {exam.checked_count} 次，均非跳跃。"),
        Words("No view rose after every sealer had answered.", "在每个共识节点应答之后没有视图上升。"),
    )
