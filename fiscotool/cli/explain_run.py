"""`model explain`: a run in words and pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fiscotool.cli.options import json_option
from fiscotool.cli.output import Output
from fiscotool.errors import EnvironmentFailure, ExitCode, UsageError

if TYPE_CHECKING:
    from fiscotool.pbft.trace import TraceRecord
    from fiscotool.sim.story import Chapter


@click.command()
@click.argument("what", nargs=-1, type=click.Path(path_type=Path))
@click.option("--seed", type=click.IntRange(min=0), default=None, help="Explain the simulated run of this seed.")
@click.option("--dialect", default="fisco3", show_default=True, help="With --seed: the protocol.")
@click.option("--nodes", "node_count", type=click.IntRange(1, 31), default=None, help="With --seed: replicas; drawn when not given.")
@click.option("--quirk", "quirks", multiple=True, metavar="NAME", help="With --seed: reproduce a known hole (docs/pbft.md).")
@click.option("--ticks", type=click.IntRange(min=1), default=None, help="With --seed: length of the safety phase, ms of virtual time.")
@click.option("--shrink", is_flag=True, help="With --seed: explain the smallest schedule that shows the same wrong.")
@click.option("--lang", "language", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="English or Chinese.")
@click.option("--heights", metavar="A..B", default=None, help="Only from the first act at height A to the last at height B.")
@click.option("--all", "everything", is_flag=True, help="Also heights at which nothing remarkable happened, one by one.")
@click.option("--mermaid", type=click.Path(path_type=Path, dir_okay=False), help="Write a Mermaid sequence chart.")
@click.option("--svg", type=click.Path(path_type=Path, dir_okay=False), help="Write a space-time chart.")
@json_option
def explain(output: Output, what: tuple[Path, ...], seed: int | None, language: str, **options: Any) -> int:
    """Tell a run phase by phase: who proposed, which quorum weighed what, why a view changed, where it went wrong.

    WHAT is a file that `simulate --write` made, a trace (.jsonl), or logs of real nodes; or name a --seed instead.

    \b
    Example: fiscotool model explain --seed 7
    Example: fiscotool model explain --seed 7 --lang zh --heights 1..2 --mermaid run.mmd --svg run.svg
    Example: fiscotool model explain small.json
    """
    if (seed is None) == (not what):
        raise UsageError("say which run", hint="give --seed N, a file of `simulate --write`, a trace, or logs; see --help")
    if seed is not None or (len(what) == 1 and what[0].suffix == ".json"):
        title, nodes, records, chapters = _simulated(output, seed, what[0] if what else None, options)
    else:
        title, nodes, records, chapters = _recorded(what, fold=not options["everything"])
    if options["heights"] is not None:
        records, chapters = _between(options["heights"], records, chapters)
    _write_charts(title, nodes, records, chapters, language, options)
    output.show({"title": title, "chapters": [_data(chapter, language) for chapter in chapters]}, lambda: _text(chapters, language))
    return ExitCode.OK


Run = tuple[str, list[str], "Sequence[TraceRecord]", "Sequence[Chapter]"]
"""Title, nodes, acts, chapters."""


def _simulated(output: Output, seed: int | None, path: Path | None, options: dict[str, Any]) -> Run:
    """A run that can be made again."""
    from fiscotool.cli.simulate import read_run, settings_of
    from fiscotool.sim.run import simulate
    from fiscotool.sim.shrink import shrink
    from fiscotool.sim.story_run import tell_run

    if path is not None:
        settings, schedule = read_run(path)
    else:
        assert seed is not None
        fixed = {"dialect": options["dialect"], "quirks": tuple(sorted(options["quirks"]))}
        fixed |= {name: options[name] for name in ("node_count", "ticks") if options[name] is not None}
        settings, schedule = settings_of(seed, fixed), None
    output.say(f"seed {settings.seed}: {settings.describe()}")
    if options["shrink"]:
        small = shrink(simulate(settings, schedule))
        settings, schedule = small.settings, small.schedule
        output.say(f"shrunk to {len(schedule)} actions: {settings.describe()}")
    told = tell_run(settings, schedule, fold=not options["everything"])
    nodes = [f"node{i}" for i in range(len(settings.weights))]
    return f"seed {settings.seed}: {settings.describe()}", nodes, told.records, told.chapters


def _recorded(paths: tuple[Path, ...], *, fold: bool) -> Run:
    """A run of real nodes, or a trace of any."""
    from fiscotool.cli.traces import read_evidence
    from fiscotool.sim.story import Teller

    records, context, _notes = read_evidence(paths)
    if not records:
        raise UsageError("there are no consensus lines in there", hint="give logs of level INFO, or a trace that `simulate --trace` wrote")

    def weights(height: int) -> tuple[int, ...]:
        known = [members for members in context.members if members.since <= height] or list(context.members[:1])
        return known[-1].weights

    teller = Teller(weights, dialect=context.dialect)
    ordered = sorted(records, key=lambda record: record.at_s)
    for record in ordered:
        teller.act(record)
    nodes = sorted({record.replica for record in records})
    return f"{', '.join(str(path) for path in paths)}: {context.dialect}", nodes, ordered, teller.chapters(fold=fold)


def _between(text: str, records: Sequence[TraceRecord], chapters: Sequence[Chapter]) -> tuple[Sequence[TraceRecord], Sequence[Chapter]]:
    """What happened between the first act at the one height and the last act at the other."""
    first, _, last = text.partition("..")
    if not first.isdigit() or not (last or first).isdigit():
        raise UsageError(f"--heights {text!r} is no range", hint="write for instance --heights 3..5")
    low, high = int(first), int(last or first)
    times = [record.at_s for record in records if record.height is not None and low <= record.height <= high]
    if not times:
        raise UsageError(f"nothing happened at heights {low} to {high}", hint="see which heights there are, without --heights")
    begin, end = min(times), max(times)
    near = [chapter for chapter in chapters if chapter.at_s <= end and max(fact.at_s for fact in chapter.facts) >= begin]
    return [record for record in records if begin <= record.at_s <= end], near


def _write_charts(
    title: str, nodes: list[str], records: Sequence[TraceRecord], chapters: Sequence[Chapter], language: str, options: dict[str, Any]
) -> None:
    """The files that were asked for. Raises EnvironmentFailure for one that cannot be written."""
    from fiscotool.sim.story_charts import mermaid, space_time

    charts: dict[Path | None, Callable[[], str]] = {
        options["mermaid"]: lambda: mermaid(chapters, nodes, language=language),
        options["svg"]: lambda: space_time(records, nodes, title=title, language=language),
    }
    for path, make in charts.items():
        if path is None:
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(make(), encoding="utf-8")
        except OSError as problem:
            raise EnvironmentFailure(f"{path} cannot be written: {problem.strerror}", hint="choose another place") from problem


def _text(chapters: Sequence[Chapter], language: str) -> str:
    from fiscotool.sim.story_words import text_of

    return text_of(chapters, language)


def _data(chapter: Chapter, language: str) -> dict[str, Any]:
    """A chapter with its facts, as values and as sentences."""
    from fiscotool.sim.story_words import heading, in_order, sentence

    facts = [{**asdict(fact), "text": sentence(fact, language)} for fact in in_order(chapter.facts)]
    return {"at_s": chapter.at_s, "kind": chapter.kind, "values": chapter.values, "text": heading(chapter, language), "facts": facts}
