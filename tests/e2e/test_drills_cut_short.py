"""A drill that is interrupted, ended or killed leaves a chain that is healed, at once or by one command."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from fiscotool.observer.recording import load_recording
from tests.e2e.drilling import forget_faults, has_injected, has_killed
from tests.e2e.user import User, chain_of, wait_until

pytestmark = [pytest.mark.devnet, pytest.mark.slow]


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory, engine: tuple[str, ...]) -> Iterator[User]:
    with chain_of(tmp_path_factory.mktemp("cut-short"), *engine) as found:
        yield found


def test_ctrl_c_heals_and_leaves_a_whole_recording(user: User) -> None:
    user.await_whole()
    recording = user.place / "runs" / "cut" / "recording.jsonl"
    done = user.interrupt("drill", "run", "kill-two", "--record", "runs/cut", when=lambda: has_injected(recording))
    assert done.code == 130
    assert "whatever the drill had broken is healed" in done.err
    assert set(user.states().values()) == {"running"}
    seen = load_recording(recording)
    assert seen.problems == ()
    assert all(fault.healed_s is not None for fault in seen.faults)


def test_sigterm_heals_as_ctrl_c_does(user: User) -> None:
    user.await_whole()
    forget_faults(user)
    with user.typing("drill", "run", "kill-leader", "--record", "runs/ended") as process:
        wait_until(lambda: has_killed(user), within_s=60, what="a node is killed")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 130
    assert set(user.states().values()) == {"running"}


def test_what_a_killed_tool_left_is_healed_by_heal_and_by_the_next_drill(user: User) -> None:
    user.await_whole()
    forget_faults(user)
    with user.typing("drill", "run", "kill-leader", "--record", "runs/died") as process:
        wait_until(lambda: has_killed(user), within_s=60, what="a node is killed")
        process.kill()
        process.wait(10)
    (dead,) = [name for name, state in user.states().items() if state == "stopped"]
    (healed,) = user.run("drill", "heal", "--json").json
    assert (healed["node"], healed["fault"], healed["drill"], healed["done"]) == (dead, "kill", "kill-leader", "started")
    assert set(user.states().values()) == {"running"}
    assert user.run("drill", "heal", "--json").json == []
    assert user.run("check", "runs/died/recording.jsonl", code=None).code in {0, 5}, "what a killed observer wrote can still be judged"


def test_one_drill_at_a_time(user: User) -> None:
    user.await_whole()
    with user.typing("drill", "run", "kill-follower", "--record", "runs/first") as process:
        wait_until((user.place / "runs" / "first").exists, within_s=60, what="the drill runs")
        refused = user.run("drill", "run", "kill-leader", "--record", "runs/second", code=3)
        assert "another drill is running" in refused.err
        assert not (user.place / "runs" / "second").exists(), "nothing is begun"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
