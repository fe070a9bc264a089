"""The commands that the documentation shows: the lines in its fenced blocks that begin with `fiscotool` or `make`."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from tests.support.shared import ROOT

RUN = {"", "console", "sh", "bash"}
"""Languages of blocks whose commands are run; those of ```text are only shown."""
_FENCE = re.compile(r"```(\w*)")
_EXIT = re.compile(r"#.*\bexit (?:code )?(\d+)")
_LINE = re.compile(r"(?:\$ )?((?:fiscotool|make)\b.*)")


@dataclass(frozen=True, slots=True)
class Shown:
    """A command in a page. `code`: how it ends, 0 unless a comment on its line says `exit N`."""

    page: str
    number: int
    words: tuple[str, ...]
    code: int = 0

    @property
    def text(self) -> str:
        return shlex.join(self.words)


def commands(page: str) -> list[Shown]:
    """Commands to be run, in order."""
    found, language, inside = [], "", False
    for number, line in enumerate((ROOT / page).read_text(encoding="utf-8").splitlines(), start=1):
        fence = _FENCE.match(line.strip())
        if fence is not None:
            inside, language = not inside, fence[1]
            continue
        match = _LINE.fullmatch(line.strip()) if inside and language in RUN else None
        if match is not None:
            code = _EXIT.search(line)
            # A line may hold several commands: `fiscotool deploy … && fiscotool start`.
            for part in match[1].split("&&"):
                words = shlex.split(part, comments=True)
                found.append(Shown(page, number, tuple(words), int(code[1]) if code else 0))
    return found


def pages() -> list[str]:
    """README.md and what is in docs/, but the generated command reference."""
    return ["README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md") if path.name != "cli.md")]


def examples() -> list[Shown]:
    """The examples of the command reference."""
    lines = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8").splitlines()
    found: list[Shown] = []
    inside = False
    for number, line in enumerate(lines, start=1):
        match = re.fullmatch(r"\s*(Example: +)?(fiscotool .*)", line)
        # Further examples follow the first, each on a line of its own.
        inside = match is not None and (inside or match[1] is not None)
        if match is not None and inside:
            found += [Shown("docs/cli.md", number, tuple(shlex.split(part, comments=True))) for part in match[2].split("&&")]
    return found
