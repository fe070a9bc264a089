"""Each hole of 3.16.4 that the core can reproduce: what the hole lets happen, and that it does not happen without the quirk.

Every test runs the same schedule twice. Replica 0 of four, ledger at 10, view 1. Sources: rules.Quirk, spec 3.x 1.17, observables 2.1.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fiscotool.pbft.effects import Execute, Persist, RejectReason, VoteRecord
from fiscotool.pbft.events import Started, TimerFired, TimerName, Verified
from fiscotool.pbft.messages import (
    CheckPoint,
    Commit,
    CommittedProposalResponse,
    NewView,
    Prepare,
    PreparedCertificate,
    PrePrepare,
    RecoverResponse,
)
from fiscotool.pbft.rules import Quirk, Rules
from fiscotool.pbft.types import Height, NodeIndex, View
from fiscotool.sim import chain
from fiscotool.sim.cluster import Cluster
from fiscotool.sim.faults import Trouble, torment
from fiscotool.sim.network import Weather
from tests.pbft.hand import Hand, bare, block, cert, d, pre, replica, restarted, view_change

NONE: frozenset[Quirk] = frozenset()


def amnesia(quirks: frozenset[Quirk]) -> bool:
    """Crash after preparing A; back in the same view, the leader shows B: does it prepare both?"""
    hand = replica(quirks=quirks)
    hand.accept(12, "A")
    hand = restarted(hand)
    hand.give(Started())
    hand.hear(*(RecoverResponse(View(1), Height(10), NodeIndex(sender)) for sender in (1, 2, 3)))
    hand.accept(12, "B")
    return any(violation.rule == "one-prepare" for violation in hand.complaints)


def pull_without_proof(quirks: frozenset[Quirk]) -> bool:
    """In timeout it hears one checkpoint of one liar: does it execute and sign what the liar sends?"""
    hand = replica(quirks=quirks)
    hand.state = hand.state._replace(in_timeout=True, to_view=View(2))
    hand.checkpoints(11, "xF", (3,))
    hand.hear(CommittedProposalResponse(Height(11), NodeIndex(3), block(11, "F")))
    hand.give(Verified(Height(11), d("F"), is_valid=True))
    hand.execute(11, "F")
    return bool(hand.said(CheckPoint))


def duplicate_signers(quirks: frozenset[Quirk]) -> bool:
    """A certificate of one signer, repeated: does it count?"""
    hand = replica(quirks=quirks)
    hand.hear(view_change(3, 3, cert(11, "F", 1, (3, 3, 3))))
    return RejectReason.WEAK_CERTIFICATE not in hand.refusals()


def duplicate_view_changes(quirks: frozenset[Quirk]) -> bool:
    """A NewView of one view change, repeated: is it entered?"""
    hand = replica(quirks=quirks)
    hand.hear(NewView(View(2), Height(10), NodeIndex(1), tuple(view_change(1, 2) for _ in range(3))))
    return hand.state.view == 2


def new_view_unchecked(quirks: frozenset[Quirk]) -> bool:
    """A NewView of someone who does not lead, which hides a prepared block: is it entered?"""
    hand = replica(quirks=quirks)
    shown = (view_change(1, 2, cert(11, "A", 1)), view_change(2, 2), view_change(3, 2))
    hand.hear(NewView(View(2), Height(10), NodeIndex(3), shown))
    return hand.state.view == 2


def higher_view_preprepare(quirks: frozenset[Quirk]) -> bool:
    """The leader of view 1 proposes for view 40: does the replica prepare it (in view 1), so that its honest proposal is lost?"""
    hand = replica(quirks=quirks)
    hand.hear(pre(12, "F", 40, hand.state.rules, sender=1))
    hand.give(Verified(Height(12), d("F"), is_valid=True))
    prepared = [message.view for message in hand.said(Prepare)]
    hand.accept(12, "A")
    return prepared == [1] and not hand.said(Prepare)


def proof_without_view(quirks: frozenset[Quirk]) -> bool:
    """Can votes of view 1 be shown as a certificate of view 4?"""
    rules = Rules((1, 1, 1, 1), quirks=quirks)
    proposal = chain.make_proposal(Height(11), NodeIndex(0), ("a",))
    votes = tuple((NodeIndex(i), chain.proof_signature(rules, NodeIndex(i), 1, 11, proposal.digest)) for i in (0, 1, 2))
    redated = PreparedCertificate(View(4), bare(proposal), votes)
    return chain.is_authentic(view_change(3, 5, redated), rules)


def stale_vote_kept(quirks: frozenset[Quirk]) -> bool:
    """Prepares of view 2 arrive before view 2 does, after prepares of view 1 for the same block: are they lost?"""
    hand = replica(quirks=quirks)
    hand.accept(11, "A")
    hand.prepares(11, "A", (1,))
    hand.prepares(11, "A", (1, 2), view=2)
    hand.lock_by_force(11, "A")
    shown = view_change(1, 2, cert(11, "A", 1))
    hand.enter(2, shown, entries=(PrePrepare(View(2), Height(11), d("A"), NodeIndex(1), bare(block(11, "A"))),))
    return not hand.said(Commit)


def lock_never_released(quirks: frozenset[Quirk]) -> bool:
    """Locked on A in view 1, shown a certificate for B of view 2: does it refuse B for ever (H1)?"""
    hand = replica(quirks=quirks)
    hand.lock(11, "A")
    hand.enter(2)
    shown = (view_change(1, 3, cert(11, "B", 2, (1, 2, 3))), view_change(2, 3), view_change(3, 3))
    entry = PrePrepare(View(3), Height(11), d("B"), NodeIndex(1), bare(block(11, "B")))
    hand.hear(NewView(View(3), Height(10), NodeIndex(2), shown, (entry,)))
    return RejectReason.LOCKED in hand.refusals()


SCHEDULES: list[tuple[Quirk, Callable[[frozenset[Quirk]], bool]]] = [
    (Quirk.AMNESIA, amnesia),
    (Quirk.PULL_WITHOUT_PROOF, pull_without_proof),
    (Quirk.DUPLICATE_SIGNERS, duplicate_signers),
    (Quirk.DUPLICATE_SIGNERS, duplicate_view_changes),
    (Quirk.NEW_VIEW_UNCHECKED, new_view_unchecked),
    (Quirk.HIGHER_VIEW_PREPREPARE, higher_view_preprepare),
    (Quirk.PROOF_WITHOUT_VIEW, proof_without_view),
    (Quirk.STALE_VOTE_KEPT, stale_vote_kept),
    (Quirk.LOCK_NEVER_RELEASED, lock_never_released),
]


@pytest.mark.parametrize(("quirk", "happens"), SCHEDULES, ids=[schedule.__name__ for _, schedule in SCHEDULES])
def test_the_hole_is_there_with_the_quirk_and_only_then(quirk: Quirk, happens: Callable[[frozenset[Quirk]], bool]) -> None:
    assert happens(frozenset({quirk}))
    assert not happens(NONE)


OTHER_DIALECTS = {Quirk.EARLY_SIGNS_LOST, Quirk.FUTURE_NEVER_REPLACED}
"""Holes of fisco2 alone: tests/pbft/test_fisco2.py."""

PUBLIC_BUGS = {quirk for quirk in Quirk if quirk.value[0] == "f" and quirk.value[1].isdigit()}
"""Of earlier releases: tests/pbft/test_public_bugs.py."""


def test_every_quirk_has_a_schedule() -> None:
    assert {quirk for quirk, _ in SCHEDULES} == set(Quirk) - OTHER_DIALECTS - PUBLIC_BUGS


def test_amnesia_writes_no_votes_but_executed_blocks_are_kept() -> None:
    """`pbftCommitDB` is written after execution in 3.16.4 too (spec 1.13)."""
    hand = replica(quirks=frozenset({Quirk.AMNESIA}))
    hand.agree(11, "A")
    hand.execute(11, "A")
    records = [effect.record for effect in hand.effects if isinstance(effect, Persist)]
    assert len(records) == 1
    assert not isinstance(records[0], VoteRecord)
    assert [effect.proposal.index for effect in hand.effects if isinstance(effect, Execute)] == [11]


def test_with_amnesia_crashing_replicas_do_break_rules_that_hold_without_it() -> None:
    """Crashes alone, no Byzantine replica: the votes that are forgotten are cast again otherwise."""

    def complaints(quirks: frozenset[Quirk], seed: int) -> int:
        cluster = Cluster(Rules((1, 1, 1, 1), quirks=quirks), seed=seed, weather=Weather(1, 400, 0.1))
        cluster.start()
        torment(cluster, Trouble(ticks=40_000, action_ticks=300))
        return len(cluster.violations)

    broken = next(seed for seed in range(100) if complaints(frozenset({Quirk.AMNESIA}), seed))
    assert complaints(NONE, broken) == 0


def test_h1_a_lock_that_is_never_released_stops_a_chain_that_the_textbook_rule_keeps_alive() -> None:
    """Observables H1: A locked on X alone, B locked on Y of a later view, D crashed; A, B and C are a quorum, and must agree on Y."""

    def height_after(quirks: frozenset[Quirk]) -> int:
        rules = Rules((1, 1, 1, 1), quirks=quirks)
        cluster = Cluster(rules, seed=1)
        cluster.start()
        cluster.run(4_000)
        locks = {0: ("x", 1), 1: ("y", 2)}
        for index, (name, view) in locks.items():
            proposal = chain.make_proposal(Height(1), NodeIndex(index), (name,))
            signed = tuple((NodeIndex(i), chain.proof_signature(rules, NodeIndex(i), view, 1, proposal.digest)) for i in (0, 1, 2))
            lock = PreparedCertificate(View(view), proposal, signed)
            replica_ = cluster.replicas[index]
            state = replica_.state
            assert state is not None
            slot = Hand(state).slot(1)._replace(cert=lock, voted_view=View(view), voted_digest=proposal.digest)
            replica_.state = state._replace(slots=(slot,))
        cluster.crash(3)
        cluster.submit("y", "x", "z")
        for replica_ in cluster.replicas[:3]:
            assert replica_.state is not None
            cluster.post(replica_, TimerFired(TimerName.VIEW, replica_.state.timer_epoch))
        cluster.run(120_000)
        return min(cluster.heights[:3])

    assert height_after(NONE) >= 1
    assert height_after(frozenset({Quirk.LOCK_NEVER_RELEASED})) == 0
