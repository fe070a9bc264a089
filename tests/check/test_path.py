"""A counterexample is taken again from its labels, and drawn."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from fiscotool.check.explore import explore
from fiscotool.check.fisco3_bounds import Limits
from fiscotool.check.fisco3_packed import PackedFisco3
from fiscotool.check.howard import Howard
from fiscotool.check.howard_packed import PackedHoward
from fiscotool.check.howard_terms import Bounds
from fiscotool.check.packed import explore_packed
from fiscotool.check.path import NotAWayError, replay, space_time_svg

SVG = "{http://www.w3.org/2000/svg}"
BROKEN = Bounds(1, 0, frozenset({0, 1}), commit_quorum=1)


def way(bounds: Bounds) -> list[str]:
    model = PackedHoward(bounds)
    found = explore_packed(model, model.is_safe)
    assert found.violation is not None
    return [step.label for step in found.violation.path]


def test_a_counterexample_is_replayed_from_its_labels() -> None:
    model = PackedHoward(BROKEN)
    assert not all(map(model.is_safe, replay(model, way(BROKEN))))


def test_a_repaired_model_still_takes_the_steps_and_is_safe() -> None:
    """The same schedule without the planted bug: what made the difference is the rule, not the schedule."""
    model = PackedHoward(Bounds(1, 0, frozenset({0, 1})))
    assert all(map(model.is_safe, replay(model, way(BROKEN))))


def test_a_step_that_is_not_enabled_is_named_with_those_that_are() -> None:
    with pytest.raises(NotAWayError, match="step 2, 'Commit") as caught:
        replay(PackedHoward(BROKEN), ["PrePrepare(0) n=1 d=1", "Commit(0) v=0 n=1 d=1"])
    assert caught.value.number == 2
    assert "Prepare(1) v=0 n=1 d=1" in caught.value.enabled


def test_the_drawing_has_every_step_on_its_replicas_line() -> None:
    labels = way(BROKEN)
    drawn = ET.fromstring(space_time_svg(labels, title="a < b"))  # noqa: S314 - our own text
    dots = drawn.findall(f"{SVG}circle")
    assert [dot.findtext(f"{SVG}title") for dot in dots] == labels
    arrows = [line for line in drawn.findall(f"{SVG}line") if line.get("marker-end")]
    assert len(arrows) == sum(" of " in label for label in labels) == 1


def test_fisco3_labels_are_drawn_too() -> None:
    limits = Limits(view_max=0, byzantine=1, quorum=2)
    model = PackedFisco3(limits)
    found = explore_packed(model, model.agrees)
    assert found.violation is not None
    labels = [step.label for step in found.violation.path]
    assert not all(map(model.agrees, replay(model, labels)))
    assert space_time_svg(labels, title="fork").count("<circle") == len(labels)


@pytest.mark.parametrize("bounds", [Bounds(1, 0, frozenset({0}), replicas=7), Bounds(1, 0, frozenset(), replicas=10)])
def test_more_replicas_are_counted_alike_both_ways(bounds: Bounds) -> None:
    plain, packed = explore(Howard(bounds)), explore_packed(PackedHoward(bounds))
    assert (plain.generated, plain.levels, plain.taken) == (packed.generated, packed.levels, packed.taken)
