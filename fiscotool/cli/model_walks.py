"""The walks behind `model check`: from options to bounds, and what each kind of walk can say of what was never reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fiscotool.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fiscotool.check.fisco3_bounds import Limits
    from fiscotool.check.howard_terms import Bounds
    from fiscotool.check.model import Exploration
    from fiscotool.cli.output import Output

REPLICAS = 4
QUORUM = 3
BITS_MAX = 15
STATES_MAX = 20_000_000
"""Where a walk ends by itself: at about 3 GB."""


@dataclass(frozen=True)
class Walked:
    """A walk and what its bounds made impossible. `judges_guards`: whether it also fails for conjuncts that never decided."""

    method: str
    found: Exploration[Any]
    impossible: dict[str, str]
    judges_guards: bool = True

    @property
    def reachable(self) -> tuple[str, ...]:
        """Names of all that is counted."""
        return (*self.found.taken, *self.found.decided, *self.found.reached)

    @property
    def unexplained(self) -> list[str]:
        """What a complete walk never reached although it should be possible."""
        if not self.found.is_complete:
            return []
        never = (*self.found.never, *(self.found.undecided if self.judges_guards else ()))
        return [name for name in never if name not in self.impossible]

    def why_never(self, name: str) -> str:
        """The reason, for the table."""
        if any(counts.get(name) for counts in (self.found.taken, self.found.decided, self.found.reached)):
            return ""
        reason = self.impossible.get(name)
        if reason:
            return f"impossible: {reason}"
        is_judged = self.judges_guards or name not in self.found.decided
        return "NOT REACHED" if self.found.is_complete and is_judged else ""


def names_of(spec: str) -> set[str]:
    """All that is counted in walks of a specification."""
    from fiscotool.check import fisco3_frame, howard_packed
    from fiscotool.check.guards import guard_names
    from fiscotool.check.howard_terms import ACTIONS

    if spec == "howard":
        return {*ACTIONS, *guard_names(howard_packed.CONJUNCTS), *howard_packed.GOALS}
    return {*fisco3_frame.ACTIONS, *guard_names(fisco3_frame.CONJUNCTS), *fisco3_frame.GOALS}


def walk_fisco3(output: Output, options: dict[str, Any]) -> Walked:
    """Our own model."""
    from fiscotool.check.fisco3_packed import PackedFisco3
    from fiscotool.check.fisco3_reach import ruled_out
    from fiscotool.check.packed import explore_packed

    limits = _limits(options)
    if options["sweeps"]:
        return _sweep(output, limits, options)
    model = PackedFisco3(limits)
    asks, name = (_progress(limits), "progress") if options["asks_progress"] else (model.agrees, "agreement")
    limit = options["states_max"] or STATES_MAX
    found = explore_packed(model, asks, states_max=limit, on_level=_teller(output), name=name, goals=model.goals)
    output.progress_done()
    return Walked("packed", found, ruled_out(limits))


def _progress(limits: Limits) -> Callable[[int], bool]:
    """Blocks must come on the one fair schedule in which leaders go by everybody, and no other fair schedule goes round for ever."""
    from fiscotool.check.fisco3_cycles import no_fair_cycle
    from fiscotool.check.fisco3_progress import Progress

    must_commit, is_acyclic = Progress(limits).holds, no_fair_cycle(limits)
    return lambda state: must_commit(state) and is_acyclic(state)


def _limits(options: dict[str, Any]) -> Limits:
    from fiscotool.check.fisco3_bounds import AROUND_THE_CORE, HOLES, Limits

    holes = {**HOLES, **AROUND_THE_CORE}
    unknown = sorted(set(options["holes"]) - set(holes))
    if unknown:
        raise UsageError(f"--hole {unknown[0]}: there is no such hole in the model", hint="one of: " + ", ".join(holes))
    return Limits(
        heights=_last("--heights", options["heights"] or "1..1", 1, 3),
        view_max=_last("--views", options["views"] or "0..0", 0, 6),
        byzantine=options["byzantine"],
        crashes=options["crashes"] or 0,
        holes=frozenset(options["holes"]),
        quorum=options["quorum"] or QUORUM,
        symmetry=not options["no_symmetry"],
    )


def _sweep(output: Output, limits: Limits, options: dict[str, Any]) -> Walked:
    """View by view."""
    from fiscotool.check.fisco3_reach import ruled_out
    from fiscotool.check.fisco3_sweep import sweep
    from fiscotool.check.model import Exploration, Violation

    if limits.crashes:
        raise UsageError("--sweep does not go with --crashes", hint="leave out --sweep; with smaller bounds")
    asks, name = ((lambda _: _progress(limits)), "progress") if options["asks_progress"] else (None, "agreement")
    swept = sweep(limits, asks, states_max=options["states_max"] or STATES_MAX, on_layer=_teller(output, "layer"))
    output.progress_done()
    bad: Violation[Any] | None = None if swept.bad is None else Violation(name, ())
    found: Exploration[Any] = Exploration(
        swept.generated, swept.distinct, tuple(swept.widths), swept.taken, {}, bad, is_complete=swept.is_complete, decided=swept.decided
    )
    return Walked("sweep", found, ruled_out(limits), judges_guards=False)


def walk_howard(output: Output, options: dict[str, Any]) -> Walked:
    """The exam; with --method both, twice."""
    from fiscotool.check.howard_reach import ruled_out

    bounds = _bounds(options)
    method = options["method"] or "packed"
    if options["reduced"] and method != "packed":
        raise UsageError("--reduce needs --method packed", hint="leave one of them out")
    if method == "compiled":
        return Walked(method, _walk_compiled(output, bounds, options), ruled_out(bounds))
    found = _walk(output, bounds, options, is_packed=method != "plain")
    if method == "both":
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
    is_number = last.isascii() and last.isdigit() and len(last) < BITS_MAX
    if not is_number or (dots and low != str(first)) or not first <= int(last) <= last_max:
        raise UsageError(
            f"{option} {text!r} is no range", hint=f"write for instance {option} {first}..{first + 1}; at most {first}..{last_max}"
        )
    return int(last)


def _members(option: str, text: str) -> frozenset[int]:
    """Numbers between commas; `none` for none."""
    parts = [part.strip() for part in text.split(",")]
    if parts in (["none"], [""]):
        return frozenset()
    if not all(part.isascii() and part.isdigit() and len(part) < BITS_MAX for part in parts):
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

    limit = options["states_max"] or STATES_MAX
    name = "SafetyInv and CommittedInv"
    if is_packed:
        packed = PackedHoward(bounds)
        holds = packed.is_safe if options["invariants"] else None
        group = Symmetry(HowardRenamings(packed)) if "symmetry" in options["reduced"] else None
        less = Reduction(group, packed if "eager" in options["reduced"] else None)
        return explore_packed(packed, holds, reduction=less, states_max=limit, on_level=_teller(output), name=name, goals=packed.goals)
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


def _teller(output: Output, word: str = "level") -> Callable[[int, int, int], None]:
    """Progress, a line a level."""

    def tell(level: int, distinct: int, generated: int) -> None:
        output.progress(f"{word} {level}: {distinct} distinct states, {generated} generated")

    return tell


def _compare(packed: Exploration[Any], plain: Exploration[Any]) -> None:
    """Both walks must have counted the same."""
    ours, theirs = ((one.generated, one.distinct, one.levels, one.taken) for one in (packed, plain))
    if packed.is_complete and ours != theirs:
        raise AssertionError(f"two ways of counting differ: packed {ours[:2]}, plain {theirs[:2]}")
