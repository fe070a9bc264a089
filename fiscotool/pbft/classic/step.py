"""The door of the paper's protocol; the contract is that of `fiscotool.pbft.step`, word for word.

Sources: OSDI'99 section 4.
"""

from __future__ import annotations

from typing import assert_never

from fiscotool.pbft.classic import checkpoint, newview, normal, timers, viewchange
from fiscotool.pbft.classic.state import ReplicaState
from fiscotool.pbft.effects import Broadcast, Effect, Reject, RejectReason
from fiscotool.pbft.events import (
    Event,
    Executed,
    FillersBuilt,
    LedgerAdvanced,
    PeersChanged,
    PoolSize,
    Proposed,
    Received,
    Started,
    SyncTarget,
    TimerFired,
    TimerName,
    Verified,
)
from fiscotool.pbft.messages import (
    CheckPoint,
    Commit,
    Message,
    NewView,
    Prepare,
    PreparedProposalRequest,
    PreparedProposalResponse,
    PrePrepare,
    ViewChange,
)
from fiscotool.pbft.types import NO_DIGEST, View


def step(state: ReplicaState, event: Event) -> tuple[ReplicaState, tuple[Effect, ...]]:
    """What the replica is after `event`, and what it wants done, in order."""
    out: list[Effect] = []
    new = _on_event(state, event, out)
    assert new.view >= state.view
    assert new.height >= state.height
    return new, tuple(out)


def _on_event(state: ReplicaState, event: Event, out: list[Effect]) -> ReplicaState:
    """Dispatch; no logic here."""
    match event:
        case Received(message=message):
            return _on_message(state, message, out)
        case Proposed():
            return normal.on_proposed(state, event, out)
        case Verified():
            return normal.on_verified(state, event, out)
        case Executed():
            return normal.on_executed(state, event, out)
        case LedgerAdvanced():
            return checkpoint.on_ledger_advanced(state, event, out)
        case TimerFired(name=name, epoch=epoch):
            return _on_timer(state, name, epoch, out)
        case PoolSize():
            return timers.on_pool_size(state, event, out)
        case FillersBuilt():
            return viewchange.on_fillers(state, event, out)
        case Started():
            return _on_started(state, out)
        case SyncTarget() | PeersChanged():
            return state
        case _:
            assert_never(event)


def _on_timer(state: ReplicaState, name: TimerName, epoch: int, out: list[Effect]) -> ReplicaState:
    """Dispatch by timer."""
    if name is TimerName.VIEW:
        return viewchange.on_timer(state, epoch, out)
    if name is TimerName.EXECUTE_RETRY:
        return normal.try_execute(state, out) if epoch == state.height else state
    if name is not TimerName.CHECKPOINT_RESEND or epoch != state.resend_epoch:
        return state
    if state.in_timeout and state.me is not None:
        out.append(Broadcast(viewchange.own_view_change(state)))
    viewchange.ask(state, out)
    checkpoint.resend(state, out)
    normal.resend(state, out)
    newview.ask_again(state, out)
    return timers.arm_resend(state, out)


def _on_started(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """A replica is in the view it was in; one that was asking for a view asks again, and its question is durable already (C4)."""
    state = timers.arm_resend(state, out)
    if state.in_timeout:
        return viewchange.begin(state, View(state.to_view + 1), out)
    viewchange.ask(state, out)
    return normal.seal(state, out)


def _on_message(state: ReplicaState, message: Message, out: list[Effect]) -> ReplicaState:
    """Refuse, or dispatch by type."""
    reason = None
    if state.me is None or not 0 <= message.sender < state.rules.node_count:
        reason = RejectReason.NOT_A_SEALER
    elif isinstance(message, PrePrepare | Prepare | Commit | CheckPoint) and message.digest == NO_DIGEST:
        reason = RejectReason.NAMELESS
    if reason is not None:
        out.append(Reject(message, reason))
        return state
    match message:
        case Prepare():
            return normal.on_prepare(state, message, out)
        case Commit():
            return normal.on_commit(state, message, out)
        case PrePrepare():
            return normal.on_preprepare(state, message, out)
        case CheckPoint():
            return checkpoint.on_checkpoint(state, message, out)
        case ViewChange():
            return viewchange.on_view_change(state, message, out)
        case NewView():
            return viewchange.on_new_view(state, message, out)
        case PreparedProposalRequest():
            return newview.on_request(state, message, out)
        case PreparedProposalResponse():
            return newview.on_response(state, message, out)
        case _:
            out.append(Reject(message, RejectReason.NOT_IN_DIALECT))
            return state
