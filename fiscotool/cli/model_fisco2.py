"""`model check --spec fisco2`: FISCO BCOS 2.x, from options to bounds and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fiscotool.cli.model_dialects import limits_of, method_of, walk_both_ways

if TYPE_CHECKING:
    from fiscotool.cli.model_walks import Walked
    from fiscotool.cli.output import Output


def names() -> set[str]:
    """All that is counted."""
    from fiscotool.check.fisco2_bounds import ACTIONS, GOALS, GUARDS

    return {*ACTIONS, *GUARDS, *GOALS}


def walk(output: Output, options: dict[str, Any]) -> Walked:
    """The abstract model of 2.x; with --progress also asked whether a block must come."""
    from fiscotool.check.fisco2_bounds import AROUND_THE_CORE, HOLES, PLANTED, Limits2
    from fiscotool.check.fisco2_packed import PackedFisco2
    from fiscotool.check.fisco2_plain import PlainFisco2
    from fiscotool.check.fisco2_properties import Progress2, goals_of, properties_of
    from fiscotool.check.fisco2_reach import ruled_out

    limits = limits_of(Limits2, [*HOLES, *AROUND_THE_CORE, *PLANTED], options)
    method = method_of(options, limits)
    model = PackedFisco2(limits)
    progress = Progress2(model)
    asked = {**properties_of(model), **({"progress": progress.holds} if options["asks_progress"] else {})}
    plain = PlainFisco2(Limits2() if limits.holes else limits)
    impossible = ruled_out(limits)
    walked = walk_both_ways(output, options, model, plain, properties=asked, goals=goals_of(model), impossible=impossible, method=method)
    found = walked.found.violation
    if found is not None and found.property == "progress":
        for line in progress.stuck_in(found.path[-1].target if found.path else model.initial()):
            output.say(line)
    return walked
