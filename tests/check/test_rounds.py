"""Open views allow more than the protocol; rounds reach exactly what their walk reaches, and find what opens holes find."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fiscotool.check.fisco3_bounds import Limits
from fiscotool.check.fisco3_local import Local
from fiscotool.check.fisco3_packed import PackedFisco3
from fiscotool.check.fisco3_rounds import Rounds, RoundWalk
from fiscotool.check.packed import explore_packed

OPEN = Limits(open_views=True)
Summary = tuple[object, ...]


def rounds(limits: Limits) -> tuple[PackedFisco3, Rounds]:
    walk = RoundWalk(limits)
    return walk.model, walk.run()


def summary(model: PackedFisco3, state: int) -> Summary:
    """Who holds what, and which certificates there are."""
    held = tuple((tuple(sorted(one.locks.values())), tuple(sorted(one.agreed.items()))) for one in members(model, state))
    return held, frozenset(slot for slot, at in model.places.certified.items() if state >> at & 1)


def decided(model: PackedFisco3, state: int) -> Summary:
    """Who agreed on what, written or not."""
    return tuple(tuple(one.written_at(h) or one.agreed.get(h, 0) for h in model.places.heights) for one in members(model, state))


def members(model: PackedFisco3, state: int) -> list[Local]:
    return [model.read(i, state) for i in model.limits.honest]


def walk(limits: Limits, states_max: int | None = None) -> tuple[PackedFisco3, set[int]]:
    model, seen = PackedFisco3(limits), set[int]()
    explore_packed(model, lambda state: not seen.add(state), states_max=states_max)  # type: ignore[func-returns-value]
    return model, seen


@pytest.mark.parametrize(
    "limits",
    [replace(OPEN, view_max=1, byzantine=2, values=(1,)), replace(OPEN, heights=2, byzantine=1, values=(1,)), replace(OPEN, byzantine=1)],
)
def test_rounds_reach_what_a_walk_of_every_single_step_reaches(limits: Limits) -> None:
    """Not counts: the same locks, agreements and certificates; and with the written blocks, the same decisions."""
    limits = replace(limits, symmetry=False)
    model, states = walk(limits)
    ours, found = rounds(limits)
    unwritten = {state for state in states if not state & model.places.block_bits()}
    assert {summary(ours, state) for state in found.last} == {summary(model, state) for state in unwritten}
    assert {decided(ours, state) for state in found.last} == {decided(model, state) for state in states}


@pytest.mark.parametrize("limits", [replace(OPEN, view_max=1, byzantine=0), replace(OPEN, heights=2, byzantine=1)])
def test_names_of_values_do_not_matter(limits: Limits) -> None:
    """What is reached with names in order, and the same with the names exchanged at any heights, is what is reached without."""

    def renamed(state: Summary, heights: frozenset[int]) -> Summary:
        held, certificates = state
        swap = {1: 2, 2: 1}

        def of(h: int, value: int) -> int:
            return swap.get(value, value) if h in heights else value

        told = tuple(
            (tuple(lock._replace(value=of(lock.height, lock.value)) for lock in locks), tuple((h, of(h, value)) for h, value in agreed))
            for locks, agreed in held  # type: ignore[attr-defined]
        )
        return told, frozenset((v, h, of(h, value)) for v, h, value in certificates)  # type: ignore[attr-defined]

    (model, named), (other, full) = rounds(limits), rounds(replace(limits, symmetry=False))
    swaps = [frozenset[int](), frozenset({1}), frozenset({2}), frozenset({1, 2})]
    reached = {renamed(summary(model, state), swap) for state in named.last for swap in swaps}
    assert reached == {summary(other, state) for state in full.last}
    assert len(named.last) < len(full.last)


@pytest.mark.parametrize("limits", [Limits(view_max=1, byzantine=3), Limits(heights=2, byzantine=1)])
def test_open_views_allow_whatever_the_protocol_allows(limits: Limits) -> None:
    """Of the first levels of the protocol's own walk."""
    limits = replace(limits, symmetry=False)
    model, states = walk(limits, 6_000)
    ours, found = rounds(replace(limits, open_views=True))
    assert {decided(model, state) for state in states} <= {decided(ours, state) for state in found.last}
    unwritten = {state for state in states if not state & model.places.block_bits()}
    assert {summary(model, state) for state in unwritten} <= {summary(ours, state) for state in found.last}


def test_two_heights_and_two_views_are_seen_to_the_end() -> None:
    _, found = rounds(replace(OPEN, heights=2, view_max=1, byzantine=1))
    assert found.is_complete
    assert found.bad is None
    assert found.widths == [1, 25, 34, 394, 462, 2_912, 2_963, 34_303, 37_333]


FORKS = [
    pytest.param(replace(OPEN, byzantine=1, quorum=2), id="two votes certify"),
    pytest.param(replace(OPEN, byzantine=2, holes=frozenset({"empty-block-unchecked"})), id="H2"),
]


@pytest.mark.parametrize("limits", FORKS)
def test_a_hole_forks_the_chain_in_rounds_too(limits: Limits) -> None:
    model, found = rounds(limits)
    assert found.bad is not None
    assert not model.agrees(found.bad)
    assert rounds(replace(limits, holes=frozenset(), quorum=3))[1].bad is None


def test_a_round_that_forgets_locks_is_noticed() -> None:
    """A planted mistake: what a round leaves behind is without its locks."""

    class Forgetful(RoundWalk):
        def _outcomes(self, one: object, seen: int) -> list[int]:
            locks = self.model.places.lock_bits(self.model.places.heights)
            return [(seen + difference & ~locks) - seen for difference in super()._outcomes(one, seen)]  # type: ignore[arg-type]

    assert Forgetful(replace(OPEN, view_max=1, byzantine=1)).run().bad is not None


def test_what_rounds_cannot_do_is_refused() -> None:
    with pytest.raises(ValueError, match="back to view 0"):
        RoundWalk(replace(OPEN, crashes=1))
    with pytest.raises(ValueError, match="open views"):
        RoundWalk(Limits())
