"""When a leader may propose, and what.

Rule 1. It proposes once a view, also across restarts, on top of the highest certificate it knows.
Rule 2. It may do so with the certificate of the view before, or after a quorum has told it the highest certificate each of them knows.
Rule 3. A block that is certified but not committed is carried on by nodes without blocks when nothing waits to be sealed: three more
        certificates commit it.

Sources: Yin et al., PODC 2019, algorithm 3 (leader), algorithm 4 `onBeat`, `onPropose`.
"""

from __future__ import annotations

from dataclasses import replace

from fiscotool.pbft.effects import Effect, ReleaseTransactions, SealRange, SetTimer
from fiscotool.pbft.events import Proposed, TimerName
from fiscotool.pbft.messages import Proposal
from fiscotool.pbft.types import Height, Ticks
from fiscotool.protocols.hotstuff import tree
from fiscotool.protocols.hotstuff.messages import Generic, make_node
from fiscotool.protocols.hotstuff.state import NOTHING, ReplicaState, is_quorum, leader_of
from fiscotool.protocols.words import broadcast

IDLE_TICKS = 60
"""How long a leader waits for its sealer before it carries a waiting block on without one."""


def may_propose(state: ReplicaState) -> bool:
    """Rules 1 and 2."""
    if state.me is None or leader_of(state.view, state.rules) != state.me or state.proposed_view >= state.view:
        return False
    if state.high.view == state.view - 1:
        return True
    told = [ask.sender for ask in state.asks if ask.view == state.view and ask.justify.view <= state.high.view]
    return is_quorum(told, state.rules)


def lead(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Ask the sealer for a block; with a block waiting not for long, and not at all when the pool is empty."""
    if not may_propose(state):
        return stop(state, out)
    next_height = Height(tree.height_at(state, state.high.digest) + 1)
    if state.told == (next_height, next_height):
        return state
    if tree.is_waiting(state) and state.pool == 0:
        return stop(_propose(state, None, out), out)
    out.append(SealRange(next_height, next_height, state.view))
    if tree.is_waiting(state):
        out.append(SetTimer(TimerName.EMPTY_BLOCK, state.view, Ticks(IDLE_TICKS)))
    return replace(state, told=(next_height, next_height))


def stop(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """The sealer has nothing to do."""
    if state.told == NOTHING:
        return state
    out.append(SealRange(*NOTHING, state.view))
    return replace(state, told=NOTHING)


def on_proposed(state: ReplicaState, event: Proposed, out: list[Effect]) -> ReplicaState:
    """The own sealer made a block."""
    index = event.proposal.index
    if not may_propose(state) or state.told != (index, index):
        out.append(ReleaseTransactions(event.proposal))
        return state
    return _propose(state, event.proposal, out)


def on_idle(state: ReplicaState, epoch: int, out: list[Effect]) -> ReplicaState:
    """No block came in time (rule 3)."""
    if epoch != state.view or not may_propose(state) or not tree.is_waiting(state):
        return state
    return stop(_propose(state, None, out), out)


def _propose(state: ReplicaState, proposal: Proposal | None, out: list[Effect]) -> ReplicaState:
    """One node to all; the own copy comes back like everyone's."""
    assert state.me is not None
    index = Height(tree.height_at(state, state.high.digest) + (proposal is not None))
    node = make_node(state.view, index, state.high, proposal)
    out.append(broadcast(Generic(state.view, state.me, node)))
    return replace(state, proposed_view=state.view, told=NOTHING if proposal is not None else state.told)
