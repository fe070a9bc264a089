"""Walk every schedule of a packed model: states are integers, a level is a set, successors are sums.

An action reads few of a state's bits: those of one replica and of some messages. So a model is cut into parts and says which bits each
part reads or writes. What a part can do is worked out once for each value of its bits and kept: how many states that generates, and
the differences to add to a state to get the new ones. The rest is the interpreter's own set arithmetic; generated states are
counted from what is kept, never by making them.

Laws: what a part can do depends on no bit outside its mask; it changes bits outside its mask only from 0 to 1, and only those that no
other step sets; the sets of two levels are disjoint.

The walk remembers levels, not predecessors: the way to a state is found backwards, level by level, and then walked forwards, because
with symmetry what stands for a state may not be what a schedule leads to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from fiscotool.check.budget import INTERRUPTED, STATES, Pause, Spent, go_on
from fiscotool.check.explore import Progress
from fiscotool.check.guards import Counts
from fiscotool.check.model import Exploration, Taken, Violation
from fiscotool.check.symmetry import Symmetry


@dataclass(frozen=True, slots=True)
class Moves:
    """What one part of the system can do in one situation.

    generated       states generated, self-loops and repetitions included
    differences     what to add to a state to get each new one; no zero, nothing twice
    taken           (action, how often) for the statistics
    decided         (conjunct of a guard, how often it alone refused a step), likewise
    """

    generated: int
    differences: tuple[int, ...]
    taken: Counts = ()
    decided: Counts = ()


class PackedModel(Protocol):
    """A model in integers."""

    @property
    def actions(self) -> tuple[str, ...]:
        """Names of all actions."""

    @property
    def guards(self) -> tuple[str, ...]:
        """Names of all conjuncts whose decisions `moves` counts."""

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


class Reducible(PackedModel, Protocol):
    """A model that says when one step may go before all others."""

    def is_eager(self, part: int, seen: int) -> bool:
        """Whether a part's first step is independent of every step anyone may ever take before it, and hides no violation.

        It then suffices to take that step alone. The step must set bits only, so that it cannot be put off for ever.
        """


@dataclass(frozen=True)
class Reduction:
    """What a walk may leave out.

    symmetry    keep one state of each orbit
    eager       a model that says which steps need not wait for others: partial-order reduction
    """

    symmetry: Symmetry | None = None
    eager: Reducible | None = None


FULL: Final = Reduction()
"""Leave out nothing."""


def explore_packed(
    model: PackedModel,
    holds: Callable[[int], bool] | None = None,
    *,
    start: int | None = None,
    reduction: Reduction = FULL,
    goals: Mapping[str, Callable[[int], bool]] | None = None,
    states_max: int | None = None,
    on_level: Progress | None = None,
    name: str = "invariant",
    pause: Pause = go_on,
) -> Exploration[int]:
    """Every reachable state, or a shortest way to one in which `holds` is false.

    `start` is where to begin instead of the model's initial state. `goals` are counted in every state that was kept.
    A walk that is interrupted, or that `pause` ends, tells of the levels it has finished.
    """
    known: list[set[int]] = []
    seen: set[int] = set()
    tables: list[dict[int, Moves]] = [{} for _ in range(model.parts)]
    taken, decided = dict.fromkeys(model.actions, 0), dict.fromkeys(model.guards, 0)
    generated, level = 1, _representatives({model.initial() if start is None else start}, reduction.symmetry)
    violation, ended = None, ""
    try:
        while level:
            known.append(level)
            seen |= level
            pause()
            bad = min((state for state in level if not holds(state)), default=None) if holds else None
            if bad is not None:
                violation = Violation(name, way_to(model, known, bad, reduction.symmetry))
                break
            if states_max is not None and len(seen) >= states_max:
                ended = STATES
                break
            made, following = _follow(model, reduction, tables, level, taken, decided, pause)
            following -= seen
            level = _representatives(following, reduction.symmetry) - seen if reduction.symmetry else following
            generated += made
            if on_level:
                on_level(len(known), len(seen), generated)
    except (Spent, KeyboardInterrupt) as early:
        ended = str(early) or INTERRUPTED
    reached = {goal: sum(map(is_there, seen)) for goal, is_there in (goals or {}).items()}
    represented = sum(len(reduction.symmetry.images(state)) for state in seen) if reduction.symmetry else None
    levels = tuple(map(len, known))
    return Exploration(
        generated,
        len(seen),
        levels,
        taken,
        reached,
        violation,
        is_complete=not level and not ended,
        represented=represented,
        decided=decided,
        ended=ended,
    )


def _follow(
    model: PackedModel,
    reduction: Reduction,
    tables: list[dict[int, Moves]],
    level: set[int],
    taken: dict[str, int],
    decided: dict[str, int],
    pause: Pause,
) -> tuple[int, set[int]]:
    """(how many states a level generates, all of them but those that equal where they came from)."""
    following: set[int] = set()
    rest = _hurry(model, reduction.eager, tables, level, following, taken)
    made = len(level) - len(rest)
    for part, table in enumerate(tables):
        made += expand(model, part, table, rest, following, taken, decided)
        pause()
    return made, following


def _representatives(states: set[int], symmetry: Symmetry | None) -> set[int]:
    """One of each orbit."""
    if symmetry is None:
        return states
    symmetry.refresh()
    return set(map(symmetry.least, states))


def _hurry(
    model: PackedModel, eager: Reducible | None, tables: list[dict[int, Moves]], level: set[int], following: set[int], taken: dict[str, int]
) -> set[int]:
    """Takes the one step of those states for which one is enough. Returns the others."""
    if eager is None:
        return level
    rest = level
    for part, table in enumerate(tables):
        left = set()
        for bits, states in _grouped(rest, model.mask(part)).items():
            moves = table.get(bits)
            if moves is None:
                moves = table[bits] = model.moves(part, bits)
            if moves.differences and eager.is_eager(part, bits):
                following.update(map(moves.differences[0].__add__, states))
                taken[moves.taken[0][0]] += len(states)
            else:
                left.update(states)
        rest = left
    return rest


def _grouped(states: Iterable[int], mask: int) -> dict[int, list[int]]:
    """States by what they have under the mask."""
    groups: dict[int, list[int]] = {}
    for state in states:
        groups.setdefault(state & mask, []).append(state)
    return groups


def expand(
    model: PackedModel,
    part: int,
    table: dict[int, Moves],
    level: set[int],
    following: set[int],
    taken: dict[str, int],
    decided: dict[str, int],
) -> int:
    """Adds to `following` whatever `part` can make of the states of `level`. Returns how many states that generated."""
    generated = 0
    for bits, states in _grouped(level, model.mask(part)).items():
        moves = table.get(bits)
        if moves is None:
            moves = table[bits] = model.moves(part, bits)
        generated += moves.generated * len(states)
        for action, count in moves.taken:
            taken[action] += count * len(states)
        for guard, count in moves.decided:
            decided[guard] += count * len(states)
        for difference in moves.differences:
            following.update(map(difference.__add__, states))
    return generated


def way_to(model: PackedModel, levels: Sequence[set[int]], target: int, symmetry: Symmetry | None = None) -> tuple[Taken[int], ...]:
    """The steps from the initial state to `target`, which is in the last of `levels`, or to a state of its orbit."""
    if symmetry:
        symmetry.refresh()
    same = symmetry.least if symmetry else int
    chain = [target]
    for level in reversed(levels[:-1]):
        chain.append(_before(model, level, chain[-1], same))
    chain.reverse()
    state, steps = chain[0], []
    for following in chain[1:]:
        step = next(taken for taken in steps_of(model, state) if same(taken.target) == following)
        steps.append(step)
        state = step.target
    return tuple(steps)


def steps_of(model: PackedModel, state: int) -> Iterator[Taken[int]]:
    """Every generated successor of one state, with its label: the slow way, for paths, replays and comparisons."""
    for part in range(model.parts):
        for action, label, difference in model.explain(part, state & model.mask(part)):
            yield Taken(action, label, state + difference)


def _before(model: PackedModel, level: set[int], target: int, same: Callable[[int], int]) -> int:
    """A state of `level` from which one step leads to `target`."""
    for state in sorted(level):
        if any(same(taken.target) == target for taken in steps_of(model, state)):
            return state
    raise AssertionError("a state of a level was not reached from the one before")  # pragma: no cover
