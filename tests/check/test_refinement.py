"""The core refines the abstract fisco3 model: schedules of the real `step`, mapped, are paths of the model."""

from __future__ import annotations

import random

import pytest

from fiscotool.check.core_schedules import bounds_of, walk_all, walk_randomly, world_of
from fiscotool.check.core_world import CoreWorld
from fiscotool.check.refinement import NotRefinedError, Refinement
from fiscotool.pbft.rules import Quirk


def dice(seed: int) -> random.Random:
    return random.Random(seed)


def test_random_schedules_of_honest_replicas_are_paths_of_the_model() -> None:
    refinement = Refinement(bounds_of(None))
    for seed in range(18):
        walk_randomly(refinement, world_of(None), dice(seed), 200)
    assert refinement.stutters
    taken = {name for name, count in refinement.taken.items() if count}
    assert taken == set(refinement.model.actions) - {"sync"}


@pytest.mark.parametrize("byzantine", [2, 3])
def test_random_schedules_with_a_liar_are_paths_of_the_model(byzantine: int) -> None:
    refinement = Refinement(bounds_of(byzantine))
    for seed in range(6):
        walk_randomly(refinement, world_of(byzantine), dice(seed), 200)
    assert {"accept", "prepared", "agreed"} <= {name for name, count in refinement.taken.items() if count}


def test_all_short_schedules_are_paths_of_the_model() -> None:
    """Three events from the beginning, and two from where everyone has accepted a block."""
    assert walk_all(Refinement(bounds_of(None)), world_of(None), 3) > 100
    world = CoreWorld()
    world.propose(1, 1, 1)
    for i, message in list(world.sent):
        world.deliver(i, message)
    assert walk_all(Refinement(bounds_of(None)), world, 2) > 100


def test_a_core_that_forgets_its_votes_is_no_refinement() -> None:
    """A planted divergence: the quirk `amnesia`, which the model's bounds do not have."""
    refinement = Refinement(bounds_of(None))
    for quirks in (frozenset[Quirk](), frozenset({Quirk.AMNESIA})):
        world = world_of(None, quirks)
        world.propose(1, 1, 1)
        before = refinement.state_of(world)
        world.crash(1)
        if not quirks:
            refinement.check(1, before, refinement.state_of(world))
            continue
        with pytest.raises(NotRefinedError, match="node1's step is none of the model"):
            refinement.check(1, before, refinement.state_of(world))


def test_a_core_that_takes_fewer_votes_is_no_refinement() -> None:
    """A planted divergence: the model wants four of four."""
    with pytest.raises(NotRefinedError, match="node"):
        for seed in range(10):
            walk_randomly(Refinement(bounds_of(None, quorum=4)), world_of(None), dice(seed), 120)
