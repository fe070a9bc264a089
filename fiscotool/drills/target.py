"""What a drill can hurt, as a Protocol: drills reason about a `Target`, only `targets` knows real processes.

Rule. Faults are part of this interface from the start, so that nothing ever bypasses it to hurt a chain by other means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from fiscotool.consistency.observations import Incarnation


@dataclass(frozen=True, slots=True)
class Look:
    """What one node says of itself at a glance. `error` is set, and the rest None, when it does not answer.

    `sealer_count` and `quorum_weight` are of the list of sealers it goes by.
    `node_index` is its position in the sealer list; `leader_index` whom it takes for the leader of the next block.
    """

    name: str
    error: str = ""
    height: int | None = None
    view: int | None = None
    timeout: bool | None = None
    node_index: int | None = None
    leader_index: int | None = None
    connected_count: int | None = None
    sealer_count: int | None = None
    quorum_weight: int | None = None

    @property
    def answers(self) -> bool:
        """Whether the node answered."""
        return not self.error


class Target(Protocol):
    """A running chain that can be hurt and healed. Every call returns only when what it names is confirmed, or raises."""

    @property
    def names(self) -> tuple[str, ...]:
        """The nodes, in the order of their directories."""

    def look(self) -> dict[str, Look]:
        """A glance at every node, all at once; bounded to about a second even when some are frozen."""

    def state_of(self, name: str) -> str:
        """The state of the node's process: "running", "paused" or "stopped"."""

    def incarnation_of(self, name: str) -> Incarnation | None:
        """Which life of the process this is; None when there is none."""

    def start(self, name: str) -> None:
        """Start it and wait until its RPC answers."""

    def stop(self, name: str) -> None:
        """End it cleanly (SIGTERM) and wait until it is gone."""

    def kill(self, name: str) -> None:
        """End it as a crash would (SIGKILL) and wait until it is gone."""

    def pause(self, name: str) -> None:
        """Freeze it (SIGSTOP): its connections stay, it says nothing."""

    def resume(self, name: str) -> None:
        """Let a frozen process go on (SIGCONT)."""
