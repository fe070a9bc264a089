"""Judge a recorded run: is there a behaviour of the protocol that explains every record of every replica?

    verdict = check_trace(records, context=TraceContext(members=(Members(0, (1, 1, 1, 1)),)))

How. Each replica's records are a run of its own automaton (`trace_node` and the steps of its dialect); a receive needs the message among
those sent before; program order together with send before receive has no cycle and respects the times told. docs/trace-checking.md proves
that this is as good as looking for a run of all replicas together. The records are taken in the order of their times, a replica that
waits for a message steps aside until it is sent: every record is looked at once.

Sources: observables 3.2, 4; docs/trace-checking.md.
"""

from __future__ import annotations

from collections.abc import Iterable

from fiscotool.check.trace_context import DIALECT_NAMES, Members, Mode, TraceContext
from fiscotool.check.trace_run import Run
from fiscotool.check.trace_verdict import Breach, Counters, Lack, TraceVerdict, Verdict
from fiscotool.pbft.trace import TraceRecord

__all__ = ["Breach", "Counters", "Lack", "Members", "Mode", "TraceContext", "TraceVerdict", "Verdict", "check_trace"]


def check_trace(records: Iterable[TraceRecord], *, context: TraceContext | None = None) -> TraceVerdict:
    """Judge `records`: those of one replica in the order of their lives and sequences, those of different replicas in any order.

    Never raises for any records; a context naming no dialect is a programmer's error.
    """
    context = context or TraceContext()
    assert context.dialect in DIALECT_NAMES
    assert context.members
    return Run(list(records), context).verdict()
