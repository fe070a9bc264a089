"""Drills on a running chain, through the command: judged `holds`, and shaped as on real chains. The others: test_drills_of_all.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e import shapes
from tests.e2e.drilling import play
from tests.e2e.user import User, chain_of

pytestmark = [pytest.mark.devnet, pytest.mark.slow]


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory, engine: tuple[str, ...]) -> Iterator[User]:
    with chain_of(tmp_path_factory.mktemp("drills"), *engine) as found:
        yield found


def test_kill_leader(user: User) -> None:
    seen = play(user, "kill-leader")
    (fault,) = seen.faults
    assert fault.role == "leader"
    shapes.a_killed_leader_costs_one_time_out(seen, fault, slack_s=shapes.BUSY_S)
    shapes.a_restarted_node_finds_the_view_after_a_time_out(seen, fault, slack_s=shapes.BUSY_S)


def test_kill_follower(user: User) -> None:
    seen = play(user, "kill-follower")
    (fault,) = seen.faults
    assert fault.role == "follower"
    shapes.a_dead_follower_costs_views_not_time(seen, fault, slack_s=shapes.BUSY_S)
    shapes.a_restarted_node_finds_the_view_after_a_time_out(seen, fault, slack_s=shapes.BUSY_S)


def test_pause_leader(user: User) -> None:
    seen = play(user, "pause-leader")
    (fault,) = seen.faults
    shapes.a_frozen_node_costs_a_time_out_a_turn(seen, fault, slack_s=shapes.BUSY_S)


def test_full_restart(user: User) -> None:
    seen = play(user, "full-restart")
    assert len(seen.faults) == 4
    shapes.after_stopping_all_views_begin_anew_and_heights_stay(seen, *seen.faults)
