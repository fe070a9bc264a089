"""What is known of all replicas together: who sent what, what was agreed where, and everything that was found.

Rule 1. `sent` only grows: the network is a set of messages, and whoever lacks one has not received it yet.
Rule 2. What is agreed, executed or prepared anywhere is entered once, by the first who says so, and compared ever after.

Sources: observables 3.2 (G4 to G6), section 4; Castro & Liskov, OSDI'99, section 4.5.1.
"""

from __future__ import annotations

from collections import defaultdict

from fiscotool.check.trace_context import TraceContext
from fiscotool.check.trace_cover import Gap
from fiscotool.check.trace_guards import GUARDS
from fiscotool.check.trace_verdict import Breach
from fiscotool.pbft.trace import Act, TraceRecord

__all__ = ["Book", "Key"]

Key = tuple[object, ...]
"""What tells one message from another: its kind, sender, view, height and digest, as far as the kind has them."""


class Book:
    """Shared by the automata of one check."""

    def __init__(self, context: TraceContext) -> None:
        self.context = context
        self.guard_counts: dict[str, int] = defaultdict(int)
        self.failed: dict[str, int] = defaultdict(int)
        self.premises: dict[str, int] = defaultdict(int)
        self.margins: dict[str, int] = {}
        self.breaches: list[Breach] = []
        self.deviations: list[Breach] = []
        self.breach_count = 0
        self.is_over = False
        """Nothing more will be sent: who waits for something does so in vain."""
        self.silent_count = 0
        self.unknown_count = 0
        self.lock_tests = {"fisco": 0, "textbook": 0}
        self.lock_broken = {"fisco": 0, "textbook": 0}
        self.sent: dict[Key, float] = {}
        self.voters: dict[Key, dict[int, float]] = {}
        """(kind, view, height, digest) -> sender -> from when on; kept only where silent receives are possible."""
        self.prepared: dict[tuple[int, int], tuple[str, str]] = {}
        self.prepared_by: dict[tuple[int, str], set[str]] = {}
        self.agreed: dict[int, tuple[str, str]] = {}
        self.results: dict[tuple[int, str], tuple[str, str]] = {}
        self.ledger: dict[int, tuple[str, str]] = {}
        self.reports: dict[tuple[int, str], tuple[int, dict[int, tuple[int, str]]]] = {}
        """(view, replica) -> what its view change says: committed height, and height -> (view, digest) prepared."""
        self.reported_again: set[tuple[int, str]] = set()
        """Those of which several view changes were sent for one view."""
        self.ended: set[str] = set()
        """Replicas whose report is over, though they may not be."""
        self.owners: dict[tuple[int, int], str] = {}
        self.gaps: dict[str, list[Gap]] = {}
        """What of a replica's run its records lack."""
        self.now_s = float("-inf")
        """The time of the record being looked at."""

    def fail(
        self,
        guard: str,
        record: TraceRecord,
        position: int,
        text: str,
        need: int | None,
        have: int | None,
        *,
        binds: bool,
        enabled: tuple[Act, ...] = (),
    ) -> None:
        """Note what was found; only the first so many are kept."""
        self.failed[guard] += 1
        self.guard_counts[guard] = max(self.guard_counts[guard], self.failed[guard])
        found = Breach(GUARDS[guard].rule, guard, record, position, text, need, have, enabled)
        kept = self.breaches if binds else self.deviations
        self.breach_count += binds
        if len(kept) < self.context.breaches_max:
            kept.append(found)

    def margin(self, guard: str, spare: int) -> None:
        """Keep the narrowest margin by which a guard that counts was met."""
        known = self.margins.get(guard)
        if known is None or spare < known:
            self.margins[guard] = spare

    def owner(self, height: int, index: int) -> str | None:
        """Which replica had this index among the members of `height`; None when none that reports."""
        every = self.context.members
        since = every[0].since if len(every) == 1 else self.context.members_at(height).since
        return self.owners.get((since, index))

    def is_trusted(self, height: int, index: int) -> bool:
        """Whether the sender with this index reports all it sends, so that what it did not send it cannot have been heard of."""
        replica = self.owner(height, index)
        return replica is not None and self.reports_itself(replica)

    def is_reliable(self, height: int, index: int) -> bool:
        """Whether it is trusted, its report is not over, and no gap in it may hide what it sent about this height."""
        replica = self.owner(height, index)
        return replica is not None and self.reports_itself(replica) and replica not in self.ended and not self.may_hide(replica, height)

    def may_hide(self, replica: str, height: int) -> bool:
        """Whether this replica may have sent something about `height` in a gap of its records, before now."""
        gaps = self.gaps.get(replica)
        if not gaps:
            return False
        lowest, latest_s = height - 2 * self.context.pipeline_blocks, self.now_s + self.context.slack_s
        return any(lowest <= gap.head and gap.begin_s <= latest_s for gap in gaps)

    def may_have_written(self, height: int) -> bool:
        """Whether a replica may have had block `height` without telling it."""
        return bool(self.ended) or any(gap.head >= height for gaps in self.gaps.values() for gap in gaps)

    def reports_itself(self, replica: str) -> bool:
        """Whether this replica is watched and not declared faulty."""
        watched = self.context.watched
        return replica not in self.context.faulty and (watched is None or replica in watched)
