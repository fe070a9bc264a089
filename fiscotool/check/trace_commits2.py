"""The automaton of 2.x from Commits to the ledger.

Rule 1. Blocks are written by two threads: one may have come by synchronisation before the other tells that it has Commits enough for it.
        What is told so late is held against what the height was when it was written, and must be the block of the ledger.
Rule 2. A new head puts the views to 0.

Sources: spec 2.x 1.6, 1.7, 1.12, 1.13.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from fiscotool.check import trace_blocks as blocks
from fiscotool.check.trace_agreement import agreed_by_all
from fiscotool.check.trace_book import Key
from fiscotool.check.trace_node import Node
from fiscotool.check.trace_votes import count, set_text, silently
from fiscotool.pbft.trace import TraceRecord

__all__ = ["commit_counted", "committed", "head", "ledger_commit"]

_DONE_BLOCKS: Final = 16
"""How many heights back the slots of written blocks are kept (Rule 1); several may be written between two steps of the other thread."""


def commit_counted(node: Node, record: TraceRecord) -> Key | None:
    """A Commit of another, or the own one come back."""
    if record.height is not None and record.sender is not None and record.sender != node.index:
        if node.head is not None and record.height <= node.head:
            return None
        count(node, record, node.slot(record.height).commits, record.view or 0)
    return None


def committed(node: Node, record: TraceRecord) -> Key | None:
    """Commits of a quorum for the own result: the block may be written."""
    g, height, digest = node.guards, record.height, record.digest
    if height is None:
        return None
    members = node.members(height)
    slot, view = node.done.get(height) or (node.slot(height), node.view)
    if node.head is not None and height <= node.head:
        _is_of_ledger(node, record, height)
    if slot.is_known and view is not None:
        g["committed.prepared"] += 1
        if slot.executed != digest or not slot.lock:
            node.fail("committed.prepared", record, f"locked on {slot.lock[:8] or 'nothing'}, executed {slot.executed[:8] or 'nothing'}")
        votes = slot.commits.setdefault(digest, {})
        have = silently(node, "C", view, height, digest, votes, members.quorum)
        if not isinstance(have, int):
            return have
        g["committed.quorum"] += 1
        have = have if record.weight is None else min(have, record.weight)
        if have < members.quorum:
            text = f"Committed needs weight {members.quorum}, has {set_text(votes)}={have}"
            node.fail("committed.quorum", record, text, members.quorum, have)
        node.book.margin("committed.quorum", have - members.quorum)
    if slot.lock or slot.is_known:
        agreed_by_all(node, replace(record, digest=slot.lock or digest))
    slot.agreed, slot.is_stable = digest, True
    return None


def _is_of_ledger(node: Node, record: TraceRecord, height: int) -> None:
    """Rule 1: what is committed once its height is in the ledger is the block that stands there."""
    known = node.book.ledger.get(height, ("", ""))
    if known[0]:
        node.guards["ledger.same"] += 1
        if known[0] != record.digest:
            node.fail("ledger.same", record, f"the ledger has {known[0][:8]} there")


def ledger_commit(node: Node, record: TraceRecord) -> Key | None:
    """A block is written."""
    return blocks.ledger_commit(node, record)


def head(node: Node, record: TraceRecord) -> Key | None:
    """A new head: views begin again at 0."""
    if record.height is not None and record.height != node.head:
        node.done = {height: kept for height, kept in node.done.items() if height > record.height - _DONE_BLOCKS}
        node.done |= {height: (slot, node.view) for height, slot in node.slots.items() if height <= record.height}
        node.view, node.to_view, node.in_timeout, node.cycle = 0, 0, False, 0
        node.target, node.entered, node.is_leaderless = 0, -1, False
        node.view_changes.clear()
    return blocks.head(node, record)
