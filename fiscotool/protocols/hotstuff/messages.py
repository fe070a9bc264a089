"""Nodes, certificates and messages of chained HotStuff.

Rule 1. A node is named by the hash of all that is in it, its certificate's view and node included, so a vote for it is a vote for the
        whole branch. Its parent is the node that its certificate is for.
Rule 2. Votes leave the core unsigned, certificates are made of the shares in votes (`proofs`, in the order of `signers`) or hold one
        aggregate of them. Who drives makes and checks both; what reaches `step` is authentic.

Sources: Yin et al., PODC 2019, section 4.2 (data structures), algorithm 3, algorithm 4.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from fiscotool.pbft.messages import Proposal
from fiscotool.pbft.types import NO_DIGEST, Digest, Height, NodeIndex, View


@dataclass(frozen=True, slots=True)
class Certificate:
    """A quorum certificate: `signers`, sorted and distinct, voted for the node `digest` in `view`.

    `proofs` are their signatures, one each or a single aggregate; two certificates that differ only in them are the same. The
    certificate of the beginning has view 0 and no signers.
    """

    view: View
    digest: Digest
    signers: tuple[NodeIndex, ...]
    proofs: tuple[bytes, ...] = field(default=(), repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the tree: proposed in `view` on top of the node that `justify` certifies.

    `index` is the height of the chain with this node: one more than the parent's when it carries a block, else the same.
    """

    view: View
    index: Height
    justify: Certificate
    proposal: Proposal | None
    digest: Digest


def digest_of(view: View, index: Height, justify: Certificate, proposal: Proposal | None) -> Digest:
    """The 32-byte name of a node (rule 1)."""
    content = proposal.digest if proposal is not None else NO_DIGEST
    text = b"%d|%d|%d|%s|%s" % (view, index, justify.view, justify.digest, content)
    return Digest(hashlib.blake2b(text, digest_size=32).digest())


def make_node(view: View, index: Height, justify: Certificate, proposal: Proposal | None) -> Node:
    """A node with its name."""
    return Node(view, index, justify, proposal, digest_of(view, index, justify, proposal))


def genesis_certificate(height: Height, block_hash: Digest) -> Certificate:
    """What the first node stands on: the ledger's last block when the replicas first started."""
    text = b"hotstuff|%d|%s" % (height, block_hash)
    return Certificate(View(0), Digest(hashlib.blake2b(text, digest_size=32).digest()), ())


@dataclass(frozen=True, slots=True)
class Generic:
    """The leader of `view` proposes `node`. The certificate in it moves three phases of three earlier nodes on at once."""

    view: View
    sender: NodeIndex
    node: Node

    @property
    def index(self) -> Height:
        """Height of the node."""
        return self.node.index

    @property
    def digest(self) -> Digest:
        """Name of the node."""
        return self.node.digest


@dataclass(frozen=True, slots=True)
class Vote:
    """`sender` voted for a node in `view`; goes to the leader of the next view. `signature` is its share of the certificate."""

    view: View
    sender: NodeIndex
    index: Height
    digest: Digest
    signature: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class NewView:
    """`sender` gave up waiting and is in `view` now; `justify` is the highest certificate it knows, `vote` its latest vote."""

    view: View
    sender: NodeIndex
    index: Height
    justify: Certificate
    vote: Vote | None


@dataclass(frozen=True, slots=True)
class AskNodes:
    """`sender` has everything up to the node `known` and needs the way from there to `digest`."""

    view: View
    sender: NodeIndex
    index: Height
    digest: Digest
    known: Digest


@dataclass(frozen=True, slots=True)
class SendNodes:
    """Answer: the first part of the way, oldest node first."""

    view: View
    sender: NodeIndex
    index: Height
    nodes: tuple[Node, ...]


HotStuffMessage = Generic | Vote | NewView | AskNodes | SendNodes
"""All that HotStuff's replicas exchange."""
