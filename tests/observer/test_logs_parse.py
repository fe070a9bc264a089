"""Every line of every recorded log is understood; what is not is counted and shown."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from fiscotool.observer.logs import words2, words3
from fiscotool.observer.logs.events import Kind, LogEvent, fields_of
from fiscotool.observer.logs.parse import LogParser
from fiscotool.observer.logs.rule import Shape
from tests.observer.recorded_logs import lines_of, log_paths

MESSAGE_KINDS = {
    Kind.ACCEPTED,
    Kind.PREPARE_COUNTED,
    Kind.COMMIT_COUNTED,
    Kind.CHECKPOINT_COUNTED,
    Kind.VIEW_CHANGE_SENT,
    Kind.VIEW_CHANGE_COUNTED,
    Kind.NEW_VIEW_SENT,
}
HEIGHT_KINDS = {
    Kind.PROPOSED,
    Kind.ACCEPTED,
    Kind.PREPARE_SENT,
    Kind.PREPARED,
    Kind.COMMITTED,
    Kind.EXECUTED,
    Kind.STABLE,
    Kind.WRITTEN,
    Kind.REPORT,
    Kind.SYNCED,
    Kind.TIMEOUT,
    Kind.SEALED,
    Kind.CATCH_UP,
}


def parse(lines: list[str], name: str = "node0") -> tuple[LogParser, list[LogEvent]]:
    parser = LogParser(name, zone=UTC)
    return parser, parser.parse(lines)


def check_whole(parser: LogParser, lines: list[str]) -> None:
    counts = parser.counts
    assert counts.line_count == len(lines)
    assert counts.event_count + counts.other_count + counts.continuation_count == len(lines), "every line is counted once"
    assert counts.unknown == {}
    assert counts.torn_count == 0


@pytest.mark.parametrize(("generation", "folder"), [("v3", "logs"), ("v3", "logs_trace"), ("v2", "logs")])
def test_every_recorded_line_with_a_consensus_badge_is_understood(generation: str, folder: str) -> None:
    seen: set[Kind] = set()
    for path in log_paths(generation, folder):
        lines = lines_of(path)
        parser, events = parse(lines)
        check_whole(parser, lines)
        badge_count = sum("[CONSENSUS]" in line[:140] for line in lines)
        assert sum("[CONSENSUS]" in event.message[:12] for event in events) == badge_count, path
        for event in events:
            if event.kind in HEIGHT_KINDS:
                assert (event.height or 0) >= 0, event
                assert event.height is not None, event
            if generation == "v3" and event.kind in MESSAGE_KINDS:
                assert None not in {event.view, event.sender, event.height}, event
            if event.kind in {Kind.VIEW_ENTERED, Kind.TIMEOUT, Kind.RECOVERED}:
                assert event.view is not None, event
        seen |= {event.kind for event in events}
    assert {Kind.REPORT, Kind.PREPARED, Kind.VIEW_ENTERED, Kind.SYNCED, Kind.STARTED, Kind.TIMEOUT} <= seen


def by_keys(event: LogEvent) -> dict[str, str]:
    return {key: value.rstrip(".") for key, value in fields_of(event.message).items()}


def test_the_fast_reading_says_what_the_slow_one_says() -> None:
    """Two ways of reading a line: expressions for its shape, and its key=value pairs; they agree on recorded lines."""
    compared = 0
    for path in [*log_paths("v3", "logs_trace"), log_paths("v3")[-1]]:
        for event in parse(lines_of(path))[1]:
            rule = words3.RULES.get(event.text)
            if rule is None or rule.shape in {Shape.NOTHING, Shape.KEYS}:
                continue
            fields = by_keys(event)
            assert event.height == int(fields[rule.height]), event
            assert event.digest == fields.get(rule.digest, ""), event
            if rule.view in fields:
                assert event.view == int(fields[rule.view]), event
            if rule.sender and int(fields[rule.sender]) < 2**63:
                assert event.sender == int(fields[rule.sender]), event
            if rule.weight:
                assert event.weight == int(fields[rule.weight]), event
            if event.state is not None:
                assert (event.state.to_view, event.state.timeout_ms) == (int(fields["toView"]), int(fields["consensusTimeout"]))
                assert str(event.own) == fields["Idx"]
            compared += 1
    assert compared > 3000


def test_the_tables_do_not_contradict_each_other() -> None:
    assert not words3.RULES.keys() & words2.RULES.keys()
    assert not words3.OTHER_RULES.keys() & words2.OTHER_RULES.keys()


REPORT = (
    "info|2026-11-21 05:14:29.250000|pbft-0x00007f71e17fa6c0|[CONSENSUS][PBFT][METRIC]^^^^^^^^Report,sealer=2,txs=1,committedIndex=27,"
    "consNum=28,committedHash=7d41d39e...,view=9,toView=10,changeCycle=3,expectedCheckPoint=28,Idx=2,sealUntil=0,waitResealUntil=0,"
    "consensusTimeout=3000,nodeId=b6b8084a..."
)


def test_a_line_of_3x_value_by_value() -> None:
    (event,) = parse([REPORT])[1]
    assert event.at_s == datetime(2026, 11, 21, 5, 14, 29, 250000, UTC).timestamp()
    assert (event.kind, event.height, event.view, event.digest, event.own, event.line) == (Kind.REPORT, 27, 9, "7d41d39e", 2, 1)
    assert event.state is not None
    assert (event.state.to_view, event.state.change_cycle, event.state.expected_checkpoint, event.state.node_id) == (10, 3, 28, "b6b8084a")
    assert (event.fields["sealer"], event.fields["txs"]) == ("2", "1")


@pytest.mark.parametrize("thread", ["", "PBFTWork-1-0x00007f00aa|", "PBFTWork-1-139876543|"])
def test_both_formats_of_2x(thread: str) -> None:
    line = (
        f"info|2026-11-21 04:36:32.872897|{thread}[g:2][CONSENSUS][PBFT]handleSignMsg Succ,Timecost=1,INFO=handleSignMsg,num=7,curNum=6,GenIdx=3,"
        "Sview=36,view=35,fromIdx=1,fromNode=e11eb184...,fromIp=127.0.0.1:36022,hash=aea65474...,nodeIdx=0,myNode=20d2154a..."
    )
    (event,) = parse([line])[1]
    assert (event.kind, event.height, event.view, event.digest, event.sender, event.own) == (
        Kind.PREPARE_COUNTED,
        7,
        36,
        "aea65474",
        3,
        0,
    ), "the vote is of GenIdx, whoever forwarded it"


def test_a_node_that_is_no_sealer_has_no_index() -> None:
    (event,) = parse([REPORT.replace("Idx=2", "Idx=18446744073709551615")])[1]
    assert event.own is None
    assert event.state is not None
    assert event.state.own_index is None


def test_unknown_lines_are_events_and_are_counted_by_their_text() -> None:
    planted = "info|2026-11-21 05:14:29.250000|pbft-0x01|[CONSENSUS][PBFT]brand new words,index=5"
    parser, events = parse([REPORT, planted, planted])
    assert [event.kind for event in events] == [Kind.REPORT, Kind.UNKNOWN, Kind.UNKNOWN]
    assert parser.counts.unknown == {"[CONSENSUS][PBFT]brand new words": (2, planted)}
    assert parser.counts.unknown_count == 2


def test_endless_unknown_texts_do_not_fill_the_memory() -> None:
    lines = [f"info|2026-11-21 05:14:29.250000|pbft-0x01|[CONSENSUS][PBFT]new {number}" for number in range(2000)]
    parser, events = parse(lines)
    assert len(events) == parser.counts.unknown_count == sum(count for count, _ in parser.counts.unknown.values()) == 2000
    assert len(parser.counts.unknown) <= 501


def test_two_lines_in_one_are_two() -> None:
    """A process was killed while it wrote; the next life of the node went on in the same file, on the same line."""
    for cut in (40, 80, 110, 150, 230, len(REPORT) - 1):
        parser, events = parse([REPORT[:cut] + REPORT.replace("committedIndex=27", "committedIndex=28")])
        assert [event.height for event in events] == [28], cut
        assert parser.counts.torn_count == 1


@pytest.mark.parametrize(
    "line",
    [
        "",
        "|",
        "a|b|c",
        "info|",
        "info||",
        "info|2026-11-21|x|[CONSENSUS][PBFT]",
        "info|2026-13-41 05:14:29.250000|x|[CONSENSUS][PBFT]reachNewView,committedIndex=1",
        "info|2026-11-21 05:14:29.2500x0|x|[CONSENSUS][PBFT]addCommitCache,reqHash=zz",
        "info|2026-11-21 05:14:29.250000|x|[CONSENSUS][PBFT]addCommitCache",
        "info|2026-11-21 05:14:29.250000|x|[CONSENSUS][PBFT]addCommitCache,reqHash=,reqIndex=,reqV=,fromIdx=,weight=",
        "info|2026-11-21 05:14:29.250000|x|[CONSENSUS]",
        "info|2026-11-21 05:14:29.250000|x|[BLOCK SYNC]",
        "info|2026-11-21 05:14:29.250000|x|[BLOCK SYNC",
        "info|2026-11-21 05:14:29.250000|[g:1",
        "\x00\x00\x00\ufffd",
        *[REPORT[:length] for length in range(0, len(REPORT), 7)],
    ],
)
def test_no_line_stops_the_parser(line: str) -> None:
    parser, events = parse([line, REPORT])
    assert events[-1].height == 27
    assert parser.counts.event_count + parser.counts.other_count + parser.counts.continuation_count == 2


def test_other_releases_may_put_their_values_elsewhere() -> None:
    line = (
        "info|2026-11-21 05:14:29.250000|x|[CONSENSUS][PBFT]addCommitCache,weight=2,fromIdx=1,reqIndex=8,reqV=3,new=1,reqHash=abcd0123..."
    )
    (event,) = parse([line])[1]
    assert (event.height, event.view, event.sender, event.weight, event.digest) == (8, 3, 1, 2, "abcd0123")


def test_skipped_kinds_are_counted_and_not_returned() -> None:
    path: Path = log_paths("v3", "logs_trace")[0]
    lines = lines_of(path)
    parser = LogParser("node0", zone=UTC, skip={Kind.BOOKKEEPING})
    events = parser.parse(lines)
    everything = parse(lines)
    assert [event[:-2] for event in events] == [event[:-2] for event in everything[1] if event.kind != Kind.BOOKKEEPING]
    assert parser.counts.by_kind == everything[0].counts.by_kind
