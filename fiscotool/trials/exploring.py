"""The mutant in all replicas of a small world, under all schedules of `check.step_explorer` within bounds."""

from __future__ import annotations

import time
from typing import Final

from fiscotool.check.step_explorer import Bounds, Explorer
from fiscotool.mutants.mutant import Mutant
from fiscotool.mutants.plant import SIGNED_DIFFERENTLY, mutated
from fiscotool.pbft.dialects import DIALECTS
from fiscotool.trials.verdict import Result, Verdict

METHOD: Final = "explorer"

BOUNDS: Final = (
    Bounds(),
    Bounds(liar=3),
    Bounds(liar=0),
    Bounds(crashes=1),
    Bounds(heights=2),
    Bounds(liar=1),
    Bounds(nodes=5),
    Bounds(liar=2, crashes=1),
)
"""Tried in this order: nobody lies, one lies, one crashes, two heights, five replicas."""


def try_explorer(mutant: Mutant, *, worlds_max: int = 1_200) -> Verdict:
    """Explore each of `BOUNDS` until something is broken."""
    if mutant.wire_switch:
        return Verdict(mutant.name, METHOD, Result.NOT_APPLICABLE, ("the hole is in the node around the core",))
    if mutant.switch in SIGNED_DIFFERENTLY:
        return Verdict(mutant.name, METHOD, Result.NOT_APPLICABLE, ("signatures are not part of this model",))
    began = time.process_time()
    dialect, distinct, asserted = mutated(DIALECTS[mutant.dialect], mutant), 0, ""
    for bounds in BOUNDS:
        try:
            found = Explorer(dialect, _sized(bounds, worlds_max)).run()
        except AssertionError as problem:
            asserted = asserted or f"{told(bounds)}: {problem}"
            continue
        distinct += found.distinct
        if found.broken:
            evidence = f"{told(bounds)}: {'; '.join(found.path) or 'as soon as it starts'}"
            return Verdict(mutant.name, METHOD, Result.KILLED, found.broken, evidence, time.process_time() - began)
    spent = time.process_time() - began
    if asserted:
        return Verdict(mutant.name, METHOD, Result.KILLED, ("assertion",), asserted, spent)
    return Verdict(mutant.name, METHOD, Result.SURVIVED, (), f"{distinct} worlds", spent)


def find_nothing(dialect: str, *, worlds_max: int = 1_200) -> list[str]:
    """The reverse: what is broken without a mutant, within the same bounds. It must be nothing."""
    wrong = []
    for bounds in BOUNDS:
        found = Explorer(DIALECTS[dialect], _sized(bounds, worlds_max)).run()
        if found.broken:
            wrong.append(f"{told(bounds)}: {', '.join(found.broken)} after {'; '.join(found.path)}")
    return wrong


def told(bounds: Bounds) -> str:
    """Bounds for people."""
    lies = "" if bounds.liar is None else f", {bounds.liar} lies"
    crashes = f", {bounds.crashes} crash" if bounds.crashes else ""
    return f"n={bounds.nodes}, {bounds.heights} height{'s' if bounds.heights > 1 else ''}{lies}{crashes}"


def _sized(bounds: Bounds, worlds_max: int) -> Bounds:
    return Bounds(bounds.nodes, bounds.heights, bounds.depth_max, worlds_max, bounds.crashes, bounds.liar)
