"""The planted bugs: one edit of a clean run a bug, and the rules it breaks. Tests and docs/invariants.md are made from this table.

Where two rules are named, the bug breaks both by its nature: a fork's two certificates always share a signer, for instance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from fiscotool.consistency.findings import Judgement
from fiscotool.consistency.judge import judge
from fiscotool.consistency.observations import Incarnation, Observations, SignatureSeen
from tests.consistency import edits, synthetic
from tests.consistency.edits import Edit
from tests.consistency.synthetic import IDS, ORDER, Fault

FORK = "ab" * 32
CLEAN: Final = ("kill", "kill-for-good", "two", "quiet", "idle", "long", "pause", "filler", "turn", "slow")


@dataclass(frozen=True, eq=False)
class Bug:
    """An edit of the clean run `base`, in words, and the ids of the rules it must violate: these and no others."""

    base: str
    edit: Edit
    violates: set[str]
    what: str


@cache
def base(name: str) -> Observations:
    """The clean runs that are edited: CLEAN names them."""
    makers: dict[str, Callable[[], Observations]] = {
        "kill": synthetic.run,
        "kill-for-good": lambda: synthetic.run(faults=(Fault("kill", 1, 15.0, None),)),
        "two": lambda: synthetic.run(faults=synthetic.KILL_TWO),
        "quiet": lambda: synthetic.run(faults=()),
        "idle": lambda: synthetic.run(faults=(), rate_per_s=0.0),
        "long": lambda: synthetic.run(length_s=150.0),
        "pause": lambda: synthetic.run(faults=synthetic.PAUSE),
        "filler": lambda: _with_filler(synthetic.run()),
        "slow": lambda: _with_delays(synthetic.run(faults=()), 0.001),
        "turn": lambda: edits.turned(synthetic.run(faults=()), 30.0, blind_s=10.0),
    }
    return makers[name]()


@cache
def judged(name: str) -> Judgement:
    """The judgement on a clean run."""
    return judge(base(name))


@cache
def judged_bug(index: int) -> Judgement:
    """The judgement on a planted bug."""
    bug = BUGS[index]
    return judge(bug.edit(base(bug.base)))


def _with_filler(seen: Observations) -> Observations:
    """The block of the view change after the kill holds nothing: it fills a gap."""
    return edits.emptied(seen, edits.made_at(seen, 17.5))


def _with_delays(seen: Observations, least_s: float) -> Observations:
    """Every message is known to take that long at least."""
    return replace(seen, run=replace(seen.run, delay_min_s=least_s))


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
    seen = edits.without_txs(seen, lambda tx: tx.node == "node1" and tx.got_s > 30.0)
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
        seen = edits.samples(seen, "node0", 18.2 + 3 * (cycle - 1), 18.2 + 3 * cycle, change_cycle=cycle, timeout=True)
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


def answered_too_early(seen: Observations) -> Observations:
    """A receipt in block 40 that its node gave before it had the block."""
    told = next(tx for tx in seen.txs if tx.block_number == 40)
    early = replace(told, got_s=told.sent_s + 0.001)
    return replace(seen, txs=tuple(early if tx is told else tx for tx in seen.txs))


def never_sealed(seen: Observations) -> Observations:
    """A transaction that its node took, never answered and never put into a block."""
    held = set(edits.telling(seen, 20).tx_hashes)
    told = next(tx for tx in seen.txs if tx.tx_hash in held)
    lost = replace(told, outcome="unknown", got_s=told.sent_s + 30.0, block_number=None, status=None)
    seen = replace(seen, txs=tuple(lost if tx is told else tx for tx in seen.txs))
    return edits.blocks(seen, 20, tx_hashes=lambda old: tuple(each for each in old if each != told.tx_hash))


def at_height(offset: int) -> Edit:
    return lambda seen: edits.samples(seen, "node3", 40.0, height=lambda height: (height or 0) + offset)


BUGS: Final[list[Bug]] = [
    # Agreement and what is told of blocks.
    Bug("kill", fork, {"agreement", "one-signature"}, what="one node tells another block, certified by the same signers"),
    Bug(
        "kill",
        lambda seen: edits.one_sample(seen, "node2", 20.0, block_hash=FORK),
        {"agreement"},
        what="one node names a latest hash that is on no chain",
    ),
    Bug(
        "kill",
        lambda seen: edits.blocks(seen, 40, node="node2", state_root="cc" * 32),
        {"state-agreement"},
        what="one node's state differs",
    ),
    Bug("kill", lambda seen: edits.blocks(seen, 40, node="node0", gas_used="1"), {"state-agreement"}, what="one node's gas differs"),
    Bug("kill", lambda seen: edits.blocks(seen, 40, parent_hash=FORK), {"linkage"}, what="forged parent hash"),
    Bug("kill", lambda seen: edits.blocks(seen, 40, node="node0", parent_number=38), {"linkage"}, what="parent two below"),
    Bug(
        "kill",
        lambda seen: edits.blocks(seen, 40, node="node0", recomputed_hash=FORK),
        {"header-hash"},
        what="a header that hashes to another",
    ),
    # Certificates.
    Bug(
        "kill", lambda seen: edits.blocks(seen, 40, node="node0", signatures=lambda old: old[:2]), {"certificate"}, what="one signer short"
    ),
    Bug(
        "kill",
        lambda seen: edits.blocks(seen, 40, signatures=lambda old: (*old[:2], old[0])),
        {"certificate"},
        what="one signer counted twice (H3)",
    ),
    Bug(
        "kill",
        lambda seen: edits.blocks(seen, 40, signatures=lambda old: (*old, old[0])),
        {"certificate"},
        what="a quorum, and one signer twice",
    ),
    Bug(
        "kill",
        lambda seen: edits.blocks(seen, 40, signatures=lambda old: (*old[:2], replace(old[2], is_valid=False))),
        {"certificate"},
        what="a signature that does not verify",
    ),
    Bug(
        "kill",
        lambda seen: edits.blocks(seen, 40, signatures=lambda old: (*old, SignatureSeen(4, is_valid=False))),
        {"certificate"},
        what="a signer outside the list",
    ),
    Bug(
        "filler",
        lambda seen: edits.blocks(seen, edits.made_at(seen, 17.5), signatures=()),
        {"empty-certificate"},
        what="an unsigned empty block (H2)",
    ),
    # Nothing goes back.
    Bug(
        "quiet",
        lambda seen: edits.one_sample(edits.samples(seen, "node0", consensus_height=None), "node0", 40.0, height=lambda h: h - 2),
        {"height-monotone", "read-own-receipt"},
        what="a height two lower than before",
    ),
    Bug("kill", restarted_lower, {"height-monotone", "read-own-receipt"}, what="a height lower after kill -9 than before"),
    Bug(
        "kill",
        lambda seen: edits.one_sample(seen, "node0", 50.0, view=lambda view: view - 1),
        {"view-monotone"},
        what="a view one lower within a process life",
    ),
    Bug(
        "idle",
        lambda seen: edits.one_sample(seen, "node0", 20.0, consensus_height=1, block_hash=None),
        {"consensus-height"},
        what="a consensus status ahead of the ledger",
    ),
    Bug(
        "quiet",
        lambda seen: edits.samples(seen, "node0", 45.0, 46.0, consensus_height=3, block_hash=None),
        {"consensus-height"},
        what="a consensus status half a minute behind its ledger",
    ),
    Bug("quiet", at_height(50), {"height-backed"}, what="a node that claims fifty blocks more than there are"),
    Bug("quiet", at_height(2), {"height-backed"}, what="a node that claims two blocks more than there are"),
    # Transactions.
    Bug(
        "kill", lambda seen: edits.blocks(seen, 40, tx_hashes=lambda old: old[1:]), {"tx-durable"}, what="an acknowledged transaction lost"
    ),
    Bug(
        "kill",
        lambda seen: edits.blocks(seen, 40, node="node3", tx_hashes=lambda old: old[1:]),
        {"tx-durable", "state-agreement"},
        what="a transaction missing on one node",
    ),
    Bug(
        "kill",
        lambda seen: edits.blocks(
            edits.blocks(seen, 40, tx_hashes=lambda old: old[1:]), 41, tx_hashes=lambda old: (*old, edits.telling(seen, 40).tx_hashes[0])
        ),
        {"tx-durable"},
        what="a transaction in another block than its receipt says",
    ),
    Bug(
        "kill",
        lambda seen: edits.blocks(seen, 42, tx_hashes=lambda old: (*old, edits.telling(seen, 40).tx_hashes[0])),
        {"tx-once"},
        what="a transaction in two blocks",
    ),
    Bug("kill", lambda seen: edits.blocks(seen, 40, tx_hashes=lambda old: (*old, old[0])), {"tx-once"}, what="twice in one block"),
    # Who took part.
    Bug("two", block_without_quorum, {"no-quorum-no-block", "signers-alive"}, what="a block while the quorum is lost"),
    Bug(
        "two",
        lambda seen: edits.samples(seen, "node0", 25.0, 34.0, view=60),
        {"no-quorum-no-view", "view-monotone", "leader-schedule"},
        what="a view that nobody was there to ask for",
    ),
    Bug("slow", lambda seen: _with_delays(seen, 2.0), {"phase-time"}, what="blocks sooner than four messages take"),
    Bug("kill", signed_by_the_dead, {"signers-alive"}, what="a dead node signs"),
    Bug(
        "kill",
        lambda seen: edits.blocks(seen, edits.made_at(seen, 22.0), sealer=ORDER.index(1)),
        {"proposer-alive", "leader-schedule"},
        what="a dead node proposes",
    ),
    # Progress.
    Bug(
        "kill-for-good", lambda seen: edits.stalled(seen, 15.0, 50.0), {"progress-after-fault"}, what="recovery later than the timers allow"
    ),
    Bug("quiet", lambda seen: edits.stalled(seen, 20.0, 50.0), {"no-stall"}, what="a stall without a fault"),
    Bug("long", never_caught_up, {"catch-up"}, what="a restarted node that never catches up"),
    Bug(
        "long", lambda seen: edits.samples(seen, "node1", 30.0, view=0, timeout=True), {"view-convergence"}, what="one that stays in view 0"
    ),
    Bug("quiet", reborn_unasked, {"process-alive"}, what="a process replaced by another"),
    Bug("quiet", silent_for_ever, {"process-alive"}, what="a node that falls silent"),
    Bug("kill", lambda seen: edits.samples(seen, "node0", 57.5, view=1_500), {"view-pace"}, what="a leap of the view (F1, F2)"),
    # Conformance.
    Bug(
        "two",
        lambda seen: edits.samples(seen, "node0", 22.0, 28.0, quorum_weight=4),
        {"membership-told", "quorum-arithmetic"},
        what="a quorum of another list than that of the next block (M44)",
    ),
    Bug("quiet", lambda seen: edits.blocks(seen, 20, sealer=lambda old: (old + 1) % 4), {"leader-schedule"}, what="the wrong proposer"),
    Bug("quiet", lambda seen: edits.emptied(seen, 20), {"empty-view-change"}, what="an empty block in a quiet view"),
    Bug(
        "idle",
        lambda seen: edits.one_sample(seen, "node0", 30.0, leader_index=lambda old: (old + 1) % 4),
        {"announced-leader"},
        what="a wrong leader",
    ),
    Bug("quiet", lambda seen: edits.samples(seen, "node0", quorum_weight=2), {"quorum-arithmetic"}, what="a quorum of two"),
    Bug("two", climbing_too_fast, {"timer-backoff"}, what="time-outs that do not back off"),
    Bug("two", lambda seen: edits.one_sample(seen, "node0", 31.0, change_cycle=11), {"timer-backoff"}, what="a cycle above ten"),
    Bug("quiet", unsorted_list, {"sealer-list"}, what="sealers out of order"),
    Bug("kill", list_change_without_transaction, {"sealer-list"}, what="sealers changed by no transaction"),
    Bug("quiet", lambda seen: edits.blocks(seen, 20, timestamp_ms=lambda ms: ms + 10_000), {"timestamps"}, what="a block from the future"),
    Bug(
        "quiet", lambda seen: edits.blocks(seen, 20, timestamp_ms=lambda ms: ms - 9_000), {"timestamps"}, what="older than its transactions"
    ),
    Bug(
        "quiet",
        lambda seen: edits.blocks(replace(seen, run=replace(seen.run, started_epoch_s=None)), 80, timestamp_ms=lambda ms: ms - 30_000),
        {"timestamps"},
        what="older than a block a pipeline below it",
    ),
    # What samples and headers say together.
    Bug("quiet", answered_too_early, {"read-own-receipt"}, what="a receipt in a block the node does not have yet"),
    Bug("quiet", never_sealed, {"tx-inclusion"}, what="a transaction that is taken and never sealed (F13)"),
    Bug(
        "turn",
        lambda seen: edits.blocks(seen, edits.made_at(seen, 24.0), sealer=lambda old: (old + 1) % 4),
        {"view-sequence"},
        what="a proposer of the next view before the last block of this one",
    ),
    Bug("quiet", lambda seen: edits.turned(seen, 30.0), {"needless-view-change"}, what="a view change nobody had a cause for (F1)"),
    Bug(
        "two",
        lambda seen: edits.samples(seen, "node0", 45.0, 46.0, change_cycle=1),
        {"timer-reset"},
        what="a time-out counter that a commit does not reset (M28)",
    ),
    Bug(
        "quiet",
        lambda seen: edits.samples(seen, "node0", node_index=lambda old: (old + 1) % 4),
        {"membership-told"},
        what="an index that is not the rank of the id",
    ),
    Bug(
        "quiet",
        lambda seen: edits.samples(seen, "node0", node_count=5, quorum_weight=4),
        {"membership-told"},
        what="a list that counts a sealer more than the blocks (F9)",
    ),
    Bug("quiet", lambda seen: edits.one_sample(seen, "node0", 30.0, known_height=500), {"sync-truth"}, what="a height nobody ever had"),
    Bug(
        "quiet",
        lambda seen: edits.one_sample(seen, "node0", 30.0, known_height=90),
        {"sync-truth"},
        what="a height whose transactions were sent later",
    ),
]
