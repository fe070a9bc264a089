"""`check --logs --explain`: the first record, the guard and its margin, the smallest evidence, the nearest switch; in two languages, as data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fiscotool.check.trace import TraceContext
from fiscotool.check.trace_file import write_trace
from fiscotool.check.trace_guards import GUARDS
from fiscotool.cli import main as door
from fiscotool.cli.explain_words import GUARDS_ZH
from fiscotool.pbft.trace import Act
from tests.check.traces import changed, clean_trace, place_of, without


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """A trace in which node1 is prepared on two votes."""
    records = without(
        clean_trace(), lambda r: r.replica == "node1" and r.act is Act.RECEIVE_PREPARE and r.height == 2 and r.sender in {1, 3}
    )
    records = changed(records, place_of(records, Act.RECEIVE_PREPARE, "node1", 2, 1), weight=2)
    path = tmp_path / "bad.jsonl"
    path.write_text("".join(line + "\n" for line in write_trace(records, TraceContext())))
    return path


def test_an_explanation_is_one_screen(bad: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    svg = tmp_path / "why" / "why.svg"
    assert door.run(["check", "--logs", str(bad), "--explain", "--svg", str(svg)]) == 1
    said = capsys.readouterr().out
    assert "missed by 1: 3 needed, 2 there" in said
    assert "smallest evidence that still shows it (3 records, none can be left out" in said
    assert "behaves as if M1: prepared with q-1" in said
    drawn = svg.read_text(encoding="utf-8")
    assert drawn.startswith("<svg")
    assert "node2" in drawn, "who sent the votes is drawn as well"


def test_it_is_told_in_chinese_and_as_data(bad: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert door.run(["check", "--logs", str(bad), "--explain", "--lang", "zh"]) == 1
    said = capsys.readouterr().out
    assert "表现如同 M1" in said
    assert "prepared 需要法定多数的 Prepare" in said
    assert door.run(["check", "--logs", str(bad), "--explain", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)["explanation"]
    assert (told["guard"], told["margin"], told["evidence_is_minimal"]) == ("prepared.quorum", -1, True)
    assert [record["act"] for record in told["evidence"]] == ["receive-prepare", "receive-prepare", "prepared"]
    assert told["switches"][0]["name"] == "M1"


def test_what_is_right_needs_no_explanation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "good.jsonl"
    path.write_text("".join(line + "\n" for line in write_trace(clean_trace(), TraceContext())))
    assert door.run(["check", "--logs", str(path), "--explain", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["explanation"] is None


@pytest.mark.parametrize("arguments", [["check", "run.jsonl", "--explain"], ["check", "--logs", "x", "--svg", "x.svg"]])
def test_options_that_do_not_go_together_are_said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert door.run(arguments) == 2
    assert "error: --" in capsys.readouterr().err


def test_nearly_all_guards_are_said_in_chinese() -> None:
    assert len(set(GUARDS_ZH) & set(GUARDS)) > 0.9 * len(GUARDS)
    assert len(set(GUARDS_ZH.values())) == len(GUARDS_ZH)
