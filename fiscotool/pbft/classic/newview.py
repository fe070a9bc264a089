"""What a NewView must be, and entering the view it starts.

Rule 1. V: view changes of a quorum of distinct replicas, all for this view, each with a proven stable checkpoint n and certificates above
        it, of earlier views, within the log.
Rule 2. O: from min-s, the latest stable checkpoint in V, to max-s, the highest prepared number, the request prepared in the latest
        view, or a null request (an empty block). Backups compute it themselves.
Rule 3. On entering, everything of earlier views is forgotten but the certificates and what was executed; each message of O is accepted and
        a Prepare sent for it, but nothing is executed twice.
Rule 4. A replica that asked for a later view does not enter an earlier one: its view change did not show what it would prepare there.

Sources: OSDI'99 section 4.4.
"""

from __future__ import annotations

from fiscotool.pbft.classic import checkpoint, normal, timers
from fiscotool.pbft.classic.state import LOG_BLOCKS, ReplicaState, Slot, find_slot, is_quorum, primary_of, put_slot, slot_at
from fiscotool.pbft.effects import Effect, Reject, RejectReason, ReleaseTransactions, Remember, SealRange, Send, StandRecord, VerifyProposal
from fiscotool.pbft.messages import NewView, PreparedProposalRequest, PreparedProposalResponse, PrePrepare, Proposal, ViewChange
from fiscotool.pbft.reproposal import follows, reproposals_of
from fiscotool.pbft.rules import Quirk
from fiscotool.pbft.types import Digest, Height, NodeIndex


def refuse_view_change(state: ReplicaState, vc: ViewChange) -> RejectReason | None:
    """Rule 1 for one of them."""
    if not checkpoint.is_proof(state, vc.index, vc.digest, vc.stable):
        return RejectReason.WEAK_CERTIFICATE
    heights = [cert.proposal.index for cert in vc.prepared]
    if len(set(heights)) != len(heights) or any(not vc.index < height <= vc.index + LOG_BLOCKS for height in heights):
        return RejectReason.WEAK_CERTIFICATE
    for cert in vc.prepared:
        signers = tuple(signer for signer, _ in cert.signatures)
        if not cert.view < vc.view or _repeats(state, signers) or not is_quorum(state, signers):
            return RejectReason.WEAK_CERTIFICATE
    return None


def refuse(state: ReplicaState, message: NewView) -> RejectReason | None:
    """Rules 1, 2 and 4: why this replica does not enter the view."""
    if message.view <= state.view or message.view < state.to_view:
        return RejectReason.STALE_VIEW
    return judge(state, message)


def judge(state: ReplicaState, message: NewView) -> RejectReason | None:
    """Rules 1 and 2: whether it starts its view, whatever view this replica is in."""
    if primary_of(message.view, state.rules) != message.sender:
        return RejectReason.NOT_THE_LEADER
    if state.rules.has(Quirk.NEW_VIEW_UNCHECKED):
        return None
    senders = tuple(vc.sender for vc in message.view_changes)
    if _repeats(state, senders) or not is_quorum(state, senders):
        return RejectReason.NOT_ENOUGH_WEIGHT
    if any(vc.view != message.view or refuse_view_change(state, vc) is not None for vc in message.view_changes):
        return RejectReason.WRONG_VIEW_CHANGES
    if any(entry.sender != message.sender for entry in message.preprepares) or not follows(message):
        return RejectReason.WRONG_REPROPOSALS
    return None


def enter(state: ReplicaState, message: NewView, out: list[Effect]) -> ReplicaState:
    """Be in the view (rule 3)."""
    state = _learn(state, message, out)
    kept = {entry.digest for entry in message.preprepares}
    old = state.slots
    had_range = state.seal_last > state.height
    state = state._replace(
        view=message.view,
        to_view=message.view,
        in_timeout=False,
        slots=tuple(_forget(slot, state.height, kept, out) for slot in old),
        view_changes=tuple(vc for vc in state.view_changes if vc.view > message.view),
        seal_last=state.height,
        fillers_asked=(message.view, ()),
    )
    if not state.rules.has(Quirk.AMNESIA):
        out.append(Remember(StandRecord(state.view, is_changing=False, stable=state.stable)))
    if had_range:
        out.append(SealRange(Height(state.height + 1), state.height, state.view))
    return _begin(timers.refresh(state, out), message, old, out)


def resume(state: ReplicaState, message: NewView, out: list[Effect]) -> ReplicaState:
    """Be shown again, after a restart, what the present view began with: bound by O where there is no vote in this view yet (rule 3)."""
    state = _learn(state, message, out)
    return _begin(state, message, state.slots, out)


def _repeats(state: ReplicaState, voters: tuple[NodeIndex, ...]) -> bool:
    """Whether somebody is named twice who may not be."""
    return len(set(voters)) != len(voters) and not state.rules.has(Quirk.DUPLICATE_SIGNERS)


def _learn(state: ReplicaState, message: NewView, out: list[Effect]) -> ReplicaState:
    """The stable checkpoint that the NewView proves."""
    floor = max((vc.index for vc in message.view_changes), default=state.low)
    proof = next((vc.stable for vc in message.view_changes if vc.index == floor), ())
    return checkpoint.learn(state, proof, out)


def _begin(state: ReplicaState, message: NewView, old: tuple[Slot, ...], out: list[Effect]) -> ReplicaState:
    """Accept the messages of O; what comes after them may be assigned anew. `old`: slots with the contents known before."""
    floor = max((vc.index for vc in message.view_changes), default=state.low)
    top = max([floor, *(entry.index for entry in message.preprepares)])
    state = state._replace(new_view=message, floor=floor, next_seal=Height(max(top, state.height) + 1))
    contents = {slot.height: slot for slot in old}
    for entry in message.preprepares:
        state = _redo(state, entry, contents.get(entry.index), message, out)
    return normal.seal(state, out)


def on_request(state: ReplicaState, message: PreparedProposalRequest, out: list[Effect]) -> ReplicaState:
    """Answer with the certificate of that block, content included, or with nothing."""
    assert state.me is not None
    slot = find_slot(state, message.index)
    cert = slot.cert if slot is not None and slot.cert is not None and slot.cert.proposal.digest == message.digest else None
    out.append(Send(message.sender, PreparedProposalResponse(message.index, state.me, cert)))
    return state


def on_response(state: ReplicaState, message: PreparedProposalResponse, out: list[Effect]) -> ReplicaState:
    """The content of a message of O; its digest is what counts, and verifying checks it."""
    slot = find_slot(state, message.index)
    waiting = None if slot is None else slot.checking
    proposal = None if message.certificate is None else message.certificate.proposal
    if slot is None or waiting is None or waiting.proposal.data or proposal is None or not proposal.data:
        out.append(Reject(message, RejectReason.NOT_ASKED))
        return state
    if (proposal.digest, proposal.index) != (waiting.digest, waiting.index):
        out.append(Reject(message, RejectReason.WEAK_CERTIFICATE))
        return state
    complete = PrePrepare(waiting.view, waiting.index, waiting.digest, waiting.sender, proposal, waiting.signature)
    out.append(VerifyProposal(proposal, message.sender, is_certified=True))
    return put_slot(state, slot._replace(checking=complete))


def ask_again(state: ReplicaState, out: list[Effect]) -> None:
    """Ask everyone who prepared it for the content that is still missing: the first answer may have been lost, or never given."""
    if state.new_view is None or state.me is None or state.in_timeout:
        return
    for slot in state.slots:
        if slot.checking is not None and not slot.checking.proposal.data:
            for vc in state.new_view.view_changes:
                has_it = any(cert.proposal.digest == slot.checking.digest for cert in vc.prepared)
                if has_it and vc.sender != state.me:
                    out.append(Send(vc.sender, PreparedProposalRequest(slot.height, slot.checking.digest, state.me)))


def _forget(slot: Slot, height: Height, kept: set[Digest], out: list[Effect]) -> Slot:
    """The slot as it enters a view. A dropped proposal's transactions may be sealed again."""
    pre = slot.pre
    if pre is not None and slot.height > height and slot.committed is None and pre.digest not in kept:
        out.append(ReleaseTransactions(pre.proposal))
    return slot._replace(pre=None, checking=None, prepares=(), commits=slot.commits if slot.committed is not None else ())


def _redo(state: ReplicaState, entry: PrePrepare, old: Slot | None, message: NewView, out: list[Effect]) -> ReplicaState:
    """Accept a message of O: its content is known, in it (a null request), or asked of who reported it."""
    me = state.me
    if not state.low < entry.index <= state.low + LOG_BLOCKS or me is None:
        return state
    slot = slot_at(state, entry.index)
    if slot.voted_view > entry.view or (slot.voted_view == entry.view and slot.voted_digest != entry.digest):
        out.append(Reject(entry, RejectReason.ALREADY_VOTED))
        return state
    known = _content(old, entry.digest)
    is_own = entry.sender == me
    if known is not None or (entry.proposal.data and is_own):
        pre = PrePrepare(entry.view, entry.index, entry.digest, entry.sender, known or entry.proposal, entry.signature)
        state = normal.bind(state, slot, entry.view, entry.digest, out) if is_own else state
        return normal.accept(state, slot_at(state, entry.index), pre, out)
    if is_own:
        state = normal.bind(state, slot, entry.view, entry.digest, out)
        slot = slot_at(state, entry.index)
    if entry.proposal.data:
        out.append(VerifyProposal(entry.proposal, entry.sender))
        return put_slot(state, slot._replace(checking=entry))
    found = reproposals_of(message.view_changes).get(entry.index)
    if found is not None and found[1] != me:
        out.append(Send(found[1], PreparedProposalRequest(entry.index, entry.digest, me)))
    return put_slot(state, slot._replace(checking=entry))


def _content(slot: Slot | None, digest: Digest) -> Proposal | None:
    """The block with its content, when this replica accepted or committed it before."""
    if slot is None:
        return None
    found = (slot.committed, slot.cert.proposal if slot.cert else None, slot.pre.proposal if slot.pre else None)
    return next((proposal for proposal in found if proposal is not None and proposal.digest == digest and proposal.data), None)
