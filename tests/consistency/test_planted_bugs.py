"""Every invariant can say no: one edit of a clean run a bug, and exactly the rules it breaks are violated.

Where two rules are named, the bug breaks both by its nature: a fork's two certificates always share a signer, for instance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from fiscotool.consistency.findings import Judgement, Verdict
from fiscotool.consistency.judge import RULES, judge
from fiscotool.consistency.observations import Incarnation, Observations, SignatureSeen
from tests.consistency import edits, synthetic
from tests.consistency.edits import Edit
from tests.consistency.synthetic import IDS, ORDER, Fault

FORK = "ab" * 32


@cache
def base(name: str) -> Observations:
    """The clean runs that are edited."""
    makers: dict[str, Callable[[], Observations]] = {
        "kill": synthetic.run,
        "kill-for-good": lambda: synthetic.run(faults=(Fault("kill", 1, 15.0, None),)),
        "two": lambda: synthetic.run(faults=synthetic.KILL_TWO),
        "quiet": lambda: synthetic.run(faults=()),
        "idle": lambda: synthetic.run(faults=(), rate_per_s=0.0),
        "long": lambda: synthetic.run(length_s=150.0),
    }
    return makers[name]()


def violated(judgement: Judgement) -> set[str]:
    return {finding.invariant.id for finding in judgement.findings if finding.verdict is Verdict.VIOLATED}


@pytest.mark.parametrize("name", ["kill", "kill-for-good", "two", "quiet", "idle", "long"])
def test_the_runs_that_are_edited_are_clean(name: str) -> None:
    assert violated(judge(base(name))) == set()


def signatures(*indices: int) -> tuple[SignatureSeen, ...]:
    return tuple(SignatureSeen(index, is_valid=True) for index in indices)


def fork(seen: Observations) -> Observations:
    return edits.blocks(seen, 40, node="node2", block_hash=FORK, recomputed_hash=FORK)


def restarted_lower(seen: Observations) -> Observations:
    """A node that forgot its last three blocks in a kill: durable storage was not."""
    last = max(s.height or 0 for s in seen.samples if s.node == "node1" and s.got_s < 15.0)
    return edits.one_sample(edits.samples(seen, "node1", consensus_height=None), "node1", 30.0, height=last - 3)


def block_without_quorum(seen: Observations) -> Observations:
    """A block whose only transaction was sent after two of four died, shown by a survivor before they were back."""
    number = edits.made_at(seen, 30.0)
    held = set(edits.telling(seen, number).tx_hashes)
    kept = next(tx for tx in seen.txs if tx.tx_hash in held and tx.sent_s > 19.0)
    seen = edits.without_txs(seen, lambda tx: tx.tx_hash in held and tx.tx_hash != kept.tx_hash)
    seen = edits.blocks(seen, number, tx_hashes=(kept.tx_hash,), timestamp_ms=int((synthetic.EPOCH_S + 22) * 1000))
    return edits.samples(seen, "node0", 25.0, 36.0, height=number, consensus_height=number, block_hash=None)


def signed_by_the_dead(seen: Observations) -> Observations:
    dead = ORDER.index(1)
    others = [index for index in range(4) if index != dead][:2]
    return edits.blocks(seen, edits.made_at(seen, 22.0), signatures=signatures(dead, *others))


def never_caught_up(seen: Observations) -> Observations:
    cap = max(s.height or 0 for s in seen.samples if s.node == "node1" and s.got_s < 15.0)
    seen = edits.samples(seen, "node1", 30.0, height=cap, consensus_height=cap, block_hash=None, leader_index=None)
    return replace(seen, blocks=tuple(b for b in seen.blocks if b.node != "node1" or b.number <= cap))


def reborn_unasked(seen: Observations) -> Observations:
    return edits.samples(seen, "node0", 40.0, incarnation=Incarnation(4242, synthetic.EPOCH_S + 40.0))


def silent_for_ever(seen: Observations) -> Observations:
    return replace(
        seen,
        samples=tuple(
            replace(s, error="refused", height=None, view=None) if s.node == "node0" and s.sent_s > 40 else s for s in seen.samples
        ),
        txs=tuple(tx for tx in seen.txs if tx.node != "node0" or tx.got_s < 40),
    )


def climbing_too_fast(seen: Observations) -> Observations:
    """Time-outs without back-off while the quorum is lost: one every three seconds."""
    for cycle in range(1, 6):
        seen = edits.samples(seen, "node0", 18.2 + 3 * (cycle - 1), 18.2 + 3 * cycle, change_cycle=cycle)
    return seen


def list_change_without_transaction(seen: Observations) -> Observations:
    """After the empty block the weights are others; of five weight four are needed, and four sign."""
    number = edits.made_at(seen, 17.5)
    seen = edits.emptied(seen, number)
    later = [n for n in {block.number for block in seen.blocks} if n > number]
    for each in later:
        seen = edits.blocks(seen, each, weights=(1, 1, 1, 2), signatures=signatures(1, 2, 3))
    return replace(seen, samples=tuple(replace(s, quorum_weight=None) for s in seen.samples))


def unsorted_list(seen: Observations) -> Observations:
    ids = tuple(IDS[each] for each in ORDER)
    return edits.blocks(seen, 20, sealer_list=(ids[1], ids[0], *ids[2:]))


def at_height(offset: int) -> Edit:
    return lambda seen: edits.samples(seen, "node3", 40.0, height=lambda height: (height or 0) + offset)


BUGS = [
    # Agreement and what is told of blocks.
    pytest.param("kill", fork, {"agreement", "one-signature"}, id="one node tells another block, certified by the same signers"),
    pytest.param(
        "kill",
        lambda seen: edits.one_sample(seen, "node2", 20.0, block_hash=FORK),
        {"agreement"},
        id="one node names a latest hash that is on no chain",
    ),
    pytest.param(
        "kill", lambda seen: edits.blocks(seen, 40, node="node2", state_root="cc" * 32), {"state-agreement"}, id="one node's state differs"
    ),
    pytest.param("kill", lambda seen: edits.blocks(seen, 40, node="node0", gas_used="1"), {"state-agreement"}, id="one node's gas differs"),
    pytest.param("kill", lambda seen: edits.blocks(seen, 40, parent_hash=FORK), {"linkage"}, id="forged parent hash"),
    pytest.param("kill", lambda seen: edits.blocks(seen, 40, node="node0", parent_number=38), {"linkage"}, id="parent two below"),
    pytest.param(
        "kill",
        lambda seen: edits.blocks(seen, 40, node="node0", recomputed_hash=FORK),
        {"header-hash"},
        id="a header that hashes to another",
    ),
    # Certificates.
    pytest.param(
        "kill", lambda seen: edits.blocks(seen, 40, node="node0", signatures=lambda old: old[:2]), {"certificate"}, id="one signer short"
    ),
    pytest.param(
        "kill",
        lambda seen: edits.blocks(seen, 40, signatures=lambda old: (*old[:2], old[0])),
        {"certificate"},
        id="one signer counted twice (H3)",
    ),
    pytest.param(
        "kill",
        lambda seen: edits.blocks(seen, 40, signatures=lambda old: (*old, old[0])),
        {"certificate"},
        id="a quorum, and one signer twice",
    ),
    pytest.param(
        "kill",
        lambda seen: edits.blocks(seen, 40, signatures=lambda old: (*old[:2], replace(old[2], is_valid=False))),
        {"certificate"},
        id="a signature that does not verify",
    ),
    pytest.param(
        "kill",
        lambda seen: edits.blocks(seen, 40, signatures=lambda old: (*old, SignatureSeen(4, is_valid=False))),
        {"certificate"},
        id="a signer outside the list",
    ),
    pytest.param(
        "kill",
        lambda seen: edits.blocks(edits.emptied(seen, edits.made_at(seen, 17.5)), edits.made_at(seen, 17.5), signatures=()),
        {"empty-certificate"},
        id="an unsigned empty block (H2)",
    ),
    # Nothing goes back.
    pytest.param(
        "quiet",
        lambda seen: edits.one_sample(edits.samples(seen, "node0", consensus_height=None), "node0", 40.0, height=lambda h: h - 2),
        {"height-monotone"},
        id="a height two lower than before",
    ),
    pytest.param("kill", restarted_lower, {"height-monotone"}, id="a height lower after kill -9 than before"),
    pytest.param(
        "kill",
        lambda seen: edits.one_sample(seen, "node0", 50.0, view=lambda view: view - 1),
        {"view-monotone"},
        id="a view one lower within a process life",
    ),
    pytest.param(
        "idle",
        lambda seen: edits.one_sample(seen, "node0", 20.0, consensus_height=1, block_hash=None),
        {"consensus-height"},
        id="a consensus status ahead of the ledger",
    ),
    pytest.param("quiet", at_height(50), {"height-backed"}, id="a node that claims fifty blocks more than there are"),
    pytest.param("quiet", at_height(2), {"height-backed"}, id="a node that claims two blocks more than there are"),
    # Transactions.
    pytest.param(
        "kill", lambda seen: edits.blocks(seen, 40, tx_hashes=lambda old: old[1:]), {"tx-durable"}, id="an acknowledged transaction lost"
    ),
    pytest.param(
        "kill",
        lambda seen: edits.blocks(seen, 40, node="node3", tx_hashes=lambda old: old[1:]),
        {"tx-durable", "state-agreement"},
        id="a transaction missing on one node",
    ),
    pytest.param(
        "kill",
        lambda seen: edits.blocks(
            edits.blocks(seen, 40, tx_hashes=lambda old: old[1:]), 41, tx_hashes=lambda old: (*old, edits.telling(seen, 40).tx_hashes[0])
        ),
        {"tx-durable"},
        id="a transaction in another block than its receipt says",
    ),
    pytest.param(
        "kill",
        lambda seen: edits.blocks(seen, 42, tx_hashes=lambda old: (*old, edits.telling(seen, 40).tx_hashes[0])),
        {"tx-once"},
        id="a transaction in two blocks",
    ),
    pytest.param("kill", lambda seen: edits.blocks(seen, 40, tx_hashes=lambda old: (*old, old[0])), {"tx-once"}, id="twice in one block"),
    # Who took part.
    pytest.param("two", block_without_quorum, {"no-quorum-no-block", "signers-alive"}, id="a block while the quorum is lost"),
    pytest.param("kill", signed_by_the_dead, {"signers-alive"}, id="a dead node signs"),
    pytest.param(
        "kill",
        lambda seen: edits.blocks(seen, edits.made_at(seen, 22.0), sealer=ORDER.index(1)),
        {"proposer-alive", "leader-schedule"},
        id="a dead node proposes",
    ),
    # Progress.
    pytest.param(
        "kill-for-good", lambda seen: edits.stalled(seen, 15.0, 50.0), {"progress-after-fault"}, id="recovery later than the timers allow"
    ),
    pytest.param("quiet", lambda seen: edits.stalled(seen, 20.0, 50.0), {"no-stall"}, id="a stall without a fault"),
    pytest.param("long", never_caught_up, {"catch-up"}, id="a restarted node that never catches up"),
    pytest.param(
        "long", lambda seen: edits.samples(seen, "node1", 30.0, view=0, timeout=True), {"view-convergence"}, id="one that stays in view 0"
    ),
    pytest.param("quiet", reborn_unasked, {"process-alive"}, id="a process replaced by another"),
    pytest.param("quiet", silent_for_ever, {"process-alive"}, id="a node that falls silent"),
    # Conformance.
    pytest.param(
        "quiet", lambda seen: edits.blocks(seen, 20, sealer=lambda old: (old + 1) % 4), {"leader-schedule"}, id="the wrong proposer"
    ),
    pytest.param("quiet", lambda seen: edits.emptied(seen, 20), {"empty-view-change"}, id="an empty block in a quiet view"),
    pytest.param(
        "idle",
        lambda seen: edits.one_sample(seen, "node0", 30.0, leader_index=lambda old: (old + 1) % 4),
        {"announced-leader"},
        id="a wrong leader",
    ),
    pytest.param("quiet", lambda seen: edits.samples(seen, "node0", quorum_weight=2), {"quorum-arithmetic"}, id="a quorum of two"),
    pytest.param("two", climbing_too_fast, {"timer-backoff"}, id="time-outs that do not back off"),
    pytest.param("two", lambda seen: edits.one_sample(seen, "node0", 31.0, change_cycle=11), {"timer-backoff"}, id="a cycle above ten"),
    pytest.param("quiet", unsorted_list, {"sealer-list"}, id="sealers out of order"),
    pytest.param("kill", list_change_without_transaction, {"sealer-list"}, id="sealers changed by no transaction"),
    pytest.param(
        "quiet", lambda seen: edits.blocks(seen, 20, timestamp_ms=lambda ms: ms + 10_000), {"timestamps"}, id="a block from the future"
    ),
    pytest.param(
        "quiet", lambda seen: edits.blocks(seen, 20, timestamp_ms=lambda ms: ms - 9_000), {"timestamps"}, id="older than its transactions"
    ),
    pytest.param(
        "quiet",
        lambda seen: edits.blocks(replace(seen, run=replace(seen.run, started_epoch_s=None)), 80, timestamp_ms=lambda ms: ms - 30_000),
        {"timestamps"},
        id="older than a block a pipeline below it",
    ),
]


@pytest.mark.parametrize(("name", "edit", "expected"), BUGS)
def test_a_planted_bug_violates_exactly_what_it_breaks(name: str, edit: Edit, expected: set[str]) -> None:
    seen = edit(base(name))
    assert seen != base(name), "the edit changed nothing"
    judgement = judge(seen)
    assert violated(judgement) == expected
    assert judgement.verdict is Verdict.VIOLATED
    for finding in judgement.findings:
        if finding.invariant.id in expected:
            assert finding.evidence[0].text, finding
            assert finding.evidence[0].text_zh, finding
            assert finding.checked_count > 0


def test_a_leader_ahead_of_the_ledger_is_right_while_transactions_wait() -> None:
    """Pipelining: the next height to seal is ahead of the ledger by what is under way, which may stay so for long without a quorum."""
    seen = edits.samples(base("idle"), "node0", leader_index=lambda old: (old + 1) % 4, pending_count=3)
    assert violated(judge(seen)) == set()


def test_every_invariant_has_a_planted_bug() -> None:
    planted = {rule for bug in BUGS for rule in bug.values[2]}  # type: ignore[union-attr]
    assert planted == {invariant.id for invariant, _ in RULES}
