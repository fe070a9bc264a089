"""`model`: ask the model checker."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from fiscotool.check.budget import INTERRUPTED, STATES
from fiscotool.cli.explain_run import explain
from fiscotool.cli.hypotheses import hypotheses
from fiscotool.cli.model_memory import peak_mib
from fiscotool.cli.model_refine import refine
from fiscotool.cli.model_specs import SPECS, foreign_to, takers
from fiscotool.cli.model_walks import REPLICAS, STATES_MAX, Walked, set_memory_limit
from fiscotool.cli.options import json_option
from fiscotool.cli.output import Output, table
from fiscotool.errors import ExitCode, UsageError

METHODS = ("packed", "plain", "both", "compiled")
REDUCTIONS = ("symmetry", "eager")


def _of(parameter: str, text: str) -> str:
    """The help of an option that not every specification takes."""
    return f"{takers(parameter)}: {text}"


@click.group()
def model() -> None:
    """Explore every schedule of a protocol within bounds.

    \b
    Example: fiscotool model check --spec howard --tstamps 1..1 --views 0..1 --acc 1
    """


model.add_command(hypotheses)
model.add_command(refine)
model.add_command(explain)


@model.command()
@click.option("--spec", type=click.Choice(list(SPECS)), default="howard", show_default=True, help="The specification.")
@click.option("--views", default=None, metavar="0..V", help="Views that exist.  [default: 0..0]")
@click.option("--tstamps", default=None, metavar="1..N", help=_of("tstamps", "requests of the client.  [default: 1..1]"))
@click.option("--acc", default=None, metavar="I,I,…", help=_of("acc", "replicas that accept others' votes; all, none.  [default: all]"))
@click.option(
    "--checkpoints", default=None, metavar="N,N,…", help=_of("checkpoints", "numbers after which a checkpoint is made.  [default: none]")
)
@click.option("--unrepaired", is_flag=True, help=_of("unrepaired", "as published, where no backup can prepare."))
@click.option(
    "--commit-quorum", type=click.IntRange(0, REPLICAS), default=None, help=_of("commit_quorum", "plant a bug: so many commits are enough.")
)
@click.option("--invariants", is_flag=True, help=_of("invariants", "check SafetyInv and CommittedInv in every state (slower)."))
@click.option("--method", type=click.Choice(METHODS), default=None, help=_of("method", "how to walk; both: and compare."))
@click.option("--replicas", type=click.IntRange(4, 13), default=None, help=_of("replicas", "how many, 3F + 1.  [default: 4]"))
@click.option(
    "--reduce", "reduced", multiple=True, type=click.Choice(REDUCTIONS), help=_of("reduced", "leave out what changes no verdict.")
)
@click.option("--heights", default=None, metavar="1..H", help=_of("heights", "blocks.  [default: 1..1]"))
@click.option(
    "--byzantine", type=click.IntRange(0, REPLICAS - 1), default=None, help=_of("byzantine", "a replica that says whatever it can sign.")
)
@click.option("--crashes", type=click.IntRange(0, 7), default=None, help=_of("crashes", "restarts, of all replicas together."))
@click.option("--hole", "holes", multiple=True, metavar="NAME", help=_of("holes", "open a known hole (docs/pbft.md, quirks)."))
@click.option("--quorum", type=click.IntRange(1, REPLICAS), default=None, help=_of("quorum", "plant a bug: so many votes certify."))
@click.option(
    "--progress", "asks_progress", is_flag=True, help=_of("asks_progress", "must a block come from every state once faults stop?")
)
@click.option("--no-symmetry", is_flag=True, help=_of("no_symmetry", "explore renamed values apart."))
@click.option("--sweep", "sweeps", is_flag=True, help=_of("sweeps", "view by view, forgetting what is over; for larger bounds."))
@click.option("--open-views", is_flag=True, help=_of("open_views", "allow more: new views need no asking and may show any certificate."))
@click.option(
    "--members-change",
    "leaves",
    type=click.IntRange(0, REPLICAS - 1),
    default=None,
    metavar="I",
    help=_of("leaves", "block 1, if it is b, takes this replica off the list from height 2 on."),
)
@click.option("--rounds", is_flag=True, help=_of("rounds", "open views, round by round; for the largest bounds."))
@click.option("--allow-never", "allowed", multiple=True, metavar="NAME", help="Do not fail because this was never reached.")
@click.option(
    "--states",
    "states_max",
    type=click.IntRange(min=1),
    default=None,
    help=f"Give up after so many distinct states.  [default: {STATES_MAX}]",
)
@click.option(
    "--memory",
    "memory_mib",
    type=click.IntRange(min=1),
    default=None,
    metavar="MIB",
    help="End the walk when the process has so much.  [default: three quarters of what is free]",
)
@click.option("--svg", type=click.Path(dir_okay=False, writable=True), default=None, help="Draw the way to a violation into this file.")
@json_option
def check(output: Output, spec: str, **options: Any) -> int:
    """Count and check all reachable states, as TLC does.

    `howard` is a small published PBFT specification, the exam of the engine. `fisco3` is our own, of FISCO BCOS 3.x, and always
    checked for agreement; `fisco2` and `classic` are of FISCO BCOS 2.x and of PBFT as published, checked for all their properties.
    docs/model-checking.md says what they leave out.

    Every action, every conjunct of a guard and every goal says how often it was reached. One that never was, although the bounds do not
    make it impossible, ends a complete walk with exit code 5.

    \b
    Example: fiscotool model check --spec howard --tstamps 1..1 --views 0..0 --acc 0,1
    Example: fiscotool model check --tstamps 1..2 --views 0..1 --acc none --method both
    Example: fiscotool model check --spec fisco3 --heights 1..2 --byzantine 2
    Example: fiscotool model check --spec fisco3 --crashes 1 --byzantine 1 --hole amnesia
    Example: fiscotool model check --spec fisco2 --views 0..1 --byzantine 3
    Example: fiscotool model check --spec classic --byzantine 1 --method both
    """
    asked = SPECS[spec]
    wrong = [_spelled(name) for name in sorted(foreign_to(asked)) if _is_given(options[name])]
    if wrong:
        raise UsageError(f"{', '.join(wrong)} is not of --spec {spec}", hint="see: fiscotool model check --help")
    unknown = sorted(set(options["allowed"]) - asked.names())
    if unknown:
        raise UsageError(
            f"--allow-never {unknown[0]!r}: {spec} has no such action, guard or goal", hint="the table of counts has the names"
        )
    began_s = time.process_time()
    limit_mib = set_memory_limit(options["memory_mib"])
    walked = asked.walk(output, options)
    _show(output, walked, time.process_time() - began_s, spec, limit_mib)
    found = walked.found
    if found.ended == INTERRUPTED:
        return ExitCode.INTERRUPTED
    if options["svg"] and found.violation is not None:
        _draw(output, options["svg"], found.violation.property, [step.label for step in found.violation.path])
    if found.violation is not None:
        return ExitCode.VIOLATED
    missed = [name for name in walked.unexplained if name not in options["allowed"]]
    for name in missed:
        output.say(f"never reached, and the bounds do not make it impossible: {name}")
    return ExitCode.OK if found.is_complete and not missed else ExitCode.INCONCLUSIVE


def _is_given(value: Any) -> bool:
    """Whether an option was on the command line: 0 is a value."""
    return value is not None and value is not False and value != ()


def _spelled(parameter: str) -> str:
    """An option as it is typed."""
    found = next((option for option in check.params if option.name == parameter), None)
    return found.opts[0] if found else parameter


def _draw(output: Output, file: str, name: str, labels: list[str]) -> None:
    """The way to a violation in space and time."""
    from fiscotool.check.path import space_time_svg

    Path(file).write_text(space_time_svg(labels, title=f"{name} violated after {len(labels)} steps"), encoding="utf-8")
    output.say(f"drawn into {file}")


def _show(output: Output, walked: Walked, cpu_s: float, spec: str, limit_mib: int) -> None:
    """The counts, and the way to a violation."""
    found = walked.found
    steps = [step.label for step in found.violation.path] if found.violation else None
    data: dict[str, Any] = {
        "spec": spec,
        "method": walked.method,
        "generated": found.generated,
        "distinct": found.distinct,
        "depth": found.depth,
        "levels": found.levels,
        "taken": found.taken,
        "decided": found.decided,
        "reached": found.reached,
        "never_taken": found.never,
        "never_decided": found.undecided,
        "impossible": {name: reason for name, reason in walked.impossible.items() if name in walked.reachable},
        "never_explained": walked.unexplained,
        "represented": found.represented,
        "is_complete": found.is_complete,
        "ended": found.ended,
        "peak_mib": peak_mib(),
        "memory_limit_mib": limit_mib,
        "violation": {"property": found.violation.property, "steps": steps} if found.violation else None,
        "cpu_s": round(cpu_s, 3),
    }

    def text() -> str:
        layers = {"sweep": "layers", "rounds": "rounds"}.get(walked.method, "depth")
        lines = [f"{found.generated} states generated, {found.distinct} distinct, {layers} {found.depth}"]
        if found.represented is not None:
            lines.append(f"each stands for its orbit: {found.represented} states without symmetry")
        if not found.is_complete and steps is None:
            lines.append(f"not complete: {found.ended or STATES} ended the walk")
        for title, counts in (("action", found.taken), ("guard, when it alone refused", found.decided), ("goal", found.reached)):
            if counts:
                rows = [(name, count or "never", walked.why_never(name)) for name, count in counts.items()]
                lines.append(table((title, "times", ""), rows))
        if found.violation and steps is not None:
            lines += [f"VIOLATED: {found.violation.property}, after {len(steps)} steps:"]
            lines += [f"{number:>4}  {step}" for number, step in enumerate(steps, 1)]
            lines += [] if steps else [f"--{walked.method} keeps no schedules: without it the walk prints a shortest one"]
        return "\n".join(lines)

    output.show(data, text)
    a_second = 1 / max(cpu_s, 1e-9)
    output.say(f"{cpu_s:.2f} s of CPU: {found.distinct * a_second:,.0f} distinct, {found.generated * a_second:,.0f} generated a second")
    output.say(f"at most {peak_mib()} MiB of memory" + (f"; it would have ended at {limit_mib}" if limit_mib else ""))
