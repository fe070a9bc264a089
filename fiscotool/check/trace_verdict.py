"""What a judge of a trace says: a verdict, the first record that no rule explains, and how often everything was put to the test.

Rule 1. VIOLATION: no behaviour of the model explains the records. CONSISTENT: one does, and `witness` is the order it has. INCONCLUSIVE:
        nothing speaks against the records, but too little of the run was told (`Lack`). VACUOUS: nothing happened that a rule speaks of.
Rule 2. A guard that was never evaluated proves nothing; `counters` tell which were.

Sources: docs/trace-checking.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, unique

from fiscotool.pbft.trace import Act, TraceRecord

__all__ = ["Breach", "Counters", "Lack", "TraceVerdict", "Verdict"]


@unique
class Verdict(Enum):
    """The four answers."""

    VIOLATION = "violation"
    CONSISTENT = "consistent"
    INCONCLUSIVE = "inconclusive"
    VACUOUS = "vacuous"


@dataclass(frozen=True, slots=True)
class Breach:
    """A record that is no step of the model from any state its predecessors lead to.

    `rule` is the property (G1 to G12), `guard` the condition that is not met, `need` and `have` by how much where it counts something.
    `position` is the record's place in the trace as given; `enabled` are the acts the model had for the same height, or at all.
    """

    rule: str
    guard: str
    record: TraceRecord
    position: int
    text: str
    need: int | None = None
    have: int | None = None
    enabled: tuple[Act, ...] = ()

    @property
    def sentence(self) -> str:
        """Who did what, and what was missing, in one line."""
        record = self.record
        where = "" if record.height is None else f" height {record.height}"
        where += "" if record.view is None else f" view {record.view}"
        where += f" {record.digest[:8]}" if record.digest else ""
        who = f"{record.replica} (life {record.life}, record {record.sequence})"
        return f"{self.rule} {self.guard}: {who} {record.act.value}{where}: {self.text}"


@dataclass(frozen=True, slots=True)
class Lack:
    """Something the report does not tell, and how to get it. `is_decisive`: without it a run cannot be called consistent."""

    text: str
    remedy: str
    is_decisive: bool


@dataclass(slots=True)
class Counters:
    """How often each act was told, each guard evaluated and not met, each premise true; and the narrowest margin where a guard counts."""

    acts: dict[Act, int] = field(default_factory=dict)
    guards: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    premises: dict[str, int] = field(default_factory=dict)
    margins: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TraceVerdict:
    """The judgement. `breaches` are in order of time, the first is what to look at; `deviations` are breaches of the other mode.

    `witness` holds places of records in the trace as given, in an order in which every message is sent before it is received.
    `lock_rules` says for each lock rule ("fisco", "textbook") how often it was put to the test and how often broken.
    `silent_count` is how many steps had to be assumed that no record tells.
    """

    verdict: Verdict
    record_count: int
    breaches: tuple[Breach, ...]
    deviations: tuple[Breach, ...]
    witness: Sequence[int]
    counters: Counters
    lock_rules: dict[str, tuple[int, int]]
    silent_count: int = 0
    notes: tuple[str, ...] = ()
    lacks: tuple[Lack, ...] = ()

    @property
    def first(self) -> Breach | None:
        """The first record that nothing explains."""
        return self.breaches[0] if self.breaches else None
