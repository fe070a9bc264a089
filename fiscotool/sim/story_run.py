"""A simulated run told as a story: the run is made again from its settings and schedule, with someone listening.

Rule. Listening changes nothing: the run is the one that `sim.run` makes, with the same event log hash.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fiscotool.pbft import effects as do
from fiscotool.pbft import events as ev
from fiscotool.pbft.messages import ViewChange
from fiscotool.pbft.trace import TraceRecord
from fiscotool.sim.cluster import Cluster
from fiscotool.sim.run import LIVE_BLOCKS, Outcome, simulate
from fiscotool.sim.schedule import THOUSANDTHS, Action, Schedule
from fiscotool.sim.settings import Settings
from fiscotool.sim.story import Chapter, Teller
from fiscotool.sim.tracing import TICKS_A_SECOND, Tracer


@dataclass(frozen=True, slots=True)
class Told:
    """A run, its acts, and what they come to."""

    outcome: Outcome
    records: tuple[TraceRecord, ...]
    chapters: tuple[Chapter, ...]


class _Listener:
    """Feeds a `Teller` with acts, with what the world does, and with why a replica may lack a leader."""

    def __init__(self, cluster: Cluster, settings: Settings) -> None:
        self.cluster = cluster
        self.settings = settings
        self.tracer = Tracer(cluster)
        self.teller = Teller(self._weights, dialect=settings.dialect)
        self.told = 0
        self.wrong = 0
        self.lives = [0] * len(cluster.replicas)
        cluster.listeners.append(self._on_step)

    def _weights(self, height: int) -> tuple[int, ...]:
        """The weights in force for a height, by the longest ledger."""
        ledger = max((replica.ledger for replica in self.cluster.replicas), key=len)
        place = min(height - 2, len(ledger) - 1)
        return ledger[place].rules.weights if place >= 0 else self.settings.weights

    @property
    def now_s(self) -> float:
        """Virtual time, seconds."""
        return self.cluster.now / TICKS_A_SECOND

    def _on_step(self, name: str, event: ev.Event, before: Any, after: Any, effects: tuple[do.Effect, ...]) -> None:
        if isinstance(event, ev.Started):
            self.teller.note(self.now_s, "start", node=name, life=self.cluster.replicas[int(name.removeprefix("node"))].life)
        self.tracer.on_step(name, event, before, after, effects)
        for record in self.tracer.records[self.told :]:
            self.teller.act(record)
        self.told = len(self.tracer.records)
        if isinstance(event, ev.TimerFired) and event.name is ev.TimerName.VIEW:
            asked = [e.message.view for e in effects if isinstance(e, do.Broadcast) and isinstance(e.message, ViewChange)]
            if asked:
                self._reason(name, before, max(asked))
        self.wrongs()

    def wrongs(self) -> None:
        """Properties broken since the last look."""
        for found in self.cluster.violations[self.wrong :]:
            where = found.node or "-"
            self.teller.note(self.now_s, "violation", rule=found.rule, node=where, height=found.height, detail=found.detail)
        self.wrong = len(self.cluster.violations)

    def _reason(self, name: str, before: Any, target: int) -> None:
        """What was the matter with the leader that `name` waited for."""
        status = self.cluster.dialect.status(before)
        leader = self.cluster.replicas[status.leader]
        me = int(name.removeprefix("node"))
        values: dict[str, Any] = {"leader": f"node{status.leader}", "height": before.height + 1, "view": before.view}
        if before.in_timeout:
            kind, values = "no-view", {"asked": before.to_view}
        elif leader.state is None:
            kind = "leader-down"
        elif leader.index in self.cluster.strategies:
            kind, values["strategy"] = "leader-lies", dict(self.settings.byzantine).get(leader.index, "-")
        elif not self.cluster.is_reachable(leader.index, me) and leader.index != me:
            kind = "leader-cut-off"
        elif leader.index != me and leader.state.view != before.view:
            kind = "leader-waits"
        else:
            kind = "no-quorum"
        self.teller.reason(self.now_s, name, target, kind, **values)

    def on_action(self, action: Action) -> None:
        """The schedule does something."""
        numbers, tell, now_s = action.numbers, self.teller.note, self.now_s
        if action.kind == "crash":
            tell(now_s, "crash", node=f"node{numbers[0]}")
        elif action.kind == "split":
            parts = [[f"node{node}" for node, part in enumerate(numbers) if part == number] for number in sorted(set(numbers))]
            tell(now_s, "split", parts=" | ".join(" ".join(part) for part in parts))
        elif action.kind == "heal":
            tell(now_s, "heal")
        elif action.kind == "weather":
            tell(now_s, "weather", delay_ms=numbers[0], loss=numbers[1] / THOUSANDTHS, doubled=numbers[2] / THOUSANDTHS)


def tell_run(settings: Settings, schedule: Schedule | None = None, *, fold: bool = True) -> Told:
    """Both phases of a run, as `sim.run.simulate` makes them, and their story."""
    heard: list[_Listener] = []

    def listen(cluster: Cluster) -> None:
        heard.append(_Listener(cluster, settings))

    def on_action(action: Action) -> None:
        heard[0].on_action(action)

    def on_peace() -> None:
        heard[0].teller.note(heard[0].now_s, "peace", core=_core_of(settings), blocks=LIVE_BLOCKS)

    outcome = simulate(settings, schedule, watch=listen, on_action=on_action, on_peace=on_peace)
    listener = heard[0]
    listener.wrongs()
    end = "converged" if outcome.is_live else "stands" if outcome.known_stall else "stuck"
    heights = " ".join(str(height) for height in outcome.heights)
    listener.teller.note(
        listener.now_s, end, core=_core_of(settings), heights=heights, **({"stall": outcome.known_stall} if end == "stands" else {})
    )
    return Told(outcome, tuple(listener.tracer.records), tuple(listener.teller.chapters(fold=fold)))


def _core_of(settings: Settings) -> str:
    """The replicas that must go on in the liveness phase."""
    liars = {index for index, _ in settings.byzantine}
    return ", ".join(f"node{i}" for i in range(len(settings.weights)) if i not in liars and i not in settings.dead)
