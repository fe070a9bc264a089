"""The timeline as geometry: where each line, lane, band and label of the drawing goes. The template turns it into SVG.

From top to bottom, over one time axis: fault labels; height per node; view per node; who proposed each block; one lane a node (answering,
in time-out, new process); transactions a second. Fault bands run through all of it.

Rule 1. While a node does not answer, its line is interrupted: nothing is drawn that was not seen.
Rule 2. Lines of nodes that agree would cover each other; each node's line is shifted by less than two pixels so that all stay visible.
Rule 3. All coordinates are numbers made here and rounded to a tenth; no text from a recording becomes part of a path.

Sources: docs/report.md.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any, Final

from fiscotool.consistency.timeline import FaultBand, NodeSeries, Point, RateBucket, Span, Timeline
from fiscotool.report.drawing import LEFT, RIGHT, WIDTH, Axis, Band, Chart, Lane, Line, Mark, Panel, Tick, nice_ticks, text_width
from fiscotool.report.thinning import COLUMNS, thinned
from fiscotool.report.words import Speech

COLORS: Final = 8
"""How many node colours the style sheet has."""
_LABEL_ROW: Final = 20.0
_PANEL: Final = 132.0
_GAP: Final = 26.0
_RATE_PANEL: Final = 72.0
_SHIFT: Final = 1.8
_POINTS_ALL_NODES: Final = 2400
_COLUMNS_MIN: Final = 40


def chart_of(say: Speech, full: Timeline) -> Chart:
    """The drawing of a run."""
    columns = min(COLUMNS, max(_COLUMNS_MIN, _POINTS_ALL_NODES // max(1, len(full.nodes))))
    series = thinned(full, columns)
    axis = Axis(series.start_s, series.end_s)
    colors = {node.node: index % COLORS for index, node in enumerate(series.nodes)}
    bands, label_rows = _bands(say, series.faults, axis, colors)
    top = 8 + _LABEL_ROW * label_rows
    panels = [_lines_panel("height", say("chart_height"), series.nodes, axis, colors, top)]
    panels.append(_lines_panel("view", say("chart_view"), series.nodes, axis, colors, panels[-1].bottom + _GAP))
    strip_y = panels[-1].bottom + _GAP
    lanes = _lanes(series, axis, colors, strip_y + 14 + 12)
    bottom = (lanes[-1].y + lanes[-1].height if lanes else strip_y + 14) + 4
    if series.rates:
        panels.append(_rates_panel(say, series.rates, axis, bottom + _GAP - 4))
        bottom = panels[-1].bottom
    return Chart(
        width=WIDTH,
        height=bottom + 40,
        left=LEFT,
        right=WIDTH - RIGHT,
        top=top,
        bottom=bottom,
        x_ticks=tuple(Tick(axis.x(at_s), f"{at_s:g}") for at_s in nice_ticks(axis.start_s, axis.end_s, 10)),
        panels=tuple(panels),
        strip_y=strip_y,
        marks=tuple(Mark(axis.x(mark.shown_s), colors.get(mark.sealer, -1)) for mark in series.blocks),
        lanes=lanes,
        bands=bands,
        legend=tuple((node.node, colors[node.node]) for node in series.nodes),
        data=_data(series, axis, colors),
    )


def _data(series: Timeline, axis: Axis, colors: dict[str, int]) -> dict[str, Any]:
    def short(pairs: tuple[Point, ...] | tuple[Span, ...]) -> list[list[float]]:
        return [[round(first, 2), round(second, 2)] for first, second in pairs]

    return {
        "start": round(axis.start_s, 3),
        "end": round(axis.end_s, 3),
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "nodes": [
            {
                "name": node.node,
                "color": colors[node.node],
                "h": short(node.heights),
                "v": short(node.views),
                "up": short(node.up),
                "to": short(node.timeouts),
            }
            for node in series.nodes
        ],
    }


# Panels


def _lines_panel(kind: str, label: str, nodes: tuple[NodeSeries, ...], axis: Axis, colors: dict[str, int], top: float) -> Panel:
    bottom = top + _PANEL
    points = {node.node: node.heights if kind == "height" else node.views for node in nodes}
    values = [value for series in points.values() for _, value in series] or [0]
    low, high = min(values), max(values)
    high = max(high, low + 1)
    inner_top, inner_bottom = top + 8, bottom - 8

    def y(value: float) -> float:
        return inner_bottom - (value - low) / (high - low) * (inner_bottom - inner_top)

    shift = _SHIFT if len(nodes) <= COLORS else 0.0
    lines = []
    for index, node in enumerate(nodes):
        offset = (index - (len(nodes) - 1) / 2) * shift
        path = _step_path(points[node.node], node.up, axis, [round(y(value) + offset, 1) for _, value in points[node.node]])
        lines.append(Line(node.node, colors[node.node], path))
    ticks = tuple(Tick(round(y(value), 1), f"{value:g}") for value in nice_ticks(low, high, 5, whole=True))
    return Panel(kind, label, top, bottom, ticks, tuple(lines))


def _step_path(points: tuple[Point, ...], up: tuple[Span, ...], axis: Axis, ys: list[float]) -> str:
    """Steps while the node answered; interrupted in between."""
    if not points:
        return ""
    times = [at_s for at_s, _ in points]
    parts: list[str] = []
    for from_s, to_s in up or ((times[0], times[-1]),):
        at = max(0, bisect_right(times, from_s + 1e-6) - 1)
        if times[at] > to_s:
            continue
        parts.append(f"M{axis.x(max(from_s, times[at])):g} {ys[at]:g}")
        for index in range(at + 1, bisect_right(times, to_s + 1e-6)):
            parts.append(f"H{axis.x(times[index]):g}")
            if ys[index] != ys[index - 1]:
                parts.append(f"V{ys[index]:g}")
        parts.append(f"H{axis.x(to_s):g}")
    return "".join(parts)


def _rates_panel(say: Speech, rates: tuple[RateBucket, ...], axis: Axis, top: float) -> Panel:
    bottom = top + _RATE_PANEL
    width_s = max(1e-9, rates[0].end_s - rates[0].start_s)
    highest = max(max(bucket.sent, bucket.committed) for bucket in rates) / width_s or 1.0

    def y(per_s: float) -> float:
        return round(bottom - per_s / highest * (bottom - top - 6), 1)

    def steps(counts: list[int]) -> str:
        return "".join(
            f"{'L' if index else 'M'}{axis.x(bucket.start_s):g} {y(count / width_s):g}H{axis.x(bucket.end_s):g}"
            for index, (bucket, count) in enumerate(zip(rates, counts, strict=True))
        )

    area = steps([bucket.committed for bucket in rates])
    area += f"V{bottom:g}H{axis.x(rates[0].start_s):g}Z"
    ticks = tuple(Tick(y(value), f"{value:g}") for value in nice_ticks(0, highest, 3))
    sent = Line("", -1, steps([bucket.sent for bucket in rates]))
    return Panel("rate", say("chart_txs"), top, bottom, ticks, (sent,), area)


def _lanes(series: Timeline, axis: Axis, colors: dict[str, int], top: float) -> tuple[Lane, ...]:
    height = 14.0 if len(series.nodes) <= 2 * COLORS else 9.0
    lanes = []
    for index, node in enumerate(series.nodes):
        lanes.append(
            Lane(
                node=node.node,
                color=colors[node.node],
                y=round(top + index * (height + 6), 1),
                height=height,
                up=tuple(axis.box(span) for span in node.up),
                timeouts=tuple(axis.box(span) for span in node.timeouts),
                faults=tuple(axis.box((fault.start_s, fault.end_s)) for fault in series.faults if fault.node == node.node),
                restarts=tuple(axis.x(at_s) for at_s in node.restarts),
            )
        )
    return tuple(lanes)


# Bands and ticks


def _bands(say: Speech, faults: tuple[FaultBand, ...], axis: Axis, colors: dict[str, int]) -> tuple[tuple[Band, ...], int]:
    """The bands, and how many rows their labels need: a label goes into the first row where it covers no other."""
    row_ends: list[float] = []
    bands = []
    for fault in faults:
        box = axis.box((fault.start_s, fault.end_s))
        role = say.fault_role(fault.role, short=True)
        label = " · ".join(part for part in (say.fault_kind(fault.kind), fault.node, role) if part)
        wide = text_width(label)
        fits_right = box.x + wide <= WIDTH - RIGHT
        from_x = box.x if fits_right else max(LEFT, WIDTH - RIGHT - wide)
        row = next((index for index, end in enumerate(row_ends) if end + 10 <= from_x), len(row_ends))
        row_ends[row : row + 1] = [from_x + wide]
        bands.append(
            Band(
                x=box.x,
                width=box.width,
                label=label,
                label_x=box.x if fits_right else WIDTH - RIGHT,
                label_y=8 + _LABEL_ROW * row + 12,
                anchor="start" if fits_right else "end",
                color=colors.get(fault.node, -1),
                is_healed=fault.is_healed,
            )
        )
    return tuple(bands), len(row_ends)
