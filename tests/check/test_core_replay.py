"""Counterexamples of the abstract model show the same harm on the core with the matching quirk, and are refused without."""

from __future__ import annotations

import pytest

from fiscotool.check.core_replay import CoreReplay, NotTakenError
from fiscotool.check.core_world import CoreWorld
from fiscotool.check.hypotheses import HIDDEN, HYPOTHESES, LOST, REDATED, decide
from fiscotool.pbft.rules import Quirk

OPEN = [
    (REDATED, 1, frozenset({Quirk.PROOF_WITHOUT_VIEW}), "height 1: a at [2], b at [0]"),
    (HIDDEN, 2, frozenset({Quirk.AMNESIA, Quirk.NEW_VIEW_UNCHECKED}), "height 1: a at [0], b at [3]"),
    (LOST, None, frozenset[Quirk](), "height 1: a at [2], b at [3]"),
]


def replayed(way: tuple[str, ...], byzantine: int | None, quirks: frozenset[Quirk]) -> list[str]:
    replay = CoreReplay(CoreWorld(byzantine=byzantine, quirks=quirks))
    replay.run(way)
    return replay.forks()


@pytest.mark.parametrize(("way", "byzantine", "quirks", "fork"), OPEN)
def test_the_core_forks_where_the_model_did(way: tuple[str, ...], byzantine: int | None, quirks: frozenset[Quirk], fork: str) -> None:
    assert replayed(way, byzantine, quirks) == [fork]


@pytest.mark.parametrize(("way", "byzantine", "step"), [(REDATED, 1, "shows view 3"), (HIDDEN, 2, "enters view 1")])
def test_the_sound_core_refuses_the_step_that_the_sound_model_refuses(way: tuple[str, ...], byzantine: int, step: str) -> None:
    with pytest.raises(NotTakenError, match=step):
        replayed(way, byzantine, frozenset())


def test_without_amnesia_the_hidden_block_is_still_locked() -> None:
    """H6 less amnesia: the new view is entered, and the lock refuses what it proposes."""
    with pytest.raises(NotTakenError, match="accepts b"):
        replayed(HIDDEN, 2, frozenset({Quirk.NEW_VIEW_UNCHECKED}))


def test_a_way_that_a_search_found_is_executed_too() -> None:
    """H2, with its shortest way."""
    found = decide(next(one for one in HYPOTHESES if one.name == "H2"), states_max=3_000)
    assert replayed(found.way, 2, frozenset())
