"""All mutants through all methods, in parallel, into one file of numbers: `make mutants`.

Simulator and explorer use processes, the embedded chains threads that wait for theirs. Chains without a mutant run under every drill as
well: what is said of those is an alarm of the judge's, and counts for no mutant that was judged by the same drill.
"""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any, Final

from fiscotool.errors import FiscoToolError
from fiscotool.mutants.registry import MUTANTS
from fiscotool.trials import exploring, simulator
from fiscotool.trials.drills import drill_for
from fiscotool.trials.embedded import Drill
from fiscotool.trials.recorded import POLLS, TRACES, said_of_clean, try_embedded
from fiscotool.trials.verdict import Result, Verdict, verdict_from_json

METHODS: Final = (simulator.METHOD, exploring.METHOD, TRACES, POLLS)
PORTS_EACH: Final = 24
_FIRST_PORT, _LAST_PORT = 14_000, 19_900

SPOILED: Final = (FiscoToolError, OSError, RuntimeError, ValueError)
"""What a chain under test may end in beside a recording: ports taken, a full machine."""

Tell = Callable[[str], None]
"""Told of every verdict, one line each."""


@dataclass(slots=True)
class Numbers:
    """What a campaign found. `alarms` are what was said of chains without a mutant, by drill and method."""

    verdicts: list[Verdict] = field(default_factory=list)
    alarms: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """For a file, in the order of the registry."""
        order = {name: place for place, name in enumerate(MUTANTS)}
        ordered = sorted(self.verdicts, key=lambda verdict: (order.get(verdict.mutant, -1), METHODS.index(verdict.method)))
        return {
            "seconds": round(self.seconds),
            "alarms": {drill: dict(sorted(found.items())) for drill, found in sorted(self.alarms.items())},
            "verdicts": [verdict.as_json() for verdict in ordered],
        }


def numbers_from_json(data: dict[str, Any]) -> Numbers:
    """The numbers of a file."""
    return Numbers([verdict_from_json(entry) for entry in data["verdicts"]], data["alarms"], float(data["seconds"]))


class Ports:
    """Hands out blocks of consecutive ports that were free a moment ago, to several threads."""

    def __init__(self) -> None:
        self._next = itertools.cycle(range(_FIRST_PORT, _LAST_PORT, PORTS_EACH))
        self._lock = threading.Lock()

    def block(self) -> int:
        """The first port of a block."""
        with self._lock:
            for first in itertools.islice(self._next, (_LAST_PORT - _FIRST_PORT) // PORTS_EACH):
                if all(_is_free(port) for port in range(first, first + PORTS_EACH)):
                    return first
        raise OSError("no block of free ports")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def run(names: Iterable[str], methods: Iterable[str], *, tell: Tell, workers: int = 2, chains: int = 4) -> Numbers:
    """Try these mutants with these methods."""
    wanted, chosen = list(names), set(methods)
    began, numbers = time.monotonic(), Numbers()
    if chosen & {TRACES, POLLS}:
        _run_chains(wanted, numbers, tell, chains)
    with ProcessPoolExecutor(workers) as pool:
        futures: list[Future[Verdict]] = []
        if simulator.METHOD in chosen:
            futures += [pool.submit(_simulate, name) for name in wanted]
        if exploring.METHOD in chosen:
            futures += [pool.submit(_explore, name) for name in wanted]
        for future in as_completed(futures):
            _note(numbers, future.result(), tell)
    numbers.seconds = time.monotonic() - began
    return numbers


def _simulate(name: str) -> Verdict:
    return simulator.try_simulator(MUTANTS[name], seeds=16, cpu_s_max=12.0)


def _explore(name: str) -> Verdict:
    return exploring.try_explorer(MUTANTS[name])


def _note(numbers: Numbers, verdict: Verdict, tell: Tell) -> None:
    numbers.verdicts.append(verdict)
    tell(f"{verdict.mutant:14} {verdict.method:10} {verdict.result.value:15} {', '.join(verdict.by)}  {verdict.evidence}")


def _run_chains(names: list[str], numbers: Numbers, tell: Tell, chains: int) -> None:
    """Embedded chains, some at a time: first the clean ones of every drill."""
    ports = Ports()
    drills: dict[tuple[str, Drill], None] = {(MUTANTS[name].dialect, _as_clean(drill_for(name))): None for name in names}
    with ThreadPoolExecutor(chains) as pool:
        clean = {key: pool.submit(said_of_clean, key[0], key[1], ports.block()) for key in drills}
        trials = [pool.submit(try_embedded, MUTANTS[name], ports.block()) for name in names]
        for (dialect, drill), future in clean.items():
            numbers.alarms[f"{dialect}: {drill.told()}"] = found = future.result()
            tell(f"{'no mutant':14} {dialect}, {drill.told()}: {found}")
        for name, trial in zip(names, trials, strict=True):
            key = f"{MUTANTS[name].dialect}: {_as_clean(drill_for(name)).told()}"
            for verdict in _result(trial, name, ports, tell):
                _note(numbers, without_alarms(verdict, numbers.alarms[key].get(verdict.method, [])), tell)


def _result(trial: Future[tuple[Verdict, Verdict]], name: str, ports: Ports, tell: Tell) -> tuple[Verdict, ...]:
    """What a trial says; one that the machine spoiled is tried once more, and left out when that is spoiled, too."""
    try:
        return trial.result()
    except SPOILED as problem:
        tell(f"{name:14} once more: {problem}")
    try:
        return try_embedded(MUTANTS[name], ports.block())
    except SPOILED as problem:
        tell(f"{name:14} not tried: {problem}")
        return ()


def _as_clean(drill: Drill) -> Drill:
    """The drill as a chain without a mutant has it."""
    return Drill(drill.byzantine, drill.victims, drill.calm_s, drill.down_s, drill.after_s, drill.nodes)


def without_alarms(verdict: Verdict, alarms: Iterable[str]) -> Verdict:
    """The verdict as far as a chain without the mutant did not get it, too."""
    said = set(alarms)
    kept = tuple(each for each in verdict.by if each not in said)
    if verdict.result is not Result.KILLED or kept == verdict.by:
        return verdict
    result = Result.KILLED if kept else Result.SURVIVED
    return Verdict(verdict.mutant, verdict.method, result, kept, verdict.evidence, verdict.seconds)
