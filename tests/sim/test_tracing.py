"""Simulated runs, with faults, told as traces: none of the three protocols is ever refused; one with a planted fault is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fiscotool.check.trace import Members, TraceContext, Verdict, check_trace
from fiscotool.pbft.trace import Act, TraceRecord
from fiscotool.sim.run import simulate
from fiscotool.sim.settings import draw_settings
from fiscotool.sim.tracing import Tracer


def traced(seed: int, dialect: str) -> tuple[list[TraceRecord], TraceContext]:
    settings = draw_settings(seed, dialect=dialect, ticks=6000)
    tracers: list[Tracer] = []

    def watch(cluster: object) -> None:
        tracers.append(Tracer(cluster))  # type: ignore[arg-type]
        cluster.listeners.append(tracers[0].on_step)  # type: ignore[attr-defined]

    simulate(settings, watch=watch)
    members = tuple(Members(since, weights, period) for since, (weights, period) in sorted(tracers[0].members.items()))
    faulty = frozenset(f"node{index}" for index, _ in settings.byzantine)
    return tracers[0].records, TraceContext(members=members, dialect=dialect, faulty=faulty)


@pytest.mark.parametrize("dialect", ["fisco3", "fisco2", "classic"])
def test_clean_runs_raise_no_alarm(dialect: str) -> None:
    lives = 0
    for seed in range(8):
        records, context = traced(seed, dialect)
        verdict = check_trace(records, context=context)
        assert verdict.verdict is Verdict.CONSISTENT, (seed, [breach.sentence for breach in verdict.breaches[:3]])
        assert len(verdict.witness) == len(records)
        lives = max(lives, *(record.life for record in records))
    assert lives > 0, "some process died and began again"


@pytest.mark.parametrize("dialect", ["fisco3", "fisco2", "classic"])
def test_a_vote_that_was_never_sent_is_refused(dialect: str) -> None:
    records, context = traced(4, dialect)
    place = next(place for place, r in enumerate(records) if r.act is Act.RECEIVE_COMMIT and r.sender != r.index)
    forged = [*records[:place], replace(records[place], digest="ab" * 32), *records[place + 1 :]]
    first = check_trace(forged, context=context).first
    assert first is not None
    assert first.rule in {"G12", "G4"}


def test_equal_seeds_make_equal_traces() -> None:
    assert traced(3, "fisco3")[0] == traced(3, "fisco3")[0]
