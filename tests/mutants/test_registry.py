"""The registry is complete, a mutant is in place only where it is planted, and everything is put back."""

from __future__ import annotations

import pytest

from fiscotool.mutants.mutant import Kind
from fiscotool.mutants.plant import mutated, plan_of, planted
from fiscotool.mutants.registry import MUTANTS, mutant_named
from fiscotool.pbft import properties, quorum
from fiscotool.pbft.dialects import DIALECTS
from fiscotool.pbft.effects import Broadcast, Persist
from fiscotool.pbft.events import Received, Verified
from fiscotool.pbft.messages import Prepare
from fiscotool.pbft.rules import Quirk
from fiscotool.pbft.types import Height
from tests.pbft.hand import d, pre, replica

LISTED = (
    1,
    2,
    3,
    4,
    6,
    7,
    8,
    10,
    11,
    12,
    13,
    14,
    15,
    16,
    17,
    19,
    20,
    21,
    23,
    24,
    26,
    28,
    29,
    30,
    32,
    33,
    34,
    35,
    37,
    38,
    40,
    41,
    42,
    44,
    46,
    50,
)
"""The numbers of observables 4.1."""


def test_every_listed_mutant_is_there_and_more() -> None:
    names = {name.lower() for name in MUTANTS}
    missing = [number for number in LISTED if not any(f"m{number}{letter}" in names for letter in ("", "a", "b", "c", "d"))]
    assert not missing
    assert len(MUTANTS) >= 52
    assert {mutant.kind for mutant in MUTANTS.values()} == set(Kind)
    assert {mutant.dialect for mutant in MUTANTS.values()} == set(DIALECTS)


def test_every_hole_of_the_core_is_a_mutant_or_replaced_by_one() -> None:
    switches = {mutant.switch for mutant in MUTANTS.values()}
    same_as = {
        Quirk.PULL_WITHOUT_PROOF: "FIB-127",
        Quirk.DUPLICATE_SIGNERS: "M6",
        Quirk.NEW_VIEW_UNCHECKED: "M16",
        Quirk.FUTURE_NEVER_REPLACED: "fisco2-future",
        Quirk.VIEWS_POOLED: "M21",
        Quirk.PROPOSAL_UNCHECKED: "M50",
        Quirk.FAR_VIEWS_KEPT: "M35",
        Quirk.SEAL_TIME_UNBOUNDED: "the driver's, not the core's",
    }
    assert set(Quirk) - switches - set(same_as) == set()


def test_names_are_found_whatever_their_case() -> None:
    assert mutant_named("m46A") is MUTANTS["M46a"]
    assert mutant_named("M5") is None


@pytest.mark.parametrize("name", [name for name, mutant in MUTANTS.items() if mutant.apply is not None])
def test_everything_is_put_back(name: str) -> None:
    planter = plan_of(MUTANTS[name])
    replacements = planter.replacements
    assert replacements
    with planter:
        assert all(getattr(entry.module, entry.name) is entry.value for entry in replacements)
    assert all(getattr(entry.module, entry.name) is entry.original for entry in replacements)


def test_the_judge_keeps_the_right_functions() -> None:
    right = quorum.quorum_weight
    with planted(MUTANTS["N1"]):
        assert quorum.quorum_weight is not right
        assert vars(properties)["quorum_weight"] is right
    assert quorum.quorum_weight is right


def test_a_mutant_is_in_the_replicas_it_is_planted_in() -> None:
    dialect = mutated(DIALECTS["fisco3"], MUTANTS["M40a"], replicas=(1,))
    for me, is_planted in ((1, True), (0, False)):
        hand = replica(me=me, view=3)
        state, _ = dialect.step(hand.state, hand_preprepare(me))
        _, effects = dialect.step(state, Verified(Height(11), d("A"), is_valid=True))
        assert any(isinstance(effect, Broadcast) and isinstance(effect.message, Prepare) for effect in effects)
        assert any(isinstance(effect, Persist) for effect in effects) is not is_planted


def hand_preprepare(me: int) -> Received:
    hand = replica(me=me, view=3)
    return Received(pre(11, "A", 3, hand.state.rules))


def test_a_switch_is_in_force_inside_the_step_only() -> None:
    dialect = mutated(DIALECTS["fisco3"], MUTANTS["M40d"])
    hand = replica()
    state, _ = dialect.step(hand.state, hand_preprepare(0))
    assert state.rules == hand.state.rules
    same, effects = dialect.step(state, Verified(Height(99), d("Z"), is_valid=True))
    assert same is state
    assert effects == ()
