"""`simulate twins` and `simulate byzzfuzz`: whole families of scenarios instead of one drawn world."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import click

from fiscotool.cli.options import json_option
from fiscotool.cli.output import Output, table
from fiscotool.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fiscotool.pbft.rules import Quirk
    from fiscotool.sim.byzzfuzz import Cell
    from fiscotool.sim.twins import Result

SHOWN_MAX = 10
JOBS_MAX = 64
PBFT_DIALECTS = ("fisco3", "fisco2", "classic")


@click.command()
@click.option(
    "--rounds", type=click.IntRange(1, 5), default=2, show_default=True, help="Rounds of a scenario: 15^R scenarios for 4 replicas."
)
@click.option("--dialect", default="fisco3", show_default=True, help="Protocol: fisco3, fisco2, classic.")
@click.option("--nodes", type=click.IntRange(4, 7), default=4, show_default=True, help="Replicas besides the twin.")
@click.option("--sample", type=click.IntRange(min=1), default=None, help="Draw so many scenarios instead of walking all.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="With --sample: of the draw.")
@json_option
def twins(output: Output, rounds: int, dialect: str, nodes: int, sample: int | None, seed: int) -> int:
    """Give replica 0 a twin with its key, and walk all scenarios of partitions, round by round.

    \b
    Example: fiscotool simulate twins --rounds 2
    Example: fiscotool simulate twins --rounds 4 --sample 200 --dialect classic
    """
    return run_twins(output, rounds=rounds, dialect=dialect, nodes=nodes, sample=sample, seed=seed)


def run_twins(output: Output, *, rounds: int, dialect: str, nodes: int, sample: int | None = None, seed: int = 0) -> int:
    """All scenarios with one twin and two parts a round, or a sample of them."""
    from fiscotool.protocols.registry import PROTOCOLS
    from fiscotool.sim.twins import Explorer, scenario_count

    if dialect not in PROTOCOLS:
        raise UsageError(f"no dialect {dialect!r}", hint=f"there are {', '.join(PROTOCOLS)}")
    total = scenario_count(nodes, 1, 2, rounds)
    asked = total if sample is None else sample
    drawn = "" if sample is None else f", of which {sample} are drawn with seed {seed}"
    output.say(f"Twins: {dialect}, {nodes} replicas and a twin, 2 parts, {rounds} rounds: {total} scenarios{drawn}")
    explorer = Explorer(PROTOCOLS[dialect], nodes=nodes)
    result: Result = explorer.explore(rounds) if sample is None else explorer.sample(rounds, sample, seed=seed)
    bad = result.violations
    data = {"scenarios": result.scenarios, "expected": asked, "walked_rounds": result.walked_rounds, "steps": result.steps, "wrong": bad}
    shown = "".join(f"\n  {list(path)}: {violation.node}: {violation.detail}" for path, violation in bad[:SHOWN_MAX])
    output.show(data, f"{result.scenarios} scenarios, {result.steps} steps, at most {result.blocks_max} blocks: {len(bad)} wrong{shown}")
    return ExitCode.VIOLATED if bad or result.scenarios != asked else ExitCode.OK


@click.command()
@click.option("--dialect", "dialects", multiple=True, help="Protocol; may be repeated.  [default: fisco3, fisco2, classic]")
@click.option(
    "--network", "network_max", type=click.IntRange(0, 20), default=2, show_default=True, help="Rounds in which the network splits: 0..C."
)
@click.option(
    "--process", "process_max", type=click.IntRange(0, 20), default=2, show_default=True, help="Rounds in which one replica lies: 0..D."
)
@click.option(
    "--scope", type=click.Choice(["small", "any"]), default="small", show_default=True, help="How far a mutation is from the truth."
)
@click.option("--schedules", type=click.IntRange(min=1), default=10, show_default=True, help="Schedules of each cell.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="First seed of each cell.")
@click.option(
    "--rounds", type=click.IntRange(1, 400), default=24, show_default=True, help="Rounds of protocol messages in which faults fall."
)
@click.option("--nodes", type=click.IntRange(4, 31), default=4, show_default=True, help="Replicas.")
@click.option("--quirk", "quirks", multiple=True, metavar="NAME", help="Reproduce a known hole (docs/pbft.md).")
@click.option("--jobs", type=click.IntRange(1, JOBS_MAX), default=1, show_default=True, help="Processes.")
@json_option
def byzzfuzz(output: Output, dialects: tuple[str, ...], network_max: int, process_max: int, jobs: int, **options: Any) -> int:
    """Fuzz by rounds: for every budget of network and process faults, so many schedules, and what they broke.

    \b
    Example: fiscotool simulate byzzfuzz --network 1 --process 1 --schedules 5
    Example: fiscotool simulate byzzfuzz --dialect fisco3 --scope any --schedules 1000 --jobs 2
    Example: fiscotool simulate byzzfuzz --dialect fisco3 --quirk f4-proposal-unchecked --scope any --schedules 50
    """
    from fiscotool.pbft.rules import Quirk
    from fiscotool.protocols.registry import PROTOCOLS

    dialects = dialects or PBFT_DIALECTS
    known = {quirk.value for quirk in Quirk}
    for name in (*(name for name in dialects if name not in PROTOCOLS), *(name for name in options["quirks"] if name not in known)):
        raise UsageError(f"no dialect or quirk {name!r}", hint=f"dialects: {', '.join(PROTOCOLS)}; quirks: {', '.join(sorted(known))}")
    quirks = frozenset(Quirk(name) for name in options["quirks"])
    settings = f"n={options['nodes']} rounds={options['rounds']} scope={options['scope']} schedules={options['schedules']} a cell"
    output.say(f"ByzzFuzz: seeds from {options['seed']}, {settings}, quirks={','.join(sorted(options['quirks'])) or 'none'}")
    tasks = [(name, c, d) for name in dialects for c in range(network_max + 1) for d in range(process_max + 1)]
    cells: list[tuple[str, Cell]] = []
    for (name, _, _), cell in zip(tasks, _cells(tasks, quirks, options, jobs), strict=True):
        cells.append((name, cell))
        output.progress(f"{len(cells)} of {len(tasks)} cells, {sum(_wrong(cell) for _, cell in cells)} wrong")
    output.progress_done()
    output.show({"cells": [{"dialect": name, **asdict(cell)} for name, cell in cells]}, lambda: _grid_text(cells))
    return ExitCode.VIOLATED if any(_wrong(cell) for _, cell in cells) else ExitCode.OK


def _cells(tasks: list[tuple[str, int, int]], quirks: frozenset[Quirk], options: dict[str, Any], jobs: int) -> Iterator[Cell]:
    """The cells in order."""
    seeds = range(options["seed"], options["seed"] + options["schedules"])
    shared = {"seeds": seeds, "nodes": options["nodes"], "rounds": options["rounds"], "scope": options["scope"], "quirks": quirks}
    if jobs == 1 or len(tasks) == 1:
        yield from map(partial(run_task, **shared), tasks)
        return
    with ProcessPoolExecutor(min(jobs, len(tasks)), mp_context=get_context("spawn")) as pool:
        yield from pool.map(partial(run_task, **shared), tasks)


def run_task(task: tuple[str, int, int], **shared: Any) -> Cell:
    """One cell; runs in a child process."""
    from fiscotool.protocols.registry import PROTOCOLS
    from fiscotool.sim.byzzfuzz import run_cell

    name, network, process = task
    return run_cell(PROTOCOLS[name], network, process, **shared)


def _wrong(cell: Cell) -> int:
    """How many schedules broke something."""
    return cell.agreement + cell.validity + cell.liveness


def _grid_text(cells: list[tuple[str, Cell]]) -> str:
    """The grid, and how to make the first wrong schedule again."""
    rows = [
        (name, cell.network, cell.process, cell.schedules, cell.agreement, cell.validity, cell.liveness, cell.known_stalls, cell.rounds)
        for name, cell in cells
    ]
    head = ("dialect", "network faults", "process faults", "schedules", "agreement", "validity", "liveness", "known stalls", "rounds")
    lines = [table(head, rows)]
    first = next((cell.first for _, cell in cells if cell.first is not None), None)
    if first is not None:
        lines += [f"first wrong: {', '.join(first.broken)}: {first.detail}", *(f"  {line}" for line in (*first.plan.lines(), *first.told))]
    return "\n".join(lines)
