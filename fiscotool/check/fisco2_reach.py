"""What the bounds of the abstract fisco2 model make impossible, with the reason, so that "never" can be told apart from it."""

from __future__ import annotations

from typing import Final

from fiscotool.check.fisco2_bounds import ACTIONS, CONJUNCTS, GOALS, Limits2
from fiscotool.check.fisco2_packed import OF_VIEWS
from fiscotool.check.reach import NO_CRASHES, NO_VIEWS, reasons

IN_LATER_VIEWS: Final = frozenset({"accept: own view", "propose: knows a leader", "accept: knows a leader"})
FROM_AN_EMPTY_BLOCK: Final = frozenset({"propose: knows a leader", "propose empty", "propose empty: knows a leader", "see empty: own view"})
LOCKED_APART: Final = frozenset({"accept: not locked otherwise", GOALS[2]})


def ruled_out(limits: Limits2) -> dict[str, str]:
    """Names of actions, conjuncts and goals that the bounds make impossible, each with the reason."""
    views, heights = range(limits.view_max + 1), range(1, limits.heights + 1)
    honest_led = {view for view in views for h in heights if not limits.is_led_by_liar(h, view)}
    liar = limits.byzantine is not None

    def of_action(action: str) -> str:
        if action == "crash" and not limits.crashes:
            return NO_CRASHES
        if action == "catch up" and limits.view_max < (2 if liar else 3):
            return "nobody can be two views behind"
        return "the liar leads everything" if action == "propose" and not honest_led else ""

    def of_name(name: str) -> str:
        if not limits.view_max and (name.partition(":")[0] in OF_VIEWS or name in IN_LATER_VIEWS or name.endswith("in a later view")):
            return NO_VIEWS
        if name == "catch up: far below" and (liar or limits.view_max < 2):  # noqa: PLR2004 - a target that nobody asked for
            return "a liar asks for view 0" if liar else "nobody can be two views behind"
        if name == "propose: nothing proposed in this view" and not honest_led:
            return "the liar leads everything"
        if name in FROM_AN_EMPTY_BLOCK and not honest_led - {limits.view_max}:
            return "the liar leads every view that another follows"
        if name in LOCKED_APART and not limits.view_max:
            lies = liar if name == GOALS[2] else any(limits.is_led_by_liar(h, 0) for h in heights)
            if not limits.crashes or (limits.crashes == 1 and not lies):
                return "one view has one block, and too few start again in it"
        return ""

    return reasons(CONJUNCTS, ACTIONS, GOALS, of_action=of_action, of_name=of_name)
