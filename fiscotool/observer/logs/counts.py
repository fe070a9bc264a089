"""What became of the lines of a log: counted, so that nothing is dropped in silence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from fiscotool.observer.logs.events import Kind

__all__ = ["MORE_TEXTS", "LogCounts"]

_TEXTS_MAX: Final = 500
MORE_TEXTS: Final = "(more texts)"
"""Stands for all unknown texts beyond the first few hundred different ones."""


@dataclass(slots=True)
class LogCounts:
    """What became of the lines. `unknown` maps an unknown text to how often it came and the first line with it."""

    line_count: int = 0
    event_count: int = 0
    other_count: int = 0
    continuation_count: int = 0
    torn_count: int = 0
    by_kind: dict[Kind, int] = field(default_factory=dict)
    unknown: dict[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def unknown_count(self) -> int:
        """How many lines with a consensus badge were of no known text."""
        return self.by_kind.get(Kind.UNKNOWN, 0)

    def add(self, more: LogCounts) -> None:
        """Add the counts of another parser."""
        self.line_count += more.line_count
        self.event_count += more.event_count
        self.other_count += more.other_count
        self.continuation_count += more.continuation_count
        self.torn_count += more.torn_count
        for kind, count in more.by_kind.items():
            self.by_kind[kind] = self.by_kind.get(kind, 0) + count
        for text, (count, line) in more.unknown.items():
            known = self.unknown.get(text, (0, line))
            self.unknown[text] = (known[0] + count, known[1])

    def note_unknown(self, text: str, line: str) -> None:
        """Count an unknown text; beyond the first few hundred they are counted together."""
        if text not in self.unknown and len(self.unknown) >= _TEXTS_MAX:
            text = MORE_TEXTS
        count, first = self.unknown.get(text, (0, line))
        self.unknown[text] = (count + 1, first)
