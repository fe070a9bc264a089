"""What a judge of a trace is told beforehand: the protocol, its members, who may lie, and how much of the run the report tells.

Rule 1. Members and periods are those in force for a height: what block h changes is in force from h+1 (spec 3.x 1.19, 2.x 1.12).
Rule 2. A replica in `faulty` may do and send anything; its records are not judged. One that is not `watched` reports nothing, so that
        whatever others had from it is believed.
Rule 3. `missing_max` is how many steps of one life the report may leave out; nothing may be left out by default. Receives that nobody tells
        at all (`tells_receives=False`) cost nothing: they are looked for among what was sent.

Sources: spec 3.x 1.5, 1.6; spec 2.x 1.1; Cirstea et al., "Validating traces of distributed programs against TLA+ specifications" (2024),
for unknown variables and missing lines.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from enum import Enum, unique
from typing import Final

from fiscotool.pbft.quorum import faulty_weight_max, quorum_weight

__all__ = ["DIALECT_NAMES", "Members", "Mode", "TraceContext"]

DIALECT_NAMES: Final = ("fisco3", "fisco2", "classic")


@unique
class Mode(Enum):
    """By what a run is judged. In both, what only the other forbids is reported as a deviation."""

    FISCO = "fisco"
    """The rules of the named dialect, with what FISCO does otherwise than the paper."""
    TEXTBOOK = "textbook"
    """PBFT as published: votes and locks survive a restart, views change by new-view messages only, only the leader's proposals count."""


@dataclass(frozen=True, slots=True)
class Members:
    """The sealers from height `since` on: the weight of each by its index, and how many heights one leads."""

    since: int
    weights: tuple[int, ...]
    leader_period_blocks: int = 1
    total: int = field(init=False)
    quorum: int = field(init=False)
    join: int = field(init=False)

    def __post_init__(self) -> None:
        """The thresholds: W, q = W - f, and f + 1."""
        total = sum(self.weights)
        object.__setattr__(self, "total", total)
        object.__setattr__(self, "quorum", int(quorum_weight(total)))
        object.__setattr__(self, "join", int(faulty_weight_max(total)) + 1)

    @property
    def count(self) -> int:
        """How many sealers there are."""
        return len(self.weights)

    def weight(self, senders: object) -> int:
        """Weight of distinct `senders` (an iterable of indexes); an index outside weighs nothing."""
        weights, count = self.weights, len(self.weights)
        return sum(weights[sender] for sender in set(senders) if 0 <= sender < count)  # type: ignore[call-overload]


@dataclass(frozen=True, slots=True)
class TraceContext:
    """See the rules above. `members` are in order of `since`; `quirks` are values of `pbft.rules.Quirk` that the run may show.

    `slack_s` is how much later than it happened an act may be told (added to every record's own `error_s`). `watched` are the replicas
    that report; None means that those with records do. `ends_open`: a report may begin after its replica did, lack lives, and end before;
    what others heard from it in such a gap is believed (`trace_cover`). `pipeline_blocks` is how far above its ledger a leader may propose.
    `members_told`: `members` are what the run tells, not a guess. `begins_late`: the report was
    begun in the middle of the run, so that what was before is no lack.
    """

    members: tuple[Members, ...] = (Members(0, (1, 1, 1, 1)),)
    dialect: str = "fisco3"
    mode: Mode = Mode.FISCO
    faulty: frozenset[str] = frozenset()
    watched: frozenset[str] | None = None
    quirks: frozenset[str] = frozenset()
    missing_max: int = 0
    tells_receives: bool = True
    ends_open: bool = False
    slack_s: float = 0.0
    pipeline_blocks: int = 50
    breaches_max: int = 50
    members_told: bool = True
    begins_late: bool = False

    def members_at(self, height: int) -> Members:
        """Who votes on block `height`."""
        position = bisect_right(self.members, height, key=lambda members: members.since)
        return self.members[max(0, position - 1)]
