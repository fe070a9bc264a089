"""The main job as a newcomer runs it: one command, four processes, a dead leader, a verdict and a report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.ports import free_ports
from tests.support.shared import ROOT

pytestmark = [pytest.mark.devnet, pytest.mark.slow]


def ports_option() -> str:
    p2p, rpc, web3 = (free_ports(4)[0] for _ in range(3))
    return f"{p2p},{rpc},{web3}"


def test_the_demo_kills_the_leader_and_reports_that_all_is_well(tmp_path: Path) -> None:
    environment = os.environ | {
        "FISCOTOOL_DEMO_DIR": str(tmp_path / "demo"),
        "FISCOTOOL_DEMO_PORTS": ports_option(),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", str(ROOT / "scripts" / "demo.sh")], env=environment, capture_output=True, text=True, timeout=150, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    report = tmp_path / "demo" / "report"
    assert {path.name for path in report.iterdir()} >= {"report.html", "report.md", "report.json", "junit.xml"}
    assert str(Path("demo") / "report" / "report.html") in done.stdout
    judged = json.loads((report / "report.json").read_text(encoding="utf-8"))
    assert judged["verdict"] == "holds"
    assert "kill" in (report / "report.md").read_text(encoding="utf-8")
    recording = (tmp_path / "demo" / "recording.jsonl").read_text(encoding="utf-8")
    assert '"kill"' in recording
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path / "demo") not in running, "the demo stops its nodes"
