"""Simulated worlds that begin in a corner: states that a run reaches once in a blue moon, set up by hand.

    two_locks     A is locked on X of view 1, B on Y of view 2, D is down: A, B and C are a quorum and must agree (observables H1)
    redated       a quorum is locked on Y of view 2, one agreed on it; a liar shows X of view 1 as one of a later view (H4)
    twice_asked   a replica that prepared a block crashes; back in its view, a lying leader shows it another (amnesia)
    old_list      all hold a certificate for the block after the one that changes the weights, and the next leader dies (F7)

All of fisco3. A correct core goes on without a complaint from each.
"""

from __future__ import annotations

from fiscotool.pbft.events import TimerFired, TimerName
from fiscotool.pbft.messages import Message, PreparedCertificate, PrePrepare
from fiscotool.pbft.quorum import leader_of
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.state import ReplicaState, put_slot, slot_at
from fiscotool.pbft.types import Height, NodeIndex, View
from fiscotool.sim import chain
from fiscotool.sim.adversary import Honest, Sent, others
from fiscotool.sim.cluster import Cluster
from fiscotool.sim.replica import Replica
from fiscotool.sim.world import World
from fiscotool.trials.liars import Redater
from fiscotool.trials.place import Place, complaints

FIRST = Height(1)


def _certificate(rules: Rules, maker: int, name: str, view: int) -> PreparedCertificate:
    """Votes of a quorum for a block of height 1."""
    proposal = chain.make_proposal(FIRST, NodeIndex(maker), (name,))
    signed = tuple((NodeIndex(i), chain.proof_signature(rules, NodeIndex(i), view, 1, proposal.digest)) for i in (0, 1, 2))
    return PreparedCertificate(View(view), proposal, signed)


def _lock(replica: Replica, cert: PreparedCertificate) -> None:
    """The replica has prepared this, and nothing else."""
    state = replica.state
    assert isinstance(state, ReplicaState)
    slot = slot_at(state, FIRST)._replace(cert=cert, voted_view=cert.view, voted_digest=cert.proposal.digest)
    replica.state = put_slot(state._replace(slots=()), slot)


def _expire(cluster: Cluster, who: tuple[int, ...]) -> None:
    """View timers run out."""
    for index in who:
        replica = cluster.replicas[index]
        assert replica.state is not None
        cluster.post(replica, TimerFired(TimerName.VIEW, replica.state.timer_epoch))


def two_locks(place: Place, seed: int) -> tuple[str, ...]:
    """Who is locked on the older block must let it go."""
    cluster = place.make(place.rules(), seed=seed, dialect=place.dialect)
    cluster.start()
    cluster.run(4_000)
    _lock(cluster.replicas[0], _certificate(place.rules(), 0, "x", 1))
    _lock(cluster.replicas[1], _certificate(place.rules(), 1, "y", 2))
    cluster.crash(3)
    cluster.submit("y", "x", "z")
    _expire(cluster, (0, 1, 2))
    cluster.run(120_000)
    return complaints(cluster, is_live=min(cluster.heights[:3]) >= 1)


def redated(place: Place, seed: int) -> tuple[str, ...]:
    """What a quorum prepared last must win."""
    cluster = place.make(place.rules(), seed=seed, dialect=place.dialect, strategies={3: Redater()})
    cluster.start()
    cluster.run(4_000)
    rules = place.rules()
    newer = _certificate(rules, 1, "y", 2)
    for index in (0, 1, 2):
        _lock(cluster.replicas[index], newer)
    _lock(cluster.replicas[3], _certificate(rules, 0, "x", 1))
    known = getattr(cluster.history, "agreed", None)  # fisco3's own; an observer has none
    if known is not None:
        known[(FIRST, rules)] = ("node1", newer.proposal.digest, View(2))
    cluster.crash(2)
    for index in (0, 1, 3):
        state = cluster.replicas[index].state
        cluster.replicas[index].state = state._replace(view=View(6), to_view=View(6))
    cluster.submit("z")
    _expire(cluster, (0, 1, 3))
    cluster.run(30_000)
    return complaints(cluster, is_live=True)


class _Fickle(Honest):
    """As a leader it proposes to one replica only, and something else each time it tells that replica where the others are."""

    def __init__(self, target: int) -> None:
        self._target = target

    def _another(self, world: World, replica: Replica) -> Message:
        state = replica.state
        assert state is not None
        index = Height(replica.height + 1)
        block = chain.make_proposal(index, replica.index, ("fickle",), salt=str(world.rng.random()))
        return PrePrepare(state.view, index, block.digest, replica.index, block)

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        """Proposals to the one."""
        assert world.replicas
        to_whom = [self._target] if isinstance(message, PrePrepare) else others(replica)
        return [(to, message) for to in to_whom]

    def send(self, world: World, replica: Replica, to: int, message: Message) -> Sent:
        """A proposal with every answer to the one."""
        sent: Sent = [(to, message)]
        return [*sent, (to, self._another(world, replica))] if to == self._target else sent


def twice_asked(place: Place, seed: int) -> tuple[str, ...]:
    """The one prepares, crashes, recovers the same view, and is shown another block."""
    rules = place.rules(leader_period_blocks=20)
    cluster = place.make(rules, seed=seed, dialect=place.dialect)
    cluster.start()
    cluster.run(4_000)
    leader = next((index for index in range(4) if cluster.replicas[index].state.view % 4 == index), 0)
    victim = (leader + 1) % 4
    cluster.strategies[leader] = _Fickle(victim)
    for number in range(6):
        cluster.submit(f"t{number}")
        cluster.run(150)
        cluster.crash(victim)
        cluster.start([victim])
        cluster.run(200)
        _expire(cluster, (victim,))
        cluster.run(400)
    return complaints(cluster, is_live=True)


def old_list(place: Place, seed: int) -> tuple[str, ...]:
    """Certificates whose signers are no quorum under the new weights must not be shown when the view changes."""
    cluster = place.make(place.rules(), seed=seed, dialect=place.dialect)
    cluster.start()
    cluster.run(4_000)
    rules = place.rules()
    second = Height(2)
    view = max(replica.state.view for replica in cluster.replicas)
    dying = int(leader_of(second, view, rules))
    light, middle, heavy = ((dying + k) % 4 for k in (1, 2, 3))
    proposal = chain.make_proposal(second, NodeIndex(light), ("old",))
    signed = tuple(
        (NodeIndex(i), chain.proof_signature(rules, NodeIndex(i), view, second, proposal.digest)) for i in sorted((dying, light, middle))
    )
    cert = PreparedCertificate(view, proposal, signed)
    for replica in cluster.replicas:
        slot = slot_at(replica.state, second)._replace(cert=cert, voted_view=view, voted_digest=proposal.digest)
        replica.state = put_slot(put_slot(replica.state, slot_at(replica.state, FIRST)), slot)
    weights = {dying: 1, light: 1, middle: 2, heavy: 3}
    cluster.submit(f"weights:{','.join(str(weights[i]) for i in range(4))}#1")
    cluster.run(10_000, until=lambda: min(cluster.heights) >= 1)
    cluster.crash(dying)
    cluster.submit("after")
    left = [replica for replica in cluster.replicas if replica.index != dying]
    is_live = cluster.run(60_000, until=lambda: min(replica.height for replica in left) >= second)
    return complaints(cluster, is_live=is_live)
