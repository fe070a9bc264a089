"""Entering a view: what a new leader must propose again, how backups check it, and what everyone forgets and keeps.

Rule 1. A NewView shows view changes of a quorum of distinct sealers, all for its view, none of a ledger shorter than the
        receiver's, and comes from the leader of (index + 1, view), where index is the sender's height.
Rule 2. From the highest committed height among them up to the highest prepared one, each height gets the prepared proposal of the
        latest view, or an empty block. Backups compute this themselves and compare. Quirk.NEW_VIEW_UNCHECKED checks neither
        sender, views nor proposals (FIB-124).
Rule 3. On entering, votes and proposals of older views go; certificates, agreed proposals and executed results stay.
Rule 4. A re-proposal is accepted only under the lock rule of `voting`.

Sources: Castro & Liskov, OSDI'99, section 4.4 (the sets V and O); bcos-pbft `PBFTCacheProcessor.cpp` `generatePrePrepareMsg`,
`checkAndTryIntoNewView`, `resetCacheAfterViewChange`, `PBFTEngine.cpp` `isValidNewViewMsg`, `reachNewView`,
`reHandlePrePrepareProposals`; spec 3.x 1.11.
"""

from __future__ import annotations

from fiscotool.pbft import checkpoint, normal, sealing, timers
from fiscotool.pbft.effects import Effect, Reject, RejectReason, ReleaseTransactions, SealRange, Send, VerifyProposal
from fiscotool.pbft.messages import (
    NewView,
    PreparedProposalRequest,
    PreparedProposalResponse,
    PrePrepare,
    Proposal,
    ViewChange,
)
from fiscotool.pbft.quorum import leader_of, weight_of, weight_with_repeats
from fiscotool.pbft.reproposal import follows, reproposals_of
from fiscotool.pbft.rules import Quirk
from fiscotool.pbft.state import NO_VIEW, ReplicaState, Slot, find_slot, is_proven, is_quorum, put_slot, slot_at, window_blocks
from fiscotool.pbft.types import Digest, Height, NodeIndex, View
from fiscotool.pbft.voting import accept, conflict


def refuse_view_change(state: ReplicaState, vc: ViewChange) -> RejectReason | None:
    """Whether a view change is valid here: ledger, and certificates (`isValidViewChangeMsg`, 1, 5 and 6)."""
    if vc.index < state.height:
        return RejectReason.BEHIND
    if vc.index == state.height and vc.digest != state.block_hash:
        return RejectReason.OTHER_LEDGER
    heights = [cert.proposal.index for cert in vc.prepared]
    if len(set(heights)) != len(heights) or any(not vc.index < h <= vc.index + window_blocks(state.rules) for h in heights):
        return RejectReason.WEAK_CERTIFICATE
    assert vc.index >= state.height
    proven = all(cert.view < vc.view and is_proven(state, cert) for cert in vc.prepared)
    return None if proven else RejectReason.WEAK_CERTIFICATE


def substantiated(state: ReplicaState, view_changes: tuple[ViewChange, ...]) -> tuple[ViewChange, ...]:
    """Those whose committed height a new leader may rely on: at most its own, or claimed by f+1 weight (D11)."""
    weights = state.rules.weights
    kept = []
    for vc in view_changes:
        backers = (other.sender for other in view_changes if other.index >= vc.index)
        if vc.index <= state.height or weight_of(backers, weights) >= state.join_weight:
            kept.append(vc)
    assert len(kept) <= len(view_changes)
    return tuple(kept)


def refuse_new_view(state: ReplicaState, message: NewView) -> RejectReason | None:
    """Whether a NewView may be entered (rules 1 and 2)."""
    is_repeated = message.view == state.view and state.rules.has(Quirk.NEW_VIEW_AGAIN)
    if message.view <= state.view and not is_repeated:
        return RejectReason.STALE_VIEW
    view_changes = message.view_changes
    senders = tuple(vc.sender for vc in view_changes)
    for vc in view_changes:
        if not 0 <= vc.sender < state.rules.node_count:
            return RejectReason.WRONG_VIEW_CHANGES
        if (reason := refuse_view_change(state, vc)) is not None:
            return reason if reason is RejectReason.BEHIND else RejectReason.WRONG_VIEW_CHANGES
    repeats = len(set(senders)) != len(senders) and not state.rules.has(Quirk.DUPLICATE_SIGNERS)
    if repeats or not is_quorum(state, senders):
        return RejectReason.NOT_ENOUGH_WEIGHT
    if state.rules.has(Quirk.NEW_VIEW_UNCHECKED):
        return None
    assert view_changes
    if any(vc.view != message.view for vc in view_changes):
        return RejectReason.WRONG_VIEW_CHANGES
    if not state.height <= message.index <= min(vc.index for vc in view_changes):
        return RejectReason.BEHIND
    if leader_of(Height(message.index + 1), message.view, state.rules) != message.sender:
        return RejectReason.NOT_THE_LEADER
    return None if follows(message) else RejectReason.WRONG_REPROPOSALS


def compose(state: ReplicaState, view_changes: tuple[ViewChange, ...], fillers: dict[Height, Proposal]) -> tuple[PrePrepare, ...]:
    """The pre-prepares of the NewView for `to_view`; `fillers` has an empty block for every gap."""
    assert state.me is not None
    entries = []
    for index, found in reproposals_of(view_changes).items():
        proposal, reporter = (fillers[index], state.me) if found is None else (found[0].proposal, found[1])
        entries.append(PrePrepare(state.to_view, index, proposal.digest, reporter, proposal))
    return tuple(entries)


def enter(state: ReplicaState, view: View, out: list[Effect], new_view: NewView | None = None) -> ReplicaState:
    """Be in `view` (`reachNewView`): by a NewView, or by recover responses when `new_view` is None."""
    assert view >= state.view
    entries = () if new_view is None else new_view.preprepares
    is_later = view > state.view
    had_range = is_later and state.seal_last > state.height
    old_slots = state.slots
    digests = {entry.digest for entry in entries}
    keeps_invalid = state.rules.has(Quirk.INVALID_KEPT)
    state = state._replace(
        view=view,
        to_view=view,
        in_timeout=False,
        recovered=True,
        change_cycle=0,
        issued_view=NO_VIEW,
        seal_last=state.height if is_later else state.seal_last,
        wait_reseal_until=state.height if is_later else state.wait_reseal_until,
        slots=tuple(_forget(slot, view, digests, out, keeps_invalid=keeps_invalid) for slot in old_slots),
        view_changes=tuple(vc for vc in state.view_changes if vc.view > view),
        recoveries=tuple(entry for entry in state.recoveries if entry[1] > view),
    )
    state = timers.refresh(state, out)
    if had_range:
        out.append(SealRange(Height(state.height + 1), state.height, view))
    if new_view is not None:
        state = _repropose(state, new_view, {slot.height: slot for slot in old_slots}, out)
    for slot in state.slots:
        advanced = normal.try_precommit(state, slot, out)
        state = state if advanced is None else advanced
        advanced = normal.try_commit(state, slot_at(state, slot.height), out)
        state = state if advanced is None else advanced
    state = normal.replay_kept(state, out)
    state = checkpoint.try_execute(state, out)
    state = checkpoint.try_stable(state, out)
    return state if new_view is None or state.rules.has(Quirk.LEADER_SILENT) else sealing.notify(state, out)


def on_prepared_request(state: ReplicaState, message: PreparedProposalRequest, out: list[Effect]) -> ReplicaState:
    """Answer with the certificate of that proposal, content included, or with nothing (0x7)."""
    assert state.me is not None
    slot = find_slot(state, message.index)
    cert = slot.cert if slot is not None and slot.cert is not None and slot.cert.proposal.digest == message.digest else None
    out.append(Send(message.sender, PreparedProposalResponse(message.index, state.me, cert)))
    return state


def on_prepared_response(state: ReplicaState, message: PreparedProposalResponse, out: list[Effect]) -> ReplicaState:
    """Complete a re-proposal with the content that was asked for, and have it verified (0x8)."""
    slot = find_slot(state, message.index)
    cert = message.certificate
    waiting = None if slot is None else slot.checking
    if slot is None or waiting is None or waiting.proposal.data or cert is None or not cert.proposal.data:
        out.append(Reject(message, RejectReason.NOT_ASKED))
        return state
    if cert.proposal.digest != waiting.digest or cert.proposal.index != waiting.index or not is_proven(state, cert):
        out.append(Reject(message, RejectReason.WEAK_CERTIFICATE))
        return state
    assert waiting.view == state.view
    complete = PrePrepare(waiting.view, waiting.index, waiting.digest, waiting.sender, cert.proposal)
    out.append(VerifyProposal(cert.proposal, message.sender, is_certified=True))
    return put_slot(state, slot._replace(checking=complete))


def _forget(slot: Slot, view: View, kept_digests: set[Digest], out: list[Effect], *, keeps_invalid: bool = False) -> Slot:
    """The slot as it enters `view` (rule 3). A dropped proposal's transactions may be sealed again unless it is re-proposed."""
    pre = slot.pre
    if pre is not None and pre.view < view:
        is_kept = slot.agreed is not None or pre.digest in kept_digests
        is_kept = is_kept or (slot.cert is not None and slot.cert.proposal.digest == pre.digest)
        if not is_kept:
            out.append(ReleaseTransactions(pre.proposal))
        pre = None
    checking = slot.checking if slot.checking is not None and (slot.checking.view >= view or keeps_invalid) else None
    assert pre is None or pre.view >= view
    return slot._replace(
        pre=pre,
        checking=checking,
        prepares=tuple(vote for vote in slot.prepares if vote.view >= view),
        commits=tuple(vote for vote in slot.commits if vote.view >= view),
    )


def _known_content(slot: Slot | None, digest: bytes) -> Proposal | None:
    """The proposal with its content, when this replica verified or executed it before."""
    if slot is None:
        return None
    known = (
        slot.agreed if not slot.is_pulled else None,
        slot.cert.proposal if slot.cert else None,
        slot.pre.proposal if slot.pre else None,
    )
    return next((proposal for proposal in known if proposal is not None and proposal.digest == digest), None)


def _repropose(state: ReplicaState, new_view: NewView, old_slots: dict[Height, Slot], out: list[Effect]) -> ReplicaState:
    """Handle what the NewView proposes again (`reHandlePrePrepareProposals`)."""
    wanted = reproposals_of(new_view.view_changes)
    reseal_until = state.height
    for entry in new_view.preprepares:
        found = wanted.get(entry.index)
        if not entry.proposal.data:
            reseal_until = max(reseal_until, entry.index)
        if not state.height < entry.index <= state.height + window_blocks(state.rules):
            continue
        slot = slot_at(state, entry.index)
        reason = conflict(state, slot, entry, NO_VIEW if found is None else found[0].view)
        if reason is not None:
            out.append(Reject(entry, reason))
            continue
        state = _handle_entry(state, slot, entry, _known_content(old_slots.get(entry.index), entry.digest), new_view.sender, out)
    assert reseal_until >= state.height
    return state._replace(wait_reseal_until=reseal_until)


def _handle_entry(
    state: ReplicaState, slot: Slot, entry: PrePrepare, known: Proposal | None, leader: NodeIndex, out: list[Effect]
) -> ReplicaState:
    """Accept a re-proposal whose content is known, verify one that carries it, ask its reporter for the rest."""
    assert state.me is not None
    if known is not None:
        return accept(state, slot, PrePrepare(entry.view, entry.index, entry.digest, entry.sender, known), out)
    if entry.proposal.data and leader == state.me:
        return accept(state, slot, entry, out)
    if entry.proposal.data:
        out.append(VerifyProposal(entry.proposal, leader))
    elif entry.sender != state.me:
        out.append(Send(entry.sender, PreparedProposalRequest(entry.index, entry.digest, state.me)))
    return put_slot(state, slot._replace(checking=entry))


def leads_new_view(state: ReplicaState, view: View, sender: NodeIndex | None) -> bool:
    """Whether `sender` must issue the NewView for `view`, by this replica's height (`leaderIndexInNewViewPeriod`)."""
    assert view >= 0
    return leader_of(Height(state.height + 1), view, state.rules) == sender


def weight_for(state: ReplicaState, view_changes: tuple[ViewChange, ...]) -> int:
    """Weight of the senders of these view changes."""
    senders = tuple(vc.sender for vc in view_changes)
    assert len(senders) <= state.rules.node_count * (len(senders) + 1)
    if state.rules.has(Quirk.DUPLICATE_SIGNERS):
        return weight_with_repeats(senders, state.rules.weights)
    return weight_of(senders, state.rules.weights)
