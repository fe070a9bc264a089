"""Logs lack their beginnings, their ends, lives and whole nodes: what is left of a clean run is never refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fiscotool.check.edits import Pick, picker
from fiscotool.check.trace import Members, TraceContext, Verdict, check_trace
from fiscotool.pbft.trace import Act, TraceRecord
from fiscotool.sim.run import simulate
from fiscotool.sim.settings import draw_settings
from fiscotool.sim.tracing import Tracer
from tests.check.traces import clean_trace

Lanes = dict[str, list[TraceRecord]]


def lanes_of(records: list[TraceRecord]) -> Lanes:
    found: Lanes = {}
    for record in records:
        found.setdefault(record.replica, []).append(record)
    return found


def told(lanes: Lanes) -> list[TraceRecord]:
    """As a log tells it: lives are numbered from what is there."""
    found: list[TraceRecord] = []
    for lane in lanes.values():
        life = sequence = 0
        for place, record in enumerate(lane):
            if place and record.act is Act.START:
                life, sequence = life + 1, 0
            found.append(replace(record, life=life, sequence=sequence))
            sequence += 1
    return found


def without_head(lane: list[TraceRecord], pick: Pick) -> list[TraceRecord]:
    return lane[pick(len(lane)) :]


def without_tail(lane: list[TraceRecord], pick: Pick) -> list[TraceRecord]:
    return lane[: pick(len(lane)) + 1]


def without_life(lane: list[TraceRecord], pick: Pick) -> list[TraceRecord]:
    life = lane[pick(len(lane))].life
    return [record for record in lane if record.life != life]


def cut(lanes: Lanes, pick: Pick) -> Lanes:
    """One cut, or one of each node, or a node less."""
    how = (without_head, without_tail, without_life)
    names = sorted(lanes)
    match pick(4):
        case 0:
            gone = names[pick(len(names))]
            return {name: lane for name, lane in lanes.items() if name != gone}
        case 1:
            return {name: how[pick(2)](lane, pick) for name, lane in lanes.items()}
        case _:
            chosen, way = names[pick(len(names))], how[pick(3)]
            return {name: way(lane, pick) if name == chosen else lane for name, lane in lanes.items()}


def traced(seed: int, dialect: str, ticks: int) -> tuple[list[TraceRecord], TraceContext]:
    settings = replace(draw_settings(seed, dialect=dialect, ticks=ticks), byzantine=())
    tracers: list[Tracer] = []

    def watch(cluster: object) -> None:
        tracers.append(Tracer(cluster))  # type: ignore[arg-type]
        cluster.listeners.append(tracers[0].on_step)  # type: ignore[attr-defined]

    simulate(settings, watch=watch)
    members = tuple(Members(since, weights, period) for since, (weights, period) in sorted(tracers[0].members.items()))
    return tracers[0].records, TraceContext(members=members, dialect=dialect, ends_open=True)


def refused(dialect: str, seeds: range, cuts: int, ticks: int = 3000) -> list[str]:
    """What is said of cut runs; it should be nothing."""
    found: list[str] = []
    for seed in seeds:
        records, context = traced(seed, dialect, ticks)
        lanes, pick = lanes_of(records), picker(seed)
        for number in range(cuts):
            verdict = check_trace(told(cut(lanes, pick)), context=context)
            if verdict.verdict is Verdict.VIOLATION:
                found.append(f"seed {seed} cut {number}: {verdict.breaches[0].sentence}")
    return found


@pytest.mark.parametrize("dialect", ["fisco3", "fisco2", "classic"])
def test_cut_runs_raise_no_alarm(dialect: str) -> None:
    assert not refused(dialect, range(3), 8)


def test_a_cut_run_is_still_judged() -> None:
    """Of a node whose log begins in the middle, a quorum that is not there is found by the weights that it tells."""
    records = clean_trace(4)
    lanes = lanes_of(records)
    first = next(place for place, record in enumerate(lanes["node1"]) if record.height == 3)
    lanes["node1"] = [
        record
        for record in lanes["node1"][first:]
        if not (record.act is Act.RECEIVE_PREPARE and record.height == 4 and (record.weight or 0) > 2)
    ]
    open_ended = TraceContext(ends_open=True)
    verdict = check_trace(told(lanes), context=open_ended)
    assert verdict.verdict is Verdict.VIOLATION
    assert verdict.breaches[0].guard == "prepared.quorum"
