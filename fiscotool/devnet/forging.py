"""Nodes that forge bytes: what is wrong is not in any message a core would understand, but in how it is written or signed.

    retype            repeats every Prepare it hears as an answer to a question for the view (FIB-134)
    forge-signature   asks for a view in the name of each sealer it hears, with the signature that one made under something else (F3)
    forge-empty       says it is higher than it is, and serves empty blocks that nobody signed (H2)

All are refused by a sound node; the holes are `settings.WireQuirk`.

Sources: spec 3.x 1.4, 1.16, 1.17; observables 2.1 (H2), 2.2 (F3).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from google.protobuf.message import DecodeError

from fiscotool.devnet.contracts import LedgerStore
from fiscotool.devnet.outgoing import SignedOutgoing
from fiscotool.devnet.proto import pbft_pb2 as pb
from fiscotool.devnet.state import state_root
from fiscotool.devnet.wire import PacketType, encode_message
from fiscotool.pbft.messages import Message, Prepare, ViewChange
from fiscotool.pbft.types import NodeIndex, View

__all__ = ["FORGED_VIEWS", "Forging", "forged_empty_block"]

FORGED_VIEWS: Final = 1_000
"""How much further than the present one the views are that others seem to ask for."""


class Forging:
    """The honest way out, with forged bytes beside (`driver.Outgoing`)."""

    def __init__(self, straight: SignedOutgoing, kind: str, *, state: Callable[[], Any], now_ms: Callable[[], int]) -> None:
        self.kind = kind
        self._straight = straight
        self._state = state
        self._now_ms = now_ms

    def broadcast(self, message: Message) -> Message:
        """As always."""
        return self._straight.broadcast(message)

    def send(self, to: NodeIndex, message: Message) -> None:
        """As always."""
        self._straight.send(to, message)

    def on_heard(self, message: Message, payload: bytes) -> None:
        """A Prepare of a peer, which everybody else has heard and verified, too."""
        if not isinstance(message, Prepare):
            return
        forged = self._retyped(payload) if self.kind == "retype" else self._asked(message, payload)
        for index, node_id in self._straight.others():
            if index != message.sender:
                self._straight.deliver(node_id, forged)

    def _retyped(self, payload: bytes) -> bytes:
        raw = pb.RawMessage.FromString(payload)
        raw.type = PacketType.RECOVER_RESPONSE
        data: bytes = raw.SerializeToString()
        return data

    def _asked(self, message: Prepare, payload: bytes) -> bytes:
        """A ViewChange of who sent the Prepare, under the Prepare's signature."""
        state = self._state()
        asked = ViewChange(View(message.view + FORGED_VIEWS), state.height, state.block_hash, message.sender)
        try:
            signature = pb.RawMessage.FromString(payload).signatureData
        except DecodeError:
            return payload
        raw = pb.RawMessage(type=PacketType.VIEW_CHANGE, signatureData=signature, payLoad=encode_message(asked, self._now_ms()))
        data: bytes = raw.SerializeToString()
        return data


def forged_empty_block(ledger: LedgerStore, number: int, me: NodeIndex, now_ms: int) -> bytes | None:
    """An empty block on top of our block `number` - 1, signed by nobody; None when that block is not here."""
    form, parent = ledger.form, ledger.header(number - 1)
    if parent is None:
        return None
    parent_hash = form.hash_header(parent)
    proposed = form.proposed_header(number, int(me), ledger.config, now_ms, [], parent_hash)
    executed = form.executed_header(form.on_parent(proposed, parent_hash), [], [], state_root({}, {}, {}), 0)
    raw: bytes = form.encode_block(form.with_signatures(executed, ()), [])
    return raw
