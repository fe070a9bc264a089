"""FISCO BCOS 2.x: the holes one flag away. Planted bugs are those of the registry: tests/trials/test_gate.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from fiscotool.pbft.dialects import FISCO2
from fiscotool.pbft.effects import Persist, VoteRecord
from fiscotool.pbft.events import PeersChanged
from fiscotool.pbft.fisco2 import state
from fiscotool.pbft.messages import Commit, Prepare, PreparedCertificate, ViewChange
from fiscotool.pbft.rules import Quirk, Rules
from fiscotool.pbft.types import Height, NodeIndex, View
from fiscotool.sim import chain
from fiscotool.sim.cluster import Cluster
from tests.paper.test_fisco2 import enter_view, execute, proposal, sign, view_change
from tests.pbft.dialect_hand import result_of, started
from tests.pbft.hand import d

NONE: frozenset[Quirk] = frozenset()

# Each schedule returns whether what the quirk is about happened.


def amnesia(quirks: frozenset[Quirk]) -> bool:
    """Locked, then restarted: is the lock gone?"""
    hand = started(FISCO2, quirks=quirks)
    execute(hand, "A")
    hand.hear(sign(1, "A"), sign(2, "A"))
    votes = tuple(effect.record for effect in hand.effects if isinstance(effect, Persist) and isinstance(effect.record, VoteRecord))
    return started(FISCO2, quirks=quirks, votes=votes).state.lock is None


def duplicate_signers(quirks: frozenset[Quirk]) -> bool:
    """Do two replicas make a quorum when one of them votes for two views?"""
    hand = started(FISCO2, quirks=quirks)
    votes = (NodeIndex(1), NodeIndex(1), NodeIndex(2))
    return state.is_quorum(hand.state, votes)


def stale_vote_kept(quirks: frozenset[Quirk]) -> bool:
    """Signs for view 1 that arrive in view 0 after Signs of the same block for view 0: are they lost?"""
    hand = started(FISCO2, quirks=quirks)
    hand.hear(sign(1, "A"), sign(2, "A"), sign(1, "A", view=1), sign(2, "A", view=1))
    enter_view(hand, 1)
    execute(hand, "A")
    return not hand.said(Commit)


def early_signs_lost(quirks: frozenset[Quirk]) -> bool:
    """Signs for view 1 that arrive before this replica enters it: are they gone?"""
    hand = started(FISCO2, quirks=quirks)
    hand.hear(sign(1, "A", view=1), sign(2, "A", view=1))
    enter_view(hand, 1)
    execute(hand, "A")
    return not hand.said(Commit)


def future_never_replaced(quirks: frozenset[Quirk]) -> bool:
    """A liar's proposal for view 1, sent in view 0: is the leader's refused when the view comes?"""
    hand = started(FISCO2, quirks=quirks)
    liar = replace(proposal("B", view=1), sender=NodeIndex(1))
    hand.hear(liar, proposal("A", view=1))
    enter_view(hand, 1)
    return not hand.said(Prepare)


SCHEDULES = [amnesia, duplicate_signers, stale_vote_kept, early_signs_lost, future_never_replaced]


@pytest.mark.parametrize("happens", SCHEDULES, ids=lambda schedule: schedule.__name__)
def test_the_hole_is_there_with_the_quirk_and_only_then(happens: Callable[[frozenset[Quirk]], bool]) -> None:
    quirk = Quirk(happens.__name__.replace("_", "-"))
    assert happens(frozenset({quirk}))
    assert not happens(NONE)


@pytest.mark.parametrize("is_fourth_dead", [True, False])
def test_h1_two_locks_stop_a_chain_that_lacks_one_replica(*, is_fourth_dead: bool) -> None:
    """Observables H1 holds for 2.x too: A and B are locked on different blocks, and no certificate can release a lock.

    With one of the others dead no block can get three Signs, for ever; with all alive the later lock's block does.
    """
    cluster = Cluster(Rules((1, 1, 1, 1)), seed=1, dialect=FISCO2)
    cluster.start()
    cluster.run(500)
    for index, name in ((0, "x"), (1, "y")):
        block = chain.make_proposal(Height(1), NodeIndex(index), (name,))
        lock = PreparedCertificate(View(index), block, tuple((NodeIndex(i), b"") for i in (0, 1, 2)))
        cluster.replicas[index].state = cluster.replicas[index].state._replace(lock=lock)
    if is_fourth_dead:
        cluster.crash(3)
    cluster.submit("x", "y", "z")
    cluster.run(300_000)
    assert (max(cluster.heights) == 0) == is_fourth_dead
    assert cluster.violations == []


def test_a_view_change_of_a_restarted_replica_is_heard_after_it_was_gone() -> None:
    """Rule 4 of `report`: without forgetting, its lower view would be older than what it last asked for."""
    hand = started(FISCO2)
    everyone = frozenset(NodeIndex(i) for i in (1, 2, 3))
    hand.give(PeersChanged(everyone, frozenset()))
    hand.hear(view_change(1, 5))
    hand.hear(view_change(1, 2))
    assert (2, 1) not in {(vc.view, vc.sender) for vc in hand.state.view_changes}
    hand.give(PeersChanged(everyone - {NodeIndex(1)}, frozenset()))
    hand.hear(view_change(1, 2))
    assert (2, 1) in {(vc.view, vc.sender) for vc in hand.state.view_changes}


def test_results_are_named_after_their_blocks() -> None:
    assert result_of(d("A")) != d("A")
    assert Height(11) == proposal("A").index
    assert isinstance(view_change(1, 1), ViewChange)
