"""The vote: at most one a view, and only for a node that the lock allows.

Rule. A node is safe when it stands on the locked node, or when its certificate is newer than the lock: then a quorum has moved on, and
      the lock cannot have been committed (section 4.4, `safeNode`).

Sources: Yin et al., PODC 2019, algorithm 1 `safeNode`, algorithm 4 `onReceiveProposal`.
"""

from __future__ import annotations

from dataclasses import replace

from fiscotool.pbft.effects import Effect, VerifyProposal
from fiscotool.pbft.events import Verified
from fiscotool.pbft.types import NO_DIGEST, View
from fiscotool.protocols.hotstuff import tree
from fiscotool.protocols.hotstuff.messages import Node, Vote
from fiscotool.protocols.hotstuff.state import ReplicaState, leader_of
from fiscotool.protocols.words import send


def is_safe(state: ReplicaState, node: Node) -> bool:
    """The rule above: safety or liveness."""
    return node.justify.view > state.locked.view or tree.extends(state, node, state.locked)


def may_vote(state: ReplicaState, node: Node) -> bool:
    """In this view, not yet in it, and allowed by the lock."""
    return state.me is not None and node.view == state.view and state.voted_view < node.view and is_safe(state, node)


def consider(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Vote for this view's node, after its block was checked. Of several the first that came counts."""
    if state.verifying != NO_DIGEST or state.voted_view >= state.view:
        return state
    node = next((node for node in state.tree if node.view == state.view), None)
    if node is None or not may_vote(state, node):
        return state
    if node.proposal is None:
        return vote(state, node, out)
    out.append(VerifyProposal(node.proposal, leader_of(node.view, state.rules), is_certified=True))
    return replace(state, verifying=node.digest)


def on_verified(state: ReplicaState, event: Verified, out: list[Effect]) -> ReplicaState:
    """The driver looked at the block."""
    node = tree.find(state, state.verifying) if state.verifying != NO_DIGEST else None
    if node is None or node.proposal is None or node.proposal.digest != event.digest:
        return state
    new = replace(state, verifying=NO_DIGEST)
    return vote(new, node, out) if event.is_valid and may_vote(new, node) else new


def vote(state: ReplicaState, node: Node, out: list[Effect]) -> ReplicaState:
    """Say so to who collects: the leader of the next view."""
    assert state.me is not None
    mine = Vote(node.view, state.me, node.index, node.digest)
    out.append(send(leader_of(View(node.view + 1), state.rules), mine))
    return replace(state, voted_view=node.view, last_vote=mine)
