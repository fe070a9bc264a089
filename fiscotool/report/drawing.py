"""The parts of a drawing, and how seconds and values become pixels.

Rule 1. Coordinates are rounded to a tenth of a pixel: a report of a long run stays small.

Sources: docs/report.md.
"""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from typing import Any, Final

from fiscotool.consistency.timeline import Span

WIDTH: Final = 1120.0
LEFT: Final = 76.0
RIGHT: Final = 14.0


@dataclass(frozen=True, slots=True)
class Line:
    """One node's curve in one panel."""

    node: str
    color: int
    path: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One plot: its frame, its vertical ticks and its lines."""

    kind: str
    label: str
    top: float
    bottom: float
    ticks: tuple[Tick, ...]
    lines: tuple[Line, ...] = ()
    area: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    """A horizontal stretch."""

    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Lane:
    """One node's row of states."""

    node: str
    color: int
    y: float
    height: float
    up: tuple[Box, ...]
    timeouts: tuple[Box, ...]
    faults: tuple[Box, ...]
    restarts: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Band:
    """One fault through all panels, with its label in one of the rows on top."""

    x: float
    width: float
    label: str
    label_x: float
    label_y: float
    anchor: str
    color: int
    is_healed: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """One block, at the time it was first shown, in the colour of its proposer."""

    x: float
    color: int


@dataclass(frozen=True, slots=True)
class Chart:
    """The whole drawing. `data` is what the pointer reads out; times in seconds."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    x_ticks: tuple[Tick, ...]
    panels: tuple[Panel, ...]
    strip_y: float
    marks: tuple[Mark, ...]
    lanes: tuple[Lane, ...]
    bands: tuple[Band, ...]
    legend: tuple[tuple[str, int], ...]
    data: dict[str, Any]


class Axis:
    """Seconds to pixels."""

    def __init__(self, start_s: float, end_s: float) -> None:
        self.start_s = start_s
        self.end_s = max(end_s, start_s + 1e-3)

    def x(self, at_s: float) -> float:
        """Where a second is; outside the drawing it is its edge."""
        share = (min(max(at_s, self.start_s), self.end_s) - self.start_s) / (self.end_s - self.start_s)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def box(self, span: Span) -> Box:
        """A stretch of time, at least one pixel wide so that it is seen."""
        return Box(self.x(span[0]), round(max(1.0, self.x(span[1]) - self.x(span[0])), 1))


def text_width(text: str) -> float:
    """About how wide a 12 px label is."""
    return sum(12.0 if unicodedata.east_asian_width(char) in "WF" else 6.8 for char in text)


def nice_ticks(low: float, high: float, wanted: int, *, whole: bool = False) -> list[float]:
    """Round numbers within [low, high], about `wanted` of them."""
    raw = max(high - low, 1e-9) / wanted
    scale = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * scale for factor in (1, 2, 5, 10) if factor * scale >= raw)
    if whole:
        step = max(1.0, step)
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 9) for index in range(first, math.floor(high / step + 1e-9) + 1)]
