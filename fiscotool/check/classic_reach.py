"""What the bounds of the abstract classic model make impossible, with the reason, so that "never" can be told apart from it."""

from __future__ import annotations

from typing import Final

from fiscotool.check.classic_bounds import ACTIONS, CONJUNCTS, GOALS, LimitsClassic, primary_of
from fiscotool.check.classic_packed import OF_VIEWS
from fiscotool.check.reach import NO_CRASHES, NO_VIEWS, reasons

IN_LATER_VIEWS: Final = (": own view", ": in its view", "in a later view", "proposed again", "bound by the new view")
BLOCKS_MIN: Final = 2


def ruled_out(limits: LimitsClassic) -> dict[str, str]:
    """Names of actions, conjuncts and goals that the bounds make impossible, each with the reason."""
    honest_led = {view for view in range(limits.view_max + 1) if primary_of(view) != limits.byzantine}
    followed = honest_led - {limits.view_max}

    def of_action(action: str) -> str:
        if action == "crash" and not limits.crashes:
            return NO_CRASHES
        if action == "ask" and not limits.crashes and limits.view_max < BLOCKS_MIN:
            return "nobody forgets a new view, and none is later than the last"
        return "the liar leads everything" if action == "propose" and not honest_led else ""

    def of_name(name: str) -> str:
        action = name.partition(":")[0]
        if not limits.view_max and (action in OF_VIEWS or name.endswith(IN_LATER_VIEWS)):
            return NO_VIEWS
        if action == "new view" and not honest_led - {0}:
            return "the liar leads every later view"
        return _of_conjunct(limits, name, honest_led, followed)

    return reasons(CONJUNCTS, ACTIONS, GOALS, of_action=of_action, of_name=of_name)


def _of_conjunct(limits: LimitsClassic, name: str, honest_led: set[int], followed: set[int]) -> str:
    """Of one conjunct, or of a goal, where there are views."""
    if name == "propose: not voted in this view" and not honest_led:
        return "the liar leads everything"
    if name == "propose: in its view" and not followed and not (limits.crashes and honest_led - {0}):
        return "the liar leads every view that another follows"
    if name == "propose: is next" and ((limits.heights < BLOCKS_MIN and not followed) or not honest_led):
        return "a primary has the one block before its turn only from a later view"
    if name == "accept: not bound by the new view" and not any(limits.is_led_by_liar(1, view) for view in range(1, limits.view_max + 1)):
        return "only a liar proposes at numbers of its new view"
    if name == "enter view: not below target" and limits.view_max < BLOCKS_MIN:
        return "nobody asks for a view after the first new one"
    if name == "an empty block fills a gap" and not (limits.view_max and limits.heights >= BLOCKS_MIN):
        return "a gap needs two heights and two views"
    return ""
