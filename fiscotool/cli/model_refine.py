"""`model refine`: is what the core does always allowed by the abstract model?"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import click

from fiscotool.cli.options import json_option
from fiscotool.cli.output import Output, table
from fiscotool.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from fiscotool.check.refinement import Paths


@click.command()
@click.option("--spec", type=click.Choice(["fisco3", "fisco2", "classic"]), default="fisco3", show_default=True, help="Core and model.")
@click.option("--schedules", type=click.IntRange(1, 100_000), default=60, show_default=True, help="Random schedules.")
@click.option("--steps", type=click.IntRange(1, 10_000), default=200, show_default=True, help="Events of each.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the first schedule; the next has the next.")
@click.option("--depth", type=click.IntRange(0, 6), default=3, show_default=True, help="Also all schedules of so many events (fisco3).")
@click.option("--byzantine", type=click.IntRange(0, 3), default=None, help="A replica that votes for everything and proposes two blocks.")
@json_option
def refine(output: Output, spec: str, schedules: int, steps: int, seed: int, depth: int, byzantine: int | None) -> int:
    """Check that the core refines the abstract model.

    Four replicas of the core take random schedules, with losses, repetitions, time-outs, crashes and synchronisation, and all short ones.
    Each event must be some steps of the model by the same replica, or none.

    \b
    Example: fiscotool model refine --schedules 20 --depth 2
    Example: fiscotool model refine --spec fisco2 --schedules 10 --byzantine 1
    """
    from fiscotool.check.core_schedules import walk_all, world_of
    from fiscotool.check.refinement import NotRefinedError, Refinement

    refinement, walk_one = _schedules(spec, byzantine)
    events, fault = 0, ""
    try:
        for number in range(seed, seed + schedules):
            walk_one(random.Random(number), steps)  # noqa: S311 - a schedule, not a secret
            events += steps
            output.progress(f"{number - seed + 1} schedules, {events} events")
        events += walk_all(refinement, world_of(byzantine), depth) if isinstance(refinement, Refinement) else 0
    except NotRefinedError as error:
        fault = str(error)
    output.progress_done()
    data = {"events": events, "stutters": refinement.stutters, "taken": refinement.taken, "not_refined": fault or None}
    rows = [(name, count or "never") for name, count in refinement.taken.items()]
    verdict = fault or f"every one of {events} events is a path of the model; {refinement.stutters} changed nothing the model knows"
    output.show(data, lambda: table(("step of the model", "taken"), rows) + "\n" + verdict)
    return ExitCode.VIOLATED if fault else ExitCode.OK


def _schedules(spec: str, byzantine: int | None) -> tuple[Paths, Callable[[random.Random, int], None]]:
    """The refinement, and how to walk one schedule of so many events."""
    from fiscotool.check import core_schedules, dialect_refinement
    from fiscotool.check.refinement import Refinement

    if spec == "fisco3":
        refinement = Refinement(core_schedules.bounds_of(byzantine))
        return refinement, lambda dice, steps: core_schedules.walk_randomly(refinement, core_schedules.world_of(byzantine), dice, steps)
    dialect, refinement_of = dialect_refinement.REFINEMENTS[spec]
    refined = refinement_of(byzantine)
    return refined, lambda dice, steps: dialect_refinement.walk_dialect(
        refined, dialect_refinement.world_of(dialect, byzantine), dice, steps
    )
