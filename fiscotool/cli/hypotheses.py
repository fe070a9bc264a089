"""`model hypotheses`: decide known suspicions about FISCO BCOS within bounds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fiscotool.cli.options import json_option
from fiscotool.cli.output import Output, table
from fiscotool.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from fiscotool.check.hypotheses import Decision


@click.command()
@click.option("--states", "states_max", type=click.IntRange(min=1), default=250_000, show_default=True, help="Bound of each walk.")
@click.option("--only", "names", multiple=True, metavar="NAME", help="Of these alone, for instance H1.")
@click.option("--steps", is_flag=True, help="Print every schedule that was found.")
@click.option("--svg", "folder", type=click.Path(file_okay=False), default=None, help="Draw every schedule into this directory.")
@json_option
def hypotheses(output: Output, states_max: int, names: tuple[str, ...], steps: bool, folder: str | None) -> int:
    """Decide known suspicions about FISCO BCOS 3.16.4 within bounds.

    With the hole open: a schedule to the harm, executed on the core itself. With the hole closed: that there is none, and which step
    the sound rule forbids.

    \b
    Example: fiscotool model hypotheses --only H1 --steps
    """
    from fiscotool.check.hypotheses import HYPOTHESES, decide

    wrong = sorted(set(names) - {one.name for one in HYPOTHESES})
    if wrong:
        raise UsageError(f"--only {wrong[0]}: no such hypothesis", hint="one of: " + ", ".join(one.name for one in HYPOTHESES))
    found = []
    for one in HYPOTHESES:
        if not names or one.name in names:
            output.progress(f"{one.name}: {one.says}")
            found.append(decide(one, states_max=states_max))
    output.progress_done()
    if folder:
        _draw(Path(folder), found)
    output.show([_told(one) for one in found], lambda: _hypotheses_text(found, steps=steps))
    return ExitCode.VIOLATED if any(one.sound_harm for one in found) else ExitCode.OK


def _draw(folder: Path, found: list[Decision]) -> None:
    """A space-time diagram of each schedule."""
    from fiscotool.check.path import space_time_svg

    folder.mkdir(parents=True, exist_ok=True)
    for one in found:
        if one.way:
            name = one.hypothesis.name.replace(" ", "-")
            (folder / f"{name}.svg").write_text(
                space_time_svg(one.way, title=f"{one.hypothesis.name}: {one.hypothesis.says}"), encoding="utf-8"
            )


def _told(one: Decision) -> dict[str, Any]:
    """A decision as data."""
    return {
        "hypothesis": one.hypothesis.name,
        "says": one.hypothesis.says,
        "verdict": one.verdict,
        "holes": sorted(one.hypothesis.limits.holes),
        "steps": one.way,
        "for_ever": one.why,
        "states_closed": one.sound_distinct,
        "is_complete_closed": one.sound_complete,
        "refused_at": one.refused_at,
        "on_core_open": one.core[0],
        "on_core_sound": one.core[1],
    }


def _hypotheses_text(found: list[Decision], *, steps: bool) -> str:
    """A table, and the schedules."""
    rows = []
    for one in found:
        closed = (
            f"none in {'all' if one.sound_complete else 'the first'} {one.sound_distinct} states" if not one.sound_harm else "THERE TOO"
        )
        stops = f"step {one.refused_at}" if one.refused_at else "-"
        core = one.core[0] or "-"
        rows.append((one.hypothesis.name, one.hypothesis.says, one.verdict, len(one.way) or "-", closed, stops, core))
    lines = [table(("", "claim", "hole open", "steps", "harm with it closed", "forbidden then", "the same on the core"), rows)]
    for one in found if steps else []:
        if one.way:
            lines += ["", f"{one.hypothesis.name}: {one.hypothesis.harm}"]
            lines += [f"{number:>4}  {step}" for number, step in enumerate(one.way, 1)]
            lines += [f"      {told}" for told in one.why]
    return "\n".join(lines)
