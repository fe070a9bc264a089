"""A run: a phase of trouble in which nothing wrong may happen, then a phase of peace in which good things must.

Phase 1, safety. The schedule happens; every step of a correct replica is judged. At most f weight lies; any number may be down.
Phase 2, liveness. A core of correct replicas with the weight of a quorum is connected and up, the others crash for good; every
replica of the core must write `LIVE_BLOCKS` more blocks than anyone had, within the bound of `faults.liveness_bound_ticks`.

Sources: OSDI'99 section 4.5; the two phases are those of TigerBeetle's simulator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fiscotool.pbft.properties import Violation
from fiscotool.protocols.registry import PROTOCOLS
from fiscotool.sim import faults
from fiscotool.sim.cluster import Cluster
from fiscotool.sim.eventlog import EventLog
from fiscotool.sim.schedule import Action, Schedule, plan, play
from fiscotool.sim.settings import STRATEGIES, Settings

LIVE_BLOCKS = 2
"""How far everyone must get in the liveness phase."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run showed.

    `known_stall` names the hole of the protocol (`pbft.stalls`) when the core stood still because of it, which is no bug of the
    model. `log_sha256` covers every step of every replica; `ticks` is virtual time, `decisions` counts blocks.
    """

    settings: Settings
    schedule: Schedule
    violations: tuple[Violation, ...]
    is_live: bool
    known_stall: str
    stuck: str
    heights: tuple[int, ...]
    views: tuple[int | None, ...]
    ticks: int
    step_count: int
    message_count: int
    decisions: int
    log_sha256: str

    @property
    def is_good(self) -> bool:
        """Whether nothing was wrong."""
        return not self.rules_broken

    @property
    def rules_broken(self) -> tuple[str, ...]:
        """Names of the properties that do not hold; `liveness` when the core did not converge."""
        names = dict.fromkeys(violation.rule for violation in self.violations)
        return (*names, *(() if self.is_live or self.known_stall else ("liveness",)))


def simulate(
    settings: Settings,
    schedule: Schedule | None = None,
    *,
    write_log: Callable[[str], object] | None = None,
    watch: Callable[[Cluster], object] | None = None,
    on_action: Callable[[Action], object] | None = None,
    on_peace: Callable[[], object] | None = None,
) -> Outcome:
    """Both phases. `schedule` replaces the one that belongs to the settings; `write_log` gets the event log as text.

    `watch` is shown the cluster before it starts, to add a listener (`tracing.Tracer`). `on_action` is told of each action of the schedule
    before it happens, `on_peace` of the beginning of the second phase. They only look.
    """
    schedule = plan(settings) if schedule is None else schedule
    log = EventLog(write_log)
    cluster = Cluster(
        settings.rules,
        seed=settings.seed,
        weather=settings.weather,
        pace=settings.pace,
        strategies={index: STRATEGIES[name]() for index, name in settings.byzantine},
        dialect=PROTOCOLS[settings.dialect],
        log=log,
    )
    if watch is not None:
        watch(cluster)
    cluster.start()
    play(cluster, schedule, settings.ticks, on_action=on_action)
    before = max(cluster.heights)
    if on_peace is not None:
        on_peace()
    is_live = faults.recover(cluster, blocks=LIVE_BLOCKS, dead=settings.dead)
    core = [i for i in range(len(cluster.replicas)) if i not in settings.dead and i not in cluster.strategies]
    stuck = "" if is_live else f"replicas {core} are at heights {[cluster.heights[i] for i in core]}, wanted {before + LIVE_BLOCKS}"
    stall = None if is_live else cluster.dialect.known_stall([cluster.replicas[i].state for i in core])
    return Outcome(
        settings=settings,
        schedule=schedule,
        violations=tuple(cluster.violations),
        is_live=is_live,
        known_stall=stall or "",
        stuck=stuck,
        heights=tuple(cluster.heights),
        views=tuple(cluster.views()),
        ticks=cluster.now,
        step_count=cluster.step_count,
        message_count=sum(cluster.message_counts.values()),
        decisions=max(cluster.heights),
        log_sha256=log.digest(),
    )
