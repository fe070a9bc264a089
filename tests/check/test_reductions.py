"""What a walk may leave out: the same verdicts, the same orbits, and a planted mistake that shows."""

from __future__ import annotations

import pytest

from fiscotool.check.howard_packed import PackedHoward
from fiscotool.check.howard_symmetry import HowardRenamings, renamings_of
from fiscotool.check.howard_terms import Bounds
from fiscotool.check.model import Exploration
from fiscotool.check.packed import Reduction, explore_packed, steps_of
from fiscotool.check.symmetry import Symmetry

SMALL = [
    Bounds(1, 0, frozenset({0})),
    Bounds(1, 0, frozenset({0, 1})),
    Bounds(2, 0, frozenset({1})),
    Bounds(1, 1, frozenset()),
    Bounds(1, 1, frozenset({1})),
    Bounds(2, 1, frozenset()),
]


def walk(bounds: Bounds, *, symmetry: bool = False, eager: bool = False, asks: bool = True) -> Exploration[int]:
    model = PackedHoward(bounds)
    group = Symmetry(HowardRenamings(model)) if symmetry else None
    return explore_packed(model, model.is_safe if asks else None, reduction=Reduction(group, model if eager else None))


@pytest.mark.parametrize("bounds", SMALL)
def test_orbits_add_up_to_the_states_of_the_full_walk(bounds: Bounds) -> None:
    asks = bounds != SMALL[-1]
    full, reduced = walk(bounds, asks=asks), walk(bounds, symmetry=True, asks=asks)
    assert reduced.represented == full.distinct
    assert reduced.depth == full.depth
    assert reduced.distinct < full.distinct
    assert reduced.violation is full.violation is None


def test_the_group_is_what_the_bounds_leave_exchangeable() -> None:
    assert len(renamings_of(Bounds(1, 0, frozenset()))) == 5  # three followers, in every order but one
    assert len(renamings_of(Bounds(2, 0, frozenset()))) == 11
    assert len(renamings_of(Bounds(1, 1, frozenset({1})))) == 1
    assert not renamings_of(Bounds(1, 3, frozenset()))


def test_nothing_to_exchange_changes_nothing() -> None:
    full, reduced = walk(Bounds(1, 2, frozenset()), asks=False), walk(Bounds(1, 2, frozenset()), symmetry=True, asks=False)
    assert reduced.distinct == reduced.represented == full.distinct


def test_exchanging_a_leader_is_noticed() -> None:
    """A planted mistake: a group that is none, for the leader of view 0 is not like the others."""

    class Wrong(HowardRenamings):
        def __init__(self, model: PackedHoward) -> None:
            super().__init__(model)
            self._renamings = [((1, 0, 2, 3), (0, 1))]

    bounds = Bounds(1, 0, frozenset({0, 1}))
    model = PackedHoward(bounds)
    found = explore_packed(model, reduction=Reduction(Symmetry(Wrong(model))))
    assert found.represented != walk(bounds).distinct


@pytest.mark.parametrize("quorum", [None, 1])
@pytest.mark.parametrize("symmetry", [False, True])
def test_eager_steps_change_no_verdict(quorum: int | None, symmetry: bool) -> None:
    """Of SafetyInv and CommittedInv; with the planted bug the violation is found either way."""
    bounds = Bounds(1, 0, frozenset({0, 1}), commit_quorum=quorum)
    full, reduced = walk(bounds), walk(bounds, symmetry=symmetry, eager=True)
    assert (reduced.violation is None) == (full.violation is None) == (quorum is None)
    if quorum is None:
        assert reduced.distinct < full.distinct
        assert not set(reduced.never) - set(full.never)


def test_a_way_found_under_symmetry_is_a_schedule_of_the_model() -> None:
    bounds = Bounds(2, 0, frozenset({1, 2}), commit_quorum=1)
    model = PackedHoward(bounds)
    found = explore_packed(model, model.is_safe, reduction=Reduction(Symmetry(HowardRenamings(model)), model))
    assert found.violation is not None
    state = model.initial()
    for step in found.violation.path:
        assert step.target in {taken.target for taken in steps_of(model, state) if taken.label == step.label}
        state = step.target
    assert not model.is_safe(state)


def test_a_walk_can_begin_anywhere_and_goals_are_counted() -> None:
    model = PackedHoward(Bounds(1, 0, frozenset({0})))
    first = min(state for state in (taken.target for taken in steps_of(model, model.initial())) if state)
    found = explore_packed(model, start=first, goals={"begun": lambda state: state == first, "never": lambda state: state == 0})
    assert found.reached == {"begun": 1, "never": 0}
    assert "never" in found.never
    assert found.depth == 8
