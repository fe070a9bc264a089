"""How an audit ends when it does not come to its end: interrupted, a process killed, a node frozen. Nothing hangs, nothing is left behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from fiscotool.errors import EnvironmentFailure, ExitCode
from fiscotool.observer.audit import Auditor, plan_audit, survey
from fiscotool.observer.audit_words import Audit, NodeAddress
from tests.observer.replayed_chain import ReplayedChain, recorded_nodes, replayed
from tests.support.until import until


def command(chain: ReplayedChain, state: Path) -> list[str]:
    url = chain.servers[0].url.removeprefix("http://")
    return [
        *(sys.executable, "-c", "import sys; from fiscotool.cli.main import run; sys.exit(run(sys.argv[1:]))"),
        *("audit", "--rpc", url, "--depth", "headers", "--jobs", "2", "--json", "--resume", str(state)),
    ]


def test_an_interrupted_audit_leaves_nobody_behind_and_goes_on(tmp_path: Path) -> None:
    nodes = recorded_nodes("v2", 0, 700, count=1)
    state = tmp_path / "state.json"
    with replayed(nodes) as chain:
        nodes[0].pause_s = 0.01
        process = subprocess.Popen(command(chain, state), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path)
        until(lambda: len(nodes[0].asked) > 300)
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 2
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=20)
        assert process.returncode == ExitCode.INTERRUPTED, complaint
        assert b"interrupted at block" in complaint
        assert b"--resume" in complaint
        until(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children))
        kept = json.loads(state.read_text())
        assert kept["verdict"] == "inconclusive"

        nodes[0].pause_s = 0.0
        done = subprocess.run(command(chain, state), stdout=subprocess.PIPE, cwd=tmp_path, timeout=60, check=False)
        assert done.returncode == ExitCode.OK
        assert json.loads(done.stdout)["blocks"] == 701


def test_processes_end_with_their_parent(tmp_path: Path) -> None:
    nodes = recorded_nodes("v2", 0, 700, count=1)
    with replayed(nodes) as chain:
        nodes[0].pause_s = 0.02
        process = subprocess.Popen(command(chain, tmp_path / "state.json"), stdout=subprocess.DEVNULL, cwd=tmp_path)
        until(lambda: len(nodes[0].asked) > 50)
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait(10)
        until(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children))


def audit_of(chain: ReplayedChain, *, timeout_s: float = 3.0) -> tuple[Audit, Auditor]:
    addresses = [NodeAddress(one.name, one.url, timeout_s=timeout_s) for one in chain.addresses]
    found = survey(addresses)
    names = tuple(address.name for address in addresses)
    audit = plan_audit(found, full=names, from_height=0, to_height=None, depth="headers")
    return audit, Auditor(found, audit, jobs=2)


def test_a_process_that_dies_is_an_error_with_a_next_step() -> None:
    nodes = recorded_nodes("v2", 0, 520, count=1)

    def kill_one() -> None:
        until(lambda: len(nodes[0].asked) > 60)
        next(child for child in psutil.Process().children(recursive=True) if "spawn_main" in " ".join(child.cmdline())).kill()

    with replayed(nodes) as chain:
        _, auditor = audit_of(chain)
        nodes[0].pause_s = 0.02
        killer = threading.Thread(target=kill_one)
        killer.start()
        with pytest.raises(EnvironmentFailure, match="died"):
            auditor.run()
        killer.join(5)


def test_a_frozen_node_is_lost_in_bounded_time_and_the_other_is_verified() -> None:
    nodes = recorded_nodes("v3", 0, 60, count=2)
    nodes[1].frozen_from = 20
    with replayed(nodes) as chain:
        # Long enough that a node which is only slow, because the machine is busy, is not taken for a frozen one.
        audit, auditor = audit_of(chain, timeout_s=2.0)
        began_s = time.monotonic()
        auditor.run()
        assert time.monotonic() - began_s < 60
        nodes[1].thawed.set()
    assert audit.verdict == "inconclusive"
    assert audit.verified["node0"][0] == 60
    assert audit.verified["node1"][0] == 19
    assert "node1 stopped answering at block 20" in audit.problems[0]
