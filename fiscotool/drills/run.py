"""Runs a drill: breaks, waits for conditions, heals, and tells a listener everything as it happens.

Rule 1. Which node is the leader is decided at the moment of the fault, by asking the nodes.
Rule 2. Whatever ends the run (success, error, Ctrl-C), the guard has healed every fault when `run_drill` returns or raises.
Rule 3. The runner judges nothing: it says what it saw, the judge reads the recording.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fiscotool.drills.fault import Fault, FaultKind
from fiscotool.drills.guard import FaultGuard, FaultLedger, Notice
from fiscotool.drills.plan import AwaitBlocks, AwaitRecovered, Break, Drill, ForEachNode, Heal, Hold, Pick, Step
from fiscotool.drills.target import Look, Target
from fiscotool.errors import EnvironmentFailure

LOOK_EVERY_S = 0.15
_WITHOUT_LOAD_S = 10.0

Clock = Callable[[], float]
Pause = Callable[[float], None]
"""Waits for that many seconds; an interruption may cut it short by raising."""

Tell = Callable[[str], None]
"""Called with one sentence for each thing that happens."""


@dataclass(frozen=True, slots=True)
class World:
    """What a run needs from outside: the chain, the fault ledger, a clock, a pause, and who listens.

    `has_load`: transactions are sent beside the drill. Without, an idle chain makes no blocks, and waiting for some is cut short.
    """

    target: Target
    ledger: FaultLedger
    clock: Clock
    pause: Pause
    tell: Tell
    notice: Notice
    has_load: bool = True


def leader_name(looks: dict[str, Look]) -> str | None:
    """Whom most answering nodes take for the leader of the next block (those that are not in timeout first)."""
    by_index = {look.node_index: name for name, look in looks.items() if look.node_index is not None}
    votes: dict[str, int] = {}
    for look in looks.values():
        name = by_index.get(look.leader_index) if look.answers and look.leader_index is not None else None
        if name is not None:
            votes[name] = votes.get(name, 0) + (2 if look.timeout is False else 1)
    return max(sorted(votes), key=lambda name: votes[name]) if votes else None


def top_height(looks: dict[str, Look]) -> int:
    """The highest block any node tells of; 0 when none answers."""
    return max((look.height for look in looks.values() if look.height is not None), default=0)


def has_recovered(looks: dict[str, Look]) -> bool:
    """Every node answers, in one view, not in timeout, heights at most one block apart."""
    if not looks or not all(look.answers and look.timeout is False for look in looks.values()):
        return False
    heights = [look.height or 0 for look in looks.values()]
    return len({look.view for look in looks.values()}) == 1 and max(heights) - min(heights) <= 1


class Run:
    """One execution of one drill."""

    def __init__(self, drill: Drill, world: World, guard: FaultGuard) -> None:
        self._drill = drill
        self._world = world
        self._guard = guard
        self._open: list[Fault] = []
        self._ids: Iterator[int] = itertools.count(1)

    def play(self) -> None:
        """All steps in order."""
        for step in self._drill.steps:
            self._play(step)

    def _play(self, step: Step) -> None:
        match step:
            case AwaitBlocks(count=count, within_s=within_s):
                self._await_blocks(count, within_s)
            case Break(kind=kind, pick=pick):
                for node in self._picked(pick):
                    self._break(kind, *node)
            case Hold(for_s=for_s):
                self._world.tell(f"holding the chain like this for {for_s:g} s")
                self._until(lambda _looks: False, for_s)
            case Heal():
                self._heal()
            case AwaitRecovered(within_s=within_s):
                self._await_recovered(within_s)
            case ForEachNode(kind=kind, hold_s=hold_s, recover_within_s=within_s):
                for name in self._world.target.names:
                    self._break(kind, name, "each in turn")
                    self._until(lambda _looks: False, hold_s)
                    self._heal()
                    self._await_recovered(within_s)
                    self._await_blocks(2, within_s)

    def _picked(self, pick: Pick) -> list[tuple[str, str]]:
        target = self._world.target
        running = [name for name in target.names if target.state_of(name) == "running"]
        if pick is Pick.EVERY:
            return [(name, "all") for name in running]
        leader = self._leader_now()
        if pick is Pick.LEADER:
            return [(leader, "leader")]
        followers = [name for name in running if name != leader]
        if not followers:
            raise EnvironmentFailure("no follower is running", hint="start the nodes: fiscotool start")
        return [(followers[0], "follower")]

    def _leader_now(self) -> str:
        target = self._world.target
        found: list[str] = []

        def known(looks: dict[str, Look]) -> bool:
            name = leader_name(looks)
            if name is not None and target.state_of(name) == "running":
                found.append(name)
            return bool(found)

        if not self._until(known, 10.0):
            raise EnvironmentFailure("no running leader could be found", hint="see `fiscotool status`: do the nodes answer?")
        return found[-1]

    def _break(self, kind: FaultKind, node: str, role: str) -> None:
        fault = Fault(f"{self._drill.name}-{next(self._ids)}", kind, node, role)
        self._world.tell(f"{kind.value} {node} ({role})")
        self._guard.inject(fault)
        self._open.append(fault)

    def _heal(self) -> None:
        for fault in self._open:
            self._world.tell(f"healing {fault.node}")
        self._guard.heal_all()
        self._open.clear()

    def _await_blocks(self, count: int, within_s: float) -> None:
        if not self._world.has_load:
            within_s = min(within_s, _WITHOUT_LOAD_S)
        began = top_height(self._world.target.look())
        if self._until(lambda looks: top_height(looks) >= began + count, within_s):
            self._world.tell(f"{count} more blocks, height {began + count}")
        else:
            self._world.tell(f"no {count} more blocks after height {began} within {within_s:g} s")

    def _await_recovered(self, within_s: float) -> None:
        began_s = self._world.clock()
        if self._until(has_recovered, within_s):
            self._world.tell(f"all nodes in one view and at one height after {self._world.clock() - began_s:.1f} s")
        else:
            self._world.tell(f"the nodes did not come together within {within_s:g} s")

    def _until(self, condition: Callable[[dict[str, Look]], bool], within_s: float) -> bool:
        deadline_s = self._world.clock() + within_s
        while True:
            if condition(self._world.target.look()):
                return True
            left_s = deadline_s - self._world.clock()
            if left_s <= 0:
                return False
            self._world.pause(min(LOOK_EVERY_S, left_s))


def refuse(drill: Drill, target: Target) -> None:
    """Raise EnvironmentFailure when the chain is in no state for this drill: everything must run and answer before it is broken."""
    if len(target.names) < drill.nodes_min:
        raise EnvironmentFailure(
            f"drill {drill.name} needs {drill.nodes_min} nodes, the chain has {len(target.names)}", hint="deploy a larger chain"
        )
    states = {name: target.state_of(name) for name in target.names}
    down = [name for name, state in states.items() if state != "running"]
    if down:
        paused = [name for name in down if states[name] == "paused"]
        raise EnvironmentFailure(
            f"drill {drill.name} starts from a whole chain, but {', '.join(down)} {'is' if len(down) == 1 else 'are'} not running",
            hint=f"let it go on: fiscotool resume {' '.join(paused)}" if paused == down else "start them: fiscotool start --all",
        )


def run_drill(drill: Drill, world: World) -> None:
    """Run `drill` from a whole chain to a healed chain. Raises EnvironmentFailure when it cannot begin or a fault has no effect."""
    with world.ledger.exclusive():
        refuse(drill, world.target)
        with FaultGuard(world.target, world.ledger, drill=drill.name, notice=world.notice) as guard:
            Run(drill, world, guard).play()
