"""Everything a 2.x replica remembers.

Rule 1. Only the height after the ledger's is worked on; what comes for later heights is kept in `future`, `signs` and `commits`.
Rule 2. `view` and `to_view` are 0 after every block; within a height of one life `view` does not go back.
Rule 3. `lock` is the proposal of the first Sign quorum here at the next height. It is durable before the Commit leaves, and it never
        changes until that height is in the ledger.

Theory (why it is safe). A Commit leaves only with a lock, a correct replica has one lock a height in all its lives, and two quorums
share a correct replica; so no two blocks of a height get Commits of a quorum. Signs may be cast for many blocks, in many views.

Sources: libconsensus/pbft `PBFTEngine.h`, `PBFTReqCache.h`, `ConsensusEngineBase.h`; spec 2.x 1.1, 1.3, 1.11.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from fiscotool.pbft.effects import ExecutedRecord, VoteRecord
from fiscotool.pbft.messages import Commit, Message, Prepare, PreparedCertificate, PrePrepare, ViewChange
from fiscotool.pbft.quick import quickened
from fiscotool.pbft.quorum import join_weight, quorum_weight, weight_of, weight_with_repeats
from fiscotool.pbft.rules import Quirk, Rules
from fiscotool.pbft.state import NO_VIEW, Status
from fiscotool.pbft.types import NO_DIGEST, Digest, Height, NodeIndex, View, Weight

FAR_BLOCKS: Final = 20
"""A replica this far behind ignores consensus (`blockNumberFarBehind`); votes further ahead are not kept (E3)."""


class Phase(Enum):
    """How far the accepted proposal `raw` is."""

    NONE = "no proposal"
    CHECKING = "its content is being fetched and verified"
    EXECUTING = "it is being executed: the engine's lock is held, messages wait"
    EXECUTED = "executed, Sign sent"
    FAILED = "invalid or not executable; a timeout has to end the view"


@quickened
class ReplicaState(NamedTuple):
    """A replica. Field comments name upstream's word where it differs."""

    rules: Rules
    me: NodeIndex | None
    quorum_weight: Weight
    """n - f (`minValidNodes`): 2.x sealers weigh 1 each."""
    join_weight: Weight
    height: Height
    """`highestBlock`; `consensusBlockNumber` is one more."""
    block_hash: Digest
    view: View = View(0)
    to_view: View = View(0)
    leader_failed: bool = False
    """Timed out, and no view reached since: this replica knows no leader."""
    change_cycle: int = 0
    raw: PrePrepare | None = None
    """`rawPrepare`: the accepted proposal of `view`."""
    phase: Phase = Phase.NONE
    executed_hash: Digest = NO_DIGEST
    """`prepare.block_hash`: what executing `raw` gave; NO_DIGEST before."""
    commit_view: View = NO_VIEW
    """The last view in which this replica sent a Commit at this height."""
    is_saving: bool = False
    """CommitBlock was asked for."""
    signs: tuple[Prepare, ...] = ()
    """`signCache`, FUTURE entries included: one a digest and sender, sorted by (digest, sender)."""
    commits: tuple[Commit, ...] = ()
    """`commitCache`, likewise."""
    view_changes: tuple[ViewChange, ...] = ()
    """`recvViewChange`: one a view and sender, sorted."""
    latest: tuple[ViewChange, ...] = ()
    """`latestViewChange`: the newest accepted of each sender, sorted by sender."""
    future: tuple[PrePrepare, ...] = ()
    """`futurePrepare`: first one a height, sorted by height."""
    lock: PreparedCertificate | None = None
    """`committedPrepare`, with the Signs that made it."""
    deferred: tuple[Message, ...] = ()
    """What arrived while a proposal was executing, in order."""
    syncing_until: Height = Height(0)
    connected: frozenset[NodeIndex] = frozenset()
    timer_epoch: int = 0
    is_due: bool = False
    """The view timer ran out while a proposal was executing."""
    empty_epoch: int = 0
    """Of the timer after which a leader without transactions proposes an empty block; even when it is off."""
    has_range: bool = False
    """The own sealer was told to seal the next height in this view."""

    @property
    def in_timeout(self) -> bool:
        """Whether it waits for a view."""
        return self.leader_failed


def leader_at(highest: Height, view: View, rules: Rules) -> NodeIndex:
    """(view + highest number) mod n leads the height after the highest. 3.x counts from the height itself, and has periods."""
    assert rules.node_count >= 1
    return NodeIndex((highest + view) % rules.node_count)


def leader(state: ReplicaState) -> NodeIndex | None:
    """The leader of the next height, or None while this replica knows none (spec 2.x 1.1)."""
    return None if state.leader_failed else leader_at(state.height, state.view, state.rules)


def status(state: ReplicaState) -> Status:
    """What the replica says of itself; the leader is of the next height, whether the replica admits one or not."""
    return Status(
        height=state.height,
        block_hash=state.block_hash,
        view=state.view,
        to_view=state.to_view,
        in_timeout=state.in_timeout,
        change_cycle=state.change_cycle,
        leader=leader_at(state.height, state.view, state.rules),
        me=state.me,
        quorum_weight=state.quorum_weight,
        faulty_weight_max=Weight(state.join_weight - 1),
    )


def initial_state(
    *,
    rules: Rules,
    me: NodeIndex | None,
    height: Height,
    block_hash: Digest,
    votes: tuple[VoteRecord, ...] = (),
    executed: tuple[ExecutedRecord, ...] = (),
) -> ReplicaState:
    """A replica as its process starts: view 0, and the lock that was backed up (`initPBFTEnv`, spec 2.x 1.11).

    `executed` is never written by this dialect and ignored. Quirk.AMNESIA forgets the lock, as a host that lost its unsynced writes.
    """
    assert me is None or 0 <= me < rules.node_count
    del executed
    total = sum(rules.weights)
    locks = [vote.certificate for vote in votes if vote.index == height + 1 and vote.certificate is not None]
    return ReplicaState(
        rules=rules,
        me=me,
        quorum_weight=quorum_weight(total),
        join_weight=join_weight(total),
        height=height,
        block_hash=block_hash,
        lock=locks[-1] if locks and not rules.has(Quirk.AMNESIA) else None,
    )


def lock_at_next(state: ReplicaState) -> PreparedCertificate | None:
    """The lock, when it is of the height that is worked on."""
    lock = state.lock
    return lock if lock is not None and lock.proposal.index == state.height + 1 else None


def is_quorum(state: ReplicaState, voters: tuple[NodeIndex, ...]) -> bool:
    """Whether the distinct `voters` decide. Upstream counts distinct signature values; Quirk.DUPLICATE_SIGNERS counts repetitions."""
    if state.rules.has(Quirk.DUPLICATE_SIGNERS):
        return weight_with_repeats(voters, state.rules.weights) >= state.quorum_weight
    return weight_of(voters, state.rules.weights) >= state.quorum_weight
