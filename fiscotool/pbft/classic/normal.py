"""The three phases, and execution in order.

Rule 1. A pre-prepare is accepted when it is of the replica's view, from its primary, between the water marks, and no other was accepted for
        its view and number.
Rule 2. prepared: the pre-prepare and matching prepares of backups, a quorum together with the primary; then Commit.
Rule 3. committed-local: prepared, and matching commits of a quorum. It is executed once all lower numbers are.
Rule 4. In a view change none of this is accepted or sent.
Rule 5. A replica that restarted in a view after the first takes no new assignment before it was shown that view's NewView again: at numbers
        of O it may not have voted yet, and nothing else keeps it from voting against what was prepared (C4).
Rule 6. Every vote is durable before it leaves (a restart must not let a replica vote twice; the paper has none).

A backup with no vote in this view yet accepts whatever its primary says: what was prepared earlier is protected by the NewView alone.

Sources: OSDI'99 section 4.2.
"""

from __future__ import annotations

from typing import TypeVar

from fiscotool.pbft.classic.state import LOG_BLOCKS, ReplicaState, Slot, find_slot, is_quorum, knows_view, primary_of, put_slot, slot_at
from fiscotool.pbft.effects import (
    Broadcast,
    CommitBlock,
    Effect,
    Execute,
    Persist,
    Reject,
    RejectReason,
    ReleaseTransactions,
    SealRange,
    SetTimer,
    VerifyProposal,
    VoteRecord,
)
from fiscotool.pbft.events import Executed, Proposed, TimerName, Verified
from fiscotool.pbft.messages import Commit, Prepare, PreparedCertificate, PrePrepare, Proposal
from fiscotool.pbft.rules import Quirk
from fiscotool.pbft.types import Digest, Height, NodeIndex, Ticks, View

Vote = TypeVar("Vote", bound=Prepare | Commit)

EXECUTE_RETRY_TICKS = Ticks(20)
"""Pause before a failed execution is tried again (not in the paper, whose service never fails)."""


def seal(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Tell the own sealer what the primary may assign: up to the high water mark (section 4.2, step 1)."""
    last = Height(state.low + LOG_BLOCKS)
    if state.me is None or state.in_timeout or primary_of(state.view, state.rules) != state.me or last <= state.seal_last:
        return state
    if not knows_view(state):
        return state
    first = Height(max(state.next_seal, state.height + 1))
    if first > last:
        return state
    out.append(SealRange(first, last, state.view))
    return state._replace(seal_last=last, next_seal=first)


def on_proposed(state: ReplicaState, event: Proposed, out: list[Effect]) -> ReplicaState:
    """The own sealer made a block: assign it its number, or give it back. It is accepted when its signed copy comes back."""
    proposal, me = event.proposal, state.me
    index = proposal.index
    mine = me is not None and not state.in_timeout and primary_of(state.view, state.rules) == me and knows_view(state)
    if me is None or not mine or index != max(state.next_seal, state.height + 1) or index > state.low + LOG_BLOCKS:
        out.append(ReleaseTransactions(proposal))
        return state
    if slot_at(state, index).voted_view >= state.view:
        out.append(ReleaseTransactions(proposal))
        return state
    state = bind(state, slot_at(state, index), state.view, proposal.digest, out)
    out.append(Broadcast(PrePrepare(state.view, index, proposal.digest, me, proposal)))
    return state._replace(next_seal=Height(index + 1))


def bind(state: ReplicaState, slot: Slot, view: View, digest: Digest, out: list[Effect]) -> ReplicaState:
    """Make the vote durable (rule 6)."""
    if not state.rules.has(Quirk.AMNESIA):
        out.append(Persist(VoteRecord(slot.height, view, digest, slot.cert)))
    return put_slot(state, slot._replace(voted_view=view, voted_digest=digest))


def refuse(state: ReplicaState, index: Height, view: View) -> RejectReason | None:
    """What all three phases ask."""
    if not max(state.low, state.floor) < index:
        return RejectReason.STALE_INDEX
    if index > state.low + LOG_BLOCKS:
        return RejectReason.TOO_FAR
    if view < state.view or (state.in_timeout and view <= state.view):
        return RejectReason.STALE_VIEW
    return None


def on_preprepare(state: ReplicaState, message: PrePrepare, out: list[Effect]) -> ReplicaState:
    """A primary assigns a number: verify, then accept (rule 1). The own one comes back signed and is accepted at once."""
    reason = refuse(state, message.index, message.view)
    slot = slot_at(state, message.index) if reason is None else Slot(message.index)
    proposal = message.proposal
    known = slot.pre or slot.checking
    if reason is None and (message.view != state.view or state.in_timeout):
        reason = RejectReason.TOO_FAR
    elif reason is None and not knows_view(state):
        reason = RejectReason.NEW_VIEW_FORGOTTEN
    elif reason is None and primary_of(message.view, state.rules) != message.sender:
        reason = RejectReason.NOT_THE_LEADER
    elif reason is None and (proposal.index != message.index or proposal.digest != message.digest or not proposal.data):
        reason = RejectReason.MISMATCHED
    elif reason is None and known is not None and known.view == message.view:
        reason = RejectReason.DUPLICATE if known.digest == message.digest else RejectReason.EQUIVOCATION
    elif reason is None and (slot.voted_view > message.view or (slot.voted_view == message.view and slot.voted_digest != message.digest)):
        reason = RejectReason.ALREADY_VOTED
    if reason is not None:
        if message.sender != state.me:
            out.append(Reject(message, reason))
        return state
    if message.sender == state.me:
        return accept(state, slot, message, out) if slot.voted_view == message.view else state
    out.append(VerifyProposal(proposal, message.sender))
    return put_slot(state, slot._replace(checking=message))


def on_verified(state: ReplicaState, event: Verified, out: list[Effect]) -> ReplicaState:
    """The content was verified: accept it, or do nothing ("if the request is bad the backup does nothing")."""
    slot = find_slot(state, event.index)
    checking = None if slot is None else slot.checking
    if slot is None or checking is None or checking.digest != event.digest or not checking.proposal.data:
        return state
    slot = slot._replace(checking=None)
    if not event.is_valid or state.in_timeout or checking.view != state.view:
        return put_slot(state, slot)
    return accept(state, slot, checking, out)


def accept(state: ReplicaState, slot: Slot, pre: PrePrepare, out: list[Effect]) -> ReplicaState:
    """Enter the prepare phase; the primary sends no Prepare."""
    me = state.me
    assert me is not None
    slot = slot._replace(pre=pre, checking=None)
    vote = Prepare(pre.view, pre.index, pre.digest, pre.sender, pre.signature)
    slot = slot._replace(prepares=with_vote(slot.prepares, vote))
    if pre.sender == me:
        return try_prepared(put_slot(state, slot), slot, out)
    state = bind(state, slot, pre.view, pre.digest, out)
    out.append(Broadcast(Prepare(pre.view, pre.index, pre.digest, me)))
    return try_prepared(state, slot_at(state, pre.index), out)


def on_prepare(state: ReplicaState, message: Prepare, out: list[Effect]) -> ReplicaState:
    """Count a backup's Prepare; a primary's does not exist."""
    reason = refuse(state, message.index, message.view)
    if reason is None and message.sender == primary_of(message.view, state.rules):
        reason = RejectReason.NOT_IN_DIALECT
    return state if (slot := _count(state, message, reason, out)) is None else try_prepared(put_slot(state, slot), slot, out)


def on_commit(state: ReplicaState, message: Commit, out: list[Effect]) -> ReplicaState:
    """Count a Commit."""
    reason = refuse(state, message.index, message.view)
    return state if (slot := _count(state, message, reason, out)) is None else try_committed(put_slot(state, slot), slot, out)


def try_prepared(state: ReplicaState, slot: Slot, out: list[Effect]) -> ReplicaState:
    """Rule 2."""
    pre, me = slot.pre, state.me
    if pre is None or me is None or state.in_timeout or pre.view != state.view or (slot.cert is not None and slot.cert.view >= pre.view):
        return state
    signed = tuple((vote.sender, vote.signature) for vote in slot.prepares if (vote.view, vote.digest) == (pre.view, pre.digest))
    if not is_quorum(state, tuple(sender for sender, _ in signed)):
        return state
    cert = PreparedCertificate(pre.view, pre.proposal, signed)
    state = bind(state, slot._replace(cert=cert), pre.view, pre.digest, out)
    out.append(Broadcast(Commit(pre.view, pre.index, pre.digest, me)))
    return try_committed(state, slot_at(state, slot.height), out)


def try_committed(state: ReplicaState, slot: Slot, out: list[Effect]) -> ReplicaState:
    """Rule 3."""
    pre, cert = slot.pre, slot.cert
    if pre is None or cert is None or state.in_timeout or slot.committed is not None or not pre.view == cert.view == state.view:
        return state
    committed = tuple(vote.sender for vote in slot.commits if (vote.view, vote.digest) == (pre.view, pre.digest))
    if not is_quorum(state, committed):
        return state
    return try_execute(put_slot(state, slot._replace(committed=pre.proposal)), out)


def try_execute(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Execute the next number when it is committed-local."""
    slot = find_slot(state, Height(state.height + 1))
    if state.is_executing or slot is None or slot.committed is None:
        return state
    out.append(Execute(slot.committed))
    return state._replace(is_executing=True)


def on_executed(state: ReplicaState, event: Executed, out: list[Effect]) -> ReplicaState:
    """Write what came out; the commits held end the block. A failed execution is tried again."""
    slot = find_slot(state, event.index)
    if not state.is_executing or event.index != state.height + 1 or slot is None or slot.committed is None:
        return state
    if slot.committed.digest != event.digest:
        return state
    if event.block_hash is None:
        out.append(SetTimer(TimerName.EXECUTE_RETRY, state.height, EXECUTE_RETRY_TICKS))
        return state._replace(is_executing=False)
    out.append(CommitBlock(event.index, event.digest, event.block_hash, commits_for(slot, slot.committed)))
    return state


def commits_for(slot: Slot, proposal: Proposal) -> tuple[tuple[NodeIndex, bytes], ...]:
    """(sender, signature) of the commits for it, of any view, sorted by sender."""
    return tuple((vote.sender, vote.signature) for vote in slot.commits if vote.digest == proposal.digest)


def resend(state: ReplicaState, out: list[Effect]) -> None:
    """Rule 4 of `timers`: own votes for the next number, when they may have been lost."""
    slot, me = find_slot(state, Height(state.height + 1)), state.me
    if slot is None or slot.pre is None or me is None or state.in_timeout or slot.committed is not None:
        return
    pre = slot.pre
    if pre.sender == me:
        out.append(Broadcast(PrePrepare(pre.view, pre.index, pre.digest, me, pre.proposal)))
    else:
        out.append(Broadcast(Prepare(pre.view, pre.index, pre.digest, me)))
    if slot.cert is not None and slot.cert.view == pre.view:
        out.append(Broadcast(Commit(pre.view, pre.index, pre.digest, me)))


def with_vote(votes: tuple[Vote, ...], message: Vote) -> tuple[Vote, ...]:
    """`votes` with the message in the place of its sender's earlier one."""
    return tuple(sorted((*(vote for vote in votes if vote.sender != message.sender), message), key=lambda vote: vote.sender))


def with_repeated(votes: tuple[Vote, ...], message: Vote) -> tuple[Vote, ...]:
    """Quirk.DUPLICATE_SIGNERS: `votes` with the message beside its sender's others that are signed otherwise."""
    kept = (vote for vote in votes if (vote.sender, vote.signature) != (message.sender, message.signature))
    return tuple(sorted((*kept, message), key=lambda vote: vote.sender))


def _count(state: ReplicaState, message: Prepare | Commit, reason: RejectReason | None, out: list[Effect]) -> Slot | None:
    """The slot with the vote in it, or None with a Reject in `out`."""
    slot = slot_at(state, message.index) if reason is None else Slot(message.index)
    votes: tuple[Prepare | Commit, ...] = slot.prepares if isinstance(message, Prepare) else slot.commits
    repeats = state.rules.has(Quirk.DUPLICATE_SIGNERS)
    known = next((vote for vote in votes if vote.sender == message.sender and (not repeats or vote.signature == message.signature)), None)
    if reason is None and known is not None and known.view >= message.view:
        reason = RejectReason.DUPLICATE if known.digest == message.digest else RejectReason.DOUBLE_VOTE
    if reason is not None:
        if message.sender != state.me:
            out.append(Reject(message, reason))
        return None
    if isinstance(message, Prepare):
        return slot._replace(prepares=with_repeated(slot.prepares, message) if repeats else with_vote(slot.prepares, message))
    return slot._replace(commits=with_repeated(slot.commits, message) if repeats else with_vote(slot.commits, message))
