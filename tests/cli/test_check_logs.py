"""`check --logs`: verdicts, exit codes, and mistakes of the user."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from fiscotool.check.trace import TraceContext
from fiscotool.check.trace_file import write_trace
from fiscotool.cli import main as door
from fiscotool.errors import ExitCode
from fiscotool.pbft.trace import Act
from tests.check.traces import clean_trace, without
from tests.support.shared import shared

Capture = pytest.CaptureFixture[str]


def run(capsys: Capture, *words: str) -> tuple[int, str]:
    code = door.run(list(words))
    said = capsys.readouterr()
    return code, said.out if "--json" in words else said.out + said.err


def write(path: Path, lines: Iterable[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_clean_trace_is_consistent(tmp_path: Path, capsys: Capture) -> None:
    path = write(tmp_path / "run.jsonl", write_trace(clean_trace()))
    code, text = run(capsys, "check", "--logs", str(path))
    assert (code, "consistent" in text) == (ExitCode.OK, True), text


def test_a_missing_quorum_is_named_with_its_margin(tmp_path: Path, capsys: Capture) -> None:
    records = without(
        clean_trace(), lambda r: r.replica == "node1" and r.act is Act.RECEIVE_PREPARE and r.height == 2 and r.sender in {1, 3}
    )
    path = write(tmp_path / "run.jsonl", write_trace(records, TraceContext()))
    code, text = run(capsys, "check", "--logs", str(path))
    assert code == ExitCode.VIOLATED
    assert "needs weight 3, has {0,2}=2" in text
    code, text = run(capsys, "check", "--logs", str(path), "--json")
    assert code == ExitCode.VIOLATED
    assert json.loads(text)["verdict"] == "violation"
    code, _ = run(capsys, "check", "--logs", str(path), "--faulty", "node1")
    assert code == ExitCode.OK


def test_nothing_told_decides_nothing(tmp_path: Path, capsys: Capture) -> None:
    path = write(tmp_path / "run.jsonl", ['{"trace": 1}'])
    assert run(capsys, "check", "--logs", str(path))[0] == ExitCode.INCONCLUSIVE


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--logs", "{missing}"], "no such file"),
        (["--logs", "{bad}"], "line 1 of the trace"),
        (["--logs", "{good}", "--weights", "1,x"], "--weights"),
        (["--logs", "{good}", "--faulty", "node9"], "no log is of that node"),
        (["{good}", "--logs", "{good}"], "no line says anything"),
        ([], "nothing to judge"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, capsys: Capture, words: list[str], said: str) -> None:
    places = {
        "missing": tmp_path / "missing",
        "bad": write(tmp_path / "bad.jsonl", ["nonsense"]),
        "good": write(tmp_path / "good.jsonl", write_trace(clean_trace(1))),
    }
    code, text = run(capsys, "check", *(word.format(**places) for word in words))
    assert code == ExitCode.USAGE
    assert said in text
    assert "Traceback" not in text


def test_the_logs_of_real_nodes_are_a_run_of_the_protocol(capsys: Capture) -> None:
    code, text = run(capsys, "check", "--logs", str(shared("recordings", "v3", "logs_trace")), "--json")
    found = json.loads(text)
    assert (code, found["verdict"]) == (ExitCode.OK, "consistent"), found["breaches"][:3]
    assert found["records"] > 2000
    assert found["counters"]["guards"]["prepared.quorum"] > 100
