"""An audit of recorded chains behind real sockets: they hold; whatever is doctored in them is found, named and at its height."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fiscotool.errors import Unreachable, UsageError
from fiscotool.observer.audit import Auditor, compare, plan_audit, survey
from fiscotool.observer.audit_compare import first_difference
from fiscotool.observer.audit_range import CONNECTIONS
from fiscotool.observer.audit_state import continue_audit, load_audit, save_audit
from fiscotool.observer.audit_words import Audit, NodeAddress
from tests.observer.replayed_chain import Block, ReplayedNode, recorded_nodes, replayed
from tests.support.ports import free_ports

GENERATIONS = ("v2", "v3")


def audited(
    nodes: list[ReplayedNode],
    *,
    full: tuple[str, ...] | None = None,
    depth: str = "all",
    from_height: int = 0,
    to_height: int | None = None,
    jobs: int = 1,
) -> Audit:
    with replayed(nodes) as chain:
        found = survey(chain.addresses)
        names = full or tuple(node.name for node in nodes)
        audit = plan_audit(found, full=names, from_height=from_height, to_height=to_height, depth=depth)
        for finding in compare(found):
            audit.add(finding)
        return Auditor(found, audit, jobs=jobs).run()


def kinds(audit: Audit) -> list[tuple[str, int, tuple[str, ...]]]:
    return sorted((item.kind, item.height, item.nodes) for item in audit.findings)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_recorded_chain_holds_at_every_depth(generation: str) -> None:
    for depth, transactions, receipts in (("headers", False, False), ("roots", True, False), ("all", True, True)):
        audit = audited(recorded_nodes(generation, 0, 6), depth=depth)
        assert (audit.verdict, audit.findings, audit.problems, audit.notes) == ("holds", [], [], [])
        assert (audit.block_count, audit.telling_count) == (7, 28)
        assert audit.signature_count >= 6 * 4 * 3
        assert bool(audit.tx_count) == transactions
        assert audit.receipts_count == (24 if receipts else 0)
        assert {height for height, _ in audit.verified.values()} == {6}


@pytest.mark.parametrize(("generation", "low", "high"), [("v2", 778, 790), ("v3", 1340, 1344)])
def test_a_part_of_a_chain_is_linked_to_the_block_below_it(generation: str, low: int, high: int) -> None:
    nodes = recorded_nodes(generation, low, high, count=1)
    nodes[0].blocks[0] = recorded_nodes(generation, 0, 0, count=1)[0].blocks[0]
    audit = audited(nodes, from_height=low + 2, depth="roots")
    assert audit.verdict == "holds"
    assert audit.tx_count > 30, "blocks of two Merkle levels"
    parent = nodes[0].blocks[low + 1]
    parent["timestamp"] = hex(1) if generation == "v2" else 1
    assert kinds(audited(nodes, from_height=low + 2, depth="roots")) == [("parent", low + 2, ("node0",))]


Change = Callable[[Block], None]


def _signature(block: Block, change: Callable[[dict[str, Any]], None]) -> None:
    change(block["signatureList"][0])


def _flip(text: str, place: int = -3) -> str:
    digits = list(text)
    digits[place] = format(int(digits[place], 16) ^ 1, "x")
    return "".join(digits)


def _flip_member(name: str) -> Change:
    return lambda block: block.update({name: _flip(block[name])})


DOCTORED: list[tuple[str, Change, set[str]]] = [
    ("hash", _flip_member("hash"), {"hash"}),
    ("stateRoot", _flip_member("stateRoot"), {"hash", "signature", "quorum", "parent", "difference"}),
    ("receiptsRoot", _flip_member("receiptsRoot"), {"hash", "signature", "quorum", "parent", "difference", "receipts-root"}),
    ("signature", lambda block: _signature(block, lambda one: one.update(signature=_flip(one["signature"], 20))), {"signature", "quorum"}),
    ("one signature less", lambda block: block.update(signatureList=block["signatureList"][:2]), {"quorum"}),
    (
        "one twice",
        lambda block: block.update(signatureList=[*block["signatureList"][:2], block["signatureList"][0]]),
        {"signature", "quorum"},
    ),
    ("no sealers", lambda block: block.update(sealerList=[]), {"hash", "signature", "quorum", "parent", "difference"}),
    ("a lost transaction", lambda block: block.update(transactions=[]), {"txs-root", "receipts-root"}),
    ("input", lambda block: block["transactions"][0].update(input="0xd09de08b"), {"transaction", "receipt"}),
    ("from", lambda block: block["transactions"][0].update({"from": "0x" + "ab" * 20}), {"transaction", "receipt"}),
    ("another type", lambda block: block.update(stateRoot="nonsense"), {"malformed", "difference"}),
]


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize(("change", "expected"), [case[1:] for case in DOCTORED], ids=[case[0] for case in DOCTORED])
def test_a_doctored_block_is_found_and_named(generation: str, change: Change, expected: set[str]) -> None:
    nodes = recorded_nodes(generation, 0, 8, count=3)
    change(nodes[1].blocks[5])
    audit = audited(nodes)
    assert audit.verdict == "violated"
    assert {item.kind for item in audit.findings} == expected
    assert {item.nodes for item in audit.findings} == {("node1",)}
    assert {item.height for item in audit.findings if item.kind != "parent"} == {5}
    assert {item.height for item in audit.findings if item.kind == "parent"} <= {6}
    assert all("node1" in item.words and str(item.height) in item.words for item in audit.findings)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_doctored_receipt_is_found(generation: str) -> None:
    nodes = recorded_nodes(generation, 0, 4, count=2)
    receipts = [node.receipts for node in nodes]
    victim = nodes[1].blocks[3]["transactions"][0]["hash"]
    receipts[1][victim]["output"] = "0x01"
    expected = [("receipt", 3, ("node1",))] * (generation == "v3") + [("receipts-root", 3, ("node1",))]
    assert kinds(audited(nodes)) == expected
    del receipts[1][victim]
    assert kinds(audited(nodes)) == [("malformed", 3, ("node1",))]


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_fork_is_named_where_it_begins_also_by_bisection(generation: str) -> None:
    nodes = recorded_nodes(generation, 0, 14, count=3)
    for number in range(7, 15):
        block = nodes[2].blocks[number]
        block["timestamp"] = hex(number) if generation == "v2" else number
    quick = audited(nodes, full=("node0",), depth="headers")
    assert kinds(quick) == [("difference", 7, ("node2",))]
    assert quick.compared == ("node1", "node2")
    whole = audited(nodes, depth="headers")
    assert ("difference", 7, ("node2",)) in kinds(whole)
    assert whole.finding_counts["difference"] >= 8
    assert [item for item in whole.findings if item.kind == "difference"] == [whole.findings[0]], "named once, counted always"


def test_bisection_asks_little() -> None:
    for parts_at in (0, 1, 499, 500, 999):
        asked: list[int] = []

        def agree_at(number: int, parts_at: int = parts_at, asked: list[int] = asked) -> bool:
            asked.append(number)
            return number < parts_at

        assert first_difference(agree_at, 0, 999) == parts_at
        assert len(asked) <= 11
    assert first_difference(lambda _: True, 0, 999) is None
    assert first_difference(lambda _: False, 5, 4) is None


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_missing_block_is_found(generation: str) -> None:
    nodes = recorded_nodes(generation, 0, 6, count=2)
    del nodes[1].blocks[4]
    assert kinds(audited(nodes)) == [("missing", 4, ("node1",))]


def test_a_height_that_is_only_claimed_does_not_keep_an_audit_busy() -> None:
    nodes = recorded_nodes("v3", 0, 6, count=2)
    nodes[1].claims_height = 10**12
    audit = audited(nodes, depth="headers")
    assert audit.verdict == "violated"
    assert audit.findings[0].kind == "missing"
    assert audit.findings[0].height == 7
    assert "node1 stopped answering" in audit.problems[0]
    assert "has no blocks there" in audit.problems[0]
    assert audit.verified["node0"][0] == 6


def test_sealers_the_genesis_block_does_not_name_are_found() -> None:
    nodes = recorded_nodes("v3", 0, 3, count=1)
    genesis = nodes[0].blocks[0]
    genesis["extraData"] = genesis["extraData"].replace("30356437", "30356438", 1)
    assert ("genesis", 1, ("node0",)) in kinds(audited(nodes, depth="headers"))


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_node_that_stops_answering_is_a_problem_and_does_not_stop_the_others(generation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fiscotool.observer.audit_source._PAUSES_S", (0.01,))
    nodes = recorded_nodes(generation, 0, 6, count=2)
    nodes[1].silent_from = 4
    audit = audited(nodes, depth="headers")
    assert audit.verdict == "inconclusive"
    assert audit.findings == []
    assert audit.is_done
    assert "node1 stopped answering" in audit.problems[0]
    assert audit.verified["node0"][0] == 6
    assert audit.verified["node1"][0] == 3
    assert audit.resume_height == 4, "another run goes on where the node was lost"


def test_a_node_that_is_behind_is_verified_as_far_as_it_is() -> None:
    nodes = recorded_nodes("v2", 0, 6, count=2)
    del nodes[1].blocks[5], nodes[1].blocks[6]
    audit = audited(nodes)
    assert audit.verdict == "holds"
    assert audit.telling_count == 7 + 5
    assert audit.resume_height == 5


def test_nobody_there_is_unreachable_and_somebody_silent_inconclusive() -> None:
    gone = NodeAddress("gone", f"http://127.0.0.1:{free_ports(1)[0]}", timeout_s=1.0)
    with pytest.raises(Unreachable, match="none of the 1 nodes"):
        survey([gone])
    with replayed(recorded_nodes("v2", 0, 3, count=1)) as chain:
        found = survey([*chain.addresses, gone])
        audit = plan_audit(found, full=("node0", "gone"), from_height=0, to_height=None, depth="roots")
        assert Auditor(found, audit, jobs=1).run().verdict == "inconclusive"
        assert "gone does not answer" in audit.problems[0]
        with pytest.raises(Unreachable):
            plan_audit(found, full=("gone",), from_height=0, to_height=None, depth="roots")


@pytest.mark.parametrize(("low", "high"), [(5, 4), (0, 99), (99, None)])
def test_heights_that_do_not_exist_are_refused(low: int, high: int | None) -> None:
    with pytest.raises(UsageError):
        audited(recorded_nodes("v2", 0, 3, count=1), from_height=low, to_height=high)


def test_national_cryptography_is_said_and_compared_only() -> None:
    nodes = recorded_nodes("v2", 0, 5, count=2)
    for node in nodes:
        node.kind = " gm"
    audit = audited(nodes)
    assert audit.verdict == "inconclusive"
    assert "national cryptography" in audit.problems[0]
    for node in nodes:
        node.kind = ""
        for block in node.blocks.values():
            for entry in block["signatureList"]:
                entry["signature"] = "0x" + "12" * 128
    audit = audited(nodes, depth="headers")
    assert audit.verdict == "inconclusive"
    assert any("SM2" in problem for problem in audit.problems)


def test_roots_of_old_chains_are_left_out_and_that_is_said() -> None:
    nodes = recorded_nodes("v2", 0, 5, count=1)
    nodes[0].version = "2.1.0"
    audit = audited(nodes)
    assert (audit.verdict, audit.receipts_count) == ("holds", 0)
    assert "roots are not verified" in audit.notes[0]


def test_gas_that_remains_is_no_part_of_receipts_before_2_9() -> None:
    """These receipts are of a 2.9.0 chain, so that without it their root is another."""
    nodes = recorded_nodes("v2", 0, 2, count=1)
    nodes[0].version = "2.8.0"
    assert {kind for kind, _, _ in kinds(audited(nodes))} == {"receipts-root"}


def test_processes_find_what_one_finds_in_order() -> None:
    nodes = recorded_nodes("v2", 0, 520, count=1)
    nodes[0].blocks[505]["stateRoot"] = _flip(nodes[0].blocks[505]["stateRoot"])
    seen: list[int] = []
    with replayed(nodes) as chain:
        found = survey(chain.addresses)
        audit = plan_audit(found, full=("node0",), from_height=0, to_height=None, depth="headers")
        Auditor(found, audit, jobs=2, on_progress=lambda audit: seen.append(audit.next_height)).run()
    assert seen == [200, 400, 521]
    assert audit.block_count == audit.telling_count == 521
    assert [(item.kind, item.height) for item in audit.findings] == [
        ("hash", 505),
        *[("signature", 505)] * 3,
        ("quorum", 505),
        ("parent", 506),
    ]


def test_connections_are_kept_from_range_to_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fiscotool.observer.audit.RANGE_BLOCKS", 10)
    with replayed(recorded_nodes("v2", 0, 150, count=1)) as chain:
        found = survey(chain.addresses)
        audit = plan_audit(found, full=("node0",), from_height=0, to_height=None, depth="headers")
        assert Auditor(found, audit, jobs=1).run().verdict == "holds"
        # Every thread may have asked what the node is, on a connection of its own.
        assert chain.servers[0].connection_count <= 5 * (CONNECTIONS + 1), "15 ranges of four threads each would be 60"


class Resumed:
    """One chain, audited several times with the same state file."""

    def __init__(self, nodes: list[ReplayedNode], path: Path) -> None:
        self.nodes, self.path = nodes, path

    def run(self, *, to_height: int | None = None, depth: str = "headers", from_height: int = 0) -> Audit:
        with replayed(self.nodes) as chain:
            found = survey(chain.addresses)
            names = tuple(node.name for node in self.nodes)
            audit = plan_audit(found, full=names, from_height=from_height, to_height=to_height, depth=depth)
            known = load_audit(self.path)
            if known is not None:
                audit = continue_audit(self.path, known, audit, from_given=from_height != 0)
            for node in self.nodes:
                node.asked.clear()
            Auditor(found, audit, jobs=1).run()
        save_audit(self.path, audit)
        return audit


def test_an_audit_goes_on_where_it_stopped(tmp_path: Path) -> None:
    resumed = Resumed(recorded_nodes("v2", 0, 30, count=1), tmp_path / "state.json")
    assert resumed.run(to_height=10).verdict == "holds"
    audit = resumed.run()
    assert (audit.verdict, audit.block_count, audit.telling_count) == ("holds", 31, 31)
    assert resumed.nodes[0].asked.count("getBlockHeaderByNumber") == 21, "20 blocks, and the one below"
    assert resumed.run().telling_count == 31, "nothing is left to do"
    assert json.loads((tmp_path / "state.json").read_text())["verdict"] == "holds"


def test_findings_survive_and_a_rewritten_block_is_found(tmp_path: Path) -> None:
    resumed = Resumed(recorded_nodes("v2", 0, 30, count=1), tmp_path / "state.json")
    resumed.nodes[0].blocks[4]["hash"] = "0x" + "00" * 32
    assert kinds(resumed.run(to_height=10)) == [("hash", 4, ("node0",))]
    resumed.nodes[0].blocks[10]["timestamp"] = "0x1"
    assert ("rewritten", 10, ("node0",)) in kinds(resumed.run())
    assert ("hash", 4, ("node0",)) in kinds(resumed.run()), "it was found, and stays found"


def test_a_lost_node_is_verified_from_there_by_the_next_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fiscotool.observer.audit_source._PAUSES_S", (0.01,))
    resumed = Resumed(recorded_nodes("v2", 0, 12, count=2), tmp_path / "state.json")
    resumed.nodes[1].silent_from = 8
    assert resumed.run().verdict == "inconclusive"
    resumed.nodes[1].silent_from = None
    resumed.nodes[1].blocks[9]["hash"] = "0x" + "00" * 32
    audit = resumed.run()
    assert kinds(audit) == [("hash", 9, ("node1",))]
    assert audit.block_count == 13


def test_a_state_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    resumed = Resumed(recorded_nodes("v2", 0, 6, count=1), path)
    resumed.run()
    with pytest.raises(UsageError, match="depth"):
        resumed.run(depth="roots")
    with pytest.raises(UsageError, match="from block 0"):
        resumed.run(from_height=3)
    with pytest.raises(UsageError, match="chain"):
        Resumed(recorded_nodes("v3", 0, 6, count=1), path).run()
    with pytest.raises(UsageError, match="nodes"):
        Resumed(recorded_nodes("v2", 0, 6, count=2), path).run()
    for garbage in ("", "{}", "[]", '{"format": "fiscotool audit 1"}', "nonsense", '{"format": "fiscotool audit 1", "chain": 7}'):
        path.write_text(garbage)
        with pytest.raises(UsageError, match="no state of an audit"):
            load_audit(path)
    assert load_audit(tmp_path / "absent.json") is None
