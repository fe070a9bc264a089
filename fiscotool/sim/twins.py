"""Twins: two copies of one replica with the same key, partitions chosen round by round, all scenarios of a size.

A scenario of R rounds is a sequence of R partitions of the n replicas and their t twin copies into P parts, so there are S(n + t, P)
possibilities a round (S: Stirling number of the second kind), and S**R scenarios. In a round messages reach the sender's part only;
what crosses is lost. A round lasts until nothing is left to deliver, every copy may seal one block in it, and it ends with the view
timer of every copy that has one armed.

States are values, so scenarios with a common beginning share it: the tree of rounds is walked depth first, and a set of states that was
seen at this depth is not walked again, its scenarios are counted all the same. Nothing crosses between parts, so what a round makes of a
part depends on the states of its members alone, and is played once for all scenarios in which they meet like that.

Source: Bano et al., Twins: BFT Systems Made Robust, OPODIS 2021.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Final

from fiscotool.pbft import effects as do
from fiscotool.pbft import events as ev
from fiscotool.pbft.dialects import Dialect
from fiscotool.pbft.making import make_received
from fiscotool.pbft.properties import Violation
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.types import Digest, Height, NodeIndex
from fiscotool.sim import chain

_OF_THE_DISK: Final = (do.Persist, do.Remember, do.AgreedIndex, do.Reject)
"""Effects that change nothing here: no copy restarts or synchronises."""

Partition = tuple[int, ...]
"""Copy i is in part `partition[i]`; parts are numbered in the order of their first copy."""

STEPS_MAX: Final = 20_000
"""Steps a round may take before it is called a storm."""


def partitions(copies: int, parts: int) -> Iterator[Partition]:
    """All partitions of `copies` into exactly `parts` parts, as restricted growth strings."""

    def grow(prefix: Partition) -> Iterator[Partition]:
        used = max(prefix, default=-1) + 1
        if len(prefix) == copies:
            if used == parts:
                yield prefix
            return
        for part in range(min(used + 1, parts)):
            yield from grow((*prefix, part))

    yield from grow(())


def stirling(copies: int, parts: int) -> int:
    """S(copies, parts): in how many ways that many things fall into exactly that many parts."""
    if copies == parts:
        return 1
    if not 0 < parts < copies:
        return 0
    return parts * stirling(copies - 1, parts) + stirling(copies - 1, parts - 1)


def scenario_count(nodes: int, twins: int, parts: int, rounds: int) -> int:
    """The published formula."""
    result: int = stirling(nodes + twins, parts) ** rounds
    return result


def scenarios(copies: int, parts: int, rounds: int) -> Iterator[tuple[Partition, ...]]:
    """All scenarios, one after the other: a second way to count them."""
    return product(partitions(copies, parts), repeat=rounds)


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of a replica with what its node keeps: executed layers, proposals, the armed view timer."""

    state: Any
    works: tuple[tuple[Digest, Any, Digest], ...] = ()
    head: Digest = field(default_factory=chain.genesis_hash)
    timer: int = 0
    ledger: tuple[Digest, ...] = ()


World = tuple[Copy, ...]


@dataclass(slots=True)
class _Live:
    """A copy while messages are delivered."""

    state: Any
    works: tuple[tuple[Digest, Any, Digest], ...]
    head: Digest
    timer: int
    ledger: tuple[Digest, ...]


@dataclass(slots=True)
class Result:
    """What all scenarios together showed."""

    scenarios: int = 0
    walked_rounds: int = 0
    played_parts: int = 0
    steps: int = 0
    blocks_max: int = 0
    violations: list[tuple[tuple[Partition, ...], Violation]] = field(default_factory=list)


class Explorer:
    """Walks all scenarios of a size. Copies 0...n-1 are the replicas, the rest are twins of replicas 0, 1, ..."""

    def __init__(self, dialect: Dialect, *, nodes: int = 4, twins: int = 1, parts: int = 2) -> None:
        self.dialect = dialect
        self.rules = Rules((1,) * nodes)
        self.nodes = nodes
        self.owners = [NodeIndex(i) for i in (*range(nodes), *range(twins))]
        self.choices = list(partitions(nodes + twins, parts))
        self.correct = range(twins, nodes)
        self.result = Result()
        self._seen: set[tuple[int, tuple[int, ...]]] = set()
        self._rounds: dict[tuple[int, tuple[int, ...], tuple[int, ...]], World] = {}
        self._copies: dict[Copy, Copy] = {}
        self._has_sealed: set[int] = set()

    def explore(self, rounds: int) -> Result:
        """All scenarios of that many rounds, after a common start in which everyone meets."""
        self._walk(self._start(), (), rounds)
        return self.result

    def _start(self) -> World:
        """Everyone meets and finds a view."""
        together = (0,) * len(self.owners)
        genesis = chain.genesis_hash()
        make = self.dialect.initial_state
        world = tuple(Copy(make(rules=self.rules, me=owner, height=Height(0), block_hash=genesis)) for owner in self.owners)
        world = self._play(world, together, [(i, ev.Started()) for i in range(len(world))])
        for _ in range(2):
            world = self._play(world, together, self._timers(world))
        return tuple([self._copies.setdefault(copy, copy) for copy in world])

    def sample(self, rounds: int, count: int, *, seed: int) -> Result:
        """`count` scenarios of that many rounds, drawn evenly from all of them; the same seed draws the same."""
        world, rng = self._start(), random.Random(seed)
        for _ in range(count):
            path: tuple[Partition, ...] = ()
            after = world
            for number in range(rounds):
                partition = self.choices[int(rng.random() * len(self.choices))]
                path = (*path, partition)
                after = self._round(after, partition, number)
                self.result.walked_rounds += 1
                self._judge(after, path)
            self.result.scenarios += 1
        return self.result

    def _walk(self, world: World, path: tuple[Partition, ...], rounds: int) -> None:
        """All continuations of `rounds` rounds."""
        for partition in self.choices:
            after = self._round(world, partition, len(path))
            self.result.walked_rounds += 1
            here = (*path, partition)
            self._judge(after, here)
            key = (rounds, tuple([id(copy) for copy in after]))
            if rounds == 1 or key in self._seen:
                self.result.scenarios += len(self.choices) ** (rounds - 1)
                continue
            self._seen.add(key)
            self._walk(after, here, rounds - 1)

    def _round(self, world: World, partition: Partition, number: int) -> World:
        """Transactions, messages until silence, then the timers: in each part by itself, for nothing crosses."""
        after = list(world)
        for part in range(max(partition) + 1):
            members = tuple([i for i, mine in enumerate(partition) if mine == part])
            key = (number, members, tuple([id(world[i]) for i in members]))
            known = self._rounds.get(key)
            if known is None:
                known = self._rounds[key] = self._round_of(world, partition, members, number)
            for index, copy in zip(members, known, strict=True):
                after[index] = copy
        return tuple(after)

    def _round_of(self, world: World, partition: Partition, members: tuple[int, ...], number: int) -> World:
        """What a round makes of one part. Equal copies come back as one object, so that they can be told by identity."""
        self._has_sealed.clear()
        self.result.played_parts += 1
        after = self._play(world, partition, [(i, ev.PoolSize(1)) for i in members], tx=f"r{number}")
        timers = [(i, event) for i, event in self._timers(after) if i in members]
        after = self._play(after, partition, timers, tx=f"r{number}")
        return tuple([self._copies.setdefault(after[i], after[i]) for i in members])

    def _timers(self, world: World) -> list[tuple[int, ev.Event]]:
        """The view timer of every copy that has one armed."""
        return [(i, ev.TimerFired(ev.TimerName.VIEW, copy.timer)) for i, copy in enumerate(world) if copy.timer]

    def _play(self, world: World, partition: Partition, events: list[tuple[int, ev.Event]], tx: str = "") -> World:
        """Deliver everything within the parts, first in, first out."""
        copies = [_Live(copy.state, copy.works, copy.head, copy.timer, copy.ledger) for copy in world]
        peers = [
            [k for k in range(len(world)) if partition[k] == partition[i] and self.owners[k] != self.owners[i]] for i in range(len(world))
        ]
        queue = deque(events)
        step, steps = self.dialect.step, 0
        sign, rules = chain.sign, self.rules
        while queue and steps < STEPS_MAX:
            index, event = queue.popleft()
            steps += 1
            copy = copies[index]
            copy.state, effects = step(copy.state, event)
            for effect in effects:
                if isinstance(effect, do.Broadcast):
                    heard = make_received(sign(effect.message, rules))
                    queue.append((index, heard))
                    for to in peers[index]:
                        queue.append((to, heard))
                elif isinstance(effect, _OF_THE_DISK):
                    continue
                elif isinstance(effect, do.Send):
                    heard = make_received(sign(effect.message, rules))
                    if effect.to == self.owners[index]:
                        queue.append((index, heard))  # HotStuff's votes may be for oneself.
                        continue
                    queue.extend([(to, heard) for to in peers[index] if self.owners[to] == effect.to])
                else:
                    self._apply(copy, index, effect, queue, tx)
        self.result.steps += steps
        return tuple([Copy(live.state, live.works, live.head, live.timer, live.ledger) for live in copies])

    def _apply(self, copy: _Live, index: int, effect: do.Effect, queue: deque[tuple[int, ev.Event]], tx: str) -> None:
        """One effect that is no message, at once."""
        owner = self.owners[index]
        match effect:
            case do.SetTimer(name=ev.TimerName.VIEW, epoch=epoch):
                copy.timer = epoch
            case do.CancelTimer(name=ev.TimerName.VIEW):
                copy.timer = 0
            case do.VerifyProposal(proposal=proposal):
                queue.append((index, ev.Verified(proposal.index, proposal.digest, chain.is_sound(proposal))))
            case do.Execute(proposal=proposal):
                parent = next((result for _, work, result in copy.works if work.index == proposal.index - 1), copy.head)
                result = chain.execute(proposal, parent)
                works = tuple(entry for entry in copy.works if entry[1].index < proposal.index)
                copy.works = (*works, (proposal.digest, proposal, result))
                queue.append((index, ev.Executed(proposal.index, proposal.digest, result)))
            case do.CommitBlock(index=height, block_hash=block_hash):
                copy.works = tuple(entry for entry in copy.works if entry[1].index > height)
                copy.head, copy.ledger = block_hash, (*copy.ledger, block_hash)
                queue.append((index, ev.LedgerAdvanced(height, block_hash, self.rules, owner)))
            case do.SealRange(first=first, last=last) if first <= last and tx and index not in self._has_sealed:
                self._has_sealed.add(index)
                salt = f"{tx}c{index}"
                queue.append((index, ev.Proposed(chain.make_proposal(first, owner, (tx,), salt=salt))))
            case do.BuildFillers(view=view, indexes=indexes):
                fillers = tuple(chain.make_proposal(height, owner, (), salt=f"v{view}") for height in indexes)
                queue.append((index, ev.FillersBuilt(view, fillers)))
            case _:
                pass

    def _judge(self, world: World, path: tuple[Partition, ...]) -> None:
        """Agreement of the replicas without a twin."""
        ledgers = [world[i].ledger for i in self.correct]
        longest = max(ledgers, key=len)
        self.result.blocks_max = max(self.result.blocks_max, len(longest))
        for index, ledger in zip(self.correct, ledgers, strict=True):
            if ledger != longest[: len(ledger)]:
                self.result.violations.append((path, Violation("agreement", f"node{index}", Height(len(ledger)), "two ledgers differ")))
