"""Embedded chains under faults write logs that are runs of the protocol."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from fiscotool.check.trace import Verdict, check_trace
from fiscotool.ledger.crypto import KeyPair
from fiscotool.ledger.tx3 import build_transaction, encode_transaction
from fiscotool.observer.logs.collect import Source
from fiscotool.observer.logs.evidence import evidence_of
from fiscotool.observer.logs.tail import log_files_in
from fiscotool.pbft.trace import Act
from tests.devnet.chains import Running, make_chain, running, until

pytestmark = pytest.mark.devnet

KEY = KeyPair.from_secret(b"\x07" * 32)


def add_block(run: Running, name: str) -> None:
    height = run.height(name)
    tx = build_transaction(
        chain_id="chain0", group_id="group0", block_limit=height + 500, to="12" * 20, input=b"", key=KEY, nonce=secrets.token_hex(8)
    )
    run.post(name, "sendTransaction", "0x" + encode_transaction(tx).hex(), False)
    until(lambda: run.height(name) > height, within_s=60, what="a block")


def test_the_logs_of_an_embedded_chain_under_faults_are_a_run_of_the_protocol(tmp_path: Path) -> None:
    """A node killed under load and started again; then what it logged with one line forged is refused."""
    with running(make_chain(tmp_path / "nodes")) as run:
        until(lambda: len(run.processes) == 4 and run.is_ready(), within_s=60, what="consensus")
        add_block(run, "node0")
        run.kill("node2")
        for _ in range(4):
            add_block(run, "node0")
        run.start("node2")
        until(lambda: run.height("node2") == run.height("node0"), within_s=60, what="node2 to catch up")
        add_block(run, "node1")
        sources = [Source(node.name, log_files_in(node.directory / "log")) for node in run.chain.nodes]
    evidence = evidence_of(sources)
    verdict = check_trace(evidence.records, context=evidence.context)
    assert verdict.verdict is Verdict.CONSISTENT, [breach.sentence for breach in verdict.breaches[:5]]
    assert len(verdict.witness) == len(evidence.records)
    assert evidence.context.dialect == "fisco3"
    for guard in ("prepared.quorum", "committed.quorum", "stable.quorum", "enter.quorum", "accept.leader", "ledger.same"):
        assert verdict.counters.guards[guard] > 0, guard
    kept = [record for record in evidence.records if not (record.act is Act.RECEIVE_COMMIT and record.sender != record.index)]
    assert check_trace(kept, context=evidence.context).verdict is Verdict.VIOLATION
