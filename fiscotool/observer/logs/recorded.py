"""What a recording's own log lines tell, as a trace: the same evidence as logs give, from the observation's beginning on.

Rule 1. Members and weights are those of the recorded headers, which logs do not tell; without headers, of what nodes say they count.
Rule 2. A recording begins when it begins: what happened before is no lack of it.
Rule 3. Lines of votes are what makes a trace of events. Recordings without any (of earlier releases, or made without logs) are too
        coarse to be judged record by record.

Sources: docs/observer.md (the recording's lines); docs/trace-checking.md.
"""

from __future__ import annotations

from typing import Final

from fiscotool.check.trace import Members, TraceContext
from fiscotool.consistency.observations import LEADER_STAYS_BLOCKS, EventSeen, Observations
from fiscotool.observer.logs.events import Kind, LogEvent, OwnState
from fiscotool.observer.logs.evidence import SLACK_S, Evidence
from fiscotool.observer.logs.trace import TraceMaker
from fiscotool.pbft.trace import TraceRecord

__all__ = ["recorded_evidence"]

_VOTES: Final = frozenset({Kind.PREPARE_COUNTED.value, Kind.COMMIT_COUNTED.value})
_KINDS: Final = {kind.value: kind for kind in Kind}


def recorded_evidence(observations: Observations) -> Evidence | None:
    """The recorded log lines as a trace with its context; None if they are too coarse (Rule 3)."""
    if not any(event.kind in _VOTES for event in observations.events):
        return None
    run = observations.run
    dialect = "fisco2" if run.generation == 2 else run.protocol  # noqa: PLR2004 (of FISCO BCOS)
    records: list[TraceRecord] = []
    for node in dict.fromkeys(event.node for event in observations.events):
        maker = TraceMaker(node)
        records += maker.records(_as_logged(event, dialect) for event in observations.events if event.node == node and event.kind in _KINDS)
        records += maker.flush()
    members = _members(observations)
    context = TraceContext(
        members=members or (Members(0, (1,) * max(len(run.nodes), 1), _period(observations)),),
        members_told=bool(members),
        dialect=dialect,
        faulty=frozenset(node.name for node in run.nodes if node.byzantine),
        tells_receives=dialect != "fisco2",
        slack_s=SLACK_S,
        ends_open=True,
        begins_late=True,
    )
    return Evidence(records, context)


def _as_logged(event: EventSeen, dialect: str) -> LogEvent:
    """The line as it was understood when it was recorded."""
    state = None
    if event.own_view is not None and event.head is not None and event.change_cycle is not None:
        to_view = event.to_view if event.to_view is not None else event.own_view
        state = OwnState(event.head, "", event.own_view, to_view, event.change_cycle, 0, event.own_index, 0, 0, 0, "")
    message = "blkNum=" if dialect == "fisco2" and event.kind == Kind.EXECUTED.value else ""
    kind, sender, weight = _KINDS[event.kind], event.sender, event.weight
    return LogEvent(
        event.node,
        event.at_s,
        kind,
        event.height,
        event.view,
        event.digest,
        sender,
        weight,
        event.own_index,
        state,
        "",
        message,
        event.line,
    )


def _period(observations: Observations) -> int:
    period = observations.run.leader_period_blocks
    return 1 if period >= LEADER_STAYS_BLOCKS else period


def _members(observations: Observations) -> tuple[Members, ...]:
    """Members as the headers name them, or as many as nodes say there are; empty if nobody tells."""
    period = _period(observations)
    told = {
        block.number: block.weights or (1,) * len(block.sealer_list) for block in observations.blocks if block.sealer_list and block.number
    }
    found: list[Members] = []
    for number in sorted(told):
        if not found or found[-1].weights != told[number]:
            found.append(Members(number if found else 0, told[number], period))
    if found:
        return tuple(found)
    counts = [sample.node_count for sample in observations.samples if sample.node_count]
    return (Members(0, (1,) * counts[0], period),) if counts else ()
