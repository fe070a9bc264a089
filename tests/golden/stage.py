"""The little language of the transcripts: commands to a simulated chain, and what its replicas then did, in words.

A file is blocks of commands and what followed, `----` between them. Commands:

    cluster weights=1,1,1,1 period=1 delay=10   a chain; every message takes `delay` ticks
    start [node1 ...]        start processes (all)
    wait TICKS               let time pass
    wait until height N [TICKS]   let time pass until all that are up have N, at most TICKS (20000)
    submit A B ...           transactions reach every pool
    crash node1 ...          kill -9
    lose KIND node1 ...      from now on messages of KIND do not reach these nodes
    lose nothing             messages arrive again
    cut 0,1 | 2,3            only members of one group reach each other
    heal                     end of the cut
    quietly                  show only views, blocks and refusals from now on
    status                   one line a replica

Blocks are named A, B, C in the order they are first heard of; equal lines of several nodes at one time are joined.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from fiscotool.pbft.effects import Effect
from fiscotool.pbft.events import Event
from fiscotool.pbft.messages import Message
from fiscotool.pbft.render import narrate
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.state import ReplicaState
from fiscotool.pbft.types import Digest
from fiscotool.sim.adversary import Honest, Sent
from fiscotool.sim.cluster import Cluster
from fiscotool.sim.network import Weather
from fiscotool.sim.replica import Replica
from fiscotool.sim.world import World

_QUIET = re.compile(r"accepts|is prepared|agrees on|executed|may seal|is stable|PrePrepare")


class _Lossy(Honest):
    """Loses messages of some kinds on the way to some nodes; everyone is correct."""

    def __init__(self) -> None:
        self.lost: dict[str, set[int]] = {}

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        gone = self.lost.get(type(message).__name__, set())
        return [(to, sent) for to, sent in super().broadcast(world, replica, message) if to not in gone]


@dataclass
class Stage:
    """A chain and the lines it made."""

    lines: list[tuple[int, str, str]] = field(default_factory=list)
    names: dict[Digest, str] = field(default_factory=dict)
    is_quiet: bool = False
    cluster: Cluster = field(default_factory=lambda: Cluster(Rules((1,))))
    wire: _Lossy = field(default_factory=_Lossy)

    def do(self, command: str) -> list[str]:
        """Carry out one line; returns what there is to read."""
        self.lines.clear()
        verb, _, rest = command.partition(" ")
        words = rest.split()
        shown = getattr(self, f"_do_{verb}")(words)
        return [*(shown or []), *self._joined()]

    def _do_cluster(self, words: list[str]) -> list[str]:
        options = dict(word.split("=") for word in words)
        delay = int(options.get("delay", "10"))
        weights = tuple(int(weight) for weight in options["weights"].split(","))
        rules = Rules(weights, leader_period_blocks=int(options.get("period", "1")))
        self.cluster = Cluster(rules, seed=1, weather=Weather(delay, delay))
        self.cluster.honest = self.wire
        self.cluster.listeners.append(self._hear)
        replicas = self.cluster.replicas
        replicas[0].boot()
        state = replicas[0].state
        assert state is not None
        replicas[0].crash()
        return [
            f"{len(weights)} nodes, quorum {state.quorum_weight} of {sum(weights)}; leader of height h in view v: (h div {rules.leader_period_blocks} + v) mod {len(weights)}"
        ]

    def _do_start(self, words: list[str]) -> None:
        self.cluster.start([int(word.removeprefix("node")) for word in words] or None)
        self.cluster.run(1)

    def _do_wait(self, words: list[str]) -> list[str]:
        if words[0] != "until":
            self.cluster.run(int(words[0]))
            return []
        target, limit = int(words[2]), int(words[3]) if len(words) > 3 else 20_000
        reached = self.cluster.run(limit, until=lambda: all(r.state.height >= target for r in self.cluster.replicas if r.state is not None))
        return [] if reached else [f"height {target} was not reached"]

    def _do_submit(self, words: list[str]) -> None:
        self.cluster.submit(*words)

    def _do_crash(self, words: list[str]) -> None:
        for word in words:
            self.cluster.crash(int(word.removeprefix("node")))

    def _do_lose(self, words: list[str]) -> None:
        if words == ["nothing"]:
            self.wire.lost.clear()
        else:
            self.wire.lost.setdefault(words[0], set()).update(int(word.removeprefix("node")) for word in words[1:])

    def _do_cut(self, words: list[str]) -> None:
        groups = " ".join(words).split("|")
        self.cluster.network.partition([[int(member) for member in group.split(",")] for group in groups])

    def _do_heal(self, _words: list[str]) -> None:
        self.cluster.network.heal()

    def _do_quietly(self, _words: list[str]) -> None:
        self.is_quiet = True

    def _do_status(self, _words: list[str]) -> list[str]:
        shown = []
        for replica in self.cluster.replicas:
            state = replica.state
            if state is None:
                shown.append(f"node{replica.index} is down")
                continue
            mode = f"in timeout, asks for {state.to_view}" if state.in_timeout else "not in timeout"
            shown.append(f"node{replica.index} height {state.height} view {state.view} change cycle {state.change_cycle} {mode}")
        return [*shown, *(f"VIOLATION {violation}" for violation in self.cluster.violations)]

    def _hear(self, node: str, event: Event, before: ReplicaState, after: ReplicaState, effects: tuple[Effect, ...]) -> None:
        for text in narrate(before, event, after, effects, self._name):
            if not (self.is_quiet and _QUIET.search(text)):
                self.lines.append((self.cluster.now, node, text))

    def _name(self, digest: Digest) -> str:
        number = len(self.names)
        return self.names.setdefault(digest, chr(ord("A") + number) if number < 26 else f"Z{number - 25}")

    def _joined(self) -> list[str]:
        """`time nodes what`; the same thing of several nodes at one time is one line."""
        joined: dict[tuple[int, str], list[str]] = {}
        for now, node, text in self.lines:
            joined.setdefault((now, text), []).append(node)
        return [f"{now:>6} {','.join(sorted(nodes)).replace(',node', ',')} {text}" for (now, text), nodes in joined.items()]


def play(script: str) -> str:
    """The transcript of a file's commands: what follows `----` in it is replaced."""
    stage = Stage()
    blocks = []
    for block in re.split(r"\n\n+", script.strip()):
        commands = [line for line in block.split("\n----")[0].split("\n") if line]
        answer: list[str] = []
        for command in commands:
            if not command.startswith("#"):
                answer += stage.do(command)
        blocks.append("\n".join([*commands, "----", *answer]) if any(not c.startswith("#") for c in commands) else "\n".join(commands))
    return "\n\n".join(blocks) + "\n"
