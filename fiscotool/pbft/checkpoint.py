"""After agreement: execute in order, exchange what came out, and write a block that a quorum computed alike.

Rule 1. Only height `expected` is executed, and above an agreed system proposal only once that is in the ledger.
Rule 2. The executed proposal is made durable before the CheckPoint leaves, so a replica never signs two results of a height.
Rule 3. A block is stable when checkpoints of a quorum name this replica's own executed hash; blocks are written in order.
Rule 4. A proposal pulled from one peer counts only when its executed hash is named by f+1 checkpoints: at least one honest
        replica executed it, so it was agreed. Quirk.PULL_WITHOUT_PROOF believes the one peer (FIB-127).

Deviation D7: this is a fourth phase after execution; in OSDI'99 (section 4.3) checkpoints are taken every K requests to collect
garbage, and a reply needs no agreement on the result.

Sources: bcos-pbft `PBFTCacheProcessor.cpp` `tryToApplyCommitQueue`, `PBFTCache.cpp` `checkAndCommitStableCheckPoint`,
`PBFTEngine.cpp` `handleCheckPointMsg`, `PBFTLogSync.cpp`; spec 3.x 1.8 (11-13), 1.9.
"""

from __future__ import annotations

from typing import Final

from fiscotool.pbft import sealing, timers
from fiscotool.pbft.counting import place_of, with_checkpoints
from fiscotool.pbft.effects import (
    AgreedIndex,
    Broadcast,
    Effect,
    Reject,
    RejectReason,
    Send,
    SetTimer,
    VerifyProposal,
)
from fiscotool.pbft.events import Executed, TimerName
from fiscotool.pbft.making import (
    make_agreed_index,
    make_broadcast,
    make_checkpoint,
    make_commit_block,
    make_execute,
    make_executed_record,
    make_persist,
)
from fiscotool.pbft.messages import CheckPoint, CommittedProposalRequest, CommittedProposalResponse, Proposal
from fiscotool.pbft.quorum import weight_of
from fiscotool.pbft.rules import Quirk
from fiscotool.pbft.state import ReplicaState, Slot, find_slot, is_quorum, put_slot, slot_at, tells_sync
from fiscotool.pbft.types import NO_DIGEST, Digest, Height, Ticks

EXECUTE_RETRY_TICKS: Final = Ticks(20)
"""Pause before a failed execution is tried again (`PBFTEngine.cpp`)."""


def agree(state: ReplicaState, slot: Slot, proposal: Proposal, out: list[Effect], *, is_pulled: bool = False) -> ReplicaState:
    """`proposal` is to be executed: a quorum committed it, or a peer says so (`updateCommitQueue`)."""
    assert slot.block_hash == NO_DIGEST
    state = put_slot(state, slot._replace(agreed=proposal, is_pulled=is_pulled, pulling=None, is_restored=False, checking=None))
    if not is_pulled:
        if tells_sync(state):
            out.append(make_agreed_index(slot.height))
        state = _note_system(state, proposal)
        state = sealing.notify(state, out)
    return try_execute(state, out)


def try_execute(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Start executing height `expected` when it is agreed and nothing below it must be in the ledger first."""
    slot = find_slot(state, state.expected)
    if slot is None or slot.agreed is None or slot.is_executing or slot.block_hash != NO_DIGEST:
        return state
    if state.height < min(state.expected - 1, state.wait_seal_until):
        return state
    out.append(make_execute(slot.agreed))
    return put_slot(state, slot._replace(is_executing=True))


def on_executed(state: ReplicaState, event: Executed, out: list[Effect]) -> ReplicaState:
    """Record the result, tell the others, go on with the next height."""
    slot = find_slot(state, event.index)
    if slot is None or not slot.is_executing or slot.agreed is None or slot.agreed.digest != event.digest:
        return state
    assert event.index == state.expected
    was_pulled, proposal = slot.is_pulled, slot.agreed
    slot = slot._replace(is_executing=False)
    if event.block_hash is None and state.rules.has(Quirk.FAILED_NOT_RETRIED):
        return state
    if event.block_hash is None:
        epoch = state.retry_epoch + 1
        out.append(SetTimer(TimerName.EXECUTE_RETRY, epoch, EXECUTE_RETRY_TICKS))
        return put_slot(state._replace(retry_epoch=epoch), slot)
    if was_pulled and not state.rules.has(Quirk.PULL_WITHOUT_PROOF):
        if not has_support(state, slot, event.block_hash):
            return put_slot(state, slot._replace(agreed=None, is_pulled=False))
        state = _note_system(state, proposal)
    slot = slot._replace(block_hash=event.block_hash, is_pulled=False)
    out.append(make_persist(make_executed_record(proposal, event.block_hash)))
    if state.me is not None:
        out.append(make_broadcast(make_checkpoint(state.view, event.index, event.block_hash, state.me)))
    state = put_slot(state._replace(expected=Height(event.index + 1)), slot)
    state = timers.restart_if_running(state, out)
    if was_pulled:
        state = sealing.notify(state, out)
    state = try_execute(state, out)
    return try_stable(state, out)


def on_execute_retry(state: ReplicaState, epoch: int, out: list[Effect]) -> ReplicaState:
    """The pause after a failed execution is over."""
    assert state.retry_epoch >= 0
    return try_execute(state, out) if epoch == state.retry_epoch else state


def on_checkpoint(state: ReplicaState, message: CheckPoint, out: list[Effect]) -> ReplicaState:
    """Count it; it may make the next block stable, or show that this replica lacks a proposal others have executed."""
    slot = slot_at(state, message.index)
    votes, place = slot.checkpoints, place_of(slot.checkpoints, message.sender)
    is_known = place < len(votes) and votes[place].sender == message.sender
    if is_known and votes[place].digest == message.digest:
        if not pull_if_lacking(state, slot, message, out) and message.sender != state.me:
            out.append(Reject(message, RejectReason.DUPLICATE))
        return state
    slot = with_checkpoints(slot, (*votes[:place], message, *votes[place + is_known :]))
    assert len(slot.checkpoints) <= state.rules.node_count
    state = put_slot(state, slot)
    pull_if_lacking(state, slot, message, out)
    return try_stable(state, out)


def try_stable(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Ask for the next block to be written when a quorum of checkpoints names its executed hash (spec 1.8, step 13)."""
    if not state.slots:
        return state
    slot = state.slots[0]
    if slot.is_stable or slot.block_hash == NO_DIGEST or slot.agreed is None:
        return state
    if len(slot.checkpoints) * state.rules.weight_max < state.quorum_weight:
        return state
    block_hash = slot.block_hash
    signed = tuple([(vote.sender, vote.signature) for vote in slot.checkpoints if vote.digest == block_hash])
    if not is_quorum(state, tuple([sender for sender, _ in signed])):
        return state
    assert slot.height == state.height + 1
    out.append(make_commit_block(slot.height, slot.agreed.digest, slot.block_hash, signed))
    return put_slot(state, slot._replace(is_stable=True))


def on_resend(state: ReplicaState, epoch: int, out: list[Effect]) -> ReplicaState:
    """Send own checkpoints that are not in the ledger again, and arm the timer again (spec 1.9).

    A replica whose next block waited a whole interval may never hear the checkpoints it lacks: the others are past it and send
    them no more. It then lets block synchronisation fetch the block (D13; upstream does so only when its timer is stopped).
    """
    if epoch != state.resend_epoch:
        return state
    me = state.me
    if me is not None:
        waiting = [slot for slot in state.slots if slot.block_hash != NO_DIGEST]
        out.extend(Broadcast(CheckPoint(state.view, slot.height, slot.block_hash, me)) for slot in waiting)
    is_waiting = bool(state.slots) and state.slots[0].block_hash != NO_DIGEST
    is_overtaken = is_waiting and state.waiting_since == state.height
    if is_overtaken or (is_waiting and not state.timer_on):
        out.append(AgreedIndex(state.height))
    state = state._replace(waiting_since=state.height if is_waiting else Height(-1), is_overtaken=is_overtaken)
    return arm_resend(state, out)


def arm_resend(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Arm the checkpoint timer, which runs for ever."""
    epoch = state.resend_epoch + 1
    out.append(SetTimer(TimerName.CHECKPOINT_RESEND, epoch, Ticks(state.rules.checkpoint_resend_ticks)))
    assert epoch > 0
    return state._replace(resend_epoch=epoch)


def has_support(state: ReplicaState, slot: Slot, block_hash: Digest) -> bool:
    """Whether checkpoints of f+1 weight name this executed hash, so that an honest replica computed it."""
    assert block_hash != NO_DIGEST
    voters = (vote.sender for vote in slot.checkpoints if vote.digest == block_hash)
    return weight_of(voters, state.rules.weights) >= state.join_weight


def pull_if_lacking(state: ReplicaState, slot: Slot, message: CheckPoint, out: list[Effect]) -> bool:
    """Ask the checkpoint's sender for the proposal when this replica lacks it (`shouldRequestCheckPoint`, spec 1.9).

    In timeout at once under the quirk, with f+1 matching checkpoints in the sound rule; else only when not prepared.
    """
    if message.sender == state.me or state.me is None or slot.agreed is not None or slot.pulling is not None:
        return False
    if not max(state.height, state.syncing_until) < slot.height <= state.height + state.rules.pipeline_blocks:
        return False
    at_once = state.in_timeout and state.rules.has(Quirk.PULL_WITHOUT_PROOF)
    if not at_once and (not has_support(state, slot, message.digest) or (slot.cert is not None and not state.in_timeout)):
        return False
    out.append(Send(message.sender, CommittedProposalRequest(slot.height, state.me)))
    return True


def on_request(state: ReplicaState, message: CommittedProposalRequest, out: list[Effect]) -> ReplicaState:
    """Answer with the agreed proposal of that height, one of the last five committed, or nothing (0x5)."""
    assert state.me is not None
    slot = find_slot(state, message.index)
    proposal = next((known for known in state.recent if known.index == message.index), None)
    if slot is not None and slot.agreed is not None and not slot.is_pulled:
        proposal = slot.agreed
    elif slot is not None and slot.cert is not None:
        proposal = slot.cert.proposal
    out.append(Send(message.sender, CommittedProposalResponse(message.index, state.me, proposal)))
    return state


def on_response(state: ReplicaState, message: CommittedProposalResponse, out: list[Effect]) -> ReplicaState:
    """Take a pulled proposal, when it is still needed, and have its content verified (0x6)."""
    proposal = message.proposal
    slot = find_slot(state, message.index)
    needless = slot is None or slot.agreed is not None or slot.pulling is not None
    if needless or slot is None or proposal is None or proposal.index != message.index:
        out.append(Reject(message, RejectReason.NOT_ASKED))
        return state
    has_proof = any(has_support(state, slot, vote.digest) for vote in slot.checkpoints)
    if not has_proof and not state.rules.has(Quirk.PULL_WITHOUT_PROOF):
        out.append(Reject(message, RejectReason.NOT_ASKED))
        return state
    out.append(VerifyProposal(proposal, message.sender, is_certified=True))
    return put_slot(state, slot._replace(pulling=proposal))


def on_pulled(state: ReplicaState, slot: Slot, out: list[Effect], *, is_valid: bool) -> ReplicaState:
    """The pulled or persisted proposal's content was verified."""
    proposal = slot.pulling
    assert proposal is not None
    if not is_valid:
        return put_slot(state, slot._replace(pulling=None, is_restored=False))
    state = timers.restart_if_running(state, out)
    return agree(state, slot, proposal, out, is_pulled=not slot.is_restored)


def _note_system(state: ReplicaState, proposal: Proposal) -> ReplicaState:
    """A system proposal bars everything above it until it is in the ledger (`waitSealUntil`)."""
    if not proposal.is_system or proposal.index <= state.wait_seal_until or state.rules.has(Quirk.EXECUTES_PAST_SYSTEM):
        return state
    assert proposal.index > state.height
    return state._replace(wait_seal_until=proposal.index, seal_last=min(state.seal_last, proposal.index))
