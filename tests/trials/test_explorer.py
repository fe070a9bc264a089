"""The explorer of the core itself: it counts the same every time, finds the shortest way to what is broken, and nothing in a right core."""

from __future__ import annotations

import pytest

from fiscotool.check.step_explorer import Bounds, Explorer
from fiscotool.mutants.plant import mutated
from fiscotool.mutants.registry import MUTANTS
from fiscotool.pbft.dialects import DIALECTS
from fiscotool.trials.exploring import BOUNDS, try_explorer
from fiscotool.trials.verdict import Result


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_right_core_is_right_in_all_schedules_within_bounds(dialect: str) -> None:
    for bounds in BOUNDS[:4]:
        small = Bounds(bounds.nodes, bounds.heights, bounds.depth_max, 150, bounds.crashes, bounds.liar)
        assert Explorer(DIALECTS[dialect], small).run().broken == ()


def test_it_counts_the_same_every_time() -> None:
    one, two = (Explorer(DIALECTS["fisco3"], Bounds(worlds_max=200)).run() for _ in range(2))
    assert one == two
    assert one.distinct == 200
    assert one.generated >= one.distinct


def test_three_rounds_decide_and_the_fourth_writes() -> None:
    explorer = Explorer(DIALECTS["fisco3"], Bounds())
    world = explorer.warm_up()
    for _ in range(4):
        world = dict(explorer.moves(world))["deliver all"]
    assert [len(peer.ledger) for peer in world.peers] == [1, 1, 1, 1]
    assert len({peer.ledger for peer in world.peers}) == 1


def test_the_way_to_what_is_broken_is_the_shortest() -> None:
    found = Explorer(mutated(DIALECTS["fisco3"], MUTANTS["M2"]), Bounds()).run()
    assert found.broken == ("committed",)
    assert found.path == ("deliver all",) * 3


@pytest.mark.parametrize("name", ["M1", "M3", "M41", "M4", "fisco2-M1", "classic-M1"])
def test_mutants_are_found(name: str) -> None:
    assert try_explorer(MUTANTS[name], worlds_max=300).result is Result.KILLED


@pytest.mark.parametrize("name", ["M23", "H4"])
def test_what_it_cannot_express_it_says(name: str) -> None:
    verdict = try_explorer(MUTANTS[name])
    assert verdict.result is Result.NOT_APPLICABLE
    assert verdict.by
