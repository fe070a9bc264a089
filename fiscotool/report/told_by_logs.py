"""View changes as the nodes' own logs tell them, for the story of a run: who gave up waiting, and who led the view that followed.

Rule. These items explain; no verdict rests on them. Without log events in the recording there are none.
"""

from __future__ import annotations

from typing import Final

from fiscotool.consistency.observations import EventSeen, Observations
from fiscotool.report.rows import StoryItem
from fiscotool.report.words import Speech

_ITEMS_MAX: Final = 12
_GIVE_UP: Final = {"timeout": "story_log_timeout", "faulty-leader": "story_log_away"}
_CAUSE_S: Final = 10.0
"""A time-out explains a view that is entered within this time; later ones have a time-out of their own."""


def view_changes_told(say: Speech, observations: Observations) -> list[StoryItem]:
    """One item a view that was entered, in order of time; of very many the first ones, and how many more there were."""
    entered: dict[int, EventSeen] = {}
    leaders: dict[int, str] = {}
    causes: dict[int, list[EventSeen]] = {}
    for event in observations.events:
        if event.view is None:
            continue
        if event.kind == "view-entered":
            entered.setdefault(event.view, event)
        elif event.kind == "new-view-sent":
            leaders.setdefault(event.view, event.node)
        elif event.kind in _GIVE_UP:
            # A time-out names the view it asks for beside the one it gives up; the shortcut asks for the next.
            causes.setdefault((event.to_view or 0) if event.kind == "timeout" else event.view + 1, []).append(event)
    items = [
        item
        for view, event in entered.items()
        if view in leaders and (item := _item(say, event, causes.get(view, []), leaders[view])) is not None
    ]
    if len(items) > _ITEMS_MAX:
        rest = items[_ITEMS_MAX:]
        items = [*items[:_ITEMS_MAX], StoryItem(rest[0].at_s, say("story_log_more", count=len(rest)))]
    return items


def _item(say: Speech, entered: EventSeen, causes: list[EventSeen], leader: str) -> StoryItem | None:
    before = [each for each in causes if entered.at_s - _CAUSE_S <= each.at_s <= entered.at_s]
    if not before:
        return None
    who = ", ".join(sorted({each.node for each in before}))
    return StoryItem(before[0].at_s, say(_GIVE_UP[before[0].kind], who=who, leader=leader, view=entered.view or 0))
