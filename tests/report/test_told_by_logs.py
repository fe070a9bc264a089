"""The story of a run names who gave up waiting and who led next, as the nodes' logs tell it."""

from __future__ import annotations

from fiscotool.consistency.observations import EventSeen, NodeIdentity, Observations, RunInfo
from fiscotool.report.told_by_logs import view_changes_told
from fiscotool.report.words import Speech

RUN = RunInfo(tuple(NodeIdentity(f"node{number}", "") for number in range(4)))


def event(at_s: float, node: str, kind: str, view: int, to_view: int | None = None) -> EventSeen:
    return EventSeen(node, at_s, 1, kind, height=7, view=view, to_view=to_view)


EVENTS = (
    event(3.0, "node1", "timeout", 3, 4),
    event(3.1, "node0", "timeout", 3, 4),
    event(3.2, "node2", "new-view-sent", 4),
    event(3.3, "node2", "view-entered", 4),
    event(3.4, "node0", "view-entered", 4),
    event(6.0, "node0", "faulty-leader", 4, 4),
    event(6.1, "node2", "new-view-sent", 5),
    event(6.2, "node2", "view-entered", 5),
    event(60.0, "node2", "view-entered", 6),
)


def test_each_view_is_told_once_with_its_cause() -> None:
    told = view_changes_told(Speech("en"), Observations(RUN, events=EVENTS))
    assert [(item.at_s, item.text) for item in told] == [
        (3.0, "node0, node1: the timer expired; node2 led view 4."),
        (6.0, "node0: the leader is away; node2 led view 5."),
    ], "view 6 has no cause in the logs and is left to the polls"
    assert view_changes_told(Speech("zh"), Observations(RUN, events=EVENTS))[0].text == "node0, node1：定时器超时；node2 主持视图 4。"
    assert view_changes_told(Speech("en"), Observations(RUN)) == []


def test_very_many_are_counted() -> None:
    events = [
        each
        for view in range(40)
        for each in (
            event(view, "node1", "timeout", view, view + 1),
            event(view + 0.1, "node2", "new-view-sent", view + 1),
            event(view + 0.2, "node2", "view-entered", view + 1),
        )
    ]
    told = view_changes_told(Speech("en"), Observations(RUN, events=tuple(events)))
    assert len(told) == 13
    assert told[-1].text == "28 more view changes."
