"""Walk every schedule of a model breadth first: plainly, one state after another.

This is the reference: what is counted here, slowly, is what a faster walk must count. The shortest way to a violation comes from the
order of the walk itself, so no step of it can be left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from fiscotool.check.budget import INTERRUPTED, STATES, Pause, Spent, go_on
from fiscotool.check.model import Exploration, Model, Property, State, Taken, Violation

STATES_A_PAUSE: Final = 1_000
"""After so many states a walk asks whether to go on."""

Progress = Callable[[int, int, int], None]
"""Called after each level with its number, the states found so far and those generated so far."""


def explore(
    model: Model[State],
    properties: Sequence[Property[State]] = (),
    *,
    states_max: int | None = None,
    on_level: Progress | None = None,
    pause: Pause = go_on,
) -> Exploration[State]:
    """Every reachable state of `model`, or the first violation of an `always` property.

    `states_max` ends the walk after the level in which so many states were known; the answer then says that it is not complete, as it does
    when somebody interrupts it or `pause` ends it.
    """
    first = model.initial()
    came_from: dict[State, Taken[State] | None] = {first: None}
    before: dict[State, State] = {}
    taken = dict.fromkeys(model.actions, 0)
    reached = {one.name: 0 for one in properties if one.kind == "sometimes"}
    generated, levels, level = 1, list[int](), [first]

    def told(violation: Violation[State] | None = None, ended: str = "") -> Exploration[State]:
        is_complete = violation is None and not ended
        return Exploration(generated, len(came_from), tuple(levels), taken, reached, violation, is_complete=is_complete, ended=ended)

    try:
        while level:
            levels.append(len(level))
            for state in level:
                broken = _look(state, properties, reached)
                if broken:
                    return told(Violation(broken, _path(state, came_from, before)))
            if states_max is not None and len(came_from) >= states_max:
                return told(ended=STATES)
            following = []
            for number, state in enumerate(level):
                if number % STATES_A_PAUSE == 0:
                    pause()
                for step in model.successors(state):
                    generated += 1
                    taken[step.action] += 1
                    if step.target not in came_from:
                        came_from[step.target] = step
                        before[step.target] = state
                        following.append(step.target)
            level = following
            if on_level:
                on_level(len(levels), len(came_from), generated)
    except (Spent, KeyboardInterrupt) as early:
        return told(ended=str(early) or INTERRUPTED)
    return told()


def _look(state: State, properties: Sequence[Property[State]], reached: dict[str, int]) -> str:
    """The name of the `always` property that does not hold here, or ""; counts the `sometimes` ones."""
    for one in properties:
        holds = one.holds(state)
        if one.kind == "sometimes":
            reached[one.name] += holds
        elif not holds:
            return one.name
    return ""


def _path(state: State, came_from: dict[State, Taken[State] | None], before: dict[State, State]) -> tuple[Taken[State], ...]:
    """The steps from the initial state to `state`."""
    steps = []
    step = came_from[state]
    while step is not None:
        steps.append(step)
        state = before[state]
        step = came_from[state]
    return tuple(reversed(steps))
