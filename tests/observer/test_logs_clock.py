"""Zones and offsets of clocks, on recorded logs whose clocks agreed, and on the same logs with planted differences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

import pytest

from fiscotool.errors import UsageError
from fiscotool.observer.foreign import load_timeline
from fiscotool.observer.logs.clock import ClockOffset, offset_from_samples, offsets_from_votes, zone_from
from fiscotool.observer.logs.events import LogEvent
from fiscotool.observer.logs.parse import LogParser
from fiscotool.observer.logs.times import LOCAL, Stamps, parse_zone
from tests.observer.recorded_logs import lines_of, log_paths
from tests.support.shared import shared


def events_by_node(generation: str, folder: str = "logs") -> dict[str, list[LogEvent]]:
    found: dict[str, list[LogEvent]] = {}
    for name in ("node0", "node1", "node2", "node3"):
        parser = LogParser(name, zone=UTC)
        found[name] = [
            event for path in log_paths(generation, folder) if path.parent.name == name for event in parser.parse(lines_of(path))
        ]
    return found


def shifted(events: Sequence[LogEvent], by_s: float) -> list[LogEvent]:
    return [event._replace(at_s=event.at_s + by_s) for event in events]


@pytest.mark.parametrize(("generation", "folder"), [("v3", "logs_trace"), ("v2", "logs")])
def test_clocks_of_one_machine_agree_within_the_stated_error(generation: str, folder: str) -> None:
    events = events_by_node(generation, folder)
    offsets = offsets_from_votes(events, "node1")
    assert set(offsets) == {"node0", "node2", "node3"}
    for offset in offsets.values():
        assert offset.may_be_zero
        assert offset.error_s < 0.005, "votes cross in milliseconds"
        assert offset.evidence_count > 20
    planted = offsets_from_votes(events | {"node2": shifted(events["node2"], 12.5)}, "node1")["node2"]
    assert abs(planted.estimate_s - 12.5) <= planted.error_s + 1e-6
    assert not planted.may_be_zero


def test_a_clock_that_was_set_is_a_contradiction() -> None:
    events = events_by_node("v3", "logs_trace")
    half = len(events["node2"]) // 2
    jumped = [*events["node2"][:half], *shifted(events["node2"][half:], 3.0)]
    assert offsets_from_votes(events | {"node2": jumped}, "node1")["node2"].is_contradictory


def test_logs_and_polls_of_one_drill_give_the_observers_offset() -> None:
    """The node's clock was the observer's: the interval found from heights holds 0, and a planted difference is found again."""
    observations = load_timeline(shared("recordings", "v3", "timeline", "trace_level_kill9_leader_txs.jsonl.xz"))
    began_s = observations.run.started_epoch_s
    assert began_s is not None
    events = events_by_node("v3", "logs_trace")
    for name in ("node1", "node2", "node3"):
        samples = [sample for sample in observations.samples if sample.node == name]
        offset = offset_from_samples(events[name], samples, began_s)
        assert offset is not None
        assert offset.may_be_zero, (name, offset)
        assert offset.error_s < 0.3, "polls came every quarter of a second"
        planted = offset_from_samples(shifted(events[name], -40.0), samples, began_s)
        assert planted is not None
        assert planted.low_s <= -40.0 <= planted.high_s
        assert not planted.may_be_zero
    assert offset_from_samples([], samples, began_s) is None


def test_the_zone_is_found_in_the_log_itself() -> None:
    for path in (log_paths("v3")[0], log_paths("v2")[0]):
        text = "\n".join(lines_of(path))
        assert zone_from(text) == UTC, path
        moved = text.replace("|2026-11-21 04:", "|2026-11-21 09:").replace("|2026-11-21 05:", "|2026-11-21 10:")
        assert zone_from(moved) == timezone(timedelta(hours=5))
    assert zone_from("info|2026-11-21 05:14:29.250000|x|[CONSENSUS][PBFT]reachNewView") is None


def test_a_block_that_was_synced_does_not_tell_the_zone() -> None:
    line = "info|2026-11-21 05:14:29.250000|x|[CONSENSUS][SEALER]asyncNoteLatestBlockTimestamp,timestamp=1795230000000\n"
    assert zone_from(line * 5) is None


def test_stamps_and_zones() -> None:
    assert parse_zone("local") is LOCAL
    assert Stamps(parse_zone("+08:00")).epoch_s("2026-11-21 08:00:00.5") == datetime(2026, 11, 21, 0, 0, 0, 500000, UTC).timestamp()
    assert Stamps(parse_zone("-0330")).epoch_s("2026-11-21 08:00:00") == datetime(2026, 11, 21, 11, 30, tzinfo=UTC).timestamp()
    shanghai = Stamps(parse_zone("Asia/Shanghai"))
    assert shanghai.epoch_s("2026-11-21 08:00:00.000001") == pytest.approx(datetime(2026, 11, 21, tzinfo=UTC).timestamp() + 1e-6)
    assert Stamps(parse_zone("utc")).epoch_s("1970-01-01 00:00:01") == 1.0
    for wrong in ("Mars/Base", "", "+8:000", "../etc"):
        with pytest.raises(UsageError):
            parse_zone(wrong)


def test_an_offset_says_what_it_knows() -> None:
    offset = ClockOffset(-0.5, 1.5, 7)
    assert (offset.estimate_s, offset.error_s, offset.may_be_zero, offset.is_contradictory) == (0.5, 1.0, True, False)
    assert ClockOffset(1.0, 0.5, 7).is_contradictory
