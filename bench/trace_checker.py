"""How fast traces are judged, and how the time grows: CPU seconds, on this machine.

    python bench/trace_checker.py [LOG_DIRECTORY...]

Synthetic traces of 10^4, 10^5 and 10^6 records for the growth; the logs named for the rate of parsing and judging together.
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from typing import Any

from fiscotool.check.trace import check_trace
from fiscotool.observer.logs.collect import Source, open_log, sources_of
from fiscotool.observer.logs.evidence import evidence_of
from fiscotool.pbft.trace import Act, TraceRecord

COUNT = 4
SIZES = (10_000, 100_000, 1_000_000)


def synthetic(size: int) -> list[TraceRecord]:
    """The records of four replicas that make blocks as long as it takes."""
    found: list[TraceRecord] = []
    sequences = [0] * COUNT

    def tell(index: int, act: Act, **values: Any) -> None:
        found.append(TraceRecord(f"node{index}", 0, sequences[index], len(found) / 10_000, act, index=index, **values))
        sequences[index] += 1

    for index in range(COUNT):
        tell(index, Act.HEAD, height=0, digest="00000000", own_view=0, to_view=0, head=0)
    height = 0
    while len(found) < size:
        height += 1
        digest, result = f"{height:08x}", f"f{height:07x}"
        about: dict[str, Any] = {"height": height, "view": 0, "digest": digest}
        tell(height % COUNT, Act.PROPOSE, **about)
        for index in range(COUNT):
            tell(index, Act.ACCEPT_PROPOSAL, sender=height % COUNT, own_view=0, to_view=0, head=height - 1, **about)
            tell(index, Act.SEND_PREPARE, **about)
        rounds = ((Act.RECEIVE_PREPARE, about), (Act.RECEIVE_COMMIT, about), (Act.RECEIVE_CHECKPOINT, {**about, "digest": result}))
        for receive, what in rounds:
            for index in range(COUNT):
                for place in range(COUNT):
                    tell(index, receive, sender=place, weight=place + 1, **what)
            for index in range(COUNT):
                if receive is Act.RECEIVE_PREPARE:
                    tell(index, Act.PREPARED, own_view=0, **about)
                    tell(index, Act.SEND_COMMIT, **about)
                elif receive is Act.RECEIVE_COMMIT:
                    tell(index, Act.COMMITTED_LOCAL, **about)
                    tell(index, Act.EXECUTED, height=height, digest=result)
                    tell(index, Act.SEND_CHECKPOINT, height=height, digest=result)
                else:
                    tell(index, Act.STABLE, height=height, digest=result)
                    tell(index, Act.LEDGER_COMMIT, height=height, digest=result)
                    tell(index, Act.HEAD, height=height, view=0, digest=result, own_view=0, to_view=0, head=height)
    return found[:size]


def judged_s(records: list[TraceRecord]) -> float:
    """CPU seconds of one check, the better of two."""
    best = math.inf
    for _ in range(2 if len(records) < SIZES[-1] else 1):
        began = time.process_time()
        check_trace(records)
        best = min(best, time.process_time() - began)
    return best


def log_events(sources: tuple[Source, ...]) -> int:
    """How many lines have a consensus badge."""
    count = 0
    for source in sources:
        for path in source.paths:
            with open_log(path) as stream:
                count += stream.read().count(b"[CONSENSUS]")
    return count


def main() -> None:
    """Print a table."""
    records = synthetic(SIZES[-1])
    times = [judged_s(records[:size]) for size in SIZES]
    for size, spent_s in zip(SIZES, times, strict=True):
        sys.stdout.write(f"judge {size:>9} records: {spent_s:7.3f} s, {size / spent_s:9.0f} records/s\n")
    exponent = math.log(times[-1] / times[0]) / math.log(SIZES[-1] / SIZES[0])
    sys.stdout.write(f"growth exponent {exponent:.3f}\n")
    if len(sys.argv) > 1:
        sources = sources_of([Path(name) for name in sys.argv[1:]])
        events = log_events(sources)
        began = time.process_time()
        evidence = evidence_of(sources)
        parsed_s = time.process_time() - began
        verdict = check_trace(evidence.records, context=evidence.context)
        total_s = time.process_time() - began
        sys.stdout.write(
            f"logs: {events} log events, {len(evidence.records)} records: parse {parsed_s:.2f} s, all {total_s:.2f} s, "
            f"{events / total_s:.0f} events/s, {len(evidence.records) / total_s:.0f} records/s: {verdict.verdict.value}\n"
        )


if __name__ == "__main__":
    main()
