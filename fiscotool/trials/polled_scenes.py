"""Scenes for an observer: worst cases within what the protocol must bear, written so that a bug shows in heights, headers and times.

Every scene is a function of a place and a seed. It plays with at most f liars, crashes, splits and lost messages, ends in peace, and says
nothing itself: the recording does. A correct core comes out of each without an accusation.

    alone       one replica writes a block that the three others may never see agreed; those go on without it
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from fiscotool.pbft.events import Received
from fiscotool.pbft.messages import CheckPoint, Commit, Message, NewView, Prepare, PrePrepare, ViewChange
from fiscotool.pbft.quorum import faulty_weight_max
from fiscotool.sim.adversary import DoubleVote, Equivocate, Forgetful, Honest, Sent, Silent, Strategy, others
from fiscotool.sim.network import Weather
from fiscotool.sim.polled import PolledCluster
from fiscotool.sim.replica import Replica
from fiscotool.sim.world import Pace, World
from fiscotool.trials.liars import LIARS
from fiscotool.trials.place import Place
from fiscotool.trials.worlds import WORLDS

Scene = Callable[[Place, int], PolledCluster]

SETTLED_TICKS: Final = 4_000
PEACE_TICKS: Final = 90_000
"""Longer than the bound of progress after a heal."""

STEPS_MAX: Final = 60_000
"""A scene that takes more steps is a storm, and ends."""

ALL_LIARS: Final[dict[str, Callable[[], Strategy]]] = {
    "honest": Honest,
    "silent": Silent,
    "equivocate": Equivocate,
    "doublevote": DoubleVote,
    "forgetful": Forgetful,
    **LIARS,
}


def scene_of(place: Place, seed: int, **more: Any) -> PolledCluster:
    """A cluster that has found its view."""
    cluster = PolledCluster(place.rules(**more.pop("rules", {})), seed=seed, dialect=place.dialect, **more)
    cluster.steps_max = STEPS_MAX
    cluster.start()
    cluster.run(SETTLED_TICKS)
    return cluster


def peace(cluster: PolledCluster, *, ticks: int = PEACE_TICKS, silent: bool = True) -> PolledCluster:
    """Everything heals, liars fall silent, transactions keep coming."""
    cluster.effects_until_crash.clear()
    cluster.lose(None)
    cluster.network.heal()
    cluster.start()
    if silent:
        for index in cluster.strategies:
            cluster.strategies[index] = Silent()
    end, number = cluster.now + ticks, 0
    target = max(cluster.heights) + 3
    honest = [replica for replica in cluster.replicas if replica.index not in cluster.strategies]
    while cluster.now < end:
        number += 1
        cluster.submit(f"peace{cluster.now}-{number}")
        if cluster.run(1_500, until=lambda: all(replica.height >= target for replica in honest)):
            break
    cluster.run(2_000)
    return cluster


def forget(cluster: PolledCluster, liar: int) -> None:
    """The liar begins anew, and says that it never voted."""
    replica = cluster.replicas[liar]
    cluster.crash(liar)
    replica.votes.clear()
    replica.executed.clear()
    replica.stand = None
    cluster.start([liar])


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
        cluster.lose(_stage_loss(rng, liar, is_last=stage == stages - 1))
        cluster.submit(f"y{stage}")
        cluster.run(rng.choice((4_000, 8_000, 15_000)))
    return peace(cluster)


def _stage_loss(rng: random.Random, liar: int, *, is_last: bool) -> Callable[[int, int, Message], bool] | None:
    """What a stage loses: nothing, votes, or what makes a view stick."""
    if is_last or rng.choice((True, False, False)):
        return None
    kinds: tuple[type, ...] = rng.choice(
        ((Prepare,), (Commit,), (CheckPoint,), (NewView,), (ViewChange,), (Prepare, Commit), (PrePrepare,))
    )
    spared = rng.choice((-1, *range(4)))
    return lambda _sender, to, message: isinstance(message, kinds) and to not in (spared, liar)


def lost(place: Place, seed: int) -> PolledCluster:
    """A quorum is down for a minute; one of the dead comes back before it is whole again. One of the living may lie."""
    count = (4, 7)[seed % 2]
    liar = (None, "repeater", "farview", "impostor")[seed // 2 % 4]
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
    if seed % 3:
        cluster.submit("a")
    cluster.run(5_000)
    cluster.start(dead[:1])
    cluster.run(15_000)
    cluster.submit("b")
    cluster.run(40_000)
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


def hops(place: Place, seed: int) -> PolledCluster:
    """Every message takes 300 ms."""
    fixed = Weather(300, 300)
    cluster = PolledCluster(place.rules(), seed=seed, dialect=place.dialect, weather=fixed, every_ticks=50, known_delays=(300, 300))
    cluster.start()
    cluster.run(6_000)
    for number in range(4):
        cluster.submit(f"t{number}")
        cluster.run(2_500)
    return cluster


def quick(place: Place, seed: int) -> PolledCluster:
    """Nothing is wrong, and every message arrives within 100 ms; in some worlds it takes long to execute a block."""
    pace = Pace(execute_ticks=(2, 4_000, 400)[seed % 3])
    # One leader: a simulated one does not know which transactions are in another's proposal under way.
    rules = place.rules(leader_period_blocks=10_000)
    cluster = PolledCluster(rules, seed=seed, dialect=place.dialect, weather=Weather(1, 100), pace=pace, known_delays=(1, 100))
    cluster.start()
    cluster.run(5_000)
    for number in range(24):
        cluster.submit(f"t{number}")
        cluster.run(9_000, until=lambda: not any(replica.pool for replica in cluster.replicas))
        cluster.run(cluster.rng.choice((30, 300, 1_000)))
    cluster.run(2_000)
    return cluster


def reweighed(place: Place, seed: int) -> PolledCluster:
    """The weights change, then nothing happens for a while, then the next block comes."""
    cluster = scene_of(place, seed)
    rng = cluster.rng
    for number in range(5):
        cluster.submit(f"weights:{','.join(str(rng.choice((1, 2, 3))) for _ in range(4))}#{number}")
        cluster.run(4_000)
        cluster.submit(*(f"t{number}.{k}" for k in range(3)))
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


def forgetful_executor(place: Place, seed: int) -> PolledCluster:
    """The executors of all replicas fail once, at the second of two blocks on their way."""
    cluster = scene_of(place, seed, rules={"leader_period_blocks": 8}, pace=Pace(execute_ticks=300, block_txs_max=1))
    for number in range(3):
        cluster.submit(*(f"t{number}.{k}" for k in range(4)))
        cluster.run(250 + 70 * (seed % 8))
        for replica in cluster.replicas:
            replica.layers = {}
        cluster.run(4_000)
    return peace(cluster)


def same_pool(place: Place, seed: int) -> PolledCluster:
    """The pool has as many transactions after a block as before, and the next leader says nothing."""
    cluster = scene_of(place, seed, pace=Pace(block_txs_max=1))
    cluster.submit("a")
    cluster.run(2_000, until=lambda: min(cluster.heights) > 0)
    status = cluster.dialect.status(cluster.replicas[0].state)
    cluster.strategies[status.leader] = Silent()
    cluster.submit("b")
    cluster.run(60_000)
    return cluster


def broken(place: Place, seed: int) -> PolledCluster:
    """One liar of any kind, crashes and splits; then peace."""
    cluster = scene_of(place, seed)
    rng = cluster.rng
    liar = rng.choice(range(4))
    cluster.strategies[liar] = ALL_LIARS[[*ALL_LIARS][seed % len(ALL_LIARS)]]()
    for number in range(6):
        cluster.submit(f"t{number}", f"u{number}")
        cluster.run(rng.choice((300, 2_000, 4_000)))
        cluster.lose(_stage_loss(rng, liar, is_last=False))
        cluster.run(rng.choice((300, 4_000)))
        if rng.choice((True, False)):
            victim = rng.choice(range(4))
            cluster.crash(victim)
            cluster.run(rng.choice((1, 500)))
            cluster.start([victim])
    return peace(cluster)


def world(name: str) -> Scene:
    """A world of the simulator's trials, observed."""

    def scene(place: Place, seed: int) -> PolledCluster:
        made: list[PolledCluster] = []

        def make(*arguments: Any, **more: Any) -> PolledCluster:
            made.append(PolledCluster(*arguments, **more))
            made[-1].steps_max = STEPS_MAX
            return made[-1]

        WORLDS[name](replace(place, make=make), seed)
        return made[-1]

    return scene


SCENES: Final[dict[str, Scene]] = {
    **{scene.__name__: scene for scene in (alone, lost, far, hops, quick, reweighed, replayed, forgetful_executor, same_pool, broken)},
    **{f"world:{name}": world(name) for name in WORLDS if name not in {"two_locks", "redated", "twice_asked"}},
}
"""By name."""
