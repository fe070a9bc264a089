"""Scenes for an observer: a right core comes out of them unaccused, and bugs show in what polls and headers tell."""

from __future__ import annotations

import pytest

from fiscotool.mutants.registry import MUTANTS
from fiscotool.trials.place import place_of
from fiscotool.trials.polled_scenes import SCENES
from fiscotool.trials.watched import find_nothing, watched

SEEN = {
    "M10": ("usurped", 1, "leader-schedule"),
    "M19": ("lost", 0, "no-quorum-no-view"),
    "M30b": ("lost", 0, "no-quorum-no-view"),
    "M13": ("locks", 0, "progress-after-fault"),
    "M21": ("far", 0, "view-pace"),
    "M44": ("reweighed", 0, "membership-told"),
    "N12": ("hops", 0, "phase-time"),
    "F11": ("replayed", 0, "progress-after-fault"),
    "fisco2-M12": ("alone", 2, "agreement"),
    "fisco2-M21": ("far", 0, "view-pace"),
}


@pytest.mark.parametrize("name", sorted(SEEN))
def test_a_bug_shows_outside(name: str) -> None:
    scene, seed, invariant = SEEN[name]
    assert invariant in watched(place_of(MUTANTS[name].dialect, MUTANTS[name]), scene, seed)


@pytest.mark.parametrize("dialect", ["fisco3", "fisco2", "classic"])
def test_a_right_core_is_not_accused(dialect: str) -> None:
    own = [name for name in SCENES if ":" not in name and not (dialect == "classic" and name == "reweighed")]
    assert find_nothing(dialect, [(name, 0) for name in own]) == []
