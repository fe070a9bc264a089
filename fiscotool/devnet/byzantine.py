"""Nodes that misbehave on purpose, so that what judges a chain can be shown to say no.

A wrapper around an honest node: its core, its disk and its keys work as always; what leaves is bent here. Kinds:

    equivocate    as leader it sends one peer another block than the others; it votes, to each peer, for whatever that peer votes for
    double-sign   it votes, to each peer, for whatever that peer votes for, and then for a second hash; likewise its checkpoints
    drop-commits  its Commits never leave
    forge-block   blocks it serves, by RPC and to synchronising peers, are not those of the chain
    lie-height    it says it is 100 blocks higher than it is, by RPC and to its peers
    stutter       as leader it sends everyone a second block right after the first
    far-view      whenever it asks for a view, it asks for one a thousand further
    usurp         its NewViews leave out what was prepared and must be proposed again

Theory. To tell each peer what it wants to hear is the strongest thing a Byzantine voter can do: f of these cannot make two honest replicas
commit different blocks, because two quorums share an honest one; f+1 can, and with an equivocating leader they do.

Sources: Castro & Liskov, OSDI'99, section 4.5.1; Clement et al., "Making BFT systems tolerate Byzantine faults", NSDI'09.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, TypeVar, cast

from fiscotool.devnet.contracts import LedgerReader, NodeFacade
from fiscotool.devnet.form import BlockForm
from fiscotool.devnet.form3 import FORM3
from fiscotool.devnet.log import NodeLog
from fiscotool.devnet.outgoing import SignedOutgoing
from fiscotool.ledger.crypto import keccak256
from fiscotool.pbft.messages import CheckPoint, Commit, Message, NewView, Prepare, PrePrepare, ViewChange
from fiscotool.pbft.types import Digest, NodeIndex, View

__all__ = ["Bent", "announce", "bent_facade", "claimed_height", "forged_block"]

LIE_BLOCKS: Final = 100
"""How much higher than it is `lie-height` says to be."""

FAR_VIEWS: Final = 1000
"""How much further than it is due the views are that `far-view` asks for."""

_REMEMBERED_MAX: Final = 4096
_Facade = TypeVar("_Facade", bound=NodeFacade)


def announce(node_log: NodeLog, kind: str) -> None:
    """The banner in the log."""
    node_log.warning("FISCOTOOL][BYZANTINE", f"######## this node misbehaves on purpose: {kind} ########", kind=kind)


def twin_of(proposed: PrePrepare, form: BlockForm = FORM3) -> PrePrepare:
    """The same block one millisecond later: equally valid, with another hash."""
    digest, data = form.twin(proposed.proposal.data)
    proposal = replace(proposed.proposal, digest=Digest(digest), data=data)
    return replace(proposed, digest=proposal.digest, proposal=proposal)


class Bent:
    """The way out of a misbehaving node (`driver.Outgoing`). `kind` is one of the first three or the last three."""

    def __init__(self, straight: SignedOutgoing, kind: str, form: BlockForm = FORM3) -> None:
        self.kind = kind
        self._form = form
        self._straight = straight
        self._echoed: dict[tuple[type, int, int, int, bytes], None] = {}

    def broadcast(self, message: Message) -> Message:
        """What an honest node would send, bent."""
        if self.kind == "drop-commits":
            return self._straight.sign(message)[0] if isinstance(message, Commit) else self._straight.broadcast(message)
        if self.kind == "equivocate" and isinstance(message, PrePrepare) and not message.proposal.is_filler:
            return self._equivocate(message)
        if self.kind == "stutter" and isinstance(message, PrePrepare) and not message.proposal.is_filler:
            signed = self._straight.broadcast(message)
            self._to_all(twin_of(message, self._form))
            return signed
        if self.kind == "far-view" and isinstance(message, ViewChange):
            self._to_all(replace(message, view=View(message.view + FAR_VIEWS)))
            return self._straight.sign(message)[0]
        if self.kind == "usurp" and isinstance(message, NewView):
            self._to_all(replace(message, preprepares=()))
            return self._straight.sign(message)[0]
        if self._is_two_faced and isinstance(message, (Prepare, Commit, CheckPoint)):
            return self._straight.sign(message)[0]  # Each peer gets a vote when it has voted itself: see on_heard.
        return self._straight.broadcast(message)

    def send(self, to: NodeIndex, message: Message) -> None:
        """To one sealer, as always."""
        self._straight.send(to, message)

    def _to_all(self, message: Message) -> None:
        """To every other sealer, without being heard here."""
        _, data = self._straight.sign(message)
        for _, node_id in self._straight.others():
            self._straight.deliver(node_id, data)

    def _equivocate(self, proposed: PrePrepare) -> Message:
        signed, data = self._straight.sign(proposed)
        _, twin = self._straight.sign(twin_of(proposed, self._form))
        others = self._straight.others()
        for position, (_, node_id) in enumerate(others):
            is_chosen = position == proposed.index % len(others)
            self._straight.deliver(node_id, data if is_chosen else twin)
        return signed

    @property
    def _is_two_faced(self) -> bool:
        return self.kind in {"equivocate", "double-sign"}

    def on_heard(self, message: Message, payload: bytes) -> None:
        """A vote of a peer: give it ours for the same hash, once."""
        del payload
        if not self._is_two_faced or not isinstance(message, (Prepare, Commit, CheckPoint)):
            return
        # A checkpoint binds its height whatever the view; the other votes bind height and view.
        key = (type(message), message.index, 0 if isinstance(message, CheckPoint) else message.view, message.sender, message.digest)
        own = self._straight.own_index()
        if own is None or key in self._echoed:
            return
        self._echoed[key] = None
        if len(self._echoed) > _REMEMBERED_MAX:
            del self._echoed[next(iter(self._echoed))]
        echo = replace(message, sender=own, signature=b"")
        self._straight.send(message.sender, echo)
        if self.kind == "double-sign":
            self._straight.send(message.sender, replace(echo, digest=Digest(keccak256(message.digest))))


def forged_header(header: Any) -> Any:
    """A header with another state root, and signatures that were made for the right one."""
    if header.number == 0:
        return header
    return replace(header, state_root=keccak256(b"forged" + header.state_root))


def forged_block(raw: bytes, form: BlockForm = FORM3) -> bytes:
    """A block as `forge-block` serves it to peers."""
    header, transactions = form.decode_block(raw)
    return form.encode_block(forged_header(header), transactions)


def claimed_height(kind: str, height: int) -> int:
    """The height a node of this kind tells its peers."""
    return height + LIE_BLOCKS if kind in {"lie-height", "forge-empty"} else height


class _Delegate:
    """Everything not bent is the honest one's."""

    def __init__(self, honest: Any, kind: str) -> None:
        self._honest = honest
        self._kind = kind

    def __getattr__(self, name: str) -> Any:
        return getattr(self._honest, name)


class _BentLedger(_Delegate):
    """A ledger as forge-block or lie-height shows it by RPC."""

    @property
    def height(self) -> int:
        """The claimed height."""
        return claimed_height(self._kind, int(self._honest.height))

    def header(self, number: int) -> Any:
        """The forged header."""
        header = self._honest.header(number)
        return forged_header(header) if self._kind == "forge-block" and header is not None else header


class BentFacade(_Delegate):
    """A node as its RPC sees it when it lies (`contracts.NodeFacade`)."""

    @property
    def ledger(self) -> LedgerReader:
        """The bent ledger."""
        return cast("LedgerReader", _BentLedger(self._honest.ledger, self._kind))

    def consensus_status(self) -> Any:
        """The status with the claimed height."""
        told = self._honest.consensus_status()
        return replace(told, height=claimed_height(self._kind, told.height))


def bent_facade(honest: _Facade, kind: str) -> _Facade:
    """The facade for this kind of misbehaviour; the honest one where RPC is not concerned."""
    return cast("_Facade", BentFacade(honest, kind)) if kind in {"forge-block", "lie-height"} else honest
