"""A campaign does what is lacking, keeps what it learns, and goes on where it was interrupted."""

from __future__ import annotations

from fiscotool.mutants.registry import MUTANTS
from fiscotool.trials import exploring, simulator
from fiscotool.trials.campaign import CHAIN, CLEAN, Campaign, jobs_of
from fiscotool.trials.drills import DRILLS, drill_for
from fiscotool.trials.numbers import METHODS, Numbers, as_clean, clean_key, judged, numbers_from_json
from fiscotool.trials.page import goals_of
from fiscotool.trials.recorded import TRACES
from fiscotool.trials.verdict import Result, Verdict


def test_everything_is_to_be_done_once() -> None:
    jobs = list(jobs_of(MUTANTS, METHODS, Numbers()))
    assert {job.what for job in jobs if job.kind == CHAIN} == set(MUTANTS)
    drills = {(MUTANTS[name].dialect, as_clean(drill_for(name))) for name in MUTANTS}
    assert {(job.what, job.drill) for job in jobs if job.kind == CLEAN} == drills
    assert len(jobs) == len(set(jobs))
    assert set(DRILLS) <= set(MUTANTS)


def test_what_is_known_is_not_done_again() -> None:
    known = Numbers([Verdict("M1", simulator.METHOD, Result.KILLED, ("certificate",))])
    kinds = [job.kind for job in jobs_of(["M1"], (simulator.METHOD, exploring.METHOD), known)]
    assert kinds == [exploring.METHOD]


def test_it_runs_and_keeps_after_every_job() -> None:
    kept: list[int] = []
    told: list[str] = []
    campaign = Campaign(Numbers(), tell=told.append, keep=lambda numbers: kept.append(len(numbers.verdicts)))
    jobs = jobs_of(["M3", "M41"], (simulator.METHOD,), Numbers())
    numbers = campaign.run(jobs, workers=1, chains=1)
    assert kept == [1, 2]
    assert {(verdict.mutant, verdict.result) for verdict in numbers.verdicts} == {("M3", Result.KILLED), ("M41", Result.KILLED)}
    assert any("M41" in line for line in told)
    again = numbers_from_json(numbers.as_json())
    assert [verdict.mutant for verdict in again.verdicts] == ["M3", "M41"]
    assert set(again.spent_s) == {simulator.METHOD}


def test_what_is_said_of_a_clean_chain_under_the_same_drill_is_taken_off() -> None:
    drill = clean_key("fisco3", as_clean(drill_for("M1")))
    numbers = Numbers([Verdict("M1", TRACES, Result.KILLED, ("step", "G7 x"))], {drill: {TRACES: ["G7 x"]}})
    assert judged(numbers).verdicts[0].by == ("step",)
    assert [goal[2] for goal in goals_of(numbers)] == [1, 1, 1, 0]
