"""What the core asks for and what comes back: nothing happens to it that it did not ask for, and what it asks for is done.

    Execute → Executed          VerifyProposal → Verified        BuildFillers → FillersBuilt        SetTimer → TimerFired
    CommitBlock → LedgerAdvanced (or never)                       SealRange → Proposed (or never)

Rule 1. `asked`: an answer without its question. A timer does not run out before its time; one that was just replaced may.
Rule 2. `answered`: a question without its answer although the life went on for `PATIENCE_MS` and `PATIENCE_STEPS` more; of timers those
        that were not set again or stopped.

Sources: pbft/effects.py, rules 1 and 3; pbft/events.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from fiscotool.check.replay_words import effect_words, event_words
from fiscotool.pbft import effects as do
from fiscotool.pbft import events as ev
from fiscotool.pbft.codec_life import Refused, Step, Synced

__all__ = ["Duties"]

PATIENCE_MS: Final = 60_000
"""Fetching the content of a proposal may take seconds, and a node may be stopped for longer; then it goes on."""

PATIENCE_STEPS: Final = 100

TIMER_PATIENCE_MS: Final = 10_000

SLACK_MS: Final = 20
"""A timer is set and runs out on clocks that are read one after the other."""

Duty = tuple[str, Any, Any]


class Duties:
    """Questions of one life. `step` takes note of a step and says what is against the rules."""

    def __init__(self) -> None:
        self._asked: set[Duty] = set()
        self._open: dict[Duty, tuple[int, int, do.Effect]] = {}
        self._timers: dict[ev.TimerName, tuple[int, int, int]] = {}
        self._due: dict[tuple[ev.TimerName, int], int] = {}
        self._ranges: list[tuple[int, int]] = []
        self._synced: dict[int, bytes] = {}

    def synced(self, record: Synced) -> None:
        """A block was found good."""
        self._synced[record.index] = record.block_hash

    def step(self, step: Step) -> Iterator[tuple[str, str]]:
        """(rule, in words) of everything that is wrong with this step."""
        event = step.event
        if type(event) is not ev.Received:
            yield from self._answer(step, event)
        for effect in step.effects:
            self._ask(step, effect)

    def overdue(self, last: Step) -> Iterator[tuple[int, str]]:
        """(step of the question, in words) of what was never answered, `last` being the last step of the life."""
        for sequence, at_ms, effect in self._open.values():
            if last.at_ms - at_ms > PATIENCE_MS and last.sequence - sequence > PATIENCE_STEPS:
                yield sequence, f"{effect_words(effect)}, and gets no answer in {(last.at_ms - at_ms) / 1000:.0f} s"
        for name, (_, due_ms, sequence) in self._timers.items():
            if last.at_ms - due_ms > TIMER_PATIENCE_MS and last.sequence - sequence > PATIENCE_STEPS:
                yield sequence, f"timer {name.value} does not run out in {(last.at_ms - due_ms) / 1000:.0f} s after its time"

    def _answer(self, step: Step, event: ev.Event) -> Iterator[tuple[str, str]]:
        wrong = ""
        match event:
            case ev.Executed(index=index, digest=digest):
                wrong = self._close(("execute", index, digest))
            case ev.Verified(index=index, digest=digest):
                wrong = self._close(("verify", index, digest))
            case ev.FillersBuilt(view=view):
                wrong = self._close(("fillers", view, len(event.proposals)))
            case ev.Proposed(proposal=proposal):
                if not any(first <= proposal.index <= last for first, last in self._ranges):
                    wrong = "its sealer was told no such height"
            case ev.LedgerAdvanced(index=index, block_hash=block_hash, by_sync=True):
                if self._synced.get(index) != block_hash:
                    wrong = "no such block was found good"
            case ev.LedgerAdvanced(index=index, block_hash=block_hash):
                if ("write", index, block_hash) not in self._asked:
                    wrong = "it did not ask to write this block"
            case ev.TimerFired():
                wrong = self._fired(step, event)
            case _:
                return
        if wrong:
            yield "asked", f"{event_words(event)}, but {wrong}"

    def _close(self, duty: Duty) -> str:
        self._open.pop(duty, None)
        return "" if duty in self._asked else "that was not asked for"

    def _fired(self, step: Step, event: ev.TimerFired) -> str:
        due_ms = self._due.get((event.name, event.epoch))
        if due_ms is None:
            return "it was never set"
        if self._timers.get(event.name, (None,))[0] == event.epoch:
            del self._timers[event.name]
        return f"{due_ms - step.at_ms} ms before its time" if step.at_ms + SLACK_MS < due_ms else ""

    def _ask(self, step: Step, effect: do.Effect | Refused) -> None:
        match effect:
            case do.Broadcast() | Refused() | do.Send():
                return
            case do.SetTimer(name=name, epoch=epoch, after_ticks=ticks):
                self._timers[name] = (epoch, step.at_ms + ticks, step.sequence)
                self._due[name, epoch] = step.at_ms + ticks
            case do.CancelTimer(name=name):
                self._timers.pop(name, None)
            case do.SealRange(first=first, last=last):
                if first <= last and (first, last) not in self._ranges[-8:]:
                    self._ranges = [*self._ranges[-63:], (first, last)]
            case do.Execute(proposal=proposal):
                self._note(step, effect, ("execute", proposal.index, proposal.digest))
            case do.VerifyProposal(proposal=proposal):
                self._note(step, effect, ("verify", proposal.index, proposal.digest))
            case do.BuildFillers(view=view, indexes=indexes):
                self._note(step, effect, ("fillers", view, len(indexes)))
            case do.CommitBlock(index=index, block_hash=block_hash):
                self._asked.add(("write", index, block_hash))
            case _:
                return

    def _note(self, step: Step, effect: do.Effect, duty: Duty) -> None:
        self._asked.add(duty)
        self._open.setdefault(duty, (step.sequence, step.at_ms, effect))
