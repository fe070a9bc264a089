"""What a line of a node's log means: one `LogEvent` a line, of one of the kinds both generations share.

Rule 1. `height`, `view`, `digest` and `sender` are those of the thing the line is about (a message, a block); the node's own position
        is in `own`, its own views in `state` (3.x) or in the line's fields.
Rule 2. What a line does not tell is None, an absent digest is empty. Digests are the 8 hex digits the log shows.
Rule 3. `at_s` is the node's clock as seconds since 1970 (UTC); aligning it with another clock is `clock`'s work.
Rule 4. Nothing is lost: `message` is the line as written after its thread, and `fields` are all its key=value pairs.

Sources: spec 3.x 5.1, 5.2; spec 2.x 5.1, 5.2; the recorded logs of both.
"""

from __future__ import annotations

import re
from enum import StrEnum, unique
from typing import Final, NamedTuple

__all__ = ["DULL", "MAIN_KINDS", "Kind", "LogEvent", "OwnState", "fields_of"]


@unique
class Kind(StrEnum):
    """What happened. The order is that of a block's life, then of a view change, then the rest.

    ROTATED: a view was entered because an idle 2.x chain goes from leader to leader, with nothing wrong. ROTATION_JOINED: the others were a
    few milliseconds ahead in that.
    """

    STARTED = "started"
    STOPPED = "stopped"
    SEALED = "sealed"
    PROPOSED = "proposed"
    PROPOSAL_REFUSED = "proposal-refused"
    ACCEPTED = "accepted"
    FUTURE = "future"
    PREPARE_SENT = "prepare-sent"
    PREPARE_COUNTED = "prepare-counted"
    PREPARED = "prepared"
    COMMIT_SENT = "commit-sent"
    COMMIT_COUNTED = "commit-counted"
    COMMITTED = "committed"
    EXECUTED = "executed"
    EXECUTION_FAILED = "execution-failed"
    CHECKPOINT_SENT = "checkpoint-sent"
    CHECKPOINT_COUNTED = "checkpoint-counted"
    CHECKPOINT_RESENT = "checkpoint-resent"
    STABLE = "stable"
    WRITTEN = "written"
    WRITE_FAILED = "write-failed"
    REPORT = "report"
    TIMEOUT = "timeout"
    TIMER_RESTARTED = "timer-restarted"
    VIEW_RAISED = "view-raised"
    FAST_VIEW_CHANGE = "fast-view-change"
    FAULTY_LEADER = "faulty-leader"
    VIEW_CHANGE_SENT = "view-change-sent"
    VIEW_CHANGE_COUNTED = "view-change-counted"
    VIEW_CHANGE_REFUSED = "view-change-refused"
    NEW_VIEW_SENT = "new-view-sent"
    NEW_VIEW_ACCEPTED = "new-view-accepted"
    NEW_VIEW_REFUSED = "new-view-refused"
    REPROPOSED = "reproposed"
    VIEW_ENTERED = "view-entered"
    ROTATED = "rotated"
    ROTATION_JOINED = "rotation-joined"
    RECOVER_SENT = "recover-sent"
    RECOVER_COUNTED = "recover-counted"
    RECOVERED = "recovered"
    CATCH_UP = "catch-up"
    PROPOSAL_PULLED = "proposal-pulled"
    SYNC_REQUESTED = "sync-requested"
    SYNCED = "synced"
    SYNC_DONE = "sync-done"
    SYNC_REFUSED = "sync-refused"
    MEMBERS = "members"
    CONFIG = "config"
    PEERS = "peers"
    PEER_CONNECTED = "peer-connected"
    PEER_LOST = "peer-lost"
    BAD_SIGNATURE = "bad-signature"
    CONFLICT = "conflict"
    BOOKKEEPING = "bookkeeping"
    UNKNOWN = "unknown"


MAIN_KINDS: Final = frozenset(
    {
        Kind.STARTED,
        Kind.STOPPED,
        Kind.PROPOSED,
        Kind.PROPOSAL_REFUSED,
        Kind.PREPARED,
        Kind.COMMITTED,
        Kind.EXECUTION_FAILED,
        Kind.CHECKPOINT_RESENT,
        Kind.STABLE,
        Kind.WRITE_FAILED,
        Kind.REPORT,
        Kind.TIMEOUT,
        Kind.FAST_VIEW_CHANGE,
        Kind.FAULTY_LEADER,
        Kind.NEW_VIEW_SENT,
        Kind.NEW_VIEW_REFUSED,
        Kind.REPROPOSED,
        Kind.VIEW_ENTERED,
        Kind.RECOVERED,
        Kind.CATCH_UP,
        Kind.SYNCED,
        Kind.SYNC_DONE,
        Kind.SYNC_REFUSED,
        Kind.MEMBERS,
        Kind.PEER_CONNECTED,
        Kind.PEER_LOST,
        Kind.BAD_SIGNATURE,
        Kind.CONFLICT,
        Kind.UNKNOWN,
    }
)
"""What a timeline for people shows unless asked for more."""

DULL: Final = frozenset({Kind.BOOKKEEPING, Kind.CONFIG})
"""Lines that are understood and say nothing about the protocol that another line does not say better."""


class OwnState(NamedTuple):
    """What a 3.x node says of itself in most lines (`PBFTConfig::printCurrentState`). `own_index` is None for a node that is no sealer."""

    head: int
    head_hash: str
    view: int
    to_view: int
    change_cycle: int
    expected_checkpoint: int
    own_index: int | None
    wait_seal_until: int
    wait_reseal_until: int
    timeout_ms: int
    node_id: str


class LogEvent(NamedTuple):
    """One understood line. `line` is its number in its file or stream, from 1; `level` the word the line begins with.

    `weight`: votes (3.x: weight) counted so far, this one included. `own`: the node's own consensus index.
    """

    node: str
    at_s: float
    kind: Kind
    height: int | None
    view: int | None
    digest: str
    sender: int | None
    weight: int | None
    own: int | None
    state: OwnState | None
    level: str
    message: str
    line: int

    @property
    def fields(self) -> dict[str, str]:
        """All key=value pairs of the line, as written; of a key that comes twice the first."""
        return fields_of(self.message)

    @property
    def text(self) -> str:
        """The line's badges and description, without its fields."""
        return self.message.split(",", 1)[0]


_PAIR: Final = re.compile(r",\s*([^=,\[\]]+)=((?:[^,]|,(?= |\d+\.\d+\.\d+\.\d+:))*)")


def fields_of(message: str) -> dict[str, str]:
    """All key=value pairs of a line's message, as written; of a key that comes twice the first. Values may be empty."""
    found: dict[str, str] = {}
    for key, value in _PAIR.findall(message):
        found.setdefault(key, value)
    return found
