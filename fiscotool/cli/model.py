"""`model`: ask the model checker."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from fiscotool.cli.options import json_option
from fiscotool.cli.output import Output, table
from fiscotool.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from fiscotool.check.howard_terms import Bounds
    from fiscotool.check.model import Exploration

REPLICAS = 4


@click.group()
def model() -> None:
    """Explore every schedule of a protocol within bounds.

    \b
    Example: fiscotool model check --spec howard --tstamps 1..1 --views 0..1 --acc 1
    """


@model.command()
@click.option("--spec", type=click.Choice(["howard"]), default="howard", show_default=True, help="The specification.")
@click.option("--tstamps", default="1..1", show_default=True, metavar="1..N", help="Requests of the client.")
@click.option("--views", default="0..0", show_default=True, metavar="0..V", help="Views that exist.")
@click.option("--acc", default="all", show_default=True, metavar="I,I,…", help="Replicas that accept the votes of others; also all, none.")
@click.option("--checkpoints", default="none", show_default=True, metavar="N,N,…", help="Numbers after which a checkpoint is made.")
@click.option("--unrepaired", is_flag=True, help="The specification as published, in which no backup can prepare.")
@click.option("--commit-quorum", type=click.IntRange(0, REPLICAS), default=None, help="Plant a bug: so many commits are enough.")
@click.option("--method", type=click.Choice(["packed", "plain", "both"]), default=None, help="How to walk; both: and compare the counts.")
@click.option("--invariants/--no-invariants", default=False, help="Check SafetyInv and CommittedInv in every state (slower).")
@click.option("--states", "states_max", type=click.IntRange(min=1), default=None, help="Give up after so many distinct states.")
@json_option
def check(output: Output, **options: Any) -> int:
    """Count and check all reachable states, as TLC does.

    `howard` is a small published PBFT specification; docs/model-checking.md says which, and what the counts mean.

    \b
    Example: fiscotool model check --spec howard --tstamps 1..1 --views 0..0 --acc 0,1
    Example: fiscotool model check --tstamps 1..2 --views 0..1 --acc none --method both
    Example: fiscotool model check --commit-quorum 1 --acc 0,1 --invariants
    """
    bounds = _bounds(options)
    method = options["method"] or ("plain" if bounds.checkpoints else "packed")
    if bounds.checkpoints and method != "plain":
        raise UsageError("the packed walk has no checkpoints", hint="add --method plain")
    began_s = time.process_time()
    found = _walk(output, bounds, options, is_packed=method != "plain")
    cpu_s = time.process_time() - began_s
    output.progress_done()
    if method == "both":
        _compare(found, _walk(output, bounds, options, is_packed=False))
        output.progress_done()
    _show(output, found, cpu_s, method, options["spec"])
    if found.violation is not None:
        return ExitCode.VIOLATED
    return ExitCode.OK if found.is_complete else ExitCode.INCONCLUSIVE


def _bounds(options: dict[str, Any]) -> Bounds:
    """The constants as asked for. Raises UsageError for what cannot be."""
    from fiscotool.check.howard_terms import Bounds

    replicas = frozenset(range(REPLICAS))
    acc = replicas if options["acc"] == "all" else _members("--acc", options["acc"])
    if not acc <= replicas:
        raise UsageError(f"--acc {options['acc']!r} names a replica that is not there", hint=f"replicas are 0..{REPLICAS - 1}")
    tstamps = _last("--tstamps", options["tstamps"], 1)
    checkpoints = _members("--checkpoints", options["checkpoints"])
    if not checkpoints <= set(range(1, tstamps + 1)):
        raise UsageError(f"--checkpoints {options['checkpoints']!r} is not within 1..{tstamps}", hint="name numbers of --tstamps")
    return Bounds(
        tstamps,
        _last("--views", options["views"], 0),
        acc,
        checkpoints=checkpoints,
        is_repaired=not options["unrepaired"],
        commit_quorum=options["commit_quorum"],
    )


def _last(option: str, text: str, first: int) -> int:
    """The end of `first..N`, or of `N`."""
    low, dots, high = text.partition("..")
    last = high if dots else low
    if not last.isdigit() or (dots and low != str(first)) or not first <= int(last) <= 15:  # noqa: PLR2004 - four bits a field
        raise UsageError(f"{option} {text!r} is no range", hint=f"write for instance {option} {first}..{first + 1}; at most {first}..15")
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
    from fiscotool.check.model import Property
    from fiscotool.check.packed import explore_packed

    def tell(level: int, distinct: int, generated: int) -> None:
        output.progress(f"level {level}: {distinct} distinct states, {generated} generated")

    limit = options["states_max"]
    name = "SafetyInv and CommittedInv"
    if is_packed:
        packed = PackedHoward(bounds)
        holds = packed.is_safe if options["invariants"] else None
        return explore_packed(packed, holds, states_max=limit, on_level=tell, name=name)
    plain = Howard(bounds)
    asked = [Property(name, plain.is_safe)] if options["invariants"] else []
    return explore(plain, asked, states_max=limit, on_level=tell)


def _compare(packed: Exploration[Any], plain: Exploration[Any]) -> None:
    """Both walks must have counted the same."""
    ours, theirs = ((one.generated, one.distinct, one.levels, one.taken) for one in (packed, plain))
    if packed.is_complete and ours != theirs:
        raise AssertionError(f"two ways of counting differ: packed {ours[:2]}, plain {theirs[:2]}")


def _show(output: Output, found: Exploration[Any], cpu_s: float, method: str, spec: str) -> None:
    """The counts, and the way to a violation."""
    steps = [step.label for step in found.violation.path] if found.violation else None
    data = {
        "spec": spec,
        "method": method,
        "generated": found.generated,
        "distinct": found.distinct,
        "depth": found.depth,
        "levels": found.levels,
        "taken": found.taken,
        "never_taken": found.never,
        "is_complete": found.is_complete,
        "violation": {"property": found.violation.property, "steps": steps} if found.violation else None,
        "cpu_s": round(cpu_s, 3),
    }

    def text() -> str:
        lines = [f"{found.generated} states generated, {found.distinct} distinct, depth {found.depth}"]
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
