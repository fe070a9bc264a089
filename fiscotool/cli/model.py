"""`model`: ask the model checker."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fiscotool.cli.explain_run import explain
from fiscotool.cli.hypotheses import hypotheses
from fiscotool.cli.options import json_option
from fiscotool.cli.output import Output, table
from fiscotool.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fiscotool.check.howard_terms import Bounds
    from fiscotool.check.model import Exploration

REPLICAS = 4
QUORUM = 3
HOWARD_ONLY = ("tstamps", "acc", "checkpoints", "unrepaired", "commit_quorum", "invariants", "method", "replicas", "reduced")
FISCO3_ONLY = ("heights", "crashes", "holes", "quorum", "no_symmetry", "asks_progress")
BITS_MAX = 15
METHODS = ("packed", "plain", "both", "compiled")
REDUCTIONS = ("symmetry", "eager")


@click.group()
def model() -> None:
    """Explore every schedule of a protocol within bounds.

    \b
    Example: fiscotool model check --spec howard --tstamps 1..1 --views 0..1 --acc 1
    """


model.add_command(hypotheses)
model.add_command(explain)


@model.command()
@click.option("--spec", type=click.Choice(["howard", "fisco3"]), default="howard", show_default=True, help="The specification.")
@click.option("--views", default=None, metavar="0..V", help="Views that exist.  [default: 0..0]")
@click.option("--tstamps", default=None, metavar="1..N", help="howard: requests of the client.  [default: 1..1]")
@click.option("--acc", default=None, metavar="I,I,…", help="howard: replicas that accept others' votes; all, none.  [default: all]")
@click.option("--checkpoints", default=None, metavar="N,N,…", help="howard: numbers after which a checkpoint is made.  [default: none]")
@click.option("--unrepaired", is_flag=True, help="howard: as published, where no backup can prepare.")
@click.option("--commit-quorum", type=click.IntRange(0, REPLICAS), default=None, help="howard: plant a bug: so many commits are enough.")
@click.option("--invariants", is_flag=True, help="howard: check SafetyInv and CommittedInv in every state (slower).")
@click.option("--method", type=click.Choice(METHODS), default=None, help="howard: how to walk; both: and compare.")
@click.option("--replicas", type=click.IntRange(4, 13), default=None, help="howard: how many, 3F + 1.  [default: 4]")
@click.option("--reduce", "reduced", multiple=True, type=click.Choice(REDUCTIONS), help="howard: leave out what changes no verdict.")
@click.option("--heights", default=None, metavar="1..H", help="fisco3: blocks.  [default: 1..1]")
@click.option("--byzantine", type=click.IntRange(0, REPLICAS - 1), default=None, help="fisco3: a replica that says whatever it can sign.")
@click.option("--crashes", type=click.IntRange(0, 7), default=None, help="fisco3: restarts, of all replicas together.")
@click.option("--hole", "holes", multiple=True, metavar="NAME", help="fisco3: open a known hole (docs/pbft.md, quirks).")
@click.option("--quorum", type=click.IntRange(1, REPLICAS), default=None, help="fisco3: plant a bug: so many votes certify.")
@click.option("--progress", "asks_progress", is_flag=True, help="fisco3: must a block come from every state once faults stop?")
@click.option("--no-symmetry", is_flag=True, help="fisco3: explore renamed values apart.")
@click.option("--states", "states_max", type=click.IntRange(min=1), default=None, help="Give up after so many distinct states.")
@click.option("--svg", type=click.Path(dir_okay=False, writable=True), default=None, help="Draw the way to a violation into this file.")
@json_option
def check(output: Output, spec: str, **options: Any) -> int:
    """Count and check all reachable states, as TLC does.

    `howard` is a small published PBFT specification, the exam of the engine. `fisco3` is our own, of FISCO BCOS 3.x, and always
    checked for agreement. docs/model-checking.md says what both leave out.

    \b
    Example: fiscotool model check --spec howard --tstamps 1..1 --views 0..0 --acc 0,1
    Example: fiscotool model check --tstamps 1..2 --views 0..1 --acc none --method both
    Example: fiscotool model check --spec fisco3 --heights 1..2 --byzantine 2
    Example: fiscotool model check --spec fisco3 --crashes 1 --byzantine 1 --hole amnesia
    """
    foreign = FISCO3_ONLY if spec == "howard" else HOWARD_ONLY
    wrong = [f"--{name.replace('_', '-')}" for name in foreign if options[name]]
    if wrong:
        raise UsageError(f"{', '.join(wrong)} is not of --spec {spec}", hint="see: fiscotool model check --help")
    began_s = time.process_time()
    if spec == "fisco3":
        method, found = "packed", _walk_fisco3(output, options)
    else:
        method, found = _walk_howard(output, options)
    _show(output, found, time.process_time() - began_s, method, spec)
    if options["svg"] and found.violation is not None:
        _draw(output, options["svg"], found.violation.property, [step.label for step in found.violation.path])
    if found.violation is not None:
        return ExitCode.VIOLATED
    return ExitCode.OK if found.is_complete else ExitCode.INCONCLUSIVE


def _walk_fisco3(output: Output, options: dict[str, Any]) -> Exploration[Any]:
    """Our own model."""
    from fiscotool.check.fisco3_bounds import HOLES, Limits
    from fiscotool.check.fisco3_packed import PackedFisco3
    from fiscotool.check.fisco3_progress import Progress
    from fiscotool.check.packed import explore_packed

    unknown = sorted(set(options["holes"]) - set(HOLES))
    if unknown:
        raise UsageError(f"--hole {unknown[0]}: there is no such hole in the model", hint="one of: " + ", ".join(HOLES))
    limits = Limits(
        heights=_last("--heights", options["heights"] or "1..1", 1, 3),
        view_max=_last("--views", options["views"] or "0..0", 0, 6),
        byzantine=options["byzantine"],
        crashes=options["crashes"] or 0,
        holes=frozenset(options["holes"]),
        quorum=options["quorum"] or QUORUM,
        symmetry=not options["no_symmetry"],
    )
    model = PackedFisco3(limits)
    asks, name = (Progress(limits).holds, "progress") if options["asks_progress"] else (model.agrees, "agreement")
    found = explore_packed(model, asks, states_max=options["states_max"], on_level=_teller(output), name=name)
    output.progress_done()
    return found


def _walk_howard(output: Output, options: dict[str, Any]) -> tuple[str, Exploration[Any]]:
    """The exam; with --method both, twice."""
    bounds = _bounds(options)
    method = options["method"] or ("plain" if bounds.checkpoints else "packed")
    if bounds.checkpoints and method != "plain":
        raise UsageError("the packed walk has no checkpoints", hint="add --method plain")
    if options["reduced"] and method != "packed":
        raise UsageError("--reduce needs --method packed", hint="leave one of them out")
    if method == "compiled":
        return method, _walk_compiled(output, bounds, options)
    found = _walk(output, bounds, options, is_packed=method != "plain")
    if method == "both":
        _compare(found, _walk(output, bounds, options, is_packed=False))
    output.progress_done()
    return method, found


def _bounds(options: dict[str, Any]) -> Bounds:
    """The constants as asked for. Raises UsageError for what cannot be."""
    from fiscotool.check.howard_terms import Bounds

    count = options["replicas"] or REPLICAS
    if count % 3 != 1:
        raise UsageError(f"--replicas {count}: the specification assumes 3F + 1", hint="one of 4, 7, 10, 13")
    replicas = frozenset(range(count))
    acc = replicas if options["acc"] in {None, "all"} else _members("--acc", options["acc"])
    if not acc <= replicas:
        raise UsageError(f"--acc {options['acc']!r} names a replica that is not there", hint=f"replicas are 0..{count - 1}")
    tstamps = _last("--tstamps", options["tstamps"] or "1..1", 1, BITS_MAX)
    checkpoints = _members("--checkpoints", options["checkpoints"] or "none")
    if not checkpoints <= set(range(1, tstamps + 1)):
        raise UsageError(f"--checkpoints {options['checkpoints']!r} is not within 1..{tstamps}", hint="name numbers of --tstamps")
    return Bounds(
        tstamps,
        _last("--views", options["views"] or "0..0", 0, BITS_MAX),
        acc,
        replicas=count,
        checkpoints=checkpoints,
        is_repaired=not options["unrepaired"],
        commit_quorum=options["commit_quorum"],
    )


def _last(option: str, text: str, first: int, last_max: int) -> int:
    """The end of `first..N`, or of `N`."""
    low, dots, high = text.partition("..")
    last = high if dots else low
    if not last.isdigit() or (dots and low != str(first)) or not first <= int(last) <= last_max:
        raise UsageError(
            f"{option} {text!r} is no range", hint=f"write for instance {option} {first}..{first + 1}; at most {first}..{last_max}"
        )
    return int(last)


def _members(option: str, text: str) -> frozenset[int]:
    """Numbers between commas; `none` for none."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if parts == ["none"] or not parts:
        return frozenset()
    if not all(part.isdigit() for part in parts):
        raise UsageError(f"{option} {text!r} is no list of numbers", hint=f"write for instance {option} 0,1")
    return frozenset(map(int, parts))


def _walk(output: Output, bounds: Bounds, options: dict[str, Any], *, is_packed: bool) -> Exploration[Any]:
    """One walk, with progress a level."""
    from fiscotool.check.explore import explore
    from fiscotool.check.howard import Howard
    from fiscotool.check.howard_packed import PackedHoward
    from fiscotool.check.howard_symmetry import HowardRenamings
    from fiscotool.check.model import Property
    from fiscotool.check.packed import Reduction, explore_packed
    from fiscotool.check.symmetry import Symmetry

    limit = options["states_max"]
    name = "SafetyInv and CommittedInv"
    if is_packed:
        packed = PackedHoward(bounds)
        holds = packed.is_safe if options["invariants"] else None
        group = Symmetry(HowardRenamings(packed)) if "symmetry" in options["reduced"] else None
        less = Reduction(group, packed if "eager" in options["reduced"] else None)
        return explore_packed(packed, holds, reduction=less, states_max=limit, on_level=_teller(output), name=name)
    plain = Howard(bounds)
    asked = [Property(name, plain.is_safe)] if options["invariants"] else []
    return explore(plain, asked, states_max=limit, on_level=_teller(output))


def _walk_compiled(output: Output, bounds: Bounds, options: dict[str, Any]) -> Exploration[Any]:
    """The same packed walk as machine code: counts alone."""
    from fiscotool.check.howard_packed import PackedHoward
    from fiscotool.check.kernel import explore_compiled
    from fiscotool.check.kernel_loops import KernelMissing

    if options["invariants"] or options["states_max"]:
        raise UsageError("--method compiled only counts", hint="leave out --invariants and --states, or add --method packed")
    model = PackedHoward(bounds)
    try:
        found = explore_compiled(model, width=model.width, on_level=_teller(output))
    except KernelMissing as error:
        raise UsageError(f"--method compiled: {error}", hint="pip install 'fiscotool[kernel]'") from error
    output.progress_done()
    return found


def _draw(output: Output, file: str, name: str, labels: list[str]) -> None:
    """The way to a violation in space and time."""
    from fiscotool.check.path import space_time_svg

    Path(file).write_text(space_time_svg(labels, title=f"{name} violated after {len(labels)} steps"), encoding="utf-8")
    output.say(f"drawn into {file}")


def _teller(output: Output) -> Callable[[int, int, int], None]:
    """Progress, a line a level."""

    def tell(level: int, distinct: int, generated: int) -> None:
        output.progress(f"level {level}: {distinct} distinct states, {generated} generated")

    return tell


def _compare(packed: Exploration[Any], plain: Exploration[Any]) -> None:
    """Both walks must have counted the same."""
    ours, theirs = ((one.generated, one.distinct, one.levels, one.taken) for one in (packed, plain))
    if packed.is_complete and ours != theirs:
        raise AssertionError(f"two ways of counting differ: packed {ours[:2]}, plain {theirs[:2]}")


def _show(output: Output, found: Exploration[Any], cpu_s: float, method: str, spec: str) -> None:
    """The counts, and the way to a violation."""
    steps = [step.label for step in found.violation.path] if found.violation else None
    data: dict[str, Any] = {
        "spec": spec,
        "method": method,
        "generated": found.generated,
        "distinct": found.distinct,
        "depth": found.depth,
        "levels": found.levels,
        "taken": found.taken,
        "never_taken": found.never,
        "represented": found.represented,
        "is_complete": found.is_complete,
        "violation": {"property": found.violation.property, "steps": steps} if found.violation else None,
        "cpu_s": round(cpu_s, 3),
    }

    def text() -> str:
        lines = [f"{found.generated} states generated, {found.distinct} distinct, depth {found.depth}"]
        if found.represented is not None:
            lines.append(f"each stands for its orbit: {found.represented} states without symmetry")
        if not found.is_complete and steps is None:
            lines.append("not complete: the limit of --states ended the walk")
        lines.append(table(("action", "generated"), [(name, count or "never") for name, count in found.taken.items()]))
        if found.violation and steps is not None:
            lines += [f"VIOLATED: {found.violation.property}, after {len(steps)} steps:"]
            lines += [f"{number:>4}  {step}" for number, step in enumerate(steps, 1)]
        return "\n".join(lines)

    output.show(data, text)
    a_second = 1 / max(cpu_s, 1e-9)
    output.say(f"{cpu_s:.2f} s of CPU: {found.distinct * a_second:,.0f} distinct, {found.generated * a_second:,.0f} generated a second")
