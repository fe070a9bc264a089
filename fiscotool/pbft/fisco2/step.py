"""The door of the 2.x dialect; the contract is that of `fiscotool.pbft.step`, word for word.

Rule 1. While a proposal executes, messages and timers wait (`deferred`), as upstream's engine lock makes them wait; they are handled in
        order when the execution or its height is over, then what was kept for this height and view. At most `DEFERRED_MAX` wait.
Rule 2. Only the four packets of 2.x exist here; other messages of the room's vocabulary are refused.

Sources: libconsensus/pbft `PBFTEngine.cpp` `workLoop`, `handleMsg`, `isValidReq`; spec 2.x 1.2, 1.3.
"""

from __future__ import annotations

from typing import Final, assert_never

from fiscotool.pbft.effects import Effect, Reject, RejectReason
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
from fiscotool.pbft.fisco2 import proposing, report, signing, viewchange
from fiscotool.pbft.fisco2.state import Phase, ReplicaState
from fiscotool.pbft.messages import Commit, Message, Prepare, PrePrepare, ViewChange
from fiscotool.pbft.types import NO_DIGEST

DEFERRED_MAX: Final = 512
"""Messages that may wait for an execution (E3; upstream's queue has no bound)."""


def step(state: ReplicaState, event: Event) -> tuple[ReplicaState, tuple[Effect, ...]]:
    """What the replica is after `event`, and what it wants done, in order."""
    out: list[Effect] = []
    new = _on_event(state, event, out)
    while new.phase is not Phase.EXECUTING:
        before = new
        if new.deferred:
            new = _on_message(new._replace(deferred=new.deferred[1:]), new.deferred[0], out)
        elif new.future:
            new = proposing.replay_future(new, out)
        if new is before:
            break
    assert new.height > state.height or new.view >= state.view
    assert new.height >= state.height
    return new, tuple(out)


def _on_event(state: ReplicaState, event: Event, out: list[Effect]) -> ReplicaState:
    """Dispatch; no logic here."""
    match event:
        case Received(message=message):
            return _on_message(state, message, out)
        case Proposed():
            return proposing.on_proposed(state, event, out)
        case Verified():
            return proposing.on_verified(state, event, out)
        case Executed():
            return proposing.on_executed(state, event, out)
        case LedgerAdvanced():
            return report.on_ledger_advanced(state, event, out)
        case TimerFired(name=name, epoch=epoch):
            if name is TimerName.VIEW:
                return viewchange.on_timer(state, epoch, out)
            return proposing.on_empty_time(state, epoch, out) if name is TimerName.EMPTY_BLOCK else state
        case FillersBuilt():
            return proposing.on_fillers(state, event, out)
        case SyncTarget():
            return report.on_sync_target(state, event)
        case PeersChanged():
            return report.on_peers_changed(state, event)
        case Started():
            return report.on_started(state, out)
        case PoolSize():
            return state
        case _:
            assert_never(event)


def _on_message(state: ReplicaState, message: Message, out: list[Effect]) -> ReplicaState:
    """Refuse, let wait, or dispatch by type."""
    if state.me is None or not 0 <= message.sender < state.rules.node_count:
        out.append(Reject(message, RejectReason.NOT_A_SEALER))
        return state
    if state.phase is Phase.EXECUTING:
        if len(state.deferred) >= DEFERRED_MAX:
            out.append(Reject(message, RejectReason.TOO_FAR))
            return state
        return state._replace(deferred=(*state.deferred, message))
    match message:
        case PrePrepare() | Prepare() | Commit() if message.digest == NO_DIGEST:
            out.append(Reject(message, RejectReason.NAMELESS))
            return state
        case Prepare():
            return signing.on_sign(state, message, out)
        case Commit():
            return signing.on_commit(state, message, out)
        case PrePrepare():
            return state if message.sender == state.me else proposing.on_preprepare(state, message, out)
        case ViewChange():
            return viewchange.on_view_change(state, message, out)
        case _:
            out.append(Reject(message, RejectReason.NOT_IN_DIALECT))
            return state
