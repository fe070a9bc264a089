"""What judging a run gives: one finding an invariant, with a verdict of three values and evidence one can follow.

Sources: docs/invariants.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Verdict(Enum):
    """Three values, as for every check from outside: absence of evidence is not evidence of absence."""

    HOLDS = "holds"
    VIOLATED = "violated"
    INCONCLUSIVE = "inconclusive"


class InvariantClass(Enum):
    """What breaks when the invariant does."""

    SAFETY = "safety"
    LIVENESS = "liveness"
    DURABILITY = "durability"
    CONFORMANCE = "conformance"


@dataclass(frozen=True, slots=True)
class Invariant:
    """A rule, precise enough to be violated. `source` names the paper section or the FISCO file and symbol.

    `is_required`: a run about which this cannot be said is inconclusive as a whole. False for rules whose condition is a
    situation that most runs never meet (a quorum lost, an empty block).
    """

    id: str
    kind: InvariantClass
    title: str
    title_zh: str
    definition: str
    definition_zh: str
    source: str
    is_required: bool = True


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact behind a verdict: which node, which height, which lines of the recording, in words and as data."""

    text: str
    text_zh: str = ""
    node: str = ""
    height: int | None = None
    lines: tuple[int, ...] = ()
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict on one invariant. `checked_count` is how often its condition could have failed; 0 never means holds."""

    invariant: Invariant
    verdict: Verdict
    summary: str
    summary_zh: str
    checked_count: int
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Recovery:
    """What one fault cost. Times in seconds; `error_s` is the sampling error of `rto_s`; None: it did not recover while watched.

    `rto_s`: from injection until the chain made its next block beyond those under way. `node_rto_s`: from the heal until the node
    itself is in the others' view, not in timeout and at their height. `rpo_txs`: acknowledged transactions that were lost.
    """

    fault_id: str
    kind: str
    node: str
    role: str
    injected_s: float
    healed_s: float | None
    rto_s: float | None
    error_s: float
    bound_s: float | None
    node_rto_s: float | None
    rpo_txs: int | None
    note: str = ""
    note_zh: str = ""


@dataclass(frozen=True, slots=True)
class Deviation:
    """A rule of text-book PBFT beside what the run did: FISCO differs `count` times of `checked_count`. Never a violation."""

    id: str
    text: str
    text_zh: str
    source: str
    checked_count: int
    count: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """All findings of a run.

    The whole is violated if one finding is; inconclusive if a required safety or durability finding is, and none is violated.
    """

    findings: tuple[Finding, ...]
    recoveries: tuple[Recovery, ...] = ()
    deviations: tuple[Deviation, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The verdict on the whole run."""
        if any(finding.verdict is Verdict.VIOLATED for finding in self.findings):
            return Verdict.VIOLATED
        must_be_known = (InvariantClass.SAFETY, InvariantClass.DURABILITY)
        if not self.findings or any(
            finding.verdict is Verdict.INCONCLUSIVE and finding.invariant.kind in must_be_known and finding.invariant.is_required
            for finding in self.findings
        ):
            return Verdict.INCONCLUSIVE
        return Verdict.HOLDS
