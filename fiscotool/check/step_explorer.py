"""Look at all schedules of the core itself, within bounds: the second way of counting, on the very `step` that nodes run.

A world is the replicas' states, what they made durable, their ledgers, and the messages on their way. From each world the adversary may

    deliver   everything on its way within one of the groups the network falls into (whole, one cut off, two halves); the rest is lost
    expire    the view timer of everyone, or of one
    crash     a replica between two of these moves; it starts again at once, from what is durable

and one replica may be Byzantine: it votes for every block it has heard of, in front of everyone, and as leader shows odd and even
replicas different blocks. What a node does for its core (verifying, executing, writing, sealing) happens at once. Sealers make one
block a height and view, up to `heights`.

Rule 1. Breadth first, so the first violation has the fewest moves. A world is looked at once; numbers of timers are left out of it.
Rule 2. Judged are all steps of correct replicas, by the properties of the dialect as far as they need no history, and every world: no
        two ledgers, agreements or certificates of one view differ.
Rule 3. The bounds are told with the answer (`Explored`): depth, worlds generated and distinct, and whether the frontier was exhausted.

Moves are coarse, so this is no proof for all schedules: it is exhaustive for the moves above, up to the depth reached.

Sources: Charron-Bost & Schiper, "The Heard-Of model" (2009), for rounds with who hears whom; ByzzFuzz (OOPSLA 2023) for small-scope lies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from fiscotool.check.step_world import Bounds, Inside, Peer, World, hash_of
from fiscotool.pbft import events as ev
from fiscotool.pbft.dialects import Dialect
from fiscotool.pbft.messages import PrePrepare
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.types import Height, NodeIndex

__all__ = ["Bounds", "Explored", "Explorer"]

WARM_UP_MAX: Final = 12
"""Moves after which a core that proposes nothing is explored as it is."""


@dataclass(frozen=True, slots=True)
class Explored:
    """The answer. `broken` names what did not hold, `path` the moves to it; `is_exhausted` when no world was left to look at."""

    broken: tuple[str, ...]
    path: tuple[str, ...]
    generated: int
    distinct: int
    depth: int
    is_exhausted: bool


class Explorer:
    """Explores one dialect under one set of bounds."""

    def __init__(self, dialect: Dialect, bounds: Bounds, *, rules: Rules | None = None) -> None:
        self.dialect = dialect
        self.bounds = bounds
        self.rules = rules or Rules((1,) * bounds.nodes)
        self._inside = Inside(dialect, bounds, self.rules)
        self.broken = self._inside.broken

    # Moves

    def run(self) -> Explored:
        """Breadth first until something is broken or the bounds are reached."""
        first = self.warm_up()
        known: dict[World, tuple[World | None, str]] = {first: (None, "")}
        frontier, depth, generated = [first], 0, 1
        while frontier and not self.broken and depth < self.bounds.depth_max:
            depth += 1
            following: list[World] = []
            for world in frontier:
                for name, after in self.moves(world):
                    generated += 1
                    if self.broken:
                        return self._found(known, world, name, generated, depth)
                    if after not in known:
                        if len(known) >= self.bounds.worlds_max:
                            return Explored((), (), generated, len(known), depth, is_exhausted=False)
                        known[after] = (world, name)
                        following.append(after)
            frontier = following
        return Explored(tuple(self.broken), (), generated, len(known), depth, is_exhausted=not frontier)

    def _found(self, known: dict[World, tuple[World | None, str]], world: World, last: str, generated: int, depth: int) -> Explored:
        """The moves from the beginning to what is broken."""
        path, place = [last], world
        while (entry := known[place])[0] is not None:
            path.append(entry[1])
            place = entry[0]
        return Explored(tuple(self.broken), tuple(reversed(path)), generated, len(known), depth, is_exhausted=False)

    def moves(self, world: World) -> Iterator[tuple[str, World]]:
        """Every move the adversary has here, and where it leads."""
        if world.mail:
            for name, groups in _splits(self.bounds.nodes):
                yield f"deliver {name}", self._deliver(world, groups)
        correct = [index for index, peer in enumerate(world.peers) if peer.state is not None]
        yield "expire all", self._expire(world, correct)
        for index in correct:
            yield f"expire {index}", self._expire(world, [index])
        if world.crashes < self.bounds.crashes:
            for index in correct:
                yield f"crash {index}", self._crash(world, index)

    def _deliver(self, world: World, groups: tuple[frozenset[int], ...]) -> World:
        """Everything within a group arrives, in the order sent; what crosses is lost."""
        mail = [(to, message) for to, message in world.mail if any({to, message.sender} <= group for group in groups)]
        return self._inside.settle(world._replace(mail=()), [(to, ev.Received(message)) for to, message in mail])

    def _expire(self, world: World, who: Iterable[int]) -> World:
        """View timers run out."""
        events: list[tuple[int, ev.Event]] = []
        for index in who:
            state = world.peers[index].state
            if getattr(state, "timer_on", True):
                events.append((index, ev.TimerFired(ev.TimerName.VIEW, state.timer_epoch)))
        return self._inside.settle(world, events)

    def _crash(self, world: World, index: int) -> World:
        """Kill -9 and start again."""
        peer = world.peers[index]
        more = {} if peer.stand is None else {"stand": peer.stand}
        state = self.dialect.initial_state(
            rules=self.rules,
            me=NodeIndex(index),
            height=Height(len(peer.ledger)),
            block_hash=peer.ledger[-1] if peer.ledger else hash_of("genesis"),
            votes=tuple(record for _, record in peer.votes),
            executed=tuple(record for _, record in peer.executed),
            **more,
        )
        world = world._replace(peers=_with(world.peers, index, peer._replace(state=state)), crashes=world.crashes + 1)
        return self._inside.settle(world, [(index, ev.Started()), (index, ev.PoolSize(1))])

    def warm_up(self) -> World:
        """Everyone starts and hears everyone until somebody proposes."""
        peers = []
        for index in range(self.bounds.nodes):
            state = self.dialect.initial_state(rules=self.rules, me=NodeIndex(index), height=Height(0), block_hash=hash_of("genesis"))
            peers.append(Peer(None if index == self.bounds.liar else state))
        world = World(tuple(peers))
        correct = [index for index, peer in enumerate(peers) if peer.state is not None]
        world = self._inside.settle(world, [(index, event) for index in correct for event in (ev.Started(), ev.PoolSize(1))])
        for _ in range(WARM_UP_MAX):
            if self.broken or any(isinstance(message, PrePrepare) for _, message in world.mail):
                break
            world = self._deliver(world, (frozenset(range(self.bounds.nodes)),)) if world.mail else self._expire(world, correct)
        return world


def _splits(nodes: int) -> Iterator[tuple[str, tuple[frozenset[int], ...]]]:
    """Whole; one cut off; halves that hold replica 0 and one other."""
    everyone = frozenset(range(nodes))
    yield "all", (everyone,)
    for index in range(nodes):
        yield f"without {index}", (everyone - {index},)
    for other in range(1, nodes):
        half = frozenset({0, other})
        yield f"{{0,{other}}} apart", (half, everyone - half)


def _with(peers: tuple[Peer, ...], index: int, peer: Peer) -> tuple[Peer, ...]:
    return (*peers[:index], peer, *peers[index + 1 :])
