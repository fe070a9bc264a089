"""Leader election: terms, votes, and what a new leader does first.

Rule 1. A replica votes for one candidate a term, also across restarts: the vote is durable before it leaves.
Rule 2. It votes only for a candidate whose log is at least as up to date as its own (section 5.4.1).
Rule 3. A new leader cannot commit entries of earlier terms by counting (section 5.4.2). If it has any, it appends an empty block of its
        own term (section 8), so that they are committed even when no transaction comes.

Sources: Ongaro & Ousterhout, USENIX ATC 2014, sections 5.1, 5.2, 5.4.1, 5.4.2, 8.
"""

from __future__ import annotations

from dataclasses import replace

from fiscotool.pbft.effects import BuildFillers, CancelTimer, Effect, RejectReason
from fiscotool.pbft.events import TimerName
from fiscotool.pbft.types import Height, NodeIndex, View
from fiscotool.protocols.raft import replication
from fiscotool.protocols.raft.messages import RequestVote, VoteReply
from fiscotool.protocols.raft.state import (
    NOTHING,
    ReplicaState,
    Role,
    arm_election,
    arm_heartbeat,
    is_majority,
    last_index,
    persisted,
    tell_sealer,
    term_at,
)
from fiscotool.protocols.raft.terms import follow, step_down
from fiscotool.protocols.words import broadcast, reject, send


def last_term(state: ReplicaState) -> View:
    """The term of the last entry of the log."""
    return term_at(state, last_index(state)) or View(0)


def on_timer(state: ReplicaState, epoch: int, out: list[Effect]) -> ReplicaState:
    """No leader was heard in time: stand for the next term."""
    if epoch != state.epoch or state.role is Role.LEADER or state.me is None:
        return state
    new = replace(
        state,
        term=View(state.term + 1),
        voted_for=state.me,
        role=Role.CANDIDATE,
        leader=None,
        votes=(state.me,),
        cycle=state.cycle + 1,
    )
    persisted(state, new, out)
    new = arm_election(new, out)
    if is_majority(new.votes, new.rules):
        return become_leader(new, out)
    out.append(broadcast(RequestVote(new.term, state.me, last_index(new), last_term(new))))
    return new


def is_up_to_date(state: ReplicaState, message: RequestVote) -> bool:
    """Rule 2: later last term, or same term and no shorter log."""
    return (message.last_term, message.index) >= (last_term(state), last_index(state))


def on_request_vote(state: ReplicaState, message: RequestVote, out: list[Effect]) -> ReplicaState:
    """Grant or refuse a vote."""
    assert state.me is not None
    if message.sender == state.me:
        return state
    late: list[Effect] = []
    new = step_down(state, message.view, late) if message.view > state.term else state
    is_granted = message.view == new.term and new.voted_for in (None, message.sender) and is_up_to_date(new, message)
    if is_granted:
        new = replace(new, voted_for=message.sender)
    persisted(state, new, out)
    out.extend(late)
    if is_granted:
        new = arm_election(new, out)
    out.append(send(message.sender, VoteReply(new.term, state.me, last_index(new), is_granted)))
    return new


def on_vote_reply(state: ReplicaState, message: VoteReply, out: list[Effect]) -> ReplicaState:
    """Count a vote."""
    if message.view > state.term:
        return follow(state, message.view, out)
    if state.role is not Role.CANDIDATE or message.view < state.term or not message.is_granted:
        out.append(reject(message, RejectReason.NOT_ASKED))
        return state
    votes = tuple(sorted({*state.votes, message.sender}))
    new = replace(state, votes=votes)
    return become_leader(new, out) if is_majority(votes, state.rules) else new


def become_leader(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """The leader of this term: everyone hears of it at once (section 5.2), and earlier entries get one of this term after them."""
    assert state.me is not None
    count, last = state.rules.node_count, last_index(state)
    match = tuple(last if NodeIndex(i) == state.me else Height(0) for i in range(count))
    new = replace(
        state,
        role=Role.LEADER,
        leader=state.me,
        cycle=0,
        next_index=(Height(last + 1),) * count,
        match_index=match,
        told=NOTHING,
    )
    out.append(CancelTimer(TimerName.VIEW))
    new = arm_heartbeat(new, out)
    new = replication.send_to_all(new, out)
    if last > new.commit:
        out.append(BuildFillers(new.view, (Height(last + 1),)))
        return new
    return tell_sealer(new, out)
