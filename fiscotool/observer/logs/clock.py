"""Whose clock says what: time zones of logs, and how far nodes' clocks are apart, with the error of that.

Rule 1. An offset is an interval that is certain as long as the clocks keep pace, not a guess: what happened before what gives its ends.
        `estimate_s` is its middle, `error_s` half its width.
Rule 2. Between two nodes: a node accepts a proposal before it sends the vote that another counts. One direction bounds the offset from
        above, the other from below.
Rule 3. Against the observer: a height that an answer shows was stable at the node before the answer came, and one that an answer does not
        show yet was reported after the question was sent.
Rule 4. Ends that cross each other say that a clock was set, or drifts; then there is no offset, and `is_contradictory` says so.

Sources: Cristian, "Probabilistic clock synchronization" (1989), section 4; spec 3.x 5.2, 1.8; spec 2.x 5.2.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

from fiscotool.consistency.observations import Sample
from fiscotool.observer.logs.events import Kind, LogEvent

__all__ = ["ClockOffset", "offset_from_samples", "offsets_from_votes", "zone_from"]

_QUARTER_S: Final = 900
_FRESH_S_MAX: Final = 300.0
"""A zone is told by blocks that were made within this time of being committed; a zone is a multiple of a quarter of an hour."""
_FRESH_BLOCKS_MIN: Final = 2
_ZONE_S_MAX: Final = 15 * 3600
_STAMP: Final = re.compile(r"\n?[a-z]+\|(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?)\|")


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """What one clock shows more than another, in seconds: between `low_s` and `high_s`, as told by `evidence_count` pairs of events."""

    low_s: float
    high_s: float
    evidence_count: int

    @property
    def is_contradictory(self) -> bool:
        """No offset explains the evidence: a clock was set while it was watched."""
        return self.low_s > self.high_s

    @property
    def estimate_s(self) -> float:
        """The middle of the interval."""
        return (self.low_s + self.high_s) / 2

    @property
    def error_s(self) -> float:
        """How far the offset may be from the estimate."""
        return abs(self.high_s - self.low_s) / 2

    @property
    def may_be_zero(self) -> bool:
        """Whether clocks that agree explain the evidence."""
        return self.low_s <= 0.0 <= self.high_s


def offsets_from_votes(events: Mapping[str, Sequence[LogEvent]], reference: str) -> dict[str, ClockOffset]:
    """The clock of every node less that of `reference`, from votes that went both ways; nodes without such are left out."""
    index_of = {node: own for node, found in events.items() if (own := next((e.own for e in found if e.own is not None), None)) is not None}
    node_of = {own: node for node, own in index_of.items()}
    sent_s: dict[tuple[str, int], float] = {}
    for node, found in events.items():
        for event in found:
            if event.kind in {Kind.ACCEPTED, Kind.EXECUTED} and event.height is not None:
                sent_s.setdefault((node, event.height), event.at_s)
    shortest_s: dict[tuple[str, str], tuple[float, int]] = {}
    for node, found in events.items():
        for event in found:
            if event.kind is not Kind.PREPARE_COUNTED or event.sender is None or event.height is None or event.sender == index_of.get(node):
                continue
            sender = node_of.get(event.sender, "")
            began_s = sent_s.get((sender, event.height))
            if began_s is not None:
                least_s, count = shortest_s.get((sender, node), (float("inf"), 0))
                shortest_s[sender, node] = (min(least_s, event.at_s - began_s), count + 1)
    offsets: dict[str, ClockOffset] = {}
    for node in events:
        there, back = shortest_s.get((reference, node)), shortest_s.get((node, reference))
        if node != reference and there is not None and back is not None:
            offsets[node] = ClockOffset(-back[0], there[0], there[1] + back[1])
    return offsets


def offset_from_samples(events: Iterable[LogEvent], samples: Iterable[Sample], began_epoch_s: float) -> ClockOffset | None:
    """The node's clock less the observer's, from the heights both saw. `samples` are of this node; None when they share no height."""
    stable_s: dict[int, float] = {}
    report_s: dict[int, float] = {}
    for event in events:
        if event.height is not None and event.kind in {Kind.STABLE, Kind.COMMITTED}:
            stable_s[event.height] = min(event.at_s, stable_s.get(event.height, event.at_s))
        elif event.height is not None and event.kind is Kind.REPORT:
            report_s.setdefault(event.height, event.at_s)
    seen = sorted(((s.height, s.sent_s, s.got_s) for s in samples if s.height is not None), key=lambda item: item[1])
    low_s, high_s, count = float("-inf"), float("inf"), 0
    heights = sorted(height for height in report_s if height in stable_s)
    for height, sent_s, got_s in seen:
        position = bisect_left(heights, height)
        if position < len(heights) and heights[position] == height:
            low_s = max(low_s, stable_s[height] - (began_epoch_s + got_s))
            count += 1
        following = height + 1
        if following in report_s and following in stable_s:
            high_s = min(high_s, report_s[following] - (began_epoch_s + sent_s))
            count += 1
    if low_s == float("-inf") or high_s == float("inf"):
        return None
    return ClockOffset(low_s, high_s, count)


def zone_from(text: str) -> tzinfo | None:
    """The time zone of a log, from UTC times in it; None where it tells none. `text`: its beginning, whole lines.

    3.x tells the time of each block after committing it; the freshest block counts, and only blocks this node agreed on itself
    (a synced one may be old). 2.x tells its UTC time when it compares clocks with its peers.
    """
    told = [_difference_s(text, match.start(), match[1]) for match in re.finditer(r"updateTimeInfo[^\n]*utcTime=(\d{13})", text)]
    if told:
        return _zone(min(told, key=abs), _QUARTER_S / 2)
    fresh: list[float] = []
    for match in re.finditer(r"asyncNoteLatestBlockTimestamp,timestamp=(\d{13})", text):
        before = text[max(0, match.start() - 4000) : match.start()]
        if "commitStableCheckPoint success" in before and int(match[1]):
            fresh.append(_difference_s(text, match.start(), match[1]))
    return _zone(min(fresh), _FRESH_S_MAX) if len(fresh) >= _FRESH_BLOCKS_MIN else None


def _difference_s(text: str, position: int, utc_ms: str) -> float:
    """The stamp of the line at `position`, read as UTC, less the UTC time it tells."""
    stamp = _STAMP.match(text, max(0, text.rfind("\n", 0, position)))
    if stamp is None:
        return float("inf")
    return datetime.fromisoformat(stamp[1]).replace(tzinfo=UTC).timestamp() - int(utc_ms) / 1000


def _zone(difference_s: float, error_s: float) -> tzinfo | None:
    if abs(difference_s) > _ZONE_S_MAX:
        return None
    quarters = round(difference_s / _QUARTER_S)
    if abs(difference_s - quarters * _QUARTER_S) > error_s:
        return None
    return timezone(timedelta(seconds=quarters * _QUARTER_S))
