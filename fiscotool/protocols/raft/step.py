"""The door of Raft: one event in, a new state and what is to be done out. The contract is that of `pbft.step`.

Sources: Ongaro & Ousterhout, USENIX ATC 2014, section 5.
"""

from __future__ import annotations

from fiscotool.pbft.effects import Effect, RejectReason
from fiscotool.pbft.events import Event, Executed, FillersBuilt, LedgerAdvanced, Proposed, Received, Started, TimerFired, TimerName
from fiscotool.protocols.raft import applying, election, replication
from fiscotool.protocols.raft.messages import AppendEntries, AppendReply, RequestVote, VoteReply
from fiscotool.protocols.raft.state import ReplicaState, arm_election
from fiscotool.protocols.words import BRINGS_EVERYTHING, Spoken, reject


def step(state: ReplicaState, event: Event) -> tuple[ReplicaState, tuple[Effect, ...]]:
    """What the replica is after `event`, and what it wants done, in order."""
    out: list[Effect] = []
    new = _on_event(state, event, out)
    assert new.term >= state.term
    assert new.height >= state.height
    return new, tuple(out)


def _on_event(state: ReplicaState, event: Event, out: list[Effect]) -> ReplicaState:
    """Dispatch; no logic here."""
    match event:
        case Received(message=message):
            return _on_message(state, message, out)
        case Proposed():
            return replication.on_proposed(state, event, out)
        case FillersBuilt():
            return replication.on_fillers(state, event, out)
        case Executed():
            return applying.on_executed(state, event, out)
        case LedgerAdvanced():
            return applying.on_ledger_advanced(state, event, out)
        case TimerFired(name=TimerName.VIEW, epoch=epoch):
            return election.on_timer(state, epoch, out)
        case TimerFired(name=TimerName.CHECKPOINT_RESEND, epoch=epoch):
            return replication.on_heartbeat(state, epoch, out)
        case TimerFired(name=TimerName.EXECUTE_RETRY, epoch=epoch):
            return applying.on_retry(state, epoch, out)
        case Started():
            out.append(BRINGS_EVERYTHING)
            return arm_election(state, out) if state.me is not None else state
        case _:
            return state


def _on_message(state: ReplicaState, message: Spoken, out: list[Effect]) -> ReplicaState:
    """Refuse who is no member, or dispatch by type; no logic here."""
    if state.me is None or not 0 <= message.sender < state.rules.node_count:
        out.append(reject(message, RejectReason.NOT_A_SEALER))
        return state
    match message:
        case RequestVote():
            return election.on_request_vote(state, message, out)
        case VoteReply():
            return election.on_vote_reply(state, message, out)
        case AppendEntries():
            return replication.on_append(state, message, out)
        case AppendReply():
            return replication.on_append_reply(state, message, out)
        case _:
            out.append(reject(message, RejectReason.NOT_IN_DIALECT))
            return state
