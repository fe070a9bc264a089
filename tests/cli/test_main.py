"""Every way a command can end is one exit code and at most two lines on stderr."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from fiscotool import errors
from fiscotool.cli import main as door
from fiscotool.cli.output import jsonable, table, width_of
from fiscotool.cli.registry import COMMANDS
from fiscotool.errors import ExitCode


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        pytest.param(["--help"], 0, "", id="help"),
        pytest.param(["--version"], 0, "", id="version"),
        pytest.param(["fly"], 2, "No such command 'fly'", id="unknown command"),
        pytest.param(["deploy"], 2, "say which hosts", id="missing option"),
        pytest.param(["deploy", "-l", "127.0.0.1"], 2, "does not say how many nodes", id="-l that does not parse"),
        pytest.param(["deploy", "-l", "127.0.0.1:4", "-p", "65533,20200"], 2, "ports", id="more nodes than ports"),
        pytest.param(["status", "--dir", "nowhere"], 3, "nowhere", id="no chain here"),
        pytest.param(["check", "nothing.jsonl"], 2, "nothing.jsonl", id="no such recording"),
        pytest.param(["drill", "run", "kill-everyone"], 2, "there is no drill 'kill-everyone'", id="unknown drill"),
    ],
)
def test_a_users_mistake_is_one_error_and_one_code(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert door.run(arguments) == code
    stderr = capsys.readouterr().err
    assert said in stderr
    assert "Traceback" not in stderr
    assert not said or stderr.startswith("error: ")


@pytest.mark.parametrize("arguments", [[], ["drill"]])
def test_a_group_without_a_command_shows_its_help_and_nothing_else(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert door.run(arguments) in {ExitCode.OK, ExitCode.USAGE}
    out, err = capsys.readouterr()
    assert (out + err).startswith("Usage: fiscotool")
    assert "error:" not in err


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        pytest.param(errors.UsageError("u"), ExitCode.USAGE, id="usage"),
        pytest.param(errors.EnvironmentFailure("e"), ExitCode.ENVIRONMENT, id="environment"),
        pytest.param(errors.Refused("r", code=-32601), ExitCode.RPC, id="rpc"),
        pytest.param(errors.WaitTimeout("w"), ExitCode.TIMED_OUT, id="timed out"),
        pytest.param(errors.Interrupted("i"), ExitCode.INTERRUPTED, id="interrupted"),
        pytest.param(KeyboardInterrupt(), ExitCode.INTERRUPTED, id="Ctrl-C"),
        pytest.param(click.exceptions.Abort(), ExitCode.INTERRUPTED, id="Ctrl-C at a question"),
        pytest.param(
            FileNotFoundError(2, "No such file or directory", "gone/a.svg"), ExitCode.ENVIRONMENT, id="a path that cannot be written"
        ),
        pytest.param(OSError(28, "No space left on device"), ExitCode.ENVIRONMENT, id="a full disk"),
        pytest.param(ZeroDivisionError("division by zero"), ExitCode.BUG, id="our bug"),
    ],
)
def test_every_error_has_its_code(
    raised: BaseException, code: ExitCode, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise raised

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(door.cli, "main", fail)
    assert door.run([]) == code
    stderr = capsys.readouterr().err
    assert stderr.count("\n") <= 2
    if code is ExitCode.BUG:
        assert "our bug" in stderr
        assert "ZeroDivisionError" in stderr
    if isinstance(raised, OSError) and raised.filename:
        assert stderr.startswith(f"error: {raised.filename}: No such file or directory\nhint: ")


def test_an_error_of_a_socket_that_nobody_named_is_our_bug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise ConnectionResetError(104, "Connection reset by peer")

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(door.cli, "main", fail)
    assert door.run([]) == ExitCode.BUG
    assert "ConnectionResetError" in capsys.readouterr().err


def test_every_error_class_says_its_code() -> None:
    classes = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.FiscoToolError)]
    assert {each.exit_code for each in classes} >= {ExitCode.USAGE, ExitCode.ENVIRONMENT, ExitCode.RPC, ExitCode.TIMED_OUT}


@pytest.mark.parametrize("name", list(COMMANDS))
def test_the_overview_says_what_the_command_says(name: str) -> None:
    command = door.cli.get_command(click.Context(door.cli), name)
    assert command is not None
    first_line = (command.help or "").strip().split("\n", 1)[0]
    assert first_line == COMMANDS[name].help
    text = command.help or ""
    if not isinstance(command, click.Group):
        assert "Example:" in text
        assert f"fiscotool {name}" in text


def test_sigterm_ends_a_command_as_ctrl_c_does(tmp_path: Path) -> None:
    code = "import sys; from fiscotool.cli import main as m, registry\nimport time\nm.cli.main=lambda **k: (print('up', flush=True), time.sleep(60))\nm.main()"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == ExitCode.INTERRUPTED


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-m", "fiscotool", "drill", "list"], stdout=write_end, stderr=subprocess.PIPE, text=True, check=False, cwd=tmp_path
    )
    os.close(write_end)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


def test_tables_align_chinese_too() -> None:
    lines = table(("名称", "n"), [("节点", 1), ("node0", None)]).splitlines()
    assert len({width_of(line[: line.rindex(line.split()[-1])]) for line in lines}) == 1


def test_jsonable_knows_bytes_and_paths() -> None:
    assert jsonable({"a": b"\x01", "b": Path("x"), 3: (ExitCode.OK,)}) == {"a": "01", "b": "x", "3": [0]}
