"""Sign, Commit and the lock.

Rule 1. A Sign or Commit names the hash after execution. What names the own result must be of the view of the own proposal; anything
        else of this or a later height and view is kept for later (FUTURE).
Rule 2. Signs of a quorum for the own result, in the own view: lock on the proposal, make the lock durable, then send Commit, once a view.
Rule 3. Signs and Commits of a quorum: write the block. Its signature list is the Commits held.
Rule 4. A replica that timed out but reached no view yet still signs, commits and writes for the old view (`leaderFailed` is not asked).
Rule 5. Of a sender the vote of the latest view counts for a digest. Quirk.STALE_VOTE_KEPT: the first one, for an honest node's
        signature is the same in every view, so a later one is a duplicate. Quirk.DUPLICATE_SIGNERS: one of each of its signatures counts.

Sources: libconsensus/pbft `PBFTEngine.h` `checkReq`, `PBFTEngine.cpp` `isValidSignReq`, `isValidCommitReq`, `checkAndCommit`,
`checkAndSave`, `PBFTReqCache.h`; spec 2.x 1.6, 1.11.
"""

from __future__ import annotations

from typing import Final, TypeVar

from fiscotool.pbft.effects import Broadcast, CommitBlock, Effect, Persist, Reject, RejectReason, VoteRecord
from fiscotool.pbft.fisco2 import timers
from fiscotool.pbft.fisco2.state import FAR_BLOCKS, Phase, ReplicaState, is_quorum
from fiscotool.pbft.messages import Commit, Prepare, PreparedCertificate
from fiscotool.pbft.rules import Quirk
from fiscotool.pbft.types import Digest, NodeIndex

Vote = TypeVar("Vote", bound=Prepare | Commit)

DIGESTS_KEPT: Final = 8
"""Votes for different digests kept of one sender, the latest heights and views first (E3; upstream keeps any number)."""


def sign(state: ReplicaState, block_hash: Digest, out: list[Effect]) -> ReplicaState:
    """The proposal was executed: send the Sign, and forget votes for it that are of another view."""
    raw, me = state.raw, state.me
    assert raw is not None
    if me is None:
        return state
    state = state._replace(
        signs=tuple(vote for vote in state.signs if vote.digest != block_hash or vote.view >= raw.view),
        commits=tuple(vote for vote in state.commits if vote.digest != block_hash or vote.view >= raw.view),
    )
    out.append(Broadcast(Prepare(raw.view, raw.index, block_hash, me)))
    return try_commit(state, out)


def on_sign(state: ReplicaState, message: Prepare, out: list[Effect]) -> ReplicaState:
    """Count a Sign; it may complete the quorum."""
    votes = _add(state, state.signs, message, out)
    return state if votes is state.signs else try_commit(state._replace(signs=votes), out)


def on_commit(state: ReplicaState, message: Commit, out: list[Effect]) -> ReplicaState:
    """Count a Commit; it may complete the block."""
    votes = _add(state, state.commits, message, out)
    return state if votes is state.commits else try_save(state._replace(commits=votes), out)


def try_commit(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Rule 2 (`checkAndCommit`), then rule 3."""
    raw = state.raw
    if raw is None or state.me is None or state.phase is not Phase.EXECUTED or raw.view != state.view:
        return state
    signed = matching(state, state.signs)
    if not is_quorum(state, tuple(sender for sender, _ in signed)):
        return state
    if state.commit_view < state.view:
        lock = PreparedCertificate(raw.view, raw.proposal, signed)
        if not state.rules.has(Quirk.AMNESIA):
            out.append(Persist(VoteRecord(raw.index, raw.view, raw.digest, lock)))
        out.append(Broadcast(Commit(raw.view, raw.index, state.executed_hash, state.me)))
        state = timers.restart(state._replace(lock=lock, commit_view=state.view), out)
    return try_save(state, out)


def try_save(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Rule 3 (`checkAndSave`)."""
    raw = state.raw
    if raw is None or state.is_saving or state.phase is not Phase.EXECUTED or raw.view != state.view:
        return state
    committed = matching(state, state.commits)
    enough = is_quorum(state, tuple(sender for sender, _ in matching(state, state.signs)))
    if not enough or not is_quorum(state, tuple(sender for sender, _ in committed)):
        return state
    out.append(CommitBlock(raw.index, raw.digest, state.executed_hash, committed))
    return state._replace(is_saving=True)


def matching(state: ReplicaState, votes: tuple[Prepare, ...] | tuple[Commit, ...]) -> tuple[tuple[NodeIndex, bytes], ...]:
    """(sender, signature) of the votes for the own result in the view of the own proposal, sorted by sender."""
    raw = state.raw
    assert raw is not None
    any_view = state.rules.has(Quirk.STALE_VOTE_KEPT)
    return tuple(
        (vote.sender, vote.signature) for vote in votes if vote.digest == state.executed_hash and (vote.view == raw.view or any_view)
    )


def refuse(state: ReplicaState, message: Prepare | Commit) -> RejectReason | None:
    """The checks of spec 2.x 1.6 that need no cache."""
    if message.index <= state.height:
        return RejectReason.STALE_INDEX
    if state.syncing_until > state.height + FAR_BLOCKS or message.index <= state.syncing_until:
        return RejectReason.SYNCING
    if message.index == state.height + 1 and message.view < state.view:
        return RejectReason.STALE_VIEW
    if message.index > state.height + FAR_BLOCKS:
        return RejectReason.TOO_FAR
    is_own_result = state.phase is Phase.EXECUTED and message.digest == state.executed_hash
    if is_own_result and state.raw is not None and message.view != state.raw.view:
        # A vote of a view this replica has not reached yet; upstream drops it, and misses it later (E5).
        return RejectReason.TOO_FAR if message.view < state.raw.view or state.rules.has(Quirk.EARLY_SIGNS_LOST) else None
    return None


def _add(state: ReplicaState, votes: tuple[Vote, ...], message: Vote, out: list[Effect]) -> tuple[Vote, ...]:
    """`votes` with the message in it, or `votes` itself with a Reject in `out`."""
    reason = refuse(state, message)
    repeats = state.rules.has(Quirk.DUPLICATE_SIGNERS)
    same = (vote for vote in votes if vote.sender == message.sender and vote.digest == message.digest)
    known = next((vote for vote in same if not repeats or vote.signature == message.signature), None)
    if reason is None and known is not None and (known.view >= message.view or state.rules.has(Quirk.STALE_VOTE_KEPT)):
        reason = RejectReason.DUPLICATE
    if reason is not None:
        if message.sender != state.me:
            out.append(Reject(message, reason))
        return votes
    kept = [vote for vote in votes if vote is not known]
    own = sorted((vote for vote in kept if vote.sender == message.sender), key=lambda vote: (vote.index, vote.view, vote.digest))
    if len(own) >= DIGESTS_KEPT:
        kept.remove(own[0])
    return tuple(sorted((*kept, message), key=lambda vote: (vote.digest, vote.sender)))
