"""Edits of a clean trace that a judge of traces must reject: the proof that it is not blind.

Rule 1. Each operator makes one small change and says, from the clean trace alone and without asking the judge, whether the result can still
        be a run: `must_reject` with a reason, or not. Where in doubt it may be accepted.
Rule 2. The reasons hold for a trace that tells everything: all replicas report, none lies, no record is missing. A life whose START is not
        told may have done anything before, so nothing is concluded from what it lacks.
Rule 3. Sequences are numbered anew after an edit, so that no edit is found by a gap in the numbers alone.

Theory. Deleting a receive may be accepted (a message can be lost); changing the digest of a Prepare whose accepted proposal is told must
be rejected (a replica prepares what it accepted). Detection is counted over the edits that must be rejected only.

Sources: observables 4; OSDI'99 4.2, 4.4; spec 3.x 1.8, 1.12; DeMillo, Lipton & Sayward, "Hints on test data selection" (1978).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from fiscotool.check import edits_order as order
from fiscotool.check import edits_values as values
from fiscotool.check import edits_whole as whole
from fiscotool.check.edits_clean import Change, Clean
from fiscotool.pbft.trace import TraceRecord

__all__ = ["OPERATORS", "WHOLE_OPERATORS", "Clean", "Edit", "Pick", "edits_of", "picker", "shift", "splice"]

Operator = Callable[[Clean, str, int], Change | None]
"""(the trace, whose record, its place in that replica's lane) -> the changed lane; None where it does not apply."""

OPERATORS: Final[dict[str, Operator]] = {
    "delete": order.delete,
    "duplicate": order.duplicate,
    "swap": order.swap,
    "move before its cause": order.move_before_cause,
    "change sender": values.change_sender,
    "height + 1": values.height_up,
    "height - 1": values.height_down,
    "view + 1": values.view_up,
    "view - 1": values.view_down,
    "flip hash": values.flip_hash,
    "weight - 1": values.weight_down,
    "drop a signer": whole.drop_signer,
    "forge restart": whole.forge_restart,
}
"""Operators that change one record, or one replica's records from one on."""

WHOLE_OPERATORS: Final[tuple[str, ...]] = ("clock shift", "splice")
"""Operators that change all records of a replica: `whole.shift_clock`, `splice`."""


_TRIES: Final = 50
_WORD: Final = (1 << 64) - 1

Pick = Callable[[int], int]
"""A number from 0 to the one given, that one excluded: `picker`, or any other source."""


def picker(seed: int) -> Pick:
    """The same numbers for the same seed, on every machine (splitmix64, Steele et al. 2014; this room takes no randomness from outside)."""
    state = seed & _WORD

    def pick(count: int) -> int:
        nonlocal state
        state = (state + 0x9E3779B97F4A7C15) & _WORD
        mixed = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 & _WORD
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB & _WORD
        return (mixed ^ (mixed >> 31)) % count

    return pick


@dataclass(frozen=True, slots=True)
class Edit:
    """An edited trace. `place` is the changed record's place in the lane of `replica` before the edit."""

    operator: str
    replica: str
    place: int
    must_reject: bool
    why: str
    records: list[TraceRecord]


def edits_of(clean: Clean, pick: Pick, count: int, *, only: Sequence[str] = tuple(OPERATORS)) -> Iterator[Edit]:
    """About `count` edits, spread evenly over the operators, at places chosen by `pick`; both kinds.

    An operator that finds no place where it applies in 50 tries an edit gives fewer.
    """
    share = max(1, count // len(only))
    for name in only:
        given = 0
        for _ in range(_TRIES * share):
            replica = clean.names[pick(len(clean.names))]
            lane = clean.lanes[replica]
            place = pick(len(lane))
            change = OPERATORS[name](clean, replica, place)
            if change is None:
                continue
            yield Edit(name, replica, place, change.must_reject, change.why, clean.with_lane(replica, change.lane))
            given += 1
            if given == share:
                break


def splice(clean: Clean, other: Clean, replica: str) -> Edit | None:
    """One replica's records taken from another run. Must be rejected if it counts votes there that nobody sent here."""
    if replica not in other.lanes or replica not in clean.lanes:
        return None
    change = whole.transplant(clean, other, replica)
    return Edit("splice", replica, 0, change.must_reject, change.why, clean.with_lane(replica, change.lane))


def shift(clean: Clean, replica: str, by_s: float, slack_s: float) -> Edit:
    """All times of one replica, `by_s` later or earlier. Must be rejected if a vote is then counted before it was sent."""
    change = whole.shift_clock(clean, replica, by_s, slack_s)
    return Edit("clock shift", replica, 0, change.must_reject, change.why, clean.with_lane(replica, change.lane))
