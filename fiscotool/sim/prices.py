"""What a message weighs and what cryptography takes: the one model in which protocols are compared.

Every message has a header; in the PBFTs and for HotStuff's proposals and new views also a signature of its sender. HotStuff's votes carry
a BLS share instead, its certificates one aggregate and a bit for each replica. Raft signs nothing. A block is so many transactions of so
many bytes. A replica has one core, which does one thing after the other, and one link out, which sends one message after the other; on top
of that each message takes the network's delay. Executing and writing blocks, verifying transactions, TLS, gossip of transactions cost
nothing here: they are the same for all.

Rule. Certificates are verified once by a replica, the shares in them only as the aggregate (two pairings), as implementations do.

Sources: sizes of secp256k1 signatures and compressed points of BLS12-381; times: measured with `ledger.crypto` and `protocols.bls` on one
core of a server (`compare-protocols --measure-crypto` measures the machine it runs on).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final, cast

from fiscotool.pbft.messages import (
    Message,
    NewView,
    PreparedCertificate,
    PreparedProposalResponse,
    PrePrepare,
    ViewChange,
)
from fiscotool.protocols.hotstuff import messages as hotstuff
from fiscotool.protocols.raft import messages as raft

PAIRINGS: Final = 2
"""Pairings that verifying one aggregate over one message takes."""

POINTER_BYTES: Final = 40
"""View and digest that a certificate names."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Sizes in bytes, times in seconds, of one operation; the network's delay is drawn evenly between its two bounds."""

    header_bytes: int = 120
    signature_bytes: int = 65
    share_bytes: int = 96
    block_txs: int = 1_000
    tx_bytes: int = 200
    sign_s: float = 50e-6
    verify_s: float = 100e-6
    bls_sign_s: float = 1.4e-3
    bls_add_s: float = 0.27e-3
    bls_verify_s: float = 2.9e-3
    bandwidth_bytes_s: float = 125e6
    delay_low_s: float = 8e-3
    delay_high_s: float = 12e-3
    timeout_s: float = 3.0

    @property
    def block_bytes(self) -> int:
        """A full block."""
        return self.block_txs * self.tx_bytes


IDEAL: Final = Prices(
    sign_s=0,
    verify_s=0,
    bls_sign_s=0,
    bls_add_s=0,
    bls_verify_s=0,
    bandwidth_bytes_s=1e30,
    delay_low_s=0.01,
    delay_high_s=0.01,
    timeout_s=1e6,
)
"""Nothing takes time but the network, and that 10 ms a message: latencies are numbers of delays. Timers are far away."""


@dataclass(slots=True)
class Item:
    """One kind of message on a bill; what is verified counts at the receivers."""

    messages: int = 0
    size_bytes: int = 0
    verified: int = 0


@dataclass(slots=True)
class Bill:
    """What was spent: messages and bytes on the network, signatures made, signatures verified one by one, BLS shares added up, pairings."""

    signed: int = 0
    aggregated: int = 0
    pairings: int = 0
    items: dict[str, Item] = field(default_factory=dict)

    def item(self, kind: str) -> Item:
        """The entry of a kind of messages."""
        return self.items.setdefault(kind, Item())

    def total(self, *, without: Collection[str] = ()) -> Item:
        """The sum of all kinds but some."""
        chosen = [item for kind, item in self.items.items() if kind not in without]
        return Item(sum(each.messages for each in chosen), sum(each.size_bytes for each in chosen), sum(each.verified for each in chosen))


def kind_of(message: Message) -> str:
    """Name of a kind of message; an AppendEntries without entries is a Heartbeat."""
    told = cast("object", message)
    if isinstance(told, raft.AppendEntries) and not told.entries:
        return "Heartbeat"
    if isinstance(told, hotstuff.NewView):
        return "NextView"
    return type(told).__name__


def signatures_in(message: Message) -> int:
    """Signatures that a receiver verifies one by one, the sender's own included."""
    told = cast("object", message)
    match told:
        case ViewChange(prepared=prepared, stable=stable):
            return 1 + sum(len(cert.signatures) for cert in prepared) + len(stable)
        case NewView(view_changes=view_changes):
            return 1 + sum(signatures_in(vc) for vc in view_changes)
        case hotstuff.Vote() | raft.RequestVote() | raft.VoteReply() | raft.AppendEntries() | raft.AppendReply():
            return 0
        case _:
            return 1


def certificates_in(message: Message) -> tuple[hotstuff.Certificate, ...]:
    """Quorum certificates that a receiver verifies."""
    told = cast("object", message)
    match told:
        case hotstuff.Generic(node=node):
            return (node.justify,)
        case hotstuff.NewView(justify=justify):
            return (justify,)
        case hotstuff.SendNodes(nodes=nodes):
            return tuple(node.justify for node in nodes)
        case _:
            return ()


def blocks_in(message: Message) -> int:
    """Blocks with transactions that travel in it."""
    told = cast("object", message)
    match told:
        case PrePrepare(proposal=proposal):
            return int(bool(proposal.data) and not proposal.is_filler)
        case PreparedProposalResponse(certificate=PreparedCertificate()):
            return 1
        case raft.AppendEntries(entries=entries):
            return sum(not entry.proposal.is_filler for entry in entries)
        case hotstuff.Generic(node=node):
            return int(node.proposal is not None)
        case hotstuff.SendNodes(nodes=nodes):
            return sum(node.proposal is not None for node in nodes)
        case _:
            return 0


def size_bytes(message: Message, prices: Prices, nodes: int) -> int:
    """Bytes of a message."""
    told = cast("object", message)
    total = prices.header_bytes + prices.signature_bytes * signatures_in(message) + prices.block_bytes * blocks_in(message)
    total += sum(POINTER_BYTES + prices.share_bytes + (nodes + 7) // 8 for _ in certificates_in(message))
    match told:
        case NewView(view_changes=view_changes):
            total += prices.header_bytes * len(view_changes)
        case hotstuff.Vote():
            total += prices.share_bytes
        case hotstuff.NewView(vote=hotstuff.Vote()):
            total += prices.share_bytes + POINTER_BYTES
        case _:
            pass
    return total


def sign_s(message: Message, prices: Prices) -> tuple[float, int]:
    """Seconds and signatures that sending takes, whatever the number of receivers."""
    told = cast("object", message)
    if isinstance(told, hotstuff.Vote):
        return prices.bls_sign_s, 1
    count = min(1, signatures_in(message))
    return prices.sign_s * count, count
