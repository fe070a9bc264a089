"""What a mutant is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from fiscotool.mutants.planter import Planter
from fiscotool.pbft.rules import Quirk

Step = Callable[[Any, Any], tuple[Any, tuple[Any, ...]]]
"""`step` of a dialect."""


class Kind(Enum):
    """What a mutant endangers first."""

    SAFETY = "safety"
    """Two correct replicas may differ, or a proof means less than it says."""
    LIVENESS = "liveness"
    """The chain may stand still, or change views for nothing."""
    DURABILITY = "durability"
    """A restart may undo a promise."""
    CONFORMANCE = "conformance"
    """It does what PBFT of this dialect does not do; harm needs more."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One wrong thing.

    `apply` replaces functions of the core; `switch` is a hole the core has as a `Quirk`; `wrap` goes around `step` where the core's own
    assertions would stop the bug before anyone could judge it; `wire_switch` names a hole of the embedded node around the core. Exactly one
    of the four is given. `needs_byzantine` says that without a lying replica nothing can come of it.
    """

    name: str
    title: str
    kind: Kind
    source: str
    dialect: str = "fisco3"
    needs_byzantine: bool = False
    apply: Callable[[Planter], None] | None = None
    switch: Quirk | None = None
    wrap: Callable[[Step], Step] | None = None
    wire_switch: str = ""

    def __post_init__(self) -> None:
        """One way in."""
        ways = (self.apply, self.switch, self.wrap, self.wire_switch or None)
        assert sum(way is not None for way in ways) == 1, self.name
