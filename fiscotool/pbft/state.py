"""Everything a replica remembers, as one immutable value, and how to read it.

Rule 1. `slots` is contiguous: slots[k] belongs to height+1+k. It never has more than twice the pipeline's length.
Rule 2. in_timeout == False implies to_view == view (spec 1.17, invariant 10).
Rule 3. `height`, `expected` and `view` never go back.
Rule 4. A slot's `agreed` never changes once a quorum of commits (or of an executed hash) stands behind it.

Theory. A replica is in one of two modes. Not in timeout it votes in `view`; in timeout it asks for `to_view`, still accepts and
prepares proposals of `view`, but neither precommits nor commits (spec 6.2). A slot goes through: pre-prepare accepted (`pre`),
prepared (`cert`, the lock), committed (`agreed`), executed (`block_hash`), stable (`is_stable`), gone (height has passed it).

NamedTuple and not dataclass: it is rebuilt in every step, and `_replace` is five times cheaper (bench/core_steps.py).

Sources: bcos-pbft `PBFTConfig.h`, `ConsensusConfig.h`, `cache/PBFTCache.h`, `cache/PBFTCacheProcessor.h`; spec 3.x 1.7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from fiscotool.pbft.effects import ExecutedRecord, VoteRecord
from fiscotool.pbft.messages import CheckPoint, Commit, Prepare, PreparedCertificate, PrePrepare, Proposal, ViewChange
from fiscotool.pbft.quick import one_field, quickened, two_fields
from fiscotool.pbft.quorum import join_weight, leader_of, quorum_weight, weight_of, weight_with_repeats
from fiscotool.pbft.rules import Quirk, Rules
from fiscotool.pbft.types import NO_DIGEST, Digest, Height, NodeIndex, View, Weight

__all__ = ["ReplicaState", "Slot", "Status", "initial_state", "leader_of", "status"]

NO_VIEW: Final = View(-1)
"""Stands where no view is known; smaller than every view."""

RECENT_BLOCKS: Final = 5
"""How many committed proposals are kept for others to pull (`LedgerStorage.h`)."""


@quickened
class Slot(NamedTuple):
    """What a replica knows of one height above its ledger (upstream `PBFTCache`)."""

    height: Height
    pre: PrePrepare | None = None
    """The accepted pre-prepare, of view `pre.view`; at most one digest a view."""
    checking: PrePrepare | None = None
    """The pre-prepare whose content is being verified, or (without data) being fetched after a NewView."""
    later: tuple[PrePrepare, ...] = ()
    """Pre-prepares of later views or behind a barrier, one a view, sorted by view; handled when their time comes."""
    prepares: tuple[Prepare, ...] = ()
    """One a sender, of its latest view, sorted by sender."""
    commits: tuple[Commit, ...] = ()
    """Like `prepares`."""
    checkpoints: tuple[CheckPoint, ...] = ()
    """One a sender, the last that came, sorted by sender."""
    cert: PreparedCertificate | None = None
    """The prepared certificate of the latest view, with the full proposal (upstream `precommit`): this replica's lock."""
    voted_view: View = NO_VIEW
    """The latest view in which this replica sent a Prepare for this height, also before a restart."""
    voted_digest: Digest = NO_DIGEST
    """What it voted for in `voted_view`."""
    agreed: Proposal | None = None
    """The proposal with a quorum of commits, or a pulled one while `is_pulled`."""
    is_pulled: bool = False
    """`agreed` came from one peer; it counts once its executed hash is the one that f+1 checkpoints name."""
    pulling: Proposal | None = None
    """A pulled or persisted proposal whose content is being verified."""
    is_restored: bool = False
    """`pulling` is this replica's own ExecutedRecord, so it is known to be agreed."""
    is_executing: bool = False
    block_hash: Digest = NO_DIGEST
    """Hash of the block after execution here; own CheckPoint was sent."""
    is_stable: bool = False
    """CommitBlock was asked for."""


@quickened
class ReplicaState(NamedTuple):
    """A replica. Field comments name upstream's word where it differs."""

    rules: Rules
    me: NodeIndex | None
    quorum_weight: Weight
    join_weight: Weight
    height: Height
    """c, `committedIndex`: last block in the ledger."""
    block_hash: Digest
    view: View
    to_view: View
    in_timeout: bool
    recovered: bool
    """`startRecovered`: has reached any view since the process started."""
    expected: Height
    """`expectedCheckPoint`: the next height to execute."""
    slots: tuple[Slot, ...] = ()
    recent: tuple[Proposal, ...] = ()
    """Agreed proposals of the last committed heights, for peers that pull them."""
    seal_last: Height = Height(0)
    """`sealEndIndex`: end of the last range given to the own sealer in this view."""
    wait_seal_until: Height = Height(0)
    """Height of the highest system proposal agreed on; nothing is sealed, accepted or executed above until it is committed."""
    wait_reseal_until: Height = Height(0)
    """Highest height the last NewView proposed again; nothing new is sealed until it is committed."""
    syncing_until: Height = Height(0)
    """`syncingHighestNumber`."""
    syncing_from: Height = Height(0)
    """The ledger's height when block synchronisation last named its target."""
    change_cycle: int = 0
    pool_count: int = 0
    timer_epoch: int = 0
    timer_on: bool = False
    resend_epoch: int = 0
    waiting_since: Height = Height(-1)
    """The ledger's height at the last checkpoint tick, when the next block was executed and not stable; -1 otherwise."""
    is_overtaken: bool = False
    """A whole interval passed like that: the others may have the block already, so block synchronisation may fetch it."""
    retry_epoch: int = 0
    view_changes: tuple[ViewChange, ...] = ()
    """First one a view and sender, sorted by (view, sender)."""
    recoveries: tuple[tuple[NodeIndex, View], ...] = ()
    """Latest recover response a sender, sorted."""
    issued_view: View = NO_VIEW
    """`newViewGenerated`: the view for which a NewView was already issued."""
    fillers_asked: tuple[View, tuple[Height, ...]] = (NO_VIEW, ())
    """What BuildFillers was last asked for and is not answered."""
    connected: frozenset[NodeIndex] = frozenset()
    faulty: frozenset[NodeIndex] = frozenset()


@dataclass(frozen=True, slots=True)
class Status:
    """What an RPC tells about a replica (`getConsensusStatus`, spec 2.4)."""

    height: Height
    block_hash: Digest
    view: View
    to_view: View
    in_timeout: bool
    change_cycle: int
    leader: NodeIndex
    me: NodeIndex | None
    quorum_weight: Weight
    faulty_weight_max: Weight


def status(state: ReplicaState) -> Status:
    """What the replica says of itself. `leader` is of the next height to seal: max(expected, c+1) (spec 1.6)."""
    assert state.expected > state.height
    return Status(
        height=state.height,
        block_hash=state.block_hash,
        view=state.view,
        to_view=state.to_view,
        in_timeout=state.in_timeout,
        change_cycle=state.change_cycle,
        leader=leader_of(state.expected, state.view, state.rules),
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
    """A replica as it is when its process starts: view 0, in timeout, with the votes it must honour.

    `votes` and `executed` are the durable records (any order; those at or below `height` are ignored). Views are not kept
    (spec 1.12), but a replica that voted above its ledger asks for views later than those votes, for it may not vote in
    earlier ones again: D9 of docs/pbft.md.
    """
    assert me is None or 0 <= me < rules.node_count
    total = sum(rules.weights)
    state = ReplicaState(
        rules=rules,
        me=me,
        quorum_weight=quorum_weight(total),
        join_weight=join_weight(total),
        height=height,
        block_hash=block_hash,
        view=View(0),
        to_view=View(0),
        in_timeout=True,
        recovered=False,
        expected=Height(height + 1),
        seal_last=height,
    )
    floor = 0
    for record in sorted(votes, key=lambda vote: vote.index):
        if not height < record.index <= height + window_blocks(rules) or rules.has(Quirk.AMNESIA):
            continue
        cert = record.certificate
        if cert is not None and not is_proven(state, cert):
            cert = None
        slot = slot_at(state, record.index)._replace(voted_view=record.view, voted_digest=record.digest, cert=cert)
        state = put_slot(state, slot)
        floor = max(floor, record.view)
    for done in sorted(executed, key=lambda entry: entry.proposal.index):
        index = done.proposal.index
        if index != len_agreed(state) + height + 1:
            continue
        state = put_slot(state, slot_at(state, index)._replace(pulling=done.proposal, is_restored=True))
    return state._replace(to_view=View(floor))


def len_agreed(state: ReplicaState) -> int:
    """How many heights above the ledger, without a gap, have a proposal that was agreed or executed before."""
    count = 0
    for slot in state.slots:
        if slot.agreed is None and slot.pulling is None:
            break
        count += 1
    assert count <= len(state.slots)
    return count


def window_blocks(rules: Rules) -> int:
    """How far above its ledger a replica keeps messages: twice the pipeline, for a leader may be a pipeline ahead of it.

    Upstream keeps any height (spec 1.8, step 4); D8 of docs/pbft.md.
    """
    assert rules.pipeline_blocks >= 1
    return 2 * rules.pipeline_blocks


def find_slot(state: ReplicaState, index: Height) -> Slot | None:
    """The slot of `index`, or None when nothing is known of it."""
    offset = index - state.height - 1
    return state.slots[offset] if 0 <= offset < len(state.slots) else None


def slot_at(state: ReplicaState, index: Height) -> Slot:
    """The slot of `index`, fresh when nothing is known of it."""
    offset = index - state.height - 1
    assert offset >= 0
    return state.slots[offset] if offset < len(state.slots) else Slot(index)


def put_slot(state: ReplicaState, slot: Slot) -> ReplicaState:
    """The state with `slot` in its place; gaps below it are filled with fresh slots."""
    slots = state.slots
    offset = slot.height - state.height - 1
    assert 0 <= offset < 2 * state.rules.pipeline_blocks  # window_blocks
    if offset < len(slots):
        changed = (*slots[:offset], slot, *slots[offset + 1 :]) if len(slots) > 1 else (slot,)
    elif offset == len(slots):
        changed = (*slots, slot)
    else:
        blanks = tuple(Slot(Height(state.height + 1 + k)) for k in range(len(slots), offset))
        changed = (*slots, *blanks, slot)
    return with_slots(state, changed)


with_slots = one_field(ReplicaState, "slots")
"""`state._replace(slots=…)`: every vote needs it."""

with_timer = two_fields(ReplicaState, "timer_epoch", "timer_on")
"""`state._replace(timer_epoch=…, timer_on=…)`."""


def tells_sync(state: ReplicaState) -> bool:
    """Whether agreed heights are told to block synchronisation: not in timeout (spec 1.16), and not when overtaken (D13)."""
    assert state.height >= 0
    return not state.in_timeout and not state.is_overtaken


def barrier(state: ReplicaState, index: Height) -> bool:
    """Whether `index` must wait until something below it is in the ledger (spec 1.8, worker gating).

    That is an agreed system proposal, a re-proposal of the last NewView, or (D12, not upstream) a system proposal that this
    replica accepted in this view: votes above it would be weighed with a list that it may change.
    """
    assert index > state.height
    if index > state.wait_seal_until > state.height or index > state.wait_reseal_until > state.height:
        return True
    below = () if state.rules.has(Quirk.EXECUTES_PAST_SYSTEM) else state.slots[: index - state.height - 1]
    return any(slot.pre is not None and slot.pre.proposal.is_system for slot in below)


def is_quorum(state: ReplicaState, voters: tuple[NodeIndex, ...]) -> bool:
    """Whether the distinct `voters` weigh a quorum; with Quirk.DUPLICATE_SIGNERS repetitions count."""
    weights = state.rules.weights
    if state.rules.quirks and state.rules.has(Quirk.DUPLICATE_SIGNERS):
        return weight_with_repeats(voters, weights) >= state.quorum_weight
    return weight_of(voters, weights) >= state.quorum_weight


def is_proven(state: ReplicaState, cert: PreparedCertificate) -> bool:
    """Whether the certificate's signers are sealers, distinct, and weigh a quorum. Their signatures are the driver's work."""
    voters = tuple(signer for signer, _ in cert.signatures)
    if any(not 0 <= signer < state.rules.node_count for signer in voters):
        return False
    if len(set(voters)) != len(voters) and not state.rules.has(Quirk.DUPLICATE_SIGNERS):
        return False
    return is_quorum(state, voters)
