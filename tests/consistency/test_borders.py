"""Just legal, just illegal: each rule's border, walked over with the smallest step that counts.

A bug that is far from legal (test_planted_bugs.py) shows that a rule can fail. These show that it fails where its definition says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from fiscotool.consistency.facts import Facts
from fiscotool.consistency.findings import Finding, Verdict
from fiscotool.consistency.judge import judge
from fiscotool.consistency.observations import FaultSeen, Incarnation, Observations, Sample, SignatureSeen
from fiscotool.consistency.progress import HEAL_SLACK_S, INJECT_SLACK_S, Progress
from tests.consistency import edits, synthetic
from tests.consistency.edits import Edit
from tests.consistency.planted import FORK, base
from tests.consistency.synthetic import ORDER

HOLDS, VIOLATED, INCONCLUSIVE = Verdict.HOLDS, Verdict.VIOLATED, Verdict.INCONCLUSIVE


def finding(seen: Observations, rule: str) -> Finding:
    return next(each for each in judge(seen).findings if each.invariant.id == rule)


def same(seen: Observations) -> Observations:
    return seen


# Edits of blocks


def weighted(weights: tuple[int, ...], *signers: int) -> Edit:
    """Every block with these weights, block 40 of node0 with these signers, all others signed by everybody."""

    def edit(seen: Observations) -> Observations:
        everybody = tuple(SignatureSeen(index, is_valid=True) for index in range(4))
        some = tuple(SignatureSeen(index, is_valid=True) for index in signers)
        return replace(
            seen,
            blocks=tuple(
                replace(block, weights=weights, signatures=some if (block.node, block.number) == ("node0", 40) else everybody)
                for block in seen.blocks
                if block.number
            ),
        )

    return edit


def fork_signed_by(*signers: int) -> Edit:
    signatures = tuple(SignatureSeen(index, is_valid=True) for index in signers)
    others = tuple(SignatureSeen(index, is_valid=True) for index in range(3))
    return lambda seen: edits.blocks(
        edits.blocks(seen, 40, signatures=others), 40, node="node2", block_hash=FORK, recomputed_hash=FORK, signatures=signatures
    )


def stamp_of(seen: Observations, number: int) -> int:
    return edits.telling(seen, number).timestamp_ms


def stamped(number: int, stamp: Callable[[Observations], int], *, has_clock: bool = True) -> Edit:
    def edit(seen: Observations) -> Observations:
        stamp_ms = stamp(seen)
        seen = seen if has_clock else replace(seen, run=replace(seen.run, started_epoch_s=None))
        return edits.blocks(seen, number, timestamp_ms=stamp_ms)

    return edit


def after_shown(slack_s: float) -> Edit:
    """Block 20's timestamp so much after its first appearance."""
    return stamped(20, lambda seen: int(1000 * (synthetic.EPOCH_S + Facts(seen).first_shown_s(20) + slack_s)))


def last_names(offset: int) -> Edit:
    """A sample of node2 that names the hash of a block so far from the height it tells."""

    def edit(seen: Observations) -> Observations:
        sample = next(s for s in seen.samples if s.node == "node2" and s.sent_s >= 40.0 and s.height)
        return edits.one_sample(seen, "node2", 40.0, block_hash=synthetic.block_hash((sample.height or 0) + offset))

    return edit


# Edits of samples


def told_lower(*, overlap: bool = False, wiped: bool = False, field: str = "height") -> Edit:
    """An answer one lower than the one before; overlapping it in time, or after the data was wiped."""

    def edit(seen: Observations) -> Observations:
        mine = [s for s in seen.samples if s.node == "node0" and 40 < s.sent_s < 45]
        before, after = next(
            (a, b) for a, b in pairwise(mine) if getattr(a, field) == max(getattr(s, field) for s in mine if s.got_s <= a.got_s)
        )
        changed = replace(after, **{field: getattr(before, field) - 1}, consensus_height=None)
        if overlap:
            changed = replace(changed, sent_s=before.got_s)
        # Only this one answer may tell: blocks that the node showed before count as shown heights too.
        blocks = tuple(b for b in seen.blocks if b.node != "node0" or b.seen_s > after.got_s)
        samples = tuple(changed if s is after else replace(s, consensus_height=None) if s.node == "node0" else s for s in seen.samples)
        faults = (*seen.faults, FaultSeen("wipe", "wipe", "node0", after.sent_s - 0.001, 9, after.sent_s)) if wiped else seen.faults
        return replace(seen, samples=samples, blocks=blocks, faults=faults)

    return edit


def life(incarnation: Callable[[Sample], Incarnation | None]) -> Edit:
    """A view one lower from second 50 on, told by these processes."""

    def edit(seen: Observations) -> Observations:
        return replace(
            seen,
            samples=tuple(
                replace(s, view=(s.view or 0) - (s.sent_s > 50), incarnation=incarnation(s)) if s.node == "node0" and not s.error else s
                for s in seen.samples
            ),
        )

    return edit


def silent_for(length_s: float) -> Edit:
    """node0 does not answer in the last seconds."""

    def edit(seen: Observations) -> Observations:
        last_s = max(s.sent_s for s in seen.samples if s.node == "node0")
        return replace(
            seen,
            samples=tuple(
                replace(s, error="refused", height=None, view=None) if s.node == "node0" and s.sent_s > last_s - length_s else s
                for s in seen.samples
            ),
            txs=tuple(tx for tx in seen.txs if tx.node != "node0" or tx.got_s < last_s - length_s),
        )

    return edit


def cycles(*climb: tuple[float, int]) -> Edit:
    """node0 in a chain without a quorum shows these cycles from these seconds on."""

    def edit(seen: Observations) -> Observations:
        seen = edits.samples(seen, "node0", 15.0, 32.0, change_cycle=0)
        for at_s, cycle in climb:
            seen = edits.samples(seen, "node0", at_s, 32.0, change_cycle=cycle)
        return seen

    return edit


def quorum_of(quorum: int, *, times: int) -> Edit:
    """So many answers in a row that tell another quorum."""

    def edit(seen: Observations) -> Observations:
        mine = [s.line for s in seen.samples if s.node == "node0" and s.sent_s > 20][:times]
        return replace(seen, samples=tuple(replace(s, quorum_weight=quorum) if s.line in mine else s for s in seen.samples))

    return edit


# Edits of time


def recovered(slack_s: float) -> Edit:
    """The chain goes on so long after the bound of its timers."""

    def edit(seen: Observations) -> Observations:
        fault = seen.faults[0]
        wait = Progress(Facts(seen)).wait(fault.injected_s, INJECT_SLACK_S)
        return edits.stalled(seen, fault.injected_s, wait.deadline_s + slack_s)

    return edit


def stalled_for(slack_s: float) -> Edit:
    """A chain that nobody touched stands still for so much longer than allowed."""

    def edit(seen: Observations) -> Observations:
        facts = Facts(seen)
        since_s = max(at_s for at_s in facts.growth()[0] if at_s < 20.0)
        return edits.stalled(seen, since_s + 0.001, since_s + Progress(facts).bound_s(since_s, INJECT_SLACK_S) + slack_s)

    return edit


def caught_up(slack_s: float) -> Edit:
    """node1 reaches the others' height so long after its time."""

    def edit(seen: Observations) -> Observations:
        cap = max(s.height or 0 for s in seen.samples if s.node == "node1" and s.got_s < 15.0)
        lag = Facts(seen).height_shown_by(30.0, other_than="node1") - cap
        until_s = 30.0 + 60.0 + lag / 20.0 + slack_s
        seen = edits.samples(seen, "node1", 30.0, until_s, height=cap, consensus_height=cap, block_hash=None, leader_index=None)
        late = {b.number for b in seen.blocks if b.node == "node1" and b.number > cap and b.seen_s < until_s}
        return replace(seen, blocks=tuple(b for b in seen.blocks if b.node != "node1" or b.number not in late))

    return edit


def rejoined(slack_s: float) -> Edit:
    """node1 finds the others' view so long after its time."""

    def edit(seen: Observations) -> Observations:
        allowed_s = Progress(Facts(seen)).bound_s(30.0, HEAL_SLACK_S) + 60.0
        return edits.samples(seen, "node1", 30.0, 30.0 + allowed_s + slack_s, view=0, timeout=True, leader_index=None)

    return edit


def ahead(offset: int, before_end_s: float) -> Edit:
    """node3 claims a height above everybody's, so long before the end."""

    def edit(seen: Observations) -> Observations:
        # All stand still at the end, so that only the claim is above.
        last_s = seen.ended_s or 0.0
        top = max(s.height or 0 for s in seen.samples)
        return edits.samples(seen, "node3", last_s - before_end_s, height=top + offset, consensus_height=None, block_hash=None)

    return edit


def shown_at(at_s: float, *, sent_s: float) -> Edit:
    """A block whose only transaction was sent then, first shown by survivors of a lost quorum at `at_s`."""

    def edit(seen: Observations) -> Observations:
        number = max(s.height or 0 for s in seen.samples if s.got_s < 15.0) + 1
        held = set(edits.telling(seen, number).tx_hashes)
        kept = next(tx for tx in seen.txs if tx.tx_hash in held)
        seen = edits.without_txs(seen, lambda tx: tx.tx_hash in held and tx.tx_hash != kept.tx_hash)
        seen = replace(
            seen,
            txs=tuple(
                replace(tx, sent_s=sent_s, got_s=at_s, outcome="unknown", block_number=None) if tx is kept else tx for tx in seen.txs
            ),
        )
        seen = edits.blocks(seen, number, tx_hashes=(kept.tx_hash,))
        return edits.samples(seen, "node0", at_s, 36.0, height=number, consensus_height=number, block_hash=None)

    return edit


def proposed_by_the_dead(sent_s: float) -> Edit:
    """A block of the killed leader, whose newest transaction was sent then, appears when the others go on."""

    def edit(seen: Observations) -> Observations:
        number = max(s.height or 0 for s in seen.samples if s.got_s < 15.0) + 1
        held = set(edits.telling(seen, number).tx_hashes)
        seen = replace(seen, txs=tuple(replace(tx, sent_s=sent_s) if tx.tx_hash in held else tx for tx in seen.txs))
        dead = ORDER.index(1)
        return edits.blocks(
            seen,
            number,
            sealer=dead,
            signatures=lambda old: (SignatureSeen(dead, is_valid=True), *[s for s in old if s.sealer_index != dead][:2]),
        )

    return edit


def signed_by_the_dead(at_s: float, **run: object) -> Edit:
    """The killed node, started again at 30.0 s, signed a block made then; `run`: what else is known of the run."""

    def edit(seen: Observations) -> Observations:
        dead = ORDER.index(1)
        seen = replace(seen, run=replace(seen.run, **run))  # type: ignore[arg-type]
        signatures = tuple(SignatureSeen(index, is_valid=True) for index in sorted({dead, (dead + 1) % 4, (dead + 2) % 4}))
        return edits.blocks(seen, edits.made_at(seen, at_s), signatures=signatures)

    return edit


BORDERS = [
    # Agreement, certificates, links.
    ("agreement", "quiet", last_names(-3), HOLDS, "a status torn by three blocks"),
    ("agreement", "quiet", last_names(-4), VIOLATED, "a hash of four blocks below"),
    (
        "state-agreement",
        "quiet",
        lambda s: edits.blocks(s, 40, node="node1", tx_hashes=(), tx_hashes_known=False),
        HOLDS,
        "a list not told",
    ),
    ("state-agreement", "quiet", lambda s: edits.blocks(s, 40, node="node1", tx_hashes=()), VIOLATED, "a list told empty"),
    ("linkage", "quiet", lambda s: edits.blocks(s, 1, parent_hash=FORK), HOLDS, "what block 1 names is not the told hash of genesis"),
    ("linkage", "quiet", lambda s: edits.blocks(s, 2, parent_hash=FORK), VIOLATED, "block 2 names another parent"),
    ("linkage", "quiet", lambda s: edits.blocks(s, 1, parent_number=1), VIOLATED, "block 1 names itself"),
    ("linkage", "quiet", lambda s: replace(s, blocks=tuple(b for b in s.blocks if b.number != 9)), INCONCLUSIVE, "nobody told a block"),
    ("header-hash", "quiet", lambda s: edits.blocks(s, 40, recomputed_hash=""), HOLDS, "a header that lacks a field"),
    (
        "header-hash",
        "quiet",
        lambda s: edits.blocks(s, 40, recomputed_hash=FORK),
        VIOLATED,
        "all nodes tell a hash that is not the header's",
    ),
    ("certificate", "quiet", weighted((1, 1, 1, 1), 0, 1, 2), HOLDS, "three of four"),
    ("certificate", "quiet", weighted((1, 1, 1, 1), 0, 1), VIOLATED, "two of four"),
    ("certificate", "quiet", weighted((3, 1, 1, 1), 0, 1, 2), HOLDS, "weight five of six"),
    ("certificate", "quiet", weighted((3, 1, 1, 1), 1, 2, 3), VIOLATED, "three sealers of weight three of six"),
    ("certificate", "quiet", weighted((1, 1, 1, 2), 0, 3), VIOLATED, "weight three of five, where four are needed"),
    ("certificate", "quiet", weighted((1, 1, 1, 2), 0, 1, 3), HOLDS, "weight four of five"),
    ("empty-certificate", "filler", same, HOLDS, "an empty block, signed"),
    ("one-signature", "quiet", fork_signed_by(3), HOLDS, "two blocks at one height without a common signer"),
    ("one-signature", "quiet", fork_signed_by(2, 3), VIOLATED, "one common signer"),
    # Nothing goes back.
    ("height-monotone", "quiet", told_lower(overlap=True), HOLDS, "a lower height asked before the higher one was answered"),
    ("height-monotone", "quiet", told_lower(), VIOLATED, "a lower height asked after the higher one was answered"),
    ("height-monotone", "quiet", told_lower(wiped=True), HOLDS, "a lower height after a wipe"),
    ("view-monotone", "kill", life(lambda s: Incarnation(7 + (s.sent_s > 50), 1.0)), HOLDS, "a lower view of another process"),
    ("view-monotone", "kill", life(lambda _: None), INCONCLUSIVE, "a lower view of nobody knows which process"),
    ("view-monotone", "kill", life(lambda s: s.incarnation), VIOLATED, "a lower view of the same process"),
    ("consensus-height", "idle", lambda s: edits.samples(s, "node0", consensus_height=0), HOLDS, "a status at the ledger's height"),
    ("height-backed", "idle", ahead(1, 9.0), HOLDS, "a claim too late to be looked into"),
    ("height-backed", "idle", ahead(1, 12.0), VIOLATED, "a claim nobody followed in ten seconds"),
    # Who took part.
    ("no-quorum-no-block", "two", shown_at(20.0, sent_s=17.1), HOLDS, "sealed before what was sent had certainly arrived"),
    ("no-quorum-no-block", "two", shown_at(20.0, sent_s=17.3), VIOLATED, "sealed after that"),
    ("signers-alive", "kill", proposed_by_the_dead(15.9), HOLDS, "signed just after the kill: the signature was on its way"),
    ("signers-alive", "kill", proposed_by_the_dead(16.1), VIOLATED, "signed when nothing could be on its way any more"),
    ("proposer-alive", "kill", proposed_by_the_dead(15.9), HOLDS, "proposed just after the kill"),
    ("proposer-alive", "kill", proposed_by_the_dead(16.1), VIOLATED, "proposed when nothing could be on its way any more"),
    ("signers-alive", "kill", signed_by_the_dead(28.2), VIOLATED, "signed before its new process was started"),
    ("signers-alive", "kill", signed_by_the_dead(29.2), HOLDS, "signed just before: starts are told a little late"),
    ("signers-alive", "kill", signed_by_the_dead(28.2, clock_error_s=2.0), HOLDS, "clocks that differ by two seconds"),
    ("signers-alive", "kill", signed_by_the_dead(26.0, clock_error_s=2.0), VIOLATED, "well before, by any clock"),
    ("signers-alive", "kill", signed_by_the_dead(25.5, clock_error_s=9.0), VIOLATED, "three seconds before its first answer"),
    # Progress.
    ("progress-after-fault", "kill-for-good", recovered(-0.5), HOLDS, "just within the bound"),
    ("progress-after-fault", "kill-for-good", recovered(+1.0), VIOLATED, "just beyond the bound"),
    ("no-stall", "quiet", stalled_for(-1.0), HOLDS, "just within the bound"),
    ("no-stall", "quiet", stalled_for(+1.0), VIOLATED, "just beyond the bound"),
    ("catch-up", "long", caught_up(-1.0), HOLDS, "just in time"),
    ("catch-up", "long", caught_up(+1.0), VIOLATED, "just too late"),
    ("view-convergence", "long", rejoined(-1.0), HOLDS, "just in time"),
    ("view-convergence", "long", rejoined(+1.0), VIOLATED, "just too late"),
    ("process-alive", "quiet", silent_for(9.5), HOLDS, "silent for less than ten seconds"),
    ("process-alive", "quiet", silent_for(11.0), VIOLATED, "silent for more"),
    # Conformance.
    ("empty-view-change", "filler", same, HOLDS, "an empty block at a view change"),
    ("quorum-arithmetic", "quiet", quorum_of(2, times=1), HOLDS, "one odd answer"),
    ("quorum-arithmetic", "quiet", quorum_of(2, times=2), VIOLATED, "two in a row"),
    ("timer-backoff", "two", cycles((18.2, 1), (22.7, 2)), HOLDS, "the second time-out after the first one's 4.5 s"),
    ("timer-backoff", "two", cycles((18.2, 1), (22.7, 2), (29.5, 3)), HOLDS, "and the third after 6.75 s more"),
    ("timer-backoff", "two", cycles((18.2, 1), (20.2, 2), (22.0, 3)), VIOLATED, "three in less than the second timer"),
    ("timer-backoff", "two", cycles((31.0, 10)), VIOLATED, "ten at once"),
    ("timestamps", "quiet", after_shown(0.9), HOLDS, "a second's difference between clocks"),
    ("timestamps", "quiet", after_shown(1.1), VIOLATED, "more than a second"),
    ("timestamps", "quiet", stamped(20, lambda s: stamp_of(s, 19)), HOLDS, "as old as its parent"),
    ("timestamps", "quiet", stamped(80, lambda s: stamp_of(s, 29) + 1, has_clock=False), HOLDS, "newer than 51 below"),
    ("timestamps", "quiet", stamped(80, lambda s: stamp_of(s, 29), has_clock=False), VIOLATED, "as old as 51 below"),
]


@pytest.mark.parametrize(("rule", "name", "edit", "verdict", "what"), BORDERS, ids=[f"{row[0]}: {row[4]}" for row in BORDERS])
def test_the_border_is_where_the_definition_says(rule: str, name: str, edit: Edit, verdict: Verdict, what: str) -> None:
    found = finding(edit(base(name)), rule)
    assert found.verdict is verdict, f"{what}: {found.summary}"
