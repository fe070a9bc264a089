"""The normal case: pre-prepare, prepare, commit.

Rule 1. A pre-prepare comes from the leader of its height in its own view, and its envelope names the block inside.
Rule 2. A pre-prepare of a later view, or behind a barrier, is kept and handled when its time comes. Quirk.HIGHER_VIEW_PREPREPARE
        handles it now, under the local view's leader schedule (FIB-133).
Rule 3. Prepared (precommit): own accepted pre-prepare of this view and matching prepares of this view of a quorum of distinct
        sealers; not in timeout. The certificate is durable before the Commit leaves.
Rule 4. Committed: prepared in this view and matching commits of this view of a quorum; not in timeout.
Rule 5. Of each sender the vote of its latest view counts; a second digest in one view is refused. Quirk.STALE_VOTE_KEPT: the first
        vote for a digest counts whatever its view, until a view change drops it (H5).

Sources: Castro & Liskov, OSDI'99, section 4.2; bcos-pbft `PBFTEngine.cpp` `handlePrePrepareMsg`, `handlePrepareMsg`,
`handleCommitMsg`, `PBFTCache.cpp` `checkAndPreCommit`, `checkAndCommit`; spec 3.x 1.8 (4-10).
"""

from __future__ import annotations

from typing import TypeVar

from fiscotool.pbft import checkpoint, timers
from fiscotool.pbft.counting import place_of, with_commits, with_prepares
from fiscotool.pbft.effects import Effect, Reject, RejectReason
from fiscotool.pbft.events import Verified
from fiscotool.pbft.making import make_broadcast, make_certificate, make_commit, make_persist, make_verify, make_vote_record
from fiscotool.pbft.messages import Commit, Prepare, PrePrepare
from fiscotool.pbft.quorum import leader_of
from fiscotool.pbft.rules import Quirk
from fiscotool.pbft.state import NO_VIEW, ReplicaState, Slot, barrier, find_slot, is_quorum, put_slot, slot_at
from fiscotool.pbft.types import NO_DIGEST, Height, NodeIndex
from fiscotool.pbft.voting import accept, conflict

Vote = TypeVar("Vote", bound=Prepare | Commit)


def on_preprepare(state: ReplicaState, message: PrePrepare, out: list[Effect]) -> ReplicaState:
    """A leader proposes: have the block verified, or keep the message, or refuse it. Own ones were accepted when made."""
    if message.sender == state.me:
        return state
    quirky = state.rules.has(Quirk.HIGHER_VIEW_PREPREPARE)
    leading_view = state.view if quirky else message.view
    slot = slot_at(state, message.index)
    reason = conflict(state, slot, message)
    if message.proposal.index != message.index or message.proposal.digest != message.digest or not message.proposal.data:
        reason = RejectReason.MISMATCHED
    elif leader_of(message.index, leading_view, state.rules) != message.sender:
        reason = RejectReason.NOT_THE_LEADER
    elif message.view > state.view + state.rules.pipeline_blocks and not state.rules.has(Quirk.FAR_VIEWS_KEPT):
        reason = RejectReason.TOO_FAR
    elif state.rules.quirks and _is_occupied(state, slot, message):
        reason = RejectReason.DUPLICATE
    elif (message.view > state.view and not quirky) or barrier(state, message.index):
        return _keep(state, slot, message, out)
    if reason is not None:
        out.append(Reject(message, reason))
        return state
    out.append(make_verify(message.proposal, message.sender))
    return put_slot(state, slot._replace(checking=message))


def on_verified(state: ReplicaState, event: Verified, out: list[Effect]) -> ReplicaState:
    """A block's content was verified: accept the pre-prepare, or take the pulled proposal. An invalid one is forgotten."""
    slot = find_slot(state, event.index)
    if slot is None:
        return state
    pulling, checking = slot.pulling, slot.checking
    if checking is not None and checking.digest == event.digest and checking.proposal.data:
        is_valid = event.is_valid or state.rules.has(Quirk.PROPOSAL_UNCHECKED)
        if not is_valid and state.rules.has(Quirk.INVALID_KEPT):
            return state
        slot = slot._replace(checking=None)
        state = accept(state, slot, checking, out) if is_valid and state.me is not None else put_slot(state, slot)
        slot = slot_at(state, event.index)
    if pulling is not None and pulling.digest == event.digest:
        state = checkpoint.on_pulled(state, slot, out, is_valid=event.is_valid)
    assert state.height < event.index
    return state


def on_prepare(state: ReplicaState, message: Prepare, out: list[Effect]) -> ReplicaState:
    """Count a Prepare; it may complete the certificate."""
    slot = slot_at(state, message.index)
    votes = add_vote(state, slot.prepares, message, out)
    if votes is slot.prepares:
        return state
    slot = with_prepares(slot, votes)
    return try_precommit(state, slot, out) or put_slot(state, slot)


def on_commit(state: ReplicaState, message: Commit, out: list[Effect]) -> ReplicaState:
    """Count a Commit; it may complete the agreement."""
    slot = slot_at(state, message.index)
    votes = add_vote(state, slot.commits, message, out)
    if votes is slot.commits:
        return state
    slot = with_commits(slot, votes)
    return try_commit(state, slot, out) or put_slot(state, slot)


def add_vote(state: ReplicaState, votes: tuple[Vote, ...], message: Vote, out: list[Effect]) -> tuple[Vote, ...]:
    """`votes` with the message in it, or `votes` itself with a Reject in `out` (rule 5)."""
    position = place_of(votes, message.sender)
    if position == len(votes):
        return (*votes, message)
    if votes[position].sender == message.sender:
        known = votes[position]
        stale_kept = bool(state.rules.quirks) and state.rules.has(Quirk.STALE_VOTE_KEPT) and known.digest == message.digest
        if known.view >= message.view or stale_kept:
            if message.sender != state.me:
                same = known.digest == message.digest
                out.append(Reject(message, RejectReason.DUPLICATE if same else RejectReason.DOUBLE_VOTE))
            return votes
        return (*votes[:position], message, *votes[position + 1 :])
    return (*votes[:position], message, *votes[position:])


def try_precommit(state: ReplicaState, slot: Slot, out: list[Effect]) -> ReplicaState | None:
    """Make the certificate and send Commit when rule 3 holds; None when it does not (`slot` need not be in `state` yet)."""
    pre, me = slot.pre, state.me
    if pre is None or state.in_timeout or pre.view != state.view or me is None:
        return None
    if slot.cert is not None and slot.cert.view >= pre.view:
        return None
    if len(slot.prepares) * state.rules.weight_max < state.quorum_weight:
        return None  # Too few whoever they are: most votes end here.
    signed = matching(state, slot.prepares, pre)
    if not is_quorum(state, tuple([sender for sender, _ in signed])):
        return None
    cert = make_certificate(pre.view, pre.proposal, signed)
    assert slot.voted_digest == pre.digest
    if not state.rules.has(Quirk.AMNESIA):
        out.append(make_persist(make_vote_record(slot.height, pre.view, pre.digest, cert)))
    state = timers.restart(put_slot(state, slot._replace(cert=cert)), out)
    out.append(make_broadcast(make_commit(state.view, slot.height, pre.digest, me)))
    return state


def try_commit(state: ReplicaState, slot: Slot, out: list[Effect]) -> ReplicaState | None:
    """Agree on the slot's proposal when rule 4 holds; None when it does not (`slot` need not be in `state` yet)."""
    pre, cert = slot.pre, slot.cert
    if pre is None or cert is None or state.in_timeout or not pre.view == cert.view == state.view:
        return None
    if (slot.agreed is not None and not slot.is_pulled) or slot.block_hash != NO_DIGEST:
        return None
    if len(slot.commits) * state.rules.weight_max < state.quorum_weight:
        return None
    if not is_quorum(state, tuple([sender for sender, _ in matching(state, slot.commits, pre)])):
        return None
    assert cert.proposal.digest == pre.digest
    if state.change_cycle or state.to_view != state.view:
        state = state._replace(change_cycle=0, to_view=state.view)
    state = timers.restart(state, out)
    return checkpoint.agree(state, slot, cert.proposal, out)


def matching(state: ReplicaState, votes: tuple[Prepare, ...] | tuple[Commit, ...], pre: PrePrepare) -> tuple[tuple[NodeIndex, bytes], ...]:
    """(sender, signature) of the votes for exactly this proposal in this view, sorted by sender."""
    any_view = bool(state.rules.quirks) and state.rules.has(Quirk.STALE_VOTE_KEPT)
    view, digest = pre.view, pre.digest
    assert view >= 0
    return tuple([(vote.sender, vote.signature) for vote in votes if (vote.view == view or any_view) and vote.digest == digest])


def replay_kept(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Handle the pre-prepares that were kept for this view or behind a barrier that is gone."""
    for offset in range(len(state.slots)):
        index = Height(state.height + 1 + offset)
        slot = slot_at(state, index)
        if not slot.later or barrier(state, index):
            continue
        due = tuple(pre for pre in slot.later if pre.view == state.view)
        kept = tuple(pre for pre in slot.later if pre.view > state.view)
        if kept != slot.later:
            state = put_slot(state, slot._replace(later=kept))
        for pre in due:
            assert pre.view > NO_VIEW
            state = on_preprepare(state, pre, out)
    return state


def _is_occupied(state: ReplicaState, slot: Slot, message: PrePrepare) -> bool:
    """Whether a hole makes this replica refuse a proposal because of what the height saw in earlier views."""
    stuck = slot.checking is not None and slot.checking.view < message.view and state.rules.has(Quirk.INVALID_KEPT)
    return stuck or (NO_VIEW < slot.voted_view < message.view and state.rules.has(Quirk.LOW_MARK_KEPT))


def _keep(state: ReplicaState, slot: Slot, message: PrePrepare, out: list[Effect]) -> ReplicaState:
    """Keep one pre-prepare a view, of at most the next n views: each has one legitimate leader."""
    is_far = message.view > state.view + state.rules.node_count and not state.rules.has(Quirk.FAR_VIEWS_KEPT)
    if any(pre.view == message.view for pre in slot.later) or is_far:
        out.append(Reject(message, RejectReason.DUPLICATE if message in slot.later else RejectReason.TOO_FAR))
        return state
    later = tuple(sorted((*slot.later, message), key=lambda pre: pre.view))
    assert len(later) <= state.rules.node_count + 1 or state.rules.has(Quirk.FAR_VIEWS_KEPT)
    return put_slot(state, slot._replace(later=later))
