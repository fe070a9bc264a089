"""Twins: as many scenarios as the published formula says, no disagreement with one twin of four, and disagreement where it must be."""

from __future__ import annotations

import pytest

from fiscotool.pbft import state
from fiscotool.pbft.dialects import DIALECTS, FISCO3
from fiscotool.pbft.types import NodeIndex
from fiscotool.sim.twins import Explorer, partitions, scenario_count, scenarios, stirling


@pytest.mark.parametrize(("copies", "parts", "wanted"), [(5, 2, 15), (5, 1, 1), (5, 3, 25), (6, 2, 31), (9, 3, 3025), (3, 4, 0)])
def test_partitions_are_as_many_as_stirling_says(copies: int, parts: int, wanted: int) -> None:
    assert stirling(copies, parts) == wanted
    assert len(set(partitions(copies, parts))) == wanted


def test_the_published_counts() -> None:
    """(4, 2, R): 15**R."""
    assert [scenario_count(4, 1, 2, rounds) for rounds in (3, 4)] == [3_375, 50_625]
    assert len(set(scenarios(5, 2, 4))) == 50_625


def test_a_sample_is_drawn_from_all_and_shows_the_same() -> None:
    one, two = (Explorer(FISCO3).sample(4, 60, seed=3) for _ in range(2))
    assert (one.scenarios, one.walked_rounds, one.steps, one.blocks_max) == (two.scenarios, two.walked_rounds, two.steps, two.blocks_max)
    assert one.scenarios == 60
    assert one.walked_rounds == 240
    assert one.violations == []


def test_playing_parts_once_gives_what_playing_every_round_gives() -> None:
    """The memory of parts against a second explorer that forgets after every scenario."""
    first, forgetful = Explorer(FISCO3), Explorer(FISCO3)
    start = first._start()
    for path in list(scenarios(5, 2, 2))[::17]:
        world, plain = start, forgetful._start()
        for number, partition in enumerate(path):
            world = first._round(world, partition, number)
            plain = forgetful._round(plain, partition, number)
        assert world == plain
        forgetful._rounds.clear()
        forgetful._copies.clear()


def test_a_planted_bug_is_found_in_a_sample_of_four_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "quorum_weight", lambda total: total - (total - 1) // 3 - 1)
    result = Explorer(FISCO3).sample(4, 20, seed=1)
    assert {violation.rule for _, violation in result.violations} == {"agreement"}


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.name)
def test_one_twin_of_four_breaks_nothing(dialect: object) -> None:
    result = Explorer(DIALECTS[getattr(dialect, "name", "")]).explore(2)
    assert result.scenarios == scenario_count(4, 1, 2, 2)
    assert result.violations == []
    assert result.blocks_max >= 2


def test_a_twin_finds_a_quorum_that_is_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """M1, M2, M3: with q-1 two halves that share only the twin decide differently."""
    monkeypatch.setattr(state, "quorum_weight", lambda total: total - (total - 1) // 3 - 1)
    weak = Explorer(FISCO3)
    assert weak.choices[0] == (0, 0, 0, 0, 1)
    result = weak.explore(2)
    assert {violation.rule for _, violation in result.violations} == {"agreement"}
    path, violation = result.violations[0]
    assert len(path) <= 2
    assert violation.node in {f"node{NodeIndex(i)}" for i in (1, 2, 3)}
