"""The node's log: the real node's format, bounded noise, and no way to stop a node by it."""

from __future__ import annotations

import lzma
import re
from pathlib import Path

import pytest

from fiscotool.devnet.log import NodeLog, short_hash
from fiscotool.devnet.narration import Narrator, state_fields
from fiscotool.devnet.proposals import ContentCache
from fiscotool.pbft.effects import Broadcast
from fiscotool.pbft.events import PoolSize, Received, Started, TimerFired, TimerName
from fiscotool.pbft.messages import RecoverResponse, ViewChange
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.state import ReplicaState, initial_state
from fiscotool.pbft.step import step
from fiscotool.pbft.types import Digest, Height, NodeIndex, View
from tests.support.shared import shared

LINE = re.compile(
    r"(trace|debug|info|warning|error|fatal)\|(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6})\|([\w. -]+)-0x[0-9a-f]+\|((?:\[[^\]]*\])+)(.*)",
    re.DOTALL,
)
D = Digest(b"\x11" * 32)
NODE_ID = b"\xab" * 64


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_800_000_000.25

    def __call__(self) -> float:
        return self.now_s


def lines(folder: Path) -> list[str]:
    return "".join(path.read_text() for path in sorted(folder.glob("*.log"))).splitlines()


def test_lines_have_the_real_nodes_form(tmp_path: Path) -> None:
    real = next(iter(sorted(shared("recordings", "v3", "logs", "node0").glob("*.xz"))))
    with lzma.open(real, "rt") as source:
        text = [line.rstrip("\n") for line in source if "[CONSENSUS]" in line][:2000]
    assert all(LINE.fullmatch(line) for line in text), "the pattern is the real node's"
    node_log = NodeLog(tmp_path, now=Clock())
    node_log.info("CONSENSUS][PBFT", "hello", index=3, sys=False, hash=short_hash(D))
    node_log.close()
    (line,) = lines(tmp_path)
    assert LINE.fullmatch(line)
    assert line.endswith("[CONSENSUS][PBFT]hello,index=3,sys=false,hash=11111111...")
    assert next(path.name for path in tmp_path.iterdir()).startswith("log_20")


def test_levels_hide_what_is_below_them(tmp_path: Path) -> None:
    node_log = NodeLog(tmp_path, level="warning", now=Clock())
    node_log.info("A", "hidden")
    node_log.warning("A", "shown")
    node_log.set_level("trace")
    node_log.trace("A", "shown too")
    node_log.close()
    assert [line.rsplit("]", 1)[1] for line in lines(tmp_path)] == ["shown", "shown too"]


def test_a_flood_of_one_kind_is_one_line_a_second(tmp_path: Path) -> None:
    clock = Clock()
    node_log = NodeLog(tmp_path, now=clock)
    for _ in range(1000):
        node_log.limited("warning", "kind", "A", "garbage")
    node_log.limited("warning", "other", "A", "something else")
    clock.now_s += 1.5
    node_log.limited("warning", "kind", "A", "garbage")
    node_log.close()
    assert [line.rsplit("]", 1)[1] for line in lines(tmp_path)] == ["garbage", "something else", "garbage,leftOut=999"]


def test_a_new_file_each_hour_and_when_one_is_full(tmp_path: Path) -> None:
    clock = Clock()
    node_log = NodeLog(tmp_path, bytes_max=300, now=clock)
    for _ in range(3):
        node_log.info("A", "x" * 200)
        clock.now_s += 3600
    node_log.close()
    assert len(list(tmp_path.iterdir())) == 3


def test_a_full_disk_costs_lines_and_nothing_else(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    clock = Clock()
    node_log = NodeLog(tmp_path, now=clock)
    node_log.info("A", "first")
    next(tmp_path.iterdir()).unlink()
    assert node_log._file is not None
    node_log._file.close()
    node_log._file = full.open("ab", buffering=0)
    node_log.info("A", "lost")
    node_log.close()
    assert node_log.lines_dropped == 1


def fresh() -> ReplicaState:
    return initial_state(rules=Rules(weights=(1, 1, 1, 1)), me=NodeIndex(0), height=Height(5), block_hash=D)


def test_the_state_fields_are_those_of_a_real_line() -> None:
    real = (
        "committedIndex=196,consNum=197,committedHash=869a6d3d...,view=25,toView=28,changeCycle=1,expectedCheckPoint=197,Idx=1,"
        "sealUntil=0,waitResealUntil=0,consensusTimeout=3000,nodeId=1fbaa181..."
    )
    assert list(state_fields(fresh(), NODE_ID.hex())) == [part.split("=")[0] for part in real.split(",")]


def told(tmp_path: Path, *events: object) -> list[str]:
    """Texts of the lines that these events give, without fields."""
    node_log = NodeLog(tmp_path, now=Clock())
    narrator = Narrator(node_log, NODE_ID, ContentCache())
    state = fresh()
    for event in events:
        before = state
        state, effects = step(state, event)  # type: ignore[arg-type]
        narrator.on_step(before, event, state, effects)  # type: ignore[arg-type]
        for effect in effects:
            narrator.on_applied(state, effect)
    node_log.close()
    return [LINE.fullmatch(line)[5].split(",")[0] for line in lines(tmp_path)]  # type: ignore[index]


def test_a_timeout_and_a_recovery_are_told_in_the_real_nodes_words(tmp_path: Path) -> None:
    state, effects = step(fresh(), Started())
    epoch = state.timer_epoch
    answers = [Received(RecoverResponse(View(9), Height(5), NodeIndex(k), D)) for k in (1, 2, 3)]
    texts = told(tmp_path, Started(), TimerFired(TimerName.VIEW, epoch), *answers)
    assert texts == [
        "broadcastViewChangeReq",
        "broadcastViewChangeReq",
        "After onTimeout",
        "broadcastViewChangeReq",
        *["addRecoverReqCache"] * 3,
        "checkAndTryToRecoverView: reachNewView",
    ]
    assert any(isinstance(effect, Broadcast) and isinstance(effect.message, ViewChange) for effect in effects)


def test_a_stale_timer_is_not_told(tmp_path: Path) -> None:
    assert told(tmp_path, TimerFired(TimerName.VIEW, 999), PoolSize(0)) == []
