"""The abstract fisco3 model: agreement within bounds, and a shortest way to a fork for every hole that opens one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fiscotool.check.explore import explore
from fiscotool.check.fisco3_bounds import AROUND_THE_CORE, HOLES, Limits
from fiscotool.check.fisco3_frame import ACTIONS
from fiscotool.check.fisco3_packed import PackedFisco3
from fiscotool.check.fisco3_plain import PlainFisco3, World
from fiscotool.check.fisco3_reach import ruled_out
from fiscotool.check.model import Exploration, Property
from fiscotool.check.packed import explore_packed
from fiscotool.check.path import replay
from fiscotool.pbft.rules import Quirk


def walk(limits: Limits, states_max: int | None = None) -> Exploration[int]:
    model = PackedFisco3(limits)
    return explore_packed(model, model.agrees, states_max=states_max, name="agreement", goals=model.goals)


PINNED = [
    (Limits(heights=1), 2_327, 737, 17),
    (Limits(heights=1, symmetry=False), 4_653, 1_473, 17),
    (Limits(heights=1, byzantine=0), 589, 223, 13),
    (Limits(heights=1, byzantine=1), 1_225, 497, 13),
    (Limits(heights=1, byzantine=2), 589, 223, 13),
    (Limits(heights=1, crashes=1), 14_015, 3_685, 18),
    (Limits(heights=1, byzantine=1, crashes=1), 6_121, 1_988, 14),
]
MEMBERS = [
    (Limits(heights=2, byzantine=3, leaves=3), 18_616, 7_045, 25),
    (Limits(heights=2, leaves=0, values=(2,), symmetry=False), 10_191, 3_457, 30),
]
LARGE = [(Limits(heights=2, byzantine=1), 160_222, 39_900, 25)]


@pytest.mark.parametrize(("limits", "generated", "distinct", "depth"), PINNED + MEMBERS + LARGE)
def test_within_these_bounds_nobody_disagrees(limits: Limits, generated: int, distinct: int, depth: int) -> None:
    found = walk(limits)
    assert found.violation is None
    assert found.is_complete
    assert (found.generated, found.distinct, found.depth) == (generated, distinct, depth)


@pytest.mark.parametrize(("limits", "generated", "distinct", "depth"), PINNED + MEMBERS)
def test_a_model_of_sets_and_records_counts_the_same(limits: Limits, generated: int, distinct: int, depth: int) -> None:
    """Written apart, one state after another, nothing kept."""
    model = PlainFisco3(limits)
    found = explore(model, [Property[World]("agreement", model.agrees)])
    assert (found.generated, found.distinct, found.depth) == (generated, distinct, depth)
    packed = walk(limits)
    assert (packed.levels, packed.taken) == (found.levels, found.taken)


BOUNDED = [
    Limits(heights=2, view_max=1, byzantine=2, leaves=2),
    Limits(heights=2, view_max=1, byzantine=2, leaves=0, crashes=1),
    Limits(view_max=1, byzantine=2),
    Limits(view_max=1, byzantine=3),
    Limits(view_max=2, byzantine=1),
    Limits(heights=2, view_max=1, byzantine=2),
    Limits(heights=2, view_max=1, crashes=1),
    Limits(heights=2, view_max=2, byzantine=0, crashes=1),
]


@pytest.mark.parametrize("limits", BOUNDED)
def test_both_ways_agree_on_the_first_levels_of_larger_bounds(limits: Limits) -> None:
    plain, packed = explore(PlainFisco3(limits), states_max=700), explore_packed(PackedFisco3(limits), states_max=700)
    assert (packed.generated, packed.levels, packed.taken) == (plain.generated, plain.levels, plain.taken)


def test_a_slip_in_one_of_the_two_is_noticed() -> None:
    """A planted mistake, once really made: leaders of new views do not see which certificates the liar can show."""

    class Blind(PackedFisco3):
        def mask(self, part: int) -> int:
            seen = super().mask(part)
            return seen & ~self.places.mask(0, "accept", 1, -1) if self.part_names[part][1] == "accept" else seen

    limits = Limits(byzantine=2)
    assert explore_packed(Blind(limits)).levels != explore(PlainFisco3(limits)).levels


def test_renaming_values_halves_the_graph_and_not_the_verdict() -> None:
    """Every state but the first has its twin with the names exchanged; the first is its own."""
    full, reduced = walk(Limits(symmetry=False)), walk(Limits())
    assert full.distinct == 2 * reduced.distinct - 1
    assert full.depth == reduced.depth


def test_every_action_guard_and_goal_is_reached_somewhere() -> None:
    """What a walk never reached, its bounds make impossible; and together the walks leave nothing out."""
    reached: set[str] = set()
    small = [limits for limits, *_ in PINNED]
    for limits in (*small, Limits(view_max=1, byzantine=3)):
        found = walk(limits, 10_000)
        counts = {**found.taken, **found.decided, **found.reached}
        reached |= {name for name, count in counts.items() if count}
        assert not reached_though_impossible(counts, limits)
        if found.is_complete:
            assert not [name for name in (*found.never, *found.undecided) if name not in ruled_out(limits)]
    assert set(ACTIONS) - reached == {"sync"}
    assert {"a block is written", "certified in a later view"} <= reached


def reached_though_impossible(counts: dict[str, int], limits: Limits) -> list[str]:
    return [name for name in ruled_out(limits) if counts[name]]


def test_a_dead_guard_is_noticed() -> None:
    """A planted bug: the quorum of checkpoints is never asked for."""

    class Careless(PackedFisco3):
        guards = PackedFisco3.guards

    limits = Limits(byzantine=1, quorum=1)
    found = explore_packed(Careless(limits))
    assert "prepared: quorum of prepares" in found.undecided
    assert "prepared: quorum of prepares" not in ruled_out(limits)


FORKS = [
    pytest.param(Limits(byzantine=1, quorum=2), 6, id="two votes certify"),
    pytest.param(Limits(byzantine=2, holes=frozenset({"empty-block-unchecked"})), 6, id="empty blocks"),
    pytest.param(Limits(heights=2, byzantine=1, leaves=0), 10, id="three members that one of them lies to"),
]


@pytest.mark.parametrize(("limits", "length"), FORKS)
def test_a_hole_forks_the_chain_and_the_shortest_way_is_shown(limits: Limits, length: int) -> None:
    found = walk(limits)
    assert found.violation is not None
    path = found.violation.path
    assert len(path) == length
    model = PackedFisco3(limits)
    assert not all(map(model.agrees, replay(model, [step.label for step in path])))


def test_without_the_hole_the_same_bounds_are_safe() -> None:
    """The sound rule beside each fork above."""
    assert walk(replace(Limits(byzantine=1), crashes=1)).violation is None


def test_the_model_speaks_of_the_cores_quirks() -> None:
    assert set(HOLES) <= {quirk.value for quirk in Quirk}
    assert not set(HOLES) & set(AROUND_THE_CORE)


def test_the_plain_model_has_no_holes() -> None:
    with pytest.raises(ValueError, match="no holes"):
        PlainFisco3(Limits(holes=frozenset({"amnesia"})))
