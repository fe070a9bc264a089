"""The timeline of all nodes: every block once, every view change, in order, in two languages."""

from __future__ import annotations

import heapq
from datetime import UTC

import pytest

from fiscotool.errors import EnvironmentFailure, UsageError
from fiscotool.observer.logs.collect import read_all, sources_of
from fiscotool.observer.logs.events import MAIN_KINDS, Kind, LogEvent
from fiscotool.observer.logs.story import Happening, Story
from fiscotool.observer.logs.tell import tell, tell_event
from tests.support.shared import shared


def story_of(events: dict[str, list[LogEvent]]) -> tuple[list[Happening], Story]:
    story = Story(MAIN_KINDS)
    told = list(story.add(heapq.merge(*events.values(), key=lambda event: event.at_s)))
    return [*told, *story.flush()], story


def recorded(*parts: str) -> dict[str, list[LogEvent]]:
    return read_all(sources_of([shared("recordings", *parts)]), zone=UTC)[0]


@pytest.fixture(scope="module")
def drill() -> dict[str, list[LogEvent]]:
    """The leader killed under load, and started again: v3/logs_trace."""
    return recorded("v3", "logs_trace")


def test_every_block_is_told_once_with_all_nodes(drill: dict[str, list[LogEvent]]) -> None:
    told, story = story_of(drill)
    assert sorted(story.names) == [0, 1, 2, 3]
    blocks = [each.block for each in told if each.block is not None]
    assert [block.height for block in blocks] == list(range(1, 36))
    reports = {(event.node, event.height) for events in drill.values() for event in events if event.kind is Kind.REPORT and event.height}
    for block in blocks:
        assert {node for node, height in reports if height == block.height} >= set(block.head_s)
        assert len(block.agreed) >= 3, "a quorum of four"
        assert block.proposer is not None
        assert block.view is not None
        assert (block.view + block.height) % 4 == block.proposer, "leaderIndex = (view + height) mod n"
    late = next(each for each in told if each.kind is Kind.SYNCED)
    assert (late.nodes, late.event.height, late.count) == (["node0"], 15, 11)


def test_times_do_not_go_back_and_views_go_up(drill: dict[str, list[LogEvent]]) -> None:
    told, _ = story_of(drill)
    moments = [each.at_s for each in told if each.kind is not Kind.SYNCED]
    assert moments == sorted(moments)
    views = [each.event.view for each in told if each.kind is Kind.VIEW_ENTERED]
    assert views == [3, 4, 5, 6, 7, 9, 10]
    assert [each.event.view for each in told if each.kind is Kind.NEW_VIEW_SENT] == views, "each was led in by somebody"


def test_events_out_of_order_within_the_settling_time_change_nothing(drill: dict[str, list[LogEvent]]) -> None:
    plain, _ = story_of(drill)
    story = Story(MAIN_KINDS)
    mixed = sorted((event for events in drill.values() for event in events), key=lambda event: (round(event.at_s * 5), event.node))
    told = [*story.add(mixed), *story.flush()]
    assert [(each.kind, each.event.height, each.event.view) for each in told if each.block] == [
        (each.kind, each.event.height, each.event.view) for each in plain if each.block
    ]


def test_in_words(drill: dict[str, list[LogEvent]]) -> None:
    told, story = story_of(drill)
    english = [tell(each, story.names) for each in told]
    chinese = [tell(each, story.names, chinese=True) for each in told]
    assert any(line.startswith("block 1 a89f36ce by node2 in view 3, 1 tx; prepared +") for line in english)
    assert "timer expired at height 26: gives up view 7, asks for view 8 (attempt 1)" in english
    assert "enters view 9" in english
    assert "gets blocks 15 to 25 by sync (11)" in english
    assert "在高度 26 超时:放弃视图 7,请求视图 8(第 1 次)" in chinese
    assert "通过同步得到区块 15 至 25(11 个)" in chinese


def test_every_kind_has_words_in_both_languages(drill: dict[str, list[LogEvent]]) -> None:
    event = drill["node1"][100]
    for kind in Kind:
        for chinese in (False, True):
            assert tell_event(event._replace(kind=kind), {}, chinese=chinese)


def test_the_idle_rotation_of_2x_is_no_trouble() -> None:
    told, _ = story_of(recorded("v2", "logs", "node1"))
    assert sum(each.kind is Kind.REPORT for each in told) > 700
    entered = sum(each.kind is Kind.VIEW_ENTERED for each in told)
    assert 5 < entered < 60, "views go up once a second on an idle chain, and that is not told"


def test_where_logs_are_found() -> None:
    folder = shared("recordings", "v3", "logs_trace")
    assert [source.node for source in sources_of([folder])] == ["node0", "node1", "node2", "node3"]
    assert [source.node for source in sources_of([folder / "node2"])] == ["node2"]
    assert len(sources_of([folder / "node0"])[0].paths) == 2
    with pytest.raises(UsageError, match="holds no log files"):
        sources_of([shared("recordings", "v3", "rpc")])


def test_a_damaged_archive_is_named(tmp_path_factory: pytest.TempPathFactory) -> None:
    damaged = tmp_path_factory.mktemp("node7") / "log_1.log.xz"
    damaged.write_bytes(b"not xz")
    with pytest.raises(EnvironmentFailure, match=r"log_1\.log\.xz cannot be read"):
        read_all(sources_of([damaged]))
