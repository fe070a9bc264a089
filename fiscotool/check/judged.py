"""Several properties asked of every state of one packed walk; the violation found says which of them it was.

`Properties` are by name, in the order in which they are asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from fiscotool.check.explore import Progress
from fiscotool.check.model import Exploration
from fiscotool.check.packed import PackedModel, explore_packed

Properties = Mapping[str, Callable[[int], bool]]


def broken_in(properties: Properties, state: int) -> str:
    """The first property that does not hold in a state, or ""."""
    return next((name for name, holds in properties.items() if not holds(state)), "")


def explore_judged(
    model: PackedModel,
    properties: Properties,
    *,
    goals: Mapping[str, Callable[[int], bool]] | None = None,
    states_max: int | None = None,
    on_level: Progress | None = None,
) -> Exploration[int]:
    """Every reachable state, or a shortest way to one in which one of the properties does not hold."""
    asked = tuple(properties.values())
    found = explore_packed(model, lambda state: all(holds(state) for holds in asked), goals=goals, states_max=states_max, on_level=on_level)
    if found.violation is None:
        return found
    path = found.violation.path
    name = broken_in(properties, path[-1].target if path else model.initial())
    return replace(found, violation=replace(found.violation, property=name))
