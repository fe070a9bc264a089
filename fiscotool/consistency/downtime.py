"""When a node was provably unable to act, and when the sealers were provably short of a quorum.

Rule 1. A span of downtime is shorter than the fault: messages already sent may arrive after it began, and a process may act
        before anyone could see it was back. What these spans say is therefore certain, what they leave out is not.
Rule 2. Only faults of the process count. A cut or slow network proves nothing about what a node did.

Sources: docs/invariants.md; spec 3.x 0 (order of start), 1.14.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from fiscotool.consistency.observations import FaultSeen, Sample

STOPPED_KINDS: Final = frozenset({"kill", "kill9", "stop", "restart", "wipe", "crash", "sigkill"})
"""Faults that end the process; it comes back as a new one."""
FROZEN_KINDS: Final = frozenset({"pause", "freeze", "sigstop"})
"""Faults that freeze the process; it comes back as the same one."""
WIPE_KINDS: Final = frozenset({"wipe", "amnesia"})
"""Faults that remove the ledger: the height may fall once."""

SETTLE_S: Final = 1.0
"""What a node sent before it was stopped has arrived by then (one machine, or one data centre)."""
START_SLACK_S: Final = 3.0
"""How long before its first answer a started process may have taken part, when nothing tells when it was started."""
CLOCK_SLACK_S: Final = 0.5
"""By how much the recorded start of a process may be later than it was. (Systems that count from a whole second tell it too early.)"""
ONE_HOST_CLOCK_ERROR_S: Final = 1.0
"""How far apart times of processes and observer are at most where all share one host."""
RESUME_SLACK_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Downtime:
    """From `start_s` to `end_s` this node certainly did nothing."""

    node: str
    start_s: float
    end_s: float
    fault: FaultSeen


@dataclass(frozen=True, slots=True)
class QuorumLost:
    """From `start_s` to `end_s` these nodes were all down, and the others' weight is below the quorum."""

    start_s: float
    end_s: float
    nodes: tuple[str, ...]


def affects_process(fault: FaultSeen) -> bool:
    """Whether this fault stops or freezes the process, and took effect."""
    return fault.confirmed and fault.kind.lower() in STOPPED_KINDS | FROZEN_KINDS


def downtimes(
    faults: Iterable[FaultSeen], samples_of: Mapping[str, Sequence[Sample]], *, epoch_s: float | None = None, clock_error_s: float = 0.0
) -> tuple[Downtime, ...]:
    """Every span in which a node certainly did nothing, in order of start.

    `epoch_s`: second 0 of the recording on the clock by which processes tell when they were started; None if that is not known.
    """
    spans = []
    for fault in faults:
        if not affects_process(fault):
            continue
        start_s = fault.injected_s + SETTLE_S
        end_s = fault.healed_s if fault.healed_s is not None else float("inf")
        if fault.kind.lower() in FROZEN_KINDS:
            end_s -= RESUME_SLACK_S
        else:
            first = next((s for s in samples_of.get(fault.node, ()) if not s.error and s.sent_s > fault.injected_s), None)
            end_s = min(end_s, first.sent_s if first else end_s)
            end_s = max(end_s - START_SLACK_S, _started_s(first, fault.injected_s, epoch_s) - CLOCK_SLACK_S - clock_error_s)
        if end_s > start_s:
            spans.append(Downtime(fault.node, start_s, end_s, fault))
    return tuple(sorted(spans, key=lambda span: span.start_s))


def _started_s(first: Sample | None, after_s: float, epoch_s: float | None) -> float:
    """When the process that gave the first answer was started; minus infinity if that is not known or cannot be true."""
    if first is None or first.incarnation is None or epoch_s is None:
        return -float("inf")
    started_s = first.incarnation.started - epoch_s
    return started_s if after_s < started_s <= first.got_s else -float("inf")


def quorum_losses(spans: Sequence[Downtime], weight_of: Mapping[str, int], quorum_weight: int) -> tuple[QuorumLost, ...]:
    """Maximal spans in which the weight of nodes not certainly down is below `quorum_weight`. Weights are of sealers only."""
    total = sum(weight_of.values())
    edges = sorted({span.start_s for span in spans} | {span.end_s for span in spans})
    found: list[QuorumLost] = []
    for start_s, end_s in pairwise(edges):
        down = sorted({span.node for span in spans if span.start_s <= start_s and span.end_s >= end_s and span.node in weight_of})
        if total - sum(weight_of[node] for node in down) >= quorum_weight:
            continue
        last = found[-1] if found else None
        if last is not None and last.end_s == start_s and last.nodes == tuple(down):
            found[-1] = QuorumLost(last.start_s, end_s, last.nodes)
        else:
            found.append(QuorumLost(start_s, end_s, tuple(down)))
    return tuple(found)


def is_certainly_down(spans: Sequence[Downtime], node: str, from_s: float, to_s: float) -> Downtime | None:
    """The span that covers all of [from_s, to_s] for this node, if there is one."""
    for span in spans:
        if span.node == node and span.start_s <= from_s and span.end_s >= to_s:
            return span
    return None
