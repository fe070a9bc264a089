"""The trace vocabulary: what a replica did, one record an act, whoever reports it (a log, the embedded node, a simulation).

Rule 1. A record says one act of one replica in one life of its process; records of a life are in the order of its `sequence`.
Rule 2. What was not told is None (or an empty digest), never a guess. Digests are lower-case hex, abridged (8 digits) or full:
        `same_digest` compares what both have.
Rule 3. `height`, `view` and `digest` are those of the thing acted on (a proposal, a message); `own_view`, `to_view`, `head` and
        `change_cycle` are the replica's own state after the act, where the report tells it.

Sources: Castro & Liskov, OSDI'99, sections 4.2 to 4.4; FISCO spec 3.x 5.2 and 2.x 5.2 for what nodes tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique
from typing import Final

ABRIDGED_DIGITS: Final = 8
"""Hex digits of a hash that a FISCO log shows."""


@unique
class Act(Enum):
    """What a replica can do. SEND: a message left it (its own copy counts as received); RECEIVE: it counted one."""

    START = "start"
    STOP = "stop"
    PROPOSE = "propose"
    ACCEPT_PROPOSAL = "accept-proposal"
    SEND_PREPARE = "send-prepare"
    RECEIVE_PREPARE = "receive-prepare"
    PREPARED = "prepared"
    SEND_COMMIT = "send-commit"
    RECEIVE_COMMIT = "receive-commit"
    COMMITTED_LOCAL = "committed-local"
    EXECUTED = "executed"
    SEND_CHECKPOINT = "send-checkpoint"
    RECEIVE_CHECKPOINT = "receive-checkpoint"
    STABLE = "stable"
    LEDGER_COMMIT = "ledger-commit"
    SYNCED_BLOCK = "synced-block"
    HEAD = "head"
    TIMEOUT = "timeout"
    FAST_VIEW_CHANGE = "fast-view-change"
    SEND_VIEW_CHANGE = "send-view-change"
    RECEIVE_VIEW_CHANGE = "receive-view-change"
    SEND_NEW_VIEW = "send-new-view"
    REPROPOSE = "repropose"
    ACCEPT_NEW_VIEW = "accept-new-view"
    ENTER_VIEW = "enter-view"
    SEND_RECOVER = "send-recover"
    RECEIVE_RECOVER = "receive-recover"
    RECOVER = "recover"


@dataclass(frozen=True, slots=True)
class TraceRecord:
    """One act. `replica` is what the report calls it (node0); `index` its position among the sealers; `sender` whose message it was.

    `at_s`: when, in seconds of one clock for all records of a trace, true within `error_s`. `life` counts the replica's processes from 0,
    `sequence` its records. `weight` is the votes counted so far for the thing acted on, this one included.
    """

    replica: str
    life: int
    sequence: int
    at_s: float
    act: Act
    height: int | None = None
    view: int | None = None
    digest: str = ""
    sender: int | None = None
    weight: int | None = None
    index: int | None = None
    own_view: int | None = None
    to_view: int | None = None
    head: int | None = None
    error_s: float = 0.0
    change_cycle: int | None = None


def same_digest(one: str, other: str) -> bool | None:
    """Whether two digests, abridged or not, are of the same thing as far as both tell; None when one tells nothing."""
    digits = min(len(one), len(other))
    if digits == 0:
        return None
    return one[:digits] == other[:digits]
