"""The drawing says what the series say: a line a node, interrupted while it is silent; bands where the faults were; labels apart."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from fiscotool.consistency.observations import NodeIdentity
from fiscotool.consistency.timeline import FaultBand, NodeSeries, Timeline, timeline
from fiscotool.report.chart import chart_of
from fiscotool.report.drawing import LEFT, RIGHT, WIDTH, Chart, nice_ticks
from fiscotool.report.words import Speech
from tests.consistency import synthetic
from tests.report import runs

EN = Speech("en")


def node(name: str, **fields: object) -> NodeSeries:
    base = NodeSeries(name, ((0.0, 1), (10.0, 1)), ((0.0, 0), (10.0, 0)), (), ((0.0, 10.0),), (), 0, 40)
    return replace(base, **fields)  # type: ignore[arg-type]


def series(*nodes: NodeSeries, faults: tuple[FaultBand, ...] = ()) -> Timeline:
    return Timeline(0.0, 10.0, nodes, faults, (), ())


def x(second: float) -> float:
    return round(LEFT + second / 10.0 * (WIDTH - LEFT - RIGHT), 1)


def test_each_node_has_one_line_in_each_panel_in_its_own_colour() -> None:
    chart = chart_of(EN, timeline(runs.good()[0]))
    for panel in chart.panels[:2]:
        assert [line.node for line in panel.lines] == ["node0", "node1", "node2", "node3"]
        assert [line.color for line in panel.lines] == [0, 1, 2, 3]
        assert all(line.path.startswith("M") for line in panel.lines)
    assert [panel.kind for panel in chart.panels] == ["height", "view", "rate"]


def test_a_line_is_interrupted_while_its_node_is_silent() -> None:
    silent = node("node0", heights=((0.0, 1), (6.0, 5), (10.0, 5)), up=((0.0, 2.0), (6.0, 10.0)))
    path = chart_of(EN, series(silent)).panels[0].lines[0].path
    assert path.count("M") == 2
    first, second = re.findall(r"M([\d.]+) [\d.]+((?:[HV][\d.]+)*)", path)
    assert float(first[0]) == x(0)
    assert max(float(end) for end in re.findall(r"H([\d.]+)", first[1])) == x(2)
    assert float(second[0]) == x(6)


def test_a_higher_value_is_drawn_higher_and_lines_that_agree_stay_apart() -> None:
    rising = [node(f"node{index}", heights=((0.0, 1), (5.0, 9), (10.0, 9))) for index in range(4)]
    lines = chart_of(EN, series(*rising)).panels[0].lines
    starts = [float(re.match(r"M[\d.]+ ([\d.]+)", line.path).group(1)) for line in lines]  # type: ignore[union-attr]
    ends = [float(re.findall(r"V([\d.]+)", line.path)[-1]) for line in lines]
    assert all(end < start for start, end in zip(starts, ends, strict=True))
    assert len(set(starts)) == 4
    assert max(starts) - min(starts) < 8


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_labels_of_faults_at_the_same_time_go_into_rows_of_their_own_and_stay_inside(lang: str) -> None:
    faults = tuple(FaultBand(f"f{index}", "kill", f"node{index}", "leader", 4.0 + index * 0.1, 6.0, index != 2) for index in range(4))
    late = FaultBand("late", "pause", "node0", "follower", 9.9, 10.0, is_healed=True)
    chart = chart_of(Speech(lang), series(*(node(f"node{index}") for index in range(4)), faults=(*faults, late)))
    assert len({band.label_y for band in chart.bands[:4]}) == 4
    assert chart.bands[4].anchor == "end"
    assert [band.is_healed for band in chart.bands] == [True, True, False, True, True]
    assert chart.bands[0].x == x(4.0)
    assert chart.bands[0].x + chart.bands[0].width == pytest.approx(x(6.0))
    assert all(band.label_y < chart.top for band in chart.bands)


def test_lanes_show_answers_time_outs_faults_and_new_processes_of_their_node_only() -> None:
    hurt = node("node0", timeouts=((7.0, 8.0),), up=((0.0, 3.0), (6.5, 10.0)), restarts=(6.5,))
    band = FaultBand("f", "kill", "node0", "leader", 3.0, 6.0, is_healed=True)
    chart = chart_of(EN, series(hurt, node("node1"), faults=(band,)))
    mine, other = chart.lanes
    assert [(box.x, round(box.x + box.width, 1)) for box in mine.up] == [(x(0), x(3)), (x(6.5), x(10))]
    assert [box.x for box in mine.timeouts] == [x(7)]
    assert [box.x for box in mine.faults] == [x(3)]
    assert mine.restarts == (x(6.5),)
    assert (other.timeouts, other.faults, other.restarts) == ((), (), ())


def in_frame(chart: Chart) -> bool:
    paths = " ".join(line.path for panel in chart.panels for line in panel.lines)
    columns = [float(at) for at in re.findall(r"[MH]([\d.]+)", paths)]
    rows = [float(at) for at in re.findall(r"V([\d.]+)|M[\d.]+ ([\d.]+)", paths) for at in at if at]
    return all(LEFT <= at <= WIDTH - RIGHT for at in columns) and all(0 <= at <= chart.height for at in rows)


def test_everything_is_drawn_inside_the_frame() -> None:
    assert in_frame(chart_of(EN, timeline(runs.good()[0])))
    assert in_frame(chart_of(EN, timeline(runs.broken()[0])))


def test_an_empty_recording_gives_an_empty_drawing() -> None:
    seen = replace(synthetic.run(), samples=(), blocks=(), txs=(), faults=(), ended_s=None)
    chart = chart_of(EN, timeline(seen))
    assert [line.path for line in chart.panels[0].lines] == ["", "", "", ""]
    assert chart.bands == ()
    nobody = replace(seen, run=replace(seen.run, nodes=()))
    assert chart_of(EN, timeline(nobody)).lanes == ()


def test_a_hundred_nodes_take_no_more_points_than_a_few() -> None:
    points = tuple((index / 100, index) for index in range(1000))
    chart = chart_of(EN, series(*(node(f"node{index}", heights=points, views=points) for index in range(100))))
    assert sum(len(line.path) for panel in chart.panels for line in panel.lines) < 400_000
    assert NodeIdentity("node0", "").name == chart.lanes[0].node


@pytest.mark.parametrize(
    ("low", "high", "wanted", "whole", "ticks"),
    [
        (0, 10, 5, True, [0, 2, 4, 6, 8, 10]),
        (3, 4, 5, True, [3, 4]),
        (0, 1, 5, False, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (17, 1234, 5, True, [500, 1000]),
    ],
)
def test_ticks_are_round_numbers_inside(low: float, high: float, wanted: int, whole: bool, ticks: list[float]) -> None:
    assert nice_ticks(low, high, wanted, whole=whole) == ticks
