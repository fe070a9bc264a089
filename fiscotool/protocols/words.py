"""The vocabulary of `pbft` with other protocols' messages in it.

Events and effects of the core are annotated for PBFT's messages. At run time they carry any frozen value that has `sender`, `view` and
`index`, so the protocols of this room use them as they are; the casts that this takes are here and nowhere else.

Sources: `pbft.events`, `pbft.effects`.
"""

from __future__ import annotations

from typing import Any, Final, Protocol, cast

from fiscotool.pbft.effects import AgreedIndex, Broadcast, Effect, Reject, RejectReason, Remember, Send, StandRecord
from fiscotool.pbft.events import Received
from fiscotool.pbft.types import Height, NodeIndex

EVERYTHING: Final = Height(2**62)
"""Told to block synchronisation: these protocols bring every height to every replica themselves, nothing need be fetched."""

BRINGS_EVERYTHING: Final = AgreedIndex(EVERYTHING)
"""The effect that says so."""

RETRY_TICKS: Final = 20
"""How long after a failed execution it is tried again, as in fisco3."""


class Spoken(Protocol):
    """What every message has: who sent it, and the view (Raft: term) and height it is about."""

    @property
    def sender(self) -> NodeIndex:
        """Who sent it."""


def broadcast(message: Spoken) -> Broadcast:
    """Sign, send to every other replica, hand back to this one."""
    return Broadcast(cast("Any", message))


def send(to: NodeIndex, message: Spoken) -> Send:
    """Sign and send to one replica; what goes to oneself is handed back."""
    return Send(to, cast("Any", message))


def reject(message: Spoken, reason: RejectReason) -> Reject:
    """The message was not used."""
    return Reject(cast("Any", message), reason)


def received(message: Spoken) -> Received:
    """The message as an event, for drivers and tests."""
    return Received(cast("Any", message))


def remember(record: object) -> Remember:
    """Make a record of this room durable before anything later is done."""
    return Remember(cast("StandRecord", record))


def message_of(effect: Effect) -> object | None:
    """The message that an effect sends, None for one that sends nothing."""
    return effect.message if isinstance(effect, Broadcast | Send) else None
