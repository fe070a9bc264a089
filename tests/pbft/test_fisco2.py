"""FISCO BCOS 2.x: the holes one flag away, and planted bugs that its properties catch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fiscotool.pbft.dialects import FISCO2
from fiscotool.pbft.effects import CommitBlock, Effect, Persist, RejectReason, VerifyProposal, VoteRecord
from fiscotool.pbft.events import PeersChanged
from fiscotool.pbft.fisco2 import proposing, report, sealing, signing, state, timers, viewchange
from fiscotool.pbft.messages import Commit, Prepare, PreparedCertificate, PrePrepare, ViewChange
from fiscotool.pbft.rules import Quirk, Rules
from fiscotool.pbft.types import Height, NodeIndex, Ticks, View
from fiscotool.sim import chain
from fiscotool.sim.cluster import Cluster
from tests.paper.test_fisco2 import enter_view, execute, proposal, sign, view_change
from tests.pbft.dialect_hand import result_of, started
from tests.pbft.dialect_mutants import CRASHES, Mutant, catch, find_nothing
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


# Planted bugs


def weak_quorum(_original: Any) -> Any:
    def is_quorum(replica: state.ReplicaState, voters: tuple[NodeIndex, ...]) -> bool:
        return len(set(voters)) >= replica.quorum_weight - 1

    return is_quorum


def blind_lock(original: Any) -> Any:
    def refuse(replica: state.ReplicaState, message: PrePrepare) -> RejectReason | None:
        reason: RejectReason | None = original(replica, message)
        return None if reason is RejectReason.LOCKED else reason

    return refuse


def anyone_leads(original: Any) -> Any:
    def leader(replica: state.ReplicaState) -> NodeIndex | None:
        return None if replica.leader_failed else replica.me if replica.raw is None else original(replica)

    return leader


def commit_before_lock(original: Any) -> Any:
    def try_commit(replica: state.ReplicaState, out: list[Effect]) -> state.ReplicaState:
        new: state.ReplicaState = original(replica, out)
        out[:] = [effect for effect in out if not isinstance(effect, Persist)]
        return new

    return try_commit


def early_save(original: Any) -> Any:
    def try_save(replica: state.ReplicaState, out: list[Effect]) -> state.ReplicaState:
        raw = replica.raw
        if raw is None or replica.is_saving or replica.phase is not state.Phase.EXECUTED:
            new: state.ReplicaState = original(replica, out)
            return new
        signed = signing.matching(replica, replica.commits)
        if len(signed) < 2:
            return replica
        out.append(CommitBlock(raw.index, raw.digest, replica.executed_hash, signed))
        return replica._replace(is_saving=True)

    return try_save


def view_survives(original: Any) -> Any:
    def on_ledger_advanced(replica: state.ReplicaState, event: Any, out: list[Effect]) -> state.ReplicaState:
        new: state.ReplicaState = original(replica, event, out)
        return new._replace(view=View(max(replica.view - 1, 0)), to_view=View(0))

    return on_ledger_advanced


def eager_join(original: Any) -> Any:
    def join(replica: state.ReplicaState, out: list[Effect]) -> state.ReplicaState:
        above = [vc.view for vc in replica.latest if vc.view > replica.to_view]
        return viewchange.begin(replica._replace(to_view=View(max(above) - 1)), out) if above else original(replica, out)

    return join


def impatient(original: Any) -> Any:
    def on_timer(replica: state.ReplicaState, epoch: int, out: list[Effect]) -> state.ReplicaState:
        calm = replica._replace(phase=state.Phase.EXECUTED) if replica.phase is state.Phase.EXECUTING else replica
        new: state.ReplicaState = original(calm, epoch, out)
        return replica if new is calm else new

    return on_timer


def no_growth(_original: Any) -> Any:
    return lambda base_ticks, change_cycle: Ticks(base_ticks + change_cycle)


def signed_empty(original: Any) -> Any:
    def on_preprepare(replica: state.ReplicaState, message: PrePrepare, out: list[Effect]) -> state.ReplicaState:
        if message.proposal.is_filler and message.view == replica.view and message.index == replica.height + 1 and replica.raw is None:
            out.append(VerifyProposal(message.proposal, message.sender))
            return sealing.take(replica, message, out)._replace(phase=state.Phase.CHECKING)
        new: state.ReplicaState = original(replica, message, out)
        return new

    return on_preprepare


MUTANTS = [
    Mutant("q-1 decides (M1, M2)", "certificate", ((signing, "is_quorum"), (viewchange, "is_quorum")), weak_quorum, CRASHES),
    Mutant("a view is entered by q-1 (M19)", "view", ((viewchange, "is_quorum"),), weak_quorum, CRASHES),
    Mutant("the lock is not asked (M12)", "one-lock", ((proposing, "refuse"),), blind_lock, CRASHES, range(200)),
    Mutant("everyone believes to lead (M10, M46)", "leader", ((sealing, "leader"), (proposing, "leader")), anyone_leads, CRASHES),
    Mutant("the lock is not durable (M40)", "durable", ((signing, "try_commit"),), commit_before_lock, CRASHES),
    Mutant("written with two Commits (M41)", "certificate", ((signing, "try_save"),), early_save, CRASHES),
    Mutant("the view survives a block", "monotone", ((report, "on_ledger_advanced"),), view_survives, CRASHES, range(40)),
    Mutant("one far view drags all (M21, F1)", "view", ((viewchange, "join"),), eager_join, CRASHES),
    Mutant("times out while executing (M29)", "timer", ((viewchange, "on_timer"),), impatient, {**CRASHES, "execute_ticks": 4_000}),
    Mutant("no back-off (M28)", "timer", ((timers, "grown_ticks"),), no_growth, CRASHES),
    Mutant("empty blocks are signed", "leader", ((proposing, "on_preprepare"),), signed_empty, CRASHES),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_bug_is_caught(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    catch("fisco2", mutant, monkeypatch)


def test_the_same_worlds_find_nothing_wrong_with_the_real_core() -> None:
    find_nothing("fisco2", MUTANTS)


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
