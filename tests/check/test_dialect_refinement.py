"""The cores of fisco2 and classic refine their abstract models: schedules of the real `step`, mapped, are paths of the model."""

from __future__ import annotations

import random

import pytest

from fiscotool.check.dialect_refinement import REFINEMENTS, walk_dialect, world_of
from fiscotool.check.refinement import NotRefinedError
from fiscotool.mutants.plant import mutated
from fiscotool.mutants.registry import MUTANTS


@pytest.mark.parametrize("name", REFINEMENTS)
def test_random_schedules_are_paths_of_the_model(name: str) -> None:
    """Of honest replicas, and with a liar; the steps that nearly every schedule has are among them."""
    dialect, refinement_of = REFINEMENTS[name]
    taken: set[str] = set()
    for byzantine in (None, 0, 3):
        refinement = refinement_of(byzantine)
        for seed in range(5):
            walk_dialect(refinement, world_of(dialect, byzantine), random.Random(seed), 160)
        assert refinement.stutters
        taken |= {action for action, count in refinement.taken.items() if count}
    assert {"propose", "accept", "time out", "enter view"} <= taken


@pytest.mark.parametrize("mutant", ["fisco2-M1", "fisco2-M32", "classic-M1", "classic-M15"])
def test_a_core_with_a_bug_is_no_refinement(mutant: str) -> None:
    """Planted divergences: votes of too few, a view that survives a block, certificates that are not shown."""
    dialect, refinement_of = REFINEMENTS[MUTANTS[mutant].dialect]
    planted = mutated(dialect, MUTANTS[mutant])
    with pytest.raises(NotRefinedError, match="step is none of the model"):
        for seed in range(40):
            walk_dialect(refinement_of(None), world_of(planted, None), random.Random(seed), 200)
