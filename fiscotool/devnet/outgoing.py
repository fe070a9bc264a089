"""The honest way out: sign each message once, send it to the sealers it is for.

Rule. A broadcast reaches the other sealers only, not observers (upstream: `broadcastMessage(CONSENSUS_NODE, …)`, spec 3.x 1.2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from fiscotool.devnet.envelope import Envelope
from fiscotool.devnet.frames import Module
from fiscotool.pbft.messages import Message
from fiscotool.pbft.types import NodeIndex

__all__ = ["PeerSender", "SignedOutgoing"]


class PeerSender(Protocol):
    """What carries frames (`peers.Peers`)."""

    def send(self, node_id: bytes, module: int, payload: bytes) -> bool:
        """Send to one peer. False when it is not connected."""


class SignedOutgoing:
    """Signs and sends. `sealers` gives the node ids in force, by index; `now_ms` milliseconds since the epoch."""

    def __init__(
        self, envelope: Envelope, peers: PeerSender, *, own_id: bytes, sealers: Callable[[], Sequence[bytes]], now_ms: Callable[[], int]
    ) -> None:
        self._envelope = envelope
        self._peers = peers
        self._own_id = own_id
        self._sealers = sealers
        self._now_ms = now_ms

    def sign(self, message: Message) -> tuple[Message, bytes]:
        """The message as signed, and its bytes."""
        return self._envelope.sign(message, self._now_ms())

    def proof(self, view: int, index: int, digest: bytes) -> bytes:
        """What this node's Prepare contributes to a certificate."""
        return self._envelope.proof(view, index, digest)

    def others(self) -> list[tuple[NodeIndex, bytes]]:
        """Index and node id of every other sealer."""
        return [(NodeIndex(index), node_id) for index, node_id in enumerate(self._sealers()) if node_id != self._own_id]

    def own_index(self) -> NodeIndex | None:
        """This replica's index, or None when it is not a sealer."""
        ids = list(self._sealers())
        return NodeIndex(ids.index(self._own_id)) if self._own_id in ids else None

    def deliver(self, to: bytes, data: bytes) -> None:
        """Send signed bytes to a node; it is no error when it is not connected."""
        self._peers.send(to, Module.PBFT, data)

    def broadcast(self, message: Message) -> Message:
        """Sign and send to all other sealers; returns the message as this replica hears it."""
        signed, data = self.sign(message)
        for _, node_id in self.others():
            self.deliver(node_id, data)
        return signed

    def send(self, to: NodeIndex, message: Message) -> None:
        """Sign and send to one sealer."""
        _, data = self.sign(message)
        for index, node_id in self.others():
            if index == to:
                self.deliver(node_id, data)
