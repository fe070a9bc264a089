"""Do headers carry a sealer list that changes only by transactions, and timestamps that can be true?

FISCO deviation. Followers do not check timestamps, and a pipelined leader only makes its own larger than the last *committed*
block's: a timestamp may fall below its parent's. That is noted; the rule demands growth over the length of the pipeline.

Sources: spec 3.x 1.5, 1.8 (2), 1.17 (11), 1.19, 6.1 (15); bcos-sealer SealingManager.cpp.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from fiscotool.consistency.examination import Examination, Words, evidence
from fiscotool.consistency.facts import FOREVER, PIPELINE_BLOCKS, Facts
from fiscotool.consistency.findings import Evidence, Finding, Invariant, InvariantClass
from fiscotool.consistency.observations import BlockSeen

SEALER_LIST: Final = Invariant(
    "sealer-list",
    InvariantClass.CONFORMANCE,
    "Sealer lists are sorted and change only by transactions",
    "共识节点列表有序且只由交易改变",
    "The sealer list of a header is strictly ascending by node id with one positive weight each; it differs from the list of the block "
    "before only if that block holds a transaction.",
    "区块头中的共识节点列表按节点 ID 严格升序，且每个都有一个正权重；只有当前一区块含有交易时，列表才可能与前一区块不同。",
    "bcos-pbft ConsensusConfig setConsensusNodeList; spec 3.x 1.5, 1.19",
)

TIMESTAMPS: Final = Invariant(
    "timestamps",
    InvariantClass.CONFORMANCE,
    "Timestamps can be true",
    "时间戳可信",
    "A block's timestamp is later than that of every block a pipeline's length (50) below it and, where the observer's wall "
    "clock is recorded, "
    "lies between the sending of its transactions and its first appearance, give or take the error of the clocks.",
    "区块时间戳晚于低一个流水线长度（50）以上的区块；若记录了观测者的时钟，则时间戳介于其交易发送与该区块首次出现之间（允许时钟误差）。",
    "bcos-sealer SealingManager.cpp; spec 3.x 1.8 (2), 1.17 (11)",
)


def check_sealer_list(facts: Facts) -> Finding:
    """Order, weights and continuity of the lists."""
    exam = Examination(SEALER_LIST)
    blocks = [block for block in facts.chain.values() if block.sealer_list]
    for block in blocks:
        exam.checked_count += 1
        ids = [node_id.lower().removeprefix("0x") for node_id in block.sealer_list]
        if any(later <= earlier for earlier, later in pairwise(ids)):
            exam.breach(_fault(block, Words("its sealers are not in ascending order", "共识节点未按升序排列")))
        elif block.weights and (len(block.weights) != len(ids) or min(block.weights) <= 0):
            exam.breach(
                _fault(block, Words(f"its weights {list(block.weights)} do not fit its list", f"权重 {list(block.weights)} 与列表不符"))
            )
    for earlier, later in pairwise(blocks):
        if later.number != earlier.number + 1 or (earlier.sealer_list, earlier.weights) == (later.sealer_list, later.weights):
            continue
        if facts.is_empty(earlier):
            exam.breach(
                _fault(
                    later,
                    Words("its sealers differ from those before, which no transaction changed", "共识节点与前一区块不同，但没有交易改变它"),
                )
            )
    return exam.finding(
        Words(f"{exam.checked_count} headers carry a proper sealer list.", f"{exam.checked_count} 个区块头的共识节点列表正确。"),
        Words("No header with a sealer list was told.", "没有给出带共识节点列表的区块头。"),
    )


def _fault(block: BlockSeen, what: Words) -> Evidence:
    return evidence(
        Words(f"Block {block.number}: {what.en}.", f"区块 {block.number}：{what.zh}。"),
        node=block.node,
        height=block.number,
        lines=(block.line,),
    )


def check_timestamps(facts: Facts) -> Finding:
    """Growth over a pipeline, and the observer's clock."""
    exam = Examination(TIMESTAMPS)
    newest: list[tuple[int, int]] = []  # (number, largest timestamp up to it)
    falls = 0
    previous: BlockSeen | None = None
    for number, block in facts.chain.items():
        if number == 0:
            continue
        exam.checked_count += 1
        settled = [stamp for other, stamp in newest[-PIPELINE_BLOCKS - 1 :] if other < number - PIPELINE_BLOCKS]
        if settled and block.timestamp_ms <= settled[-1]:
            exam.breach(_fault(block, Words("its timestamp is not later than one 50 blocks below", "时间戳不晚于低 50 个高度的区块")))
        falls += previous is not None and previous.number == number - 1 and block.timestamp_ms <= previous.timestamp_ms
        _check_clock(exam, facts, block)
        newest.append((number, max(block.timestamp_ms, newest[-1][1] if newest else 0)))
        previous = block
    if falls:
        exam.note(
            evidence(
                Words(
                    f"{falls} blocks have a timestamp not later than their parent's: allowed with pipelining, and worth a look.",
                    f"{falls} 个区块的时间戳不晚于其父块：流水线下允许，但值得留意。",
                )
            )
        )
    return exam.finding(
        Words(f"{exam.checked_count} timestamps are plausible.", f"{exam.checked_count} 个时间戳合理。"),
        Words("No block above height 0 was told.", "没有给出 0 号以上的区块。"),
    )


def _check_clock(exam: Examination, facts: Facts, block: BlockSeen) -> None:
    error_s = facts.clock_error_s
    if facts.run.started_epoch_s is None or error_s is None:
        return
    stamp_s = block.timestamp_ms / 1000 - facts.run.started_epoch_s
    shown_s = facts.first_shown_s(block.number)
    sent_s = _newest_own_transaction_s(facts, block)
    if shown_s < FOREVER and stamp_s > shown_s + error_s:
        exam.breach(
            _fault(
                block,
                Words(
                    f"its timestamp is {stamp_s - shown_s:.1f} s after its first appearance",
                    f"时间戳比首次出现晚 {stamp_s - shown_s:.1f} 秒",
                ),
            )
        )
    elif stamp_s < sent_s - error_s:
        exam.breach(
            _fault(
                block,
                Words(
                    f"its timestamp is {sent_s - stamp_s:.1f} s before its transaction was sent",
                    f"时间戳比其交易发送早 {sent_s - stamp_s:.1f} 秒",
                ),
            )
        )


def _newest_own_transaction_s(facts: Facts, block: BlockSeen) -> float:
    times = [min(a.sent_s for a in facts.txs_by_hash[tx_hash]) for tx_hash in block.tx_hashes if tx_hash in facts.txs_by_hash]
    return max(times, default=-FOREVER)
