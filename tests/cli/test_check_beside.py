"""`check RECORDING`: the recording's own log lines, or logs given beside it, are judged with the polls, and each part is told."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from fiscotool.check.trace_file import write_trace
from fiscotool.cli import main as door
from fiscotool.consistency.observations import NodeIdentity, RunInfo
from fiscotool.errors import ExitCode
from fiscotool.observer.logs.trace import ACTS
from fiscotool.observer.recording import RecordingWriter
from fiscotool.pbft.trace import Act, TraceRecord
from tests.check.traces import clean_trace, without

Capture = pytest.CaptureFixture[str]
KINDS = {act: kind for kind, act in reversed(ACTS.items())}
NODES = tuple(NodeIdentity(f"node{index}", f"{index:02x}" * 64) for index in range(4))


def recorded(path: Path, records: Iterable[TraceRecord]) -> Path:
    """A recording whose log lines tell these records, after one poll of each node."""
    with RecordingWriter(path) as writer:
        writer.run(RunInfo(NODES))
        for node in NODES:
            writer.poll(node.name, 0.0, 0.1, values={"height": 0, "view": 0, "node_count": 4})
        for record in records:
            told = {
                "height": record.height,
                "view": record.view,
                "to_view": record.to_view,
                "digest": record.digest,
                "sender": record.sender,
                "weight": record.weight,
                "own_index": record.index,
            }
            values = {name: value for name, value in told.items() if value not in (None, "")}
            writer.event(record.replica, record.at_s, KINDS[record.act].value, values)
        writer.end()
    return path


def judged(capsys: Capture, *words: str) -> tuple[int, dict[str, dict[str, object]]]:
    code = door.run(["check", *words, "--json"])
    return code, json.loads(capsys.readouterr().out)["parts"]


def lacking() -> list[TraceRecord]:
    return without(clean_trace(), lambda r: r.replica == "node1" and r.act is Act.RECEIVE_PREPARE and r.height == 2 and r.sender in {1, 3})


def test_the_log_lines_in_a_recording_are_judged(tmp_path: Path, capsys: Capture) -> None:
    code, parts = judged(capsys, str(recorded(tmp_path / "clean.jsonl", clean_trace())))
    assert (code, parts["logs"]["verdict"]) == (ExitCode.INCONCLUSIVE, "consistent"), "so little was polled that polls decide nothing"
    code, parts = judged(capsys, str(recorded(tmp_path / "bad.jsonl", lacking())))
    assert (code, parts["logs"]["verdict"], parts["polls"]["verdict"]) == (ExitCode.VIOLATED, "violation", "inconclusive")
    assert parts["logs"]["source"] == "the log lines in the recording"


def test_logs_given_beside_a_recording_are_judged_instead(tmp_path: Path, capsys: Capture) -> None:
    recording = recorded(tmp_path / "run.jsonl", [])
    code, parts = judged(capsys, str(recording))
    assert (code, parts["logs"]["verdict"]) == (ExitCode.INCONCLUSIVE, "not judged")
    trace = tmp_path / "trace.jsonl"
    trace.write_text("\n".join(write_trace(lacking())) + "\n", encoding="utf-8")
    code, parts = judged(capsys, str(recording), "--logs", str(trace))
    assert (code, parts["logs"]["source"]) == (ExitCode.VIOLATED, "the logs given")
