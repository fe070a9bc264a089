"""View changes: leaving a primary that lets requests wait.

Rule 1. When the timer expires a replica asks for the next view, with its last stable checkpoint, its proof, and a certificate for every
        number above that it prepared. From then on it takes no part in the phases.
Rule 2. The primary of that view issues the NewView with view changes of a quorum, its own among them.
Rule 3. f+1 weight that asks for views above the own target: join the lowest of them, also without a timeout (section 4.5.2).
Rule 4. Who asks for a view that is past is sent the NewView of the present one (retransmission).
Rule 5. What a replica asked for is durable before the question leaves.

Sources: OSDI'99 sections 4.4, 4.5.2; Castro, PhD thesis, section 5.2.
"""

from __future__ import annotations

from fiscotool.pbft.classic import newview, timers
from fiscotool.pbft.classic.state import ReplicaState, is_quorum, knows_view, primary_of
from fiscotool.pbft.effects import Broadcast, BuildFillers, Effect, Reject, RejectReason, Remember, SealRange, Send, StandRecord
from fiscotool.pbft.events import FillersBuilt
from fiscotool.pbft.messages import NewView, PreparedCertificate, PrePrepare, Proposal, ViewChange
from fiscotool.pbft.quorum import weight_of
from fiscotool.pbft.reproposal import reproposals_of
from fiscotool.pbft.rules import Quirk
from fiscotool.pbft.types import NO_DIGEST, Height, View


def on_timer(state: ReplicaState, epoch: int, out: list[Effect]) -> ReplicaState:
    """The wait is over."""
    if epoch != state.timer_epoch or not state.timer_on:
        return state
    return begin(state._replace(timer_on=False), View(state.to_view + 1), out)


def begin(state: ReplicaState, view: View, out: list[Effect]) -> ReplicaState:
    """Ask for `view` (rule 1). The wait for its NewView starts when a quorum asks for it."""
    if state.me is None:
        return state
    if state.seal_last > state.height:
        out.append(SealRange(Height(state.height + 1), state.height, state.view))
    cycle = min(state.change_cycle + 1, timers.CHANGE_CYCLE_MAX)
    state = timers.stop(state._replace(to_view=view, in_timeout=True, change_cycle=cycle, seal_last=state.height), out)
    if not state.rules.has(Quirk.AMNESIA):
        out.append(Remember(StandRecord(view, is_changing=True, stable=state.stable)))
    out.append(Broadcast(own_view_change(state)))
    return state


def own_view_change(state: ReplicaState) -> ViewChange:
    """The sets C and P, without block content."""
    assert state.me is not None
    prepared = tuple(
        PreparedCertificate(slot.cert.view, _bare(slot.cert.proposal), slot.cert.signatures)
        for slot in state.slots
        if slot.cert is not None and slot.cert.view < state.to_view
    )
    digest = state.stable[0].digest if state.stable else NO_DIGEST
    return ViewChange(state.to_view, state.low, digest, state.me, prepared, stable=state.stable)


def ask(state: ReplicaState, out: list[Effect]) -> None:
    """Have the others show the NewView of their view (rule 4): f+1 vote in a later one, or a restart has forgotten that of this one."""
    if state.me is None or state.in_timeout:
        return
    later = {vote.sender for slot in state.slots for vote in slot.prepares if vote.view > state.view}
    later |= {vote.sender for slot in state.slots for vote in slot.commits if vote.view > state.view}
    if not knows_view(state) or weight_of(later, state.rules.weights) >= state.join_weight:
        out.append(Broadcast(own_view_change(state)))


def on_view_change(state: ReplicaState, message: ViewChange, out: list[Effect]) -> ReplicaState:
    """Someone, or this replica itself, asks for a view."""
    is_own = message.sender == state.me
    if message.view <= state.view:
        if not is_own and state.new_view is not None and not state.in_timeout:
            out.append(Send(message.sender, state.new_view))
        if not is_own:
            out.append(Reject(message, RejectReason.STALE_VIEW))
        return state
    known = next((vc for vc in state.view_changes if vc.sender == message.sender), None)
    if known is not None and known.view >= message.view:
        return state if is_own else _reject(state, message, RejectReason.DUPLICATE, out)
    if not is_own and (reason := newview.refuse_view_change(state, message)) is not None:
        return _reject(state, message, reason, out)
    kept = (*(vc for vc in state.view_changes if vc.sender != message.sender), message)
    state = state._replace(view_changes=tuple(sorted(kept, key=lambda vc: vc.sender)))
    return await_new_view(join(state, out), out)


def join(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Rule 3."""
    above = [vc for vc in state.view_changes if vc.view > state.to_view]
    if weight_of((vc.sender for vc in above), state.rules.weights) < state.join_weight:
        return state
    return begin(state, min(vc.view for vc in above), out)


def await_new_view(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """A quorum asks for this view or later ones: start waiting, and as its primary issue the NewView."""
    if not state.in_timeout:
        return state
    if not state.timer_on and is_quorum(state, tuple(vc.sender for vc in state.view_changes if vc.view >= state.to_view)):
        state = timers.restart(state, out)
    return try_new_view(state, out)


def try_new_view(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Rule 2; empty blocks for null requests are asked for first."""
    found = _usable(state)
    if not found:
        return state
    gaps = tuple(index for index, cert in reproposals_of(found).items() if cert is None)
    if not gaps:
        return _issue(state, found, {}, out)
    if state.fillers_asked == (state.to_view, gaps):
        return state
    out.append(BuildFillers(state.to_view, gaps))
    return state._replace(fillers_asked=(state.to_view, gaps))


def on_fillers(state: ReplicaState, event: FillersBuilt, out: list[Effect]) -> ReplicaState:
    """The null requests are there."""
    fillers = {proposal.index: proposal for proposal in event.proposals if proposal.is_filler and proposal.data}
    found = _usable(state) if event.view == state.to_view else ()
    gaps = [index for index, cert in reproposals_of(found).items() if cert is None] if found else []
    if not found or any(index not in fillers for index in gaps):
        return state
    return _issue(state, found, fillers, out)


def on_new_view(state: ReplicaState, message: NewView, out: list[Effect]) -> ReplicaState:
    """A primary shows why the view begins. The own one comes back signed."""
    if message.view == state.view and not state.in_timeout and not knows_view(state) and newview.judge(state, message) is None:
        return newview.resume(state, message, out)
    if message.sender == state.me and message.view != state.issued_view:
        return state
    if (reason := newview.refuse(state, message)) is not None:
        return state if message.sender == state.me else _reject(state, message, reason, out)
    return join(newview.enter(state, message, out), out)


def _usable(state: ReplicaState) -> tuple[ViewChange, ...]:
    """The view changes with which this replica may issue the NewView for its target now; empty when it may not."""
    if state.me is None or not state.in_timeout or primary_of(state.to_view, state.rules) != state.me or state.issued_view == state.to_view:
        return ()
    found = tuple(vc for vc in state.view_changes if vc.view == state.to_view)
    senders = tuple(vc.sender for vc in found)
    return found if state.me in senders and is_quorum(state, senders) else ()


def _issue(state: ReplicaState, view_changes: tuple[ViewChange, ...], fillers: dict[Height, Proposal], out: list[Effect]) -> ReplicaState:
    """Multicast the NewView; the view is entered when its signed copy comes back."""
    me = state.me
    assert me is not None
    entries = []
    for index, found in reproposals_of(view_changes).items():
        proposal = fillers[index] if found is None else found[0].proposal
        entries.append(PrePrepare(state.to_view, index, proposal.digest, me, proposal))
    out.append(Broadcast(NewView(state.to_view, state.low, me, view_changes, tuple(entries))))
    return state._replace(issued_view=state.to_view)


def _reject(state: ReplicaState, message: ViewChange | NewView, reason: RejectReason, out: list[Effect]) -> ReplicaState:
    out.append(Reject(message, reason))
    return state


def _bare(proposal: Proposal) -> Proposal:
    """The proof-only copy that travels in view changes."""
    return Proposal(proposal.index, proposal.digest, b"", proposal.is_system, proposal.sealer, proposal.is_filler)
