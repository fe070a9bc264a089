"""Putting a mutant in, and taking it out again.

Rule 1. A mutant may be in all replicas, or in some: then its functions are in place only while one of those takes a step.
Rule 2. A hole that is a `Quirk` is in force inside the step only, so whoever judges the state expects the sound rules.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any, Final

from fiscotool.mutants.mutant import Mutant, Step
from fiscotool.mutants.planter import Planter
from fiscotool.pbft.dialects import Dialect
from fiscotool.pbft.events import LedgerAdvanced
from fiscotool.pbft.rules import Quirk, Rules

__all__ = ["mutated", "plan_of", "planted", "settle_in"]

SIGNED_DIFFERENTLY: Final = frozenset({Quirk.PROOF_WITHOUT_VIEW})
"""Holes that change what a signature signs, which the driver has to know as well: they are rules of the whole world."""


def plan_of(mutant: Mutant) -> Planter:
    """What this mutant replaces; nothing for one that is a switch or goes around `step`."""
    planter = Planter()
    if mutant.apply is not None:
        mutant.apply(planter)
    return planter


@contextlib.contextmanager
def planted(mutant: Mutant | None) -> Iterator[None]:
    """The mutant's functions are in place inside. For switches and wraps use `mutated`."""
    if mutant is None:
        yield
        return
    with plan_of(mutant):
        yield


def mutated(dialect: Dialect, mutant: Mutant | None, replicas: Collection[int] | None = None) -> Dialect:
    """The dialect as it is with the mutant in these replicas (indexes), or in all."""
    if mutant is None or mutant.wire_switch:
        return dialect
    changed, planter = _around(dialect, mutant), plan_of(mutant)

    def step(state: Any, event: Any) -> tuple[Any, tuple[Any, ...]]:
        if replicas is not None and state.me not in replicas:
            return dialect.step(state, event)
        with planter:
            return changed.step(state, event)

    def initial_state(*, me: Any, **more: Any) -> Any:
        if replicas is not None and me not in replicas:
            return dialect.initial_state(me=me, **more)
        with planter:
            return changed.initial_state(me=me, **more)

    return replace(dialect, step=step, initial_state=initial_state)


def settle_in(dialect: Dialect, mutant: Mutant) -> Dialect:
    """Plant it for the rest of this process, and return the dialect to use from now on: an embedded node is one replica."""
    plan_of(mutant).__enter__()
    return _around(dialect, mutant)


def _around(dialect: Dialect, mutant: Mutant) -> Dialect:
    """The dialect with what goes around its functions: switch or wrap."""
    assert mutant.dialect == dialect.name, f"{mutant.name} is of {mutant.dialect}"
    step: Step = dialect.step if mutant.wrap is None else mutant.wrap(dialect.step)
    switch = mutant.switch
    if switch is None:
        return replace(dialect, step=step)

    def initial_state(*, rules: Rules, **more: Any) -> Any:
        return dialect.initial_state(rules=_with(rules, switch), **more)._replace(rules=rules)

    return replace(dialect, step=_switched(step, switch), initial_state=initial_state)


def _with(rules: Rules, switch: Quirk) -> Rules:
    """The rules with one hole more."""
    return rules if switch in rules.quirks else replace(rules, quirks=rules.quirks | {switch})


def _switched(inner: Step, switch: Quirk) -> Step:
    """`inner` with the hole in force inside (rule 2), also under the rules that a block brings."""
    holed: dict[Rules, Rules] = {}
    plain: dict[Rules, Rules] = {}

    def opened(rules: Rules) -> Rules:
        found = holed.get(rules)
        if found is None:
            found = holed[rules] = _with(rules, switch)
            plain[found] = rules
        return found

    def step(state: Any, event: Any) -> tuple[Any, tuple[Any, ...]]:
        before: Rules = state.rules
        if switch in before.quirks:
            return inner(state, event)
        if isinstance(event, LedgerAdvanced):
            event = replace(event, rules=opened(event.rules))
        fooled = state._replace(rules=opened(before))
        new, effects = inner(fooled, event)
        if new is fooled:
            return state, effects
        return new._replace(rules=plain[new.rules]), effects

    return step
