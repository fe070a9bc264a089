"""Real nodes write down every step: what the judge of full traces finds in nodes with planted bugs, each in its own."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from fiscotool.chain.model import Chain
from fiscotool.check.replay import Verdict, replay_chain
from fiscotool.ledger.crypto import KeyPair
from fiscotool.ledger.tx3 import build_transaction, encode_transaction
from fiscotool.observer.step_traces import read_traces
from tests.devnet.chains import Running, make_chain, running, until

pytestmark = pytest.mark.devnet

KEY = KeyPair.from_secret(b"\x07" * 32)

FIRST = {"node0": "M40a", "node1": "N10", "node2": "N14", "node3": "N12"}
"""Durability, durability, safety, safety; with all of them the chain still makes blocks."""

SECOND = {"node0": "N17", "node3": "N9"}
"""After a restart: liveness (due and not done), conformance."""


def differs(chain: Chain, node: str, life: int) -> bool:
    """Whether this life has already done what it should not."""
    found = replay_chain(read_traces([chain.root]), diagnose=False).findings
    return any((finding.node, finding.life) == (node, life) for finding in found)


def load(run: Running, name: str, nonces: Iterable[str]) -> None:
    for nonce in nonces:
        tx = build_transaction(
            chain_id="chain0", group_id="group0", block_limit=run.height(name) + 400, to="0x" + "11" * 20, input=b"", key=KEY, nonce=nonce
        )
        run.post(name, "sendTransaction", encode_transaction(tx).hex())


def restart(run: Running, name: str) -> None:
    """Kill it, and start it with its second bug."""
    run.kill(name)
    path = run.node(name).directory / "config.ini"
    path.write_text(path.read_text().replace(f"mutant={FIRST[name]}", f"mutant={SECOND[name]}"))
    run.start(name)


def test_each_planted_bug_is_found_in_its_life_and_named(tmp_path: Path) -> None:
    chain = make_chain(tmp_path / "nodes", trace=True, mutants=FIRST)
    with running(chain) as run:
        until(run.is_ready, within_s=60, what="all nodes are in a view")
        load(run, "node1", "abcdef")
        until(lambda: min(map(run.height, run.processes)) >= 1, within_s=60, what="a block everywhere")
        restart(run, "node0")
        until(partial(run.is_ready, "node0"), within_s=60, what="node0 is in a view again")
        nonces = map(str, count())

        def is_found_out() -> bool:
            load(run, "node1", [next(nonces)])
            return differs(chain, "node0", 1)

        until(is_found_out, within_s=90, what="node0 should seal, and does not")
        restart(run, "node3")
        until(lambda: differs(chain, "node3", 1), within_s=60, what="node3 asks for views")
        run.stop()

    verdict = replay_chain(read_traces([chain.root]))
    assert verdict.verdict is Verdict.VIOLATION
    assert {finding.rule for finding in verdict.findings} <= {"step", "status"}, "messages, disks and ledgers are in order"
    named = verdict.behaves_as_by_life
    for node, mutant in FIRST.items():
        assert named[f"{node} (life 0)"] == mutant, verdict.findings
    assert named["node0 (life 1)"] in {"N17", "F16a"}, "both keep a leader's sealer silent"
    assert named["node3 (life 1)"] == SECOND["node3"]
    silent = next(finding for finding in verdict.findings if (finding.node, finding.life) == ("node0", 1))
    assert any("lets its sealer make" in words for words in silent.due)
