"""The packed walk shows a part only the bits it claims to read. Shown everything, one state after another, the same must be counted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fiscotool.check.explore import explore
from fiscotool.check.fisco3_bounds import Limits
from fiscotool.check.fisco3_packed import PackedFisco3
from fiscotool.check.howard_packed import PackedHoward
from fiscotool.check.howard_terms import Bounds
from fiscotool.check.model import Taken
from fiscotool.check.packed import explore_packed


class Whole:
    """A packed model without masks, without kept answers and without differences: each part sees the whole state each time."""

    def __init__(self, model: PackedFisco3 | PackedHoward) -> None:
        self._model = model
        self.actions = model.actions

    def initial(self) -> int:
        return self._model.initial()

    def render(self, state: int) -> str:
        return self._model.render(state)

    def successors(self, state: int) -> Iterator[Taken[int]]:
        for part in range(self._model.parts):
            for action, label, difference in self._model.explain(part, state):
                yield Taken(action, label, state + difference)


LIMITS = [
    Limits(),
    Limits(symmetry=False),
    Limits(byzantine=1),
    Limits(crashes=1),
    Limits(byzantine=1, crashes=1, holes=frozenset({"amnesia"})),
    Limits(heights=2, byzantine=1),
    Limits(view_max=1, byzantine=3),
    Limits(view_max=1, byzantine=2, crashes=1),
    Limits(heights=2, view_max=2, byzantine=2, holes=frozenset({"proof-without-view", "lock-never-released"})),
]


@pytest.mark.parametrize("limits", LIMITS)
def test_fisco3_is_counted_alike_with_masks_and_without(limits: Limits) -> None:
    """Complete where there are few states, else as many levels as hold 1,500 of them."""
    plain = explore(Whole(PackedFisco3(limits)), states_max=1_500)
    packed = explore_packed(PackedFisco3(limits), states_max=1_500)
    assert (packed.generated, packed.levels, packed.taken) == (plain.generated, plain.levels, plain.taken)


@pytest.mark.parametrize("bounds", [Bounds(1, 1, frozenset({1})), Bounds(2, 0, frozenset({0}))])
def test_howard_is_counted_alike_with_masks_and_without(bounds: Bounds) -> None:
    plain, packed = explore(Whole(PackedHoward(bounds))), explore_packed(PackedHoward(bounds))
    assert (packed.generated, packed.levels, packed.taken) == (plain.generated, plain.levels, plain.taken)


def test_a_part_that_reads_more_than_it_claims_is_noticed() -> None:
    """A planted mistake: accepting does not claim the proposals."""

    class Blind(PackedFisco3):
        def mask(self, part: int) -> int:
            return super().mask(part) & ~0xFF

    plain, packed = explore(Whole(Blind(Limits()))), explore_packed(Blind(Limits()))
    assert packed.levels != plain.levels
