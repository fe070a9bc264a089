"""What a command says: data on stdout, talk on stderr. The only module that prints.

Rule 1. stdout carries the answer and nothing else: text for people, or one JSON document with `--json`.
Rule 2. stderr carries progress, warnings, errors and next steps. It is silent where nobody looks (no progress off a terminal).
"""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import sys
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from pathlib import Path
from typing import Any


def jsonable(value: Any) -> Any:
    """`value` as JSON knows it: dataclasses become objects, enums their value, bytes hex, paths text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: jsonable(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Path):
        return str(value)
    return value


_NEXT_STEP = re.compile(r"fiscotool (?:start|stop|restart|kill|pause|resume|status|logs|send|watch|observe|query|rpc|destroy|drill heal)\b")
_given: list[Path] = []


def set_directory(directory: Path | None) -> None:
    """The chain's directory as given with --dir to this command; None: none was given."""
    _given[:] = [] if directory is None else [directory]


def with_directory(text: str) -> str:
    """A next step that can be typed as it is told: with the --dir of this command, if it had one."""
    if not _given or "--dir" in text:
        return text
    return _NEXT_STEP.sub(lambda found: f"{found[0]} --dir {shlex.quote(str(_given[0]))}", text)


def width_of(text: str) -> int:
    """Columns a terminal needs for `text`: two for each East Asian wide character."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows under headers, columns aligned, no borders: readable by people and by awk."""
    lines = [list(headers), *([("-" if cell is None or cell == "" else str(cell)) for cell in row] for row in rows)]
    widths = [max(width_of(line[column]) for line in lines) for column in range(len(headers))]
    return "\n".join(
        "  ".join(cell + " " * (width - width_of(cell)) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


@dataclasses.dataclass(slots=True)
class Output:
    """Where a command's words go. `as_json` is the `--json` of this call."""

    as_json: bool = False

    def show(self, data: Any, text: str | Callable[[], str]) -> None:
        """The answer: `data` with `--json`, else `text`."""
        if self.as_json:
            print(json.dumps(jsonable(data), ensure_ascii=False, indent=2))
        else:
            print(text() if callable(text) else text)
        sys.stdout.flush()

    def line(self, data: Any, text: str) -> None:
        """One item of a stream: a JSON line with `--json`, else a line of text."""
        print(json.dumps(jsonable(data), ensure_ascii=False) if self.as_json else text, flush=True)

    def write(self, text: str) -> None:
        """Text as it is, without a line end (the live table redraws itself)."""
        print(text, end="", flush=True)

    def say(self, text: str) -> None:
        """Talk: progress that matters, next steps, warnings."""
        print(with_directory(text), file=sys.stderr, flush=True)

    def progress(self, text: str) -> None:
        """Passing progress on one line that overwrites itself; nothing where stderr is not a terminal."""
        if sys.stderr.isatty():
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    def progress_done(self) -> None:
        """Clear the progress line."""
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def complain(message: str, hint: str = "") -> None:
    """An error in two lines on stderr: what is wrong, and what to do next."""
    print(f"error: {message}", file=sys.stderr)
    if hint:
        print(f"hint: {with_directory(hint)}", file=sys.stderr)
    sys.stderr.flush()
