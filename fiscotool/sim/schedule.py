"""The trouble of a run as a list of values: made from a seed, shortened, written down, played again.

A schedule is decided before the run, unlike `faults.torment`, which draws while it goes: so an action can be taken out and the rest
stays what it was. One action is one line, for instance `12034 crash 2 5`: at tick 12034 replica 2 stops after five more effects.

    submit N          N transactions reach every replica that is up
    weights A B …     a system transaction that changes the weights
    crash I K         replica I stops after K more effects, perhaps in the middle of a step
    start I           replica I starts, if it is down
    split A B …       replica i is in part A, B, …; parts do not reach each other
    heal              every replica reaches every other
    weather D L U     delays up to D ticks, loss L and duplicates U in thousandths
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from fiscotool.sim.cluster import Cluster
from fiscotool.sim.network import Weather
from fiscotool.sim.settings import Settings, between, pick

KINDS: Final = ("submit", "weights", "crash", "start", "split", "heal", "weather")
"""All kinds of actions."""

THOUSANDTHS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Action:
    """Something that happens to the world at a tick."""

    at_ticks: int
    kind: str
    numbers: tuple[int, ...] = ()

    def line(self) -> str:
        """The action as one line."""
        return " ".join([str(self.at_ticks), self.kind, *map(str, self.numbers)])


Schedule = tuple[Action, ...]


def parse_action(line: str) -> Action:
    """The action of a line; raises ValueError with the reason when it is none."""
    at_ticks, kind, *numbers = line.split()
    if kind not in KINDS:
        raise ValueError(f"no action {kind!r}; there are {', '.join(KINDS)}")
    return Action(int(at_ticks), kind, tuple(int(number) for number in numbers))


def plan(settings: Settings) -> Schedule:
    """The trouble that belongs to these settings. Its generator is not the network's, so shortening one leaves the other alone."""
    rng = random.Random(settings.seed * 2 + 1)
    actions: list[Action] = []
    now = 0
    while True:
        now += between(rng, 1, 2 * settings.action_ticks)
        if now >= settings.ticks:
            return tuple(actions)
        actions.append(_draw(rng, settings, now))


def _draw(rng: random.Random, settings: Settings, now: int) -> Action:
    """One action; transactions are the most frequent one."""
    n = len(settings.weights)
    kinds = ["submit"] * 4 + ["heal"]
    kinds += ["crash", "start", "start"] if settings.crashes else []
    kinds += ["split", "heal"] if settings.partitions else []
    kinds += ["weather"] if settings.weather_changes else []
    kinds += ["weights"] if settings.weight_changes else []
    kind = pick(rng, kinds)
    match kind:
        case "submit":
            numbers: tuple[int, ...] = (between(rng, 1, 6),)
        case "crash":
            numbers = (between(rng, 0, n - 1), between(rng, 0, 12))
        case "start":
            numbers = (between(rng, 0, n - 1),)
        case "split":
            parts = pick(rng, (2, 2, 3))
            numbers = tuple(between(rng, 0, parts - 1) for _ in range(n))
        case "weather":
            numbers = (pick(rng, (2, 50, 800)), pick(rng, (0, 20, 200)), pick(rng, (0, 100)))
        case "weights":
            numbers = tuple(between(rng, 1, 3) for _ in range(n))
        case _:
            numbers = ()
    return Action(now, kind, numbers)


def play(cluster: Cluster, schedule: Iterable[Action], ticks: int, *, on_action: Callable[[Action], object] | None = None) -> None:
    """Let the schedule happen to a started cluster, and time pass until `ticks`; `on_action` is told of each action before it."""
    for number, action in enumerate(schedule):
        cluster.run(max(0, min(action.at_ticks, ticks) - cluster.now))
        if on_action is not None:
            on_action(action)
        do_action(cluster, action, number)
    cluster.run(max(0, ticks - cluster.now))


def do_action(cluster: Cluster, action: Action, number: int) -> None:
    """One action, now. `number` names its transactions."""
    numbers = action.numbers
    match action.kind:
        case "submit":
            cluster.submit(*(f"t{number}.{k}" for k in range(numbers[0])))
        case "weights":
            cluster.submit(f"weights:{','.join(map(str, numbers))}#{number}")
        case "crash":
            if cluster.replicas[numbers[0]].is_up:
                cluster.effects_until_crash[numbers[0]] = numbers[1]
        case "start":
            cluster.start([numbers[0]])
        case "split":
            parts = sorted(set(numbers))
            cluster.network.partition([[i for i, part in enumerate(numbers) if part == wanted] for wanted in parts])
        case "weather":
            delay, loss, duplicates = numbers
            cluster.network.weather = Weather(1, delay, loss / THOUSANDTHS, duplicates / THOUSANDTHS)
        case _:
            cluster.network.heal()
