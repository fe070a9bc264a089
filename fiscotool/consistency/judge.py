"""The verdict on a run: every rule asked, every fault's cost, and declared Byzantine nodes kept from bearing witness.

Rule 1. What a node declared Byzantine says is no evidence against the others, as long as all of them weigh at most f. What it was
        seen to do is told, as a note, beside the rule it broke.
Rule 2. With more than f declared, PBFT promises nothing any more, and every node's word counts again: whatever breaks is shown.

Theory. PBFT's safety is about honest nodes. A run with a liar among four holds if the other three agree; that the liar lied is worth
knowing, and no violation.

Sources: OSDI'99 2, 4.5.1; docs/invariants.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from fiscotool.consistency import (
    agreement,
    certificates,
    claims,
    headers,
    linkage,
    membership,
    monotone,
    needless,
    phases,
    presence,
    processes,
    progress,
    quorum_views,
    receipts,
    recovery,
    schedule,
    schedule2,
    status,
    textbook,
    timer_state,
    transactions,
    view_sequence,
)
from fiscotool.consistency.examination import Words, evidence
from fiscotool.consistency.facts import Facts, faulty_weight_max
from fiscotool.consistency.findings import Finding, Invariant, Judgement, Recovery, Verdict
from fiscotool.consistency.generations import decide, is_second
from fiscotool.consistency.observations import Observations

Rule = Callable[[Facts], Finding]

RULES: Final[tuple[tuple[Invariant, Rule], ...]] = (
    (agreement.AGREEMENT, agreement.check_agreement),
    (agreement.STATE_AGREEMENT, agreement.check_state_agreement),
    (linkage.LINKAGE, linkage.check_linkage),
    (certificates.HEADER_HASH, certificates.check_header_hash),
    (certificates.CERTIFICATE, certificates.check_certificate),
    (certificates.EMPTY_CERTIFICATE, certificates.check_empty_certificate),
    (certificates.ONE_SIGNATURE, certificates.check_one_signature),
    (monotone.HEIGHT_MONOTONE, monotone.check_height_monotone),
    (monotone.VIEW_MONOTONE, monotone.check_view_monotone),
    (claims.HEIGHT_BACKED, claims.check_height_backed),
    (transactions.TX_DURABLE, transactions.check_tx_durable),
    (transactions.TX_ONCE, transactions.check_tx_once),
    (receipts.READ_OWN_RECEIPT, receipts.check_read_own_receipt),
    (presence.NO_QUORUM_NO_BLOCK, presence.check_no_quorum_no_block),
    (quorum_views.NO_QUORUM_NO_VIEW, quorum_views.check_no_quorum_no_view),
    (phases.PHASE_TIME, phases.check_phase_time),
    (presence.SIGNERS_ALIVE, presence.check_signers_alive),
    (presence.PROPOSER_ALIVE, presence.check_proposer_alive),
    (progress.PROGRESS, progress.check_progress),
    (progress.NO_STALL, progress.check_no_stall),
    (receipts.TX_INCLUSION, receipts.check_tx_inclusion),
    (needless.NEEDLESS_VIEW_CHANGE, needless.check_needless_view_change),
    (quorum_views.VIEW_PACE, quorum_views.check_view_pace),
    (recovery.CATCH_UP, recovery.check_catch_up),
    (recovery.REJOIN, recovery.check_view_convergence),
    (processes.PROCESS_ALIVE, processes.check_process_alive),
    (schedule.LEADER_SCHEDULE, schedule.check_leader_schedule),
    (view_sequence.VIEW_SEQUENCE, view_sequence.check_view_sequence),
    (schedule.EMPTY_VIEW_CHANGE, schedule.check_empty_view_change),
    (status.ANNOUNCED_LEADER, status.check_announced_leader),
    (status.QUORUM_ARITHMETIC, status.check_quorum_arithmetic),
    (status.TIMER_BACKOFF, status.check_timer_backoff),
    (timer_state.TIMER_RESET, timer_state.check_timer_reset),
    (membership.MEMBERSHIP_TOLD, membership.check_membership_told),
    (membership.SYNC_TRUTH, membership.check_sync_truth),
    (monotone.CONSENSUS_HEIGHT, monotone.check_consensus_height),
    (headers.SEALER_LIST, headers.check_sealer_list),
    (headers.TIMESTAMPS, headers.check_timestamps),
)
"""Every invariant with the rule that decides it, in the order of reports: safety, durability, liveness, conformance."""

RULES_OF_2X: Final[dict[str, Rule]] = {schedule.LEADER_SCHEDULE.id: schedule2.check_leader_schedule2}
"""Rules that decide the same invariant differently on a 2.x chain, by the invariant's id."""


def judge(observations: Observations) -> Judgement:
    """Decide every invariant and measure every fault. Pure: equal observations give an equal judgement."""
    liars = excluded_witnesses(observations)
    facts = Facts(_without(observations, liars))
    findings = tuple(decide(invariant, _rule_for(invariant, rule, facts), facts) for invariant, rule in RULES)
    if liars:
        findings = _with_notes(observations, findings, liars)
    return Judgement(findings, recoveries(facts), textbook.deviations(facts))


def _rule_for(invariant: Invariant, rule: Rule, facts: Facts) -> Rule:
    return RULES_OF_2X.get(invariant.id, rule) if is_second(facts) else rule


def recoveries(facts: Facts) -> tuple[Recovery, ...]:
    """What every fault cost."""
    return recovery.recoveries(facts)


def excluded_witnesses(observations: Observations) -> frozenset[str]:
    """Names of nodes declared Byzantine, if together they weigh at most f; else none."""
    declared = frozenset(node.name for node in observations.run.nodes if node.byzantine)
    if not declared:
        return frozenset()
    # Membership is judged by what the others tell, or a liar could make itself light.
    facts = Facts(_without(observations, declared))
    weights = facts.weights_by_name(max(facts.chain, default=0))
    weight = sum(weights.get(name, 0) for name in declared)
    return declared if weight <= faulty_weight_max(sum(weights.values())) else frozenset()


def _without(observations: Observations, names: frozenset[str]) -> Observations:
    if not names:
        return observations
    return replace(
        observations,
        samples=tuple(sample for sample in observations.samples if sample.node not in names),
        blocks=tuple(block for block in observations.blocks if block.node not in names),
        txs=tuple(tx for tx in observations.txs if tx.node not in names),
    )


def _with_notes(observations: Observations, findings: tuple[Finding, ...], liars: frozenset[str]) -> tuple[Finding, ...]:
    """Beside each rule that only the declared nodes break: what they did."""
    everyone = Facts(observations)
    noted = []
    for finding, (invariant, rule) in zip(findings, RULES, strict=True):
        with_them = decide(invariant, _rule_for(invariant, rule, everyone), everyone)
        if with_them.verdict is Verdict.VIOLATED and finding.verdict is not Verdict.VIOLATED:
            finding = _noted(finding, with_them, liars)  # noqa: PLW2901  the finding with its notes replaces the finding
        noted.append(finding)
    return tuple(noted)


def _noted(finding: Finding, with_them: Finding, liars: frozenset[str]) -> Finding:
    who = ", ".join(sorted(liars))
    head = evidence(
        Words(
            f"What {who} (declared Byzantine, within f) says is not counted. Counted, this rule would be broken:",
            f"{who}（声明为拜占庭节点，未超过 f）的陈述不计入；若计入，本规则将被违反：",
        ),
        node=min(liars),
    )
    return replace(
        finding,
        summary=f"{finding.summary} Seen of {who}, declared Byzantine: {with_them.summary}",
        summary_zh=f"{finding.summary_zh} 声明为拜占庭的 {who} 的表现：{with_them.summary_zh}",
        evidence=(*finding.evidence, head, *with_them.evidence),
    )
