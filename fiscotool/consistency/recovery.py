"""What each fault cost, and whether the healed node came back.

Rule 1. Times are upper bounds by sampling; `error_s` says by how much they may be too long.
Rule 2. A lost transaction is charged to the first fault after its acknowledgement.

FISCO deviation. On an idle chain two of four restarted nodes wait for a transaction before they rejoin, and a node whose view equals the
others' may stay in time-out while blocks flow (spec 3.x 1.12, 1.15): neither is demanded here.

Sources: spec 3.x 1.12, 1.15, 1.16; recordings v3/OBSERVED.md 6; docs/invariants.md L2, L3.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from typing import Final

from fiscotool.consistency.downtime import affects_process
from fiscotool.consistency.examination import Examination, Words, evidence
from fiscotool.consistency.facts import FOREVER, Facts
from fiscotool.consistency.findings import Finding, Invariant, InvariantClass, Recovery
from fiscotool.consistency.observations import FaultSeen, Sample
from fiscotool.consistency.progress import HEAL_SLACK_S, INJECT_SLACK_S, Outcome, Progress
from fiscotool.consistency.transactions import lost_transactions

CATCH_UP: Final = Invariant(
    "catch-up",
    InvariantClass.LIVENESS,
    "A healed node catches up",
    "修复后的节点追上高度",
    "A node that answers steadily after its heal reaches the height the others had at the heal within 60 s plus one second for "
    "every 20 blocks "
    "it lacks, if another node is up to give it the blocks.",
    "修复后持续应答的节点，在有其他节点可提供区块时，于 60 秒加每缺 20 个区块 1 秒之内到达修复时其他节点的高度。",
    "bcos-sync BlockSync.cpp; spec 3.x 1.16; recordings v3 (100 blocks/s)",
)

REJOIN: Final = Invariant(
    "view-convergence",
    InvariantClass.LIVENESS,
    "A healed node finds the others' view",
    "修复后的节点回到其他节点的视图",
    "While transactions keep coming and all is undisturbed, a healed sealer that answers steadily does not stay in an older "
    "view than all "
    "others for longer than the bound of `progress-after-fault` plus 60 s.",
    "在持续有交易且未受干扰时，修复后持续应答的共识节点落后于其他所有节点视图的时间，不超过「故障后链继续出块」的上限加 60 秒。",
    "bcos-pbft PBFTEngine handleNewViewMsg; spec 3.x 1.12, 1.15",
)

_CATCH_UP_S: Final = 60.0
_BLOCKS_PER_S: Final = 20.0
_READY_S: Final = 5.0
_FRESH_S: Final = 3.0


def recoveries(facts: Facts) -> tuple[Recovery, ...]:
    """One entry a fault, in order of injection."""
    progress = Progress(facts)
    faults = sorted((fault for fault in facts.observations.faults if fault.confirmed), key=lambda fault: fault.injected_s)
    lost = _lost_by_fault(facts, faults)
    return tuple(_recovery(facts, progress, fault, lost) for fault in faults)


def _recovery(facts: Facts, progress: Progress, fault: FaultSeen, lost: Counter[str] | None) -> Recovery:
    wait = progress.wait(fault.injected_s, INJECT_SLACK_S)
    number, shown_s = progress.next_block(fault.injected_s)
    rto_s = shown_s - fault.injected_s if shown_s < FOREVER else None
    error_s = _error_s(facts, number, shown_s) if number is not None and rto_s is not None else 0.0
    bound_s = wait.deadline_s - fault.injected_s if wait.outcome in {Outcome.MADE, Outcome.LATE} else None
    note = _note(wait.outcome)
    regained_s = progress.last_heal_before(shown_s)
    if wait.outcome is Outcome.NO_QUORUM and number is not None and regained_s is not None and regained_s > fault.injected_s:
        again = progress.wait(regained_s, HEAL_SLACK_S, ends_with=(number, shown_s))
        bound_s = again.deadline_s - fault.injected_s
        note = Words(
            f"no quorum until the heal at {regained_s:.1f} s; the next block came {shown_s - regained_s:.1f} s after it",
            f"在 {regained_s:.1f} 秒修复之前没有法定多数；修复后 {shown_s - regained_s:.1f} 秒出现下一个区块",
        )
    node_rto_s = None if fault.healed_s is None else _node_rto_s(facts, fault.node, fault.healed_s, _next_fault_s(facts, fault))
    return Recovery(
        fault_id=fault.fault_id,
        kind=fault.kind,
        node=fault.node,
        role=fault.role,
        injected_s=fault.injected_s,
        healed_s=fault.healed_s,
        rto_s=rto_s,
        error_s=min(error_s, rto_s or 0.0),
        bound_s=bound_s,
        node_rto_s=node_rto_s,
        rpo_txs=None if lost is None else lost[fault.fault_id],
        note=note.en,
        note_zh=note.zh,
    )


def _note(outcome: Outcome) -> Words:
    return {
        Outcome.MADE: Words("", ""),
        Outcome.LATE: Words("later than the timers allow", "超出定时器允许的上限"),
        Outcome.IDLE: Words("no transaction was waiting: an idle chain makes no blocks", "没有待处理的交易：空闲的链不出块"),
        Outcome.NO_QUORUM: Words("no quorum was up for the length of the bound", "上限时间内没有法定多数"),
        Outcome.UNFINISHED: Words("the recording ended first", "记录先行结束"),
    }[outcome]


def _error_s(facts: Facts, number: int, shown_s: float) -> float:
    """By how much the block may have been there before it was seen: since the last questions that did not show it."""
    asked = [facts.asked_below_s(node, number) for node in facts.names]
    fresh = [at_s for at_s in asked if shown_s - _FRESH_S <= at_s <= shown_s]
    return shown_s - min(fresh) if fresh else 0.0


def _lost_by_fault(facts: Facts, faults: list[FaultSeen]) -> Counter[str] | None:
    lost = lost_transactions(facts)
    if lost is None or not facts.observations.txs:
        return None
    found: Counter[str] = Counter()
    for tx in lost:
        charged = next((fault for fault in faults if fault.injected_s >= tx.got_s), faults[-1] if faults else None)
        if charged is not None:
            found[charged.fault_id] += 1
    return found


def _next_fault_s(facts: Facts, fault: FaultSeen) -> float:
    """When the same node was hurt again."""
    return min(
        (f.injected_s for f in facts.observations.faults if f.node == fault.node and f.injected_s > fault.injected_s), default=FOREVER
    )


def _node_rto_s(facts: Facts, node: str, healed_s: float, until_s: float) -> float | None:
    """From the heal until the node is in the others' view, not in time-out and at their height; None if that was not seen."""
    state: dict[str, dict[str, int]] = {}
    for sample in sorted(facts.observations.samples, key=lambda sample: sample.got_s):
        if sample.error or sample.got_s > until_s:
            continue
        known = state.setdefault(sample.node, {})
        if sample.node == node and sample.sent_s < healed_s:
            continue
        for field in ("view", "height"):
            if (value := getattr(sample, field)) is not None:
                known[field] = value
        if sample.timeout is not None:
            known["timeout"] = int(sample.timeout)
        if sample.node == node and sample.sent_s >= healed_s and _is_back(state, node):
            return sample.got_s - healed_s
    return None


def _is_back(state: dict[str, dict[str, int]], node: str) -> bool:
    mine = state[node]
    others = [known for name, known in state.items() if name != node and not known.get("timeout") and "view" in known]
    if not others or mine.get("timeout", 1) or "view" not in mine or "height" not in mine:
        return False
    view = Counter(known["view"] for known in others).most_common(1)[0][0]
    # The chain may have grown by one block between the questions to two nodes.
    height = max((known.get("height", 0) for name, known in state.items() if name != node), default=0)
    return mine["view"] == view and mine["height"] >= height - 1


def check_catch_up(facts: Facts) -> Finding:
    """Heights after heals."""
    exam = Examination(CATCH_UP)
    progress = Progress(facts)
    for fault in facts.observations.faults:
        if fault.healed_s is None or not affects_process(fault):
            continue
        target = facts.height_shown_by(fault.healed_s, other_than=fault.node)
        own = _first_height_after(facts, fault.node, fault.healed_s)
        if target == 0 or own is None:
            continue
        lag = max(0, target - (own.height or 0))
        deadline_s = fault.healed_s + _CATCH_UP_S + lag / _BLOCKS_PER_S
        reached_s = _reached_s(facts, fault.node, fault.healed_s, target)
        if reached_s <= deadline_s:
            exam.checked_count += 1
            continue
        steady = progress.steadiness.steady_nodes(fault.healed_s + _READY_S, min(deadline_s, facts.end_s))
        if deadline_s > facts.end_s or fault.node not in steady or len(steady) < 2:  # noqa: PLR2004  itself and one to give blocks
            exam.note(
                evidence(
                    Words(f"{fault.node} was not watched undisturbed for long enough.", f"{fault.node} 未被足够长时间地不受干扰地观测。"),
                    node=fault.node,
                )
            )
            continue
        exam.checked_count += 1
        exam.breach(
            evidence(
                Words(
                    f"{fault.node}, healed at {fault.healed_s:.2f} s, did not reach height {target} within "
                    f"{deadline_s - fault.healed_s:.0f} s.",
                    f"{fault.node} 于 {fault.healed_s:.2f} 秒修复，在 {deadline_s - fault.healed_s:.0f} 秒内未到达高度 {target}。",
                ),
                node=fault.node,
                height=target,
                lines=(fault.line, own.line),
            )
        )
    return exam.finding(
        Words(f"{exam.checked_count} healed nodes caught up in time.", f"{exam.checked_count} 次修复后节点均按时追上。"),
        Words("No node was healed and watched for long enough.", "没有修复后被足够长时间观测的节点。"),
    )


def _first_height_after(facts: Facts, node: str, from_s: float) -> Sample | None:
    return next((s for s in facts.samples_of.get(node, ()) if s.sent_s >= from_s and s.height is not None), None)


def _reached_s(facts: Facts, node: str, from_s: float, target: int) -> float:
    found = (s.got_s for s in facts.samples_of.get(node, ()) if s.sent_s >= from_s and s.height is not None and s.height >= target)
    return next(found, FOREVER)


def check_view_convergence(facts: Facts) -> Finding:
    """Views after heals."""
    exam = Examination(REJOIN)
    progress = Progress(facts)
    for fault in facts.observations.faults:
        if fault.healed_s is None or not affects_process(fault):
            continue
        allowed_s = progress.bound_s(fault.healed_s, HEAL_SLACK_S) + _CATCH_UP_S
        behind_s = _longest_behind_s(facts, progress, fault, allowed_s)
        if behind_s is None:
            continue
        exam.checked_count += 1
        if behind_s > allowed_s:
            exam.breach(
                evidence(
                    Words(
                        f"{fault.node}, healed at {fault.healed_s:.2f} s, stayed in an older view than all others for "
                        f"{behind_s:.0f} s under load; "
                        f"{allowed_s:.0f} s were allowed.",
                        f"{fault.node} 于 {fault.healed_s:.2f} 秒修复，在有交易时落后于其他所有节点的视图达 {behind_s:.0f} 秒；"
                        f"上限 {allowed_s:.0f} 秒。",
                    ),
                    node=fault.node,
                    lines=(fault.line,),
                )
            )
    return exam.finding(
        Words(f"{exam.checked_count} healed nodes found the others' view.", f"{exam.checked_count} 次修复后节点均回到其他节点的视图。"),
        Words("No healed node was watched under load until it rejoined.", "没有在有交易时被观测到重新加入的修复节点。"),
    )


def _longest_behind_s(facts: Facts, progress: Progress, fault: FaultSeen, allowed_s: float) -> float | None:
    """How long the healed node was certainly behind all others, or when it was first seen not to be; None if that cannot be told."""
    healed_s = fault.healed_s or 0.0
    own = [s for s in facts.samples_of.get(fault.node, ()) if s.sent_s >= healed_s and s.view is not None]
    others = [name for name in facts.weights_by_name(facts.height_shown_by(healed_s)) if name != fault.node and name in facts.lives]
    floors = {name: [(s.got_s, s.view or 0) for life in facts.lives[name] for s in life.samples if s.view is not None] for name in others}
    if not own or not others:
        return None
    times = {name: [at_s for at_s, _ in told] for name, told in floors.items()}
    last_behind_s = healed_s
    for sample in own:
        seen = []
        for name in others:
            at = bisect_right(times[name], sample.sent_s)
            if at:
                seen.append(floors[name][at - 1][1])
        if len(seen) == len(others) and (sample.view or 0) >= min(seen):
            if sample.got_s - healed_s <= allowed_s:
                return sample.got_s - healed_s
            break
        last_behind_s = sample.sent_s
    to_s = healed_s + allowed_s
    if to_s > facts.end_s or progress.steadiness.pending_from(healed_s + _READY_S, to_s) != healed_s + _READY_S:
        return None
    steady = progress.steadiness.steady_nodes(healed_s + _READY_S, to_s)
    if fault.node not in steady or not all(name in steady for name in others):
        return None
    return last_behind_s - healed_s
