"""Commands and files on this machine."""

from __future__ import annotations

import stat
import sys
import time
from pathlib import Path

import pytest

from fiscotool.errors import EnvironmentFailure
from fiscotool.hosts.host import CommandFailed, Host
from fiscotool.hosts.local import LocalHost
from fiscotool.nodes.wait import wait_for

HOST: Host = LocalHost()


def is_gone(pid: int) -> bool:
    """Whether a killed process has ended; init may not have buried it yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def test_a_command_is_run_with_its_words_as_they_are(tmp_path: Path) -> None:
    code = "import os, sys; print(sys.argv[1:], os.getcwd(), os.environ['WORD'], sys.stdin.read())"
    done = HOST.run([sys.executable, "-c", code, "a b", "$HOME", "*"], within_s=20, cwd=tmp_path, env={"WORD": "x"}, stdin="in")
    assert done.stdout == f"['a b', '$HOME', '*'] {tmp_path} x in\n"
    assert done.is_ok
    assert done.seconds > 0


def test_a_failure_carries_status_and_words() -> None:
    with pytest.raises(CommandFailed, match="ended with status 3: no luck") as caught:
        HOST.run(["sh", "-c", "echo no luck >&2; exit 3"], within_s=20)
    assert caught.value.completed is not None
    assert caught.value.completed.status == 3
    assert HOST.run(["sh", "-c", "exit 3"], within_s=20, check=False).status == 3
    with pytest.raises(CommandFailed, match="it said nothing"):
        HOST.run(["false"], within_s=20)


def test_a_command_that_is_not_there_is_named() -> None:
    with pytest.raises(CommandFailed, match="no-such-command cannot be run") as caught:
        HOST.run(["no-such-command"], within_s=20)
    assert "installed" in caught.value.hint


def test_a_command_that_does_not_end_is_ended_with_its_children(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(CommandFailed, match=r"sh did not end within 0\.3 s"):
        HOST.run(["sh", "-c", f"sleep 60 & echo $! >{tmp_path}/pid; wait"], within_s=0.3)
    assert time.monotonic() - began < 25
    child = int((tmp_path / "pid").read_text())
    wait_for(lambda: is_gone(child), bool, what="the end of the child", within_s=10)


def test_files_are_replaced_at_once_with_their_mode(tmp_path: Path) -> None:
    path = tmp_path / "key"
    HOST.write(path, b"one", mode=0o600)
    HOST.write(path, b"two", mode=0o600)
    assert HOST.read(path) == b"two"
    assert HOST.exists(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["key"]


def test_files_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailure, match="cannot be read: No such file"):
        HOST.read(tmp_path / "nothing")
    with pytest.raises(EnvironmentFailure, match="cannot be written: No such file"):
        HOST.write(tmp_path / "no/where", b"")
    (tmp_path / "directory").mkdir()
    with pytest.raises(EnvironmentFailure, match="cannot be written"):
        HOST.write(tmp_path / "directory", b"")
    assert [entry.name for entry in tmp_path.iterdir()] == ["directory"]
    assert not HOST.exists(tmp_path / "nothing")
