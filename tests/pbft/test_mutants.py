"""The properties can say no: every planted bug is caught, and the same schedules find nothing wrong with the real core."""

from __future__ import annotations

import pytest

from tests.pbft.mutants import MUTANTS, Mutant, Schedule, patcher


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_bug_is_caught(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant.plant(patcher(monkeypatch))
    try:
        complaints = mutant.schedule()
    except AssertionError as problem:  # The core's own assertions may notice first.
        complaints = [f"{mutant.shows}: {problem}"]
    assert complaints, f"nothing noticed: {mutant.name} ({mutant.source})"
    rules = {complaint.split(":")[0] for complaint in complaints}
    assert mutant.shows in rules


@pytest.mark.parametrize("schedule", list(dict.fromkeys(mutant.schedule for mutant in MUTANTS)))
def test_the_same_schedules_find_nothing_wrong_with_the_real_core(schedule: Schedule) -> None:
    assert schedule() == []
