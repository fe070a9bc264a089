"""Curves of measured costs against group size: one self-contained SVG, both axes logarithmic."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from fiscotool.sim.costs import Cost

WIDTH, HEIGHT, LEFT, TOP, BOTTOM, RIGHT = 440, 320, 64, 34, 44, 84
COLORS = {"fisco3": "#1f6feb", "fisco2": "#8250df", "classic": "#6e7781", "raft": "#1a7f37", "hotstuff": "#cf222e"}
STYLE = "font-family:system-ui,sans-serif;font-size:11px"


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture: a field of `Cost` against the number of nodes."""

    title: str
    field: str
    unit: str


PANELS = (
    Panel("Messages for a block", "messages", "messages"),
    Panel("Messages a block under load", "loaded_messages", "messages"),
    Panel("Time until a quorum has a block", "latency_ms", "ms"),
    Panel("Transactions under load", "txs_per_s", "tx/s"),
    Panel("Messages to replace a dead leader", "change_messages", "messages"),
    Panel("Bytes to replace it with a prepared block", "worst_kilobytes", "kB"),
)
COLUMNS = 2
NOTE_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class Scale:
    """A logarithmic axis from `low` to `high` onto pixels."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Pixel of a value."""
        if self.high <= self.low:
            return (self.start + self.end) / 2
        share = (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        return self.start + share * (self.end - self.start)


def render(costs: Sequence[Cost], note: str) -> str:
    """All panels in one document; `note` states the model below them."""
    rows = math.ceil(len(PANELS) / COLUMNS)
    width, height = COLUMNS * WIDTH, rows * HEIGHT + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" style="{STYLE}">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for number, panel in enumerate(PANELS):
        x, y = number % COLUMNS * WIDTH, number // COLUMNS * HEIGHT
        parts.append(f'<g transform="translate({x},{y})">{_panel(panel, costs)}</g>')
    for line, text in enumerate(textwrap.wrap(note, NOTE_CHARACTERS)):
        parts.append(f'<text x="{LEFT}" y="{rows * HEIGHT + 14 + 15 * line}" fill="#57606a">{escape(text)}</text>')
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _panel(panel: Panel, costs: Sequence[Cost]) -> str:
    """Axes, grid and one curve a protocol."""
    sizes = sorted({cost.nodes for cost in costs})
    values = [value for cost in costs if (value := float(getattr(cost, panel.field))) > 0]
    low, high = 10 ** math.floor(math.log10(min(values))), 10 ** math.ceil(math.log10(max(values)))
    across = Scale(sizes[0], sizes[-1], LEFT, WIDTH - RIGHT)
    up = Scale(low, max(high, low * 10), HEIGHT - BOTTOM, TOP)
    parts = [f'<text x="{LEFT}" y="18" font-weight="600" fill="#1f2328">{escape(panel.title)}</text>']
    power = low
    while power <= max(high, low * 10):
        y = up.at(power)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#d0d7de"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#57606a">{power:,.10g}</text>')
        power *= 10
    for size in sizes:
        x = across.at(size)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{HEIGHT - BOTTOM}" y2="{HEIGHT - BOTTOM + 4}" stroke="#57606a"/>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 17}" text-anchor="middle" fill="#57606a">{size}</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 8}" text-anchor="end" fill="#57606a">nodes · {escape(panel.unit)}</text>')
    parts.extend(_curves(panel, costs, across, up))
    return "".join(parts)


def _curves(panel: Panel, costs: Sequence[Cost], across: Scale, up: Scale) -> list[str]:
    """Lines with dots, and names at their ends that do not overlap."""
    parts: list[str] = []
    ends: list[tuple[float, str, str]] = []
    for protocol in dict.fromkeys(cost.protocol for cost in costs):
        points = [
            (across.at(cost.nodes), up.at(value))
            for cost in sorted(costs, key=lambda cost: cost.nodes)
            if cost.protocol == protocol and (value := float(getattr(cost, panel.field))) > 0
        ]
        if not points:
            continue
        color = COLORS.get(protocol, "#000")
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="1.8"/>')
        parts.extend(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{color}"/>' for x, y in points)
        ends.append((points[-1][1], protocol, color))
    lowest = -math.inf
    for y, protocol, color in sorted(ends):
        lowest = max(y, lowest + 13)
        parts.append(f'<text x="{WIDTH - RIGHT + 8}" y="{lowest + 4:.1f}" fill="{color}">{escape(protocol)}</text>')
    return parts
