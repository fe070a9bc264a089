"""What the parts of the simulator need of the whole: a clock, randomness, the replicas, and a way to hand in events.

`cluster.Cluster` is the one implementation; `workplace` and `adversary` are written against this.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from fiscotool.pbft.events import Event
from fiscotool.sim.replica import Block, Replica


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a replica's own work takes, in ticks; `seal_ticks` is FISCO's min_seal_time."""

    seal_ticks: int = 50
    verify_ticks: int = 1
    execute_ticks: int = 2
    commit_ticks: int = 2
    sync_ticks: int = 20
    block_txs_max: int = 3


class World(Protocol):
    """The surroundings of one replica."""

    rng: random.Random
    pace: Pace
    replicas: list[Replica]

    def after(self, ticks: int, action: Callable[[], None]) -> None:
        """Do something later."""

    def schedule(self, ticks: int, function: Callable[[Any, Any], None], first: Any, second: Any) -> None:
        """Do something with two arguments later."""

    def post(self, replica: Replica, event: Event, ticks: int = 0) -> None:
        """Give a replica an event later, if it still lives this life then."""

    def is_reachable(self, sender: int, receiver: int) -> bool:
        """Whether both are up and the link between them is."""

    def commit(self, replica: Replica, block: Block, *, by_sync: bool) -> None:
        """Write a block to a replica's ledger and tell its core."""
