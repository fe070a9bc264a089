"""What a report lacks, and whether too much of it to call the run consistent.

Rule 1. Told are the heights a replica's records cover. Untold are those in gaps that are certain (`trace_cover`), and those after its last
        record, if others heard from it later and the process had not ended.
Rule 2. A report lacks too much when more than `UNTOLD_SHARE_MAX` of the run's heights are untold by one of its replicas, when nobody says
        how many sealers there are, or when there is no record at all. Less than that is told, and does not change the verdict.
Rule 3. Members of whom nothing is told are no lack: what others had from them is believed, and the rest is judged.

Sources: observables 3.3, 4 (verdicts); Cirstea et al. (2024).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from fiscotool.check.trace_book import Book
from fiscotool.check.trace_cover import FAR
from fiscotool.check.trace_lanes import Lane
from fiscotool.check.trace_verdict import Lack
from fiscotool.pbft.trace import Act, TraceRecord

__all__ = ["UNTOLD_SHARE_MAX", "lacks_of"]

UNTOLD_SHARE_MAX: Final = 0.1
_BLOCKS: Final = frozenset({Act.HEAD, Act.LEDGER_COMMIT, Act.SYNCED_BLOCK})
_ALL_LOGS: Final = "give all log files of this node from the start of the chain on (rotated and packed ones too: .gz, .xz)"


def lacks_of(records: Sequence[TraceRecord], lanes: Mapping[str, Lane], book: Book, past_end: Mapping[str, int]) -> tuple[Lack, ...]:
    """All that is lacking, in words."""
    if not records:
        return (Lack("no record was told", "give logs of level info or lower, or a trace; fiscotool logs shows what is in them", True),)
    found: list[Lack] = []
    if not book.context.members_told:
        text = f"no line tells how many sealers there are; {book.context.members[-1].count} are taken, the most that were seen"
        found.append(Lack(text, "give the logs from a start of a node on, or the weights with --weights", True))
    last = {name: _last_head(records, lane) for name, lane in lanes.items()}
    top = max(last.values(), default=0)
    for name in sorted(lanes):
        if name in book.context.faulty:
            continue
        found += _of_gaps(name, book, top)
        count = past_end.get(name, 0)
        if count:
            untold = top - last[name]
            text = f"{name}'s records end at height {last[name]} of {top}, others heard from it {count} times later"
            found.append(Lack(text, "collect the logs again, of all nodes at one time", untold > UNTOLD_SHARE_MAX * top))
    return tuple(found)


def _of_gaps(name: str, book: Book, top: int) -> list[Lack]:
    """The certain gaps of one replica; too much when together they hide more than the share."""
    lost = [gap for gap in book.gaps.get(name, ()) if gap.lost and not (book.context.begins_late and gap.begin_s == float("-inf"))]
    if not lost:
        return []
    untold, found = 0, []
    for gap in lost:
        at_beginning = gap.begin_s == float("-inf")
        if gap.head == FAR:
            untold = FAR
            text = f"{name}'s records begin in the middle of its run, at no height they tell"
        else:
            untold += gap.head - gap.after
            where = "begin at height" if at_beginning else "lack what it did up to height"
            text = f"{name}'s records {where} {gap.head}"
        found.append(text)
    is_decisive = untold > UNTOLD_SHARE_MAX * max(top, 1)
    return [Lack(text, _ALL_LOGS, is_decisive) for text in found]


def _last_head(records: Sequence[TraceRecord], lane: Lane) -> int:
    """The highest block the replica's records tell."""
    return max((records[place].height or 0 for place in lane.places if records[place].act in _BLOCKS), default=0)
