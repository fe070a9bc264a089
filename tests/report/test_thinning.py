"""Thinning keeps what a drawing shows: first, last and both extremes of every column, and every span."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fiscotool.report.thinning import thin_points, thin_spans

POINTS = st.lists(st.tuples(st.floats(0, 100), st.integers(-50, 50)), max_size=300).map(lambda each: tuple(sorted(each)))


@given(POINTS, st.floats(0.5, 30))
def test_every_column_keeps_its_first_lowest_highest_and_last_value(points: tuple[tuple[float, int], ...], width_s: float) -> None:
    kept = thin_points(points, 0.0, width_s)
    assert set(kept) <= set(points)
    assert list(kept) == sorted(kept, key=lambda point: point[0])
    columns: dict[int, list[int]] = {}
    for at_s, value in points:
        columns.setdefault(int(at_s / width_s), []).append(value)
    thin: dict[int, list[int]] = {}
    for at_s, value in kept:
        thin.setdefault(int(at_s / width_s), []).append(value)
    assert thin.keys() == columns.keys()
    for column, values in columns.items():
        ours = thin[column]
        assert (min(ours), max(ours), ours[0], ours[-1]) == (min(values), max(values), values[0], values[-1])
        assert len(ours) <= 4


def test_one_peak_among_a_hundred_thousand_points_stays() -> None:
    points = tuple((index / 1000, 7 if index == 54_321 else 3) for index in range(100_000))
    kept = thin_points(points, 0.0, 100 / 600)
    assert (54.321, 7) in kept
    assert len(kept) <= 2400


@given(st.lists(st.tuples(st.floats(0, 1000), st.floats(0, 3)), max_size=400), st.floats(0.1, 10))
def test_no_span_disappears_and_few_spans_stay_as_they_are(raw: list[tuple[float, float]], width_s: float) -> None:
    spans = tuple(sorted((start, start + length) for start, length in raw))
    kept = thin_spans(spans, width_s)
    if len(spans) <= 200:
        assert kept == spans
    for start, end in spans:
        assert any(low <= start and end <= high for low, high in kept)
    covered = sum(high - low for low, high in kept)
    assert covered <= sum(end - start for start, end in spans) + width_s * len(spans) + 1e-6
