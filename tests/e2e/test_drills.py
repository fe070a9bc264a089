"""The six drills on a running chain, through the command: judged `holds`, shaped as on real chains, and healed whatever ends them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fiscotool.consistency.observations import Observations
from fiscotool.observer.recording import load_recording
from tests.e2e import shapes
from tests.e2e.user import User, chain_of, wait_until

pytestmark = [pytest.mark.devnet, pytest.mark.slow]
one, two = pytest.mark.xdist_group("e2e-drills-one"), pytest.mark.xdist_group("e2e-drills-two")


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    with chain_of(tmp_path_factory.mktemp("drills")) as found:
        yield found


def kill_leader(seen: Observations) -> None:
    (fault,) = seen.faults
    assert fault.role == "leader"
    shapes.a_killed_leader_costs_one_time_out(seen, fault)
    shapes.a_restarted_node_finds_the_view_after_a_time_out(seen, fault)


def kill_follower(seen: Observations) -> None:
    (fault,) = seen.faults
    assert fault.role == "follower"
    shapes.a_dead_follower_costs_views_not_time(seen, fault)
    shapes.a_restarted_node_finds_the_view_after_a_time_out(seen, fault)


def kill_two(seen: Observations) -> None:
    assert len(seen.faults) == 2
    shapes.without_a_quorum_nothing_moves_and_timers_back_off(seen, *seen.faults)


def pause_leader(seen: Observations) -> None:
    (fault,) = seen.faults
    shapes.a_frozen_node_costs_a_time_out_a_turn(seen, fault)


def rolling_restart(seen: Observations) -> None:
    assert [fault.node for fault in seen.faults] == ["node0", "node1", "node2", "node3"]
    for fault in seen.faults:
        shapes.a_restarted_node_finds_the_view_after_a_time_out(seen, fault)
        assert len({sample.incarnation for sample in seen.samples if sample.node == fault.node and sample.incarnation}) == 2


def full_restart(seen: Observations) -> None:
    assert len(seen.faults) == 4
    shapes.after_stopping_all_views_begin_anew_and_heights_stay(seen, *seen.faults)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        pytest.param("kill-leader", kill_leader, marks=one),
        pytest.param("kill-two", kill_two, marks=one),
        pytest.param("full-restart", full_restart, marks=one),
        pytest.param("kill-follower", kill_follower, marks=two),
        pytest.param("pause-leader", pause_leader, marks=two),
        pytest.param("rolling-restart", rolling_restart, marks=two),
    ],
)
def test_a_drill_holds_and_looks_as_on_a_real_chain(user: User, name: str, shape: Callable[[Observations], None]) -> None:
    user.await_whole()
    done = user.run("drill", "run", name, "--record", f"runs/{name}", "--json", within_s=150)
    judged: dict[str, Any] = done.json
    assert judged["verdict"] == "holds", [finding["summary"] for finding in judged["findings"] if finding["verdict"] == "violated"]
    decided = {finding["invariant"]["id"] for finding in judged["findings"] if finding["verdict"] == "holds"}
    assert decided >= {"agreement", "linkage", "header-hash", "certificate", "tx-durable", "tx-once", "progress-after-fault"}
    assert all(recovery["rpo_txs"] == 0 for recovery in judged["recoveries"])
    assert all(recovery["rto_s"] <= recovery["bound_s"] + recovery["error_s"] for recovery in judged["recoveries"])
    shape(load_recording(Path(user.place) / judged["recording"]))
    assert set(user.states().values()) == {"running"}
    assert user.run("drill", "heal").out == "nothing is broken by a drill\n"


def is_broken(user: User, node: str = "") -> bool:
    """Whether a drill has injected a fault that is not healed."""
    path = user.place / "nodes" / ".fiscotool" / "faults.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    healed = {line["fault_id"] for line in lines if line["event"] == "healed"}
    planned = [line for line in lines if line["event"] == "planned" and line["fault_id"] not in healed]
    return any(line["pid"] and not is_alive(line["pid"]) for line in planned)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def forget_faults(user: User) -> None:
    """A drill numbers its faults from 1: without the old ones, an open fault is one of the drill that runs now."""
    (user.place / "nodes" / ".fiscotool" / "faults.jsonl").unlink(missing_ok=True)


@one
def test_ctrl_c_heals_and_leaves_a_whole_recording(user: User) -> None:
    user.await_whole()
    forget_faults(user)
    done = user.interrupt("drill", "run", "kill-two", "--record", "runs/cut", when=lambda: is_broken(user))
    assert done.code == 130
    assert "whatever the drill had broken is healed" in done.err
    assert set(user.states().values()) == {"running"}
    seen = load_recording(user.place / "runs" / "cut" / "recording.jsonl")
    assert seen.problems == ()
    assert all(fault.healed_s is not None for fault in seen.faults)


@one
def test_sigterm_heals_as_ctrl_c_does(user: User) -> None:
    user.await_whole()
    forget_faults(user)
    with user.typing("drill", "run", "kill-leader", "--record", "runs/ended") as process:
        wait_until(lambda: is_broken(user), within_s=30, what="a node is killed")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 130
    assert set(user.states().values()) == {"running"}


@one
def test_what_a_killed_tool_left_is_healed_by_heal_and_by_the_next_drill(user: User) -> None:
    user.await_whole()
    forget_faults(user)
    with user.typing("drill", "run", "kill-leader", "--record", "runs/died") as process:
        wait_until(lambda: is_broken(user), within_s=30, what="a node is killed")
        process.kill()
        process.wait(10)
    (dead,) = [name for name, state in user.states().items() if state == "stopped"]
    (healed,) = user.run("drill", "heal", "--json").json
    assert (healed["node"], healed["fault"], healed["drill"], healed["done"]) == (dead, "kill", "kill-leader", "started")
    assert set(user.states().values()) == {"running"}
    assert user.run("drill", "heal", "--json").json == []
    assert user.run("check", "runs/died/recording.jsonl", code=None).code in {0, 5}, "what a killed observer wrote can still be judged"


@one
def test_one_drill_at_a_time(user: User) -> None:
    user.await_whole()
    with user.typing("drill", "run", "kill-follower", "--record", "runs/first") as process:
        wait_until((user.place / "runs" / "first").exists, within_s=20, what="the drill runs")
        refused = user.run("drill", "run", "kill-leader", "--record", "runs/second", code=3)
        assert "another drill is running" in refused.err
        assert not (user.place / "runs" / "second").exists(), "nothing is begun"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
