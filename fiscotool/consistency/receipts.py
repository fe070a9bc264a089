"""Does a node show what it has told a client, and does a transaction it took get into a block?

Theory. A receipt comes from the ledger, so a node that gave one for block h has block h: whoever asks it afterwards must be told a
height of at least h (read your own writes, at one node; nothing is promised across nodes). A transaction that a node holds is sealed
by that node at the latest when it leads itself, unless its block is full.

Sources: docs/invariants.md; spec 3.x 1.8 (1, 14), 2.5; FISCO #4198, #4308 (transactions that stay "sealed" for ever).
"""

from __future__ import annotations

from typing import Final

from fiscotool.consistency.examination import Examination, Words, evidence
from fiscotool.consistency.facts import Facts
from fiscotool.consistency.findings import Finding, Invariant, InvariantClass
from fiscotool.consistency.monotone import Reading, epoch_of, falls, judge_falls, wipes_of
from fiscotool.consistency.observations import BlockSeen, TxSeen
from fiscotool.consistency.steadiness import GOSSIP_S, POOL_EXPIRY_S, Steadiness

READ_OWN_RECEIPT: Final = Invariant(
    "read-own-receipt",
    InvariantClass.SAFETY,
    "A node shows the block of a receipt it gave",
    "给出回执的节点必有该区块",
    "A node that told a client a receipt in block h tells a height of at least h to every question asked after that, unless its data "
    "directory was removed in between.",
    "节点向客户端给出区块 h 中的回执之后，对此后的每次询问给出的高度都不小于 h；其间有意删除数据目录的除外。",
    "spec 3.x 1.8 (14), 2.5; bcos-ledger",
    is_required=False,
)

TX_INCLUSION: Final = Invariant(
    "tx-inclusion",
    InvariantClass.LIVENESS,
    "No transaction is left behind",
    "没有交易被搁置",
    "A transaction that a node took and did not refuse is on the chain once that node, up and undisturbed all the while, has itself "
    "proposed 3 blocks sealed later than a second after that, each with fewer transactions than the largest block of the run.",
    "节点接收且未拒绝的交易，在该节点（其间一直正常且未受干扰）于 1 秒之后又提出 3 个未满（交易数少于本次最大的区块）的区块之前已经上链。",
    "FISCO #4198, #4308; bcos-txpool; spec 3.x 1.8 (1)",
    is_required=False,
)

_LEADS_MAX: Final = 3


def check_read_own_receipt(facts: Facts) -> Finding:
    """Heights told after receipts, node by node."""
    exam = Examination(READ_OWN_RECEIPT)
    for node, samples in facts.samples_of.items():
        wipes = wipes_of(facts, node)
        receipts = [tx for tx in facts.observations.txs if tx.node == node and tx.outcome == "committed" and tx.block_number is not None]
        for epoch in range(len(wipes) + 1):
            told = [
                Reading(tx.sent_s, tx.got_s, tx.block_number or 0, tx.line)
                for tx in receipts
                if epoch_of(wipes, tx.sent_s) == epoch == epoch_of(wipes, tx.got_s)
            ]
            asked = [
                Reading(s.sent_s, s.got_s, s.height, s.line) for s in samples if s.height is not None and epoch_of(wipes, s.sent_s) == epoch
            ]
            judge_falls(exam, node, "a receipt in block", "回执所在区块高度", falls(told, asked))
    return exam.finding(
        Words(
            f"{exam.checked_count} heights told after a receipt, none below its block.",
            f"给出回执之后的 {exam.checked_count} 次高度均不低于回执所在区块。",
        ),
        Words("No node was asked for its height after it gave a receipt.", "没有节点在给出回执之后被询问高度。"),
    )


def check_tx_inclusion(facts: Facts) -> Finding:
    """Transactions taken by nodes that led afterwards."""
    exam = Examination(TX_INCLUSION)
    steadiness = Steadiness(facts)
    largest = max((len(block.tx_hashes) for block in facts.chain.values()), default=0)
    led: dict[str, list[BlockSeen]] = {}
    for block in facts.chain.values():
        if block.sealer_list and block.tx_hashes_known and len(block.tx_hashes) < largest and not facts.is_empty(block):
            led.setdefault(facts.sealer_name(block, block.sealer), []).append(block)
    has_all = all(block.tx_hashes_known for block in facts.chain.values())
    for tx_hash, attempts in facts.txs_by_hash.items():
        first = attempts[0]
        if not has_all or len(attempts) != 1 or first.outcome == "refused":
            continue
        if tx_hash in facts.heights_of_tx:
            exam.checked_count += 1
        elif first.outcome == "unknown":
            _check_waiting(exam, facts, steadiness, first, led.get(first.node, []))
    return exam.finding(
        Words(
            f"{exam.checked_count} transactions taken by nodes, all included.",
            f"节点接收的 {exam.checked_count} 笔交易均已上链。",
        ),
        Words("No block's list of transactions tells what became of one.", "没有区块的交易列表可说明交易的去向。"),
    )


def _check_waiting(exam: Examination, facts: Facts, steadiness: Steadiness, tx: TxSeen, led: list[BlockSeen]) -> None:
    from_s = tx.sent_s + GOSSIP_S
    missed = [block for block in led if facts.sealed_after_s(block.number) >= from_s][:_LEADS_MAX]
    if len(missed) < _LEADS_MAX:
        return
    to_s = facts.first_shown_s(missed[-1].number)
    if to_s > tx.sent_s + POOL_EXPIRY_S or not steadiness.is_steady(tx.node, tx.sent_s, to_s):
        return
    exam.checked_count += 1
    heights = [block.number for block in missed]
    exam.breach(
        evidence(
            Words(
                f"{tx.node} took transaction {tx.tx_hash[:12]}… at {tx.sent_s:.2f} s and has since proposed blocks "
                f"{', '.join(map(str, heights))} with room to spare, all without it.",
                f"{tx.node} 在 {tx.sent_s:.2f} 秒接收交易 {tx.tx_hash[:12]}…，此后提出了未满的区块 {', '.join(map(str, heights))}，"
                "均不含该交易。",
            ),
            node=tx.node,
            height=heights[0],
            lines=(tx.line, *(block.line for block in missed)),
        )
    )
