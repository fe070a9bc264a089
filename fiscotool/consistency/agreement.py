"""Do all nodes have the same chain, and the same results of it?

Theory. Agreement is what PBFT is for: no two honest nodes decide differently at one height, ever (Castro–Liskov 4.5.1). FISCO
signs the block after execution, so equal hashes also mean equal results; comparing the roots as told catches a node that stores
or tells something else than what it signed.

Sources: OSDI'99 4.5.1; spec 3.x 1.17 (6), 2.4, 3.4.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Final

from fiscotool.consistency.examination import Examination, Words, evidence
from fiscotool.consistency.facts import Facts
from fiscotool.consistency.findings import Finding, Invariant, InvariantClass
from fiscotool.consistency.observations import BlockSeen

AGREEMENT: Final = Invariant(
    "agreement",
    InvariantClass.SAFETY,
    "One block hash per height",
    "每个高度只有一个区块哈希",
    "For every height, all nodes that ever told a block there, at any time and in any life, told the same block hash; and every "
    "hash a node named as its latest is the hash of a block of that one chain, at most 3 from the height it named with it.",
    "对每个高度，所有曾给出该高度区块的节点（任何时刻、任何一次进程生命期）给出的区块哈希都相同；节点报告的最新哈希都属于这条唯一的链，"
    "且与同时报告的高度相差不超过 3。",
    "OSDI'99 4.5.1; bcos-pbft PBFTCache::checkAndCommitStableCheckPoint",
)

STATE_AGREEMENT: Final = Invariant(
    "state-agreement",
    InvariantClass.SAFETY,
    "One result per block",
    "每个区块只有一个执行结果",
    "Nodes that tell the same block hash also tell the same transaction, receipt and state roots, gas used, sealer and list of "
    "transactions.",
    "给出同一区块哈希的节点，给出的交易根、回执根、状态根、gas 用量、出块者与交易列表也都相同。",
    "bcos-tars-protocol TarsHashable.h (block hash); spec 3.x 3.4",
)

_TORN_BLOCKS: Final = 3
"""A consensus status is read without a lock: its hash may be of a block committed a moment after its number."""


def check_agreement(facts: Facts) -> Finding:
    """One hash per height over everything that was told."""
    exam = Examination(AGREEMENT)
    for number, blocks in facts.told_at.items():
        told: defaultdict[str, list[BlockSeen]] = defaultdict(list)
        for block in blocks:
            told[block.block_hash].append(block)
        if len({block.node for block in blocks}) > 1 or len(told) > 1:
            exam.checked_count += 1
        if len(told) > 1:
            _report_fork(exam, number, told)
    _check_sampled_hashes(exam, facts)
    nodes = len({block.node for block in facts.observations.blocks})
    return exam.finding(
        Words(
            f"{nodes} nodes tell one and the same chain at {exam.checked_count} points.",
            f"{nodes} 个节点在 {exam.checked_count} 处给出的是同一条链。",
        ),
        Words("No height was told by two nodes.", "没有任何高度被两个节点同时给出。"),
    )


def _report_fork(exam: Examination, number: int, told: dict[str, list[BlockSeen]]) -> None:
    sizes = {block_hash: len({block.node for block in blocks}) for block_hash, blocks in told.items()}
    largest = max(sizes.values())
    majority = next(block_hash for block_hash, size in sizes.items() if size == largest)
    for block_hash, blocks in told.items():
        if block_hash == majority:
            continue
        nodes = ", ".join(sorted({block.node for block in blocks}))
        others = ", ".join(sorted({block.node for block in told[majority]}))
        exam.breach(
            evidence(
                Words(
                    f"Height {number}: {nodes} told {_short(block_hash)}, {others} told {_short(majority)}.",
                    f"高度 {number}：{nodes} 给出 {_short(block_hash)}，{others} 给出 {_short(majority)}。",
                ),
                node=blocks[0].node,
                height=number,
                lines=(*(block.line for block in blocks), *(block.line for block in told[majority])),
                hash=block_hash,
                majority_hash=majority,
            )
        )


def _check_sampled_hashes(exam: Examination, facts: Facts) -> None:
    """A hash a node named as its latest must be on the chain, at about the height it named."""
    on_chain = {block.block_hash: number for number, blocks in facts.told_at.items() for block in blocks}
    reported: set[tuple[str, str]] = set()
    for samples in facts.samples_of.values():
        for sample in samples:
            height = sample.consensus_height if sample.consensus_height is not None else sample.height
            # The genesis block's stored hash is not the hash of the header that is told (recordings: both chains).
            if sample.block_hash is None or not height or height < 1 + _TORN_BLOCKS:
                continue
            around = range(height - _TORN_BLOCKS, height + _TORN_BLOCKS + 1)
            if not all(number in facts.chain for number in around):
                continue
            exam.checked_count += 1
            number = on_chain.get(sample.block_hash)
            # A height of another question than the hash may be of quite another moment.
            is_far = number is not None and sample.consensus_height is not None and abs(number - height) > _TORN_BLOCKS
            if (number is not None and not is_far) or (sample.node, sample.block_hash) in reported:
                continue
            which, which_zh = ("no block told has that hash", "但没有任何区块具有该哈希")
            if number is not None:
                which, which_zh = (f"that is block {number}", f"而那是区块 {number}")
            reported.add((sample.node, sample.block_hash))
            exam.breach(
                evidence(
                    Words(
                        f"{sample.node} named {_short(sample.block_hash)} as its latest block at height {height}; {which}.",
                        f"{sample.node} 在高度 {height} 报告最新哈希为 {_short(sample.block_hash)}，{which_zh}。",
                    ),
                    node=sample.node,
                    height=height,
                    lines=(sample.line, facts.chain[height].line),
                    hash=sample.block_hash,
                )
            )


def check_state_agreement(facts: Facts) -> Finding:
    """Equal hash, equal contents."""
    exam = Examination(STATE_AGREEMENT)
    for number, blocks in facts.told_at.items():
        by_hash: defaultdict[str, list[BlockSeen]] = defaultdict(list)
        for block in blocks:
            by_hash[block.block_hash].append(block)
        for same in by_hash.values():
            if len({block.node for block in same}) > 1:
                exam.checked_count += 1
            for field in ("txs_root", "receipts_root", "state_root", "gas_used", "sealer", "timestamp_ms", "tx_hashes"):
                _compare_field(exam, number, same, field)
    return exam.finding(
        Words(
            f"Roots, gas and transactions are equal at {exam.checked_count} heights.",
            f"{exam.checked_count} 个高度的各个根、gas 与交易列表一致。",
        ),
        Words("No block was told by two nodes.", "没有任何区块被两个节点同时给出。"),
    )


def _compare_field(exam: Examination, number: int, same: list[BlockSeen], field: str) -> None:
    told = [block for block in same if field != "tx_hashes" or block.tx_hashes_known]
    votes = Counter(getattr(block, field) for block in told)
    if len(votes) < 2:  # noqa: PLR2004  two values are a difference
        return
    majority = votes.most_common(1)[0][0]
    for block in told:
        value = getattr(block, field)
        if value != majority:
            reference = next(other for other in told if getattr(other, field) == majority)
            exam.breach(
                evidence(
                    Words(
                        f"Height {number}: {block.node} tells another {field} than {reference.node} for the same block hash.",
                        f"高度 {number}：同一区块哈希，{block.node} 给出的 {field} 与 {reference.node} 不同。",
                    ),
                    node=block.node,
                    height=number,
                    lines=(block.line, reference.line),
                    field=field,
                    told=str(value),
                    expected=str(majority),
                )
            )


def _short(block_hash: str) -> str:
    return block_hash[:12] + "…" if len(block_hash) > 12 else block_hash  # noqa: PLR2004  enough to tell hashes apart
