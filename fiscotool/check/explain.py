"""Why a trace is no run of the protocol: what failed first, by how much, what shows it, and what the nodes behave like.

    explanation = explain(records, context, verdict)

Sources: observables 4 (explanations); `explain_core`, `explain_switch`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fiscotool.check.explain_core import WORK_MAX, Core, smallest
from fiscotool.check.explain_switch import Suspect, suspects
from fiscotool.check.trace import Breach, TraceContext, TraceVerdict, check_trace
from fiscotool.check.trace_guards import GUARDS
from fiscotool.pbft.trace import TraceRecord

__all__ = ["SUSPECTS_MAX", "Explanation", "explain"]

SUSPECTS_MAX = 3
_BREACHES_WEIGHED = 10_000
"""How many breaches the switches are weighed by; each is one comparison a switch."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """`breach` is the first record no rule explains; `margin` by how much a guard that counts was missed, None if it does not count.

    `says` is the guard in words. `suspects` are the nearest switches, best first; empty when no single one explains it.
    """

    breach: Breach
    says: str
    margin: int | None
    core: Core
    suspects: tuple[Suspect, ...]


def explain(
    records: Sequence[TraceRecord], context: TraceContext, verdict: TraceVerdict, *, work_max: int = WORK_MAX
) -> Explanation | None:
    """Explain the first breach of `verdict`, given on `records` in `context`; None if it found none."""
    breach = verdict.first
    if breach is None:
        return None
    breaches = verdict.breaches
    if len(breaches) >= context.breaches_max:
        # The switches are weighed by all that was found, not by the first few.
        breaches = check_trace(records, context=replace(context, breaches_max=_BREACHES_WEIGHED)).breaches
    margin = None if breach.need is None or breach.have is None else breach.have - breach.need
    return Explanation(
        breach=breach,
        says=GUARDS[breach.guard].says,
        margin=margin,
        core=smallest(records, context, breach, work_max=work_max),
        suspects=suspects(breaches, context, most=SUSPECTS_MAX),
    )
