"""Was every block proposed by the leader of a view the nodes could have been in?

Theory. leader(h, v) = (⌊h/P⌋ + v) mod n, so a header names its view modulo n exactly. To be decided, a block needs q sealers that
were in the proposing view at some time between its sealing and its first appearance; per node the samples around that span bound
its view. The set of views that at least q weight can have shared, modulo n, must contain the header's.

What is invisible. If those bounds leave n or more consecutive views open, every sealer fits: such a block is not counted as
checked. A burst of exactly n view changes between two samples is one of them.

FISCO deviation. A block proposed again after a view change keeps its first sealer: it was prepared by q sealers in *that* view, which
the span also covers. Filler blocks (no transactions) name whoever led the view change, at a height nobody tells: exempt here, and
covered by the second rule.

Sources: spec 3.x 1.6, 1.11, 6.2 (4, 5); bcos-pbft PBFTConfig leaderIndex, leaderIndexInNewViewPeriod.
"""

from __future__ import annotations

import itertools
from typing import Final

from fiscotool.consistency.examination import Examination, Words, evidence
from fiscotool.consistency.facts import FOREVER, Facts, quorum_weight
from fiscotool.consistency.findings import Finding, Invariant, InvariantClass
from fiscotool.consistency.generations import is_second
from fiscotool.consistency.lives import VIEW_UNBOUNDED, ViewBounds
from fiscotool.consistency.observations import BlockSeen

LEADER_SCHEDULE: Final = Invariant(
    "leader-schedule",
    InvariantClass.CONFORMANCE,
    "Proposer follows the leader formula",
    "出块者符合领导者公式",
    "For every block at height h with transactions there is a view v that at least q weight of its sealers can have been in "
    "between its "
    "sealing and its first appearance, with sealer = (⌊h/P⌋ + v) mod n. Views n apart cannot be told from each other.",
    "对每个有交易的高度 h 的区块，存在视图 v：从出块到首次出现之间，至少 q 权重的共识节点可能处于 v，且 出块者 = (⌊h/P⌋ + v) mod "
    "n。相差 n 的视图无法区分。",
    "bcos-pbft PBFTConfig leaderIndex; spec 3.x 1.6",
)

EMPTY_VIEW_CHANGE: Final = Invariant(
    "empty-view-change",
    InvariantClass.CONFORMANCE,
    "Empty blocks only from view changes",
    "空区块只来自视图切换",
    "Leaders never seal empty blocks; a block without transactions fills a gap of a view change. So at least q weight of sealers can "
    "have changed their view between the sealing of the block before it and its own appearance. In 2.x, whose view changes leave no "
    "block behind, there are none.",
    "领导者从不主动出空块；没有交易的区块只用于填补视图切换留下的空缺。因此在前一区块出块之后、该块出现之前，至少 q "
    "权重的共识节点可能切换过视图。2.x 的视图切换不产生区块，故不存在空区块。",
    "bcos-pbft PBFTCacheProcessor generatePrePrepareMsg; spec 3.x 1.8 (2), 1.11",
)


def feasible_residues(bounds: list[tuple[ViewBounds, int]], quorum: int, node_count: int) -> frozenset[int]:
    """Residues modulo `node_count` of all views that nodes of at least `quorum` weight can share."""
    edges = sorted({edge for each, _ in bounds for edge in (each.low, each.high + 1)})
    found: set[int] = set()
    for start, stop in itertools.pairwise(edges):
        weight = sum(share for each, share in bounds if each.low <= start <= each.high)
        if weight < quorum:
            continue
        found.update(view % node_count for view in range(start, min(stop, start + node_count)))
    return frozenset(found)


def view_bounds(facts: Facts, block: BlockSeen) -> list[tuple[ViewBounds, int]]:
    """For each sealer of a block: the views it can have been in between sealing and first appearance, and its weight."""
    from_s, to_s = facts.sealed_after_s(block.number), facts.first_shown_s(block.number)
    unbounded = ViewBounds(0, VIEW_UNBOUNDED)
    ids, weights = facts.sealers_at(block.number)
    return [
        (facts.views[name].between(from_s, to_s) if (name := facts.name_of(node_id)) in facts.views else unbounded, weight)
        for node_id, weight in zip(ids, weights, strict=False)
    ]


def check_leader_schedule(facts: Facts) -> Finding:
    """Every proposer is the leader of a possible view."""
    exam = Examination(LEADER_SCHEDULE)
    open_count = 0
    period = max(1, facts.run.leader_period_blocks)
    for number, block in facts.chain.items():
        ids, weights = facts.sealers_at(number)
        if number == 0 or facts.is_empty(block) or not block.sealer_list or facts.first_shown_s(number) == FOREVER:
            continue
        count = len(ids)
        bounds = view_bounds(facts, block)
        residues = feasible_residues(bounds, quorum_weight(sum(weights)), count)
        if len(residues) == count:
            open_count += 1
            continue
        exam.checked_count += 1
        residue = (block.sealer - number // period) % count
        if residue in residues and 0 <= block.sealer < count:
            continue
        exam.breach(
            evidence(
                Words(
                    f"Block {number} was proposed by {facts.sealer_name(block, block.sealer)} (index {block.sealer}), so in a "
                    f"view ≡ {residue} "
                    f"(mod {count}); {_told(facts, bounds, ids)}.",
                    f"区块 {number} 由 {facts.sealer_name(block, block.sealer)}（序号 {block.sealer}）提出，即视图 ≡ {residue} "
                    f"(mod {count});"
                    f"而各节点可能的视图为：{_told(facts, bounds, ids)}。",
                ),
                node=facts.sealer_name(block, block.sealer),
                height=number,
                lines=(block.line,),
                sealer=block.sealer,
                residues=sorted(residues),
            )
        )
    if open_count:
        exam.note(
            evidence(
                Words(
                    f"{open_count} blocks could not be judged: the samples around them leave every residue of the view open.",
                    f"{open_count} 个区块无法判断：其前后的采样使视图的每个余数都有可能。",
                )
            )
        )
    return exam.finding(
        Words(
            f"{exam.checked_count} proposers are the leader of a view the nodes were in.",
            f"{exam.checked_count} 个出块者是当时视图的领导者。",
        ),
        Words("No block is bounded by samples tightly enough for the formula to fail.", "没有区块的前后采样足够紧密，公式无从被违反。"),
    )


def _told(facts: Facts, bounds: list[tuple[ViewBounds, int]], ids: tuple[str, ...]) -> str:
    def span(each: ViewBounds) -> str:
        high = "∞" if each.high >= VIEW_UNBOUNDED else str(each.high)
        return high if str(each.low) == high else f"{each.low}…{high}"

    return ", ".join(f"{facts.name_of(node_id)} {span(each)}" for node_id, (each, _) in zip(ids, bounds, strict=False))


def check_empty_view_change(facts: Facts) -> Finding:
    """An empty block needs a view change."""
    exam = Examination(EMPTY_VIEW_CHANGE)
    if is_second(facts):
        return _check_no_empty_block(exam, facts)
    for number, block in facts.chain.items():
        if number == 0 or not facts.is_empty(block) or facts.sealed_after_s(number) == -FOREVER or facts.first_shown_s(number) == FOREVER:
            continue
        bounds = view_bounds(facts, block)
        total = sum(weight for _, weight in bounds)
        may_have_changed = sum(weight for each, weight in bounds if each.low < each.high)
        exam.checked_count += 1
        if may_have_changed < quorum_weight(total):
            ids, _ = facts.sealers_at(number)
            exam.breach(
                evidence(
                    Words(
                        f"Block {number} holds no transaction although no quorum changed its view ({_told(facts, bounds, ids)}).",
                        f"区块 {number} 没有交易，但没有法定多数切换过视图（{_told(facts, bounds, ids)}）。",
                    ),
                    node=facts.sealer_name(block, block.sealer),
                    height=number,
                    lines=(block.line,),
                )
            )
    return exam.finding(
        Words(f"{exam.checked_count} empty blocks, each at a view change.", f"{exam.checked_count} 个空区块，均伴随视图切换。"),
        Words("The chain has no empty block that samples bound in time.", "链上没有可由采样限定时间的空区块。"),
    )


def _check_no_empty_block(exam: Examination, facts: Facts) -> Finding:
    """2.x: a proposal without transactions ends in a view change and is never signed (spec 2.x 1.10)."""
    for number, block in facts.chain.items():
        if number == 0 or not block.tx_hashes_known:
            continue
        exam.checked_count += 1
        if not block.tx_hashes:
            words = Words(f"Block {number} of a 2.x chain holds no transaction.", f"2.x 链的区块 {number} 没有交易。")
            exam.breach(evidence(words, node=facts.sealer_name(block, block.sealer), height=number, lines=(block.line,)))
    return exam.finding(
        Words(f"{exam.checked_count} blocks, none empty.", f"{exam.checked_count} 个区块均非空块。"),
        Words("No block was told with its transactions.", "没有给出附有交易的区块。"),
    )
