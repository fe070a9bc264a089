"""The trace of a node that writes every step down: never in its way, whatever the disk does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from fiscotool.check.replay_lives import TraceFile, lives_of
from fiscotool.devnet.tracefile import StepTrace
from fiscotool.pbft.codec_life import FORMAT_VERSION, Birth, Step
from fiscotool.pbft.effects import Persist, VoteRecord
from fiscotool.pbft.events import PoolSize
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.state import initial_state
from fiscotool.pbft.types import Digest, Height, NodeIndex, View

RULES = Rules((1, 1, 1, 1))
BIRTH = Birth(
    FORMAT_VERSION, "fisco3", "node0", b"\1" * 64, b"\0" * 32, 7, RULES, NodeIndex(0), Height(0), Digest(b"\0" * 32), (), (), None,
    frozenset(), "", 500,
)  # fmt: skip
STATE = initial_state(rules=RULES, me=NodeIndex(0), height=Height(0), block_hash=Digest(b"\0" * 32))


class Deaf:
    """A witness that counts."""

    def __init__(self) -> None:
        self.steps = 0

    def on_step(self, *_: Any) -> None:
        self.steps += 1

    def on_applied(self, *_: Any) -> None:
        raise AssertionError


def take_steps(trace: StepTrace, numbers: range) -> None:
    for number in numbers:
        trace.on_step(STATE, PoolSize(number), STATE, ())
    trace.flush()


def read(path: Path) -> tuple[list[int], bool]:
    """(pool sizes told, whether nothing is missing)."""
    (life,) = lives_of([TraceFile("node0", path.read_bytes().splitlines(keepends=True))])["node0"]
    told = [record.event.count for record in life.records() if isinstance(record, Step) and isinstance(record.event, PoolSize)]
    return told, life.is_whole


def test_what_is_written_is_read(tmp_path: Path) -> None:
    witness = Deaf()
    trace = StepTrace(tmp_path / "log", witness)
    trace.born(BIRTH)
    take_steps(trace, range(5))
    trace.close()
    assert witness.steps == 5
    assert trace.path == tmp_path / "log" / "trace-7.jsonl"
    assert read(trace.path) == ([0, 1, 2, 3, 4], True)


def test_a_record_is_on_its_way_to_the_disk_only_after_its_line_is(tmp_path: Path) -> None:
    trace = StepTrace(tmp_path, Deaf(), clock=lambda: 0.0)
    trace.born(BIRTH)
    assert trace.path is not None
    trace.on_step(STATE, PoolSize(1), STATE, ())
    assert read(trace.path)[0] == [], "a step that nobody can see may wait"
    trace.on_step(STATE, PoolSize(2), STATE, (Persist(VoteRecord(Height(1), View(0), Digest(b"\1" * 32))),))
    assert read(trace.path)[0] == [1, 2]
    trace.close()


def test_a_full_disk_costs_lines_and_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = StepTrace(tmp_path, Deaf())
    trace.born(BIRTH)
    real = os.write
    take_steps(trace, range(2))
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:10]))
    take_steps(trace, range(2, 3))

    def full(_fd: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    take_steps(trace, range(3, 6))
    monkeypatch.undo()
    take_steps(trace, range(6, 8))
    trace.close()
    assert trace.lines_dropped >= 4
    assert trace.path is not None
    assert read(trace.path) == ([0, 1, 6, 7], False)


def test_a_place_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file")
    witness = Deaf()
    trace = StepTrace(tmp_path / "log", witness)
    trace.born(BIRTH)
    take_steps(trace, range(3))
    trace.close()
    assert (witness.steps, trace.path) == (3, None)
