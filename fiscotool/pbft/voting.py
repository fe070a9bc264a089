"""Accepting a proposal: the moment a replica binds itself, and every reason not to.

Rule 1. In one view a replica accepts at most one digest a height (OSDI'99 section 4.2; spec 1.17, invariant 1).
Rule 2. It never votes again in a view older than one it voted in at that height, also not after a restart.
Rule 3. Locked on a digest, it accepts another only when a NewView shows a certificate for that other of a later view than the
        lock's (the rule of section 4.4 in the form that needs no trust in who sent the NewView). Quirk.LOCK_NEVER_RELEASED: never.
Rule 4. `Persist` comes before the Prepare that depends on it.

Theory of rule 3. Let X be committed at height i in view u, so a quorum is locked on X since u or later. Suppose a certificate for
Y != X exists in a later view, and take the earliest such view w. One honest replica is in both quorums; in view w it accepted Y
against its lock, so it was shown a certificate for Y of a view between u and w. That contradicts "earliest". The argument
needs votes that survive a restart, and certificates whose signatures bind their view.

Sources: bcos-pbft `PBFTCache.cpp` `conflictWithProcessedReq`, `conflictWithPrecommitReq`; `PBFTEngine.cpp` `handlePrePrepareMsg`;
spec 3.x 1.8 (4, 6); OSDI'99 section 4.2, 4.4.
"""

from __future__ import annotations

from fiscotool.pbft import timers
from fiscotool.pbft.effects import Effect, RejectReason, ReleaseTransactions
from fiscotool.pbft.making import make_agreed_index, make_broadcast, make_persist, make_prepare, make_vote_record
from fiscotool.pbft.messages import PrePrepare
from fiscotool.pbft.rules import Quirk
from fiscotool.pbft.state import NO_VIEW, ReplicaState, Slot, put_slot, tells_sync
from fiscotool.pbft.types import View


def conflict(state: ReplicaState, slot: Slot, pre: PrePrepare, proven_view: View = NO_VIEW) -> RejectReason | None:
    """Why `pre` may not be accepted in this slot, or None.

    `proven_view` is the view of the certificate with which a NewView justifies the proposal, NO_VIEW without one.
    """
    assert pre.index == slot.height
    if slot.agreed is not None and not slot.is_pulled and slot.agreed.digest != pre.digest:
        return RejectReason.ALREADY_AGREED
    for earlier in (slot.pre, slot.checking):
        if earlier is not None and earlier.view == pre.view:
            return RejectReason.DUPLICATE if earlier.digest == pre.digest else RejectReason.EQUIVOCATION
    if slot.voted_view > pre.view or (slot.voted_view == pre.view and slot.voted_digest != pre.digest):
        return RejectReason.ALREADY_VOTED
    lock = slot.cert
    if lock is not None and lock.proposal.digest != pre.digest:
        is_released = proven_view > lock.view and not state.rules.has(Quirk.LOCK_NEVER_RELEASED)
        if not is_released:
            return RejectReason.LOCKED
    return None


def accept(state: ReplicaState, slot: Slot, pre: PrePrepare, out: list[Effect], *, is_own: bool = False) -> ReplicaState:
    """Bind this replica to `pre` (verified, complete) and send its Prepare; `is_own` sends the PrePrepare before it.

    The Prepare names the local view (spec 6.2, 2), which is the pre-prepare's unless Quirk.HIGHER_VIEW_PREPREPARE let a later
    one in.
    """
    me = state.me
    assert me is not None
    assert pre.index > state.height
    replaced = slot.pre
    if replaced is not None and replaced.digest != pre.digest:
        out.append(ReleaseTransactions(replaced.proposal))
    slot = slot._replace(pre=pre, checking=None, voted_view=max(pre.view, slot.voted_view), voted_digest=pre.digest)
    if not state.rules.has(Quirk.AMNESIA):
        out.append(make_persist(make_vote_record(pre.index, pre.view, pre.digest, slot.cert)))
    if tells_sync(state):
        out.append(make_agreed_index(pre.index))
    state = timers.restart(put_slot(state, slot), out)
    if is_own:
        out.append(make_broadcast(pre))
    out.append(make_broadcast(make_prepare(state.view, pre.index, pre.digest, me)))
    return state
