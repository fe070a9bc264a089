"""Tells the log what a core of any protocol does, in words of a real node, so that logs of all are read alike.

    fisco3    `narration.Narrator`, the words of FISCO BCOS 3.x
    fisco2    `narration2.Narrator2`, those of 2.x
    classic   `narration_classic.ClassicNarrator`, those of 3.x for what means the same

Rule. Everything is derived from events, effects and the difference of two states; the core itself knows nothing of logs.

Sources: spec 3.x 5.1; spec 2.x 5.
"""

from __future__ import annotations

from typing import Any, Protocol

from fiscotool.devnet.log import NodeLog
from fiscotool.devnet.narration import Narrator
from fiscotool.devnet.narration2 import Narrator2
from fiscotool.devnet.narration_classic import ClassicNarrator
from fiscotool.devnet.proposals import ContentCache
from fiscotool.pbft.effects import Effect
from fiscotool.pbft.events import Event

__all__ = ["AnyNarrator", "make_narrator"]


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
    return ClassicNarrator(log, node_id) if protocol == "classic" else Narrator(log, node_id, contents)
