"""Votes that are only counted: the shortcut gives what the handlers give, is taken often, and is closed where a bug is planted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fiscotool.errors import EnvironmentFailure
from fiscotool.mutants.plant import plan_of
from fiscotool.mutants.planter import Planter
from fiscotool.mutants.registry import MUTANTS
from fiscotool.pbft import step as step_module
from fiscotool.pbft.counting import with_prepares
from fiscotool.pbft.effects import Effect
from fiscotool.pbft.events import Event, Received
from fiscotool.pbft.messages import CheckPoint, Commit, Prepare
from fiscotool.pbft.rules import Quirk
from fiscotool.pbft.shortcut import count_vote, without_shortcut
from fiscotool.pbft.state import ReplicaState
from fiscotool.sim.cluster import Cluster
from fiscotool.sim.run import simulate
from fiscotool.sim.settings import draw_settings

Guess = Callable[[ReplicaState, Any], ReplicaState | None]


def compare(guess: Guess, seeds: range, **fixed: Any) -> tuple[int, int, int]:
    """(votes heard, votes the shortcut counted, how often it was wrong) in these worlds."""
    votes = counted = wrong = 0

    def listen(_node: str, event: Event, before: ReplicaState, _after: ReplicaState, _effects: tuple[Effect, ...]) -> None:
        nonlocal votes, counted, wrong
        if isinstance(event, Received):
            votes += isinstance(event.message, Prepare | Commit | CheckPoint)
            found = guess(before, event.message)
            if found is not None:
                counted += 1
                wrong += (found, ()) != step_module.by_handlers(before, event)

    def watch(cluster: Cluster) -> None:
        cluster.listeners.append(listen)

    for seed in seeds:
        simulate(draw_settings(seed, ticks=8_000, **fixed), watch=watch)
    return votes, counted, wrong


@pytest.mark.parametrize("fixed", [{}, {"weight_changes": True, "byzantine": ()}], ids=["members-stay", "weights-change"])
def test_it_gives_what_the_handlers_give(fixed: dict[str, Any]) -> None:
    votes, counted, wrong = compare(count_vote, range(40, 45), **fixed)
    assert wrong == 0
    assert counted > votes // 2


def test_a_shortcut_that_forgets_the_quorum_is_noticed() -> None:
    def hasty(state: ReplicaState, message: Any) -> ReplicaState | None:
        slot = state.slots[0] if state.slots else None
        if slot is None or not isinstance(message, Prepare) or message.index != slot.height:
            return None
        votes = tuple(sorted((*slot.prepares, message), key=lambda vote: vote.sender))
        return state._replace(slots=(with_prepares(slot, votes), *state.slots[1:]))

    assert compare(hasty, range(40, 41))[2] > 0


def test_it_is_closed_where_a_hole_is_open() -> None:
    quirk = Quirk.STALE_VOTE_KEPT.value
    assert compare(count_vote, range(40, 41), quirks=(quirk,))[1] == 0


def test_it_is_closed_while_a_function_is_replaced() -> None:
    planted = [plan for plan in map(plan_of, MUTANTS.values()) if plan.replacements]
    assert planted
    for plan in planted:
        with plan:
            assert vars(step_module)["count_vote"] is without_shortcut
        assert vars(step_module)["count_vote"] is count_vote


def test_nothing_is_planted_in_a_compiled_core() -> None:
    with pytest.raises(EnvironmentFailure, match="len is compiled"):
        Planter().swap(len, lambda _things: 0)
