"""Everything a replica of the paper remembers.

Rule 1. `slots` is the log between the water marks: slots[k] belongs to sequence number low + 1 + k; what is at or below `low` is gone.
Rule 2. Executed numbers stay in the log until a checkpoint makes them stable: a view change must show that they were prepared.
Rule 3. `height`, `low` and `view` never go back within a life; `low` <= `height`.
Rule 4. Out of a view change `to_view` is `view`.

Sources: OSDI'99 sections 4.1 to 4.4.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from fiscotool.pbft.effects import ExecutedRecord, StandRecord, VoteRecord
from fiscotool.pbft.messages import CheckPoint, Commit, NewView, Prepare, PreparedCertificate, PrePrepare, Proposal, ViewChange
from fiscotool.pbft.quick import quickened
from fiscotool.pbft.quorum import join_weight, quorum_weight, weight_of, weight_with_repeats
from fiscotool.pbft.rules import Quirk, Rules
from fiscotool.pbft.state import NO_VIEW, Status
from fiscotool.pbft.types import NO_DIGEST, Digest, Height, NodeIndex, View, Weight

CHECKPOINT_BLOCKS: Final = 5
"""K: every so many blocks a checkpoint is taken. The paper says 100, for requests that are cheaper than blocks."""

LOG_BLOCKS: Final = 4 * CHECKPOINT_BLOCKS
"""k, the size of the log: high = low + k. Large enough that replicas need not wait for a checkpoint (section 4.3)."""


@quickened
class Slot(NamedTuple):
    """One sequence number in the log."""

    height: Height
    pre: PrePrepare | None = None
    """The accepted pre-prepare of the view, with the content."""
    checking: PrePrepare | None = None
    """One whose content is being verified, or (without data) fetched."""
    prepares: tuple[Prepare, ...] = ()
    """One a sender, of its latest view, sorted by sender; the primary's pre-prepare counts as one."""
    commits: tuple[Commit, ...] = ()
    """Likewise."""
    cert: PreparedCertificate | None = None
    """The prepared certificate of the latest view, with the full proposal: what a view change shows."""
    committed: Proposal | None = None
    """Committed-local."""
    voted_view: View = NO_VIEW
    """The latest view in which this replica pre-prepared or prepared here, also before a restart."""
    voted_digest: Digest = NO_DIGEST


@quickened
class ReplicaState(NamedTuple):
    """A replica."""

    rules: Rules
    me: NodeIndex | None
    quorum_weight: Weight
    join_weight: Weight
    height: Height
    """The last executed number; its block is in the ledger."""
    block_hash: Digest
    view: View = View(0)
    to_view: View = View(0)
    in_timeout: bool = False
    """In a view change: only checkpoint, view-change and new-view are accepted (section 4.4)."""
    low: Height = Height(0)
    """h: the last stable checkpoint."""
    stable: tuple[CheckPoint, ...] = ()
    """Its proof: checkpoints of a quorum."""
    floor: Height = Height(0)
    """min-s of the last NewView: nothing at or below it is voted on in this view."""
    slots: tuple[Slot, ...] = ()
    checkpoints: tuple[CheckPoint, ...] = ()
    """One a number and sender, above `low`, sorted."""
    results: tuple[tuple[Height, Digest], ...] = ()
    """Own state digests at the checkpoint numbers above `low`."""
    is_executing: bool = False
    """The next number was handed to execution and is not in the ledger yet."""
    next_seal: Height = Height(1)
    """As the primary: the next number to assign."""
    seal_last: Height = Height(0)
    """Up to where the own sealer was told to seal in this view."""
    view_changes: tuple[ViewChange, ...] = ()
    """The latest of each sender, sorted by sender."""
    new_view: NewView | None = None
    """Why this replica is in its view; sent to those who ask for a view of the past."""
    issued_view: View = NO_VIEW
    fillers_asked: tuple[View, tuple[Height, ...]] = (NO_VIEW, ())
    syncing_until: Height = Height(0)
    change_cycle: int = 0
    pool_count: int = 0
    timer_epoch: int = 0
    timer_on: bool = False
    resend_epoch: int = 0


def primary_of(view: View, rules: Rules) -> NodeIndex:
    """The primary is p = v mod |R| (section 4)."""
    assert rules.node_count >= 1
    return NodeIndex(view % rules.node_count)


def status(state: ReplicaState) -> Status:
    """What the replica says of itself."""
    return Status(
        height=state.height,
        block_hash=state.block_hash,
        view=state.view,
        to_view=state.to_view,
        in_timeout=state.in_timeout,
        change_cycle=state.change_cycle,
        leader=primary_of(state.view, state.rules),
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
    stand: StandRecord | None = None,
) -> ReplicaState:
    """A replica as its process starts, from its durable records.

    The paper has no restarts: a process that was in a view is in it again, bound by its votes; one that asked for a view asks again (C4).
    Without a record it is in view 0, where its votes bind it. `executed` is not used.
    """
    assert me is None or 0 <= me < rules.node_count
    del executed
    total = sum(rules.weights)
    state = ReplicaState(
        rules=rules,
        me=me,
        quorum_weight=quorum_weight(total),
        join_weight=join_weight(total),
        height=height,
        block_hash=block_hash,
        next_seal=Height(height + 1),
        seal_last=height,
    )
    if rules.has(Quirk.AMNESIA):
        return state
    if stand is None:
        return _with_votes(state, votes)
    low = stand.stable[0].index if stand.stable else Height(0)
    view = View(stand.view - 1) if stand.is_changing else stand.view
    state = state._replace(
        low=low, stable=stand.stable, floor=low, view=View(max(view, 0)), to_view=View(max(view, 0)), in_timeout=stand.is_changing
    )
    return _with_votes(state, votes)


def _with_votes(state: ReplicaState, votes: tuple[VoteRecord, ...]) -> ReplicaState:
    """What it voted for and prepared above its stable checkpoint."""
    for record in sorted(votes, key=lambda vote: vote.index):
        if state.low < record.index <= state.low + LOG_BLOCKS:
            slot = slot_at(state, record.index)
            state = put_slot(state, slot._replace(voted_view=record.view, voted_digest=record.digest, cert=record.certificate))
    return state


def find_slot(state: ReplicaState, index: Height) -> Slot | None:
    """The slot of `index`, or None when nothing is known of it or it is outside the water marks."""
    offset = index - state.low - 1
    return state.slots[offset] if 0 <= offset < len(state.slots) else None


def slot_at(state: ReplicaState, index: Height) -> Slot:
    """The slot of `index` within the water marks, fresh when nothing is known of it."""
    found = find_slot(state, index)
    return Slot(index) if found is None else found


def put_slot(state: ReplicaState, slot: Slot) -> ReplicaState:
    """The state with `slot` in its place."""
    offset = slot.height - state.low - 1
    assert 0 <= offset < LOG_BLOCKS
    slots = list(state.slots)
    slots += [Slot(Height(state.low + 1 + k)) for k in range(len(slots), offset + 1)]
    slots[offset] = slot
    return state._replace(slots=tuple(slots))


def knows_view(state: ReplicaState) -> bool:
    """Whether this replica knows what its view began with. View 0 began with nothing; a restart forgets the NewView of any other."""
    return state.view == 0 or state.new_view is not None


def is_quorum(state: ReplicaState, voters: tuple[NodeIndex, ...]) -> bool:
    """Whether the distinct `voters` weigh a quorum; with Quirk.DUPLICATE_SIGNERS repetitions count."""
    if state.rules.has(Quirk.DUPLICATE_SIGNERS):
        return weight_with_repeats(voters, state.rules.weights) >= state.quorum_weight
    return weight_of(voters, state.rules.weights) >= state.quorum_weight
