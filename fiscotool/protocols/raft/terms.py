"""Terms: a message of a later term makes any replica a follower of that term, before anything else is made of it.

Sources: Ongaro & Ousterhout, USENIX ATC 2014, section 5.1.
"""

from __future__ import annotations

from dataclasses import replace

from fiscotool.pbft.effects import CancelTimer, Effect
from fiscotool.pbft.events import TimerName
from fiscotool.pbft.types import View
from fiscotool.protocols.raft.state import ReplicaState, Role, arm_election, persisted, tell_sealer


def step_down(state: ReplicaState, term: View, out: list[Effect]) -> ReplicaState:
    """A follower in a later `term`; its vote is free again. The caller persists."""
    assert term > state.term
    was_leader = state.role is Role.LEADER
    new = replace(state, term=term, voted_for=None, role=Role.FOLLOWER, leader=None, votes=(), next_index=(), match_index=())
    if not was_leader:
        return new
    out.append(CancelTimer(TimerName.CHECKPOINT_RESEND))
    return tell_sealer(arm_election(new, out), out)


def follow(state: ReplicaState, term: View, out: list[Effect]) -> ReplicaState:
    """For a message that says nothing else: persist, then stop leading."""
    late: list[Effect] = []
    new = persisted(state, step_down(state, term, late), out)
    out.extend(late)
    return new
