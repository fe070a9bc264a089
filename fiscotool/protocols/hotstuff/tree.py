"""The tree of nodes: looking things up, what may be added, and what certificates in a row decide.

Rule 1. Lock. A node b* that is added has the certificate of b2, b2 that of b1: b1 has a chain of two and is locked, if newer than the lock.
Rule 2. Commit. If b2, b1 and b0 are parent and child in views that follow each other, b0 has a chain of three: it and all before it are
        committed. With a view missing in between a branch without it could have been certified there.
Rule 3. A branch that contradicts what is committed is never taken; with more than f liars it may exist.

Sources: Yin et al., PODC 2019, section 5 (one-, two-, three-chain), algorithm 4 `update`, `onCommit`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from fiscotool.pbft.effects import Effect, ReleaseTransactions
from fiscotool.pbft.types import Digest, Height, View
from fiscotool.protocols.hotstuff.messages import Certificate, Node, digest_of
from fiscotool.protocols.hotstuff.state import ReplicaState, is_quorum

FORKS_MAX = 4
"""Nodes of one view that are kept: a liar that leads may make any number."""


def find(state: ReplicaState, digest: Digest) -> Node | None:
    """The node of that name, committed or not."""
    for nodes in (state.tree, state.log):
        for node in reversed(nodes):
            if node.digest == digest:
                return node
    return None


def is_known(state: ReplicaState, digest: Digest) -> bool:
    """Whether something can stand on it."""
    return digest == state.genesis.digest or find(state, digest) is not None


def height_at(state: ReplicaState, digest: Digest) -> Height:
    """Height of the chain that ends with this known node."""
    node = find(state, digest)
    return node.index if node is not None else state.base


def branch(state: ReplicaState, digest: Digest) -> Iterator[Node]:
    """The node and what it stands on, newest first, as far as known."""
    node = find(state, digest)
    while node is not None:
        yield node
        node = find(state, node.justify.digest)


def tip(state: ReplicaState) -> Digest:
    """Name of the last committed node."""
    return state.log[-1].digest if state.log else state.genesis.digest


def tip_view(state: ReplicaState) -> View:
    """View of the last committed node."""
    return state.log[-1].view if state.log else state.genesis.view


def is_waiting(state: ReplicaState) -> bool:
    """Whether a block on the best branch is certified and not committed: later nodes must carry it on, if need be without blocks."""
    committed = tip_view(state)
    for node in branch(state, state.high.digest):
        if node.view <= committed:
            return False
        if node.proposal is not None:
            return True
    return False


def extends(state: ReplicaState, node: Node, ancestor: Certificate) -> bool:
    """Whether `node` stands on the node that `ancestor` certifies, or is it."""
    if ancestor == state.genesis:
        return True
    here: Node | None = node
    while here is not None and here.view > ancestor.view:
        here = find(state, here.justify.digest)
    return here is not None and here.digest == ancestor.digest


def is_certificate(state: ReplicaState, certificate: Certificate) -> bool:
    """Whether it has a quorum of distinct signers, or is that of the beginning."""
    signers = certificate.signers
    if not signers:
        return certificate == state.genesis
    return certificate.view > 0 and list(signers) == sorted(set(signers)) and is_quorum(signers, state.rules)


def is_well_formed(state: ReplicaState, node: Node) -> bool:
    """What can be said of a node without its parent."""
    named = digest_of(node.view, node.index, node.justify, node.proposal) == node.digest
    numbered = node.proposal is None or node.proposal.index == node.index
    return named and numbered and node.justify.view < node.view and is_certificate(state, node.justify)


def may_add(state: ReplicaState, node: Node) -> bool:
    """Whether a well-formed node whose parent is known belongs into the tree."""
    parent = height_at(state, node.justify.digest)
    forks = sum(1 for other in state.tree if other.view == node.view)
    is_numbered = node.index == parent + (node.proposal is not None)
    return is_numbered and forks < FORKS_MAX and node.view > tip_view(state) and find(state, node.digest) is None


def add(state: ReplicaState, node: Node, out: list[Effect]) -> ReplicaState:
    """Put it into the tree, lock and commit what its certificate decides (rules 1 and 2)."""
    new = replace(state, tree=(*state.tree, node))
    second = find(new, node.justify.digest)
    if second is None:
        return new
    if second.justify.view > new.locked.view:
        new = replace(new, locked=second.justify)
    first = find(new, second.justify.digest)
    zeroth = find(new, first.justify.digest) if first is not None else None
    if first is None or zeroth is None or not is_three_chain(zeroth, first, second):
        return new
    return commit(new, zeroth, out)


def is_three_chain(zeroth: Node, first: Node, second: Node) -> bool:
    """Rule 2: views that follow each other, as nodes of the paper do whose parents are no dummies."""
    return second.view == first.view + 1 and first.view == zeroth.view + 1


def commit(state: ReplicaState, node: Node, out: list[Effect]) -> ReplicaState:
    """`node` and everything before it is final; what does not stand on it is dropped."""
    committed = tip_view(state)
    path: list[Node] = []
    for each in branch(state, node.digest):
        if each.view <= committed:
            break
        path.append(each)
    if not path or path[-1].justify.digest != tip(state):
        return state  # Committed already, or rule 3.
    new = replace(state, log=(*state.log, *reversed(path)))
    kept: list[Node] = []
    standing = {node.digest}
    for each in state.tree:
        if each.justify.digest in standing:
            kept.append(each)
            standing.add(each.digest)
        elif each.proposal is not None and each not in path:
            out.append(ReleaseTransactions(each.proposal))
    return replace(new, tree=tuple(kept))
