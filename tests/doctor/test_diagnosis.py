"""What the doctor concludes from what it sees: every id with the situation that calls for it, and the situations that must not.

Reference: spec 3.x 1.5, 1.6, 1.10 to 1.15; spec 2.x 1.1, 1.10, 1.11.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fiscotool.chain.findings import Finding
from fiscotool.doctor.diagnosis import diagnose
from fiscotool.doctor.situation import NodeSeen, Situation
from fiscotool.doctor.words import WORDS
from fiscotool.rpc.replies_consensus import ConsensusNode, ConsensusStatus

IDS = tuple(f"{k}{k}" * 64 for k in range(4))
NAMES = ("node0", "node1", "node2", "node3")
LONG_AGO_S = 3600.0


def status(k: int, **changes: Any) -> ConsensusStatus:
    """A healthy node's: height 10, view 7, the leader of block 11 is (10 + 7) mod 4 = node1."""
    members = tuple(ConsensusNode(index, node_id, 1, 0) for index, node_id in enumerate(IDS))
    plain = ConsensusStatus(IDS[k], k, 1, 4, 1, 3, True, 10, "aa", False, 0, 7, 4, members)
    return replace(plain, **changes)


def node(k: int, **changes: Any) -> NodeSeen:
    """A node that runs, answers and is connected; `consensus` changes its status."""
    consensus = changes.pop("consensus", {})
    told = status(k, **consensus)
    healthy = NodeSeen(
        NAMES[k], IDS[k], "running", up_s=LONG_AGO_S, status=told, later=told, pending=0, pending_later=0,
        peer_ids=frozenset(IDS) - {IDS[k]}, syncing=False, version="3.16.4", disk_free_bytes=1 << 40,
    )  # fmt: skip
    return replace(healthy, **changes)


def stopped(k: int, *words: str, **changes: Any) -> NodeSeen:
    return NodeSeen(NAMES[k], IDS[k], "stopped", disk_free_bytes=1 << 40, last_words=words, **changes)


def cut_off(*ids: int) -> frozenset[str]:
    """Connections to these only."""
    return frozenset(IDS[k] for k in ids)


def chain(*nodes: NodeSeen, **changes: Any) -> Situation:
    found = {each.name: each for each in nodes}
    everyone = tuple(found.get(name, node(k)) for k, name in enumerate(NAMES))
    plain = Situation(
        3, everyone, dict.fromkeys(IDS, 1), apart_s=1.5, common_height=10, hashes=dict.fromkeys(NAMES, "aa"), now_ms=1_000_000
    )
    return replace(plain, **changes)


LOST = {"view": 0, "timeout": True, "change_cycle": 5}
RUNNING = "[2026-11-21 04:32:13] The fisco-bcos is running..."
IN_ORDER = "fisco-bcos program exit normally."
BIND = "std::exception::what: bind: Address already in use [system:98]"

# id, what is seen, nodes that must be named, words the fact must hold
CASES: list[tuple[str, Situation, tuple[str, ...], tuple[str, ...]]] = [
    ("all-stopped", chain(*(stopped(k, IN_ORDER) for k in range(4))), (), ()),
    ("node-stopped", chain(stopped(2, RUNNING, IN_ORDER)), ("node2",), ("exit normally",)),
    ("node-crashed", chain(stopped(2, RUNNING)), ("node2",), ("is running",)),
    ("start-refused", chain(stopped(2, RUNNING, "start fisco-bcos failed, error:…", BIND)), ("node2",), ("Address already in use",)),
    ("start-refused", chain(stopped(2, "Init failed!!!")), ("node2",), ("Init failed",)),
    ("port-held", chain(stopped(2, IN_ORDER, holders=("rpc 20202 (nginx (pid 7))",))), ("node2",), ("nginx",)),
    ("node-paused", chain(replace(stopped(2), state="paused")), ("node2",), ()),
    ("node-silent", chain(NodeSeen("node2", IDS[2], "running", error="connection refused")), ("node2",), ("connection refused",)),
    ("quorum-missing", chain(stopped(0), stopped(3)), ("node0", "node3"), ("weight 2 of 4", "3 are needed")),
    ("quorum-missing", chain(stopped(0), replace(stopped(3), state="paused")), ("node0", "node3"), ("weight 2",)),
    (
        "quorum-split",
        chain(node(0, peer_ids=cut_off(1)), node(1, peer_ids=cut_off(0)), node(2, peer_ids=cut_off(3)), node(3, peer_ids=cut_off(2))),
        (), ("weight 2", "node0, node1", "node2, node3"),
    ),
    (
        "links-missing",
        chain(*(node(k, peer_ids=cut_off(*({0, 1, 2} - {k}))) for k in range(3)), node(3, peer_ids=cut_off())),
        ("node3",), ("node0, node1, node2",),
    ),
    ("leader-absent", chain(stopped(1, IN_ORDER)), ("node1",), ("next block (11)", "does not run")),
    ("leader-absent", chain(replace(stopped(1), state="paused")), ("node1",), ("is frozen",)),
    ("leader-is", chain(), ("node1",), ("next block (11, view 7)",)),
    ("starting", chain(*(node(k, up_s=2.0, consensus={"timeout": True, "view": 0}) for k in range(4))), NAMES, ("2 s ago",)),
    ("starting", chain(node(3, up_s=2.0, consensus={"timeout": True, "view": 0})), ("node3",), ()),
    ("rejoining", chain(node(3, consensus=LOST)), ("node3",), ("weight 3", "view 0")),
    ("restart-stuck", chain(node(0, consensus=LOST), node(3, consensus=LOST)), ("node0", "node3"), ("node1, node2 answer", "weight 2")),
    ("restart-stuck", chain(node(0, consensus=LOST), stopped(3)), ("node0",), ("node1, node2 answer",)),
    (
        "view-changing", chain(*(node(k, consensus={"timeout": True, "change_cycle": 2 + k, "view": 7}) for k in range(4))), NAMES,
        ("2, 3, 4, 5",),
    ),
    ("in-timeout", chain(node(3, consensus={"timeout": True, "change_cycle": 1})), ("node3",), ("change cycle 1",)),
    ("node-behind", chain(node(3, consensus={"height": 4})), ("node3",), ("height 4", "at 10", "0 blocks")),
    ("forked", chain(hashes={"node0": "aa", "node1": "aa", "node2": "aa", "node3": "bb"}), ("node3",), ("height 10", "node3 bb")),
    ("disk-full", chain(node(2, disk_free_bytes=50 << 20)), ("node2",), ("50 MB",)),
    ("disk-low", chain(node(2, disk_free_bytes=500 << 20)), ("node2",), ("500 MB",)),
    ("clock-skew", chain(newest_block_ms=1_000_000 + 300_000), (), ("300 s",)),
    ("tls-trouble", chain(node(2, trouble=("TLS handshake failed: unknown ca",))), ("node2",), ("unknown ca",)),
    ("mixed-versions", chain(node(2, version="3.15.0")), (), ("3.15.0: node2",)),
    ("pool-waits", chain(node(2, pending=5, pending_later=7)), (), ("5 transactions wait", "1.5 s")),
    ("able", chain(), (), ("weight 4 of 4", "height 10")),
]  # fmt: skip


def of(situation: Situation, name: str) -> list[Finding]:
    return [finding for finding in diagnose(situation) if finding.id == name]


@pytest.mark.parametrize(
    ("name", "situation", "nodes", "words"), [pytest.param(*case, id=f"{case[0]}-{k}") for k, case in enumerate(CASES)]
)
def test_a_situation_is_called_by_its_name(name: str, situation: Situation, nodes: tuple[str, ...], words: tuple[str, ...]) -> None:
    (finding,) = of(situation, name)
    assert finding.nodes == nodes
    for each in words:
        assert each in finding.fact()
    assert finding.remedy()
    assert re.search(r"[\u4e00-\u9fff]", finding.fact("zh"))


def test_every_id_has_a_case() -> None:
    assert {name for name, *_ in CASES} == set(WORDS)


@pytest.mark.parametrize("name", sorted(WORDS))
def test_both_languages_say_the_same_with_the_same_evidence(name: str) -> None:
    fact, remedy, fact_zh, remedy_zh = WORDS[name].placeholders()
    assert fact == fact_zh
    assert remedy == remedy_zh


def test_a_healthy_chain_has_no_complaints() -> None:
    assert [finding.id for finding in diagnose(chain())] == ["leader-is", "able"]


CALM: list[tuple[str, Situation]] = [
    ("a node of another host that is connected counts", chain(replace(stopped(3), state="elsewhere"))),
    (
        "looks between two commits show nodes a block apart",
        chain(node(3, later=status(3, height=9), consensus={"height": 9}, syncing=False)),
    ),
    ("a transaction came just now", chain(node(2, pending=5, pending_later=0))),
    ("one node down of four", chain(stopped(3, RUNNING, IN_ORDER))),
    ("a link that one side only tells of", chain(node(3, peer_ids=cut_off(0, 1)))),
]


@pytest.mark.parametrize("situation", [pytest.param(situation, id=name) for name, situation in CALM])
def test_a_chain_that_can_make_blocks_is_not_declared_dead(situation: Situation) -> None:
    findings = diagnose(situation)
    assert [finding.id for finding in findings if finding.severity.name == "ERROR"] == []
    assert "able" in {finding.id for finding in findings}


def test_behind_means_behind_at_both_looks() -> None:
    """The others committed between the two looks: who has not yet got that block is not behind."""
    moving = [node(k, later=status(k, height=11)) for k in range(3)]
    assert of(chain(*moving, node(3)), "node-behind") == []
    late = node(3, consensus={"height": 9}, later=status(3, height=9))
    assert [finding.nodes for finding in of(chain(*moving, late), "node-behind")] == [("node3",)]


WEIGHTS: list[tuple[tuple[int, ...], int, bool]] = [((1, 1, 1, 4), 3, True), ((4, 1, 1, 1), 3, False), ((2, 2, 2, 1), 3, False)]


@pytest.mark.parametrize(("weights", "down", "is_lost"), WEIGHTS)
def test_weights_decide_not_heads(weights: tuple[int, ...], down: int, is_lost: bool) -> None:
    situation = chain(stopped(down, IN_ORDER), weights=dict(zip(IDS, weights, strict=True)))
    assert bool(of(situation, "quorum-missing")) is is_lost


LARGE = [pytest.param(change, id=name) for name, change in (("fresh", {"up_s": 2.0}), ("2.x", {}))]


@pytest.mark.parametrize("change", LARGE)
def test_two_restarted_are_not_stuck_yet_or_ever(change: dict[str, float]) -> None:
    """Right after the start it is too early to say; in 2.x peers answer a lone restarted node, so it comes back by itself."""
    lost = [node(k, consensus=LOST, **change) for k in (0, 3)]
    situation = chain(*lost, generation=3 if change else 2)
    assert of(situation, "restart-stuck") == []


def test_diagnosis_is_total() -> None:
    """Nothing known of any node, or no sealers: findings, and no exception."""
    makers: list[Callable[[int], NodeSeen]] = [
        stopped,
        lambda k: NodeSeen(NAMES[k], "", "running"),
        lambda k: node(k, peer_ids=None),
    ]
    for make in makers:
        for weights in ({}, dict.fromkeys(IDS, 1)):
            situation = chain(*(make(k) for k in range(4)), weights=weights, hashes={}, common_height=None)
            assert isinstance(diagnose(situation), tuple)
