"""This machine as a Host."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from fiscotool.errors import EnvironmentFailure
from fiscotool.hosts.host import CommandFailed, Completed

_SHOWN_CHARACTERS = 500


class LocalHost:
    """Runs commands here, as this user."""

    name = "this machine"

    def run(
        self,
        argv: Sequence[str],
        *,
        within_s: float,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        check: bool = True,
    ) -> Completed:
        """Run `argv` in a process group of its own, which is ended as a whole when its time is up or this program is interrupted."""
        words = tuple(argv)
        began_s = time.monotonic()
        try:
            child = subprocess.Popen(
                words,
                cwd=cwd,
                env={**os.environ, **(env or {})},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        except OSError as problem:
            raise CommandFailed(
                f"{words[0]} cannot be run: {problem.strerror}", hint=f"is {words[0]} installed and on the PATH of this user?"
            ) from problem
        with child:
            try:
                stdout, stderr = child.communicate(stdin, timeout=within_s)
            except subprocess.TimeoutExpired as problem:
                _end_group(child)
                raise CommandFailed(
                    f"{words[0]} did not end within {within_s:g} s and was ended", hint="try it by hand: " + " ".join(words)
                ) from problem
            except BaseException:
                _end_group(child)
                raise
        completed = Completed(words, child.returncode, stdout, stderr, time.monotonic() - began_s)
        if check and not completed.is_ok:
            said = (stderr.strip() or stdout.strip())[-_SHOWN_CHARACTERS:]
            raise CommandFailed(f"{words[0]} ended with status {completed.status}: {said or 'it said nothing'}", completed=completed)
        return completed

    def read(self, path: Path) -> bytes:
        """The contents of a file. Raises EnvironmentFailure."""
        try:
            return path.read_bytes()
        except OSError as problem:
            raise EnvironmentFailure(f"{path} cannot be read: {problem.strerror}", hint="check that it exists and may be read") from problem

    def write(self, path: Path, data: bytes, *, mode: int = 0o644) -> None:
        """Make or replace a file: written beside it and renamed, so that nobody sees half of it. Raises EnvironmentFailure."""
        temporary = ""
        try:
            descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            with os.fdopen(descriptor, "wb") as target:
                target.write(data)
            Path(temporary).chmod(mode)
            Path(temporary).replace(path)
        except OSError as problem:
            if temporary:
                Path(temporary).unlink(missing_ok=True)
            raise EnvironmentFailure(f"{path} cannot be written: {problem.strerror}", hint="check permissions and free space") from problem

    def exists(self, path: Path) -> bool:
        """Whether there is a file or directory of this name."""
        return path.exists()


def _end_group(child: subprocess.Popen[str]) -> None:
    """End a command with everything it started; its group has its pid, because it leads a session."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
