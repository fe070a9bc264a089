"""Which message an act sends or receives, and what tells one message from another.

Sources: spec 3.x 1.2, 1.3; pbft.messages.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from fiscotool.check.trace_book import Key
from fiscotool.pbft.trace import Act, TraceRecord

__all__ = ["KINDS_RECEIVED", "KINDS_SENT", "TALLIES", "abridged", "key_of", "list_height"]

KINDS_RECEIVED: Final[dict[Act, str]] = {
    Act.RECEIVE_PREPARE: "P",
    Act.RECEIVE_COMMIT: "C",
    Act.RECEIVE_CHECKPOINT: "K",
    Act.RECEIVE_VIEW_CHANGE: "V",
    Act.ACCEPT_NEW_VIEW: "N",
    Act.RECEIVE_RECOVER: "A",
    Act.ACCEPT_PROPOSAL: "O",
}
"""Letters of the messages: Order (a proposal), Prepare, Commit, checKpoint, View change, New view, Answer to a view change."""

KINDS_SENT: Final[dict[Act, str]] = {
    Act.PROPOSE: "O",
    Act.REPROPOSE: "R",
    Act.SEND_PREPARE: "P",
    Act.SEND_COMMIT: "C",
    Act.EXECUTED: "K",
    Act.SEND_CHECKPOINT: "K",
    Act.SEND_VIEW_CHANGE: "V",
    Act.SEND_NEW_VIEW: "N",
    Act.SEND_RECOVER: "A",
    Act.LEDGER_COMMIT: "L",
    Act.HEAD: "H",
    Act.SYNCED_BLOCK: "L",
}

TALLIES: Final = frozenset({"#P", "#C", "#K", "#V", "L"})
"""What steps themselves wait for: more votes, a block written somewhere."""


_OF_LEDGER: Final = frozenset(
    {
        Act.HEAD,
        Act.TIMEOUT,
        Act.FAST_VIEW_CHANGE,
        Act.SEND_VIEW_CHANGE,
        Act.RECEIVE_VIEW_CHANGE,
        Act.SEND_NEW_VIEW,
        Act.ACCEPT_NEW_VIEW,
        Act.ENTER_VIEW,
        Act.SEND_RECOVER,
        Act.RECEIVE_RECOVER,
        Act.RECOVER,
    }
)
"""Acts whose height is that of a ledger: the sealers are those of the height after it."""


def list_height(record: TraceRecord) -> int:
    """The height whose list of sealers the indexes in this record are from."""
    height = record.height if record.height is not None else 0
    return height + 1 if record.act in _OF_LEDGER else height


def key_of(kind: str, sender: int, record: TraceRecord) -> Key:
    """What tells this message from others; a checkpoint is the same in every view."""
    height = record.height if record.height is not None else 0
    if kind in "PC":
        return (kind, sender, record.view, height, record.digest)
    if kind == "K":
        return (kind, sender, height, record.digest)
    if kind == "O":
        return (kind, sender, None, height, record.digest)
    if kind == "N":
        return (kind, sender, record.view)
    return (kind, sender, record.view, height)


def abridged(record: TraceRecord, digits: int) -> TraceRecord:
    """The record with its digest cut to what all records tell."""
    return replace(record, digest=record.digest[:digits])
