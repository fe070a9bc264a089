"""Costs of protocols: measured counts are the published formulas, and the table is what the command prints."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from fiscotool.cli.main import cli
from fiscotool.pbft.dialects import DIALECTS
from fiscotool.sim.costs import Cost, calculate, compare, measure

FORMULAS = {
    "fisco3": lambda n: (n - 1) + 3 * n * (n - 1),
    "fisco2": lambda n: (n - 1) + 2 * n * (n - 1),
    "classic": lambda n: (n - 1) + (n - 1) ** 2 + n * (n - 1) + n * (n - 1) / 5,
}


@pytest.mark.parametrize("n", [4, 7])
@pytest.mark.parametrize("protocol", FORMULAS)
def test_measured_messages_are_the_formula(protocol: str, n: int) -> None:
    cost = measure(DIALECTS[protocol], n)
    assert cost.messages == pytest.approx(FORMULAS[protocol](n))
    assert cost.verified == pytest.approx(cost.messages)
    assert not cost.is_formula


def test_a_phase_more_is_a_delay_more() -> None:
    delays = {name: int(measure(DIALECTS[name], 4).delays_first) for name in FORMULAS}
    assert delays == {"fisco3": 4, "fisco2": 3, "classic": 3}


def test_a_dead_leader_costs_view_changes_of_the_living_and_a_new_view_where_there_is_one() -> None:
    n = 4
    asked = (n - 1) * (n - 1)
    changes = {name: measure(DIALECTS[name], n).change_messages for name in FORMULAS}
    assert changes["fisco2"] == asked
    assert changes["classic"] == asked + n - 1
    assert changes["fisco3"] >= asked + n - 1


def test_votes_of_pbft_grow_with_the_square_and_those_of_hotstuff_with_the_size() -> None:
    def growth(small: Cost, large: Cost) -> float:
        return large.messages / small.messages

    assert growth(measure(DIALECTS["fisco3"], 4), measure(DIALECTS["fisco3"], 16)) > 16
    assert growth(calculate("hotstuff", 4), calculate("hotstuff", 16)) == 5
    assert calculate("raft", 4).tolerates == "1 crashes"


def test_the_command_prints_all_protocols() -> None:
    result = CliRunner().invoke(cli, ["compare-protocols", "--nodes", "4", "--json"], standalone_mode=False)
    rows = json.loads(result.stdout)
    assert [row["protocol"] for row in rows] == ["fisco3", "fisco2", "classic", "raft", "hotstuff"]
    assert [row["is_formula"] for row in rows] == [False, False, False, True, True]
    assert len(compare([4])) == 5


@pytest.mark.parametrize("sizes", ["3", "x", "4,500"])
def test_other_sizes_are_refused(sizes: str) -> None:
    result = CliRunner().invoke(cli, ["compare-protocols", "--nodes", sizes], standalone_mode=False)
    assert getattr(result.exception, "exit_code", None) == 2
