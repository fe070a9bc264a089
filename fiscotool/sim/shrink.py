"""The smallest schedule that still shows the same wrong: first fewer actions, then a calmer world.

Rule. A candidate counts only when it breaks at least one property that the original broke: shrinking must not wander to another
      bug. Every candidate is a whole run, so the number of runs is bounded.

Source of the first part: Zeller & Hildebrandt, Simplifying and Isolating Failure-Inducing Input (ddmin), TSE 2002.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from fiscotool.sim.run import Outcome, simulate
from fiscotool.sim.schedule import Schedule
from fiscotool.sim.settings import Settings

Report = Callable[[int, int], None]
"""Told how many runs were made, and how many actions the smallest schedule has."""

RUNS_MAX = 400
"""Runs spent on one shrinking."""


def discard(runs: int, actions: int) -> None:
    """The default Report: say nothing."""
    del runs, actions


@dataclass(slots=True)
class _Search:
    """The smallest outcome so far."""

    wanted: frozenset[str]
    best: Outcome
    report: Report
    runs_max: int
    runs: int = 0

    def is_smaller(self, settings: Settings, schedule: Schedule) -> bool:
        """Run a candidate; keep it when it still shows the wrong."""
        if self.runs >= self.runs_max:
            return False
        self.runs += 1
        outcome = simulate(settings, schedule)
        self.report(self.runs, len(self.best.schedule))
        if not self.wanted & set(outcome.rules_broken):
            return False
        self.best = outcome
        return True


def shrink(outcome: Outcome, *, report: Report = discard, runs_max: int = RUNS_MAX) -> Outcome:
    """The smallest bad outcome found; `outcome` itself when it is good."""
    if outcome.is_good:
        return outcome
    safety = frozenset(violation.rule for violation in outcome.violations)
    search = _Search(safety or frozenset(outcome.rules_broken), outcome, report, runs_max)
    while True:
        before = (search.best.schedule, search.best.settings)
        _fewer_actions(search)
        for simpler in _calmer(search.best.settings):
            if simpler != search.best.settings:
                search.is_smaller(replace(search.best.settings, **_difference(search.best.settings, simpler)), search.best.schedule)
        if (search.best.schedule, search.best.settings) == before or search.runs >= runs_max:
            return search.best


def _fewer_actions(search: _Search) -> None:
    """ddmin: drop ever smaller pieces of the schedule."""
    pieces = 2
    while search.best.schedule:
        schedule = search.best.schedule
        size = max(1, len(schedule) // pieces)
        starts = range(0, len(schedule), size)
        if any(search.is_smaller(search.best.settings, schedule[:start] + schedule[start + size :]) for start in starts):
            pieces = max(2, pieces - 1)
        elif size == 1:
            return
        else:
            pieces = min(len(schedule), pieces * 2)


def _calmer(settings: Settings) -> Iterator[Settings]:
    """Simpler worlds, one change at a time; `ticks` ends with the last action that is left."""
    yield replace(settings, loss_probability=0.0)
    yield replace(settings, duplicate_probability=0.0)
    yield replace(settings, dead=())
    for liar in settings.byzantine:
        yield replace(settings, byzantine=tuple(entry for entry in settings.byzantine if entry != liar))
    yield replace(settings, delay_ticks_max=2)
    yield replace(settings, execute_ticks=1)
    yield replace(settings, leader_period_blocks=1)
    yield replace(settings, ticks=max(1, settings.ticks // 2))


def _difference(settings: Settings, simpler: Settings) -> dict[str, Any]:
    """The fields in which `simpler` differs from the settings it was made of, for the settings that are best now."""
    names = (
        "loss_probability",
        "duplicate_probability",
        "dead",
        "byzantine",
        "delay_ticks_max",
        "execute_ticks",
        "leader_period_blocks",
        "ticks",
    )
    return {name: getattr(simpler, name) for name in names if getattr(simpler, name) != getattr(settings, name)}
