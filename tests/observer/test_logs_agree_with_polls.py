"""What the logs say agrees with what polls of the same drill saw: heights, views, leaders, at the same times, on real chains."""

from __future__ import annotations

import json
import lzma
from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC

import pytest

from fiscotool.observer.foreign import load_timeline
from fiscotool.observer.logs.collect import read_all, sources_of
from fiscotool.observer.logs.events import Kind, LogEvent
from tests.support.shared import shared

KINDS = {Kind.STARTED, Kind.REPORT, Kind.VIEW_ENTERED, Kind.ROTATED, Kind.RECOVERED, Kind.TIMEOUT, Kind.FAST_VIEW_CHANGE}
SLACK_S = 0.06
"""A line is written by another thread than the one that answers, a little before or after; on two busy cores that is tens of ms."""


class History:
    """What a node said it was at, over time: (height, view) after each line that changes one of them."""

    def __init__(self, events: list[LogEvent], *, resets_view: bool) -> None:
        self.times_s: list[float] = [0.0]
        self.values: list[tuple[int, int]] = [(0, 0)]
        height, view = 0, 0
        for event in events:
            match event.kind:
                case Kind.STARTED:
                    view = 0
                case Kind.REPORT:
                    height = event.height or 0
                    if resets_view:
                        view = 0
                case Kind.VIEW_ENTERED | Kind.ROTATED | Kind.RECOVERED:
                    assert event.view is not None
                    view = event.view
                case _:
                    continue
            self.times_s.append(event.at_s)
            self.values.append((height, view))

    def between(self, from_s: float, to_s: float) -> list[tuple[int, int]]:
        """Every (height, view) the node had in this time, give or take the slack."""
        first = bisect_right(self.times_s, from_s - SLACK_S) - 1
        last = bisect_right(self.times_s, to_s + SLACK_S)
        return self.values[max(0, first) : last]


@pytest.fixture(scope="module")
def logs_v3() -> dict[str, list[LogEvent]]:
    return read_all(sources_of([shared("recordings", "v3", "logs")]), zone=UTC, skip=set(Kind) - KINDS)[0]


DRILLS = [
    "idle_with_txs",
    "kill9_leader_txs",
    "kill9_two_txs",
    "kill9_two_restart_both_txs",
    "sigstop_follower_txs",
    "full_restart_idle",
    "wipe_data_follower_txs",
]


def check_v3(logs: dict[str, list[LogEvent]], drill: str) -> tuple[int, int, int]:
    """How many answers there were to compare, how many heights and views differ, and how many leaders."""
    observations = load_timeline(shared("recordings", "v3", "timeline", f"{drill}.jsonl.xz"))
    began_s = observations.run.started_epoch_s
    assert began_s is not None
    count = differ = leaders_differ = 0
    histories = {node: History(events, resets_view=False) for node, events in logs.items()}
    for sample in observations.samples:
        known = histories[sample.node].between(began_s + sample.sent_s, began_s + sample.got_s)
        if sample.height is not None:
            count += 1
            differ += sample.height not in {height for height, _ in known}
        if sample.view is not None:
            count += 1
            differ += sample.view not in {view for _, view in known}
        if sample.leader_index is not None and sample.node_count == 4:
            leaders = {(view + height + 1) % 4 for height in {each[0] for each in known} for view in {each[1] for each in known}}
            count += 1
            leaders_differ += sample.leader_index not in leaders
    return count, differ, leaders_differ


@pytest.mark.parametrize("drill", DRILLS)
def test_3x(drill: str, logs_v3: dict[str, list[LogEvent]]) -> None:
    count, differ, leaders_differ = check_v3(logs_v3, drill)
    assert count > 1000
    assert differ == 0, f"{differ} of {count}"
    assert leaders_differ <= count / 1000, "the node tells the leader of the block in progress, which may be one further"


def test_3x_at_level_trace_and_planted_errors_are_seen() -> None:
    logs = read_all(sources_of([shared("recordings", "v3", "logs_trace")]), zone=UTC, skip=set(Kind) - KINDS)[0]
    count, differ, _ = check_v3(logs, "trace_level_kill9_leader_txs")
    assert count > 300
    assert differ == 0, f"{differ} of {count}"
    without = {node: [event for event in events if event.height != 20] for node, events in logs.items()}
    assert check_v3(without, "trace_level_kill9_leader_txs")[1] > 0, "a block that was not told is missed"
    late = {node: [event._replace(at_s=event.at_s + 2.0) for event in events] for node, events in logs.items()}
    assert check_v3(late, "trace_level_kill9_leader_txs")[1] > 50, "a clock two seconds off is seen"


def rows_v2(name: str) -> Iterator[dict[str, object]]:
    with lzma.open(shared("recordings", "v2", "timeline", f"{name}.jsonl.xz"), "rt") as lines:
        yield from (json.loads(line) for line in lines)


@pytest.fixture(scope="module")
def logs_v2() -> dict[str, list[LogEvent]]:
    folders = [shared("recordings", "v2", "logs", f"node{number}") for number in range(4)]
    return read_all(sources_of(folders), zone=UTC, skip=set(Kind) - KINDS)[0]


@pytest.mark.parametrize("drill", ["01_idle_60s", "02_tx5_60s", "04_kill9_leader_tx5", "07_kill9_two_tx5"])
def test_2x(drill: str, logs_v2: dict[str, list[LogEvent]]) -> None:
    histories = {node: History(events, resets_view=True) for node, events in logs_v2.items()}
    heights = views = 0
    for row in rows_v2(drill):
        if row.get("ev") != "poll":
            continue
        at_s = float(str(row["t"]))
        known = histories[f"node{row['node']}"].between(at_s - 0.05, at_s + 0.3)
        if isinstance(row.get("number"), str):
            heights += 1
            assert int(str(row["number"]), 16) in {height for height, _ in known}, row
        if isinstance(row.get("view"), str):
            views += 1
            assert int(str(row["view"]), 16) in {view for _, view in known}, row
    assert heights > 300
    assert views > 300
