"""Views: how 2.x leaves a leader, without certificates and without a NewView.

Rule 1. On a timeout, and at once after an empty block or on the word of f+1, a replica asks for `to_view` + 1, counts it in
        `change_cycle`, and knows no leader until it reaches a view.
Rule 2. ViewChanges of a quorum for one view: enter it. The view may be lower than the one asked for. `change_cycle` stays.
Rule 3. f+1 weight asking for views above the own `to_view`: ask for the lowest of them at once (here different views count).
Rule 4. Catching up: who asks for a view more than one below the own target is sent the own ViewChange.
Rule 5. A ViewChange of a shorter ledger is refused, one of a longer ledger is dropped until the block has come.
Rule 6. On entering, proposal and result are forgotten, votes of earlier views too. Quirk.EARLY_SIGNS_LOST: upstream also drops Signs of
        this and later views when no Commit for their hash is held.

Sources: libconsensus/pbft `PBFTEngine.cpp` `checkTimeout`, `isValidViewChangeReq`, `handleViewChangeMsg`, `checkAndChangeView`,
`catchupView`, `PBFTReqCache.cpp` `triggerViewChange`, `canTriggerViewChange`; spec 2.x 1.8, 1.9.
"""

from __future__ import annotations

from typing import Final

from fiscotool.pbft.effects import Broadcast, Effect, Reject, RejectReason, Send
from fiscotool.pbft.fisco2 import sealing, timers
from fiscotool.pbft.fisco2.state import Phase, ReplicaState, is_quorum
from fiscotool.pbft.messages import ViewChange
from fiscotool.pbft.quorum import weight_of
from fiscotool.pbft.rules import Quirk
from fiscotool.pbft.types import View

VIEW_CHANGES_KEPT: Final = 8
"""View changes of one sender that are kept, latest views first (E3; upstream keeps any number)."""


def on_timer(state: ReplicaState, epoch: int, out: list[Effect]) -> ReplicaState:
    """The view timer ran out (`checkTimeout`); during an execution nobody looks."""
    if epoch != state.timer_epoch:
        return state
    if state.phase is Phase.EXECUTING:
        return state if state.is_due else state._replace(is_due=True)
    return begin(state, out)


def begin(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Ask for the next view (rule 1)."""
    if state.me is None:
        return timers.restart(state, out)
    cycle = min(state.change_cycle + 1, timers.CHANGE_CYCLE_MAX)
    state = state._replace(to_view=View(state.to_view + 1), leader_failed=True, change_cycle=cycle)
    state = sealing.lead(timers.restart(state, out), out)
    out.append(Broadcast(own_view_change(state)))
    return state


def own_view_change(state: ReplicaState) -> ViewChange:
    """What this replica says when it asks for `to_view`."""
    assert state.me is not None
    return ViewChange(state.to_view, state.height, state.block_hash, state.me)


def on_view_change(state: ReplicaState, message: ViewChange, out: list[Effect]) -> ReplicaState:
    """Someone, or this replica itself, asks for a view."""
    if message.sender == state.me:
        stale = message.view <= state.view or message.index < state.height
        return state if stale else check_and_change(_store(state, message), message.view, out)
    reason = _refuse(state, message)
    before = state
    if message.view + 1 < state.to_view and reason is not RejectReason.DUPLICATE and reason is not RejectReason.BEHIND:
        state = _catch_up(state, message, out)
    stored = state if reason is not None else _store(state, message)
    if stored is state:
        if state is before:
            out.append(Reject(message, reason or RejectReason.STALE_VIEW))
        return state
    changed = check_and_change(stored, message.view, out)
    return changed if changed is not stored or message.view <= state.to_view else join(changed, out)


def check_and_change(state: ReplicaState, view: View, out: list[Effect]) -> ReplicaState:
    """Enter `view` when a quorum asks for it (rule 2, `checkAndChangeView`)."""
    asking = tuple(vc.sender for vc in state.view_changes if vc.view == view)
    if view <= state.view or not is_quorum(state, asking):
        return state
    state = sealing.drop(state, out)
    state = state._replace(
        view=view,
        to_view=view,
        leader_failed=False,
        signs=tuple(vote for vote in state.signs if vote.view >= view or vote.index > state.height + 1),
        commits=tuple(vote for vote in state.commits if vote.view >= view or vote.index > state.height + 1),
        future=tuple(pre for pre in state.future if pre.view >= view or pre.index > state.height + 1),
        view_changes=tuple(vc for vc in state.view_changes if vc.view > view),
    )
    if state.rules.has(Quirk.EARLY_SIGNS_LOST):
        committed = {vote.digest for vote in state.commits}
        state = state._replace(signs=tuple(vote for vote in state.signs if vote.digest in committed))
    state = timers.restart(state, out)
    return sealing.lead(state, out)


def join(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Rule 3: a correct replica is among f+1 that ask for more than this one."""
    above = [vc for vc in state.latest if vc.view > state.to_view and vc.index >= state.height]
    if weight_of((vc.sender for vc in above), state.rules.weights) < state.join_weight:
        return state
    lowest = min(vc.view for vc in above)
    return begin(state._replace(to_view=View(lowest - 1)), out)


def _refuse(state: ReplicaState, message: ViewChange) -> RejectReason | None:
    """Validity of another's ViewChange (`isValidViewChangeReq`)."""
    if any(vc.view == message.view and vc.sender == message.sender for vc in state.view_changes):
        return RejectReason.DUPLICATE
    if message.index < state.height:
        return RejectReason.BEHIND
    if message.view <= state.view:
        return RejectReason.STALE_VIEW
    if message.index == state.height and message.digest != state.block_hash:
        return RejectReason.OTHER_LEDGER
    return RejectReason.AHEAD if message.index > state.height else None


def _catch_up(state: ReplicaState, message: ViewChange, out: list[Effect]) -> ReplicaState:
    """Rule 4: tell a late one where this replica is, and forget what it last asked for."""
    out.append(Send(message.sender, own_view_change(state)))
    kept = tuple(vc for vc in state.latest if vc.sender != message.sender)
    return state if kept == state.latest else state._replace(latest=kept)


def _store(state: ReplicaState, message: ViewChange) -> ReplicaState:
    """`addViewChangeReq`: not when a newer one of the sender is known. Its earlier ones stay for the views they ask for."""
    newer = any(vc.sender == message.sender and (vc.index > message.index or vc.view > message.view) for vc in state.latest)
    if newer and message.sender != state.me:
        return state
    latest = (*(vc for vc in state.latest if vc.sender != message.sender), message)
    kept = tuple(vc for vc in state.view_changes if (vc.view, vc.sender) != (message.view, message.sender))
    own = [vc for vc in kept if vc.sender == message.sender]
    if len(own) >= VIEW_CHANGES_KEPT:
        kept = tuple(vc for vc in kept if vc is not own[0])
    return state._replace(
        latest=tuple(sorted(latest, key=lambda vc: vc.sender)),
        view_changes=tuple(sorted((*kept, message), key=lambda vc: (vc.view, vc.sender))),
    )
