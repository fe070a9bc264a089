"""Is what every node tells a chain: numbers without gaps, each block naming the hash of the one before it?

FISCO deviation. The genesis block is exempt: `getBlockByNumber(0)` tells a header whose hash is not the stored hash that block 1
names as its parent (recorded on two real chains).

Sources: spec 3.x 3.4; bcos-tars-protocol Block.tars `parentInfo`; recordings v3/OBSERVED.md 4.
"""

from __future__ import annotations

import itertools
from typing import Final

from fiscotool.consistency.examination import Examination, Words, evidence
from fiscotool.consistency.facts import Facts
from fiscotool.consistency.findings import Finding, Invariant, InvariantClass
from fiscotool.consistency.observations import BlockSeen

LINKAGE: Final = Invariant(
    "linkage",
    InvariantClass.SAFETY,
    "Chain of parents",
    "父块链接",
    "Every block at height h > 1 names height h−1 and the hash of the block told at h−1 as its parent; block 1 names height 0.",
    "每个高度 h > 1 的区块，其父块信息为高度 h−1 及该高度区块的哈希；1 号区块的父块高度为 0。",
    "spec 3.x 3.4; bcos-tars-protocol Block.tars parentInfo",
)


def check_linkage(facts: Facts) -> Finding:
    """Every telling of a block links to the block before it, as told by the same node if it told it."""
    exam = Examination(LINKAGE)
    told_by = {(block.node, block.number): block for block in facts.observations.blocks}
    for number, blocks in facts.told_at.items():
        for block in blocks:
            if number > 0:
                _check_block(exam, facts, block, told_by.get((block.node, number - 1)) or facts.chain.get(number - 1))
    heights = list(facts.chain)
    gaps = [(low, high) for low, high in itertools.pairwise(heights) if high != low + 1]
    for low, high in gaps:
        exam.cannot_tell(
            Words(
                f"No node told the blocks between {low} and {high}: the chain cannot be followed there.",
                f"没有节点给出高度 {low} 与 {high} 之间的区块：此处无法核对链接。",
            )
        )
    return exam.finding(
        Words(
            f"{exam.checked_count} blocks name their parent rightly, without a gap.", f"{exam.checked_count} 个区块的父块信息正确且连续。"
        ),
        Words("No block above height 0 was told.", "没有给出 0 号以上的区块。"),
    )


def _check_block(exam: Examination, facts: Facts, block: BlockSeen, parent: BlockSeen | None) -> None:
    exam.checked_count += 1
    if block.parent_number != block.number - 1:
        exam.breach(
            evidence(
                Words(
                    f"{block.node}: block {block.number} names height {block.parent_number} as its parent.",
                    f"{block.node}：区块 {block.number} 的父块高度写为 {block.parent_number}。",
                ),
                node=block.node,
                height=block.number,
                lines=(block.line,),
                parent_number=block.parent_number,
            )
        )
        return
    if parent is None or parent.number == 0:
        return
    # A node whose own telling of the parent is a fork of it is agreement's matter; the link is right if it meets any telling.
    known = {other.block_hash for other in facts.told_at[parent.number]}
    if block.parent_hash not in known or (parent.node == block.node and parent.block_hash != block.parent_hash and len(known) == 1):
        exam.breach(
            evidence(
                Words(
                    f"{block.node}: block {block.number} names {block.parent_hash[:12]}… as its parent, block {parent.number} "
                    f"is {parent.block_hash[:12]}….",
                    f"{block.node}：区块 {block.number} 的父块哈希写为 {block.parent_hash[:12]}…，而区块 {parent.number} 是 "
                    f"{parent.block_hash[:12]}…。",
                ),
                node=block.node,
                height=block.number,
                lines=(block.line, parent.line),
                parent_hash=block.parent_hash,
                expected=parent.block_hash,
            )
        )
