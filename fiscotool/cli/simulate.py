"""`simulate`: whole chains in one thread and virtual time, from a seed."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from fiscotool.cli.options import json_option
from fiscotool.cli.output import Output, table
from fiscotool.cli.simulate_grids import byzzfuzz, run_twins, twins
from fiscotool.cli.simulate_polls import run_polled
from fiscotool.cli.traces import TraceWriter
from fiscotool.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from fiscotool.cli.campaign import Campaign, Spread
    from fiscotool.sim.run import Outcome
    from fiscotool.sim.schedule import Schedule
    from fiscotool.sim.settings import Settings

SHOWN_MAX = 10
"""Bad seeds and violations listed one by one."""

SEED_BITS = 32


@click.group(invoke_without_command=True)
@click.option("--seed", type=click.IntRange(min=0), default=None, help="Which run; drawn and printed when not given.")
@click.option("--seeds", metavar="A..B", default=None, help="A campaign: all seeds from A to B.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes of a campaign.")
@click.option("--dask", metavar="ADDRESS", default=None, help="Run the campaign on the workers of this Dask scheduler instead.")
@click.option("--resume", "state", type=click.Path(path_type=Path, dir_okay=False), help="Campaign's state file: goes on where it stopped.")
@click.option("--dialect", default="fisco3", show_default=True, help="Protocol: fisco3, fisco2, classic, raft, hotstuff.")
@click.option("--nodes", "node_count", type=click.IntRange(1, 512), default=None, help="Replicas; drawn when not given.")
@click.option("--weights", metavar="W,W,…", default=None, help="Voting weights instead of 1 each.")
@click.option("--byzantine", metavar="I:NAME", multiple=True, help="Replica I lies: silent, withhold, equivocate, double-vote, forgetful.")
@click.option("--no-byzantine", is_flag=True, help="Nobody lies.")
@click.option("--no-crashes", is_flag=True, help="Nobody crashes.")
@click.option("--no-partitions", is_flag=True, help="The network does not split.")
@click.option("--weight-changes", is_flag=True, help="System transactions change the weights.")
@click.option("--quirk", "quirks", multiple=True, metavar="NAME", help="Reproduce a known hole (docs/pbft.md).")
@click.option("--ticks", type=click.IntRange(min=1), default=None, help="Length of the safety phase, ms of virtual time.")
@click.option("--shrink", is_flag=True, help="Look for the smallest schedule that shows the same wrong.")
@click.option("--twins", "twin_rounds", type=click.IntRange(1, 5), default=None, help="All Twins scenarios of so many rounds instead.")
@click.option("--replay", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Play a file that --write made.")
@click.option("--write", type=click.Path(path_type=Path, dir_okay=False), help="Write settings and schedule to this file.")
@click.option("--log", "log_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the event log to this file.")
@click.option(
    "--trace", "trace_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the run as a trace, for `check --logs`."
)
@click.option(
    "--polls", is_flag=True, help="Look from outside: poll the replicas in virtual time, and judge polls and headers as `check` does."
)
@json_option
@click.pass_context
def simulate(context: click.Context, /, output: Output, seed: int | None, seeds: str | None, replay: Path | None, **options: Any) -> int:
    """Run whole chains in virtual time, with faults drawn from a seed.

    First a phase of crashes, partitions, loss and liars in which every step is judged, then a phase of peace in which a connected
    core must make blocks. The same seed gives the same event log, to the byte, on every machine.

    \b
    Example: fiscotool simulate --seed 7
    Example: fiscotool simulate --seed 7 --quirk amnesia --shrink --write small.json
    Example: fiscotool simulate --seed 7 --polls
    Example: fiscotool simulate twins --rounds 2 --dialect fisco2
    Example: fiscotool simulate byzzfuzz --network 1 --process 1 --schedules 5
    Example: fiscotool simulate --seeds 0..199 --jobs 2 --resume campaign.jsonl
    """
    if context.invoked_subcommand is not None:
        return ExitCode.OK
    fixed = _fixed(options)
    if options["twin_rounds"] is not None:
        settings = settings_of(0, {"node_count": 4, **fixed})
        return run_twins(output, rounds=options["twin_rounds"], dialect=settings.dialect, nodes=len(settings.weights))
    if options["dask"] is not None and seeds is None:
        raise UsageError("--dask is for campaigns", hint="name the seeds: --seeds 0..9999")
    if seeds is not None:
        return _campaign(output, _range(seeds), fixed, options)
    if replay is not None:
        settings, schedule = read_run(replay)
    else:
        settings, schedule = settings_of(secrets.randbits(SEED_BITS) if seed is None else seed, fixed), None
    return _single(output, settings, schedule, options)


simulate.add_command(twins)
simulate.add_command(byzzfuzz)


def _fixed(options: dict[str, Any]) -> dict[str, Any]:
    """What the user decided of the settings."""
    fixed: dict[str, Any] = {"dialect": options["dialect"], "quirks": tuple(sorted(options["quirks"]))}
    if options["weights"] is not None:
        fixed["weights"] = tuple(_numbers(options["weights"], "--weights"))
    elif options["node_count"] is not None:
        fixed["node_count"] = options["node_count"]
    if options["byzantine"] or options["no_byzantine"]:
        fixed["byzantine"] = tuple(sorted(_liar(text) for text in options["byzantine"]))
    if options["ticks"] is not None:
        fixed["ticks"] = options["ticks"]
    for name in ("crashes", "partitions"):
        if options[f"no_{name}"]:
            fixed[name] = False
    if options["weight_changes"]:
        fixed["weight_changes"] = True
    return fixed


def settings_of(seed: int, fixed: dict[str, Any]) -> Settings:
    """The world of a seed. Raises UsageError for one that cannot be."""
    from fiscotool.sim.settings import draw_settings, problems_of

    settings = draw_settings(seed, **fixed)
    if (problem := problems_of(settings)) is not None:
        raise UsageError(problem, hint="see: fiscotool simulate --help")
    return settings


def _single(output: Output, settings: Settings, schedule: Schedule | None, options: dict[str, Any]) -> int:
    """One run, told step by step."""
    from fiscotool.sim.run import simulate as run
    from fiscotool.sim.shrink import shrink

    output.say(f"seed {settings.seed}: {settings.describe()}")
    if options["polls"]:
        return run_polled(output, settings, schedule)
    log_file: Path | None = options["log_file"]
    watch = TraceWriter(settings, options["trace_file"]) if options["trace_file"] is not None else None
    if log_file is None:
        outcome = run(settings, schedule, watch=watch)
    else:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        with log_file.open("w", encoding="utf-8") as file:
            outcome = run(settings, schedule, write_log=file.write, watch=watch)
    if watch is not None:
        watch.write()
    whole = outcome
    if options["shrink"] and not outcome.is_good:
        outcome = shrink(outcome, report=lambda runs, actions: output.progress(f"shrinking: run {runs}, {actions} actions"))
        output.progress_done()
        output.say(f"shrunk from {len(whole.schedule)} to {len(outcome.schedule)} actions: {outcome.settings.describe()}")
    if options["write"] is not None:
        options["write"].parent.mkdir(parents=True, exist_ok=True)
        document = {"settings": asdict(outcome.settings), "schedule": [action.line() for action in outcome.schedule]}
        options["write"].write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    output.show(_data(outcome), lambda: _text(outcome, show_schedule=options["shrink"]))
    return ExitCode.OK if outcome.is_good else ExitCode.VIOLATED


def _data(outcome: Outcome) -> dict[str, Any]:
    """The outcome as JSON."""
    data = {field.name: getattr(outcome, field.name) for field in fields(outcome)}
    return {
        **data,
        "schedule": [action.line() for action in outcome.schedule],
        "is_good": outcome.is_good,
        "rules_broken": outcome.rules_broken,
    }


def _text(outcome: Outcome, *, show_schedule: bool) -> str:
    """The outcome for people."""
    lines = [
        "WRONG: " + ", ".join(outcome.rules_broken)
        if not outcome.is_good
        else f"stands still, known: {outcome.known_stall}"
        if outcome.known_stall
        else "ok",
        *_phases(outcome),
        f"blocks {outcome.decisions}, heights {list(outcome.heights)}, views {list(outcome.views)}",
        f"virtual time {outcome.ticks / 1000:.1f} s, {outcome.step_count} steps, {outcome.message_count} messages",
        f"event log sha256 {outcome.log_sha256}",
    ]
    lines += [f"  {each.rule}: {each.node} at height {each.height}: {each.detail}" for each in outcome.violations[:SHOWN_MAX]]
    if len(outcome.violations) > SHOWN_MAX:
        lines.append(f"  … and {len(outcome.violations) - SHOWN_MAX} more")
    if outcome.stuck:
        lines.append(f"  liveness: {outcome.stuck}")
    if show_schedule and not outcome.is_good:
        lines += ["schedule:", *(f"  {action.line()}" for action in outcome.schedule)]
    return "\n".join(lines)


def _phases(outcome: Outcome) -> list[str]:
    """What each of the two phases showed."""
    settings = outcome.settings
    liars = {index for index, _ in settings.byzantine}
    core = [index for index in range(len(settings.weights)) if index not in liars and index not in settings.dead]
    safety = f"WRONG, {len(outcome.violations)} violations" if outcome.violations else f"nothing wrong in {settings.ticks / 1000:.1f} s"
    wrong = f"stands still, known: {outcome.known_stall}" if outcome.known_stall else "WRONG, it did not"
    peace = (outcome.ticks - settings.ticks) / 1000
    liveness = f"it did, after {peace:.1f} s" if outcome.is_live else f"{wrong}, in {peace:.1f} s"
    return [f"phase 1, safety: {safety}", f"phase 2, liveness: {liveness} ({_core_text(core)} had to write two more blocks)"]


def _core_text(core: list[int]) -> str:
    """Names of the core."""
    return ", ".join(f"node{index}" for index in core)


def _spread(dask: str | None) -> Spread | None:
    """How a campaign runs elsewhere: on a Dask cluster, when one is named."""
    from fiscotool.cli.campaign_dask import results_of

    return None if dask is None else partial(results_of, dask)


def _campaign(output: Output, seeds: range, fixed: dict[str, Any], options: dict[str, Any]) -> int:
    """Many runs."""
    from fiscotool.cli.campaign import run_campaign

    settings_of(seeds[0], dict(fixed))
    jobs = min(options["jobs"], 4 * (os.cpu_count() or 1))
    output.say(f"seeds {seeds[0]}..{seeds[-1]}: {', '.join(f'{name}={value}' for name, value in fixed.items() if value)}")

    def report(campaign: Campaign) -> None:
        output.progress(f"{len(campaign.lines)} of {len(seeds)} seeds, {len(campaign.bad)} wrong")

    campaign = run_campaign(seeds, fixed, jobs=jobs, state=options["state"], report=report, spread=_spread(options["dask"]))
    output.progress_done()
    bad = campaign.bad
    data = {
        "seeds": [seeds[0], seeds[-1]],
        "runs": len(campaign.lines),
        "blocks": sum(line.decisions for line in campaign.lines.values()),
        "steps": sum(line.step_count for line in campaign.lines.values()),
        "known_stalls": sum(1 for line in campaign.lines.values() if line.known_stall),
        "wrong": bad,
    }
    rows = [(line.seed, ", ".join(line.rules_broken)) for line in bad[:SHOWN_MAX]]

    def text() -> str:
        head = f"{data['runs']} runs, {data['blocks']} blocks, {data['steps']} steps: {len(bad)} wrong, {data['known_stalls']} known stalls"
        return head + ("\n" + table(("seed", "broken"), rows) if rows else "")

    output.show(data, text)
    if bad:
        output.say(f"next: fiscotool simulate --seed {bad[0].seed} --dialect {fixed['dialect']} --shrink (and the same other options)")
    return ExitCode.VIOLATED if bad else ExitCode.OK


def _range(text: str) -> range:
    """`A..B`, both included."""
    first, _, last = text.partition("..")
    if not first.isdigit() or not last.isdigit() or int(last) < int(first):
        raise UsageError(f"--seeds {text!r} is no range", hint="write for instance --seeds 0..99")
    return range(int(first), int(last) + 1)


def _numbers(text: str, option: str) -> list[int]:
    """Comma-separated whole numbers."""
    parts = text.split(",")
    if not all(part.strip().isdigit() for part in parts):
        raise UsageError(f"{option} {text!r} is no list of whole numbers", hint=f"write for instance {option} 1,1,2")
    return [int(part) for part in parts]


def _liar(text: str) -> tuple[int, str]:
    """`I:NAME`."""
    index, _, name = text.partition(":")
    if not index.isdigit() or not name:
        raise UsageError(f"--byzantine {text!r} names no replica and strategy", hint="write for instance --byzantine 1:equivocate")
    return int(index), name


def read_run(path: Path) -> tuple[Settings, Schedule]:
    """Settings and schedule of a file that --write made. Raises UsageError for any other."""
    from fiscotool.sim.schedule import parse_action
    from fiscotool.sim.settings import Settings, problems_of

    try:
        document = orjson.loads(path.read_text(encoding="utf-8"))
        plain = dict(document["settings"])
        plain["byzantine"] = tuple((index, name) for index, name in plain["byzantine"])
        fields_read: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()}
        settings = Settings(**fields_read)
        schedule = tuple(parse_action(line) for line in document["schedule"])
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise UsageError(
            f"{path} is no file of `simulate --write`: {problem}", hint="make one: fiscotool simulate --seed 7 --write run.json"
        ) from problem
    if (wrong := problems_of(settings)) is not None:
        raise UsageError(f"{path}: {wrong}", hint="the file was changed by hand, or made by another version")
    return settings, schedule
