"""Which switch makes it legal: lives with a difference, taken again with each hole and each planted bug of the dialect.

Rule 1. A switch explains a life when every step of it, from birth to `BEYOND_STEPS` after its first difference (and in the end all of it),
        is what the dialect with that switch does. That is asked of every life with a difference; a switch need not be in all nodes.
Rule 2. The work is bounded by a number of steps. What gives the step of the first difference in the state before it is tried first.
Rule 3. Best is what makes most lives legal, then what stays legal longest. Where no switch explains all lives, each is explained alone.

Sources: observables 4; DeMillo, Lipton & Sayward (1978): the competent programmer is one small change away.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from fiscotool.check.replay_lives import Life
from fiscotool.check.replay_step import Replica, Trouble
from fiscotool.check.replay_verdict import Finding, Suspicion
from fiscotool.mutants.mutant import Kind, Mutant
from fiscotool.mutants.plant import mutated
from fiscotool.mutants.registry import MUTANTS
from fiscotool.pbft.codec_life import Birth, Step
from fiscotool.pbft.dialects import Dialect
from fiscotool.pbft.rules import Quirk

__all__ = ["suspicions", "wire_suspicions"]

BEYOND_STEPS: Final = 400
"""How far beyond the first difference a switch has to explain before it is tried on all of a life."""

SHOWN_MAX: Final = 5

_VIEWS = ("ViewChange(", "NewView(")
_WIRE: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "M42": ("synced", ("",)),
    "M23": ("sent", _VIEWS),
    "FIB-134": ("sent", ("PrePrepare(", "Prepare(", "Commit(", "CheckPoint(", "Recover", "Committed", "Prepared")),
}
"""Wire switch → (rule, beginnings of the message's words) of what it brings about: nothing else lets in what nobody signed."""


def switches(dialect: str) -> list[Mutant]:
    """All that may be planted in this dialect's core: the registered mutants and the holes that none of them stands for."""
    known = [mutant for mutant in MUTANTS.values() if mutant.dialect == dialect and not mutant.wire_switch]
    named = {mutant.switch for mutant in known}
    holes = [quirk for quirk in Quirk if quirk not in named]
    return known + [Mutant(f"quirk {quirk.value}", "a known hole", Kind.CONFORMANCE, "", dialect, switch=quirk) for quirk in holes]


@dataclass(frozen=True, slots=True)
class Case:
    """A life with a difference: its steps, and the place of the first that differs."""

    title: str
    birth: Birth
    steps: tuple[Step, ...]
    place: int


class _Budget:
    def __init__(self, steps: int) -> None:
        self.steps = steps


def suspicions(wrong: Sequence[tuple[Life, int]], dialect: Dialect, *, steps_max: int) -> tuple[Suspicion, ...]:
    """The switches that explain most, best first; none where none explains the first difference of any life."""
    cases = [case for life, sequence in wrong if (case := _case(life, sequence)) is not None]
    if not cases:
        return ()
    cases.sort(key=lambda case: case.place)
    budget = _Budget(steps_max)
    found = _of(cases, dialect, budget)
    if len(cases) > 1 and not (found and found[0].is_full):
        found += [replace(each, about=case.title) for case in cases for each in _of([case], dialect, budget)[:1] if each.is_full]
    return tuple(found)


def _of(cases: Sequence[Case], dialect: Dialect, budget: _Budget) -> list[Suspicion]:
    """The switches that explain these lives, best first."""
    hot, cold = _sorted_by_heat(cases[0], dialect)
    found = [_tried(mutant, cases, dialect, budget) for mutant in hot]
    if not any(one.is_full for one in found):
        found += [_tried(mutant, cases, dialect, budget) for mutant in cold]
    explained = [one for one in found if one.until >= 0]
    explained.sort(key=lambda one: (-one.legal, -one.until))
    return explained[:SHOWN_MAX]


def wire_suspicions(findings: Sequence[Finding]) -> tuple[Suspicion, ...]:
    """The holes of the embedded node around the core that explain findings, where no step differs."""
    found = []
    for name, (rule, kinds) in _WIRE.items():
        mine = [one for one in findings if one.rule == rule and one.event.startswith(kinds)]
        follow = [one for one in findings if rule == "synced" and one.rule == "agreement"]
        if mine and name in MUTANTS:
            found.append(Suspicion(name, MUTANTS[name].title, len(mine) + len(follow), len(findings), 0))
    return tuple(sorted(found, key=lambda one: -one.legal))


def _case(life: Life, sequence: int) -> Case | None:
    if life.birth is None:
        return None
    steps: list[Step] = []
    for record in life.records():
        if isinstance(record, Step):
            if not life.is_whole:
                break
            steps.append(record)
    return Case(life.title, life.birth, tuple(steps), sequence) if sequence < len(steps) else None


def _sorted_by_heat(case: Case, dialect: Dialect) -> tuple[list[Mutant], list[Mutant]]:
    """(those that do what the node did in the state the sound core has there, all others)."""
    try:
        before = Replica(case.birth, dialect)
        for step in case.steps[: case.place]:
            before.take(step.event)
    except Trouble:
        return [], switches(dialect.name)
    hot: list[Mutant] = []
    cold: list[Mutant] = []
    for mutant in switches(dialect.name):
        (hot if _does(mutant, case, before, dialect) else cold).append(mutant)
    return hot, cold


def _does(mutant: Mutant, case: Case, before: Replica, dialect: Dialect) -> bool:
    try:
        there = Replica(case.birth, mutated(dialect, mutant))
        there.state = before.state
        return not there.differs(case.steps[case.place])
    except Trouble:
        return False


def _tried(mutant: Mutant, cases: Sequence[Case], dialect: Dialect, budget: _Budget) -> Suspicion:
    """How far the lives are legal with this switch."""
    reached = []
    for case in cases:
        until = _legal_until(mutant, case, dialect, budget)
        reached.append(until)
        if until < case.place:
            break
    legal = sum(until == len(case.steps) for until, case in zip(reached, cases, strict=False))
    is_tried = len(reached) == len(cases)
    beyond = min(until - case.place for until, case in zip(reached, cases, strict=False)) if is_tried else -1
    return Suspicion(mutant.name, mutant.title, legal, len(cases), beyond if beyond > 0 else -1)


def _legal_until(mutant: Mutant, case: Case, dialect: Dialect, budget: _Budget) -> int:
    """The place of the first step that is not legal with the switch, or the number of steps when all are; 0 when the work is used up."""
    if budget.steps <= 0:
        return 0
    taken = 0
    try:
        replica = Replica(case.birth, mutated(dialect, mutant))
        for taken, step in _counted(case.steps, budget):
            if replica.differs(step):
                return taken
    except Trouble:
        return taken
    return len(case.steps)


def _counted(steps: Sequence[Step], budget: _Budget) -> Iterator[tuple[int, Step]]:
    for place, step in enumerate(steps):
        budget.steps -= 1
        yield place, step
