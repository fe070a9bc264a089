"""Schedules of the core, drawn or all of them, each step checked against the abstract fisco3 model (`check.refinement`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableSequence, Sequence
from typing import Final, Protocol, TypeVar

from fiscotool.check.core_world import CoreWorld, block, hash_of
from fiscotool.check.fisco3_bounds import FILLER, Limits, leader_of
from fiscotool.check.refinement import Refinement
from fiscotool.pbft.messages import CheckPoint, Commit, Message, Prepare
from fiscotool.pbft.rules import Quirk
from fiscotool.pbft.types import Height, NodeIndex, View

T = TypeVar("T")

HEIGHTS: Final = 2
VIEW_MAX: Final = 5
FUSES: Final = (0.0, 0.01, 0.05)
"""How often a timer runs out; the first of four times with a crash instead."""


class Dice(Protocol):
    """What of `random.Random` a schedule needs."""

    def random(self) -> float:
        """Between 0 and 1."""

    def choice(self, seq: Sequence[T] | MutableSequence[T]) -> T:
        """One of them."""


def bounds_of(byzantine: int | None, *, quorum: int = 3) -> Limits:
    """Limits of the model in which such schedules stay."""
    return Limits(heights=HEIGHTS, view_max=VIEW_MAX, byzantine=byzantine, crashes=7, symmetry=False, quorum=quorum)


def world_of(byzantine: int | None, quirks: frozenset[Quirk] = frozenset()) -> CoreWorld:
    """A world at its beginning. A liar has voted for everything, and shows its followers two blocks."""
    world = CoreWorld(byzantine=byzantine, quirks=quirks)
    if byzantine is None:
        return world
    liar = NodeIndex(byzantine)
    for view in range(3):
        for h in range(1, HEIGHTS + 1):
            for value in (1, 2, FILLER):
                vote = (View(view), Height(h), block(h, value).digest, liar)
                world.lie(Prepare(*vote))
                world.lie(Commit(*vote))
                if leader_of(h, view) == byzantine and value != FILLER:
                    world.lie(world.pre_prepare(view, h, value))
    for value in (1, 2):
        world.lie(CheckPoint(View(0), Height(1), hash_of((value,)), liar))
    return world


def walk_randomly(refinement: Refinement, world: CoreWorld, dice: Dice, steps: int, *, crashes_max: int = 1) -> None:
    """One schedule of so many events. Raises NotRefinedError."""
    heard: set[tuple[int, Message]] = set()
    fuse = dice.choice(FUSES)
    at = refinement.state_of(world)
    for _ in range(steps):
        i = _happen(world, dice, heard, crashes_max, fuse)
        after = refinement.state_of(world)
        refinement.check(i, at, after)
        at = after


def _happen(world: CoreWorld, dice: Dice, heard: set[tuple[int, Message]], crashes_max: int, fuse: float) -> int:
    """One thing happens, mostly the arrival of something new. Returns the replica."""
    i = dice.choice(world.honest)
    state, ledger = world.state[i], world.durable[i].ledger
    new = [one for one in world.sent if one not in heard]
    value = world.stable[i].get(len(ledger) + 1)
    longer = [other.ledger for other in world.durable.values() if len(other.ledger) > len(ledger)]
    drawn = dice.random()
    if drawn < fuse:
        if world.crashes < crashes_max and drawn < fuse / 4 and all(slot.voted_view + 2 < VIEW_MAX for slot in state.slots):
            world.crash(i)
        elif state.timer_on and state.to_view < VIEW_MAX:
            world.expire(i)
    elif value and drawn < fuse + 0.3:
        world.write(i, value)
    elif longer and drawn > 1 - 0.03:
        world.write(i, longer[0][len(ledger)], by_sync=True)
    elif i in world.ranges and drawn < fuse + 0.2:
        first, last = world.ranges[i]
        for h in range(first, min(last, HEIGHTS) + 1):
            world.propose(i, h, dice.choice((1, 2)))
    elif world.sent:
        i, message = dice.choice(new if new and dice.random() > 1 / 8 else list(world.sent))
        heard.add((i, message))
        world.deliver(i, message)
    return i


def walk_all(refinement: Refinement, first: CoreWorld, depth: int) -> int:
    """All schedules of so many events from a world on, each state of the core looked at once. Returns how many events that were."""
    level, events = [first], 0
    seen = {first.key()}
    for _ in range(depth):
        following = []
        for world in level:
            at = refinement.state_of(world)
            for i, act in _possible(world):
                changed = world.copy()
                act(changed)
                events += 1
                refinement.check(i, at, refinement.state_of(changed))
                if changed.key() not in seen:
                    seen.add(changed.key())
                    following.append(changed)
        level = following
    return events


def _possible(world: CoreWorld) -> Iterator[tuple[int, Callable[[CoreWorld], None]]]:
    """Everything that can happen next."""
    for to, message in world.sent:
        yield to, lambda one, to=to, message=message: one.deliver(to, message)  # type: ignore[misc]
    for i, (first, last) in world.ranges.items():
        for h in range(first, min(last, HEIGHTS) + 1):
            for value in (1, 2):
                yield i, lambda one, i=i, h=h, value=value: one.propose(i, h, value)  # type: ignore[misc]
    for i in world.honest:
        if world.state[i].timer_on and world.state[i].to_view < VIEW_MAX:
            yield i, lambda one, i=i: one.expire(i)  # type: ignore[misc]
        stable = world.stable[i].get(len(world.durable[i].ledger) + 1)
        if stable:
            yield i, lambda one, i=i, stable=stable: one.write(i, stable)  # type: ignore[misc]
