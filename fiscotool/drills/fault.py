"""The faults a drill can inject, and how each is healed.

Sources: the fault catalogue N1-N8 of the specification of observables; Linux signals.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from fiscotool.drills.target import Target


class FaultKind(Enum):
    """What is done to a node. The value is the word in recordings and reports."""

    KILL = "kill"
    STOP = "stop"
    PAUSE = "pause"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault on one node. `role` is what the node was when it was chosen: leader or follower."""

    fault_id: str
    kind: FaultKind
    node: str
    role: str = ""


def inject(target: Target, fault: Fault) -> bool:
    """Do it. True when the process is then seen in the state the fault means: a fault without effect makes a drill invalid."""
    match fault.kind:
        case FaultKind.KILL:
            target.kill(fault.node)
        case FaultKind.STOP:
            target.stop(fault.node)
        case FaultKind.PAUSE:
            target.pause(fault.node)
    return target.state_of(fault.node) == ("paused" if fault.kind is FaultKind.PAUSE else "stopped")


def heal(target: Target, node: str) -> str:
    """Bring the node back from whatever state it is in; returns what was done ("" when it was running already)."""
    state = target.state_of(node)
    if state == "paused":
        target.resume(node)
        return "resumed"
    if state == "stopped":
        target.start(node)
        return "started"
    return ""
