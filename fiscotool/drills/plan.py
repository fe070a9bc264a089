"""A drill as data: what to break, for how long, and when the next thing may happen.

Rule. Steps wait for conditions, never for guessed times; a step's bound is the time after which the drill goes on and says so
      (the judge decides what a condition that never came true means).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from fiscotool.drills.fault import FaultKind


class Pick(Enum):
    """Which nodes a step is about, decided when it runs."""

    LEADER = "leader"
    FOLLOWER = "follower"
    EVERY = "every"


@dataclass(frozen=True, slots=True)
class AwaitBlocks:
    """Go on when the chain has made `count` more blocks, or after `within_s`."""

    count: int
    within_s: float


@dataclass(frozen=True, slots=True)
class Break:
    """Inject `kind` on the picked node (EVERY: on each, at once)."""

    kind: FaultKind
    pick: Pick


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep the chain as it is for this long: the time under the fault is the experiment itself."""

    for_s: float


@dataclass(frozen=True, slots=True)
class Heal:
    """Heal every open fault, the oldest first."""


@dataclass(frozen=True, slots=True)
class AwaitRecovered:
    """Go on when every node answers, is in one view, not in timeout and at one height (give or take a block under way)."""

    within_s: float


@dataclass(frozen=True, slots=True)
class ForEachNode:
    """Run the steps once for every node in turn; Pick means that node."""

    kind: FaultKind
    hold_s: float
    recover_within_s: float


Step = AwaitBlocks | Break | Hold | Heal | AwaitRecovered | ForEachNode


@dataclass(frozen=True, slots=True)
class Drill:
    """A named experiment. `expectation` says what PBFT promises here; the verdict comes from the judge, not from this text."""

    name: str
    title: str
    title_zh: str
    expectation: str
    expectation_zh: str
    steps: tuple[Step, ...]
    nodes_min: int = 4
    rate_per_s: float = 5.0
