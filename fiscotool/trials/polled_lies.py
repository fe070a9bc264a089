"""Scenes with a liar that goes for one thing, and keeps quiet in the end.

usurped     it proposes whatever clients send, before the leader does
shown       it shows certificates in its view changes that nobody else has
far         it asks for a view far away when the leader is not heard
replayed    as a new leader it sends its NewView again and again, and nothing else
broken      it is any liar of all, among crashes, splits and lost messages
"""

from __future__ import annotations

from fiscotool.pbft.events import Received
from fiscotool.pbft.messages import Message, NewView, PrePrepare
from fiscotool.pbft.types import Height, View
from fiscotool.sim import chain
from fiscotool.sim.adversary import Honest, Sent, others
from fiscotool.sim.polled import PolledCluster
from fiscotool.sim.replica import Replica
from fiscotool.sim.world import Pace, World
from fiscotool.trials.place import Place
from fiscotool.trials.polled_stage import ALL_LIARS, peace, scene_of, stage_loss


def usurped(place: Place, seed: int) -> PolledCluster:
    """A liar proposes whatever clients send, before the leader does; in some worlds for a view that is to come."""
    cluster = scene_of(place, seed, pace=Pace(seal_ticks=400))
    liar = cluster.replicas[seed % 4]
    cluster.strategies[liar.index] = Honest()
    for number in range(8):
        cluster.submit(f"t{number}")
        view = View(liar.state.view + (0, 1, 4)[seed // 4 % 3])
        block = chain.make_proposal(Height(liar.height + 1), liar.index, (f"t{number}",), salt=str(number))
        sent = chain.sign(PrePrepare(view, block.index, block.digest, liar.index, block), liar.rules)
        for to in others(liar):
            cluster.post(cluster.replicas[to], Received(sent), 5)
        cluster.run(2_000)
    return peace(cluster)


def shown(place: Place, seed: int) -> PolledCluster:
    """A liar shows certificates in its view changes that nobody else has: forged, of its own, dated otherwise."""
    cluster = scene_of(place, seed)
    liar = seed % 4
    for number in range(4):
        cluster.strategies[liar] = ALL_LIARS[("forger", "usurper", "redater", "impostor")[seed // 4 % 4]]()
        cluster.lose(lambda _sender, to, message: isinstance(message, PrePrepare) and to != liar)
        cluster.submit(f"t{number}")
        cluster.run(6_000)
        cluster.lose(None)
        cluster.run(3_000)
    return peace(cluster)


def far(place: Place, seed: int) -> PolledCluster:
    """The leader dies, and a liar asks for a view far away."""
    cluster = scene_of(place, seed)
    rng = cluster.rng
    weights = (2, 2, 2, 1)
    if seed % 2:
        cluster.submit(f"weights:{','.join(map(str, weights))}#1")
        cluster.run(2_000)
    order = sorted(range(3), key=lambda _: rng.random())
    cluster.strategies[order[0]] = ALL_LIARS["farview"]()
    for number in range(3):
        cluster.submit(f"t{number}")
        cluster.lose(lambda _sender, to, message: isinstance(message, PrePrepare) and to != order[0])
        cluster.run(9_000)
        cluster.lose(None)
        cluster.run(4_000)
    return peace(cluster)


def replayed(place: Place, seed: int) -> PolledCluster:
    """A new leader sends its NewView again and again, and nothing else."""
    cluster = scene_of(place, seed)
    liar = seed % 4
    cluster.strategies[liar] = Replayer()
    for number in range(8):
        cluster.submit(f"t{number}")
        cluster.lose(lambda _sender, _to, message: isinstance(message, PrePrepare))
        cluster.run(3_500)
        cluster.lose(None)
        cluster.run(200)
        state = cluster.replicas[liar].state
        if state is not None and cluster.dialect.status(state).leader == liar and not state.in_timeout:
            break
    return peace(cluster, silent=False)


class Replayer(Honest):
    """Sends its last NewView every second, and proposes nothing."""

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        """NewViews for ever; no proposals."""
        if isinstance(message, NewView):
            for times in range(1, 100):
                world.after(1_000 * times, lambda: self._again(world, replica, message))
        return [] if isinstance(message, PrePrepare) else super().broadcast(world, replica, message)

    def _again(self, world: World, replica: Replica, message: NewView) -> None:
        for to in others(replica):
            world.schedule(1, lambda other, sent: world.post(other, Received(sent)), world.replicas[to], message)


def broken(place: Place, seed: int) -> PolledCluster:
    """One liar of any kind, crashes and splits; then peace."""
    cluster = scene_of(place, seed)
    rng = cluster.rng
    liar = rng.choice(range(4))
    cluster.strategies[liar] = ALL_LIARS[[*ALL_LIARS][seed % len(ALL_LIARS)]]()
    for number in range(6):
        cluster.submit(f"t{number}", f"u{number}")
        cluster.run(rng.choice((300, 2_000, 4_000)))
        cluster.lose(stage_loss(rng, liar, is_last=False))
        cluster.run(rng.choice((300, 4_000)))
        if rng.choice((True, False)):
            victim = rng.choice(range(4))
            cluster.crash(victim)
            cluster.run(rng.choice((1, 500)))
            cluster.start([victim])
    return peace(cluster)
