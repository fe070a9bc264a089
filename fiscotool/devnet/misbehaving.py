"""Which way out a misbehaving node has, and which blocks it serves: the modes of `byzantine`, `lying` and `forging` by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from fiscotool.devnet.byzantine import Bent, claimed_height, forged_block
from fiscotool.devnet.clocks import now_ms
from fiscotool.devnet.contracts import LedgerStore
from fiscotool.devnet.forging import Forging, forged_empty_block
from fiscotool.devnet.outgoing import SignedOutgoing
from fiscotool.pbft.messages import Message
from fiscotool.pbft.types import NodeIndex

__all__ = ["FORGING", "WayOut", "make_liar", "serve_block", "served_until"]

FORGING: Final = ("retype", "forge-signature")
"""Modes that forge bytes of messages."""

_BEYOND: Final = "forge-empty"


class WayOut(Protocol):
    """How messages leave (`driver.Outgoing`), told what is heard."""

    def broadcast(self, message: Message) -> Message:
        """Sign and send to all other sealers; returns the message for this replica to hear."""

    def send(self, to: NodeIndex, message: Message) -> None:
        """Sign and send to one sealer."""

    def on_heard(self, message: Message, payload: bytes) -> None:
        """A peer's authentic message, and its bytes."""


def make_liar(signed: SignedOutgoing, kind: str, store: LedgerStore, state: Callable[[], Any]) -> WayOut | None:
    """The way out for this mode; None for an honest node. `state` is the replica's present one."""
    if not kind:
        return None
    if kind in FORGING:
        return Forging(signed, kind, state=state, now_ms=now_ms)
    from fiscotool.devnet.lying import STRATEGIES, Lying  # Needs the simulator, which honest nodes do not load.

    if kind in STRATEGIES:
        return Lying(signed, kind, store, state=state, now_ms=now_ms)
    return Bent(signed, kind, store.form)


def served_until(kind: str, height: int) -> int:
    """The last block a node of this mode serves."""
    return claimed_height(kind, height) if kind == _BEYOND else height


def serve_block(store: LedgerStore, kind: str, number: int) -> bytes | None:
    """The encoded block it gives to a peer; None when it has none."""
    if kind == _BEYOND:
        return forged_empty_block(store, number, NodeIndex(0), now_ms())
    raw = store.encoded_block(number)
    return forged_block(raw, store.form) if kind == "forge-block" else raw
