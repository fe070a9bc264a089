"""`simulate`: one number makes one run, everywhere; what is wrong is found, shrunk and played again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from fiscotool.cli.main import cli
from fiscotool.pbft.dialects import DIALECTS
from fiscotool.pbft.rules import Rules
from fiscotool.sim.cluster import Cluster
from fiscotool.sim.run import simulate
from fiscotool.sim.schedule import KINDS, Action, parse_action, plan
from fiscotool.sim.settings import STRATEGIES, draw_settings, problems_of
from fiscotool.sim.shrink import shrink
from tests.support.shared import ROOT

PINNED = [line for line in (ROOT / "tests/sim/hashes.txt").read_text(encoding="utf-8").splitlines() if not line.startswith("#")]


def interpreters() -> list[str]:
    """This Python, and other versions this machine has that the core runs on."""
    found = {sys.version_info[:2]: sys.executable}
    for minor in range(11, 20):
        path = shutil.which(f"python3.{minor}")
        asked = None if path is None else subprocess.run([path, "-c", "import dataclasses"], capture_output=True, timeout=60, check=False)
        if path is not None and asked is not None and asked.returncode == 0:
            found.setdefault((3, minor), path)
    return list(found.values())


@pytest.mark.parametrize("hash_seed", ["0", "12345"])
@pytest.mark.parametrize("python", interpreters(), ids=lambda path: Path(path).name)
def test_the_event_log_of_a_seed_is_the_same_everywhere(python: str, hash_seed: str) -> None:
    """The unseed test: pinned hashes, whatever the version of Python and PYTHONHASHSEED."""
    seeds = 12 if hash_seed == "0" else 4
    wanted = [line for line in PINNED if int(line.split()[1]) < seeds]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    command = [python, "-m", "tests.sim.print_hashes", "0", str(seeds), *DIALECTS]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    pinned = {line.rpartition(" ")[0] for line in PINNED}
    assert [line for line in done.stdout.splitlines() if line.rpartition(" ")[0] in pinned] == wanted
    assert len({line.split()[2] for line in wanted}) == len(wanted) >= seeds * 2


def test_the_log_is_what_is_hashed() -> None:
    lines: list[str] = []
    settings = draw_settings(3)
    outcome = simulate(settings, write_log=lines.append)
    assert simulate(settings).log_sha256 == outcome.log_sha256
    text = "".join(lines)
    assert text.count("\n") >= outcome.step_count * 0.5
    assert "<Prepare from=" in text
    assert ">*Commit" in text


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_swarm_of_worlds_is_safe_and_live(dialect: str) -> None:
    outcomes = [simulate(draw_settings(seed, dialect=dialect)) for seed in range(300, 312)]
    assert [(outcome.settings.seed, outcome.rules_broken, outcome.stuck) for outcome in outcomes if not outcome.is_good] == []
    assert max(outcome.decisions for outcome in outcomes) >= 8


def test_the_worlds_differ_in_everything_that_is_drawn() -> None:
    worlds = [draw_settings(seed) for seed in range(200)]
    assert {len(world.weights) for world in worlds} == {4, 5, 7}
    assert {name for world in worlds for _, name in world.byzantine} == set(STRATEGIES)
    assert any(world.dead for world in worlds)
    assert {world.crashes for world in worlds} == {True, False}
    kinds = {action.kind for world in worlds for action in plan(world)}
    assert kinds == set(KINDS) - {"weights"}
    assert all(problems_of(world) is None for world in worlds)


def test_fixing_one_setting_changes_no_other() -> None:
    free, fixed = draw_settings(9), draw_settings(9, loss_probability=0.5)
    assert fixed.loss_probability == 0.5
    assert fixed.delay_ticks_max == free.delay_ticks_max
    assert fixed.byzantine == free.byzantine


def test_more_liars_than_f_are_noticed_and_the_schedule_shrinks() -> None:
    liars = ((0, "double-vote"), (1, "equivocate"))
    for seed in range(40):
        outcome = simulate(draw_settings(seed, byzantine=liars, dead=(), node_count=4))
        if outcome.violations:
            break
    else:
        pytest.fail("no seed broke anything")
    small = shrink(outcome, runs_max=80)
    assert set(small.rules_broken) & set(outcome.rules_broken)
    assert len(small.schedule) < len(outcome.schedule)
    assert len(small.schedule) <= 5
    again = simulate(small.settings, small.schedule)
    assert again.log_sha256 == small.log_sha256


def test_actions_are_lines() -> None:
    action = Action(12_034, "crash", (2, 5))
    assert action.line() == "12034 crash 2 5"
    assert parse_action(action.line()) == action
    with pytest.raises(ValueError, match="no action 'burn'"):
        parse_action("1 burn 2")


@pytest.mark.parametrize(("dialect", "seed", "stall"), [("fisco3", 1051, "views-forgotten"), ("fisco2", 730, "two-locks")])
def test_a_standstill_that_the_protocol_allows_is_named_and_is_no_wrong(dialect: str, seed: int, stall: str) -> None:
    outcome = simulate(draw_settings(seed, dialect=dialect))
    assert (outcome.is_live, outcome.known_stall, outcome.rules_broken) == (False, stall, ())
    assert outcome.stuck


@pytest.mark.parametrize("seed", [6006, 6010])
def test_the_known_limit_of_restarts_is_named(seed: int) -> None:
    outcome = simulate(draw_settings(seed, action_ticks=150))
    assert (outcome.is_live, outcome.known_stall, outcome.rules_broken) == (False, "restarted-apart", ())


def test_any_other_standstill_is_wrong() -> None:
    """Two silent replicas of four: nobody is at fault for a hole of the protocol."""
    outcome = simulate(draw_settings(5, node_count=4, byzantine=((0, "silent"), (1, "silent")), dead=(), ticks=2_000))
    assert outcome.rules_broken == ("liveness",)


@pytest.mark.parametrize("quirk", ["f16-leader-silent", "f16-quorum-ignored"])
def test_a_planted_liveness_bug_shows_in_the_second_phase(quirk: str) -> None:
    """Everything heals, the core is connected and up, and yet no block comes: wrong, and no property of safety is."""
    outcome = simulate(draw_settings(1, quirks=(quirk,), ticks=8_000))
    assert outcome.violations == ()
    assert not outcome.known_stall
    assert outcome.rules_broken == ("liveness",)
    code, out, err = run_cli("--seed", "1", "--quirk", quirk, "--ticks", "8000")
    assert code == 1
    assert err.startswith("seed 1: fisco3 n=")
    assert "phase 1, safety: nothing wrong in 8.0 s" in out
    assert "phase 2, liveness: WRONG" in out


def test_a_storm_of_messages_ends_the_run_and_is_wrong() -> None:
    cluster = Cluster(Rules((1, 1, 1, 1)), seed=1)
    cluster.steps_max = 60
    cluster.start()
    cluster.run(4_000)
    cluster.submit("a")
    cluster.run(4_000)
    assert [violation.rule for violation in cluster.violations] == ["storm"]
    assert cluster.step_count < 200


def run_cli(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli, ["simulate", *arguments], standalone_mode=False)
    code = result.return_value if result.exception is None else getattr(result.exception, "exit_code", 99)
    return int(code or 0), result.stdout, result.stderr


def test_the_command_prints_seed_and_settings_first_and_json_on_demand() -> None:
    code, out, err = run_cli("--seed", "7", "--json")
    assert code == 0
    assert err.startswith("seed 7: fisco3 n=")
    data = json.loads(out)
    assert data["is_good"]
    assert len(data["log_sha256"]) == 64


def test_a_run_is_written_and_replayed(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    log = tmp_path / "events.txt"
    _, out, _ = run_cli("--seed", "11", "--write", str(path), "--log", str(log), "--json")
    _, again, _ = run_cli("--replay", str(path), "--json")
    assert json.loads(out)["log_sha256"] == json.loads(again)["log_sha256"]
    assert log.stat().st_size > 1_000
    path.write_text("{}")
    assert run_cli("--replay", str(path))[0] == 2


def test_a_campaign_goes_on_where_it_stopped(tmp_path: Path) -> None:
    state = tmp_path / "campaign.jsonl"
    _, first, _ = run_cli("--seeds", "0..5", "--resume", str(state), "--json")
    lines = state.read_text().splitlines()
    assert len(lines) == 7
    state.write_text("\n".join(lines[:5]) + '\n{"seed": 5, "ru')  # A crash tore the file.
    _, second, _ = run_cli("--seeds", "0..5", "--resume", str(state), "--jobs", "2", "--json")
    assert json.loads(first) == json.loads(second)
    assert run_cli("--seeds", "0..5", "--resume", str(state), "--nodes", "7")[0] == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["--seeds", "5..1"],
        ["--dialect", "paxos", "--seed", "1"],
        ["--byzantine", "9:silent", "--seed", "1"],
        ["--quirk", "x", "--seed", "1"],
    ],
)
def test_what_cannot_be_is_refused(arguments: list[str]) -> None:
    assert run_cli(*arguments)[0] == 2
