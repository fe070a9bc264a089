"""Is every height a node claims the height of a block that exists?

Theory. A block enters a ledger only after q sealers executed it and exchanged their signatures, so the others have it a moment later;
and no block can be older than the transactions in it. A claim that breaks either of these is a lie or a fork.

Sources: spec 3.x 1.8 (13, 14), 1.9; docs/invariants.md.
"""

from __future__ import annotations

from typing import Final

from fiscotool.consistency.examination import Examination, Words, evidence
from fiscotool.consistency.facts import Facts, quorum_weight
from fiscotool.consistency.findings import Evidence, Finding, Invariant, InvariantClass
from fiscotool.consistency.steadiness import Steadiness

HEIGHT_BACKED: Final = Invariant(
    "height-backed",
    InvariantClass.SAFETY,
    "No phantom heights",
    "没有虚报的高度",
    "No node claims a height before the transactions in its block were sent; and when a node claims a height and sealers of at "
    "least q weight are then up and undisturbed for 10 s, another node reaches "
    "that height "
    "within the recording: a block enters a ledger only after q sealers executed it.",
    "节点不会在区块内交易发送之前就报告该区块的高度；节点报告某一高度后，若此后 10 秒内至少 q "
    "权重的共识节点正常且未受干扰，则记录中另有节点到达该高度：区块进入账本之前必有 q "
    "权重的共识节点执行过它。",
    "bcos-pbft PBFTCache::checkAndCommitStableCheckPoint; spec 3.x 1.9",
)

_BACKED_WITHIN_S: Final = 10.0


def check_height_backed(facts: Facts) -> Finding:
    """A claimed height is reached by another node."""
    exam = Examination(HEIGHT_BACKED)
    steadiness = Steadiness(facts)
    for node, samples in facts.samples_of.items():
        claims = [s for s in samples if s.height is not None]
        if len(facts.samples_of) < 2 or not claims:  # noqa: PLR2004  two nodes are needed to compare
            continue
        reached = max((s.height or 0 for other, told in facts.samples_of.items() if other != node for s in told), default=0)
        exam.checked_count += 1
        if node in facts.early_claims:
            exam.breach(_too_early(facts, node))
            continue
        phantom = next((s for s in claims if (s.height or 0) > reached), None)
        if phantom is None:
            continue
        number = phantom.height or 0
        to_s = phantom.got_s + _BACKED_WITHIN_S
        if to_s > facts.end_s:
            continue
        weights = facts.weights_by_name(number)
        others = sum(weights.get(name, 0) for name in steadiness.steady_nodes(phantom.got_s, to_s) if name != node)
        # q steady sealers including the claimant itself: whoever else executed the block would have committed it by now.
        if others + weights.get(node, 0) < quorum_weight(sum(weights.values())):
            continue
        exam.breach(
            evidence(
                Words(
                    f"{node} claimed height {number} at {phantom.got_s:.2f} s; no other node ever got beyond {reached}.",
                    f"{node} 在 {phantom.got_s:.2f} 秒报告高度 {number}，而其他节点从未超过 {reached}。",
                ),
                node=node,
                height=number,
                lines=(phantom.line,),
            )
        )
    return exam.finding(
        Words(
            f"Every height {exam.checked_count} nodes claimed was reached by another.",
            f"{exam.checked_count} 个节点报告的高度均有其他节点到达。",
        ),
        Words("Fewer than two nodes told a height.", "给出高度的节点不足两个。"),
    )


def _too_early(facts: Facts, node: str) -> Evidence:
    number, at_s = facts.early_claims[node]
    known = max(height for height in facts.chain if height <= number)
    line = next((s.line for s in facts.samples_of.get(node, ()) if s.got_s == at_s), 0)
    return evidence(
        Words(
            f"{node} claimed height {number} at {at_s:.2f} s; transactions in block {known} were sent only after "
            f"{facts.sealed_after_s(known):.2f} s.",
            f"{node} 在 {at_s:.2f} 秒报告高度 {number}，而区块 {known} 中的交易在 {facts.sealed_after_s(known):.2f} 秒之后才发送。",
        ),
        node=node,
        height=number,
        lines=(line, facts.chain[known].line),
    )
