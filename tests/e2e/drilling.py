"""What the tests of drills share: run one, demand that it holds and is healed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fiscotool.consistency.observations import Observations
from fiscotool.observer.recording import load_recording
from tests.e2e.user import User, is_gone


def play(user: User, name: str) -> Observations:
    """Run the drill by its command and demand: judged `holds`, within its bounds, nothing lost, all healed. What was seen comes back."""
    user.await_whole()
    done = user.run("drill", "run", name, "--record", f"runs/{name}", "--json", within_s=150)
    judged: dict[str, Any] = done.json
    assert judged["verdict"] == "holds", [finding["summary"] for finding in judged["findings"] if finding["verdict"] == "violated"]
    decided = {finding["invariant"]["id"] for finding in judged["findings"] if finding["verdict"] == "holds"}
    assert decided >= {"agreement", "linkage", "header-hash", "certificate", "tx-durable", "tx-once", "progress-after-fault"}
    assert all(recovery["rpo_txs"] == 0 for recovery in judged["recoveries"])
    assert all(recovery["rto_s"] <= recovery["bound_s"] + recovery["error_s"] for recovery in judged["recoveries"])
    assert set(user.states().values()) == {"running"}
    assert user.run("drill", "heal").out == "nothing is broken by a drill\n"
    return load_recording(user.place / judged["recording"])


def has_killed(user: User) -> bool:
    """Whether a drill has killed a node and not healed it yet."""
    path = user.place / "nodes" / ".fiscotool" / "faults.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    healed = {line["fault_id"] for line in lines if line["event"] == "healed"}
    planned = [line for line in lines if line["event"] == "planned" and line["fault_id"] not in healed]
    return any(line["pid"] and is_gone(line["pid"]) for line in planned)


def has_injected(recording: Path) -> bool:
    """Whether the recording says that a fault has taken effect."""
    return recording.exists() and '"injected"' in recording.read_text(encoding="utf-8")


def forget_faults(user: User) -> None:
    """A drill numbers its faults from 1: without the old ones, an open fault is one of the drill that runs now."""
    (user.place / "nodes" / ".fiscotool" / "faults.jsonl").unlink(missing_ok=True)
