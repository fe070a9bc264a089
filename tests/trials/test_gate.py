"""The gate: every safety mutant, and every other that shows itself quickly, is noticed where it is known to; a right core is not.

All planted bugs are those of `fiscotool.mutants`; nothing else in the tests replaces functions of the core.
"""

from __future__ import annotations

import pytest

from fiscotool.mutants.mutant import Kind
from fiscotool.mutants.registry import MUTANTS
from fiscotool.trials.hints import HINTS
from fiscotool.trials.place import place_of
from fiscotool.trials.simulator import attempts, find_nothing, try_simulator
from fiscotool.trials.verdict import Result
from fiscotool.trials.worlds import WORLDS

SAFETY = [name for name, mutant in MUTANTS.items() if mutant.kind is Kind.SAFETY and not mutant.wire_switch]

QUICK = ("calm", "slow", "down", "restarts")
"""Worlds that take no more than a moment."""

GATED = list(dict.fromkeys([*SAFETY, *(name for name, hint in HINTS.items() if hint.world in QUICK)]))


def test_every_safety_mutant_has_a_place_where_it_shows() -> None:
    assert set(SAFETY) <= set(HINTS)
    assert set(HINTS) <= set(MUTANTS)


@pytest.mark.parametrize("name", GATED)
def test_a_mutant_is_noticed(name: str) -> None:
    hint = HINTS[name]
    assert WORLDS[hint.world](place_of(MUTANTS[name].dialect, MUTANTS[name]), hint.seed)


@pytest.mark.parametrize("dialect", ["fisco3", "fisco2", "classic"])
def test_the_same_worlds_find_nothing_wrong_with_the_right_core(dialect: str) -> None:
    tried = {(HINTS[name].world, HINTS[name].seed): None for name in GATED if MUTANTS[name].dialect == dialect}
    assert find_nothing(dialect, tried) == []


def test_what_shows_a_mutant_is_tried_first() -> None:
    assert next(attempts(MUTANTS["M1"], 1)) == (HINTS["M1"].world, HINTS["M1"].seed)
    assert try_simulator(MUTANTS["M1"], seeds=1).result is Result.KILLED


def test_a_mutant_in_one_replica_is_noticed_there() -> None:
    assert WORLDS["calm"](place_of("fisco3", MUTANTS["M40a"], replicas=(2,)), 0) == ("durable",)


def test_what_the_simulator_cannot_have_it_says() -> None:
    assert try_simulator(MUTANTS["M42"]).result is Result.NOT_APPLICABLE
