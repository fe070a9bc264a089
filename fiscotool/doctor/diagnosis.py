"""Conclude from what was seen: pure, one function per kind of trouble.

Theory. Blocks need sealers of weight `quorum` that run, are connected, and are in one view. The questions are asked in this order, and
a later one is asked only of the nodes that passed the earlier ones:

    does it run? ─ does it answer? ─ is it connected? ─ is it in a common view? ─ who would lead? ─ do blocks come?

A 3.x node that was restarted learns the view from RecoverResponses of weight `quorum` of *others* that are not in timeout. With two of
four restarted the other two are too few, and on an idle chain they have no reason to leave their view: nothing happens until a
transaction comes (restart-stuck). A 2.x node rejoins by itself.

Sources: spec 3.x 1.5, 1.6, 1.10, 1.12, 1.14, 1.15; spec 2.x 1.1, 1.10, 1.11, 6.
"""

from __future__ import annotations

from collections.abc import Iterator

from fiscotool.chain.findings import Finding, found, worst_first
from fiscotool.doctor.connections import components, unconnected
from fiscotool.doctor.situation import NodeSeen, Situation
from fiscotool.doctor.standing import check_nodes
from fiscotool.doctor.words import WORDS
from fiscotool.pbft.quorum import quorum_weight

_TIMEOUT_S, _GROWTH, _CYCLES_MAX = 3.0, 1.5, 10
_FRESH_S = 8.0
_CLOCK_AHEAD_MS = 60_000
_WAITING_S = 1.0
_NO_OBSTACLE = {"node-crashed", "start-refused", "port-held", "disk-full"}
"""Errors of single nodes: the chain can do without them while enough others take part."""


def diagnose(seen: Situation) -> tuple[Finding, ...]:
    """Everything that is wrong or worth knowing, worst first. The last note says so where the chain is able to make blocks."""
    if all(node.state == "stopped" for node in seen.nodes) and not seen.answering:
        return worst_first([found(WORDS, "all-stopped"), *check_nodes(seen)])
    findings = [*check_nodes(seen), *_check_quorum(seen)]
    if not any(finding.id.startswith("quorum") for finding in findings):
        findings += _check_views(seen)
    findings += [*_check_leader(seen), *_check_heights(seen), *_check_pool(seen, findings), *_check_chain(seen)]
    is_stuck = any(finding.severity.name == "ERROR" and finding.id not in _NO_OBSTACLE for finding in findings)
    is_meeting = any(finding.id == "starting" for finding in findings) and _in_view_weight(seen) < quorum_of(seen)
    if seen.answering and not is_stuck and not is_meeting:
        findings.append(_able(seen))
    return worst_first(findings)


def _in_view_weight(seen: Situation) -> int:
    """Weight of the sealers that answer and are not in timeout."""
    return weight_of(seen, {node.node_id for node in seen.answering if node.now is not None and not node.now.timeout})


def total_of(seen: Situation) -> int:
    """Weight of all sealers."""
    return sum(seen.weights.values())


def quorum_of(seen: Situation) -> int:
    """Weight a decision needs."""
    return int(quorum_weight(total_of(seen)))


def present_ids(seen: Situation) -> frozenset[str]:
    """Sealers that take part: those that answer, and those of other hosts that somebody here is connected to."""
    here = {node.node_id for node in seen.nodes if node.state != "elsewhere"}
    answering = {node.node_id for node in seen.answering if node.state != "paused"}
    heard = {peer for node in seen.answering for peer in node.peer_ids or () if peer not in here}
    return frozenset((answering | heard) & seen.weights.keys())


def weight_of(seen: Situation, ids: frozenset[str] | set[str]) -> int:
    """Weight of these sealers together."""
    return sum(seen.weights.get(each, 0) for each in ids)


def next_attempt_s(cycle: int | None) -> float:
    """Seconds until a node that timed out `cycle` times in a row tries again, at most."""
    return _TIMEOUT_S * _GROWTH ** min(cycle or 0, _CYCLES_MAX)


def _check_quorum(seen: Situation) -> Iterator[Finding]:
    total, quorum = total_of(seen), quorum_of(seen)
    present = present_ids(seen)
    if not seen.weights:
        return
    if weight_of(seen, present) < quorum:
        missing = [seen.name_of(each) for each in sorted(seen.weights) if each not in present]
        yield found(WORDS, "quorum-missing", sorted(missing), present=weight_of(seen, present), total=total, quorum=quorum)
        return
    groups = components(seen)
    largest = max((weight_of(seen, group) for group in groups), default=0)
    if groups and largest < quorum:
        shown = " | ".join(", ".join(sorted(seen.name_of(each) for each in group)) for group in groups)
        yield found(WORDS, "quorum-split", (), present=largest, quorum=quorum, groups=shown)
    for name, others in unconnected(seen):
        yield found(WORDS, "links-missing", name, others=", ".join(others))


def _check_views(seen: Situation) -> Iterator[Finding]:
    sealers = [node for node in seen.answering if node.node_id in seen.weights]
    waiting = [node for node in sealers if node.now is not None and node.now.timeout]
    healthy = [node for node in sealers if node not in waiting]
    if not waiting:
        return
    if not healthy:
        yield from _all_waiting(waiting)
        return
    quorum = quorum_of(seen)
    views: dict[int, int] = {}
    for node in healthy:
        if node.now is not None:
            views[node.now.view] = views.get(node.now.view, 0) + seen.weights[node.node_id]
    present = max(views.values())
    lost = [node for node in waiting if node.now is not None and node.now.view not in views]
    if lost and seen.generation == 3 and present < quorum and weight_of(seen, {node.node_id for node in healthy}) < quorum:  # noqa: PLR2004
        cycles = ", ".join(f"{node.name} {node.now.change_cycle}" for node in lost if node.now is not None)
        answering = ", ".join(node.name for node in healthy)
        names = [node.name for node in lost]
        if (seen_fresh := _fresh(lost)) is not None:
            yield found(WORDS, "starting", names, up=f"{seen_fresh:.0f}")
        else:
            yield found(WORDS, "restart-stuck", names, healthy=answering, present=present, quorum=quorum, cycles=cycles)
        waiting = [node for node in waiting if node not in lost]
    for node in waiting:
        yield _one_waiting(node, lost, present, quorum)


def _fresh(nodes: list[NodeSeen]) -> float | None:
    """The age of the youngest process, where it is too young to have tried in vain."""
    ages = [node.up_s for node in nodes if node.up_s is not None]
    return min(ages) if ages and min(ages) < _FRESH_S else None


def _all_waiting(waiting: list[NodeSeen]) -> Iterator[Finding]:
    names = [node.name for node in waiting]
    fresh = _fresh(waiting)
    if fresh is not None:
        yield found(WORDS, "starting", names, up=f"{fresh:.0f}")
        return
    states = [node.now for node in waiting if node.now is not None]
    yield found(
        WORDS, "view-changing", names,
        views=", ".join(str(state.view) for state in states),
        cycles=", ".join("?" if state.change_cycle is None else str(state.change_cycle) for state in states),
        next=f"{min(next_attempt_s(state.change_cycle) for state in states):.0f}",
    )  # fmt: skip


def _one_waiting(node: NodeSeen, lost: list[NodeSeen], present: int, quorum: int) -> Finding:
    status = node.now
    assert status is not None
    if node.up_s is not None and node.up_s < _FRESH_S:
        return found(WORDS, "starting", node.name, up=f"{node.up_s:.0f}")
    if node in lost and present >= quorum:
        wait = f"{next_attempt_s(status.change_cycle):.0f}"
        return found(WORDS, "rejoining", node.name, view=status.view, present=present, quorum=quorum, next=wait)
    cycle = "?" if status.change_cycle is None else status.change_cycle
    return found(WORDS, "in-timeout", node.name, view=status.view, cycle=cycle)


def _check_leader(seen: Situation) -> Iterator[Finding]:
    """Who the healthy nodes expect to propose the next block, and whether it can."""
    for node in sorted(seen.answering, key=lambda each: -(each.now.height if each.now else 0)):
        status = node.now
        if status is None or status.timeout or status.leader_index is None or not seen.weights:
            continue
        ordered = sorted(seen.weights)
        if status.leader_index >= len(ordered):
            return
        leader = ordered[status.leader_index]
        name, height = seen.name_of(leader), status.height + 1
        known = next((each for each in seen.nodes if each.node_id == leader), None)
        if known is not None and known.state in {"stopped", "paused"}:
            why, why_zh = ("does not run", "没有运行") if known.state == "stopped" else ("is frozen", "被冻结")
            yield found(WORDS, "leader-absent", name, height=height, why=why, why_zh=why_zh)
        else:
            yield found(WORDS, "leader-is", name, height=height, view=status.view)
        return


def _check_heights(seen: Situation) -> Iterator[Finding]:
    now = {node.name: node.now for node in seen.answering if node.now is not None}
    highest = max((status.height for status in now.values()), default=0)
    for node in seen.answering:
        first, status = node.status, node.now
        if status is None or first is None or status.height >= highest - (1 if status.height > first.height else 0):
            continue
        # One look between two commits shows nodes a block apart; behind is who was so at both looks.
        if max((each.status.height for each in seen.answering if each.status), default=0) <= first.height:
            continue
        gained = status.height - first.height
        yield found(WORDS, "node-behind", node.name, height=status.height, highest=highest, gained=gained, seconds=f"{seen.apart_s:.1f}")
    by_hash: dict[str, list[str]] = {}
    for name, digest in seen.hashes.items():
        by_hash.setdefault(digest, []).append(name)
    if len(by_hash) > 1:
        groups = sorted(by_hash.values(), key=len)
        others = ", ".join(name for group in groups[1:] for name in group)
        hashes = ", ".join(f"{'/'.join(names)} {digest[:10]}…" for digest, names in by_hash.items())
        yield found(WORDS, "forked", groups[0], height=seen.common_height, others=others, hashes=hashes)


def _check_pool(seen: Situation, findings: list[Finding]) -> Iterator[Finding]:
    if any(finding.severity.name == "ERROR" or finding.id in {"starting", "rejoining"} for finding in findings):
        return
    waiting = [min(node.pending or 0, node.pending_later or 0) for node in seen.answering]
    still = all(node.status and node.later and node.status.height == node.later.height for node in seen.answering)
    if waiting and max(waiting) > 0 and still and seen.apart_s >= _WAITING_S:
        yield found(WORDS, "pool-waits", (), pending=max(waiting), seconds=f"{seen.apart_s:.1f}")


def _check_chain(seen: Situation) -> Iterator[Finding]:
    versions: dict[str, list[str]] = {}
    for node in seen.answering:
        if node.version:
            versions.setdefault(node.version, []).append(node.name)
    if len(versions) > 1:
        yield found(
            WORDS, "mixed-versions", (), versions="; ".join(f"{version}: {', '.join(names)}" for version, names in versions.items())
        )
    if seen.newest_block_ms is not None and seen.newest_block_ms - seen.now_ms > _CLOCK_AHEAD_MS:
        yield found(WORDS, "clock-skew", (), ahead=(seen.newest_block_ms - seen.now_ms) // 1000)


def _able(seen: Situation) -> Finding:
    heights = [node.now.height for node in seen.answering if node.now is not None]
    pending = max((node.pending_later or node.pending or 0 for node in seen.answering), default=0)
    total = total_of(seen)
    present = weight_of(seen, present_ids(seen))
    return found(WORDS, "able", (), present=present, total=total, quorum=quorum_of(seen), height=max(heights), pending=pending)
