"""What bounds make impossible, with the reason: for every action, conjunct and goal of a model of a protocol of blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from fiscotool.check.guards import guard_name

NO_VIEWS: Final = "there is one view"
NO_CRASHES: Final = "nobody crashes"


def reasons(
    conjuncts: Mapping[str, Iterable[str]],
    actions: Iterable[str],
    goals: Iterable[str],
    *,
    of_action: Callable[[str], str],
    of_name: Callable[[str], str],
) -> dict[str, str]:
    """Names that are impossible, and why. A conjunct is, when `of_name` says so; `of_action` speaks of steps alone."""
    told = {name: of_action(name) or of_name(name) for name in actions}
    told |= {guard_name(action, one): of_name(guard_name(action, one)) for action, names in conjuncts.items() for one in names}
    told |= {name: of_name(name) for name in goals}
    return {name: reason for name, reason in told.items() if reason}
