"""What arrives: proposals, votes, new views, and nodes that were missing.

Rule. A proposal whose branch is not known here is kept, and the branch is asked for, from who proposed it: certificates in it prove
      that a quorum has it.

Sources: Yin et al., PODC 2019, algorithm 3, algorithm 4 `onReceiveVote`, `onReceiveNewView`, section 6 (fetching missing nodes).
"""

from __future__ import annotations

from dataclasses import replace

from fiscotool.pbft.effects import Effect, RejectReason
from fiscotool.pbft.types import Digest, Height, NodeIndex, View
from fiscotool.protocols.hotstuff import leading, pacemaker, tree
from fiscotool.protocols.hotstuff.messages import AskNodes, Certificate, Generic, NewView, Node, SendNodes, Vote
from fiscotool.protocols.hotstuff.state import ReplicaState, is_quorum, leader_of
from fiscotool.protocols.words import reject, send

NODES_MAX = 64
"""Nodes in one answer; who needs more asks again."""

AHEAD_VIEWS_MAX = 1_000
"""A proposal further ahead than this is not kept: only a liar makes one while this replica hears nothing else."""


def on_generic(state: ReplicaState, message: Generic, out: list[Effect]) -> ReplicaState:
    """The node of a view."""
    node = message.node
    reason = _refuse(state, message)
    if reason is not None:
        out.append(reject(message, reason))
        return state
    if not tree.is_known(state, node.justify.digest):
        _fetch(state, node.justify.digest, message.sender, out)
        return replace(state, pending=message)
    if not tree.may_add(state, node):
        out.append(reject(message, RejectReason.DUPLICATE if tree.find(state, node.digest) else RejectReason.MISMATCHED))
        return state
    new = _add(state, node, out)
    return pacemaker.proceed(certify(new, out), out)


def _refuse(state: ReplicaState, message: Generic) -> RejectReason | None:
    """What is wrong with a proposal at first sight."""
    node = message.node
    if node.view != message.view or not tree.is_well_formed(state, node):
        return RejectReason.WEAK_CERTIFICATE
    if message.sender != leader_of(message.view, state.rules):
        return RejectReason.NOT_THE_LEADER
    if message.view <= tree.tip_view(state):
        return RejectReason.STALE_VIEW
    is_new = node.justify.view >= state.view
    return RejectReason.TOO_FAR if message.view > state.view + AHEAD_VIEWS_MAX and not is_new else None


def _add(state: ReplicaState, node: Node, out: list[Effect]) -> ReplicaState:
    """A node that belongs into the tree, and what its certificate says."""
    new = tree.add(state, node, out)
    return pacemaker.learn(new, node.justify, out)


def on_vote(state: ReplicaState, message: Vote, out: list[Effect]) -> ReplicaState:
    """A share of the certificate that this replica collects."""
    if message.view <= state.high.view:
        out.append(reject(message, RejectReason.STALE_VIEW))
        return state
    if leader_of(View(message.view + 1), state.rules) != state.me:
        out.append(reject(message, RejectReason.NOT_ASKED))
        return state
    new = certify(_count(state, message), out)
    return leading.lead(new, out) if new is not state else state


def _count(state: ReplicaState, vote: Vote) -> ReplicaState:
    """One vote a sender and view, the first: a correct replica has no other, and a liar cannot fill the memory."""
    is_known = any(other.sender == vote.sender and other.view == vote.view for other in state.votes)
    if is_known or not state.high.view < vote.view <= state.view + AHEAD_VIEWS_MAX:
        return state
    return replace(state, votes=(*state.votes, vote))


def certify(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Make a certificate of votes that suffice for one node."""
    for view, digest in dict.fromkeys((vote.view, vote.digest) for vote in state.votes):
        votes = sorted((vote for vote in state.votes if (vote.view, vote.digest) == (view, digest)), key=lambda vote: vote.sender)
        signers = tuple(vote.sender for vote in votes)
        if view <= state.high.view or not is_quorum(signers, state.rules):
            continue
        certificate = Certificate(view, digest, signers, tuple(vote.signature for vote in votes))
        if tree.is_known(state, digest):
            return pacemaker.learn(state, certificate, out)
        _fetch(state, digest, next(signer for signer in signers if signer != state.me), out)
    return state


def on_new_view(state: ReplicaState, message: NewView, out: list[Effect]) -> ReplicaState:
    """Someone is in a view because it gave up on the one before."""
    if not tree.is_certificate(state, message.justify):
        out.append(reject(message, RejectReason.WEAK_CERTIFICATE))
        return state
    is_known = tree.is_known(state, message.justify.digest)
    if message.justify.view > state.high.view:
        if not is_known:
            _fetch(state, message.justify.digest, message.sender, out)
        else:
            state = pacemaker.learn(state, message.justify, out)
    if message.view < state.view:
        if message.sender != state.me and message.view + 1 < state.view:
            out.append(send(message.sender, pacemaker.mine(state)))
        return state
    known = next((ask for ask in state.asks if ask.sender == message.sender), None)
    if known is not None and known.view > message.view:
        return state
    state = replace(state, asks=(*(ask for ask in state.asks if ask.sender != message.sender), message))
    if message.vote is not None and message.vote.sender == message.sender:
        state = certify(_count(state, message.vote), out)
    return pacemaker.proceed(pacemaker.follow(state, out), out)


def _fetch(state: ReplicaState, wanted: Digest, source: NodeIndex, out: list[Effect]) -> None:
    """Ask for a branch."""
    if state.me is not None and source != state.me:
        out.append(send(source, AskNodes(state.view, state.me, Height(state.height), wanted, tree.tip(state))))


def on_ask_nodes(state: ReplicaState, message: AskNodes, out: list[Effect]) -> ReplicaState:
    """The way from what the other has to what it wants."""
    assert state.me is not None
    path: list[Node] = []
    for node in tree.branch(state, message.digest):
        if node.digest == message.known:
            break
        path.append(node)
    if not path or path[-1].justify.digest not in (message.known, state.genesis.digest):
        out.append(reject(message, RejectReason.NOT_ASKED))
        return state
    out.append(send(message.sender, SendNodes(state.view, state.me, Height(state.height), tuple(reversed(path))[:NODES_MAX])))
    return state


def on_nodes(state: ReplicaState, message: SendNodes, out: list[Effect]) -> ReplicaState:
    """Nodes that were asked for; then again what waited for them."""
    new = state
    for node in message.nodes:
        if tree.is_well_formed(new, node) and tree.is_known(new, node.justify.digest) and tree.may_add(new, node):
            new = _add(new, node, out)
    if new is state:
        out.append(reject(message, RejectReason.NOT_ASKED))
        return state
    waiting = new.pending
    if waiting is not None:
        new = on_generic(replace(new, pending=None), waiting, out)
    for ask in new.asks:
        if ask.justify.view > new.high.view and tree.is_known(new, ask.justify.digest):
            new = pacemaker.learn(new, ask.justify, out)
    return pacemaker.proceed(certify(new, out), out)
