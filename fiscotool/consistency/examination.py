"""How a rule collects what it saw and turns it into one finding of three values.

Rule 1. A rule that never met its condition is inconclusive, however long it looked: absence of evidence is not evidence.
Rule 2. Every sentence is said twice, in English and in Chinese, where it is made; nothing is translated later.
Rule 3. The evidence of a finding is bounded: the first breaches are kept, the rest are counted.

Sources: docs/invariants.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from fiscotool.consistency.findings import Evidence, Finding, Invariant, Verdict

EVIDENCE_MAX: Final = 40
"""How many breaches, and how many notes, one finding keeps."""


@dataclass(frozen=True, slots=True)
class Words:
    """One sentence in both languages."""

    en: str
    zh: str


def evidence(words: Words, *, node: str = "", height: int | None = None, lines: tuple[int, ...] = (), **data: Any) -> Evidence:
    """One fact, with the recording's lines it rests on (0 means unknown and is left out)."""
    return Evidence(words.en, words.zh, node, height, tuple(dict.fromkeys(line for line in lines if line > 0)), data)


class Examination:
    """Collects the evidence for one invariant. Mutable on purpose: it lives as long as one rule runs."""

    def __init__(self, invariant: Invariant) -> None:
        self.invariant = invariant
        self.checked_count = 0
        self.breach_count = 0
        self.note_count = 0
        self._breaches: list[Evidence] = []
        self._notes: list[Evidence] = []
        self._unknown: Words | None = None

    def breach(self, fact: Evidence) -> None:
        """The rule was broken; also counts as checked if the caller has not counted it."""
        self.breach_count += 1
        if len(self._breaches) < EVIDENCE_MAX:
            self._breaches.append(fact)

    def note(self, fact: Evidence) -> None:
        """Worth telling, and allowed."""
        self.note_count += 1
        if len(self._notes) < EVIDENCE_MAX:
            self._notes.append(fact)

    def cannot_tell(self, words: Words) -> None:
        """Something that had to be known is not: unless a breach is found, the finding is inconclusive for this reason."""
        if self._unknown is None:
            self._unknown = words

    def finding(self, holds: Words, vacuous: Words) -> Finding:
        """The verdict: violated by any breach; else inconclusive if nothing was checked or something was unknown; else holds."""
        facts = (*self._breaches, *self._notes)
        if self._breaches:
            first = self._breaches[0]
            more = self.breach_count - 1
            en = first.text + (f" (and {more} more)" if more else "")
            zh = first.text_zh + (f"（另有 {more} 处）" if more else "")
            return Finding(self.invariant, Verdict.VIOLATED, en, zh, max(self.checked_count, self.breach_count), facts)
        if self.checked_count == 0 or self._unknown is not None:
            words = self._unknown or vacuous
            return Finding(self.invariant, Verdict.INCONCLUSIVE, words.en, words.zh, self.checked_count, facts)
        return Finding(self.invariant, Verdict.HOLDS, holds.en, holds.zh, self.checked_count, facts)
