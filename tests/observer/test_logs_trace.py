"""Trace records of recorded logs: complete, in the order in which things happened, and true to what the protocol allows."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC

import pytest

from fiscotool.observer.logs.events import Kind, LogEvent
from fiscotool.observer.logs.parse import LogParser
from fiscotool.observer.logs.trace import TraceMaker
from fiscotool.pbft.trace import Act, TraceRecord, same_digest
from tests.observer.recorded_logs import lines_of, log_paths


def records_of(generation: str, folder: str = "logs", node: str = "node1") -> list[TraceRecord]:
    parser, maker = LogParser(node, zone=UTC), TraceMaker(node)
    found: list[TraceRecord] = []
    for path in log_paths(generation, folder):
        if path.parent.name == node:
            found += maker.records(parser.parse(lines_of(path)))
    return [*found, *maker.flush()]


@pytest.mark.parametrize(("generation", "folder"), [("v3", "logs_trace"), ("v3", "logs"), ("v2", "logs")])
def test_a_life_is_told_in_the_order_in_which_it_happened(generation: str, folder: str) -> None:
    """Within a life and height: accept, send prepare, prepared, (send commit), committed; and nothing is sent without view and hash."""
    records = records_of(generation, folder)
    sequences: dict[int, int] = {}
    firsts: dict[tuple[int, int, str], dict[Act, int]] = defaultdict(dict)
    for position, record in enumerate(records):
        assert record.sequence == sequences.get(record.life, -1) + 1
        sequences[record.life] = record.sequence
        if record.act in {Act.SEND_PREPARE, Act.SEND_COMMIT}:
            assert record.view is not None, record
            assert record.digest, record
        if record.height is not None:
            firsts[record.life, record.height, ""].setdefault(record.act, position)
    prepared = 0
    for acts in firsts.values():
        if Act.PREPARED in acts:
            prepared += 1
            assert acts[Act.ACCEPT_PROPOSAL] < acts[Act.SEND_PREPARE] < acts[Act.PREPARED]
            if Act.COMMITTED_LOCAL in acts:
                assert acts[Act.PREPARED] < acts[Act.COMMITTED_LOCAL]
    assert prepared > 10
    assert len(sequences) >= 2 or folder == "logs_trace"


def test_3x_votes_reach_the_quorum_before_a_node_acts_on_them() -> None:
    """Prepared, committed and stable each follow votes of weight 3 of 4 for the same thing; what the nodes' own counts say agrees."""
    votes: dict[tuple[Act, int, str], set[int]] = defaultdict(set)
    checked = 0
    for record in records_of("v3", "logs_trace"):
        assert record.height is None or record.height >= 0
        key = record.height or 0, record.digest
        if record.act in {Act.RECEIVE_PREPARE, Act.RECEIVE_COMMIT, Act.RECEIVE_CHECKPOINT}:
            assert record.sender is not None
            votes[(record.act, *key)].add(record.sender)
            assert record.weight == len(votes[(record.act, *key)])
        needed = {Act.PREPARED: Act.RECEIVE_PREPARE, Act.STABLE: Act.RECEIVE_CHECKPOINT, Act.COMMITTED_LOCAL: Act.RECEIVE_COMMIT}
        if record.act in needed:
            counted = votes[(needed[record.act], *key)]
            if record.act is Act.COMMITTED_LOCAL and not counted:
                continue
            assert len(counted) >= 3, record
            checked += 1
    assert checked > 60


def test_a_life_begins_with_each_start() -> None:
    maker = TraceMaker("node0", offset_s=5.0, error_s=0.25)
    line = "info|2026-11-21 05:14:29.250000|fisco-0x01|[CONSENSUS][PBFT]create PBFTCodec"
    events: list[LogEvent] = LogParser("node0", zone=UTC).parse([line, line])
    records = list(maker.records(events))
    assert [(record.life, record.sequence, record.act) for record in records] == [(0, 0, Act.START), (1, 0, Act.START)]
    assert records[0].at_s == events[0].at_s + 5.0
    assert records[0].error_s == 0.25


def test_digests_are_compared_as_far_as_both_tell() -> None:
    assert same_digest("abcd1234", "abcd1234ffff") is True
    assert same_digest("abcd1234", "abcd1235ffff") is False
    assert same_digest("", "abcd1234") is None


def test_each_of_several_prepares_sent_together_is_of_its_own_height() -> None:
    """A NewView of published PBFT: all heights are accepted before the first Prepare is told as sent, with nothing but its height."""

    def line(kind: Kind, height: int, view: int | None, digest: str) -> LogEvent:
        return LogEvent("node1", 1.0, kind, height, view, digest, None, None, 1, None, "info", "", height)

    accepted = [line(Kind.ACCEPTED, height, 1, f"000{height}beef") for height in (1, 2, 3)]
    sent = [line(Kind.PREPARE_SENT, height, None, "") for height in (1, 2, 3)]
    told = [record for record in TraceMaker("node1").records([*accepted, *sent]) if record.act is Act.SEND_PREPARE]
    assert [(record.height, record.view, record.digest) for record in told] == [(1, 1, "0001beef"), (2, 1, "0002beef"), (3, 1, "0003beef")]
