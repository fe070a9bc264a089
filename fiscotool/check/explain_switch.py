"""Which single switch would make a trace legal: "behaves as if prepared with q-1".

Rule 1. A switch is a relaxation of the judge: for each guard it may loosen, how far. A breach within all that is legal under the switch.
Rule 2. Switches that make every breach legal come first; of those, the narrowest: those of which nothing is missing that they always show,
        then those that loosen the least without need. One that explains the first breach and others is a guess, and said to be one.
Rule 3. What a switch brings about later (a proposal nobody else agreed on) is loosened as well, and does not make it wider.

Sources: observables 4; DeMillo, Lipton & Sayward (1978): the competent programmer is one small change away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fiscotool.check.explain_switches import SWITCHES, Switch
from fiscotool.check.trace_context import Members, TraceContext
from fiscotool.check.trace_verdict import Breach

__all__ = ["Suspect", "suspects"]


@dataclass(frozen=True, slots=True)
class Suspect:
    """A switch and how well it explains: `explained` of `total` breaches. `makes_legal`: all of them."""

    switch: Switch
    explained: int
    total: int

    @property
    def makes_legal(self) -> bool:
        """Whether nothing is left unexplained."""
        return self.explained == self.total


def suspects(breaches: Sequence[Breach], context: TraceContext, *, most: int = 3) -> tuple[Suspect, ...]:
    """The switches that explain the first breach or half of all, best first; none for a trace without breaches."""
    if not breaches:
        return ()
    guards = {breach.guard for breach in breaches}
    ranked: list[tuple[tuple[int, ...], Suspect]] = []
    for place, switch in enumerate(SWITCHES):
        explained = sum(switch.allows(breach, _members(breach, context)) for breach in breaches)
        first = breaches[0]
        is_about_first = first.guard in switch.loosens and switch.allows(first, _members(first, context))
        if not explained or not (is_about_first or 2 * explained >= len(breaches)) or not guards & set(switch.loosens):
            continue
        # What a switch always shows, and is not seen, speaks against it; what is loosened without need makes it a wider guess.
        missing = len(switch.always - guards)
        wide = missing + len(set(switch.loosens) - guards)
        suspect = Suspect(switch, explained, len(breaches))
        ranked.append(((not suspect.makes_legal, len(breaches) - explained, missing, wide, place), suspect))
    ranked.sort(key=lambda item: item[0])
    return tuple(suspect for _, suspect in ranked[:most])


def _members(breach: Breach, context: TraceContext) -> Members:
    return context.members_at(breach.record.height or 0)
