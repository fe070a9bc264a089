"""The abstract fisco3 model: agreement within bounds, and a shortest way to a fork for every hole that opens one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fiscotool.check.fisco3_bounds import HOLES, Limits
from fiscotool.check.fisco3_packed import ACTIONS, PackedFisco3
from fiscotool.check.model import Exploration
from fiscotool.check.packed import explore_packed
from fiscotool.pbft.rules import Quirk


def walk(limits: Limits, states_max: int | None = None) -> Exploration[int]:
    model = PackedFisco3(limits)
    return explore_packed(model, model.agrees, states_max=states_max, name="agreement")


PINNED = [
    (Limits(heights=1), 729, 289, 17),
    (Limits(heights=1, symmetry=False), 1_457, 577, 17),
    (Limits(heights=1, byzantine=2), 211, 103, 13),
    (Limits(heights=2), 128_878, 29_889, 33),
    (Limits(heights=2, byzantine=2), 75_759, 19_845, 25),
]


@pytest.mark.parametrize(("limits", "generated", "distinct", "depth"), PINNED)
def test_within_these_bounds_nobody_disagrees(limits: Limits, generated: int, distinct: int, depth: int) -> None:
    found = walk(limits)
    assert found.violation is None
    assert found.is_complete
    assert (found.generated, found.distinct, found.depth) == (generated, distinct, depth)


@pytest.mark.parametrize("limits", [PINNED[0][0], PINNED[2][0], replace(PINNED[2][0], crashes=1)])
def test_a_walk_without_masks_and_sums_counts_the_same(limits: Limits) -> None:
    """One state after another, every step made anew: no grouping, nothing kept."""
    model = PackedFisco3(limits)
    seen, level, generated = {model.initial()}, [model.initial()], 1
    while level:
        following = []
        for state in level:
            for part in range(model.parts):
                for _, _, difference in model.explain(part, state & model.mask(part)):
                    generated += 1
                    if state + difference not in seen:
                        seen.add(state + difference)
                        following.append(state + difference)
        level = following
    found = walk(limits)
    assert (found.generated, found.distinct) == (generated, len(seen))


def test_renaming_values_halves_the_graph_and_not_the_verdict() -> None:
    """Every state but the first has its twin with the names exchanged; the first is its own."""
    full, reduced = walk(Limits(symmetry=False)), walk(Limits())
    assert full.distinct == 2 * reduced.distinct - 1
    assert full.depth == reduced.depth


def test_every_action_is_taken_somewhere() -> None:
    """With a liar, a crash and a second view; the first levels reach every action."""
    found = walk(Limits(view_max=1, byzantine=2, crashes=1), 60_000)
    assert found.violation is None
    assert set(found.taken) == set(ACTIONS)
    assert not found.never


FORKS = [
    pytest.param(Limits(byzantine=1, quorum=2), 9, id="two votes certify"),
    pytest.param(Limits(byzantine=1, crashes=1, holes=frozenset({"amnesia"})), 11, id="amnesia"),
]


@pytest.mark.parametrize(("limits", "length_max"), FORKS)
def test_a_hole_forks_the_chain_and_the_shortest_way_is_shown(limits: Limits, length_max: int) -> None:
    found = walk(limits)
    assert found.violation is not None
    path = found.violation.path
    assert len(path) <= length_max
    assert path[-1].action in {"agreed", "write"}
    model = PackedFisco3(limits)
    assert not model.agrees(replay(model, [step.label for step in path]))


def replay(model: PackedFisco3, labels: list[str]) -> int:
    """The state after these steps, taken one by one."""
    state = model.initial()
    for label in labels:
        after = {
            told: state + difference for part in range(model.parts) for _, told, difference in model.explain(part, state & model.mask(part))
        }
        state = after[label]
    return state


def test_without_the_hole_the_same_bounds_are_safe() -> None:
    """The sound rule beside each fork above."""
    assert walk(replace(Limits(byzantine=1), crashes=1)).violation is None


def test_the_model_speaks_of_the_cores_quirks() -> None:
    assert set(HOLES) <= {quirk.value for quirk in Quirk}
