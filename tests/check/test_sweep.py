"""The sweep finds what the plain walk finds, and its reductions change no verdict."""

from __future__ import annotations

import pytest

from fiscotool.check.fisco3_bounds import Limits
from fiscotool.check.fisco3_local import Local
from fiscotool.check.fisco3_packed import PackedFisco3
from fiscotool.check.fisco3_sweep import Swept, layers_of, sweep
from fiscotool.check.packed import explore_packed

PINNED = [
    (Limits(), 1_094, 383),
    (Limits(heights=2, byzantine=2), 55_511, 18_140),
    (Limits(view_max=1, byzantine=3), 29_997, 13_521),
]

Ends = set[tuple[tuple[object, ...], ...]]


def ends(model: PackedFisco3, states: frozenset[int] | set[int]) -> Ends:
    """What honest replicas wrote, agreed on and are locked on."""

    def told(one: Local) -> tuple[object, ...]:
        return one.written, tuple(sorted(one.agreed.items())), tuple(sorted(one.locks.values()))

    return {tuple(told(model.read(i, state)) for i in model.limits.honest) for state in states}


@pytest.mark.parametrize(("limits", "generated", "distinct"), PINNED)
def test_pinned_counts(limits: Limits, generated: int, distinct: int) -> None:
    found = sweep(limits)
    assert found.bad is None
    assert found.is_complete
    assert (found.generated, found.distinct) == (generated, distinct)
    assert len(found.widths) == len(list(layers_of(limits)))


def all_states(limits: Limits) -> tuple[PackedFisco3, set[int]]:
    model, seen = PackedFisco3(limits), set[int]()
    explore_packed(model, lambda state: not seen.add(state))  # type: ignore[func-returns-value]
    return model, seen


@pytest.mark.parametrize("limits", [Limits(), Limits(byzantine=1), Limits(byzantine=1, symmetry=False)])
def test_a_sweep_of_one_view_that_forgets_nothing_reaches_the_states_of_the_walk(limits: Limits) -> None:
    """States, not only their number."""
    _, seen = all_states(limits)
    assert sweep(limits, reduces=False).last == seen


@pytest.mark.parametrize("limits", [Limits(), Limits(byzantine=1)])
def test_what_is_written_agreed_and_locked_in_the_end_is_the_same_with_forgetting(limits: Limits) -> None:
    model = PackedFisco3(limits)
    assert ends(model, sweep(limits).last) == ends(model, sweep(limits, reduces=False).last)


def test_a_planted_bug_is_found_both_ways() -> None:
    """Two votes certify."""
    limits = Limits(byzantine=1, quorum=2)
    model = PackedFisco3(limits)
    assert explore_packed(model, model.agrees).violation is not None
    assert sweep(limits).bad is not None


def test_every_final_state_of_a_walk_with_two_views_is_one_of_the_sweep() -> None:
    """What was written and agreed, for the states of the first levels."""
    limits = Limits(view_max=1, byzantine=3)
    model, seen = PackedFisco3(limits), set[int]()
    explore_packed(model, lambda state: not seen.add(state), states_max=10_000)  # type: ignore[func-returns-value]

    def results(states: set[int] | frozenset[int]) -> set[tuple[object, ...]]:
        told = [[model.read(i, state) for i in limits.honest] for state in states]
        return {tuple((one.written, tuple(one.agreed.items())) for one in ones) for ones in told}

    swept: Swept = sweep(limits)
    assert results(seen) <= results(swept.last)


def test_a_hole_is_found_by_a_sweep_too() -> None:
    assert sweep(Limits(byzantine=2, holes=frozenset({"empty-block-unchecked"}))).bad is not None


def test_crashes_are_refused() -> None:
    with pytest.raises(ValueError, match="back to view 0"):
        sweep(Limits(crashes=1))
