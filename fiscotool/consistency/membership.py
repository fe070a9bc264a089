"""Does every sealer know the list it is in, and does block sync tell of no block that nobody has?

Theory. The list in force for block h+1 is in the header of block h+1; a node at height h works with it. While the headers around a height
all carry the same list, a node there has to tell its size and, for itself, its rank in it. And what a node has heard of others' heights
can be no more than somebody's height.

Sources: spec 3.x 1.5, 1.16, 1.19, 2.4; bcos-pbft ConsensusConfig setConsensusNodeList; bcos-sync SyncPeerStatus.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from fiscotool.consistency.examination import Examination, Words, evidence
from fiscotool.consistency.facts import FOREVER, Facts, quorum_weight
from fiscotool.consistency.findings import Evidence, Finding, Invariant, InvariantClass
from fiscotool.consistency.observations import Sample

MEMBERSHIP_TOLD: Final = Invariant(
    "membership-told",
    InvariantClass.CONFORMANCE,
    "Nodes know the sealer list they work with",
    "节点所用的共识节点列表与区块头一致",
    "While the blocks around a node's height (one below to two above) carry one and the same sealer list, the node tells that list's "
    "size and, "
    "if it is in it, the rank of its own id as its index. A difference counts when two successive answers show it. "
    "And a node that has stood at height h for a second works with n and q of block h+1's list.",
    "当节点所在高度前后的区块（低 1 至高 2）携带同一共识节点列表时，节点给出的节点数等于该列表的长度；若其自身在列表中，给出的序号等于其 "
    "ID "
    "的排位。连续两次回答均不符才算违反。停留在高度 h 超过一秒的节点，使用区块 h+1 的列表所决定的 n 与 q。",
    "bcos-pbft ConsensusConfig setConsensusNodeList; spec 3.x 1.5, 1.19",
    is_required=False,
)

SYNC_TRUTH: Final = Invariant(
    "sync-truth",
    InvariantClass.CONFORMANCE,
    "Block sync knows no height that nobody has",
    "区块同步不知道不存在的高度",
    "The highest height a node has heard of is not above every height told in the whole recording, but for its last 10 s, and not that "
    "of a "
    "block whose transactions were sent only later.",
    "节点所知的最高高度不超过整个记录中出现过的最大高度（最后 10 秒除外），也不是其交易在此之后才发送的区块的高度。",
    "bcos-sync SyncPeerStatus; spec 3.x 1.16, 2.4",
    is_required=False,
)

_TAIL_S: Final = 10.0
_STOOD_S: Final = 1.0
"""A node has read the list of the next block this long after it wrote one."""


def check_membership_told(facts: Facts) -> Finding:
    """What nodes say of the list, where it stood still."""
    exam = Examination(MEMBERSHIP_TOLD)
    id_of = {name: node_id for node_id, name in facts.name_of_id.items()}
    for node, samples in facts.samples_of.items():
        told = [s for s in samples if s.node_count is not None and s.consensus_height is not None]
        for earlier, later in pairwise(told):
            if (earlier.node_count, earlier.node_index, earlier.incarnation) != (later.node_count, later.node_index, later.incarnation):
                continue
            ids = _list_around(facts, earlier.consensus_height or 0, later.consensus_height or 0)
            if not ids:
                continue
            exam.checked_count += 1
            rank = ids.index(id_of[node]) if id_of.get(node) in ids else None
            if later.node_count == len(ids) and (rank is None or later.node_index in (None, rank)):
                continue
            exam.breach(
                evidence(
                    Words(
                        f"{node} at height {later.consensus_height} works with {later.node_count} sealers and index {later.node_index}; "
                        "the "
                        f"blocks list {len(ids)}, itself at {rank}.",
                        f"{node} 在高度 {later.consensus_height} 使用 {later.node_count} 个共识节点、序号 {later.node_index}；而区块中列有 "
                        f"{len(ids)} 个，其自身序号为 {rank}。",
                    ),
                    node=node,
                    height=later.consensus_height,
                    lines=(earlier.line, later.line),
                )
            )
            break
        _check_next_list(exam, facts, node, told)
    return exam.finding(
        Words(
            f"{exam.checked_count} answers fit the list in the blocks.",
            f"{exam.checked_count} 次回答与区块中的列表一致。",
        ),
        Words(
            "No node was asked at heights whose blocks are told with their sealer lists.",
            "没有在区块附有共识节点列表的高度询问过节点。",
        ),
    )


def _check_next_list(exam: Examination, facts: Facts, node: str, told: list[Sample]) -> None:
    """A change is in force for the very next block: whoever stands below it for long must have counted it in."""
    since: Sample | None = None
    for sample in told:
        height = sample.consensus_height if sample.height in (None, sample.consensus_height) else None
        if height is None or since is None or (since.consensus_height, since.incarnation) != (height, sample.incarnation):
            since = sample if height is not None else None
            continue
        following = facts.chain.get(height + 1)
        if sample.sent_s - since.got_s < _STOOD_S or following is None or not following.sealer_list or sample.quorum_weight is None:
            continue
        count, quorum = len(following.sealer_list), quorum_weight(sum(following.weights or (1,) * len(following.sealer_list)))
        exam.checked_count += 1
        if (sample.node_count, sample.quorum_weight) != (count, quorum):
            exam.breach(
                evidence(
                    Words(
                        f"{node}, at height {height} for {sample.sent_s - since.got_s:.1f} s, works with n = {sample.node_count}, "
                        f"q = {sample.quorum_weight}; the list of block {height + 1} gives n = {count}, q = {quorum}.",
                        f"{node} 停留在高度 {height} 已 {sample.sent_s - since.got_s:.1f} 秒，使用 n = {sample.node_count}、"
                        f"q = {sample.quorum_weight}；区块 {height + 1} 的列表应为 n = {count}、q = {quorum}。",
                    ),
                    node=node,
                    height=height,
                    lines=(since.line, sample.line),
                )
            )
            return


def _list_around(facts: Facts, low: int, high: int) -> list[str] | None:
    """The one list of blocks low−1 … high+2 as far as they exist, at least of one above `low`; None if there is none, or several."""
    if high < low:
        return None
    around = [facts.chain[number] for number in range(low - 1, high + 3) if number in facts.chain and facts.chain[number].sealer_list]
    lists = {block.sealer_list for block in around}
    newest = max(facts.chain, default=0)
    # At the end of what was told, the next block's list is not known.
    if len(lists) != 1 or not any(block.number > low for block in around) or high + 2 > newest:
        return None
    return [node_id.lower().removeprefix("0x") for node_id in next(iter(lists))]


def check_sync_truth(facts: Facts) -> Finding:
    """Heights heard of, against heights told."""
    exam = Examination(SYNC_TRUTH)
    if any(node.byzantine for node in facts.run.nodes):
        exam.cannot_tell(Words("A declared Byzantine node may have told its peers anything.", "声明为拜占庭的节点可能向其他节点谎报高度。"))
    highest = max([*facts.chain, *(height for _, height in _told(facts))], default=0)
    for node, samples in facts.samples_of.items() if not any(each.byzantine for each in facts.run.nodes) else ():
        for sample in samples:
            heard = sample.known_height
            if heard is None:
                continue
            exam.checked_count += 1
            is_phantom = heard > highest and sample.got_s < facts.end_s - _TAIL_S
            sent_s = facts.sealed_after_s(heard)
            if not is_phantom and not (FOREVER > sent_s > sample.got_s):
                continue
            exam.breach(_phantom(node, sample, highest, sent_s))
            break
    return exam.finding(
        Words(
            f"{exam.checked_count} answers of block sync, none beyond what nodes had.",
            f"{exam.checked_count} 次区块同步状态，均未超出节点实际拥有的高度。",
        ),
        Words("No node told the highest height it had heard of.", "没有节点给出其所知的最高高度。"),
    )


def _phantom(node: str, sample: Sample, highest: int, sent_s: float) -> Evidence:
    late = sent_s > sample.got_s
    why = f"its transactions were sent only after {sent_s:.2f} s" if late else f"no node ever told more than {highest}"
    why_zh = f"其交易在 {sent_s:.2f} 秒之后才发送" if late else f"没有节点给出过大于 {highest} 的高度"
    return evidence(
        Words(
            f"{node} had heard of height {sample.known_height} by {sample.got_s:.2f} s; {why}.",
            f"{node} 在 {sample.got_s:.2f} 秒前得知高度 {sample.known_height}；{why_zh}。",
        ),
        node=node,
        height=sample.known_height,
        lines=(sample.line,),
    )


def _told(facts: Facts) -> list[tuple[str, int]]:
    return [(s.node, height) for s in facts.observations.samples for height in (s.height, s.consensus_height) if height is not None]
