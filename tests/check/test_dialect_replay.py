"""Forks of the abstract models of fisco2 and classic, executed on the core: with the bug planted they happen, without it a step is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from fiscotool.check import classic_properties, fisco2_properties
from fiscotool.check.classic_bounds import LimitsClassic
from fiscotool.check.classic_packed import PackedClassic
from fiscotool.check.dialect_replay import on_dialect
from fiscotool.check.fisco2_bounds import Limits2
from fiscotool.check.fisco2_packed import PackedFisco2
from fiscotool.check.judged import explore_judged
from fiscotool.check.path import replay
from fiscotool.mutants.plant import mutated
from fiscotool.mutants.registry import MUTANTS
from fiscotool.pbft.dialects import CLASSIC, FISCO2, Dialect
from fiscotool.pbft.messages import Commit, Prepare
from fiscotool.pbft.rules import Quirk


@dataclass(frozen=True)
class Case:
    """Bounds with a hole, and what is the same in the core: a mutant, a quirk, or what makes a block for whom it is sent to."""

    dialect: Dialect
    bounds: dict[str, Any]
    refused: int
    mutant: str = ""
    quirk: Quirk | None = None
    more: dict[str, Any] = field(default_factory=dict)


def hole(*names: str) -> frozenset[str]:
    return frozenset(names)


LOCK: dict[str, Any] = {"view_max": 1, "byzantine": 1}
CASES = {
    "2.x M1": Case(FISCO2, {"byzantine": 0, "quorum": 2}, 3, "fisco2-M1"),
    "2.x M12": Case(FISCO2, {**LOCK, "holes": hole("lock-not-asked")}, 9, "fisco2-M12"),
    "2.x M41": Case(FISCO2, {"view_max": 1, "byzantine": 3, "holes": hole("written-by-two")}, 11, "fisco2-M41", more={"blocks_need": 2}),
    "2.x amnesia": Case(FISCO2, {"byzantine": 0, "crashes": 1, "holes": hole("amnesia")}, 6, quirk=Quirk.AMNESIA),
    "2.x repeats": Case(FISCO2, {"view_max": 1, "byzantine": 3, "holes": hole("duplicate-signers")}, 2, quirk=Quirk.DUPLICATE_SIGNERS),
    "2.x Signs": Case(FISCO2, {"view_max": 1, "byzantine": 3, "holes": hole("signs-make-blocks")}, 9, more={"shown": (Commit, Prepare)}),
    "M1": Case(CLASSIC, {"byzantine": 0, "quorum": 2}, 3, "classic-M1"),
    "amnesia": Case(CLASSIC, {"byzantine": 0, "crashes": 1, "holes": hole("amnesia")}, 8, quirk=Quirk.AMNESIA),
    "M15": Case(CLASSIC, {"view_max": 1, "byzantine": 3, "holes": hole("certificates-hidden")}, 7, "classic-M15"),
}


def way_to_a_fork(dialect: Dialect, bounds: dict[str, Any]) -> list[str]:
    """A shortest one of the abstract model."""
    model: Any = PackedFisco2(Limits2(**bounds)) if dialect is FISCO2 else PackedClassic(LimitsClassic(**bounds))
    properties: Any = fisco2_properties if dialect is FISCO2 else classic_properties
    found = explore_judged(model, {"agreement": properties.properties_of(model)["agreement"]})
    assert found.violation is not None
    return [step.label for step in found.violation.path]


@pytest.mark.parametrize("name", CASES)
def test_the_core_forks_where_the_model_did_and_only_with_the_bug(name: str) -> None:
    case = CASES[name]
    way = way_to_a_fork(case.dialect, case.bounds)
    planted = mutated(case.dialect, MUTANTS[case.mutant]) if case.mutant else case.dialect
    quirks = [case.quirk] if case.quirk else []
    byzantine = case.bounds.get("byzantine")
    assert on_dialect(way, planted, byzantine, quirks=quirks, **case.more).startswith("height 1: a at ")
    assert on_dialect(way, case.dialect, byzantine) == f"refused at step {case.refused}"
    if case.mutant == "fisco2-M12":
        forked = on_dialect(way, mutated(FISCO2, MUTANTS["fisco2-N20"]), byzantine)
        assert forked.startswith("height 1: a at "), "giving the lock up is not asking it"


UNCHECKED = (
    "node0 proposes a at height 1 in view 0",
    "node2 accepts a at height 1 in view 0",
    "node0 holds a at height 1 in view 0 prepared",
    "node0 enters view 1: nothing again",
    "node0 accepts b at height 1 in view 1",
    "node2 holds a at height 1 in view 0 prepared",
    "node2 enters view 1: nothing again",
    "node2 accepts b at height 1 in view 1",
    "node0 holds b at height 1 in view 1 prepared",
    "node2 holds b at height 1 in view 1 prepared",
    "node0 decides b at height 1 in view 1",
    "node2 is sent block 1 = a",
)
"""A shortest fork with `new-view-unchecked`; finding it takes some seconds."""


def test_new_views_that_nobody_checks_fork_the_core_of_classic() -> None:
    model = PackedClassic(LimitsClassic(view_max=1, byzantine=1, holes=hole("new-view-unchecked")))
    assert not all(map(classic_properties.properties_of(model)["agreement"], replay(model, UNCHECKED)))
    assert on_dialect(UNCHECKED, CLASSIC, 1, quirks=[Quirk.NEW_VIEW_UNCHECKED]) == "height 1: a at [2], b at [0]"
    assert on_dialect(UNCHECKED, CLASSIC, 1) == "refused at step 4"


REPEATED = (
    "node0 proposes a at height 1 in view 0",
    "node0 holds a at height 1 in view 0 prepared",
    "node0 decides a at height 1 in view 0",
)
"""With `duplicate-signers`: the liar's votes, signed three times, are enough."""


def test_repeated_signers_make_quorums_in_the_core_of_classic() -> None:
    model = PackedClassic(LimitsClassic(byzantine=3, holes=hole("duplicate-signers")))
    assert not all(map(classic_properties.properties_of(model)["certificate"], replay(model, REPEATED)))
    assert on_dialect(REPEATED, CLASSIC, 3, quirks=[Quirk.DUPLICATE_SIGNERS]) == "no fork"
    assert on_dialect(REPEATED, CLASSIC, 3) == "refused at step 2"


HONEST = {
    FISCO2.name: (
        "node0 proposes a at height 1 in view 0",
        "node1 accepts a at height 1 in view 0",
        "node2 accepts a at height 1 in view 0",
        "node1 locks a at height 1 in view 0",
        "node2 asks for view 1",
        "node1 asks for view 1",
        "node0 joins those who ask for view 1",
        "node1 enters view 1",
        "node1 proposes a at height 1 in view 1",
        "node0 enters view 1",
        "node2 enters view 1",
        "node0 accepts a at height 1 in view 1",
        "node2 crashes and starts again",
        "node3 asks for view 1",
        "node3 enters view 1",
        "node3 accepts a at height 1 in view 1",
        "node0 locks a at height 1 in view 1",
        "node1 locks a at height 1 in view 1",
        "node3 locks a at height 1 in view 1",
        "node3 writes block 1 = a",
        "node2 is sent block 1 = a",
    ),
    CLASSIC.name: (
        "node0 proposes a at height 1 in view 0",
        "node1 accepts a at height 1 in view 0",
        "node2 accepts a at height 1 in view 0",
        "node1 holds a at height 1 in view 0 prepared",
        "node1 asks for view 1",
        "node2 asks for view 1",
        "node0 joins those who ask for view 1",
        "node1 shows view 1: proposes a at height 1 again",
        "node3 enters view 1: proposes a at height 1 again",
        "node3 accepts again a at height 1 in view 1",
        "node0 enters view 1: proposes a at height 1 again",
        "node0 accepts again a at height 1 in view 1",
        "node3 holds a at height 1 in view 1 prepared",
        "node0 holds a at height 1 in view 1 prepared",
        "node1 holds a at height 1 in view 1 prepared",
        "node3 decides a at height 1 in view 1",
        "node2 is sent block 1 = a",
    ),
}
"""Ways without a hole, through most of what replicas do."""


@pytest.mark.parametrize("dialect", [FISCO2, CLASSIC], ids=lambda dialect: dialect.name)
def test_ways_without_a_hole_are_of_both(dialect: Dialect) -> None:
    bounds: dict[str, Any] = {"view_max": 1, "crashes": 1}
    model: Any = PackedFisco2(Limits2(**bounds)) if dialect is FISCO2 else PackedClassic(LimitsClassic(**bounds))
    assert replay(model, HONEST[dialect.name])
    assert on_dialect(HONEST[dialect.name], dialect, None) == "no fork"
