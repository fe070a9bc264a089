"""Taking the steps of a life again: the dialect's own `step`, from the state the life was born with, under the rules of its chain.

Rule 1. The rules are those the node was told (birth, `LedgerAdvanced`), but the holes in force are the ones its configuration declares:
        what a planted bug switches on is not legal.
Rule 2. The core never raises for what an honest driver gives it. Where it does, a trace tells what cannot happen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fiscotool.pbft.codec_life import Birth, Refused, Step, abridged, told_status
from fiscotool.pbft.dialects import Dialect
from fiscotool.pbft.effects import Effect
from fiscotool.pbft.events import Event, LedgerAdvanced
from fiscotool.pbft.rules import Rules

__all__ = ["Replica", "Trouble"]

Done = Sequence[Effect | Refused]

BREAKS = (AssertionError, LookupError, ValueError, TypeError, ArithmeticError, AttributeError)
"""What the core raises when it is told what no driver would tell it."""


class Trouble(Exception):
    """The core has no step for this event."""


class Replica:
    """The protocol's own replica, living one life again."""

    def __init__(self, birth: Birth, dialect: Dialect) -> None:
        self._step = dialect.step
        self._quirks = birth.quirks
        self._rules: dict[Rules, Rules] = {}
        self.told: tuple[int, int, int, bool, int] | None = None
        more: dict[str, Any] = {} if birth.stand is None else {"stand": birth.stand}
        try:
            self.state: Any = dialect.initial_state(
                rules=self._sound(birth.rules),
                me=birth.me,
                height=birth.height,
                block_hash=birth.block_hash,
                votes=birth.votes,
                executed=birth.executed,
                **more,
            )
        except BREAKS as problem:
            raise Trouble(f"no replica is born like this: {type(problem).__name__} {str(problem)[:100]}") from problem

    def take(self, event: Event) -> Done:
        """What the protocol does now, abridged as traces are. Raises Trouble."""
        if type(event) is LedgerAdvanced:
            event = replace(event, rules=self._sound(event.rules))
        try:
            self.state, effects = self._step(self.state, event)
        except BREAKS as problem:
            raise Trouble(f"the core has no such step: {type(problem).__name__} {str(problem)[:100]}") from problem
        return abridged(event, effects)

    def differs(self, step: Step) -> bool:
        """Whether the node did otherwise, or says of itself what is not so. Raises Trouble. Takes the step."""
        done = self.take(step.event)
        if step.told is not None:
            self.told = step.told
        return done != step.effects or (self.told is not None and told_status(self.state) != self.told)

    def _sound(self, rules: Rules) -> Rules:
        """Rule 1."""
        if rules.quirks == self._quirks:
            return rules
        found = self._rules.get(rules)
        if found is None:
            found = self._rules[rules] = replace(rules, quirks=self._quirks)
        return found
