"""Planted bugs: each replaces one function of the core everywhere it was imported, and names a schedule that shows the bug.

The bugs are those of real PBFT implementations (observables 2.2, 4.1: F1-F18, M1-M50). A schedule returns what the properties,
or a promise of liveness, have against the run; `test_mutants.py` requires something of the mutant and nothing of the real core.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

import fiscotool.pbft
from fiscotool.pbft import (
    checkpoint,
    local_properties,
    newview,
    normal,
    properties,
    quorum,
    recovery,
    reproposal,
    sealing,
    state,
    step,
    timers,
    viewchange,
    voting,
)
from fiscotool.pbft.effects import Broadcast, Effect, Execute, Persist, RejectReason
from fiscotool.pbft.events import Started, TimerFired, TimerName
from fiscotool.pbft.messages import Message, NewView, PrePrepare, RecoverResponse, ViewChange
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.shortcut import without_shortcut
from fiscotool.pbft.state import ReplicaState, Slot, put_slot
from fiscotool.pbft.types import Height, NodeIndex, Ticks, View
from fiscotool.sim import chain
from fiscotool.sim.adversary import DoubleVote, Equivocate, Honest, Sent, Silent, Strategy, others
from fiscotool.sim.cluster import Cluster
from fiscotool.sim.faults import Trouble, recover, torment
from fiscotool.sim.network import Weather
from fiscotool.sim.replica import Replica
from fiscotool.sim.world import World
from tests.pbft.hand import Hand, cert, replica, restarted, view_change

JUDGES = {properties.__name__, local_properties.__name__}
"""Modules that judge: a planted bug must not reach them."""

Patch = Callable[[Callable[..., Any], Callable[..., Any]], None]
Schedule = Callable[[], list[str]]


def patcher(monkeypatch: pytest.MonkeyPatch) -> Patch:
    """Replaces a function in every module of the room that holds it."""

    def patch(original: Callable[..., Any], mutant: Callable[..., Any]) -> None:
        monkeypatch.setattr(step, "count_vote", without_shortcut)
        count = 0
        for info in pkgutil.iter_modules(fiscotool.pbft.__path__, "fiscotool.pbft."):
            module = importlib.import_module(info.name)
            if info.name in JUDGES or getattr(module, original.__name__, None) is not original:
                continue
            monkeypatch.setattr(module, original.__name__, mutant)
            count += 1
        assert count >= 1

    return patch


# Adversaries for the schedules


class Stutter(Honest):
    """As a leader proposes two blocks, both to everyone."""

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        sent: Sent = [(to, message) for to in others(replica)]
        if isinstance(message, PrePrepare):
            twin = chain.make_proposal(message.index, replica.index, chain.transactions_of(message.proposal), salt="twin")
            other = chain.sign(replace(message, digest=twin.digest, proposal=twin), replica.rules)
            sent += [(to, other) for to in others(replica)]
        return sent


class Usurper(Honest):
    """Leaves out of its NewViews what was prepared."""

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        if isinstance(message, NewView):
            message = replace(message, preprepares=())
        return [(to, message) for to in others(replica)]


class Impostor(Honest):
    """Proposes out of turn whatever the height."""

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        state_ = replica.state
        assert state_ is not None
        block = chain.make_proposal(Height(replica.height + 1), replica.index, ("impostor",), salt=str(world.rng.random()))
        forged = PrePrepare(state_.view, block.index, block.digest, replica.index, block)
        return [(to, sent) for to in others(replica) for sent in (message, forged)]


class FarView(Honest):
    """Asks for a view far away, with a real signature."""

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        if isinstance(message, ViewChange):
            message = replace(message, view=View(1_000))
        return [(to, message) for to in others(replica)]


# Schedules


def said(cluster: Cluster) -> list[str]:
    """What the properties have against the run."""
    return [f"{violation.rule}: {violation.detail}" for violation in cluster.violations]


def calm() -> list[str]:
    """A healthy chain makes blocks."""
    cluster = Cluster(Rules((1, 1, 1, 1)), seed=1)
    cluster.start()
    cluster.run(4_000)
    for number in range(6):
        cluster.submit(f"t{number}")
        cluster.run(400)
    late = [] if min(cluster.heights) >= 5 else [f"liveness: heights {cluster.heights}"]
    return said(cluster) + late


def storms(strategy: type[Strategy] | None = None, *, runs: int = 25, first_seed: int = 0, stays: bool = False) -> Schedule:
    """Many seeded runs with crashes, partitions, loss and duplicates; stops at the first complaint."""

    def schedule() -> list[str]:
        for seed in range(first_seed, first_seed + runs):
            strategies: dict[int, Strategy] = {} if strategy is None else {seed % 4: strategy()}
            weather = Weather(1, (10, 100, 1_000)[seed % 3], loss_probability=0.05, duplicate_probability=0.1)
            cluster = Cluster(
                Rules((1, 1, 1, 1), leader_period_blocks=1 + 2 * (seed % 2)), seed=seed, weather=weather, strategies=strategies
            )
            cluster.start()
            torment(cluster, Trouble(ticks=15_000, crashes=not stays))
            late = [] if cluster.violations or recover(cluster) else [f"liveness: heights {cluster.heights} with seed {seed}"]
            if found := said(cluster) + late:
                return found
        return []

    return schedule


def slow_executor() -> list[str]:
    """Executing a block takes longer than the timeout."""
    cluster = Cluster(Rules((1, 1, 1, 1)), seed=1)
    cluster.start()
    cluster.run(4_000)
    cluster.pace = replace(cluster.pace, execute_ticks=4_000)
    cluster.submit("a")
    cluster.run(20_000)
    return said(cluster)


def lost_quorum() -> list[str]:
    """Two of four are down for a minute, then come back."""
    cluster = Cluster(Rules((1, 1, 1, 1)), seed=1)
    cluster.start()
    cluster.run(4_000)
    cluster.crash(0)
    cluster.crash(1)
    cluster.submit("a")
    cluster.run(60_000)
    return said(cluster)


def two_restarted() -> list[str]:
    """Two of four come back to an idle chain; they must not trust two answers."""
    cluster = Cluster(Rules((1, 1, 1, 1)), seed=1)
    cluster.start()
    cluster.run(4_000)
    cluster.crash(0)
    cluster.crash(1)
    cluster.start([0, 1])
    cluster.run(10_000)
    return said(cluster)


def a_far_view() -> list[str]:
    """One member asks for view 1000 while another is down."""
    cluster = Cluster(Rules((1, 1, 1, 1)), seed=1, strategies={3: FarView()})
    cluster.start()
    cluster.run(10_000)
    cluster.submit("a")
    cluster.run(20_000)
    return said(cluster)


def gap() -> list[str]:
    """Leader period 4: a block in the middle is lost for some, later ones are prepared; the gap must be filled."""
    found = []
    for seed in range(12):
        cluster = Cluster(Rules((1, 1, 1, 1), leader_period_blocks=8), seed=seed, weather=Weather(1, 10, loss_probability=0.3))
        cluster.start()
        cluster.run(12_000)
        for number in range(40):
            cluster.submit(f"t{number}")
            cluster.run(80)
        late = [] if recover(cluster) else [f"liveness: heights {cluster.heights} with seed {seed}"]
        found += said(cluster) + late
        if found:
            break
    return found


def complaints(hand: Hand) -> list[str]:
    """What the properties have against a replica driven by hand."""
    return [f"{violation.rule}: {violation.detail}" for violation in hand.complaints]


def another_block_for_a_locked_replica() -> list[str]:
    """Locked on A at 11; the next view's NewView shows nothing, its leader proposes B."""
    hand = replica()
    hand.lock(11, "A")
    hand.enter(2)
    hand.accept(11, "B")
    return complaints(hand)


def another_block_after_a_restart() -> list[str]:
    """It prepared A in view 1, crashed, recovered view 1; the leader shows B now."""
    hand = replica()
    hand.accept(11, "A")
    hand = restarted(hand)
    hand.give(Started())
    hand.hear(*(RecoverResponse(View(1), Height(10), NodeIndex(sender)) for sender in (1, 2, 3)))
    hand.accept(11, "B")
    return complaints(hand)


def two_certificates_for_one_height() -> list[str]:
    """The leader of view 5 hears of A prepared in view 1 and B prepared in view 2."""
    hand = replica()
    hand.give(TimerFired(TimerName.VIEW, hand.state.timer_epoch))
    hand.state = hand.state._replace(to_view=View(5), in_timeout=True)
    hand.hear(view_change(0, 5), view_change(1, 5, cert(11, "A", 1)), view_change(2, 5, cert(11, "B", 2)))
    assert hand.said(NewView)
    return complaints(hand)


# Planted bugs


def _quorum_less_one(patch: Patch) -> None:
    real = quorum.quorum_weight
    patch(real, lambda total: real(total) - 1)


def _pool_hashes(patch: Patch) -> None:
    def matching(state_: ReplicaState, votes: tuple[Any, ...], pre: PrePrepare) -> tuple[tuple[NodeIndex, bytes], ...]:
        return tuple((vote.sender, getattr(vote, "signature", b"")) for vote in votes if vote.view == pre.view)

    patch(normal.matching, matching)


def _ignore(patch: Patch, *reasons: RejectReason) -> None:
    real = voting.conflict

    def conflict(state_: ReplicaState, slot: Slot, pre: PrePrepare, proven_view: View = state.NO_VIEW) -> RejectReason | None:
        reason = real(state_, slot, pre, proven_view)
        return None if reason in reasons else reason

    patch(real, conflict)


def _no_lock(patch: Patch) -> None:
    _ignore(patch, RejectReason.LOCKED)


def _second_replaces_first(patch: Patch) -> None:
    _ignore(patch, RejectReason.EQUIVOCATION, RejectReason.ALREADY_VOTED)


def _forget_votes(patch: Patch) -> None:
    _ignore(patch, RejectReason.ALREADY_VOTED)


def _ignore_certificates(patch: Patch) -> None:
    patch(reproposal.reproposals_of, lambda _view_changes: {})


def _lowest_view_wins(patch: Patch) -> None:
    patch(reproposal._rank, lambda cert: (-cert.view, cert.proposal.digest))


def _unverified_new_view(patch: Patch) -> None:
    patch(reproposal.follows, lambda _message: True)


def _skip_gaps(patch: Patch) -> None:
    real = reproposal.reproposals_of
    patch(real, lambda view_changes: {index: found for index, found in real(view_changes).items() if found is not None})


def _duplicate_votes(patch: Patch) -> None:
    def add_vote(state_: ReplicaState, votes: tuple[Any, ...], message: Any, out: list[Effect]) -> tuple[Any, ...]:
        return tuple(sorted((*votes, message), key=lambda vote: vote.sender))

    patch(normal.add_vote, add_vote)
    patch(quorum.weight_of, quorum.weight_with_repeats)


def _recover_with_f_plus_1(patch: Patch) -> None:
    real = recovery._recoverable_view
    patch(real, lambda state_, answers: real(state_._replace(quorum_weight=state_.join_weight), answers))


def _new_view_with_q_less_1(patch: Patch) -> None:
    real = viewchange._usable
    patch(real, lambda state_: real(state_._replace(quorum_weight=state_.quorum_weight - 1)))


def _join_different_views(patch: Patch) -> None:
    def join(state_: ReplicaState, out: list[Effect]) -> ReplicaState:
        ahead = [vc for vc in state_.view_changes if vc.view > state_.to_view]
        if len({vc.sender for vc in ahead}) < 1:
            return state_
        return viewchange.begin(state_._replace(to_view=View(max(vc.view for vc in ahead) - 1)), out, is_timeout=False)

    patch(newview.weight_for, lambda state_, _view_changes: state_.quorum_weight)
    patch(viewchange.join, join)


def _checkpoint_with_f_plus_1(patch: Patch) -> None:
    real = checkpoint.try_stable
    patch(
        real,
        lambda state_, out: (
            new._replace(quorum_weight=state_.quorum_weight)
            if (new := real(lowered := state_._replace(quorum_weight=state_.join_weight), out)) is not lowered
            else state_
        ),
    )


def _execute_out_of_order(patch: Patch) -> None:
    def try_execute(state_: ReplicaState, out: list[Effect]) -> ReplicaState:
        for slot in reversed(state_.slots):
            if slot.agreed is not None and not slot.is_executing and not slot.block_hash:
                out.append(Execute(slot.agreed))
                return put_slot(state_, slot._replace(is_executing=True))
        return state_

    patch(checkpoint.try_execute, try_execute)


def _anyone_leads(patch: Patch) -> None:
    real = normal.on_preprepare

    def on_preprepare(state_: ReplicaState, message: PrePrepare, out: list[Effect]) -> ReplicaState:
        new = real(state_, message, out)
        if new is state_ and out and getattr(out[-1], "reason", None) is RejectReason.NOT_THE_LEADER:
            slot = state.slot_at(state_, message.index)
            if slot.pre is None and voting.conflict(state_, slot, message) is None:
                return voting.accept(state_, slot, message, out)
        return new

    patch(real, on_preprepare)


def _send_before_persist(patch: Patch) -> None:
    real = voting.accept

    def accept(state_: ReplicaState, slot: Slot, pre: PrePrepare, out: list[Effect], *, is_own: bool = False) -> ReplicaState:
        mine: list[Effect] = []
        new = real(state_, slot, pre, mine, is_own=is_own)
        out += [effect for effect in mine if isinstance(effect, Broadcast)]
        out += [effect for effect in mine if not isinstance(effect, Broadcast)]
        return new

    patch(real, accept)


def _never_persist(patch: Patch) -> None:
    real = voting.accept

    def accept(state_: ReplicaState, slot: Slot, pre: PrePrepare, out: list[Effect], *, is_own: bool = False) -> ReplicaState:
        mine: list[Effect] = []
        new = real(state_, slot, pre, mine, is_own=is_own)
        out += [effect for effect in mine if not isinstance(effect, Persist)]
        return new

    patch(real, accept)


def _constant_timeout(patch: Patch) -> None:
    patch(timers.timeout_ticks, lambda rules, _cycle: Ticks(rules.timeout_base_ticks))


def _impatient_timer(patch: Patch) -> None:
    real = viewchange.on_timer

    def on_timer(state_: ReplicaState, epoch: int, out: list[Effect]) -> ReplicaState:
        if epoch == state_.timer_epoch and state_.me is not None and any(slot.is_executing for slot in state_.slots):
            return viewchange.begin(state_, out, is_timeout=True)
        return real(state_, epoch, out)

    patch(real, on_timer)


def _trust_pulled(patch: Patch) -> None:
    patch(checkpoint.has_support, lambda _state, _slot, _block_hash: True)


def _silent_sealer(patch: Patch) -> None:
    patch(sealing.notify, lambda state_, _out: state_)


def _never_enter(patch: Patch) -> None:
    patch(newview.refuse_new_view, lambda _state, _message: RejectReason.NOT_ENOUGH_WEIGHT)


@dataclass(frozen=True)
class Mutant:
    """A planted bug: `source` says where such a bug was seen or listed."""

    name: str
    plant: Callable[[Patch], None]
    schedule: Schedule
    source: str
    shows: str


MUTANTS = [
    Mutant("quorum is one less", _quorum_less_one, storms(), "M1-M4", "certificate"),
    Mutant("votes for different hashes are pooled", _pool_hashes, storms(Equivocate), "M8", "certificate"),
    Mutant("no lock check", _no_lock, another_block_for_a_locked_replica, "M12", "locked"),
    Mutant("a second pre-prepare replaces the first", _second_replaces_first, storms(Stutter, stays=True), "M11", "one-prepare"),
    Mutant("votes from before a restart are ignored", _forget_votes, another_block_after_a_restart, "M40", "one-prepare"),
    Mutant("NewView ignores certificates", _ignore_certificates, storms(), "M15", "new-view"),
    Mutant("NewView takes the certificate of the lowest view", _lowest_view_wins, two_certificates_for_one_height, "M14", "new-view"),
    Mutant("backups do not check what a NewView proposes", _unverified_new_view, storms(Usurper, runs=60), "M16, FIB-124", "new-view"),
    Mutant("gaps are skipped", _skip_gaps, gap, "M24", "new-view"),
    Mutant("duplicate votes are counted", _duplicate_votes, storms(), "M6, H3", "certificate"),
    Mutant("a view is recovered from f+1 answers", _recover_with_f_plus_1, two_restarted, "M30", "recovered"),
    Mutant("a NewView is issued with q-1 view changes", _new_view_with_q_less_1, storms(), "M19", "new-view"),
    Mutant("view changes for different views are added up", _join_different_views, a_far_view, "F1, CVE-2022-26534", "joined"),
    Mutant("a block is stable with f+1 checkpoints", _checkpoint_with_f_plus_1, calm, "M3", "certificate"),
    Mutant("blocks are executed out of order", _execute_out_of_order, gap, "M37", "executed"),
    Mutant("anyone may propose", _anyone_leads, storms(Impostor, stays=True), "M10", "leader"),
    Mutant("a vote leaves before it is durable", _send_before_persist, calm, "M40, amnesia", "durable"),
    Mutant("votes are never durable", _never_persist, calm, "M40, amnesia", "durable"),
    Mutant("the timeout does not grow", _constant_timeout, lost_quorum, "M28, F12", "timer"),
    Mutant("the timer fires while executing", _impatient_timer, slow_executor, "M29", "timer"),
    Mutant("a pulled proposal is trusted", _trust_pulled, storms(DoubleVote, runs=60), "FIB-127", "executed"),
    Mutant("the sealer is never told", _silent_sealer, calm, "F16", "liveness"),
    Mutant("no NewView is good enough", _never_enter, storms(Silent, runs=3), "F16", "liveness"),
]
