"""Every recorded timeline of the real 2.9.1 chain loads as observations and is judged by the rules that hold for 2.x; planted bugs are seen."""

from __future__ import annotations

import functools
import itertools
import os
from dataclasses import replace
from pathlib import Path

import pytest

from fiscotool.consistency.findings import Finding, Verdict
from fiscotool.consistency.generations import NOT_OF_2X, rests_of
from fiscotool.consistency.judge import RULES, judge
from fiscotool.consistency.observations import BlockSeen, Incarnation, Observations, Sample
from fiscotool.consistency.progress import cycle_of
from fiscotool.errors import UsageError
from fiscotool.observer.foreign2 import load_headers2, load_timeline2
from tests.support.shared import ROOT, shared


def timelines() -> list[str]:
    folder = Path(os.environ.get("FISCOTOOL_SHARED", ROOT.parent / "shared")) / "recordings" / "v2" / "timeline"
    return sorted(path.name for path in folder.glob("*.jsonl.xz")) or ["04_kill9_leader_tx5.jsonl.xz"]


@functools.cache
def blocks() -> tuple[BlockSeen, ...]:
    return load_headers2(shared("recordings", "v2", "headers_all_nodes.jsonl.xz"), shared("recordings", "v2", "blocks_full_node0.jsonl.xz"))


def load(name: str) -> Observations:
    return load_timeline2(shared("recordings", "v2", "timeline", name), blocks())


def found(seen: Observations, invariant_id: str) -> Finding:
    return next(finding for finding in judge(seen).findings if finding.invariant.id == invariant_id)


def test_every_recorded_header_hashes_to_its_own_hash_and_is_signed_by_whom_it_names() -> None:
    assert len(blocks()) > 3000
    for block in blocks():
        assert block.recomputed_hash == block.block_hash
        assert all(entry.is_valid for entry in block.signatures)
        assert len({entry.sealer_index for entry in block.signatures}) >= (3 if block.number else 0)
    assert sum(block.tx_hashes_known for block in blocks()) > 100


@pytest.mark.parametrize("name", timelines())
def test_every_timeline_is_judged_and_no_rule_is_broken(name: str) -> None:
    seen = load(name)
    assert seen.problems == ()
    assert seen.run.generation == 2
    assert all(len(node.node_id) == 128 for node in seen.run.nodes)
    assert len(seen.samples) > 2500
    assert [sample.sent_s for sample in seen.samples] == sorted(sample.sent_s for sample in seen.samples)
    for sample in seen.samples:
        assert (sample.height is None and sample.view is None) == bool(sample.error)
        assert "malformed" not in sample.error
    judgement = judge(seen)
    assert [finding.invariant.id for finding in judgement.findings if finding.verdict is Verdict.VIOLATED] == []
    verdicts = {finding.invariant.id: finding.verdict for finding in judgement.findings}
    for held in ("agreement", "parent-linkage", "header-hash", "certificate", "height-monotone", "view-monotone", "quorum-arithmetic"):
        assert verdicts.get(held, Verdict.HOLDS) is Verdict.HOLDS, held
    assert {verdicts[invariant_id] for invariant_id in NOT_OF_2X} == {Verdict.INCONCLUSIVE}


@pytest.mark.parametrize(
    ("name", "faults"),
    [
        ("01_idle_60s", []),
        ("04_kill9_leader_tx5", [("kill", "node0", "leader", True)]),
        ("07_kill9_two_tx5", [("kill", "node0", "leader", True), ("kill", "node2", "follower", True)]),
        ("09_sigstop_follower_tx5", [("pause", "node2", "follower", True)]),
        ("11_fullstop_start_tx5", [("stop", f"node{index}", "", True) for index in range(4)]),
    ],
)
def test_faults_are_what_the_drill_did(name: str, faults: list[tuple[str, str, str, bool]]) -> None:
    seen = load(f"{name}.jsonl.xz")
    assert sorted((fault.kind, fault.node, fault.role, fault.healed_s is not None) for fault in seen.faults) == sorted(faults)


def test_a_killed_leader_costs_one_timeout() -> None:
    """README: 3 s directly after a commit."""
    (recovery,) = judge(load("04_kill9_leader_tx5.jsonl.xz")).recoveries
    assert recovery.rto_s is not None
    assert 3.0 <= recovery.rto_s <= 5.0
    assert recovery.bound_s is not None
    assert recovery.rto_s < recovery.bound_s


def test_an_idle_chain_changes_its_view_once_a_second() -> None:
    seen = load("01_idle_60s.jsonl.xz")
    views = [sample.view for sample in seen.samples if sample.node == "node0" and sample.view is not None and sample.height is None]
    assert 50 <= max(views) - min(views) <= 65


def test_a_view_that_falls_within_one_height_is_a_breach() -> None:
    seen = load("01_idle_60s.jsonl.xz")
    views = [(at, sample) for at, sample in enumerate(seen.samples) if sample.node == "node1" and sample.view is not None]
    at, sample = views[len(views) // 2]
    samples = list(seen.samples)
    samples[at] = replace(sample, view=(sample.view or 0) - 30)
    finding = found(replace(seen, samples=tuple(samples)), "view-monotone")
    assert finding.verdict is Verdict.VIOLATED
    assert finding.evidence[0].node == "node1"


def test_the_leader_formula_of_2x_decides_most_blocks_and_catches_a_wrong_proposer() -> None:
    seen = load("02_tx5_60s.jsonl.xz")
    holds = found(seen, "leader-schedule")
    assert holds.verdict is Verdict.HOLDS
    assert holds.checked_count > 100
    told = list(seen.blocks)
    number = sorted({block.number for block in told})[60]
    forged = [replace(block, sealer=(block.sealer + 2) % 4) if block.number == number else block for block in told]
    finding = found(replace(seen, blocks=tuple(forged)), "leader-schedule")
    assert finding.verdict is Verdict.VIOLATED
    assert finding.evidence[0].height == number
    assert found(load("01_idle_60s.jsonl.xz"), "leader-schedule").verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("name", [name for name in timelines() if "tx5" in name])
def test_every_proposer_of_every_timeline_fits(name: str) -> None:
    finding = found(load(name), "leader-schedule")
    assert finding.verdict is Verdict.HOLDS
    assert finding.checked_count > 60


def test_a_view_that_starts_again_with_a_block_is_none() -> None:
    seen = load("02_tx5_60s.jsonl.xz")
    node = [sample for sample in seen.samples if sample.node == "node0" and sample.view is not None]
    assert any(later.view == 0 < (earlier.view or 0) for earlier, later in itertools.pairwise(node))
    assert found(seen, "view-monotone").verdict is Verdict.HOLDS
    as_if_3x = replace(seen, run=replace(seen.run, generation=3))
    assert found(as_if_3x, "view-monotone").verdict is Verdict.VIOLATED
    assert found(as_if_3x, "leader-schedule").verdict is Verdict.VIOLATED


def test_a_forged_block_is_a_breach_of_2x_rules_too() -> None:
    seen = load("02_tx5_60s.jsonl.xz")
    told = list(seen.blocks)
    told[10] = replace(told[10], recomputed_hash="ab" * 32)
    told[20] = replace(told[20], signatures=told[20].signatures[:2])
    forged = replace(seen, blocks=tuple(told))
    assert found(forged, "header-hash").verdict is Verdict.VIOLATED
    assert found(forged, "certificate").verdict is Verdict.VIOLATED


def sample(at_s: float, **values: int) -> Sample:
    return Sample("node0", at_s, at_s + 0.01, 1, Incarnation(1, 0.0), **values)  # type: ignore[arg-type]


def test_only_samples_between_equal_heights_are_compared() -> None:
    heights = [1, 1, 1, 1, 2, 2, 2]
    samples = [sample(at, height=height, view=at) for at, height in enumerate(heights)]
    assert [[item.view for item in rest] for rest in rests_of(samples)] == [[1, 2], [5]]
    torn = [
        sample(0, height=1),
        sample(1, height=1, consensus_height=2, view=9),
        sample(2, height=2),
        sample(3, height=2, view=0),
        sample(4, height=2),
    ]
    assert [[item.view for item in rest] for rest in rests_of(torn)] == [[0]]


def test_how_often_a_timer_ran_out_is_bounded_by_the_views_asked_for() -> None:
    assert cycle_of(sample(0, view=3, to_view=7)) == 5
    assert cycle_of(sample(0, view=3, to_view=3)) == 1
    assert cycle_of(sample(0, change_cycle=4, view=3, to_view=9)) == 4
    assert cycle_of(sample(0, view=3)) is None


def test_rules_left_out_exist() -> None:
    assert set(NOT_OF_2X) <= {invariant.id for invariant, _ in RULES}


def test_what_is_no_timeline_of_2x_is_refused(tmp_path: Path) -> None:
    for text in ("", '{"ev":"poll"}\n', '{"event":"begin","t":1}\n', "not json\n"):
        path = tmp_path / "x.jsonl"
        path.write_text(text)
        with pytest.raises(UsageError):
            load_timeline2(path)
