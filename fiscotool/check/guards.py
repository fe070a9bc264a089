"""Which conjunct of a guard was ever the deciding one: a guard that never decides might as well not be there.

An action's guard is a conjunction. For one binding of its quantifiers a conjunct decides when it alone is false: were it not there, the
step would be taken. This is the modified condition/decision coverage of software testing, counted over all states of a walk.

Sources: observables.md, sections 1.4 and 4 (non-vacuity); Chilenski and Miller, Applicability of modified condition/decision coverage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

Counts = tuple[tuple[str, int], ...]
"""(name, how often), sorted by name."""


def guard_name(action: str, conjunct: str) -> str:
    """How a conjunct is called: `Commit: 2F prepares`."""
    return f"{action}: {conjunct.replace('_', ' ')}"


class Guards:
    """Evaluates guards and remembers which conjuncts decided since the last `take`."""

    def __init__(self) -> None:
        self._decided: dict[str, int] = {}

    def allow(self, action: str, **conjuncts: bool) -> bool:
        """Whether all conjuncts hold. Their names are Python names; an underscore stands for a blank."""
        refusing = ""
        for name, holds in conjuncts.items():
            if not holds:
                if refusing:
                    return False
                refusing = name
        if not refusing:
            return True
        told = guard_name(action, refusing)
        self._decided[told] = self._decided.get(told, 0) + 1
        return False

    def take(self) -> Counts:
        """What decided how often; forgets it."""
        decided = tuple(sorted(self._decided.items()))
        self._decided.clear()
        return decided


def some_of(bits: int) -> Callable[[int], bool]:
    """A goal: a state has one of these bits."""
    return lambda state: bool(state & bits)


def guard_names(conjuncts: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """All names, from the conjuncts of each action."""
    return tuple(guard_name(action, name) for action, names in conjuncts.items() for name in names)
