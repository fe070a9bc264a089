"""The exam: counts that TLC published for a small PBFT specification, from two transcriptions that were written apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from fiscotool.check.explore import explore
from fiscotool.check.howard import Howard
from fiscotool.check.howard_bits import Step
from fiscotool.check.howard_packed import PackedHoward
from fiscotool.check.howard_reach import ruled_out
from fiscotool.check.howard_terms import ACTIONS, Bounds, State
from fiscotool.check.model import Property, Violation
from fiscotool.check.packed import Moves, explore_packed

PUBLISHED = [
    (Bounds(1, 0, frozenset({0})), 197, 35, 9),
    (Bounds(1, 0, frozenset({0, 1})), 2_783, 244, 14),
    (Bounds(1, 1, frozenset()), 2_943, 704, 17),
    (Bounds(1, 1, frozenset({1})), 16_099, 2_988, 23),
    (Bounds(1, 0, is_repaired=False), 2, 2, 2),
]
OUR_OWN = [
    (Bounds(2, 0, frozenset({0})), 26_981, 2_381, 17),
    (Bounds(1, 2, frozenset()), 37_345, 8_500, 28),
    (Bounds(2, 1, frozenset()), 187_233, 34_574, 24),
]
LARGE = [
    (Bounds(1, 0, frozenset({0, 1, 2})), 197_361, 9_091, 24),
    (Bounds(1, 1, frozenset({0, 1})), 976_504, 88_180, 32),
    (Bounds(2, 0, frozenset({0, 1})), 2_709_183, 118_585, 27),
]


@pytest.mark.parametrize(("bounds", "generated", "distinct", "depth"), PUBLISHED)
def test_plain_counts_are_tlcs(bounds: Bounds, generated: int, distinct: int, depth: int) -> None:
    found = explore(Howard(bounds))
    assert (found.generated, found.distinct, found.depth) == (generated, distinct, depth)
    assert sum(found.taken.values()) + 1 == generated
    assert sum(found.levels) == distinct


@pytest.mark.parametrize(("bounds", "generated", "distinct", "depth"), PUBLISHED + OUR_OWN + LARGE)
def test_packed_counts_are_tlcs(bounds: Bounds, generated: int, distinct: int, depth: int) -> None:
    found = explore_packed(PackedHoward(bounds))
    assert (found.generated, found.distinct, found.depth) == (generated, distinct, depth)


@pytest.mark.parametrize("bounds", [row[0] for row in PUBLISHED + OUR_OWN[:2]])
def test_both_ways_agree_on_every_level_and_action(bounds: Bounds) -> None:
    plain, packed = explore(Howard(bounds)), explore_packed(PackedHoward(bounds))
    assert packed.levels == plain.levels
    assert packed.taken == plain.taken


def test_a_transcription_that_counts_wrongly_is_noticed() -> None:
    """What a slip in one of the two would look like: a primary that prepares as well."""

    class Slip(PackedHoward):
        def _take_votes(self, action: str, *args: object) -> object:  # type: ignore[override]
            return () if action == "AcceptCommit" else super()._take_votes(action, *args)  # type: ignore[arg-type]

    bounds = Bounds(1, 0, frozenset({0, 1}))
    assert explore_packed(Slip(bounds)).generated != explore(Howard(bounds)).generated


@pytest.mark.parametrize("acc", [frozenset({0, 1}), frozenset({1})])
def test_the_specification_is_safe_within_its_bounds(acc: frozenset[int]) -> None:
    bounds = Bounds(1, 1 if acc == {1} else 0, acc)
    plain, packed = Howard(bounds), PackedHoward(bounds)
    found = explore(plain, [Property("safe", plain.is_safe)])
    assert found.violation is None
    assert found.is_complete
    assert explore_packed(packed, packed.is_safe).distinct == found.distinct


def test_too_few_commits_are_found_by_a_shortest_way() -> None:
    """A planted bug: one commit is enough. A replica then believes committed what only itself has prepared."""
    bounds = Bounds(1, 0, frozenset({0, 1}), commit_quorum=1)
    plain, packed = Howard(bounds), PackedHoward(bounds)
    one: Violation[State] | None = explore(plain, [Property("safe", plain.is_safe)]).violation
    other = explore_packed(packed, packed.is_safe).violation
    assert one is not None
    assert other is not None
    assert len(one.path) == len(other.path) == 5
    assert [step.action for step in other.path] == ["PrePrepare", "Prepare", "Prepare", "AcceptPrepare", "Commit"]
    assert not plain.is_safe(one.path[-1].target)
    assert not packed.is_safe(other.path[-1].target)


def test_the_way_to_a_violation_can_be_replayed() -> None:
    bounds = Bounds(1, 0, frozenset({0, 1}), commit_quorum=1)
    model = Howard(bounds)
    violation = explore(model, [Property("safe", model.is_safe)]).violation
    assert violation is not None
    state = model.initial()
    for step in violation.path:
        assert step.target in {taken.target for taken in model.successors(state) if taken.label == step.label}
        state = step.target


CHECKPOINTS = [
    (Bounds(1, 0, frozenset({0}), checkpoints=frozenset({1}), commit_quorum=1), 852, 91, 13),
    (Bounds(1, 0, frozenset({0, 1}), checkpoints=frozenset({1}), commit_quorum=2), 31_799, 1_588, 22),
    (Bounds(2, 0, frozenset({0}), checkpoints=frozenset({1}), commit_quorum=1), 110_575, 7_085, 22),
]


@pytest.mark.parametrize(("bounds", "generated", "distinct", "depth"), CHECKPOINTS)
def test_checkpoints_are_counted_alike_both_ways(bounds: Bounds, generated: int, distinct: int, depth: int) -> None:
    plain, packed = explore(Howard(bounds)), explore_packed(PackedHoward(bounds))
    assert (packed.generated, packed.distinct, packed.depth) == (generated, distinct, depth)
    assert (packed.levels, packed.taken) == (plain.levels, plain.taken)


SUBSETS = [frozenset(acc) for acc in ((), (0,), (1,), (0, 1), (1, 2), (0, 1, 2))]


@pytest.mark.parametrize(
    "bounds",
    [*(Bounds(1, 0, acc) for acc in SUBSETS), *(Bounds(1, 1, acc) for acc in SUBSETS[:3]), Bounds(2, 0, frozenset({1})), CHECKPOINTS[1][0]],
)
def test_what_is_never_reached_the_bounds_make_impossible(bounds: Bounds) -> None:
    """Every action, every conjunct of a guard, every goal."""
    model = PackedHoward(bounds)
    found = explore_packed(model, goals=model.goals)
    excused = ruled_out(bounds)
    assert not [name for name in (*found.never, *found.undecided) if name not in excused]
    assert not [name for name in excused if {**found.taken, **found.decided, **found.reached}[name]]


def test_a_dead_action_is_noticed() -> None:
    """The specification as published: its `Prepare` is never taken, and one conjunct alone is why."""
    bounds = Bounds(1, 0, is_repaired=False)
    found, excused = explore_packed(PackedHoward(bounds)), ruled_out(bounds)
    assert "Prepare" in [name for name in found.never if name not in excused]
    assert found.decided["Prepare: request known"]


def test_a_dead_guard_is_noticed() -> None:
    """A planted bug: commits are accepted from any view."""

    class Careless(PackedHoward):
        def _take_votes(self, action: str, i: int, s: int, view: int) -> Iterator[Step]:
            views = range(self.bounds.view_max + 1) if action == "AcceptCommit" else (view,)
            for one in views:
                yield from super()._take_votes(action, i, s, one)

        def moves(self, part: int, seen: int) -> Moves:
            told = super().moves(part, seen)
            return replace(told, decided=tuple(one for one in told.decided if one[0] != "AcceptCommit: own view"))

    bounds = Bounds(1, 1, frozenset({1}))
    found = explore_packed(Careless(bounds))
    assert "AcceptCommit: own view" in [name for name in found.undecided if name not in ruled_out(bounds)]


def test_checkpoints_become_stable_and_logs_are_cut() -> None:
    """With a checkpoint at 1, within a bound: replicas tell theirs, collect 2F + 1, and forget what lies below."""
    model = Howard(Bounds(1, 0, frozenset({0}), checkpoints=frozenset({1}), commit_quorum=1))
    goals: list[Property[State]] = [
        Property("told", lambda state: bool(state.sent.checkpoint), "sometimes"),
        Property("executed", lambda state: any(one.state for one in state.replicas), "sometimes"),
    ]
    found = explore(model, goals)
    assert found.taken["ExecuteAndCheckpoint"]
    assert found.taken["UnstableCheckpoint"]
    assert not found.taken["ExecuteNoCheckpoint"]
    assert all(found.reached.values())


def test_what_never_happened_is_told() -> None:
    goals: list[Property[State]] = [Property("view 1", lambda state: state.replicas[0].view == 1, "sometimes")]
    found = explore(Howard(Bounds(1, 0, frozenset({0}))), goals)
    assert set(found.taken) == set(ACTIONS)
    assert {"ViewChange", "NewView", "view 1"} <= set(found.never)


def test_a_bound_on_states_is_told() -> None:
    found = explore(Howard(Bounds(1, 0, frozenset({0, 1}))), states_max=100)
    assert not found.is_complete
    assert 100 <= found.distinct < 244
    assert not explore_packed(PackedHoward(Bounds(1, 0, frozenset({0, 1}))), states_max=100).is_complete


def test_the_packed_model_says_what_it_cannot() -> None:
    with pytest.raises(ValueError, match="at most 15"):
        PackedHoward(Bounds(16))
