"""A machine that nodes live on: run a command, read and write files. One Protocol, so that a second kind of host can stand in.

Rule. Commands are argument lists, never text for a shell; a command has an end in time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fiscotool.errors import EnvironmentFailure


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that has ended. `status` is its exit status, negative for a signal; the outputs are what it wrote."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def is_ok(self) -> bool:
        """Whether it said it succeeded."""
        return self.status == 0


class CommandFailed(EnvironmentFailure):
    """A command could not be run, did not end in time, or (with `check`) ended with a status other than 0."""

    def __init__(self, message: str, *, hint: str = "", completed: Completed | None = None) -> None:
        super().__init__(message, hint=hint)
        self.completed = completed


class Host(Protocol):
    """Where commands run and files are."""

    @property
    def name(self) -> str:
        """How messages call it."""

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
        """Run `argv` to its end. `env` is added to the environment. Raises CommandFailed."""

    def read(self, path: Path) -> bytes:
        """The contents of a file. Raises EnvironmentFailure."""

    def write(self, path: Path, data: bytes, *, mode: int = 0o644) -> None:
        """Make or replace a file, at once or not at all. Raises EnvironmentFailure."""

    def exists(self, path: Path) -> bool:
        """Whether there is a file or directory of this name."""
