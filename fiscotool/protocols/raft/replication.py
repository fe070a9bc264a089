"""The leader's log to everyone, and what that commits.

Rule 1. A leader only appends to its own log (section 5.3).
Rule 2. A follower accepts entries only where the one before agrees in index and term; what conflicts after it is dropped.
Rule 3. An entry of the leader's own term that a majority has is committed, and all before it with it (section 5.4.2).
Rule 4. A follower's log is durable before its reply leaves.

The leader sends on without waiting (`next_index` moves when entries leave, and back when a follower refuses); a commit is told at once and
not only with the next entry, so that the last replica has a block one delay after the first. A refusal names how far the logs may agree,
which skips many steps back at once (section 5.3, the optimisation).

Sources: Ongaro & Ousterhout, USENIX ATC 2014, sections 5.3, 5.4.2.
"""

from __future__ import annotations

from dataclasses import replace

from fiscotool.pbft.effects import Effect, RejectReason, ReleaseTransactions
from fiscotool.pbft.events import FillersBuilt, Proposed
from fiscotool.pbft.messages import Proposal
from fiscotool.pbft.types import Height, NodeIndex, View
from fiscotool.protocols.raft import applying, terms
from fiscotool.protocols.raft.messages import AppendEntries, AppendReply, Entry
from fiscotool.protocols.raft.state import (
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
from fiscotool.protocols.words import reject, send


def append_for(state: ReplicaState, to: NodeIndex) -> AppendEntries:
    """What a follower gets: everything from its `next_index` on."""
    assert state.me is not None
    previous = Height(state.next_index[to] - 1)
    entries = state.log[previous - state.base :]
    return AppendEntries(state.term, state.me, previous, term_at(state, previous) or View(0), entries, state.commit)


def send_to_all(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Entries, or a heartbeat, to every other replica."""
    after = Height(last_index(state) + 1)
    others = [NodeIndex(i) for i in range(state.rules.node_count) if i != state.me]
    out.extend(send(to, append_for(state, to)) for to in others)
    return replace(state, next_index=(after,) * state.rules.node_count)


def on_heartbeat(state: ReplicaState, epoch: int, out: list[Effect]) -> ReplicaState:
    """The leader is still there."""
    if epoch != state.epoch or state.role is not Role.LEADER:
        return state
    return send_to_all(arm_heartbeat(state, out), out)


def on_proposed(state: ReplicaState, event: Proposed, out: list[Effect]) -> ReplicaState:
    """The own sealer made a block."""
    if state.role is not Role.LEADER or event.proposal.index != last_index(state) + 1:
        out.append(ReleaseTransactions(event.proposal))
        return state
    return _append(state, event.proposal, out)


def on_fillers(state: ReplicaState, event: FillersBuilt, out: list[Effect]) -> ReplicaState:
    """The empty block of this term is there (election, rule 3)."""
    proposal = event.proposals[0] if event.proposals else None
    if proposal is None or state.role is not Role.LEADER or event.view != state.term or proposal.index != last_index(state) + 1:
        return state
    return _append(state, proposal, out)


def _append(state: ReplicaState, proposal: Proposal, out: list[Effect]) -> ReplicaState:
    """A new entry at the leader."""
    assert state.me is not None
    log = (*state.log, Entry(state.term, proposal))
    match = list(state.match_index)
    match[state.me] = proposal.index
    new = persisted(state, replace(state, log=log, match_index=tuple(match)), out)
    new = advance(send_to_all(new, out), out)
    return tell_sealer(new, out)


def on_append(state: ReplicaState, message: AppendEntries, out: list[Effect]) -> ReplicaState:
    """Entries or a heartbeat from the leader of `message.view`."""
    assert state.me is not None
    if message.view < state.term:
        out.append(send(message.sender, AppendReply(state.term, state.me, last_index(state), is_success=False)))
        return state
    if (state.role is Role.LEADER and message.view == state.term) or not _is_well_formed(message):
        out.append(reject(message, RejectReason.NOT_THE_LEADER if message.view == state.term else RejectReason.MISMATCHED))
        return state
    late: list[Effect] = []
    new = terms.step_down(state, message.view, late) if message.view > state.term else state
    new = replace(new, role=Role.FOLLOWER, leader=message.sender, cycle=0)
    agrees = term_at(new, message.index) == message.previous_term
    grown = _merged(new, message, late) if agrees else new
    if grown is None:
        out.append(reject(message, RejectReason.ALREADY_AGREED))
        return state
    persisted(state, grown, out)
    out.extend(late)
    grown = arm_election(grown, out)
    end = Height(message.index + len(message.entries)) if agrees else Height(min(message.index - 1, last_index(grown)))
    out.append(send(message.sender, AppendReply(grown.term, state.me, end, agrees)))
    commit = min(message.commit, end) if agrees else grown.commit
    return applying.apply_more(replace(grown, commit=commit), out) if commit > grown.commit else grown


def _is_well_formed(message: AppendEntries) -> bool:
    """Entries are numbered on from where they begin."""
    return all(entry.proposal.index == message.index + number for number, entry in enumerate(message.entries, start=1))


def _merged(state: ReplicaState, message: AppendEntries, out: list[Effect]) -> ReplicaState | None:
    """The log with the entries in it; None when they would change what is committed, as no leader that obeys the protocol asks."""
    for number, entry in enumerate(message.entries):
        index = Height(message.index + number + 1)
        here = term_at(state, index)
        if here == entry.term:
            continue
        if index <= state.commit:
            return None
        kept = index - state.base - 1
        out.extend(ReleaseTransactions(dropped.proposal) for dropped in state.log[kept:])
        return replace(state, log=(*state.log[:kept], *message.entries[number:]))
    return state


def on_append_reply(state: ReplicaState, message: AppendReply, out: list[Effect]) -> ReplicaState:
    """A follower agrees up to a place, or says where to go on."""
    if message.view > state.term:
        return terms.follow(state, message.view, out)
    if state.role is not Role.LEADER or message.view < state.term or message.index > last_index(state):
        out.append(reject(message, RejectReason.STALE_VIEW))
        return state
    follower = message.sender
    matched = state.match_index[follower]
    if message.is_success:
        if message.index <= matched:
            return state
        match = (*state.match_index[:follower], message.index, *state.match_index[follower + 1 :])
        after = max(state.next_index[follower], Height(message.index + 1))
        indexes = (*state.next_index[:follower], after, *state.next_index[follower + 1 :])
        return advance(replace(state, match_index=match, next_index=indexes), out)
    back = Height(max(matched, message.index, state.base) + 1)
    if back >= state.next_index[follower]:
        return state
    indexes = (*state.next_index[:follower], back, *state.next_index[follower + 1 :])
    new = replace(state, next_index=indexes)
    out.append(send(follower, append_for(new, follower)))
    ahead = (*indexes[:follower], Height(last_index(state) + 1), *indexes[follower + 1 :])
    return replace(new, next_index=ahead)


def committable(state: ReplicaState) -> Height:
    """Rule 3: the last place that a majority has, if its entry is of this term; otherwise what is committed already."""
    for index in sorted(set(state.match_index), reverse=True):
        if index <= state.commit:
            break
        holders = [NodeIndex(i) for i, match in enumerate(state.match_index) if match >= index]
        if is_majority(holders, state.rules) and term_at(state, index) == state.term:
            return index
    return state.commit


def advance(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Commit what can be, tell everyone, apply."""
    commit = committable(state)
    if commit == state.commit:
        return state
    new = send_to_all(replace(state, commit=commit), out)
    new = tell_sealer(new, out)
    return applying.apply_more(new, out)
