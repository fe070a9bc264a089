"""What happened, as text that is the same on every machine: one line a step, and one SHA-256 over all lines.

    12034 2 <Prepare from=1 v=3 h=7 4f1d3c22 >Persist >*Commit >SetTimer

is: at tick 12034 replica 2 received a Prepare of replica 1; it made a record durable, broadcast (`*`) a Commit, armed a timer.

Rule. A line depends on values only: numbers, names and digests; never on addresses, hashes of objects, or the order of a set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final

from fiscotool.pbft import effects as do
from fiscotool.pbft import events as ev

LINES_A_CHUNK: Final = 512
"""Lines are hashed in chunks; one call of the hash function a line would cost more than the line."""


def _message(message: Any) -> str:
    digest = getattr(message, "digest", b"")
    view = getattr(message, "view", "-")
    return f"{type(message).__name__} from={message.sender} v={view} h={message.index} {digest[:4].hex()}"


def _received(event: ev.Received) -> str:
    return "<" + _message(event.message)


EVENT_TEXT: Final[dict[type, Callable[[Any], str]]] = {
    ev.Received: _received,
    ev.Proposed: lambda event: f"Proposed h={event.proposal.index} {event.proposal.digest[:4].hex()}",
    ev.Verified: lambda event: f"Verified h={event.index} {event.digest[:4].hex()} {event.is_valid}",
    ev.Executed: lambda event: f"Executed h={event.index} {(event.block_hash or b'')[:4].hex()}",
    ev.LedgerAdvanced: lambda event: f"LedgerAdvanced h={event.index} {event.block_hash[:4].hex()} sync={event.by_sync}",
    ev.TimerFired: lambda event: f"TimerFired {event.name.value} {event.epoch}",
    ev.PoolSize: lambda event: f"PoolSize {event.count}",
    ev.FillersBuilt: lambda event: f"FillersBuilt v={event.view} {[proposal.index for proposal in event.proposals]}",
    ev.SyncTarget: lambda event: f"SyncTarget h={event.index}",
    ev.PeersChanged: lambda event: f"PeersChanged {sorted(event.connected)} {sorted(event.faulty)}",
    ev.Started: lambda _event: "Started",
}
"""The text of each event; the architecture of the core lets no other exist."""


def _effect(effect: do.Effect) -> str:
    if isinstance(effect, do.Broadcast):
        return " >*" + type(effect.message).__name__
    if isinstance(effect, do.Send):
        return f" >{effect.to}:{type(effect.message).__name__}"
    if isinstance(effect, do.Reject):
        return " !" + effect.reason.name
    return " >" + type(effect).__name__


class EventLog:
    """Collects lines; `write`, when given, gets every chunk as text."""

    def __init__(self, write: Callable[[str], object] | None = None) -> None:
        self._write = write
        self._hash = hashlib.sha256()
        self._lines: list[str] = []

    def note(self, now: int, node: int, text: str) -> None:
        """Something the world did: a crash, a partition."""
        self._lines.append(f"{now} {node} # {text}\n")

    def step(self, now: int, node: int, event: ev.Event, effects: tuple[do.Effect, ...]) -> None:
        """One step of a replica."""
        text = EVENT_TEXT[type(event)](event)
        if effects:
            text += "".join([_effect(effect) for effect in effects])
        lines = self._lines
        lines.append(f"{now} {node} {text}\n")
        if len(lines) >= LINES_A_CHUNK:
            self._flush()

    def digest(self) -> str:
        """SHA-256 of all lines so far, in hexadecimal."""
        self._flush()
        return self._hash.hexdigest()

    def _flush(self) -> None:
        chunk = "".join(self._lines)
        self._lines.clear()
        self._hash.update(chunk.encode())
        if self._write is not None and chunk:
            self._write(chunk)
