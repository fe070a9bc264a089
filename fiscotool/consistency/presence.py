"""Did only nodes that were up take part in deciding?

Theory. A drill knows when a process certainly did nothing. In such a span it can neither propose nor sign, and sealers short of a
quorum can decide nothing that was sealed then. What was sealed before may still be finished: `sealed_after_s` tells them apart.

Sources: spec 3.x 1.8, 1.9, 1.17 (6); docs/invariants.md on faults.
"""

from __future__ import annotations

from typing import Final

from fiscotool.consistency.downtime import SETTLE_S, is_certainly_down
from fiscotool.consistency.examination import Examination, Words, evidence
from fiscotool.consistency.facts import FOREVER, Facts
from fiscotool.consistency.findings import Finding, Invariant, InvariantClass

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
