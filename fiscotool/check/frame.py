"""What every packed model of a protocol has: parts with the bits each reads, steps told once for each value of these bits, verdicts kept.

A part is (replica, kind of step, height); height 0 where a kind is of no one height. A subclass fills `part_names` and `_masks`, and says
in `_steps` what a part can do; a model whose messages get their bits as they are made calls `widen`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import ClassVar

from fiscotool.check.guards import Guards
from fiscotool.check.howard_bits import Step
from fiscotool.check.packed import Moves

Part = tuple[int, str, int]
"""(replica, kind, height)"""


class PackedFrame(ABC):
    """A `check.packed.PackedModel` but for its layout and its rules."""

    actions: ClassVar[tuple[str, ...]]
    guards: ClassVar[tuple[str, ...]]

    def __init__(self) -> None:
        self._guards = Guards()
        self.part_names: list[Part] = []
        self._masks: list[int] = []

    @property
    def parts(self) -> int:
        """How many parts act independently."""
        return len(self.part_names)

    def mask(self, part: int) -> int:
        """What a part reads or writes."""
        return self._masks[part]

    def widen(self, reads: Callable[[Part], bool], at: int) -> None:
        """Shows a new bit to the parts that read it."""
        for part, named in enumerate(self.part_names):
            if reads(named):
                self._masks[part] |= 1 << at

    def moves(self, part: int, seen: int) -> Moves:
        """All steps of a part, as differences."""
        self._guards.take()
        steps = list(self._steps(part, seen))
        counts: dict[str, int] = {}
        for action, _, _ in steps:
            counts[action] = counts.get(action, 0) + 1
        differences = dict.fromkeys(after - seen for _, _, after in steps)
        differences.pop(0, None)
        return Moves(len(steps), tuple(differences), tuple(counts.items()), self._guards.take())

    def explain(self, part: int, seen: int) -> list[Step]:
        """All steps of a part with their labels."""
        i = self.part_names[part][0]
        return [(action, f"node{i} {label}", after - seen) for action, label, after in self._steps(part, seen)]

    @abstractmethod
    def render(self, state: int) -> str:
        """A state in one readable line."""

    @abstractmethod
    def _steps(self, part: int, s: int) -> Iterator[Step]:
        """All steps of a part: action, label, state after."""


class Asked:
    """A property of states that reads some of their bits, asked once for each value of these."""

    def __init__(self, bits: int, holds: Callable[[int], bool]) -> None:
        self._bits = bits
        self._holds = holds
        self._known: dict[int, bool] = {}

    def __call__(self, state: int) -> bool:
        """Whether it holds."""
        told = state & self._bits
        known = self._known.get(told)
        if known is None:
            known = self._known[told] = self._holds(told)
        return known
