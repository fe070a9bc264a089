"""`model check --spec fisco3`: FISCO BCOS 3.x, from options to bounds and back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fiscotool.cli.model_walks import STATES_MAX, Walked, last_of, pause_of, teller
from fiscotool.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fiscotool.check.fisco3_bounds import Limits
    from fiscotool.cli.output import Output

QUORUM = 3


def names() -> set[str]:
    """All that is counted."""
    from fiscotool.check import fisco3_frame
    from fiscotool.check.guards import guard_names

    return {*fisco3_frame.ACTIONS, *guard_names(fisco3_frame.CONJUNCTS), *fisco3_frame.GOALS}


def walk(output: Output, options: dict[str, Any]) -> Walked:
    """Our own model."""
    from fiscotool.check.fisco3_packed import PackedFisco3
    from fiscotool.check.fisco3_reach import ruled_out
    from fiscotool.check.packed import explore_packed

    limits = _limits(options)
    if limits.leaves is not None and (limits.heights < 2 or options["asks_progress"]):  # noqa: PLR2004 - height 1 changes it for height 2
        raise UsageError("--members-change needs two heights, and not --progress", hint="add --heights 1..2")
    if options["rounds"]:
        return _rounds(output, replace(limits, open_views=True), options)
    if options["sweeps"]:
        return _sweep(output, limits, options)
    model = PackedFisco3(limits)
    asks, name = (_progress(limits), "progress") if options["asks_progress"] else (model.agrees, "agreement")
    limit = options["states_max"] or STATES_MAX
    found = explore_packed(model, asks, states_max=limit, on_level=teller(output), name=name, goals=model.goals, pause=pause_of())
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
        heights=last_of("--heights", options["heights"] or "1..1", 1, 3),
        view_max=last_of("--views", options["views"] or "0..0", 0, 6),
        byzantine=options["byzantine"],
        crashes=options["crashes"] or 0,
        holes=frozenset(options["holes"]),
        quorum=options["quorum"] or QUORUM,
        symmetry=not options["no_symmetry"],
        open_views=options["open_views"],
        leaves=options["leaves"],
    )


def _sweep(output: Output, limits: Limits, options: dict[str, Any]) -> Walked:
    """View by view."""
    from fiscotool.check.fisco3_reach import ruled_out
    from fiscotool.check.fisco3_sweep import sweep
    from fiscotool.check.model import Exploration, Violation

    if limits.crashes:
        raise UsageError("--sweep does not go with --crashes", hint="leave out --sweep; with smaller bounds")
    asks, name = ((lambda _: _progress(limits)), "progress") if options["asks_progress"] else (None, "agreement")
    swept = sweep(limits, asks, states_max=options["states_max"] or STATES_MAX, on_layer=teller(output, "layer"), pause=pause_of())
    output.progress_done()
    bad: Violation[Any] | None = None if swept.bad is None else Violation(name, ())
    found: Exploration[Any] = Exploration(
        swept.generated,
        swept.distinct,
        tuple(swept.widths),
        swept.taken,
        {},
        bad,
        is_complete=swept.is_complete,
        decided=swept.decided,
        ended=swept.ended,
    )
    return Walked("sweep", found, ruled_out(limits), judges_guards=False)


def _rounds(output: Output, limits: Limits, options: dict[str, Any]) -> Walked:
    """Round by round, with open views."""
    from fiscotool.check.fisco3_reach import ruled_out
    from fiscotool.check.fisco3_rounds import NOT_IN_ROUNDS, RoundWalk
    from fiscotool.check.model import Exploration, Violation

    for option, is_given in (
        ("--crashes", limits.crashes),
        ("--members-change", limits.leaves is not None),
        ("--progress", options["asks_progress"]),
        ("--sweep", options["sweeps"]),
    ):
        if is_given:
            raise UsageError(f"--rounds does not go with {option}", hint="leave one of them out")
    rounds = RoundWalk(limits).run(states_max=options["states_max"] or STATES_MAX, on_round=teller(output, "round"), pause=pause_of())
    output.progress_done()
    bad: Violation[Any] | None = None if rounds.bad is None else Violation("agreement", ())
    found: Exploration[Any] = Exploration(
        rounds.generated,
        rounds.distinct,
        tuple(rounds.widths),
        rounds.taken,
        {},
        bad,
        is_complete=rounds.is_complete,
        decided=rounds.decided,
        ended=rounds.ended,
    )
    return Walked("rounds", found, {**ruled_out(limits), **NOT_IN_ROUNDS}, judges_guards=False)
