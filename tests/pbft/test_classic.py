"""PBFT as published: planted bugs that its properties catch, and message counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fiscotool.pbft import reproposal
from fiscotool.pbft.classic import checkpoint, newview, normal, state, timers, viewchange
from fiscotool.pbft.dialects import CLASSIC
from fiscotool.pbft.effects import Broadcast, Effect, Persist, RejectReason, Remember
from fiscotool.pbft.events import PoolSize
from fiscotool.pbft.messages import CheckPoint, Commit, NewView, Prepare, PrePrepare, ViewChange
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.types import Digest, Height, NodeIndex, Ticks, View
from fiscotool.sim.cluster import Cluster
from tests.paper.test_classic import cert, pre, prepare, started, view_change
from tests.pbft.dialect_mutants import CRASHES, Mutant, catch, find_nothing


def weak_quorum(_original: Any) -> Any:
    def is_quorum(replica: state.ReplicaState, voters: tuple[NodeIndex, ...]) -> bool:
        return len(set(voters)) >= replica.quorum_weight - 1

    return is_quorum


def forgets_votes(original: Any) -> Any:
    def bind(replica: state.ReplicaState, slot: state.Slot, view: View, digest: Any, out: list[Effect]) -> state.ReplicaState:
        new: state.ReplicaState = original(replica, slot, view, digest, out)
        out[:] = [effect for effect in out if not isinstance(effect, Persist)]
        return new

    return bind


def hides_certificates(original: Any) -> Any:
    def own_view_change(replica: state.ReplicaState) -> ViewChange:
        message: ViewChange = original(replica)
        return replace(message, prepared=())

    return own_view_change


def enters_anything(_original: Any) -> Any:
    def refuse(replica: state.ReplicaState, message: NewView) -> None:
        del replica, message

    return refuse


def votes_in_view_changes(_original: Any) -> Any:
    def refuse(replica: state.ReplicaState, index: Height, view: View) -> Any:
        if not replica.low < index <= replica.low + state.LOG_BLOCKS:
            return RejectReason.TOO_FAR
        return RejectReason.STALE_VIEW if view < replica.view else None

    return refuse


def talks_in_view_changes(original: Any) -> Any:
    def try_prepared(replica: state.ReplicaState, slot: state.Slot, out: list[Effect]) -> state.ReplicaState:
        if not replica.in_timeout:
            new: state.ReplicaState = original(replica, slot, out)
            return new
        new = original(replica._replace(in_timeout=False, to_view=replica.view), slot, out)
        return new._replace(in_timeout=True, to_view=replica.to_view)

    return try_prepared


def unproven(original: Any) -> Any:
    def collect_garbage(replica: state.ReplicaState, out: list[Effect]) -> state.ReplicaState:
        for index, digest in replica.results:
            proof = tuple(known for known in replica.checkpoints if (known.index, known.digest) == (index, digest))
            if proof:
                return checkpoint.settle(replica, proof[:1], out)
        new: state.ReplicaState = original(replica, out)
        return new

    return collect_garbage


def lies_about_state(original: Any) -> Any:
    def take(replica: state.ReplicaState, index: Height, digest: Any, out: list[Effect]) -> state.ReplicaState:
        new: state.ReplicaState = original(replica, index, digest, out)
        for place, effect in enumerate(out):
            if isinstance(effect, Broadcast) and isinstance(effect.message, CheckPoint) and replica.me == 1:
                out[place] = Broadcast(replace(effect.message, digest=Digest(b"lie")))
        return new

    return take


def view_not_durable(original: Any) -> Any:
    def begin(replica: state.ReplicaState, view: View, out: list[Effect]) -> state.ReplicaState:
        new: state.ReplicaState = original(replica, view, out)
        out[:] = [effect for effect in out if not isinstance(effect, Remember)]
        return new

    return begin


def no_doubling(_original: Any) -> Any:
    return lambda rules, change_cycle: Ticks(rules.timeout_base_ticks + change_cycle)


MUTANTS = [
    Mutant("q-1 prepares and commits (M1, M2)", "certificate", ((normal, "is_quorum"),), weak_quorum),
    Mutant("a NewView of q-1 (M19)", "new-view", ((viewchange, "is_quorum"), (newview, "is_quorum")), weak_quorum),
    Mutant("votes are not durable (M40)", "durable", ((normal, "bind"),), forgets_votes),
    Mutant("certificates are left out (M15)", "lock", ((viewchange, "own_view_change"),), hides_certificates, CRASHES, range(60)),
    Mutant("a NewView is not verified (M16)", "new-view", ((newview, "refuse"),), enters_anything, CRASHES, range(30, 45)),
    Mutant("a checkpoint of one is stable (M3)", "certificate", ((checkpoint, "collect_garbage"),), unproven),
    Mutant("states differ (M38)", "water", ((checkpoint, "take"),), lies_about_state),
    Mutant("the view is not durable (M32)", "durable", ((viewchange, "begin"),), view_not_durable),
    Mutant("no doubling (M28)", "timer", ((timers, "timeout_ticks"),), no_doubling),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_bug_is_caught(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    catch("classic", mutant, monkeypatch)


def test_talking_in_a_view_change_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(normal, "refuse", votes_in_view_changes(normal.refuse))
    monkeypatch.setattr(normal, "try_prepared", talks_in_view_changes(normal.try_prepared))
    hand = started()
    hand.hear(pre(1, "A"))
    hand.give(PoolSize(1))
    hand.expire()
    hand.hear(prepare(2, 1, "A"))
    assert {found.rule for found in hand.complaints} == {"silent"}


def test_the_certificate_of_the_lowest_view_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """M14."""
    monkeypatch.setattr(reproposal, "_rank", lambda found: (-found.view, found.proposal.digest))
    hand = started(me=3)
    hand.hear(view_change(0, 3, cert(1, "A", 0)), view_change(1, 3, cert(1, "B", 2)), view_change(2, 3))
    assert {found.rule for found in hand.complaints} == {"new-view"}


def test_the_same_worlds_find_nothing_wrong_with_the_real_core() -> None:
    find_nothing("classic", MUTANTS)


@pytest.mark.parametrize("n", [4, 7, 16])
def test_a_block_costs_the_messages_of_the_paper(n: int) -> None:
    """(n-1) pre-prepares, (n-1)**2 prepares, n(n-1) commits."""
    cluster = Cluster(Rules((1,) * n), seed=1, dialect=CLASSIC)
    cluster.start()
    cluster.run(500)
    before = dict(cluster.message_counts)
    cluster.submit("a")
    cluster.run(400)
    assert set(cluster.heights) == {1}
    counts = {kind: count - before.get(kind, 0) for kind, count in cluster.message_counts.items() if count != before.get(kind, 0)}
    assert counts == {PrePrepare.__name__: n - 1, Prepare.__name__: (n - 1) ** 2, Commit.__name__: n * (n - 1)}
