"""All mutants through all methods, in parallel, into one file of numbers: `make mutants`.

A job is one mutant and what is learnt at one go: simulator, explorer, polls of simulated chains, or a whole embedded chain with its three
judges. Every drill is also done to chains without a mutant: what is said of those is an alarm of the judge's, which must not be, and
counts for no mutant that was judged by the same drill.

Rule 1. Nothing is learnt twice: with the numbers of a run that was interrupted, only what is lacking is done.
Rule 2. Jobs that need a core come first, as many at a time as there are cores; then the chains, which wait most of their time, more at a
        time. Each is a process, so that judging one chain does not delay what is done to another.
"""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Final

from fiscotool.errors import FiscoToolError
from fiscotool.mutants.registry import MUTANTS
from fiscotool.trials import exploring, simulator, watched
from fiscotool.trials.drill import Drill
from fiscotool.trials.drills import drill_for
from fiscotool.trials.numbers import Numbers, as_clean, clean_key
from fiscotool.trials.recorded import OF_CHAINS, said_of_clean, try_embedded
from fiscotool.trials.verdict import Verdict

PORTS_EACH: Final = 24
_FIRST_PORT, _LAST_PORT = 14_000, 19_900

SPOILED: Final = (FiscoToolError, OSError, RuntimeError, ValueError)
"""What a chain under test may end in beside a recording: ports taken, a full machine."""

CHAIN: Final = "chain"
CLEAN: Final = "clean"

EXPECTED_S: Final = {simulator.METHOD: 1.0, exploring.METHOD: 1.0, watched.METHOD: 2.0, CHAIN: 30.0, CLEAN: 30.0}
"""About how long jobs of each kind take, to say how long the rest will."""

Tell = Callable[[str], None]
"""Told of every verdict, one line each."""


@dataclass(frozen=True, slots=True)
class Job:
    """One thing to be done: what for `CHAIN` and the methods of one core is a mutant's name, for `CLEAN` a dialect and a drill."""

    kind: str
    what: str
    drill: Drill | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a job. `problem` when the machine spoiled it."""

    verdicts: tuple[Verdict, ...] = ()
    alarms: dict[str, list[str]] | None = None
    took_s: float = 0.0
    problem: str = ""


def jobs_of(names: Iterable[str], methods: Iterable[str], known: Numbers) -> Iterator[Job]:
    """What is lacking, in the order it is done: likely long ones first within a kind."""
    wanted, chosen = list(names), set(methods)
    have = {(verdict.mutant, verdict.method) for verdict in known.verdicts}
    for method in (watched.METHOD, simulator.METHOD, exploring.METHOD):
        if method in chosen:
            yield from (Job(method, name) for name in wanted if (name, method) not in have)
    if not chosen & set(OF_CHAINS):
        return
    drills = {(MUTANTS[name].dialect, as_clean(drill_for(name))): None for name in wanted}
    clean = [Job(CLEAN, dialect, drill) for dialect, drill in drills if clean_key(dialect, drill) not in known.alarms]
    chains = [Job(CHAIN, name, drill_for(name)) for name in wanted if any((name, method) not in have for method in OF_CHAINS)]
    yield from sorted([*clean, *chains], key=lambda job: -_length_s(job))


def _length_s(job: Job) -> float:
    drill = job.drill or Drill()
    return drill.calm_s + drill.down_s * (2 if drill.act in {"all", "turns"} else drill.act != "none") + drill.after_s


class Ports:
    """Hands out blocks of consecutive ports that were free a moment ago."""

    def __init__(self) -> None:
        self._next = itertools.cycle(range(_FIRST_PORT, _LAST_PORT, PORTS_EACH))

    def block(self) -> int:
        """The first port of a block."""
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


def do(job: Job, first_port: int) -> Done:
    """The job, in a process of its own."""
    began_s = time.monotonic()
    try:
        done = _do(job, first_port)
    except SPOILED as problem:
        return Done(took_s=time.monotonic() - began_s, problem=f"{type(problem).__name__}: {problem}")
    return Done(done.verdicts, done.alarms, time.monotonic() - began_s)


def _do(job: Job, first_port: int) -> Done:
    if job.kind == simulator.METHOD:
        return Done((simulator.try_simulator(MUTANTS[job.what], seeds=16, cpu_s_max=12.0),))
    if job.kind == exploring.METHOD:
        return Done((exploring.try_explorer(MUTANTS[job.what]),))
    if job.kind == watched.METHOD:
        return Done((watched.try_watching(MUTANTS[job.what]),))
    if job.kind == CHAIN:
        return Done(try_embedded(MUTANTS[job.what], first_port))
    assert job.drill is not None
    return Done(alarms=said_of_clean(job.what, job.drill, first_port))


class Campaign:
    """A run: `numbers` grow while it goes, `keep` is told after each job so that nothing is lost when it is interrupted."""

    def __init__(self, known: Numbers, *, tell: Tell, keep: Callable[[Numbers], None]) -> None:
        self.numbers = known
        self._tell = tell
        self._keep = keep
        self._ports = Ports()
        self._left_s = 0.0

    def run(self, jobs: Iterable[Job], *, workers: int, chains: int) -> Numbers:
        """Do them all."""
        every = list(jobs)
        before_s, began_s = self.numbers.seconds, time.monotonic()
        self._left_s = sum(self._share_s(job, workers, chains) for job in every)
        self._tell(f"{len(every)} jobs, about {self._left_s / 60:.0f} minutes")
        for size, kinds in ((workers, {simulator.METHOD, exploring.METHOD, watched.METHOD}), (chains, {CHAIN, CLEAN})):
            mine = [job for job in every if job.kind in kinds]
            spoiled = self._do_all(mine, size, lambda job: self._share_s(job, workers, chains), before_s - began_s)
            self._do_all(spoiled, 1, lambda _: 0.0, before_s - began_s)
        return self.numbers

    def _share_s(self, job: Job, workers: int, chains: int) -> float:
        """What it adds to the time of the whole run."""
        return EXPECTED_S[job.kind] / (chains if job.kind in {CHAIN, CLEAN} else workers)

    def _do_all(self, jobs: list[Job], size: int, share_s: Callable[[Job], float], offset_s: float) -> list[Job]:
        """As many at a time as `size`; those that the machine spoiled, to be done once more alone."""
        spoiled: list[Job] = []
        if not jobs:
            return spoiled
        with ProcessPoolExecutor(size) as pool:
            futures: dict[Future[Done], Job] = {
                pool.submit(do, job, self._ports.block() if job.kind in {CHAIN, CLEAN} else 0): job for job in jobs
            }
            for future in as_completed(futures):
                job, done = futures[future], future.result()
                self._left_s -= share_s(job)
                if done.problem:
                    self._tell(f"{job.kind} {job.what}: spoiled: {done.problem}")
                    spoiled.append(job)
                    continue
                self.numbers.seconds = offset_s + time.monotonic()
                self._note(job, done)
                self._keep(self.numbers)
        return spoiled

    def _note(self, job: Job, done: Done) -> None:
        self.numbers.spent_s[job.kind] = self.numbers.spent_s.get(job.kind, 0.0) + done.took_s
        left = f"[{max(self._left_s, 0) / 60:4.1f} min]"
        if job.drill is not None and done.alarms is not None:
            self.numbers.alarms[clean_key(job.what, job.drill)] = done.alarms
            said = {method: found for method, found in done.alarms.items() if found}
            self._tell(f"{left} {'no mutant':14} {clean_key(job.what, job.drill)}: {said or 'nothing'}")
        for verdict in done.verdicts:
            self.numbers.replace(verdict)
            by = ", ".join(verdict.by)
            self._tell(f"{left} {verdict.mutant:14} {verdict.method:10} {verdict.result.value:15} {by}  {verdict.evidence}")
