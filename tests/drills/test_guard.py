"""What a drill breaks is healed: at its end, when it fails, on Ctrl-C, and after a crash of the tool itself."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from fiscotool.drills.catalog import DRILLS, drill_named
from fiscotool.drills.fault import Fault, FaultKind
from fiscotool.drills.guard import FaultGuard, FaultLedger, heal_open_faults
from fiscotool.drills.run import World, run_drill
from fiscotool.errors import EnvironmentFailure, UsageError
from tests.drills.processes import ProcessTarget, ledger_text, until
from tests.support.shared import ROOT


@pytest.fixture
def target() -> Iterator[ProcessTarget]:
    chain = ProcessTarget()
    yield chain
    chain.close()


def all_running(target: ProcessTarget) -> bool:
    return all(target.state_of(name) == "running" for name in target.names)


def world(target: ProcessTarget, tmp_path: Path, told: list[str]) -> World:
    """A world whose clock runs with the pauses, so that a minute of holding takes no time."""
    now = [0.0]

    def pause(seconds: float) -> None:
        now[0] += seconds

    return World(
        target,
        FaultLedger(tmp_path),
        lambda: now[0],
        pause,
        told.append,
        lambda fault, phase, detail: told.append(f"{phase} {fault.node} {detail}"),
    )


@pytest.mark.parametrize("kind", list(FaultKind), ids=lambda kind: kind.value)
def test_the_guard_heals_what_it_injected(target: ProcessTarget, tmp_path: Path, kind: FaultKind) -> None:
    ledger = FaultLedger(tmp_path)
    with FaultGuard(target, ledger, drill="test") as guard:
        guard.inject(Fault("f1", kind, "node2"))
        assert target.state_of("node2") != "running"
        assert [fault.node for fault in ledger.open_faults()] == ["node2"]
    assert all_running(target)
    assert ledger.open_faults() == []


def test_the_ledger_knows_of_a_fault_before_it_happens(target: ProcessTarget, tmp_path: Path) -> None:
    ledger = FaultLedger(tmp_path)
    state_when_announced: list[str] = []
    with FaultGuard(target, ledger, drill="test", notice=lambda f, p, d: state_when_announced.append(target.state_of(f.node))) as guard:
        guard.inject(Fault("f1", FaultKind.KILL, "node1"))
    assert state_when_announced == ["running", "stopped", "running"]


def test_an_error_inside_is_healed_and_passed_on(target: ProcessTarget, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), FaultGuard(target, FaultLedger(tmp_path), drill="test") as guard:
        guard.inject(Fault("f1", FaultKind.KILL, "node0"))
        raise ZeroDivisionError
    assert all_running(target)


def test_a_node_that_does_not_come_back_is_named_and_stays_in_the_ledger(target: ProcessTarget, tmp_path: Path) -> None:
    ledger = FaultLedger(tmp_path)
    target.broken = {"node1"}
    with pytest.raises(EnvironmentFailure, match="could not heal node1"), FaultGuard(target, ledger, drill="test") as guard:
        guard.inject(Fault("f1", FaultKind.KILL, "node1"))
        guard.inject(Fault("f2", FaultKind.KILL, "node2"))
    assert target.state_of("node2") == "running", "one that fails does not keep the others down"
    assert [fault.node for fault in ledger.open_faults()] == ["node1"]
    target.broken = set()
    assert [(fault.node, done) for fault, done in heal_open_faults(target, ledger)] == [("node1", "started")]
    assert ledger.open_faults() == []


def test_no_ledger_no_fault(target: ProcessTarget, tmp_path: Path) -> None:
    (tmp_path / "faults.jsonl").mkdir()
    with pytest.raises(EnvironmentFailure, match="cannot be written"), FaultGuard(target, FaultLedger(tmp_path), drill="test") as guard:
        guard.inject(Fault("f1", FaultKind.KILL, "node1"))
    assert all_running(target)


def test_a_torn_line_in_the_ledger_is_passed_over(tmp_path: Path) -> None:
    ledger = FaultLedger(tmp_path)
    ledger.append({"event": "planned", "fault_id": "a", "kind": "kill", "node": "node0", "drill": "d", "when": "t"})
    with ledger.path.open("a", encoding="utf-8") as file:
        file.write('{"event": "planned", "fault_id": "b", "ki')
    assert [fault.fault_id for fault in ledger.open_faults()] == ["a"]


def test_two_drills_at_once_are_refused(tmp_path: Path) -> None:
    with FaultLedger(tmp_path).exclusive(), pytest.raises(EnvironmentFailure, match="another drill"), FaultLedger(tmp_path).exclusive():
        pass


def test_who_holds_the_lock_keeps_it_until_its_last_use_ends(tmp_path: Path) -> None:
    mine, other = FaultLedger(tmp_path), FaultLedger(tmp_path)
    with mine.exclusive():
        with mine.exclusive():
            pass
        with pytest.raises(EnvironmentFailure, match="another drill"), other.exclusive():
            pass
    with other.exclusive():
        pass


@pytest.mark.parametrize("name", [drill.name for drill in DRILLS])
def test_every_drill_ends_with_a_whole_chain(target: ProcessTarget, tmp_path: Path, name: str) -> None:
    told: list[str] = []
    run_drill(drill_named(name), world(target, tmp_path, told))
    assert all_running(target)
    assert FaultLedger(tmp_path).open_faults() == []
    assert any(line.startswith("injected") for line in told), told
    planned = [json.loads(line) for line in ledger_text(tmp_path).splitlines() if "planned" in line]
    assert {entry["drill"] for entry in planned} == {name}


def test_a_drill_does_not_begin_on_a_broken_chain(target: ProcessTarget, tmp_path: Path) -> None:
    target.kill("node3")
    with pytest.raises(EnvironmentFailure, match="node3 is not running"):
        run_drill(drill_named("kill-leader"), world(target, tmp_path, []))


def test_a_frozen_node_is_to_be_resumed_first(target: ProcessTarget, tmp_path: Path) -> None:
    target.pause("node2")
    with pytest.raises(EnvironmentFailure, match="node2 is not running") as caught:
        run_drill(drill_named("kill-leader"), world(target, tmp_path, []))
    assert caught.value.hint == "let it go on: fiscotool resume node2"


def test_without_load_nobody_waits_long_for_blocks(target: ProcessTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    idle = {name: replace(look, height=7) for name, look in target.look().items()}
    monkeypatch.setattr(target, "look", lambda: idle)
    for has_load, total_s in ((True, 75), (False, 20)):
        told: list[str] = []
        around = replace(world(target, tmp_path, told), has_load=has_load)
        run_drill(drill_named("pause-leader"), around)
        assert total_s <= around.clock() < total_s + 60, "two waits for blocks before the healing, one after it"
        assert any("no 3 more blocks after height 7" in line for line in told)


def test_an_unknown_drill_is_answered_with_the_names_there_are() -> None:
    with pytest.raises(UsageError) as caught:
        drill_named("kill-everyone")
    assert "kill-leader" in caught.value.hint


VICTIM = """
import sys
from pathlib import Path
from fiscotool.drills.fault import Fault, FaultKind
from fiscotool.drills.guard import FaultGuard, FaultLedger
from tests.drills.processes import ProcessTarget
target = ProcessTarget()
print(*[target.incarnation_of(name).pid for name in target.names], flush=True)
try:
    with FaultGuard(target, FaultLedger(Path(sys.argv[1])), drill="victim") as guard:
        guard.inject(Fault("f1", FaultKind.PAUSE, "node1"))
        print("paused", flush=True)
        sys.stdin.read()
except KeyboardInterrupt:
    print(target.state_of("node1"), flush=True)
finally:
    target.close()
"""


def test_ctrl_c_heals(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", VICTIM, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert process.stdout.readline() == "paused\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "running\n"
    assert FaultLedger(tmp_path).open_faults() == []


def test_after_a_crash_of_the_tool_the_ledger_says_what_to_heal(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", VICTIM, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        pids = [int(word) for word in process.stdout.readline().split()]
        assert process.stdout.readline() == "paused\n"
        process.kill()
    try:
        (left,) = FaultLedger(tmp_path).open_faults()
        assert (left.kind, left.node, left.pid) == ("pause", "node1", pids[1])
    finally:
        for pid in pids:
            psutil.Process(pid).kill()
        deadline = time.monotonic() + 10
        until(lambda: not any(psutil.pid_exists(pid) for pid in pids) or time.monotonic() > deadline)
