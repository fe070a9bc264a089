"""`fiscotool events` on files: text, JSON, unknown lines, following, and the mistakes a user makes."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fiscotool.cli import main as door
from tests.support.shared import shared

STATE = "committedIndex=7,consNum=8,committedHash=7d41d39e...,view=9,toView=10,changeCycle=1,expectedCheckPoint=8,Idx=2,sealUntil=0,waitResealUntil=0,consensusTimeout=3000,nodeId=b6b8084a..."
TIMEOUT = f"warning|2026-11-21 05:14:29.250000|pbft-0x01|[CONSENSUS][PBFT]After onTimeout,{STATE},lockT=0"
UNKNOWN = "info|2026-11-21 05:14:30.250000|pbft-0x01|[CONSENSUS][PBFT]words of a later release,index=5"


def write(directory: Path, *lines: str) -> Path:
    path = directory / "node3" / "log" / "log_2026112105.14.log"
    path.parent.mkdir(parents=True)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def test_recorded_logs_as_text_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(shared("recordings", "v3", "logs_trace"))
    assert door.run(["events", folder]) == 0
    text = capsys.readouterr()
    assert "node1,node2,node3 the leader of view 4 is known to be away" in text.out
    assert "0 torn, 0 unknown" in text.err
    assert door.run(["events", folder, "--kind", "view-entered", "--json", "--align"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["view"] for line in lines[:-1] if line["node"] == "node1"] == [3, 4, 5, 6, 7, 9, 10]
    assert lines[-1]["summary"]["lines"] == 89782
    assert lines[-1]["summary"]["unknown"] == []


def test_unknown_lines_are_shown_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, TIMEOUT, UNKNOWN, UNKNOWN, "no log line at all")
    assert door.run(["events", str(path), "--zone", "+08:00"]) == 0
    said = capsys.readouterr()
    assert "2026-11-21 05:14:29.250  node3 timer expired at height 7: gives up view 9, asks for view 10 (attempt 1)" in said.out
    assert said.out.count("? [CONSENSUS][PBFT]words of a later release,index=5") == 2
    assert "4 lines: 1 understood, 0 of other modules, 1 continuations, 0 torn, 2 unknown" in said.err
    assert "unknown, 2 times: [CONSENSUS][PBFT]words of a later release" in said.err
    assert door.run(["events", str(path), "--kind", "report", "--lang", "zh"]) == 0
    said = capsys.readouterr()
    assert "words of a later release" in said.out, "what is not understood is shown whatever was asked for"
    assert "未识别 2 行" in said.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["events", "--dir", "nowhere"], 3, "nowhere"),
        (["events", "here", "node9"], 2, "there is no file node9"),
        (["events", "here", "--since", "yesterday"], 2, "'yesterday' is not a duration"),
        (["events", "here", "--zone", "Mars"], 2, "'Mars' is not a time zone"),
        (["events", "here", "--kind", "party"], 2, "party"),
        (["events", "here/empty"], 2, "holds no log files"),
        (["events", "here/node3/log/log_2026112105.14.log", "-f"], 2, "files are not followed"),
        (["events", "here", "-f", "--align"], 2, "--align"),
    ],
)
def test_mistakes(
    arguments: list[str], code: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "here", TIMEOUT)
    (tmp_path / "here" / "empty").mkdir()
    assert door.run(arguments) == code
    assert said in capsys.readouterr().err


def test_following_a_log_that_begins_later(tmp_path: Path) -> None:
    path = write(tmp_path, "")
    command = [sys.executable, "-m", "fiscotool", "events", "-f", str(path.parent), "--since", "2026-11-21T05:00:00", "--zone", "UTC"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        with path.open("a", encoding="utf-8") as log:
            log.write(TIMEOUT + "\n" + UNKNOWN[:50])
            log.flush()
            deadline_s = time.monotonic() + 30
            assert select.select([process.stdout], [], [], deadline_s - time.monotonic())[0], "the time-out is told"
            assert "gives up view 9" in process.stdout.readline()
            log.write(UNKNOWN[50:] + "\n")
            log.flush()
            assert select.select([process.stdout], [], [], 30)[0]
            assert "words of a later release" in process.stdout.readline()
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 0
        assert "1 unknown" in errors
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
