"""`model check --spec howard`: the exam, from options to bounds and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fiscotool.cli.model_walks import BITS_MAX, REPLICAS, STATES_MAX, Walked, last_of, members_of, pause_of, teller
from fiscotool.errors import UsageError

if TYPE_CHECKING:
    from fiscotool.check.howard_terms import Bounds
    from fiscotool.check.model import Exploration
    from fiscotool.cli.output import Output


def names() -> set[str]:
    """All that is counted."""
    from fiscotool.check import howard_packed
    from fiscotool.check.guards import guard_names
    from fiscotool.check.howard_terms import ACTIONS

    return {*ACTIONS, *guard_names(howard_packed.CONJUNCTS), *howard_packed.GOALS}


def walk(output: Output, options: dict[str, Any]) -> Walked:
    """The exam; with --method both, twice."""
    from fiscotool.check.howard_reach import ruled_out

    bounds = _bounds(options)
    method = options["method"] or "packed"
    if options["reduced"] and method != "packed":
        raise UsageError("--reduce needs --method packed", hint="leave one of them out")
    if method == "compiled":
        return Walked(method, _walk_compiled(output, bounds, options), ruled_out(bounds))
    found = _walk(output, bounds, options, is_packed=method != "plain")
    if method == "both" and not found.is_complete:
        output.say("not compared: the first of the two walks did not end")
    elif method == "both":
        _compare(found, _walk(output, bounds, options, is_packed=False))
    output.progress_done()
    return Walked(method, found, ruled_out(bounds), judges_guards="eager" not in options["reduced"])


def _bounds(options: dict[str, Any]) -> Bounds:
    """The constants as asked for. Raises UsageError for what cannot be."""
    from fiscotool.check.howard_terms import Bounds

    count = options["replicas"] or REPLICAS
    if count % 3 != 1:
        raise UsageError(f"--replicas {count}: the specification assumes 3F + 1", hint="one of 4, 7, 10, 13")
    replicas = frozenset(range(count))
    acc = replicas if options["acc"] in {None, "all"} else members_of("--acc", options["acc"])
    if not acc <= replicas:
        raise UsageError(f"--acc {options['acc']!r} names a replica that is not there", hint=f"replicas are 0..{count - 1}")
    tstamps = last_of("--tstamps", options["tstamps"] or "1..1", 1, BITS_MAX)
    checkpoints = members_of("--checkpoints", options["checkpoints"] or "none")
    if not checkpoints <= set(range(1, tstamps + 1)):
        raise UsageError(f"--checkpoints {options['checkpoints']!r} is not within 1..{tstamps}", hint="name numbers of --tstamps")
    return Bounds(
        tstamps,
        last_of("--views", options["views"] or "0..0", 0, BITS_MAX),
        acc,
        replicas=count,
        checkpoints=checkpoints,
        is_repaired=not options["unrepaired"],
        commit_quorum=options["commit_quorum"],
    )


def _walk(output: Output, bounds: Bounds, options: dict[str, Any], *, is_packed: bool) -> Exploration[Any]:
    """One walk, with progress a level."""
    from fiscotool.check.explore import explore
    from fiscotool.check.howard import Howard
    from fiscotool.check.howard_packed import PackedHoward
    from fiscotool.check.howard_symmetry import HowardRenamings
    from fiscotool.check.model import Property
    from fiscotool.check.packed import Reduction, explore_packed
    from fiscotool.check.symmetry import Symmetry

    limit = options["states_max"] or STATES_MAX
    name = "SafetyInv and CommittedInv"
    if is_packed:
        packed = PackedHoward(bounds)
        holds = packed.is_safe if options["invariants"] else None
        group = Symmetry(HowardRenamings(packed)) if "symmetry" in options["reduced"] else None
        less = Reduction(group, packed if "eager" in options["reduced"] else None)
        return explore_packed(
            packed, holds, reduction=less, states_max=limit, on_level=teller(output), name=name, goals=packed.goals, pause=pause_of()
        )
    plain = Howard(bounds)
    asked = [Property(name, plain.is_safe)] if options["invariants"] else []
    return explore(plain, asked, states_max=limit, on_level=teller(output), pause=pause_of())


def _walk_compiled(output: Output, bounds: Bounds, options: dict[str, Any]) -> Exploration[Any]:
    """The same packed walk as machine code: counts alone."""
    from fiscotool.check.budget import Spent
    from fiscotool.check.howard_packed import PackedHoward
    from fiscotool.check.kernel import explore_compiled
    from fiscotool.check.kernel_loops import KernelMissing

    if options["invariants"] or options["states_max"]:
        raise UsageError("--method compiled only counts", hint="leave out --invariants and --states, or add --method packed")
    model = PackedHoward(bounds)
    try:
        found = explore_compiled(model, width=model.width, on_level=teller(output))
    except KernelMissing as error:
        raise UsageError(f"--method compiled: {error}", hint="pip install 'fiscotool[kernel]'") from error
    except Spent as early:
        raise UsageError(f"--method compiled: {early} ended the walk", hint="more --memory, or --method packed") from early
    output.progress_done()
    return found


def _compare(packed: Exploration[Any], plain: Exploration[Any]) -> None:
    """Both walks must have counted the same."""
    ours, theirs = ((one.generated, one.distinct, one.levels, one.taken) for one in (packed, plain))
    if packed.is_complete and plain.is_complete and ours != theirs:
        raise AssertionError(f"two ways of counting differ: packed {ours[:2]}, plain {theirs[:2]}")
