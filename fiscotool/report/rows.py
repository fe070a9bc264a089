"""The rows, figures and sentences of a report in one language: plain data between what was judged and how it is laid out.

Rule 1. Text that came from nodes stays text here; escaping is the renderers' duty.

Sources: docs/report.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from fiscotool.consistency.timeline import Timeline
from fiscotool.report.citations import Citation


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure a reader wants at once."""

    label: str
    value: str
    note: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Reason:
    """One finding that the verdict rests on."""

    id: str
    title: str
    summary: str


@dataclass(frozen=True, slots=True)
class StoryItem:
    """One thing that happened, in words."""

    at_s: float
    text: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """One fact with the recording lines it rests on."""

    text: str
    node: str
    height: int | None
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One invariant as the table shows it."""

    id: str
    verdict: str
    verdict_word: str
    kind: str
    kind_word: str
    title: str
    summary: str
    definition: str
    source: str
    checked_count: int
    evidence: tuple[EvidenceRow, ...]


@dataclass(frozen=True, slots=True)
class RecoveryRow:
    """One fault as the table shows it. `share`: RTO as a part of the bound, 0 … 1, for the bar; None without both."""

    kind: str
    node: str
    role: str
    injected: str
    healed: str
    rto: str
    bound: str
    node_rto: str
    rpo: str
    note: str
    share: float | None
    is_beyond: bool


@dataclass(frozen=True, slots=True)
class NodeRow:
    """One node of the topology."""

    name: str
    color: int
    role: str
    byzantine: str
    host: str
    ports: str
    node_id: str
    answers: str
    last: str
    directory: str


@dataclass(frozen=True, slots=True)
class Content:
    """A whole report in one language."""

    lang: str
    verdict: str
    verdict_word: str
    headline: str
    reasons: tuple[Reason, ...]
    count_line: str
    tiles: tuple[Tile, ...]
    story: tuple[StoryItem, ...]
    recoveries: tuple[RecoveryRow, ...]
    findings: tuple[FindingRow, ...]
    nodes: tuple[NodeRow, ...]
    environment: tuple[tuple[str, str], ...]
    configuration: tuple[tuple[str, str], ...]
    command: str
    started: str
    problems: tuple[str, ...]
    citations: tuple[Citation, ...]
    citations_left_out: int
    has_excluded: bool
    chart_alt: str
    timeline: Timeline
