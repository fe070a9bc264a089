"""What the bounds of the abstract fisco3 model make impossible, with the reason, so that "never" can be told apart from it."""

from __future__ import annotations

from collections.abc import Iterator

from fiscotool.check.fisco3_bounds import Limits
from fiscotool.check.fisco3_frame import ACTIONS, ASKED, CONJUNCTS, GOALS, OF_VIEWS
from fiscotool.check.guards import guard_name

NO_VIEWS = "there is one view"
OF_LATER_VIEWS = {
    "accept: own view",
    "accept: not locked otherwise",
    "prepared: own view",
    "agreed: own view",
    "certified in a later view",
}


def ruled_out(limits: Limits) -> dict[str, str]:
    """Names of actions, conjuncts and goals that the bounds make impossible, each with the reason."""
    return {name: reason for name, reason in _reasons(limits) if reason}


def _reasons(limits: Limits) -> Iterator[tuple[str, str]]:
    for action in ACTIONS:
        yield action, _of_action(limits, action)
    for action, conjuncts in CONJUNCTS.items():
        for conjunct in conjuncts:
            name = guard_name(action, conjunct)
            yield name, "" if name == "propose: leads" else _of_action(limits, action) or _of_name(limits, name)
    for name in GOALS:
        yield name, _of_name(limits, name)


def _of_action(limits: Limits, action: str) -> str:
    views, heights = range(limits.view_max + 1), range(1, limits.heights + 1)
    if action in OF_VIEWS and not limits.view_max:
        return NO_VIEWS
    if action in ASKED and limits.open_views:
        return "open views need nobody's asking"
    if action == "crash" and not limits.crashes:
        return "nobody crashes"
    if action == "sync":
        sent = limits.byzantine is not None and "empty-block-unchecked" in limits.holes
        return "" if sent else "no hole lets blocks in without signatures"
    if action == "propose" and all(_always_led(limits, h, view) for h in heights for view in views):
        return "the liar leads everything"
    if action == "new view" and all(_always_led(limits, h, view) for h in (*heights, limits.heights + 1) for view in views[1:]):
        return "the liar leads every later view"
    return ""


def _of_name(limits: Limits, name: str) -> str:
    if name in OF_LATER_VIEWS and not limits.view_max:
        return NO_VIEWS
    if name.endswith("not in timeout") and (limits.open_views or not limits.view_max) and not limits.crashes:
        return "nobody asks for a view or starts again"
    lies_first = any(limits.is_led_by_liar(h, 0, members) for h in range(1, limits.heights + 1) for members in limits.lists(h))
    if name == "accept: not agreed otherwise" and not limits.view_max and not lies_first:
        return "an honest leader proposes one block in a view"
    if name == "accept: own view" and not any(
        not _always_led(limits, h, view) for h in range(1, limits.heights + 1) for view in range(limits.view_max + 1)
    ):
        return "the liar proposes in the view of whom it talks to"
    if name == "accept again: lock opens" and limits.view_max == 1 and limits.heights == 1 and not limits.open_views:
        return "of one view there are certificates for one block"
    if name == "an empty block fills a gap" and not (limits.view_max and (limits.heights > 1 or limits.open_views)):
        return "a gap needs two heights and two views"
    return ""


def _always_led(limits: Limits, h: int, view: int) -> bool:
    """Whether the liar leads a height in a view whatever the list of members is."""
    return all(limits.is_led_by_liar(h, view, members) for members in limits.lists(h))
