"""Fair cycles without a commit: H1 is one, the sound rules have none within the bounds."""

from __future__ import annotations

from dataclasses import replace

from fiscotool.check.fisco3_bounds import Limits
from fiscotool.check.fisco3_cycles import FairCycles
from fiscotool.check.fisco3_packed import PackedFisco3
from fiscotool.check.fisco3_progress import Progress
from fiscotool.check.fisco3_sweep import sweep
from fiscotool.check.packed import explore_packed

LOCKED = Limits(view_max=1, byzantine=3, holes=frozenset({"lock-never-released"}))


def test_a_lock_that_is_never_released_is_a_fair_cycle() -> None:
    """H1: found where the single fair schedule halts, and the cycle is a round of all leaders."""
    model, cycles = PackedFisco3(LOCKED), FairCycles(LOCKED)
    found = explore_packed(model, Progress(LOCKED).holds, states_max=10_000)
    assert found.violation is not None
    cycle = cycles.cycle_from(found.violation.path[-1].target)
    assert len(cycle) == 4
    assert any("refuse" in told for told in cycle)
    assert any("is dead" in told for told in cycle)


def test_the_sound_rules_have_none_from_any_state_of_a_sweep() -> None:
    limits = replace(LOCKED, holes=frozenset())
    found = sweep(limits, lambda _: FairCycles(limits).holds)
    assert found.bad is None
    assert found.is_complete


def test_with_all_four_alive_any_three_view_changes_lead_out() -> None:
    """Leaders choose: every quorum of the four is tried in every view."""
    limits = Limits()
    cycles = FairCycles(limits)
    assert explore_packed(PackedFisco3(limits), cycles.holds).violation is None


def test_too_high_a_quorum_with_one_dead_is_a_cycle() -> None:
    """A planted bug: four must vote, and one is dead."""
    limits = Limits(quorum=4)
    assert FairCycles(limits, dead=2).cycle_from(PackedFisco3(limits).initial())
