"""Is every block what it says it is, and did a quorum sign it?

Theory. A header's signatureList is the only proof a client can check by itself: signatures of distinct sealers of that block's own
list, over the block's hash, of weight at least q = W − ⌊(W−1)/3⌋. Two such certificates for two hashes at one height share at
least f+1 weight of signers, who are thereby convicted (accountability).

FISCO deviation. 3.16.4 does not remove repeated signers when it verifies, and accepts an empty synced block without any
certificate; so both are checked here, on their own. Signature lists differ between nodes and hold about q entries: both legal.

Sources: OSDI'99 4.2; spec 3.x 1.5, 1.16, 3.4; bcos-pbft BlockValidator.cpp `checkSignatureList`.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from fiscotool.consistency.examination import Examination, Words, evidence
from fiscotool.consistency.facts import Facts, quorum_weight
from fiscotool.consistency.findings import Finding, Invariant, InvariantClass
from fiscotool.consistency.observations import BlockSeen

HEADER_HASH: Final = Invariant(
    "header-hash",
    InvariantClass.SAFETY,
    "Block hash recomputed",
    "区块哈希重算一致",
    "The hash recomputed from the header fields a node told equals the block hash it told.",
    "由节点给出的区块头字段重新计算的哈希等于它给出的区块哈希。",
    "spec 3.x 3.4; bcos-tars-protocol TarsHashable.h",
)

CERTIFICATE: Final = Invariant(
    "certificate",
    InvariantClass.SAFETY,
    "Signed by a quorum",
    "法定多数签名",
    "For every block above height 0 as each node told it: the signers are distinct, all are in that block's sealer list, every "
    "signature "
    "verifies over the block hash, and their weight is at least q = W − ⌊(W−1)/3⌋ of that list.",
    "对每个节点给出的每个非创世区块：签名者互不相同，且都在该块的共识节点列表中，每个签名对区块哈希验证有效，"
    "权重之和不少于该列表的 q = W − ⌊(W−1)/3⌋。",
    "OSDI'99 4.2; bcos-pbft PBFTConfig updateQuorum; spec 3.x 1.5, 3.4",
)

EMPTY_CERTIFICATE: Final = Invariant(
    "empty-certificate",
    InvariantClass.SAFETY,
    "Empty blocks are signed too",
    "空区块同样有签名",
    "What `certificate` demands also holds for blocks without transactions, which FISCO's block sync takes without looking.",
    "「法定多数签名」的要求同样适用于没有交易的区块（FISCO 的区块同步对空块不作检查）。",
    "bcos-pbft BlockValidator.cpp asyncCheckBlock; spec 3.x 1.16",
    is_required=False,
)

ONE_SIGNATURE: Final = Invariant(
    "one-signature",
    InvariantClass.SAFETY,
    "No sealer signs two blocks at one height",
    "共识节点在同一高度不签两个区块",
    "Over everything told by all nodes, no sealer has a valid signature over two different block hashes at one height.",
    "在所有节点给出的全部数据中，没有共识节点在同一高度对两个不同的区块哈希都有有效签名。",
    "OSDI'99 4.2; Twins; spec 3.x 1.17 (2, 6)",
)


def check_header_hash(facts: Facts) -> Finding:
    """Every told header hashes to its told hash."""
    exam = Examination(HEADER_HASH)
    untold = 0
    for block in facts.observations.blocks:
        if not block.recomputed_hash:
            untold += 1
            continue
        exam.checked_count += 1
        if block.recomputed_hash != block.block_hash:
            exam.breach(
                evidence(
                    Words(
                        f"{block.node}: block {block.number} is told as {block.block_hash[:12]}…, its fields hash to "
                        f"{block.recomputed_hash[:12]}….",
                        f"{block.node}：区块 {block.number} 报告哈希 {block.block_hash[:12]}…，由字段重算得 "
                        f"{block.recomputed_hash[:12]}…。",
                    ),
                    node=block.node,
                    height=block.number,
                    lines=(block.line,),
                    told=block.block_hash,
                    recomputed=block.recomputed_hash,
                )
            )
    if untold:
        exam.note(evidence(Words(f"{untold} headers lacked a field and could not be hashed.", f"{untold} 个区块头缺少字段，无法重算。")))
    return exam.finding(
        Words(f"{exam.checked_count} headers hash to what they claim.", f"{exam.checked_count} 个区块头的哈希重算一致。"),
        Words("No complete header was told.", "没有给出完整的区块头。"),
    )


def check_certificate(facts: Facts) -> Finding:
    """Blocks with transactions, and blocks of which it is not known."""
    return _check_certificates(facts, Examination(CERTIFICATE), is_empty=False)


def check_empty_certificate(facts: Facts) -> Finding:
    """Blocks certainly without transactions."""
    return _check_certificates(facts, Examination(EMPTY_CERTIFICATE), is_empty=True)


def _check_certificates(facts: Facts, exam: Examination, *, is_empty: bool) -> Finding:
    thinnest: tuple[int, int] | None = None
    for block in facts.observations.blocks:
        if block.number == 0 or facts.is_empty(block) != is_empty:
            continue
        ids, weights = _list_for(facts, block)
        valid = {entry.sealer_index for entry in block.signatures if entry.is_valid and 0 <= entry.sealer_index < len(ids)}
        if not ids or (not block.sealer_list and block.signatures and not valid):
            words = Words(
                f"Block {block.number} names no sealers, so its signatures could not be verified.",
                f"区块 {block.number} 没有共识节点列表，无法验证其签名。",
            )
            exam.cannot_tell(words)
            continue
        exam.checked_count += 1
        weight, quorum = sum(weights[index] for index in valid), quorum_weight(sum(weights))
        if thinnest is None or weight - quorum < thinnest[0] - thinnest[1]:
            thinnest = (weight, quorum)
        if (fault := _fault_of(block, ids, weight, quorum)) is not None:
            told = [entry.sealer_index for entry in block.signatures]
            exam.breach(
                evidence(fault, node=block.node, height=block.number, lines=(block.line,), signers=told, weight=weight, quorum=quorum)
            )
    margin = f"{thinnest[0]} of {thinnest[1]} needed" if thinnest else ""
    margin_zh = f"最少 {thinnest[0]}，要求 {thinnest[1]}" if thinnest else ""
    return exam.finding(
        Words(
            f"{exam.checked_count} certificates verified; the thinnest weighs {margin}.",
            f"验证了 {exam.checked_count} 个签名列表；权重{margin_zh}。",
        ),
        Words("No such block was told.", "没有给出这样的区块。"),
    )


def _list_for(facts: Facts, block: BlockSeen) -> tuple[tuple[str, ...], tuple[int, ...]]:
    if block.sealer_list:
        return block.sealer_list, block.weights if len(block.weights) == len(block.sealer_list) else (1,) * len(block.sealer_list)
    return facts.sealers_at(block.number)


def _fault_of(block: BlockSeen, ids: tuple[str, ...], weight: int, quorum: int) -> Words | None:
    """What is wrong with a certificate; None if nothing is."""
    who, who_zh = f"{block.node}: block {block.number}", f"{block.node}：区块 {block.number}"
    indices = [entry.sealer_index for entry in block.signatures]
    if outside := sorted({index for index in indices if not 0 <= index < len(ids)}):
        return Words(
            f"{who} is signed by {outside}, not in its list of {len(ids)}.",
            f"{who_zh} 的签名者 {outside} 不在其 {len(ids)} 个共识节点之中。",
        )
    if invalid := sorted({entry.sealer_index for entry in block.signatures if not entry.is_valid}):
        return Words(f"{who}: the signature of sealer {invalid} does not verify.", f"{who_zh}：共识节点 {invalid} 的签名验证失败。")
    if repeated := sorted({index for index in indices if indices.count(index) > 1}):
        return Words(f"{who}: sealer {repeated} signs more than once.", f"{who_zh}：共识节点 {repeated} 重复签名。")
    if weight < quorum:
        return Words(
            f"{who} has signatures of weight {weight}, a quorum is {quorum}.",
            f"{who_zh} 的签名权重为 {weight}，法定多数为 {quorum}。",
        )
    return None


def check_one_signature(facts: Facts) -> Finding:
    """No valid signature of one sealer over two hashes at one height."""
    exam = Examination(ONE_SIGNATURE)
    for number, blocks in facts.told_at.items():
        signed: defaultdict[str, dict[str, BlockSeen]] = defaultdict(dict)
        for block in blocks:
            ids, _ = _list_for(facts, block)
            for entry in block.signatures:
                if entry.is_valid and 0 <= entry.sealer_index < len(ids):
                    signed[ids[entry.sealer_index]].setdefault(block.block_hash, block)
        for node_id, hashes in signed.items():
            exam.checked_count += 1
            if len(hashes) > 1:
                name = facts.name_of(node_id)
                exam.breach(
                    evidence(
                        Words(
                            f"{name} signed {len(hashes)} different blocks at height {number}.",
                            f"{name} 在高度 {number} 签署了 {len(hashes)} 个不同的区块。",
                        ),
                        node=name,
                        height=number,
                        lines=tuple(block.line for block in hashes.values()),
                        hashes=sorted(hashes),
                    )
                )
    return exam.finding(
        Words(
            f"{exam.checked_count} signers each stand behind one block a height.",
            f"{exam.checked_count} 个签名者在每个高度只签署一个区块。",
        ),
        Words("No valid signature was told.", "没有给出有效签名。"),
    )
