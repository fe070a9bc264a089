"""Did only nodes that were up take part, and did only what was broken break?

Theory. A drill knows when a process certainly did nothing. In such a span it can neither propose nor sign, and sealers short of a
quorum can decide nothing that was sealed then. What was sealed before may still be finished: `sealed_after_s` tells them apart.

Sources: spec 3.x 1.8, 1.9, 1.17 (6); docs/invariants.md on faults.
"""

from __future__ import annotations

import itertools
from typing import Final

from fiscotool.consistency.downtime import SETTLE_S, is_certainly_down
from fiscotool.consistency.examination import Examination, Words, evidence
from fiscotool.consistency.facts import FOREVER, Facts, quorum_weight
from fiscotool.consistency.findings import Evidence, Finding, Invariant, InvariantClass
from fiscotool.consistency.observations import Sample
from fiscotool.consistency.steadiness import Steadiness

SIGNERS_ALIVE: Final = Invariant(
    "signers-alive",
    InvariantClass.SAFETY,
    "The dead do not sign",
    "宕机的节点不会签名",
    "No sealer whose process was certainly down or frozen from before a block can have been sealed until the telling node "
    "showed it has "
    "signed that block.",
    "若某共识节点的进程从区块可能出块之前到给出该块的节点首次展示它为止一直停止或冻结，则它没有签署该区块。",
    "spec 3.x 1.8 (12, 13); Castro–Liskov authentication",
    is_required=False,
)

PROPOSER_ALIVE: Final = Invariant(
    "proposer-alive",
    InvariantClass.SAFETY,
    "The dead do not propose",
    "宕机的节点不会出块",
    "No sealer whose process was certainly down or frozen from before a block can have been sealed until it first appeared has "
    "proposed it.",
    "若某共识节点的进程从区块可能出块之前到该区块首次出现为止一直停止或冻结，则它没有提出该区块。",
    "spec 3.x 1.8 (1–3)",
    is_required=False,
)

NO_QUORUM_NO_BLOCK: Final = Invariant(
    "no-quorum-no-block",
    InvariantClass.SAFETY,
    "No block without a quorum",
    "没有法定多数就没有区块",
    "While sealers of more weight than W − q are certainly down, no block appears that was sealed after they went down.",
    "当宕机的共识节点权重超过 W − q 时，不会出现在其宕机之后才出块的区块。",
    "OSDI'99 4.2; spec 3.x 1.17 (3, 6)",
    is_required=False,
)

HEIGHT_BACKED: Final = Invariant(
    "height-backed",
    InvariantClass.SAFETY,
    "No phantom heights",
    "没有虚报的高度",
    "When a node claims a height and sealers of at least q weight are then up and undisturbed for 10 s, another node reaches "
    "that height "
    "within the recording: a block enters a ledger only after q sealers executed it.",
    "节点报告某一高度后，若此后 10 秒内至少 q 权重的共识节点正常且未受干扰，则记录中另有节点到达该高度：区块进入账本之前必有 q "
    "权重的共识节点执行过它。",
    "bcos-pbft PBFTCache::checkAndCommitStableCheckPoint; spec 3.x 1.9",
)

PROCESS_ALIVE: Final = Invariant(
    "process-alive",
    InvariantClass.LIVENESS,
    "No process ends unasked",
    "没有进程自行终止",
    "A node that answered goes on answering until something is done to it: its process is not replaced by another, and it does "
    "not fall "
    "silent for more than 10 s until the end of the recording, outside of the faults of the run.",
    "曾经应答的节点在未受操作时持续应答：除本次运行注入的故障外，其进程不会变为另一个进程，也不会沉默超过 10 秒直至记录结束。",
    "docs/invariants.md; recordings v3 (crash after resume)",
)

_BACKED_WITHIN_S: Final = 10.0
_SILENT_S: Final = 10.0


def check_signers_alive(facts: Facts) -> Finding:
    """Every signer had a moment to sign."""
    exam = Examination(SIGNERS_ALIVE)
    for block in facts.observations.blocks:
        if block.number == 0 or not block.sealer_list:
            continue
        from_s, to_s = facts.sealed_after_s(block.number), facts.first_shown_by_s(block.node, block.number)
        if from_s == -FOREVER or not any(span.start_s <= from_s and span.end_s >= to_s for span in facts.downtimes):
            continue
        exam.checked_count += 1
        for index in sorted({entry.sealer_index for entry in block.signatures if entry.is_valid}):
            name = facts.sealer_name(block, index)
            span = is_certainly_down(facts.downtimes, name, from_s, to_s)
            if span is not None:
                exam.breach(
                    evidence(
                        Words(
                            f"{name} signed block {block.number} (told by {block.node}), made between {from_s:.2f} and "
                            f"{to_s:.2f} s, while it was "
                            f"down ({span.fault.kind}) from {span.start_s:.2f} s on.",
                            f"{name} 签署了区块 {block.number}（由 {block.node} 给出，产生于 {from_s:.2f} 至 {to_s:.2f} "
                            f"秒之间），但它自 "
                            f"{span.start_s:.2f} 秒起处于 {span.fault.kind} 状态。",
                        ),
                        node=name,
                        height=block.number,
                        lines=(block.line, span.fault.line),
                    )
                )
    return exam.finding(
        Words(
            f"{exam.checked_count} certificates made while a sealer was down, none signed by it.",
            f"有节点宕机期间的 {exam.checked_count} 个签名列表，均不含该节点。",
        ),
        Words("No block was certainly made while a sealer was down.", "没有确定在某节点宕机期间产生的区块。"),
    )


def check_proposer_alive(facts: Facts) -> Finding:
    """Every proposer had a moment to propose."""
    exam = Examination(PROPOSER_ALIVE)
    for number, block in facts.chain.items():
        if number == 0 or not block.sealer_list or facts.is_empty(block):
            continue
        from_s, to_s = facts.sealed_after_s(number), facts.first_shown_s(number)
        if from_s == -FOREVER or not any(span.start_s <= from_s and span.end_s >= to_s for span in facts.downtimes):
            continue
        exam.checked_count += 1
        name = facts.sealer_name(block, block.sealer)
        span = is_certainly_down(facts.downtimes, name, from_s, to_s)
        if span is not None:
            exam.breach(
                evidence(
                    Words(
                        f"{name} proposed block {number}, made between {from_s:.2f} and {to_s:.2f} s, while it was down "
                        f"({span.fault.kind}) from "
                        f"{span.start_s:.2f} s on.",
                        f"{name} 提出了区块 {number}（产生于 {from_s:.2f} 至 {to_s:.2f} 秒之间），但它自 {span.start_s:.2f} "
                        f"秒起处于 {span.fault.kind} 状态。",
                    ),
                    node=name,
                    height=number,
                    lines=(block.line, span.fault.line),
                )
            )
    return exam.finding(
        Words(
            f"{exam.checked_count} blocks made while a sealer was down, none proposed by it.",
            f"有节点宕机期间的 {exam.checked_count} 个区块，均非该节点提出。",
        ),
        Words("No block was certainly made while a sealer was down.", "没有确定在某节点宕机期间产生的区块。"),
    )


def check_no_quorum_no_block(facts: Facts) -> Finding:
    """Nothing sealed and shown within a span without a quorum."""
    exam = Examination(NO_QUORUM_NO_BLOCK)
    for span in facts.quorum_losses:
        exam.checked_count += 1
        end_s = min(span.end_s, facts.end_s)
        for number, block in facts.chain.items():
            from_s, to_s = facts.sealed_after_s(number), facts.first_shown_s(number)
            if from_s > span.start_s + SETTLE_S and to_s <= end_s:
                down = ", ".join(span.nodes)
                exam.breach(
                    evidence(
                        Words(
                            f"Block {number} was made between {from_s:.2f} and {to_s:.2f} s while {down} were down: no quorum was left.",
                            f"区块 {number} 产生于 {from_s:.2f} 至 {to_s:.2f} 秒之间，而此时 {down} 均已宕机，不足法定多数。",
                        ),
                        height=number,
                        lines=(block.line,),
                        down=list(span.nodes),
                    )
                )
    return exam.finding(
        Words(
            f"The chain stood still through {exam.checked_count} losses of quorum.",
            f"{exam.checked_count} 次失去法定多数期间，链均停止出块。",
        ),
        Words("The quorum was never lost for certain.", "没有确定失去法定多数的时段。"),
    )


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


def check_process_alive(facts: Facts) -> Finding:
    """No unasked end of a process."""
    exam = Examination(PROCESS_ALIVE)
    for node, lives in facts.lives.items():
        if not lives:
            exam.note(evidence(Words(f"{node} never answered.", f"{node} 从未应答。"), node=node))
            continue
        exam.checked_count += 1
        for earlier, later in itertools.pairwise(lives):
            if earlier.incarnation is None or later.incarnation is None:
                continue
            if not _was_touched(facts, node, earlier.last_sent_s, later.first_got_s):
                exam.breach(_ended(node, earlier.samples[-1], later.samples[0]))
        _check_silence(exam, facts, node, lives[-1].samples[-1])
    return exam.finding(
        Words(f"{exam.checked_count} nodes ended only when asked to.", f"{exam.checked_count} 个节点只在被操作时终止。"),
        Words("No node answered.", "没有节点应答。"),
    )


def _was_touched(facts: Facts, node: str, from_s: float, to_s: float) -> bool:
    return any(f.node == node and f.injected_s <= to_s and (f.healed_s is None or f.healed_s >= from_s) for f in facts.observations.faults)


def _ended(node: str, last: Sample, first: Sample) -> Evidence:
    return evidence(
        Words(
            f"{node} was replaced by another process between {last.got_s:.2f} and {first.got_s:.2f} s, and nobody asked for it: a crash?",
            f"{node} 在 {last.got_s:.2f} 至 {first.got_s:.2f} 秒之间变为另一个进程，但并无此操作：可能崩溃过。",
        ),
        node=node,
        lines=(last.line, first.line),
    )


def _check_silence(exam: Examination, facts: Facts, node: str, last: Sample) -> None:
    """A node that fell silent and never answered again."""
    failures = [s for s in facts.samples_of[node] if s.error and s.sent_s > last.got_s]
    if not failures or failures[-1].sent_s - last.got_s < _SILENT_S or _was_touched(facts, node, last.sent_s, failures[0].got_s):
        return
    exam.breach(
        evidence(
            Words(
                f"{node} stopped answering at {last.got_s:.2f} s and never answered again ({failures[0].error}); nobody asked "
                f"for it: a crash?",
                f"{node} 自 {last.got_s:.2f} 秒起不再应答（{failures[0].error}），但并无此操作：可能已崩溃。",
            ),
            node=node,
            lines=(last.line, failures[0].line),
        )
    )
