"""Logs of several nodes as one trace, with what they say about the group: generation, members, leader period.

Rule 1. Members are those the logs name: 3.x tells their number with each new head, for 2.x see `sealers`. Weights are in no line of their
        own; without being told they are what votes add to the weight told with them (`weights`), and 1 where that is not told either.
Rule 2. A log may end before its node did, and the clocks of one machine tell times of different threads `SLACK_S` apart.
Rule 3. Nothing is dropped in silence: logs without consensus lines, and lines not understood, are noted.

Sources: spec 3.x 5.1, 5.2; spec 2.x 5.1, 5.2.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from itertools import pairwise
from typing import Final

from fiscotool.check.trace import Members, TraceContext
from fiscotool.observer.logs.collect import Source, open_log, read_source
from fiscotool.observer.logs.events import Kind, LogEvent
from fiscotool.observer.logs.parse import LogParser
from fiscotool.observer.logs.sealers import NO_SEALER_MIN, Sightings, sealer_counts
from fiscotool.observer.logs.times import LOCAL
from fiscotool.observer.logs.trace import ACTS, TraceMaker
from fiscotool.observer.logs.weights import facts_of, weights_by_height
from fiscotool.pbft.trace import TraceRecord

__all__ = ["SLACK_S", "Evidence", "evidence_of"]

SLACK_S: Final = 0.05
"""How far apart from their order lines of different threads and processes are stamped; 0.0035 s was seen in 114,061 records."""

_PERIOD: Final = re.compile(r"leaderPeriod=(\d+)")
_SKIPPED: Final = frozenset(kind for kind in Kind if kind not in ACTS and kind not in {Kind.MEMBERS, Kind.CONFIG})
_LOOK_BYTES: Final = 1 << 20
_FAR: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Evidence:
    """Records of all nodes, node by node, and the context to judge them in. `notes` are for people."""

    records: list[TraceRecord]
    context: TraceContext
    notes: tuple[str, ...] = ()


def evidence_of(
    sources: Sequence[Source],
    *,
    weights: tuple[int, ...] = (),
    faulty: frozenset[str] = frozenset(),
    zone: tzinfo | None = LOCAL,
    find_zone: bool = True,
) -> Evidence:
    """Read all logs. `weights` are the members' where they are known. Raises EnvironmentFailure for a file that cannot be read."""
    records: list[TraceRecord] = []
    sizes: dict[int, int] = {}
    periods: Counter[int] = Counter()
    starts: Counter[str] = Counter()
    notes: list[str] = []
    for source in sources:
        parser, maker = LogParser(source.node, zone=zone, skip=_SKIPPED), TraceMaker(source.node)
        before = len(records)
        for events in read_source(source, parser, find_zone=find_zone):
            _look(events, sizes, starts)
            records += maker.records(events)
        records += maker.flush()
        periods.update(_periods(source))
        if len(records) == before:
            notes.append(f"{source.node} has no consensus lines")
        unknown = parser.counts.by_kind.get(Kind.UNKNOWN, 0)
        if unknown:
            notes.append(f"{source.node} has {unknown} consensus lines that are not understood")
    dialect = "fisco2" if starts["2"] > starts["3"] else "classic" if any(map(_is_of_classic, sources)) else "fisco3"
    members, is_told = _members(records, sizes, periods, weights, is_2x=dialect == "fisco2")
    context = TraceContext(
        members=members,
        members_told=is_told,
        dialect=dialect,
        faulty=faulty,
        tells_receives=dialect != "fisco2",
        slack_s=SLACK_S,
        ends_open=True,
    )
    return Evidence(records, context, tuple(notes))


def _periods(source: Source) -> Iterable[int]:
    """The leader periods that the beginning of the newest log names."""
    if not source.paths:
        return ()
    with open_log(source.paths[-1]) as stream:
        return [int(found) for found in _PERIOD.findall(stream.read(_LOOK_BYTES).decode("utf-8", "replace"))]


def _is_of_classic(source: Source) -> bool:
    """Whether an embedded node that runs PBFT as published wrote the newest log."""
    if not source.paths:
        return False
    with open_log(source.paths[-1]) as stream:
        return b",protocol=classic" in stream.read(_LOOK_BYTES)


def _look(events: Iterable[LogEvent], sizes: dict[int, int], starts: Counter[str]) -> None:
    """What these lines say of the group."""
    for event in events:
        kind = event.kind
        if kind in {Kind.MEMBERS, Kind.CONFIG} and event.height is not None and event.weight:
            sizes[event.height + 1] = event.weight
        elif kind is Kind.REPORT:
            starts["3" if event.state is not None else "2"] += 1


def _members(
    records: Sequence[TraceRecord], sizes: dict[int, int], periods: Counter[int], weights: tuple[int, ...], *, is_2x: bool
) -> tuple[tuple[Members, ...], bool]:
    """Members over heights, and whether they are told. Where no log says how many there are, as many as have an index or vote."""
    period = periods.most_common(1)[0][0] if periods else 1
    if weights:
        return (Members(0, weights, period),), True
    if is_2x and not sizes:
        sightings = Sightings()
        sightings.note(records)
        counted = sealer_counts(sightings)
        if counted:
            return tuple(Members(since, (1,) * count, period) for since, count in counted), True
    if not sizes:
        every = (index for record in records for index in (record.index, record.sender) if index is not None)
        seen = max((index for index in every if index < NO_SEALER_MIN), default=0)
        return (Members(0, (1,) * (seen + 1), period),), False
    periods_of_size: list[tuple[int, int]] = []
    for since in sorted(sizes):
        if not periods_of_size or periods_of_size[-1][1] != sizes[since]:
            periods_of_size.append((since if periods_of_size else 0, sizes[since]))
    facts = facts_of(records)
    found = [
        Members(first, told, period)
        for (since, size), (before, _) in pairwise([*periods_of_size, (_FAR, 0)])
        for first, told in weights_by_height(facts, since, before, size)
    ]
    return tuple(found), True
