"""The door of HotStuff: one event in, a new state and what is to be done out. The contract is that of `pbft.step`.

Whenever a step changes what a replica must not forget, its record is the first effect: everything it says comes after that.

Sources: Yin et al., PODC 2019, algorithms 3-5.
"""

from __future__ import annotations

from dataclasses import replace

from fiscotool.pbft.effects import Effect, RejectReason
from fiscotool.pbft.events import Event, Executed, LedgerAdvanced, PoolSize, Proposed, Received, Started, TimerFired, TimerName, Verified
from fiscotool.protocols.hotstuff import applying, handlers, leading, pacemaker, voting
from fiscotool.protocols.hotstuff.messages import AskNodes, Generic, NewView, SendNodes, Vote
from fiscotool.protocols.hotstuff.state import ReplicaState, record_of
from fiscotool.protocols.words import BRINGS_EVERYTHING, Spoken, reject, remember


def step(state: ReplicaState, event: Event) -> tuple[ReplicaState, tuple[Effect, ...]]:
    """What the replica is after `event`, and what it wants done, in order."""
    out: list[Effect] = []
    new = _on_event(state, event, out)
    if new is not state:
        new = pacemaker.settle(applying.apply_more(new, out), out)
    assert new.view >= state.view
    assert new.height >= state.height
    if must_remember(state, new):
        out.insert(0, remember(record_of(new)))
    return new, tuple(out)


def must_remember(before: ReplicaState, after: ReplicaState) -> bool:
    """Whether a crash now would make the replica break its word, or lose a committed block."""
    return (
        before.voted_view != after.voted_view
        or before.proposed_view != after.proposed_view
        or before.locked is not after.locked
        or before.log is not after.log
    )


def _on_event(state: ReplicaState, event: Event, out: list[Effect]) -> ReplicaState:
    """Dispatch; no logic here."""
    match event:
        case Received(message=message):
            return _on_message(state, message, out)
        case Proposed():
            return leading.on_proposed(state, event, out)
        case Verified():
            new = voting.on_verified(state, event, out)
            return new if new is state else pacemaker.proceed(new, out)
        case Executed():
            return applying.on_executed(state, event, out)
        case LedgerAdvanced():
            return applying.on_ledger_advanced(state, event)
        case PoolSize(count=count):
            return replace(state, pool=count) if count != state.pool else state
        case TimerFired(name=TimerName.VIEW, epoch=epoch):
            return pacemaker.on_timer(state, epoch, out)
        case TimerFired(name=TimerName.EMPTY_BLOCK, epoch=epoch):
            return leading.on_idle(state, epoch, out)
        case TimerFired(name=TimerName.EXECUTE_RETRY, epoch=epoch):
            return applying.on_retry(state, epoch)
        case Started():
            out.append(BRINGS_EVERYTHING)
            return leading.lead(applying.apply_more(state, out), out)
        case _:
            return state


def _on_message(state: ReplicaState, message: Spoken, out: list[Effect]) -> ReplicaState:
    """Refuse who is no member, or dispatch by type; no logic here."""
    if state.me is None or not 0 <= message.sender < state.rules.node_count:
        out.append(reject(message, RejectReason.NOT_A_SEALER))
        return state
    match message:
        case Generic():
            return handlers.on_generic(state, message, out)
        case Vote():
            return handlers.on_vote(state, message, out)
        case NewView():
            return handlers.on_new_view(state, message, out)
        case AskNodes():
            return handlers.on_ask_nodes(state, message, out)
        case SendNodes():
            return handlers.on_nodes(state, message, out)
        case _:
            out.append(reject(message, RejectReason.NOT_IN_DIALECT))
            return state
