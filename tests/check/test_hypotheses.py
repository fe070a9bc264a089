"""Hypotheses about holes: confirmed by a schedule with the hole open, and not within the same bounds with it closed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fiscotool.check.core_replay import on_core
from fiscotool.check.fisco3_bounds import Limits
from fiscotool.check.fisco3_packed import PackedFisco3
from fiscotool.check.fisco3_progress import Progress
from fiscotool.check.hypotheses import HIDDEN, HYPOTHESES, LOST, REDATED, REPEATED, decide
from fiscotool.check.packed import explore_packed
from fiscotool.check.path import NotAWayError, replay

BY_NAME = {one.name: one for one in HYPOTHESES}


def test_a_lock_that_is_never_released_halts_the_chain_and_a_released_one_does_not() -> None:
    """H1, complete within one height, two views, one replica that lies and then falls silent."""
    found = decide(BY_NAME["H1"], states_max=8_000)
    assert found.verdict == "confirmed"
    assert len(found.way) == 10
    assert found.why[-2:] == ("and so for ever", "a cycle under weak fairness of delivery and time-outs")
    assert sum("refuse" in view for view in found.why) == 3
    assert (found.sound_distinct, found.sound_complete, found.sound_harm) == (13_521, True, False)
    assert found.refused_at == 0  # every step is allowed; what differs is that the lock opens afterwards


def test_an_empty_block_without_signatures_forks_one_replica() -> None:
    """H2."""
    found = decide(BY_NAME["H2"], states_max=5_000)
    assert (found.verdict, len(found.way)) == ("confirmed", 6)
    assert "is sent an empty block" in found.way[found.refused_at - 1]
    assert (found.sound_distinct, found.sound_complete) == (223, True)


def test_votes_before_their_view_are_lost_in_some_orders_of_arrival() -> None:
    """H5, on the core: every order."""
    found = decide(BY_NAME["H5"], states_max=1)
    assert (found.verdict, found.distinct, found.core) == ("confirmed", 24, ("votes lost", "prepared"))
    assert not found.sound_harm
    assert "4 of 24" in found.why[0]


def test_repeated_signers_fork_the_core_too() -> None:
    """H3, without the sweep of three views that `make model` does."""
    limits = BY_NAME["H3"].limits
    assert on_core(REPEATED, limits.byzantine, limits.holes) == "height 1: a at [0], b at [1]"
    assert on_core(REPEATED, limits.byzantine, ()) == "refused at step 6"


def test_two_that_lose_power_decide_anew_and_one_does_not() -> None:
    """H7."""
    assert decide(BY_NAME["H7"], states_max=2_500).verdict == "confirmed"
    one = decide(BY_NAME["H7 of one"], states_max=20_000)
    assert (one.verdict, one.distinct) == ("refuted within the bounds", 8_756)


@pytest.mark.parametrize(
    ("name", "way", "forbidden"),
    [("H3", REPEATED, "enters view 2"), ("H4", REDATED, "shows view 3"), ("H6", HIDDEN, "enters view 1"), ("H7", LOST, "loses power")],
)
def test_a_given_way_forks_only_with_the_hole(name: str, way: tuple[str, ...], forbidden: str) -> None:
    limits = BY_NAME[name].limits
    model = PackedFisco3(limits)
    assert any(not model.agrees(state) for state in replay(model, way))
    with pytest.raises(NotAWayError, match=forbidden):
        replay(PackedFisco3(replace(limits, holes=frozenset())), way)


def test_locks_alone_are_why_an_unchecked_new_view_does_no_harm() -> None:
    """H6 less amnesia: the same way without forgetting ends before the fork."""
    limits = replace(BY_NAME["H6"].limits, holes=frozenset({"new-view-unchecked"}))
    with pytest.raises(NotAWayError, match="'node1 accepts b"):
        replay(PackedFisco3(limits), HIDDEN)


def test_too_high_a_quorum_halts_and_progress_says_so() -> None:
    """A planted bug: all four must vote, so one silent replica stops everything."""
    limits = Limits(view_max=0, byzantine=1, quorum=4)
    progress = Progress(limits)
    found = explore_packed(PackedFisco3(limits), progress.holds)
    assert found.violation is not None
    assert not found.violation.path
    assert "refuse" in "".join(progress.explain(PackedFisco3(limits).initial()))


def test_from_every_state_within_one_view_blocks_come_whoever_dies() -> None:
    limits = Limits(heights=1, view_max=0, byzantine=2)
    found = explore_packed(PackedFisco3(limits), Progress(limits).holds)
    assert found.violation is None
    assert found.is_complete


def test_an_interrupt_ends_the_command_not_one_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A walk that is interrupted tells of what it saw; a hypothesis is not decided by a part, and the next one not begun."""

    def moves(self: PackedFisco3, *args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(PackedFisco3, "moves", moves)
    with pytest.raises(KeyboardInterrupt):
        decide(BY_NAME["H1"], states_max=1000)
