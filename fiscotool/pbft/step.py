"""The door of the core: one event in, a new state and what is to be done out.

    step(state, event) -> (state, effects)        effects: tuple[Effect, ...], ordered

1. Total. Never raises for a well-typed event. Unwelcome input yields `Reject(message, reason)` and the same state object. Raising
   means a bug in this room.
2. Deterministic. Equal arguments, equal results, in every process: no clock, randomness, environment, logging, global, and no
   iteration over a set whose order reaches an effect.
3. No-op is identity. If nothing changes, the argument itself comes back: `new is old and not effects`.
4. Ticks, not seconds. `SetTimer(name, epoch, after_ticks)`; whoever drives decides how long a tick is.
5. Order is meaning. Everything after a `Persist` may happen only once it is durable.
6. Choice comes in, never out. Anything a node picks freely (which block to propose) arrives as an event.
7. Values. State, events and effects are hashable, frozen, compared by value; collections are sorted tuples or frozensets.
8. Doors. Only `step`, `state` and the words are used from outside; the handlers are private to the room.

Sources: docs/pbft.md lists the rules, each with its section of OSDI'99, its place in bcos-pbft, and its test.
"""

from __future__ import annotations

from typing import assert_never

from fiscotool.pbft import admission, checkpoint, newview, normal, recovery, sealing, timers, viewchange
from fiscotool.pbft.effects import Effect, Reject
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
    CommittedProposalRequest,
    CommittedProposalResponse,
    Message,
    NewView,
    Prepare,
    PreparedProposalRequest,
    PreparedProposalResponse,
    PrePrepare,
    RecoverResponse,
    ViewChange,
)
from fiscotool.pbft.shortcut import count_vote
from fiscotool.pbft.state import ReplicaState


def step(state: ReplicaState, event: Event) -> tuple[ReplicaState, tuple[Effect, ...]]:
    """What the replica is after `event`, and what it wants done, in order."""
    if type(event) is Received and (counted := count_vote(state, event.message)) is not None:
        return counted, ()
    return by_handlers(state, event)


def by_handlers(state: ReplicaState, event: Event) -> tuple[ReplicaState, tuple[Effect, ...]]:
    """`step` without its shortcut for votes that are only counted: the same, slower."""
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
            return sealing.on_proposed(state, event, out)
        case Verified():
            return normal.on_verified(state, event, out)
        case Executed():
            return checkpoint.on_executed(state, event, out)
        case LedgerAdvanced():
            return recovery.on_ledger_advanced(state, event, out)
        case TimerFired(name=name, epoch=epoch):
            return _on_timer(state, name, epoch, out)
        case PoolSize():
            return timers.on_pool_size(state, event, out)
        case FillersBuilt():
            return viewchange.on_fillers(state, event, out)
        case SyncTarget():
            return recovery.on_sync_target(state, event)
        case PeersChanged():
            return recovery.on_peers_changed(state, event)
        case Started():
            return recovery.on_started(state, out)
        case _:
            assert_never(event)


def _on_timer(state: ReplicaState, name: TimerName, epoch: int, out: list[Effect]) -> ReplicaState:
    """Dispatch by timer; no logic here."""
    match name:
        case TimerName.VIEW:
            return viewchange.on_timer(state, epoch, out)
        case TimerName.CHECKPOINT_RESEND:
            return checkpoint.on_resend(state, epoch, out)
        case TimerName.EXECUTE_RETRY:
            return checkpoint.on_execute_retry(state, epoch, out)
        case TimerName.EMPTY_BLOCK:
            return state
        case _:
            assert_never(name)


def _on_message(state: ReplicaState, message: Message, out: list[Effect]) -> ReplicaState:
    """Refuse, or dispatch by type; no logic here."""
    reason = admission.refuse(state, message)
    if reason is not None:
        if message.sender != state.me:
            out.append(Reject(message, reason))
        return state
    match message:
        case Prepare():
            new = normal.on_prepare(state, message, out)
            return state if new is state else viewchange.settle(new, out)
        case Commit():
            new = normal.on_commit(state, message, out)
            return state if new is state else viewchange.settle(new, out)
        case CheckPoint():
            return checkpoint.on_checkpoint(state, message, out)
        case PrePrepare():
            return normal.on_preprepare(state, message, out)
        case ViewChange():
            return viewchange.on_view_change(state, message, out)
        case NewView():
            return viewchange.on_new_view(state, message, out)
        case RecoverResponse():
            return recovery.on_recover_response(state, message, out)
        case CommittedProposalRequest():
            return checkpoint.on_request(state, message, out)
        case CommittedProposalResponse():
            return checkpoint.on_response(state, message, out)
        case PreparedProposalRequest():
            return newview.on_prepared_request(state, message, out)
        case PreparedProposalResponse():
            return newview.on_prepared_response(state, message, out)
        case _:
            assert_never(message)
