"""`model check --spec classic`: PBFT as published, from options to bounds and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fiscotool.cli.model_dialects import limits_of, method_of, walk_both_ways

if TYPE_CHECKING:
    from fiscotool.cli.model_walks import Walked
    from fiscotool.cli.output import Output


def names() -> set[str]:
    """All that is counted."""
    from fiscotool.check.classic_bounds import ACTIONS, GOALS, GUARDS

    return {*ACTIONS, *GUARDS, *GOALS}


def walk(output: Output, options: dict[str, Any]) -> Walked:
    """The abstract model of PBFT as published."""
    from fiscotool.check.classic_bounds import HOLES, PLANTED, LimitsClassic
    from fiscotool.check.classic_packed import PackedClassic
    from fiscotool.check.classic_plain import PlainClassic
    from fiscotool.check.classic_properties import goals_of, properties_of
    from fiscotool.check.classic_reach import ruled_out

    limits = limits_of(LimitsClassic, [*HOLES, *PLANTED], options)
    method = method_of(options, limits)
    model = PackedClassic(limits)
    plain = PlainClassic(LimitsClassic() if limits.holes else limits)
    asked, goals, impossible = properties_of(model), goals_of(model), ruled_out(limits)
    return walk_both_ways(output, options, model, plain, properties=asked, goals=goals, impossible=impossible, method=method)
