"""`model refine`: is what the core does always allowed by the abstract model?"""

from __future__ import annotations

import random

import click

from fiscotool.cli.options import json_option
from fiscotool.cli.output import Output, table
from fiscotool.errors import ExitCode


@click.command()
@click.option("--schedules", type=click.IntRange(1, 100_000), default=60, show_default=True, help="Random schedules.")
@click.option("--steps", type=click.IntRange(1, 10_000), default=200, show_default=True, help="Events of each.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the first schedule; the next has the next.")
@click.option("--depth", type=click.IntRange(0, 6), default=3, show_default=True, help="Also all schedules of so many events.")
@click.option("--byzantine", type=click.IntRange(0, 3), default=None, help="A replica that votes for everything and proposes two blocks.")
@json_option
def refine(output: Output, schedules: int, steps: int, seed: int, depth: int, byzantine: int | None) -> int:
    """Check that the core refines the abstract fisco3 model.

    Four replicas of the core take random schedules, with losses, repetitions, time-outs, crashes and synchronisation, and all short ones.
    Each event must be some steps of the model by the same replica, or none.

    \b
    Example: fiscotool model refine --schedules 20 --depth 2
    """
    from fiscotool.check.core_schedules import bounds_of, walk_all, walk_randomly, world_of
    from fiscotool.check.refinement import NotRefinedError, Refinement

    refinement = Refinement(bounds_of(byzantine))
    events, fault = 0, ""
    try:
        for number in range(seed, seed + schedules):
            walk_randomly(refinement, world_of(byzantine), random.Random(number), steps)  # noqa: S311 - a schedule, not a secret
            events += steps
            output.progress(f"{number - seed + 1} schedules, {events} events")
        events += walk_all(refinement, world_of(byzantine), depth)
    except NotRefinedError as error:
        fault = str(error)
    output.progress_done()
    data = {"events": events, "stutters": refinement.stutters, "taken": refinement.taken, "not_refined": fault or None}
    rows = [(name, count or "never") for name, count in refinement.taken.items()]
    verdict = fault or f"every one of {events} events is a path of the model; {refinement.stutters} changed nothing the model knows"
    output.show(data, lambda: table(("step of the model", "taken"), rows) + "\n" + verdict)
    return ExitCode.VIOLATED if fault else ExitCode.OK
