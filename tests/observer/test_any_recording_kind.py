"""Whatever was recorded is loaded as what it is: own recordings, timelines of 3.x and of 2.x, with their blocks."""

from __future__ import annotations

from pathlib import Path

import pytest

from fiscotool.consistency.findings import Verdict
from fiscotool.consistency.judge import judge
from fiscotool.errors import UsageError
from fiscotool.observer.any_recording import load_any_recording
from tests.support.shared import shared


@pytest.mark.parametrize(("parts", "generation", "node_count"), [(("v2", "timeline", "04_kill9_leader_tx5.jsonl.xz"), 2, 4)])
def test_a_timeline_is_judged_with_the_blocks_beside_it(parts: tuple[str, ...], generation: int, node_count: int) -> None:
    seen = load_any_recording(shared("recordings", *parts))
    assert (seen.run.generation, len(seen.run.nodes)) == (generation, node_count)
    assert len(seen.blocks) > 100
    assert all(block.recomputed_hash == block.block_hash for block in seen.blocks)
    assert seen.problems == ()
    verdicts = {finding.invariant.id: finding.verdict for finding in judge(seen).findings}
    assert verdicts["certificate"] is verdicts["agreement"] is verdicts["linkage"] is Verdict.HOLDS


def test_blocks_of_another_chain_are_left_alone() -> None:
    seen = load_any_recording(shared("recordings", "v3", "timeline", "trace_level_kill9_leader_txs.jsonl.xz"))
    assert seen.blocks == ()
    assert len(seen.samples) > 1000


def test_a_timeline_without_blocks_beside_it_is_loaded_without(tmp_path: Path) -> None:
    path = tmp_path / "idle.jsonl.xz"
    path.write_bytes(shared("recordings", "v3", "timeline", "idle.jsonl.xz").read_bytes())
    seen = load_any_recording(path)
    assert seen.run.generation == 3
    assert seen.blocks == ()


def test_an_own_recording_is_loaded_as_ever(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text('{"kind": "poll", "node": "node0", "sent_s": 1.0, "got_s": 1.1, "height": 3}\n')
    assert load_any_recording(path).samples[0].height == 3


@pytest.mark.parametrize("content", ["", "garbage\n", "{}\n", "[]\n", '{"event": 1}\n', '{"ev": "begin"}\n', '{"ev": []}\n'])
def test_what_is_no_recording_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(content)
    with pytest.raises(UsageError):
        load_any_recording(path)
    with pytest.raises(UsageError):
        load_any_recording(tmp_path / "absent.jsonl")
