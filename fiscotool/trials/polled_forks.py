"""Scenes of few replicas that must not forget what others agreed on, or may not go on at all.

alone     A writes a block that the three others may never see agreed; those go on without it
lost      a quorum is down for two minutes; one of the dead comes back before it is whole again
short     one replica is dead or silent for good, so that a quorum needs every other
locks     A is locked on one block, B on a later one; then one is gone, and the rest must agree
behind    two wait for a quorum for a minute; a third is started, and must go where they have come to
"""

from __future__ import annotations

from fiscotool.pbft.events import Received
from fiscotool.pbft.messages import CheckPoint, Commit, Message, Prepare, PrePrepare, ViewChange
from fiscotool.pbft.quorum import faulty_weight_max
from fiscotool.pbft.types import Height, NodeIndex
from fiscotool.sim import chain
from fiscotool.sim.adversary import Honest, Silent
from fiscotool.sim.polled import PolledCluster
from fiscotool.trials.place import Place
from fiscotool.trials.polled_stage import ALL_LIARS, forget, go_on, peace, scene_of, stage_loss


def alone(place: Place, seed: int) -> PolledCluster:
    """A commits with B and a liar; C knows nothing. Then A is gone, and B, C and the liar change the view."""
    cluster = scene_of(place, seed)
    rng = cluster.rng
    order = sorted(range(4), key=lambda _: rng.random())
    a, b, c, liar = order
    name = rng.choice([*ALL_LIARS])
    last = CheckPoint if place.dialect.name == "fisco3" else Commit
    hears_proposal = rng.choice((True, False))

    def is_lost(sender: int, to: int, message: Message) -> bool:
        if isinstance(message, last) and to != a:
            return True
        if to == liar:
            return False
        if c in (sender, to):
            return not (to == c and isinstance(message, PrePrepare) and hears_proposal)
        return False

    cluster.lose(is_lost)
    cluster.submit("x")
    cluster.run(9_000, until=lambda: cluster.replicas[a].height >= 1)
    if rng.choice((True, False)):
        cluster.crash(a)
    else:
        cluster.network.partition([[a], [b, c, liar]])
    forget(cluster, liar)
    cluster.strategies[liar] = ALL_LIARS[name]()
    cluster.run(rng.choice((0, 20, 3_000)))
    stages = rng.choice((1, 1, 2, 3))
    restarts = rng.choice((True, False))
    for stage in range(stages):
        if restarts and rng.choice((True, True, False)):
            cluster.crash(b)
            cluster.run(rng.choice((1, 300)))
            cluster.start([b])
        cluster.lose(stage_loss(rng, liar, is_last=stage == stages - 1))
        cluster.submit(f"y{stage}")
        cluster.run(rng.choice((4_000, 8_000, 15_000)))
    return peace(cluster)


def lost(place: Place, seed: int) -> PolledCluster:
    """A quorum is down for a minute; one of the dead comes back before it is whole again. One of the living may lie."""
    count = (4, 7)[seed % 2]
    liar = (None, "repeater", "farview", "impostor")[seed // 4 % 4]
    cluster = scene_of(place, seed, rules={"weights": (1,) * count})
    rng = cluster.rng
    order = sorted(range(count), key=lambda _: rng.random())
    dead = order[: faulty_weight_max(count) + 2]
    if liar is not None:
        cluster.strategies[order[-1]] = ALL_LIARS[liar]()
    cluster.submit("before")
    cluster.run(1_000)
    for index in dead:
        cluster.crash(index)
    if seed // 2 % 2:
        cluster.submit("a")
    cluster.run(5_000)
    cluster.start(dead[:1])
    cluster.run(15_000)
    cluster.submit("b")
    cluster.run(100_000)
    return peace(cluster)


def short(place: Place, seed: int) -> PolledCluster:
    """One replica is dead or silent for good, so that a quorum needs every other; many blocks."""
    cluster = scene_of(place, seed)
    gone = seed % 4
    if seed // 4 % 2:
        cluster.strategies[gone] = Silent()
    else:
        cluster.crash(gone)
    for number in range(30):
        cluster.submit(f"t{number}")
        cluster.run(700)
    return go_on(cluster)


def locks(place: Place, seed: int) -> PolledCluster:
    """A alone is locked on a block of one view, B (or all but A) on another one of the next; then one is gone, and the rest must agree.

    By seed: B is locked alone; B alone writes the second block and dies, so that the rest must find it; the one who goes is a liar who
    gave A its Commit for the first block.
    """
    cluster = scene_of(place, seed)
    kind = ("locked", "written", "lied to")[seed % 3]
    last = CheckPoint if place.dialect.name == "fisco3" else Commit
    a, b, _, d = sorted(range(4), key=lambda _: cluster.rng.random())
    view = cluster.replicas[b].state.view
    cluster.lose(lambda _sender, to, message: isinstance(message, Commit) or (isinstance(message, Prepare) and to != a))
    cluster.submit("x")
    cluster.run(1_500)
    slots = getattr(cluster.replicas[a].state, "slots", ())
    if kind == "lied to" and slots and slots[0].pre is not None:
        commit = chain.sign(Commit(slots[0].pre.view, Height(1), slots[0].pre.digest, NodeIndex(d)), place.rules())
        cluster.post(cluster.replicas[a], Received(commit))
    if kind == "lied to":
        cluster.strategies[d] = Honest()

    def is_lost(sender: int, to: int, message: Message) -> bool:
        if sender == a and isinstance(message, ViewChange):
            return True
        if kind == "written":
            return isinstance(message, last) and to != b
        return isinstance(message, Commit) or (isinstance(message, Prepare) and to != b)

    cluster.lose(is_lost)
    cluster.submit("y")
    cluster.run(9_000, until=lambda: cluster.replicas[b].state.view > view)
    cluster.run(1_500, until=lambda: cluster.replicas[b].height > 0)
    if kind == "lied to":
        cluster.strategies[d] = Silent()
    else:
        cluster.crash(b if kind == "written" else d)
    cluster.lose(None)
    go_on(cluster, ticks=150_000)
    cluster.start()
    return go_on(cluster, ticks=10_000)


def behind(place: Place, seed: int) -> PolledCluster:
    """Two of four wait for a quorum for a minute; then a third is started, and must go where the two have come to."""
    cluster = scene_of(place, seed)
    order = sorted(range(4), key=lambda _: cluster.rng.random())
    for index in order[:2]:
        cluster.crash(index)
    cluster.submit("a")
    cluster.run(60_000)
    cluster.start(order[:1])
    return go_on(cluster, ticks=150_000)
