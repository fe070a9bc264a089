"""Every recorded timeline of the real 3.16.4 chain loads as observations, with the figures OBSERVED.md tells."""

from __future__ import annotations

import functools
import os
from collections import Counter
from pathlib import Path

import pytest

from fiscotool.consistency.findings import Verdict
from fiscotool.consistency.judge import judge
from fiscotool.consistency.observations import BlockSeen, Observations
from fiscotool.errors import UsageError
from fiscotool.observer.foreign import load_headers, load_timeline
from tests.support.shared import ROOT, shared


def timelines() -> list[str]:
    folder = Path(os.environ.get("FISCOTOOL_SHARED", ROOT.parent / "shared")) / "recordings" / "v3" / "timeline"
    found = sorted(path.name for path in folder.glob("*.jsonl.xz") if not path.name.endswith(".txs.jsonl.xz"))
    return found or ["kill9_leader_txs.jsonl.xz"]


@functools.cache
def blocks() -> tuple[BlockSeen, ...]:
    return load_headers(shared("recordings", "v3", "headers_all_nodes.jsonl.xz"), shared("recordings", "v3", "blocks_full_node0.jsonl.xz"))


def load(name: str) -> Observations:
    return load_timeline(shared("recordings", "v3", "timeline", name), blocks())


@pytest.mark.parametrize("name", timelines())
def test_every_timeline_loads_whole(name: str) -> None:
    seen = load_timeline(shared("recordings", "v3", "timeline", name))
    assert seen.problems == ()
    assert len(seen.run.nodes) in (4, 5)
    assert len(seen.samples) > 1000
    assert [sample.sent_s for sample in seen.samples] == sorted(sample.sent_s for sample in seen.samples)
    assert {sample.node for sample in seen.samples} <= {node.name for node in seen.run.nodes}
    for sample in seen.samples:
        answered = sample.height is not None or sample.view is not None
        assert answered == (not sample.error)
        assert sample.error.split(":")[0] in ("", "refused", "timeout", "closed"), sample.error
        assert not answered or sample.incarnation is not None
    assert ("txs" in name) == bool(seen.txs)
    assert seen.ended_s is not None


@pytest.mark.parametrize(
    ("name", "faults"),
    [
        ("idle", []),
        ("kill9_leader_txs", [("kill", "node1", "leader", True)]),
        ("kill9_follower_txs", [("kill", "node2", "follower", True)]),
        ("kill9_two_txs", [("kill", "node1", "follower", True), ("kill", "node2", "follower", True)]),
        ("sigstop_follower_txs", [("pause", "node2", "follower", True)]),
        ("stopsh_follower_txs", [("stop", "node2", "follower", True)]),
        ("wipe_data_follower_txs", [("wipe", "node3", "follower", True)]),
        ("full_restart_idle", [("stop", f"node{index}", "leader" if index == 3 else "follower", True) for index in range(4)]),
        ("sigstop_leader_idle_WITH_NODE1_ALREADY_DEAD", [("crash", "node1", "", False), ("pause", "node0", "leader", True)]),
        ("expand_node4_observer_sealer_remove_txs", [("kill", "node4", "follower", True), ("stop", "node4", "follower", False)]),
    ],
)
def test_faults_are_what_the_drill_did(name: str, faults: list[tuple[str, str, str, bool]]) -> None:
    seen = load(f"{name}.jsonl.xz")
    assert sorted((fault.kind, fault.node, fault.role, fault.healed_s is not None) for fault in seen.faults) == sorted(faults)


def test_a_killed_nodes_lives_are_told_apart_and_its_silence_is_refused() -> None:
    seen = load("kill9_leader_txs.jsonl.xz")
    (fault,) = seen.faults
    assert fault.healed_s is not None
    mine = [sample for sample in seen.samples if sample.node == fault.node]
    assert list(dict.fromkeys(sample.incarnation.pid for sample in mine if sample.incarnation)) == [9279, 12968]
    during = [sample for sample in mine if fault.injected_s + 0.01 < sample.sent_s < fault.healed_s - 2]
    assert during
    assert all(sample.error.startswith("refused") for sample in during)


def test_a_frozen_node_times_out() -> None:
    seen = load("sigstop_follower_txs.jsonl.xz")
    errors = Counter(sample.error.split(":")[0] for sample in seen.samples if sample.node == "node2")
    assert errors["timeout"] > 5
    assert len({sample.incarnation for sample in seen.samples if sample.node == "node2" and not sample.error}) == 1


def test_transactions_have_the_outcomes_the_clients_saw() -> None:
    seen = load("kill9_two_txs.jsonl.xz")
    outcomes = Counter(tx.outcome for tx in seen.txs)
    assert outcomes["committed"] == 141
    assert sum(outcomes.values()) == 367
    assert all(tx.block_number and tx.status == 0 for tx in seen.txs if tx.outcome == "committed")


def test_all_recorded_headers_hash_to_their_hash_and_all_signatures_verify() -> None:
    """recordings/README.md: every header hashes to its own hash, every signature belongs to the sealer it names."""
    assert len(blocks()) > 5600
    for block in blocks():
        assert block.recomputed_hash == block.block_hash
        if block.number:
            assert len({signature.sealer_index for signature in block.signatures if signature.is_valid}) >= 3


def test_a_timeline_has_the_blocks_it_passed_through_from_all_nodes() -> None:
    seen = load("idle_with_txs.jsonl.xz")
    numbers = Counter(block.number for block in seen.blocks)
    heights = [sample.height for sample in seen.samples if sample.height is not None]
    assert set(numbers) == set(range(min(heights) - 1, max(heights) + 1))
    assert set(numbers.values()) == {4}


def test_what_is_no_timeline_is_refused(tmp_path: Path) -> None:
    for content in ("", "garbage", '{"t": 1}\n'):
        path = tmp_path / "x.jsonl"
        path.write_text(content)
        with pytest.raises(UsageError):
            load_timeline(path)
    with pytest.raises(UsageError):
        load_timeline(tmp_path / "absent.jsonl.xz")


@pytest.mark.parametrize("name", timelines())
def test_no_real_timeline_is_judged_violated(name: str) -> None:
    """The real chain kept its promises through all of these drills (OBSERVED.md 6): any violation found here is a false alarm."""
    is_other_chain = "trace_level" in name or "expand" in name
    seen = load_timeline(shared("recordings", "v3", "timeline", name), () if is_other_chain else blocks())
    judgement = judge(seen)
    violated = {finding.invariant.id: finding.evidence[:2] for finding in judgement.findings if finding.verdict is Verdict.VIOLATED}
    assert violated == {}
    assert sum(finding.verdict is Verdict.HOLDS for finding in judgement.findings) >= 5
