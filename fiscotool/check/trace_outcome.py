"""What came of taking all records: the verdict, with everything that was counted.

Sources: docs/trace-checking.md; `trace_verdict` (rules of verdicts).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from fiscotool.check.trace_book import Book
from fiscotool.check.trace_lacking import lacks_of
from fiscotool.check.trace_lanes import Lane
from fiscotool.check.trace_verdict import Counters, Lack, TraceVerdict, Verdict
from fiscotool.pbft.trace import TraceRecord

__all__ = ["verdict_of"]

_FORMAL: Final = frozenset({"report.order", "view.moved", "view.behind"})
"""Guards that are evaluated at any record, and so prove nothing."""


def verdict_of(
    records: Sequence[TraceRecord], lanes: Mapping[str, Lane], book: Book, witness: Sequence[int], past_end: Mapping[str, int]
) -> TraceVerdict:
    """The judgement on `records`, all taken, of which `book` has what was found."""
    book.breaches.sort(key=lambda breach: (breach.record.at_s, breach.position))
    book.deviations.sort(key=lambda breach: (breach.record.at_s, breach.position))
    acts = Counter(record.act for record in records)
    lacks = lacks_of(records, lanes, book, past_end)
    return TraceVerdict(
        verdict=_verdict(records, book, lacks),
        record_count=len(records),
        breaches=tuple(book.breaches),
        deviations=tuple(book.deviations),
        witness=witness,
        counters=Counters(dict(acts), dict(book.guard_counts), dict(book.failed), dict(book.premises), dict(book.margins)),
        lock_rules={name: (book.lock_tests[name], book.lock_broken[name]) for name in book.lock_tests},
        silent_count=book.silent_count,
        lacks=lacks,
    )


def _verdict(records: Sequence[TraceRecord], book: Book, lacks: Sequence[Lack]) -> Verdict:
    if book.breaches:
        return Verdict.VIOLATION
    if records and not any(count for name, count in book.guard_counts.items() if name not in _FORMAL):
        return Verdict.VACUOUS
    return Verdict.INCONCLUSIVE if any(lack.is_decisive for lack in lacks) else Verdict.CONSISTENT
