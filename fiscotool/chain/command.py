"""Run a program to its end, or end it with everything it started: build_chain.sh starts dozens of programs."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fiscotool.errors import EnvironmentFailure


@dataclass(frozen=True, slots=True)
class Told:
    """What a program ended with and wrote."""

    status: int
    stdout: str
    stderr: str


def run_command(argv: Sequence[str], *, within_s: float, cwd: Path | None = None, environ: Mapping[str, str] | None = None) -> Told:
    """Run `argv` without input; `environ` is the whole environment, this process's where it is None.

    It gets a process group of its own, which is ended as a whole when `within_s` seconds are over or this process is interrupted: what
    went on would write into directories that are being cleared away. Raises EnvironmentFailure where it cannot be run or does not end.
    """
    name = Path(argv[0]).name
    try:
        child = subprocess.Popen(
            argv,
            cwd=cwd,
            env=None if environ is None else dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    except OSError as problem:
        raise EnvironmentFailure(
            f"{argv[0]} cannot be run here: {problem.strerror}", hint="is it made for this kind of machine?"
        ) from problem
    with child:
        try:
            stdout, stderr = child.communicate(timeout=within_s)
        except BaseException as problem:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            if isinstance(problem, subprocess.TimeoutExpired):
                raise EnvironmentFailure(f"{name} did not end within {within_s:g} s and was ended", hint="try it by hand") from problem
            raise
    return Told(child.returncode, stdout, stderr)
