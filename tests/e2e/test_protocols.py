"""Chains of the other two protocols, through the command: made, started, used, hurt, judged; and the judge is not blind on them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fiscotool.consistency.findings import Verdict
from fiscotool.consistency.judge import judge
from fiscotool.observer.recording import load_recording
from tests.e2e.drilling import play
from tests.e2e.user import chain_of, wait_until

pytestmark = [pytest.mark.devnet, pytest.mark.slow]


def tamper(recording: Path, into: Path) -> Path:
    """The same recording, in which one node tells another hash of the last block that two nodes told."""
    lines = recording.read_text(encoding="utf-8").splitlines()
    blocks = [(at, json.loads(line)) for at, line in enumerate(lines) if '"block"' in line]
    found = [(at, line) for at, line in blocks if isinstance(line.get("block"), dict) and line["block"].get("number")]
    at, line = found[-1]
    told = line["block"]
    flipped = "0" if told["hash"][-1] != "0" else "1"
    told["hash"] = told["hash"][:-1] + flipped
    lines[at] = json.dumps(line)
    into.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return into


@pytest.mark.parametrize("protocol", ["fisco2", "classic"])
def test_a_chain_of_another_protocol_loses_its_leader_and_is_judged(tmp_path: Path, protocol: str) -> None:
    with chain_of(tmp_path, "--protocol", protocol) as user:
        rows = user.status()
        assert {row["protocol"] for row in rows.values()} == {protocol}
        sent = user.run("send", "--count", "12", "--json").json
        assert sent["committed"] == 12
        wait_until(lambda: len(set(user.heights())) == 1, within_s=60, what="all have the blocks")
        assert len({user.block_hash(name, 1) for name in rows}) == 1
        assert int(user.run("query", "height", "--json").json) >= 1
        seen = play(user, "kill-leader")
        assert seen.run.protocol == protocol
        recording = tmp_path / "runs" / "kill-leader" / "recording.jsonl"
        assert judge(seen).verdict is Verdict.HOLDS
        planted = judge(load_recording(tamper(recording, tmp_path / "planted.jsonl")))
        assert planted.verdict is Verdict.VIOLATED
