"""Many seeds over several processes: progress while it runs, and a file from which it goes on after an interruption.

Rule 1. The state file is JSON Lines: first what the campaign is (range, settings), then one line a finished seed, flushed. A line torn
        by a crash is ignored and its seed runs again.
Rule 2. A state file belongs to one campaign: other settings are refused, a longer range is not.
Rule 3. Where a seed runs changes nothing: in this process, in others, or on other machines (`campaign_dask`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from fiscotool.errors import UsageError
from fiscotool.sim.run import simulate
from fiscotool.sim.settings import draw_settings

SEEDS_A_TASK = 8
"""Seeds handed to a process at a time: enough to forget the hand-over, few enough to see progress."""


@dataclass(frozen=True, slots=True)
class Line:
    """What is kept of one seed."""

    seed: int
    rules_broken: tuple[str, ...]
    log_sha256: str
    step_count: int
    decisions: int
    ticks: int
    known_stall: str = ""


@dataclass(slots=True)
class Campaign:
    """What is known so far."""

    fixed: dict[str, Any]
    lines: dict[int, Line] = field(default_factory=dict)

    @property
    def bad(self) -> list[Line]:
        """Seeds that showed something wrong, in order."""
        return [line for _, line in sorted(self.lines.items()) if line.rules_broken]


def run_seeds(seeds: list[int], fixed: dict[str, Any]) -> list[Line]:
    """Work of one task; runs in a child process."""
    found = []
    for seed in seeds:
        outcome = simulate(draw_settings(seed, **fixed))
        found.append(
            Line(seed, outcome.rules_broken, outcome.log_sha256, outcome.step_count, outcome.decisions, outcome.ticks, outcome.known_stall)
        )
    return found


Spread = Callable[[list[list[int]], dict[str, Any]], Iterator[list[Line]]]
"""Runs tasks somewhere else; results come in any order (`campaign_dask.results_of`)."""


def run_campaign(
    seeds: range, fixed: dict[str, Any], *, jobs: int, state: Path | None, report: Callable[[Campaign], None], spread: Spread | None = None
) -> Campaign:
    """Run all seeds that the state file does not have yet. `report` is called after each task.

    `spread` runs the tasks instead of `jobs` processes of this machine.
    """
    campaign = Campaign(fixed, {} if state is None else _load(state, fixed))
    missing = [seed for seed in seeds if seed not in campaign.lines]
    tasks = [missing[start : start + SEEDS_A_TASK] for start in range(0, len(missing), SEEDS_A_TASK)]
    if state is not None and not state.exists():
        state.parent.mkdir(parents=True, exist_ok=True)
        state.write_text(json.dumps({"campaign": fixed}) + "\n", encoding="utf-8")
    results = _results(tasks, fixed, jobs) if spread is None else spread(tasks, fixed)
    for lines in results:
        campaign.lines.update({line.seed: line for line in lines})
        if state is not None:
            is_torn = not state.read_bytes().endswith(b"\n")
            with state.open("a", encoding="utf-8") as file:
                file.write("\n" if is_torn else "")
                file.writelines(json.dumps(asdict(line)) + "\n" for line in lines)
        report(campaign)
    campaign.lines = {seed: line for seed, line in campaign.lines.items() if seed in seeds}
    return campaign


def _results(tasks: list[list[int]], fixed: dict[str, Any], jobs: int) -> Iterator[list[Line]]:
    """Results of the tasks as they come; in this process when one job is enough."""
    if jobs == 1 or len(tasks) <= 1:
        for task in tasks:
            yield run_seeds(task, fixed)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting: set[Future[list[Line]]] = set()
        rest = iter(tasks)
        try:
            while True:
                waiting |= {pool.submit(run_seeds, task, fixed) for task in islice(rest, 2 * jobs - len(waiting))}
                if not waiting:
                    return
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            for future in waiting:
                future.cancel()


def _load(state: Path, fixed: dict[str, Any]) -> dict[int, Line]:
    """The finished seeds of a state file. Raises UsageError for a file of another campaign."""
    if not state.exists():
        return {}
    found: dict[int, Line] = {}
    with state.open(encoding="utf-8", errors="replace") as file:
        for number, text in enumerate(file):
            try:
                entry = json.loads(text)
            except ValueError:
                continue
            if number == 0:
                if entry.get("campaign") != json.loads(json.dumps(fixed)):
                    raise UsageError(
                        f"{state} belongs to another campaign: {entry.get('campaign')}", hint="name another file, or the same settings"
                    )
                continue
            found[entry["seed"]] = Line(**{**entry, "rules_broken": tuple(entry["rules_broken"])})
    if not found and state.stat().st_size and number == 0 and "campaign" not in entry:
        raise UsageError(f"{state} is no state file of a campaign", hint="name a new file")
    return found
