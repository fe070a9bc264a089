"""The statements that drills on the embedded chain are held against are true of the real chain's recordings."""

from __future__ import annotations

from fiscotool.consistency.observations import Observations
from fiscotool.observer.foreign import load_timeline
from tests.e2e import shapes
from tests.support.shared import shared


def recorded(name: str) -> Observations:
    return load_timeline(shared("recordings", "v3", "timeline", f"{name}.jsonl.xz"))


def test_a_killed_leader() -> None:
    for name in ("kill9_leader_txs", "trace_level_kill9_leader_txs"):
        seen = recorded(name)
        shapes.a_killed_leader_costs_one_time_out(seen, seen.faults[0])
        shapes.a_restarted_node_finds_the_view_after_a_time_out(seen, seen.faults[0])


def test_a_killed_follower() -> None:
    seen = recorded("kill9_follower_txs")
    shapes.a_dead_follower_costs_views_not_time(seen, seen.faults[0])
    shapes.a_restarted_node_finds_the_view_after_a_time_out(seen, seen.faults[0])


def test_a_lost_quorum() -> None:
    for name in ("kill9_two_txs", "kill9_two_restart_both_txs"):
        seen = recorded(name)
        shapes.without_a_quorum_nothing_moves_and_timers_back_off(seen, *seen.faults)


def test_a_frozen_node() -> None:
    seen = recorded("sigstop_follower_txs")
    shapes.a_frozen_node_costs_a_time_out_a_turn(seen, seen.faults[0])


def test_a_stopped_node() -> None:
    seen = recorded("stopsh_follower_txs")
    shapes.a_dead_follower_costs_views_not_time(seen, seen.faults[0])
    shapes.a_restarted_node_finds_the_view_after_a_time_out(seen, seen.faults[0])


def test_a_full_restart() -> None:
    seen = recorded("full_restart_idle")
    shapes.after_stopping_all_views_begin_anew_and_heights_stay(seen, *seen.faults)
