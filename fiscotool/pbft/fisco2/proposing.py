"""Proposals: made by the own sealer or received, kept, verified, executed.

Rule 1. The own sealer's block is proposed when this replica still leads and holds no lock.
Rule 2. A proposal is used when it is of the next height and the own view, from the leader, and not against the lock; later ones are
        kept, one a height, and looked at again when their height and view have come.
Rule 3. A replica that knows no leader (`leader_failed`) uses no proposal.
Rule 4. An empty proposal is never signed or stored: it ends the view at once, also at a replica that is locked.
Rule 5. A second, different block in one view is refused (E2; upstream lists no such check).

Sources: libconsensus/pbft `PBFTEngine.cpp` `isValidPrepare`, `handlePrepareMsg`, `execBlock`, `generatePrepare`, `handleFutureBlock`,
`PBFTSealer.cpp`; spec 2.x 1.4, 1.5, 1.10, 1.11.
"""

from __future__ import annotations

from typing import Final

from fiscotool.pbft.effects import Broadcast, BuildFillers, Effect, Reject, RejectReason, ReleaseTransactions, VerifyProposal
from fiscotool.pbft.events import Executed, FillersBuilt, Proposed, Verified
from fiscotool.pbft.fisco2 import sealing, signing, timers, viewchange
from fiscotool.pbft.fisco2.state import FAR_BLOCKS, Phase, ReplicaState, leader, leader_at, lock_at_next
from fiscotool.pbft.messages import PrePrepare
from fiscotool.pbft.rules import Quirk
from fiscotool.pbft.types import Height

FUTURE_MAX: Final = 10
"""Proposals kept for later heights (`PBFTReqCache.h`)."""


def on_proposed(state: ReplicaState, event: Proposed, out: list[Effect]) -> ReplicaState:
    """The own sealer made a block: propose it, or give its transactions back when the turn has passed."""
    proposal = event.proposal
    may_lead = state.me is not None and leader(state) == state.me and state.raw is None
    if not may_lead or proposal.index != state.height + 1 or lock_at_next(state) is not None or proposal.index <= state.syncing_until:
        out.append(ReleaseTransactions(proposal))
        return state
    return sealing.propose(state, proposal, out)


def on_empty_time(state: ReplicaState, epoch: int, out: list[Effect]) -> ReplicaState:
    """A whole block time without transactions: have an empty block made."""
    if epoch != state.empty_epoch:
        return state
    state = state._replace(empty_epoch=state.empty_epoch + 1)
    if leader(state) == state.me and state.raw is None:
        out.append(BuildFillers(state.view, (Height(state.height + 1),)))
    return state


def on_fillers(state: ReplicaState, event: FillersBuilt, out: list[Effect]) -> ReplicaState:
    """The empty block is there: broadcast it, and change the view like everyone who gets it (rule 4)."""
    mine = leader(state) == state.me and state.raw is None and event.view == state.view
    if state.me is None or not mine or len(event.proposals) != 1 or event.proposals[0].index != state.height + 1:
        return state
    empty = event.proposals[0]
    out.append(Broadcast(PrePrepare(state.view, empty.index, empty.digest, state.me, empty)))
    return viewchange.begin(state._replace(change_cycle=0), out)


def on_preprepare(state: ReplicaState, message: PrePrepare, out: list[Effect]) -> ReplicaState:
    """Another's proposal: refuse, keep, skip (empty), or have it verified."""
    reason = refuse(state, message)
    if reason is not None:
        out.append(Reject(message, reason))
        return state
    if message.index > state.height + 1 or message.view > state.view:
        return _keep(state, message, out)
    if leader(state) != message.sender:
        out.append(Reject(message, RejectReason.NOT_THE_LEADER))
        return state
    proposal = message.proposal
    if proposal.index != message.index or proposal.digest != message.digest or not proposal.data:
        out.append(Reject(message, RejectReason.MISMATCHED))
        return state
    if proposal.is_filler:
        return viewchange.begin(state._replace(change_cycle=0), out)
    if state.raw is not None and state.raw.view == message.view:
        out.append(Reject(message, RejectReason.EQUIVOCATION))
        return state
    state = sealing.take(state, message, out)
    lock = lock_at_next(state)
    out.append(VerifyProposal(proposal, message.sender, is_certified=lock is not None and lock.proposal.digest == message.digest))
    return state._replace(phase=Phase.CHECKING)


def refuse(state: ReplicaState, message: PrePrepare) -> RejectReason | None:
    """Checks 1 to 4 of spec 2.x 1.5."""
    raw, lock = state.raw, lock_at_next(state)
    if raw is not None and raw.digest == message.digest and raw.view >= message.view:
        return RejectReason.DUPLICATE
    if state.syncing_until > state.height + FAR_BLOCKS or message.index <= state.syncing_until:
        return RejectReason.SYNCING
    if message.index <= state.height:
        return RejectReason.STALE_INDEX
    if message.index == state.height + 1 and message.view < state.view:
        return RejectReason.STALE_VIEW
    is_against_lock = lock is not None and message.index == lock.proposal.index and message.digest != lock.proposal.digest
    return RejectReason.LOCKED if is_against_lock and not message.proposal.is_filler else None


def on_verified(state: ReplicaState, event: Verified, out: list[Effect]) -> ReplicaState:
    """The content is there and checked: execute it. An invalid block is dropped in silence; the timer ends the view."""
    raw = state.raw
    if raw is None or state.phase is not Phase.CHECKING or raw.digest != event.digest:
        return state
    if not event.is_valid:
        out.append(ReleaseTransactions(raw.proposal))
        return state._replace(phase=Phase.FAILED)
    return sealing.execute(state, out)


def on_executed(state: ReplicaState, event: Executed, out: list[Effect]) -> ReplicaState:
    """The execution is over: sign what came out, then handle what waited for the engine's lock."""
    raw = state.raw
    if raw is None or state.phase is not Phase.EXECUTING or raw.digest != event.digest:
        return state
    if event.block_hash is None:
        state = state._replace(phase=Phase.FAILED)
        return viewchange.begin(state, out) if state.is_due else state
    state = timers.restart(state._replace(phase=Phase.EXECUTED, executed_hash=event.block_hash), out)
    return signing.sign(state, event.block_hash, out)


def replay_future(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Handle the kept proposal of the next height when its view is the own one; it is forgotten whatever the outcome."""
    found = next((pre for pre in state.future if pre.index == state.height + 1), None)
    if found is None or found.view > state.view:
        return state
    state = state._replace(future=tuple(pre for pre in state.future if pre is not found))
    return on_preprepare(state, found, out) if found.view == state.view else state


def _keep(state: ReplicaState, message: PrePrepare, out: list[Effect]) -> ReplicaState:
    """Keep the first proposal of a later height or view.

    Upstream looks neither at the sender nor at the view, and never replaces it, so a liar can occupy a height
    (Quirk.FUTURE_NEVER_REPLACED). Here it comes from its leader, and one of a nearer view takes its place (E4).
    """
    quirky = state.rules.has(Quirk.FUTURE_NEVER_REPLACED)
    if not quirky and message.index == state.height + 1 and leader_at(state.height, message.view, state.rules) != message.sender:
        out.append(Reject(message, RejectReason.NOT_THE_LEADER))
        return state
    known = next((pre for pre in state.future if pre.index == message.index), None)
    is_nearer = known is not None and message.view < known.view and not quirky
    if message.index > state.height + FAR_BLOCKS or (known is None and len(state.future) >= FUTURE_MAX):
        out.append(Reject(message, RejectReason.TOO_FAR))
        return state
    if known is not None and not is_nearer:
        out.append(Reject(message, RejectReason.DUPLICATE))
        return state
    kept = (*(pre for pre in state.future if pre is not known), message)
    return state._replace(future=tuple(sorted(kept, key=lambda pre: pre.index)))
