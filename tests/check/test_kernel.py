"""The compiled walk counts what the interpreted one counts, level by level and action by action."""

from __future__ import annotations

import sys

import pytest

from fiscotool.check.howard_packed import PackedHoward
from fiscotool.check.howard_terms import Bounds
from fiscotool.check.kernel import compare, explore_compiled
from fiscotool.check.kernel_loops import KernelMissing, compiled
from fiscotool.check.model import Exploration
from fiscotool.check.packed import Moves, explore_packed

BOUNDS = [Bounds(1, 0, frozenset({0, 1})), Bounds(1, 1, frozenset({1})), Bounds(1, 2, frozenset()), Bounds(2, 0, frozenset({0}))]


@pytest.mark.parametrize("bounds", BOUNDS)
def test_levels_and_actions_are_the_same(bounds: Bounds) -> None:
    pytest.importorskip("numba", reason="the extra `kernel` is not installed")
    assert compare(explore_packed(PackedHoward(bounds)), explore_compiled(PackedHoward(bounds))) == ""


def test_a_kernel_that_loses_a_step_is_noticed() -> None:
    pytest.importorskip("numba", reason="the extra `kernel` is not installed")

    class Slip(PackedHoward):
        def moves(self, part: int, seen: int) -> Moves:
            told = super().moves(part, seen)
            return Moves(told.generated, told.differences[1:], told.taken)

    bounds = Bounds(1, 0, frozenset({0, 1}))
    assert compare(explore_packed(PackedHoward(bounds)), explore_compiled(Slip(bounds)))


def test_the_first_difference_is_named() -> None:
    one: Exploration[int] = Exploration(5, 4, (1, 3), {"go": 4})
    assert compare(one, Exploration(5, 4, (1, 3), {"go": 4})) == ""
    assert compare(one, Exploration(5, 4, (1, 2, 1), {"go": 4})) == "levels: (1, 3) against (1, 2, 1)"


def test_without_numba_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled.cache_clear()
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(KernelMissing, match="not installed"):
        explore_compiled(PackedHoward(BOUNDS[0]))
