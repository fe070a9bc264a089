"""Do the proposers of all blocks together fit one sequence of views that never falls?

Theory. Block h2 proposed after block h1 was committed was prepared by q sealers in the view of its proposal; q others had h1, and were in
the view of h1's proposal or a later one before. Two quorums share an honest sealer, and views never fall within a life of its process:
so view(h2) ≥ view(h1). Every header names its view modulo n exactly (`leader-schedule`); taking for each block the smallest view that
fits it and those before is the best choice for those after, so one pass decides whether any sequence exists.

What is invisible. A burst of exactly n view changes between two samples, and blocks around the start of a process (views begin anew).

Sources: spec 3.x 1.6, 1.11, 1.17 (8); bcos-pbft PBFTConfig leaderIndex.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate, pairwise
from typing import Final

from fiscotool.consistency.examination import Examination, Words, evidence
from fiscotool.consistency.facts import FOREVER, Facts, quorum_weight
from fiscotool.consistency.findings import Finding, Invariant, InvariantClass
from fiscotool.consistency.lives import VIEW_UNBOUNDED, ViewBounds
from fiscotool.consistency.observations import BlockSeen
from fiscotool.consistency.schedule import view_bounds

VIEW_SEQUENCE: Final = Invariant(
    "view-sequence",
    InvariantClass.CONFORMANCE,
    "Proposers fit one rising sequence of views",
    "出块者符合同一个不降的视图序列",
    "While no sealer's process is replaced, there are views v(h), one for each block with transactions, that q weight of sealers can have "
    "been in between its sealing and its first appearance, with sealer(h) = (⌊h/P⌋ + v(h)) mod n and v(h2) ≥ v(h1) whenever h2 was sealed "
    "after h1 had appeared.",
    "在没有共识节点进程更替期间，每个含交易的区块都有视图 v(h)：q 权重的共识节点在其出块与首次出现之间可能处于该视图，且 "
    "出块者(h) = (⌊h/P⌋ + v(h)) mod n；若 h2 在 h1 出现之后才出块，则 v(h2) ≥ v(h1)。",
    "bcos-pbft PBFTConfig leaderIndex; spec 3.x 1.6, 1.17 (8)",
    is_required=False,
)


def check_view_sequence(facts: Facts) -> Finding:
    """One greedy pass over each stretch without a new process."""
    exam = Examination(VIEW_SEQUENCE)
    for stretch in _stretches(facts):
        _check_stretch(exam, facts, stretch)
    return exam.finding(
        Words(
            f"{exam.checked_count} proposers fit views that never fall.",
            f"{exam.checked_count} 个出块者符合不降的视图序列。",
        ),
        Words("No two blocks are bounded tightly enough for their order to matter.", "没有两个区块的前后采样足够紧密，先后次序无从判断。"),
    )


def _stretches(facts: Facts) -> list[list[BlockSeen]]:
    """Blocks that can be judged, cut wherever a process may have been replaced between them."""
    births = [(earlier.last_sent_s, later.first_got_s) for lives in facts.lives.values() for earlier, later in pairwise(lives)]
    found: list[list[BlockSeen]] = [[]]
    previous_s = -FOREVER
    for number, block in facts.chain.items():
        from_s, to_s = facts.sealed_after_s(number), facts.first_shown_s(number)
        if number == 0 or facts.is_empty(block) or not block.sealer_list or to_s == FOREVER or from_s == -FOREVER:
            continue
        if any(begin_s <= to_s and end_s >= min(previous_s, from_s) for begin_s, end_s in births):
            found.append([])
        found[-1].append(block)
        previous_s = from_s
    return found


def _check_stretch(exam: Examination, facts: Facts, stretch: list[BlockSeen]) -> None:
    period = max(1, facts.run.leader_period_blocks)
    shown = [facts.first_shown_s(block.number) for block in stretch]
    views: list[int] = []
    floors: list[int] = []
    for block in stretch:
        ids, weights = facts.sealers_at(block.number)
        spans = common_views(view_bounds(facts, block), quorum_weight(sum(weights)))
        residue = (block.sealer - block.number // period) % len(ids)
        alone = _smallest(spans, 0, residue, len(ids))
        at = bisect_left(shown, facts.sealed_after_s(block.number))
        floor = floors[min(at, len(floors)) - 1] if at and floors else 0
        view = _smallest(spans, floor, residue, len(ids))
        exam.checked_count += floor > 0 and _is_narrow(spans, floor, len(ids))
        if view is None and alone is not None:
            before = stretch[views.index(floor)]
            exam.breach(
                evidence(
                    Words(
                        f"Block {block.number} names view {alone} (or one {len(ids)} apart); block {before.number}, which was there "
                        "before it "
                        f"was sealed, was proposed in view {floor} or later.",
                        f"区块 {block.number} 对应视图 {alone}（或相差 {len(ids)}）；而在其出块之前已出现的区块 {before.number} "
                        f"提出于视图 {floor} 或更后。",
                    ),
                    node=facts.sealer_name(block, block.sealer),
                    height=block.number,
                    lines=(before.line, block.line),
                )
            )
        # A block that fits no view at all is the business of `leader-schedule`.
        views.append(view if view is not None else floor)
        floors[:] = list(accumulate(views, max)) if not floors else [*floors, max(floors[-1], views[-1])]


def common_views(bounds: list[tuple[ViewBounds, int]], quorum: int) -> list[tuple[int, int]]:
    """The views that nodes of at least `quorum` weight can share, as disjoint ascending (first, last)."""
    edges = sorted({edge for each, _ in bounds for edge in (each.low, each.high + 1)})
    return [
        (start, stop - 1)
        for start, stop in pairwise(edges)
        if sum(weight for each, weight in bounds if each.low <= start <= each.high) >= quorum
    ]


def _smallest(spans: list[tuple[int, int]], floor: int, residue: int, count: int) -> int | None:
    """The smallest view in `spans` from `floor` on that is `residue` modulo `count`; None if there is none."""
    for first, last in spans:
        start = max(first, floor)
        view = start + (residue - start) % count
        if view <= last:
            return view
    return None


def _is_narrow(spans: list[tuple[int, int]], floor: int, count: int) -> bool:
    """Whether some residue has no view from `floor` on: only then could the block have failed."""
    room = sum(last - max(first, floor) + 1 for first, last in spans if last >= floor)
    return room < count and (not spans or spans[-1][1] < VIEW_UNBOUNDED)
