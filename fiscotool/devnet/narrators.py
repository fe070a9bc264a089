"""Tells the log what a core of any protocol does: the real node's words where there is a real node, plain ones else.

    fisco3    `narration.Narrator`, the words of FISCO BCOS 3.x
    fisco2    `narration2.Narrator2`, those of 2.x
    others    `PlainNarrator`: the same fields, one line an event worth telling

Rule. Everything is derived from events, effects and the difference of two states; the core itself knows nothing of logs.

Sources: spec 3.x 5.1; OSDI'99 sections 4.2 to 4.4 for the words of `classic`.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

from fiscotool.devnet.log import NodeLog, short_hash
from fiscotool.devnet.narration import Narrator, message_fields
from fiscotool.devnet.narration2 import Narrator2
from fiscotool.devnet.proposals import ContentCache
from fiscotool.pbft.dialects import CommonState
from fiscotool.pbft.effects import Broadcast, CommitBlock, Effect, Persist, Reject, SealRange, Send, VoteRecord
from fiscotool.pbft.events import Event, LedgerAdvanced, Received, TimerFired, TimerName
from fiscotool.pbft.messages import NewView, ViewChange

__all__ = ["AnyNarrator", "PlainNarrator", "make_narrator"]

_PBFT: Final = "CONSENSUS][PBFT"


class AnyNarrator(Protocol):
    """The driver's witness, which also tells of the start."""

    def started(self, state: Any) -> None:
        """The process has loaded its ledger."""

    def on_step(self, before: Any, event: Event, after: Any, effects: tuple[Effect, ...]) -> None:
        """The core has taken a step."""

    def on_applied(self, state: Any, effect: Effect) -> None:
        """An effect is being applied."""


def make_narrator(protocol: str, log: NodeLog, node_id: bytes, contents: ContentCache) -> AnyNarrator:
    """The narrator for a protocol."""
    if protocol == "fisco2":
        return Narrator2(log, node_id, contents)
    return Narrator(log, node_id, contents) if protocol == "fisco3" else PlainNarrator(protocol, log, node_id)


class PlainNarrator:
    """One line for what an operator asks of: proposals, votes that leave, locks, blocks, views, time-outs."""

    def __init__(self, protocol: str, log: NodeLog, node_id: bytes) -> None:
        self._protocol = protocol
        self._log = log
        self._node_id = node_id.hex()[:8] + "..."

    def _state(self, state: CommonState) -> dict[str, Any]:
        return {
            "committedIndex": state.height,
            "view": state.view,
            "toView": state.to_view,
            "changeCycle": state.change_cycle,
            "timeout": state.in_timeout,
            "Idx": "none" if state.me is None else state.me,
            "nodeId": self._node_id,
        }

    def started(self, state: CommonState) -> None:
        """The process has loaded its ledger."""
        self._log.info(_PBFT, f"init {self._protocol} success", **self._state(state))

    def on_step(self, before: CommonState, event: Event, after: CommonState, effects: tuple[Effect, ...]) -> None:
        """The core has taken a step."""
        if not self._log.is_shown("info"):
            return
        if isinstance(event, LedgerAdvanced):
            self._log.info(f"{_PBFT}][METRIC", "^^^^^^^^Report", hash=short_hash(event.block_hash), **self._state(after))
        elif isinstance(event, TimerFired) and event.name is TimerName.VIEW and after.to_view > before.to_view:
            self._log.warning(_PBFT, "After onTimeout", **self._state(after))
        elif isinstance(event, Received) and isinstance(event.message, ViewChange | NewView) and after is not before:
            name = type(event.message).__name__
            self._log.info(_PBFT, f"add{name}", **message_fields(event.message), **self._state(after))
        if after.view != before.view:
            self._log.info(_PBFT, "reachNewView", **self._state(after))
        for effect in effects:
            if isinstance(effect, Reject) and self._log.is_shown("debug"):
                self._log.debug(
                    _PBFT, "message rejected", reason=effect.reason.value, **message_fields(effect.message), **self._state(after)
                )
            elif isinstance(effect, Persist) and isinstance(effect.record, VoteRecord) and effect.record.certificate is not None:
                record = effect.record
                self._log.info(_PBFT, "prepared", index=record.index, view=record.view, hash=short_hash(record.digest))

    def on_applied(self, state: CommonState, effect: Effect) -> None:
        """An effect is being applied: what leaves is told when it leaves."""
        if not self._log.is_shown("info"):
            return
        match effect:
            case Broadcast(message=message):
                self._log.info(_PBFT, f"broadcast {type(message).__name__}", **message_fields(message), **self._state(state))
            case Send(to=to, message=message):
                self._log.info(_PBFT, f"send {type(message).__name__}", dst=to, **message_fields(message), **self._state(state))
            case CommitBlock(index=index, block_hash=block_hash, signatures=signatures):
                self._log.info(_PBFT, "commit block", index=index, hash=short_hash(block_hash), signatures=len(signatures))
            case SealRange(first=first, last=last) if first <= last:
                self._log.info(_PBFT, "notifySealer", startIndex=first, endIndex=last, **self._state(state))
            case _:
                pass
