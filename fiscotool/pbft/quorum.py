"""Vote arithmetic: how much weight may fail, how much decides, and whose turn it is to lead.

Rule 1. With total weight W: f = (W-1) div 3 may be faulty, q = W-f decides, f+1 contains an honest replica.
Rule 2. A sealer counts once, however often it speaks, and an index outside the list counts nothing.
Rule 3. The leader of a height depends on the height and the view, never on weights.

Theory. Two sets of weight q share weight 2q-W = W-2f >= f+1, hence an honest replica; so two different decisions at one height
and view would need an honest replica to vote twice.

Sources: Castro & Liskov, OSDI'99, section 4; bcos-pbft `PBFTConfig.cpp` `updateQuorum`, `leaderIndex`; spec 3.x 1.5, 1.6.
"""

from __future__ import annotations

from collections.abc import Iterable

from fiscotool.pbft.rules import Rules
from fiscotool.pbft.types import Height, NodeIndex, View, Weight


def faulty_weight_max(total_weight: int) -> Weight:
    """f: the weight that may be faulty among `total_weight`. FISCO `maxFaultyQuorum`; OSDI'99 section 3 for equal weights."""
    assert total_weight >= 0
    return Weight((total_weight - 1) // 3 if total_weight else 0)


def quorum_weight(total_weight: int) -> Weight:
    """Q = W-f: the weight that decides. FISCO `minRequiredQuorum`; equals 2f+1 only when W = 3f+1."""
    quorum = total_weight - faulty_weight_max(total_weight)
    assert 0 <= quorum <= total_weight
    return Weight(quorum)


def join_weight(total_weight: int) -> Weight:
    """f+1: the least weight that contains an honest replica (fast view change, pulled proposals)."""
    joining = faulty_weight_max(total_weight) + 1
    assert joining >= 1
    return Weight(joining)


def weight_of(voters: Iterable[NodeIndex], weights: tuple[int, ...]) -> Weight:
    """Weight of the distinct `voters`; an index that is not in the list weighs nothing."""
    count, weight = len(weights), 0
    for voter in set(voters):
        if 0 <= voter < count:
            weight += weights[voter]
    assert weight >= 0
    return Weight(weight)


def weight_with_repeats(voters: Iterable[NodeIndex], weights: tuple[int, ...]) -> Weight:
    """Weight of `voters` counting repetitions, as 3.16.4 adds it up (Quirk.DUPLICATE_SIGNERS)."""
    weight = sum(weights[voter] for voter in voters if 0 <= voter < len(weights))
    assert weight >= 0
    return Weight(weight)


def leader_of(height: Height, view: View, rules: Rules) -> NodeIndex:
    """The sealer that may propose `height` in `view`: (height div period + view) mod n.

    Paper: p = v mod |R|, so the primary moves only with the view (OSDI'99 section 4). FISCO: it also moves every
    `leader_period_blocks` heights (PBFTConfig.cpp `leaderIndex`); deviation D2 of docs/pbft.md.
    """
    assert rules.node_count >= 1
    return NodeIndex((height // rules.leader_period_blocks + view) % rules.node_count)
