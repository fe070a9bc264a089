"""A HotStuff replica: what it keeps on disk, what only in memory; leaders and quorums.

Durable (`HotStuffRecord`): the view of the last vote and of the last own proposal, the lock, the tree. `step` asks for it to be written
before anything else of a step in which it changed.

Sources: Yin et al., PODC 2019, algorithm 4 (V, vheight, block_lock, block_exec, qc_high), section 6.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from fiscotool.pbft.effects import ExecutedRecord, VoteRecord
from fiscotool.pbft.quorum import faulty_weight_max, join_weight, quorum_weight, weight_of
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.state import Status
from fiscotool.pbft.types import NO_DIGEST, Digest, Height, NodeIndex, Ticks, View
from fiscotool.protocols.hotstuff.messages import Certificate, Generic, NewView, Node, Vote, genesis_certificate

CYCLE_MAX: Final = 10
"""Timeouts grow by half with each view that failed in a row, ten times at most, as FISCO's do."""

NOTHING: Final = (Height(1), Height(0))
"""A range for the sealer with nothing in it."""


@dataclass(frozen=True, slots=True)
class HotStuffRecord:
    """What must survive a crash: without the first three a replica could vote or propose twice, or forget its lock."""

    voted_view: View
    proposed_view: View
    locked: Certificate
    high: Certificate
    genesis: Certificate
    base: Height
    log: tuple[Node, ...]
    tree: tuple[Node, ...]
    last_vote: Vote | None


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """One replica.

    `log` are the committed nodes from the beginning, `tree` the others, parents before children. `locked` and `high` are the paper's
    lockedQC and qc_high. `votes` and `asks` are what was received for certificates and views to come. `pending` is a proposal whose
    branch is being fetched, `verifying` the node whose block the driver is checking. `told` is the range last given to the sealer,
    `pool` how many transactions wait, `executing` the height asked for, 0 for none.
    """

    rules: Rules
    me: NodeIndex | None
    height: Height
    block_hash: Digest
    base: Height
    genesis: Certificate
    high: Certificate
    locked: Certificate
    view: View = View(1)
    voted_view: View = View(0)
    proposed_view: View = View(0)
    last_vote: Vote | None = None
    log: tuple[Node, ...] = ()
    tree: tuple[Node, ...] = ()
    votes: tuple[Vote, ...] = ()
    asks: tuple[NewView, ...] = ()
    pending: Generic | None = None
    verifying: Digest = NO_DIGEST
    executing: Height = Height(0)
    told: tuple[Height, Height] = NOTHING
    pool: int = 0
    cycle: int = 0
    epoch: int = 0
    is_armed: bool = False

    @property
    def to_view(self) -> View:
        """The view itself: a replica that asks for a view is in it."""
        return self.view

    @property
    def in_timeout(self) -> bool:
        """Whether it is in its view because it gave up on the one before."""
        return self.cycle > 0

    @property
    def change_cycle(self) -> int:
        """Views in a row that it gave up on."""
        return min(self.cycle, CYCLE_MAX)


def initial_state(
    *,
    rules: Rules,
    me: NodeIndex | None,
    height: Height,
    block_hash: Digest,
    votes: tuple[VoteRecord, ...] = (),
    executed: tuple[ExecutedRecord, ...] = (),
    stand: HotStuffRecord | None = None,
) -> ReplicaState:
    """A replica that starts, or starts again with its `stand`; `votes`, `executed` are PBFT's."""
    assert not votes
    assert not executed
    if stand is None:
        genesis = genesis_certificate(height, block_hash)
        return ReplicaState(rules, me, height, block_hash, base=height, genesis=genesis, high=genesis, locked=genesis)
    return ReplicaState(
        rules,
        me,
        height,
        block_hash,
        base=stand.base,
        genesis=stand.genesis,
        high=stand.high,
        locked=stand.locked,
        view=View(max(stand.voted_view, stand.high.view) + 1),
        voted_view=stand.voted_view,
        proposed_view=stand.proposed_view,
        last_vote=stand.last_vote,
        log=stand.log,
        tree=stand.tree,
    )


def record_of(state: ReplicaState) -> HotStuffRecord:
    """What of this state must survive a crash."""
    return HotStuffRecord(
        state.voted_view,
        state.proposed_view,
        state.locked,
        state.high,
        state.genesis,
        state.base,
        state.log,
        state.tree,
        state.last_vote,
    )


def status(state: ReplicaState) -> Status:
    """What the replica says of itself."""
    total = sum(state.rules.weights)
    return Status(
        height=state.height,
        block_hash=state.block_hash,
        view=state.view,
        to_view=state.to_view,
        in_timeout=state.in_timeout,
        change_cycle=state.change_cycle,
        leader=leader_of(state.view, state.rules),
        me=state.me,
        quorum_weight=quorum_weight(total),
        faulty_weight_max=faulty_weight_max(total),
    )


def leader_of(view: View, rules: Rules) -> NodeIndex:
    """Who proposes in `view`: everyone in turn, `leader_period_blocks` views each (1: a new leader every view)."""
    return NodeIndex((view // rules.leader_period_blocks) % rules.node_count)


def is_quorum(replicas: Iterable[NodeIndex], rules: Rules) -> bool:
    """Whether these have the weight n - f."""
    return weight_of(replicas, rules.weights) >= quorum_weight(sum(rules.weights))


def has_honest(replicas: Iterable[NodeIndex], rules: Rules) -> bool:
    """Whether these have the weight f + 1, so that one of them is correct."""
    return weight_of(replicas, rules.weights) >= join_weight(sum(rules.weights))


def timeout_ticks(rules: Rules, change_cycle: int) -> Ticks:
    """How long a view may last after `change_cycle` views that failed in a row: base * 1.5**cycle (section 6: backing off)."""
    cycle = min(change_cycle, CYCLE_MAX)
    return Ticks(rules.timeout_base_ticks * 3**cycle // 2**cycle)
