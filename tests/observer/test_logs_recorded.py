"""What logs say goes into a recording and comes out of it."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

import pytest

from fiscotool.consistency.observations import EventSeen, NodeIdentity, RunInfo
from fiscotool.observer.logs.recorder import LogRecorder
from fiscotool.observer.recording import RecordingWriter, load_recording
from tests.support.until import until

STATE = "committedIndex=7,consNum=8,committedHash=7d41d39e...,view=9,toView=10,changeCycle=1,expectedCheckPoint=8,Idx=2,sealUntil=0,waitResealUntil=0,consensusTimeout=3000,nodeId=b6b8084a..."


def line_at(at_s: float, text: str) -> str:
    return f"info|{datetime.fromtimestamp(at_s).astimezone():%Y-%m-%d %H:%M:%S.%f}|pbft-0x01|{text}\n"


def test_a_logs_lines_are_recorded_from_the_start_on_and_loaded(tmp_path: Path) -> None:
    log, path = tmp_path / "log" / "log_2026112105.14.log", tmp_path / "run.jsonl"
    log.parent.mkdir()
    now_s = time.time()
    log.write_text(line_at(now_s - 100, f"[CONSENSUS][PBFT]After onTimeout,{STATE}"))
    with RecordingWriter(path) as writer:
        writer.run(RunInfo((NodeIdentity("node0", "ab"), NodeIdentity("node1", "cd"))))
        recorder = LogRecorder({"node0": log.parent, "node1": tmp_path / "appears never"}, writer)
        recorder.start()
        with log.open("a") as file:
            file.write(line_at(time.time(), f"[CONSENSUS][PBFT]After onTimeout,{STATE},lockT=0"))
            file.write(
                line_at(
                    time.time(), f"[CONSENSUS][PBFT]addCommitCache,reqHash=aa...,reqIndex=8,reqV=9,fromIdx=1,wait(ms)=0,{STATE},weight=2"
                )
            )
            file.write(line_at(time.time(), "[CONSENSUS][PBFT]new words,a=1"))
        until(lambda: path.read_text().count('"event"') >= 6)
        recorder.stop()
        assert recorder.lost_count == 0
        writer.end()
    observations = load_recording(path)
    assert observations.problems == ()
    first, vote, second = observations.events
    assert (vote.kind, vote.sender, vote.weight, vote.own_view, vote.head, vote.change_cycle) == ("commit-counted", 1, 2, 9, 7, 1)
    assert (first.kind, first.height, first.view, first.to_view, first.digest, first.own_index) == ("timeout", 7, 9, 10, "7d41d39e", 2)
    assert 0 <= first.at_s < 20
    assert (second.kind, second.text) == ("unknown", "[CONSENSUS][PBFT]new words,a=1")


def test_without_directories_nothing_runs(tmp_path: Path) -> None:
    with RecordingWriter(tmp_path / "run.jsonl") as writer:
        recorder = LogRecorder({}, writer)
        recorder.start()
        recorder.stop()


@pytest.mark.parametrize(
    "line",
    ['{"kind":"event"}', '{"kind":"event","node":"node0","at_s":"x","event":"timeout"}', '{"kind":"event","node":"node0","at_s":1}'],
)
def test_an_unusable_event_line_is_a_problem_and_stops_nothing(tmp_path: Path, line: str) -> None:
    path = tmp_path / "run.jsonl"
    good = '{"kind":"event","node":"node0","at_s":2.5,"event":"view-entered","view":4,"height":"seven","weight":true}'
    path.write_text(f'{{"kind":"run","nodes":[{{"name":"node0"}}]}}\n{line}\n{good}\n{{"kind":"end","at_s":3}}\n')
    observations = load_recording(path)
    assert observations.events == (EventSeen("node0", 2.5, 3, "view-entered", view=4),)
    assert any(problem.startswith("line 2: event: ") for problem in observations.problems)
