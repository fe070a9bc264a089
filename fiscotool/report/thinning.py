"""Series of any length made small enough to draw, without losing an extreme.

Rule 1. Of all points that fall into one column of the drawing, the first, the lowest, the highest and the last stay; so every peak and
        every fall that the full series shows at this width, the thinned one shows too.
Rule 2. Spans narrower than a column are kept as long as there are few; of many, neighbours less than a column apart become one.
        A span never disappears.

Sources: the min-max decimation of oscilloscopes (M4: Jugel et al., VLDB 2014, the same four points).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from fiscotool.consistency.timeline import Point, Span, Timeline

COLUMNS: Final = 600
"""Into how many columns the time axis is cut; at most four points of a series fall into each."""
_SPANS_MAX: Final = 200
MARKS_MAX: Final = 2000


def thinned(series: Timeline, columns: int = COLUMNS) -> Timeline:
    """The same run with at most 4·`columns` points a series."""
    start_s, width_s = series.start_s, max(series.end_s - series.start_s, 1e-9) / columns
    nodes = tuple(
        replace(
            node,
            heights=thin_points(node.heights, start_s, width_s),
            views=thin_points(node.views, start_s, width_s),
            timeouts=thin_spans(node.timeouts, width_s),
            up=thin_spans(node.up, width_s),
        )
        for node in series.nodes
    )
    step = -(-len(series.blocks) // MARKS_MAX) or 1
    return replace(series, nodes=nodes, blocks=series.blocks[::step])


def thin_points(points: tuple[Point, ...], start_s: float, width_s: float) -> tuple[Point, ...]:
    """At most four points a column of `width_s` seconds (Rule 1)."""
    kept: list[Point] = []
    column: list[Point] = []
    at = -1
    for point in points:
        here = int((point[0] - start_s) / width_s)
        if here != at and column:
            kept += _extremes(column)
            column = []
        at = here
        column.append(point)
    return (*kept, *_extremes(column))


def _extremes(column: list[Point]) -> Iterable[Point]:
    if len(column) <= 4:  # noqa: PLR2004  first, lowest, highest, last
        return column
    indices = {0, len(column) - 1}
    indices.add(min(range(len(column)), key=lambda index: column[index][1]))
    indices.add(max(range(len(column)), key=lambda index: column[index][1]))
    return [column[index] for index in sorted(indices)]


def thin_spans(spans: tuple[Span, ...], width_s: float) -> tuple[Span, ...]:
    """Spans less than a column apart as one, if there are many (Rule 2)."""
    if len(spans) <= _SPANS_MAX:
        return spans
    kept: list[Span] = [spans[0]]
    for span in spans[1:]:
        if span[0] - kept[-1][1] < width_s:
            kept[-1] = (kept[-1][0], max(kept[-1][1], span[1]))
        else:
            kept.append(span)
    return tuple(kept)
