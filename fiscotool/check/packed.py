"""Walk every schedule of a packed model: states are integers, a level is a set, successors are sums.

An action reads few of a state's bits: those of one replica and of some messages. So a model is cut into parts and says which bits each
part reads or writes. What a part can do is worked out once for each value of its bits and kept: how many states that generates, and
the differences to add to a state to get the new ones. The rest is the interpreter's own set arithmetic; generated states are
counted from what is kept, never by making them.

Laws: what a part can do depends on no bit outside its mask; it changes bits outside its mask only from 0 to 1, and only those that no
other step sets; the sets of two levels are disjoint.

The walk remembers levels, not predecessors: the way to a state is found backwards, level by level.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from fiscotool.check.explore import Progress
from fiscotool.check.model import Exploration, Taken, Violation


@dataclass(frozen=True, slots=True)
class Moves:
    """What one part of the system can do in one situation.

    generated       states generated, self-loops and repetitions included
    differences     what to add to a state to get each new one; no zero, nothing twice
    taken           (action, how often) for the statistics
    """

    generated: int
    differences: tuple[int, ...]
    taken: tuple[tuple[str, int], ...] = ()


class PackedModel(Protocol):
    """A model in integers."""

    @property
    def actions(self) -> tuple[str, ...]:
        """Names of all actions."""

    @property
    def parts(self) -> int:
        """How many parts act independently."""

    def initial(self) -> int:
        """The state everything begins in."""

    def mask(self, part: int) -> int:
        """The bits a part reads. May grow while a walk goes on, by bits that no earlier state has set."""

    def moves(self, part: int, seen: int) -> Moves:
        """What a part can do when its bits are `seen`."""

    def explain(self, part: int, seen: int) -> list[tuple[str, str, int]]:
        """(action, label, difference) of every generated state, for a counterexample."""


def explore_packed(
    model: PackedModel,
    holds: Callable[[int], bool] | None = None,
    *,
    states_max: int | None = None,
    on_level: Progress | None = None,
    name: str = "invariant",
) -> Exploration[int]:
    """Every reachable state, or a shortest way to one in which `holds` is false."""
    known: list[set[int]] = []
    seen: set[int] = set()
    tables: list[dict[int, Moves]] = [{} for _ in range(model.parts)]
    taken = dict.fromkeys(model.actions, 0)
    generated, level = 1, {model.initial()}
    while level:
        known.append(level)
        seen |= level
        bad = min((state for state in level if not holds(state)), default=None) if holds else None
        if bad is not None or (states_max is not None and len(seen) >= states_max):
            violation = Violation(name, way_to(model, known, bad)) if bad is not None else None
            return Exploration(generated, len(seen), tuple(map(len, known)), taken, {}, violation, is_complete=False)
        following: set[int] = set()
        for part, table in enumerate(tables):
            generated += _expand(model, part, table, level, following, taken)
        following -= seen
        level = following
        if on_level:
            on_level(len(known), len(seen), generated)
    return Exploration(generated, len(seen), tuple(map(len, known)), taken)


def _expand(model: PackedModel, part: int, table: dict[int, Moves], level: set[int], following: set[int], taken: dict[str, int]) -> int:
    """Adds to `following` whatever `part` can make of the states of `level`. Returns how many states that generated."""
    mask = model.mask(part)
    groups: dict[int, list[int]] = {}
    for state in level:
        groups.setdefault(state & mask, []).append(state)
    generated = 0
    for bits, states in groups.items():
        moves = table.get(bits)
        if moves is None:
            moves = table[bits] = model.moves(part, bits)
        generated += moves.generated * len(states)
        for action, count in moves.taken:
            taken[action] += count * len(states)
        for difference in moves.differences:
            following.update(map(difference.__add__, states))
    return generated


def way_to(model: PackedModel, levels: Sequence[set[int]], target: int) -> tuple[Taken[int], ...]:
    """The steps from the initial state to `target`, which is in the last of `levels`."""
    steps: list[Taken[int]] = []
    for level in reversed(levels[:-1]):
        step, target = _step_into(model, level, target)
        steps.append(step)
    return tuple(reversed(steps))


def _step_into(model: PackedModel, level: set[int], target: int) -> tuple[Taken[int], int]:
    """A state of `level` from which one step leads to `target`, and that step."""
    for state in sorted(level):
        for part in range(model.parts):
            for action, label, difference in model.explain(part, state & model.mask(part)):
                if state + difference == target:
                    return Taken(action, label, target), state
    raise AssertionError("a state of a level was not reached from the one before")  # pragma: no cover
