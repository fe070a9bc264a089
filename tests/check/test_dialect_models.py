"""The abstract models of fisco2 and classic: pinned counts, two ways of counting, and every property and guard shown to fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from fiscotool.check import classic_bounds, classic_properties, classic_reach, fisco2_bounds, fisco2_properties, fisco2_reach
from fiscotool.check.classic_bounds import LimitsClassic
from fiscotool.check.classic_packed import PackedClassic
from fiscotool.check.classic_plain import PlainClassic
from fiscotool.check.explore import explore
from fiscotool.check.fisco2_bounds import Limits2
from fiscotool.check.fisco2_packed import PackedFisco2
from fiscotool.check.fisco2_plain import PlainFisco2
from fiscotool.check.judged import explore_judged
from fiscotool.check.model import Exploration, Model
from fiscotool.check.packed import explore_packed
from fiscotool.check.path import NotAWayError, replay
from fiscotool.mutants.registry import MUTANTS
from fiscotool.pbft.rules import Quirk


@dataclass(frozen=True)
class Spec:
    """Everything of one dialect's model."""

    limits: Callable[..., Any]
    packed: Callable[[Any], Any]
    plain: Callable[[Any], Model[Any]]
    asks: Any
    reach: Any
    words: Any


SPECS = {
    "fisco2": Spec(Limits2, PackedFisco2, PlainFisco2, fisco2_properties, fisco2_reach, fisco2_bounds),
    "classic": Spec(LimitsClassic, PackedClassic, PlainClassic, classic_properties, classic_reach, classic_bounds),
}


def walk(name: str, states_max: int | None = None, only: str = "", **bounds: Any) -> Exploration[int]:
    spec = SPECS[name]
    model = spec.packed(spec.limits(**bounds))
    properties = spec.asks.properties_of(model)
    asked = {only: properties[only]} if only else properties
    return explore_judged(model, asked, goals=spec.asks.goals_of(model), states_max=states_max)


PINNED: list[tuple[str, dict[str, Any], int, int, int]] = [
    ("fisco2", {}, 534, 158, 13),
    ("fisco2", {"symmetry": False}, 1_067, 315, 13),
    ("fisco2", {"byzantine": 0}, 391, 145, 10),
    ("fisco2", {"byzantine": 1}, 171, 60, 10),
    ("fisco2", {"byzantine": 2}, 171, 60, 10),
    ("fisco2", {"byzantine": 3}, 171, 60, 10),
    ("fisco2", {"crashes": 1}, 3_886, 919, 15),
    ("fisco2", {"byzantine": 0, "crashes": 1}, 3_979, 1_181, 12),
    ("classic", {}, 583, 158, 13),
    ("classic", {"symmetry": False}, 1_165, 315, 13),
    ("classic", {"byzantine": 0}, 427, 145, 10),
    ("classic", {"byzantine": 1}, 191, 60, 10),
    ("classic", {"byzantine": 2}, 191, 60, 10),
    ("classic", {"byzantine": 3}, 191, 60, 10),
    ("classic", {"crashes": 1}, 1_797, 316, 14),
    ("classic", {"byzantine": 0, "crashes": 1}, 1_288, 290, 11),
]
LARGE: list[tuple[str, dict[str, Any], int, int, int]] = [
    ("fisco2", {"view_max": 1, "byzantine": 3}, 42_020, 12_549, 22),
]


@pytest.mark.parametrize(("name", "bounds", "generated", "distinct", "depth"), PINNED + LARGE)
def test_within_these_bounds_all_properties_hold(name: str, bounds: dict[str, Any], generated: int, distinct: int, depth: int) -> None:
    """And what was never reached, the bounds make impossible; nothing else is called so."""
    found = walk(name, **bounds)
    assert found.violation is None
    assert (found.generated, found.distinct, found.depth) == (generated, distinct, depth)
    impossible = SPECS[name].reach.ruled_out(SPECS[name].limits(**bounds))
    counts = {**found.taken, **found.decided, **found.reached}
    assert [one for one, count in counts.items() if not count and one not in impossible] == []
    assert [one for one in impossible if counts[one]] == []


@pytest.mark.parametrize(("name", "bounds", "generated", "distinct", "depth"), PINNED)
def test_a_model_of_sets_and_records_counts_the_same(name: str, bounds: dict[str, Any], generated: int, distinct: int, depth: int) -> None:
    """Written apart, one state after another, nothing kept: every level, every action."""
    spec = SPECS[name]
    found = explore(spec.plain(spec.limits(**bounds)))
    assert (found.generated, found.distinct, found.depth) == (generated, distinct, depth)
    packed = walk(name, **bounds)
    assert (packed.levels, packed.taken) == (found.levels, found.taken)


BOUNDED: list[dict[str, Any]] = [
    {"view_max": 1},
    {"view_max": 1, "byzantine": 0},
    {"view_max": 2, "byzantine": 1},
    {"view_max": 3, "crashes": 1},
    {"heights": 2, "view_max": 1, "byzantine": 1, "crashes": 1},
]


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("bounds", BOUNDED)
def test_both_ways_agree_on_the_first_levels_of_larger_bounds(name: str, bounds: dict[str, Any]) -> None:
    spec = SPECS[name]
    limits = spec.limits(**bounds)
    plain, packed = explore(spec.plain(limits), states_max=400), explore_packed(spec.packed(limits), states_max=400)
    assert (packed.generated, packed.levels, packed.taken) == (plain.generated, plain.levels, plain.taken)


def hole(*names: str) -> frozenset[str]:
    return frozenset(names)


BROKEN: list[tuple[str, dict[str, Any], str, int]] = [
    ("fisco2", {"quorum": 2}, "certificate", 5),
    ("fisco2", {"view_max": 1, "byzantine": 1, "holes": hole("lock-not-asked")}, "one-lock", 10),
    ("fisco2", {"view_max": 1, "byzantine": 1, "holes": hole("lock-given-up")}, "one-lock", 10),
    ("fisco2", {"byzantine": 3, "holes": hole("written-by-two")}, "certificate", 4),
    ("fisco2", {"view_max": 1, "holes": hole("view-of-two")}, "views", 3),
    ("fisco2", {"byzantine": 2, "crashes": 2, "holes": hole("amnesia")}, "one-lock", 7),
    ("fisco2", {"byzantine": 3, "holes": hole("duplicate-signers")}, "certificate", 3),
    ("fisco2", {"byzantine": 3, "holes": hole("signs-make-blocks")}, "certificate", 3),
    ("classic", {"byzantine": 0, "quorum": 2}, "certificate", 3),
    ("classic", {"byzantine": 0, "crashes": 2, "holes": hole("amnesia")}, "one-vote", 3),
    ("classic", {"byzantine": 3, "holes": hole("duplicate-signers")}, "certificate", 3),
    ("classic", {"view_max": 1, "byzantine": 3, "holes": hole("certificates-hidden")}, "protected", 11),
]


@pytest.mark.parametrize(("name", "bounds", "broken", "length"), BROKEN)
def test_a_hole_breaks_a_property_and_the_shortest_way_is_shown(name: str, bounds: dict[str, Any], broken: str, length: int) -> None:
    found = walk(name, **bounds)
    assert found.violation is not None
    assert (found.violation.property, len(found.violation.path)) == (broken, length)
    spec = SPECS[name]
    model = spec.packed(spec.limits(**bounds))
    holds = spec.asks.properties_of(model)[broken]
    assert not all(map(holds, replay(model, [step.label for step in found.violation.path])))


def test_agreement_breaks_too() -> None:
    """What the Signs of two views are good for where a block's signatures cannot be told from them."""
    found = walk("fisco2", only="agreement", view_max=1, byzantine=3, holes=hole("signs-make-blocks"))
    assert found.violation is not None
    assert [step.label for step in found.violation.path[-2:]] == ["node0 is sent block 1 = b", "node1 is sent block 1 = a"]


RESTARTED = (
    "node0 proposes a at height 1 in view 0",
    "node3 accepts a at height 1 in view 0",
    "node0 holds a at height 1 in view 0 prepared",
    "node2 asks for view 1",
    "node0 asks for view 1",
    "node0 enters view 1: proposes a at height 1 again",
    "node0 crashes and starts again",
    "node0 accepts b at height 1 in view 1",
    "node2 enters view 1: proposes a at height 1 again",
    "node2 crashes and starts again",
    "node2 accepts b at height 1 in view 1",
    "node0 holds b at height 1 in view 1 prepared",
    "node2 holds b at height 1 in view 1 prepared",
    "node0 decides b at height 1 in view 1",
    "node3 holds a at height 1 in view 0 prepared",
    "node2 is sent block 1 = a",
)
"""A shortest fork of classic whose restarted replicas vote before they know what their view's new view proposed; the core once did."""


def test_the_fork_that_the_core_of_classic_allowed_is_refused_where_it_was_closed() -> None:
    bounds: dict[str, Any] = {"view_max": 1, "byzantine": 1, "crashes": 2}
    open_ = PackedClassic(LimitsClassic(**bounds, holes=hole("votes-without-new-view")))
    agreement = classic_properties.properties_of(open_)["agreement"]
    assert not all(map(agreement, replay(open_, RESTARTED)))
    with pytest.raises(NotAWayError) as refused:
        replay(PackedClassic(LimitsClassic(**bounds)), RESTARTED)
    assert refused.value.number == 8


def test_views_pooled_in_2x_are_safe() -> None:
    """Votes for one result in different views, added up (E5): one lock a height is enough."""
    assert walk("fisco2", 3_000, view_max=1, byzantine=3, holes=hole("stale-vote-kept")).violation is None


def test_two_locks_stop_2x_for_ever_and_only_where_one_replica_is_away() -> None:
    """H1 of 2.x, with its story."""
    model = PackedFisco2(Limits2(view_max=1, byzantine=3))
    progress = fisco2_properties.Progress2(model)
    found = explore_judged(model, {"progress": progress.holds})
    assert found.violation is not None
    assert len(found.violation.path) == 10
    story = progress.stuck_in(found.violation.path[-1].target)
    assert story[:3] == ("node3 stays away", "node0 proposes its lock a, refused by node1", "node1 proposes its lock b, refused by node0")
    still = PackedFisco2(Limits2(byzantine=3))
    assert explore_judged(still, {"progress": fisco2_properties.Progress2(still).holds}).violation is None


@pytest.mark.parametrize("name", SPECS)
def test_the_models_speak_of_the_cores_quirks_and_mutants(name: str) -> None:
    words = SPECS[name].words
    assert set(words.HOLES) <= {quirk.value for quirk in Quirk}
    assert {mutant for mutant in words.PLANTED.values() if mutant} <= set(MUTANTS)
    with pytest.raises(ValueError, match="no holes"):
        SPECS[name].plain(SPECS[name].limits(holes=hole("amnesia")))


def test_a_slip_in_one_of_the_two_is_noticed() -> None:
    """A planted mistake, once really made: a leader that restarted hears its own earlier proposal."""

    class Echo(PackedFisco2):
        def _accept(self, i: int, me: Any, s: int) -> Any:
            yield from super()._accept(i, me, s)
            for slot in self.layout.proposed(s, me.height + 1):
                if self.limits.leader(slot[1], slot[0]) == i and slot[0] == me.view and not me.accepted and not me.waits:
                    yield "accept", "accepts its own", self._sign(s, i, me, slot)

    limits = Limits2(crashes=1)
    assert explore_packed(Echo(limits)).taken != explore(PlainFisco2(limits)).taken
