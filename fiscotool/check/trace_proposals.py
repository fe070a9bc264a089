"""Proposals: made by the leader of a height and view, or proposed again by a NewView, and accepted under the lock rule.

Rule 1. Who leads a height in a view proposes it; others accept from nobody else, but for what the view's NewView proposes again.
Rule 2. One digest a view and height is accepted. What was prepared is kept (FISCO), or given up for what a later view's NewView shows
        (paper); which of the two held is counted, the second binds.

Sources: spec 3.x 1.6, 1.8 (1 to 6), 1.17; Castro & Liskov, OSDI'99, sections 4.2, 4.4.
"""

from __future__ import annotations

from fiscotool.check.trace_book import Key
from fiscotool.check.trace_node import Node, Slot
from fiscotool.pbft.trace import TraceRecord

__all__ = ["accept", "propose"]

_GAP_S = float("-inf")
"""When what was sent in a gap of the records is sent."""


def propose(node: Node, record: TraceRecord) -> Key | None:
    """The leader is about to broadcast its proposal."""
    g, height, digest = node.guards, record.height, record.digest
    if height is None:
        return None
    slot = node.slot(height)
    view = node.view if record.view is None else record.view
    if view is not None and node.index is not None:
        g["propose.leader"] += 1
        leader = node.leader(height, view)
        if leader != node.index:
            node.fail(
                "propose.leader", record, f"height {height} in view {view} is led by {leader}, this is {node.index}", leader, node.index
            )
        g["propose.single"] += 1
        known = slot.proposed.setdefault(view, [])
        if known and digest not in known:
            node.fail("propose.single", record, f"proposed {known[0][:8]} and {digest[:8]} in view {view}")
        known.append(digest)
    low = node.bottom()
    if low is not None:
        g["propose.window"] += 1
        if not low < height <= low + node.context.pipeline_blocks:
            limit = low + node.context.pipeline_blocks
            node.fail("propose.window", record, f"the ledger ends at {low}, heights to {limit} may be proposed", limit, height)
    return None


def accept(node: Node, record: TraceRecord) -> Key | None:
    """A proposal is accepted: from its leader, or out of the NewView of the view."""
    g, book, height, digest = node.guards, node.book, record.height, record.digest
    if height is None:
        return None
    view = record.view if record.view is not None else node.view
    slot = node.slot(height)
    low = node.bottom()
    if low is not None:
        g["accept.window"] += 1
        limit = low + 2 * node.context.pipeline_blocks
        if not low < height <= limit:
            node.fail("accept.window", record, f"the ledger ends at {low}, heights to {limit} are accepted", limit, height)
    if view is None:
        slot.accepted = digest
        return None
    if node.view is not None:
        g["accept.view"] += 1
        if view < node.view:
            node.fail("accept.past", record, f"a proposal of view {view} in view {node.view}", node.view, view)
        elif view > node.view:
            node.fail("accept.view", record, f"a proposal of view {view} in view {node.view}", node.view, view)
    g["accept.single"] += 1
    if slot.view == view and slot.accepted and slot.accepted != digest:
        node.fail("accept.single", record, f"accepted {slot.accepted[:8]} in view {view} before")
    is_again = ("R", view, height, digest) in book.sent
    if slot.is_open and not slot.is_known and not node.is_blurred and node.dialect == "fisco3":
        slot.begins()
    if (node.new_view != view or not is_again) and not node.is_blurred:
        _from_leader(node, record, view)
        if record.sender == node.index and slot.is_known:
            # The own proposal may be told after it was accepted, which is one step; accepting is proposing then.
            g["accept.proposed"] += 1
            proposed = slot.proposed.setdefault(view, [digest])
            if digest not in proposed:
                node.fail("accept.proposed", record, f"proposed {proposed[0][:8]} in view {view}")
    _lock(node, record, slot, view)
    slot.accepted, slot.view = digest, view
    return None


def _from_leader(node: Node, record: TraceRecord, view: int) -> None:
    """The proposal came from the leader of its height, or out of a NewView of which nothing is told."""
    g, height = node.guards, record.height
    assert height is not None
    if record.sender is None:
        return
    own = view if node.view is None else node.view
    leader = node.leader(height, own)
    g["accept.leader"] += 1
    if record.sender == leader:
        return
    if node.new_view == view:
        g["accept.reproposed"] += 1
        if not _is_told(node, height, view):
            return
        node.fail("accept.reproposed", record, f"the NewView of view {view} proposes nothing like this again")
        return
    node.fail("accept.leader", record, f"height {height} in view {view} is led by {leader}, not by {record.sender}", leader, record.sender)


def _is_told(node: Node, height: int, view: int) -> bool:
    """Whether all entries of this view's NewView are told: it is the own one, or who sent it tells that it did, and not in a gap."""
    sender = node.new_view_sender
    if sender == node.index:
        return True
    return sender >= 0 and node.book.is_trusted(height, sender) and node.book.sent.get(("N", sender, view), _GAP_S) > _GAP_S


def _lock(node: Node, record: TraceRecord, slot: Slot, view: int) -> None:
    """What was prepared at this height is kept (as FISCO does), or given up for what a later view's NewView shows (as in the paper)."""
    book, digest = node.book, record.digest
    if slot.lock:
        node.guards["lock.textbook"] += 1
        node.guards["lock.fisco"] += 1
        book.lock_tests["fisco"] += 1
        book.lock_tests["textbook"] += 1
        if slot.lock != digest:
            book.lock_broken["fisco"] += 1
            node.fail("lock.fisco", record, f"prepared {slot.lock[:8]} in view {slot.lock_view}")
            if not (view > slot.lock_view and node.new_view == view):
                book.lock_broken["textbook"] += 1
                how = "without a NewView" if view > slot.lock_view else "in no later view"
                node.fail("lock.textbook", record, f"prepared {slot.lock[:8]} in view {slot.lock_view}, given up {how}")
    height = record.height
    assert height is not None
    kept = node.durable_locks.get(height)
    if kept is not None and not slot.lock and height > node.ledger_height:
        node.guards["lock.durable"] += 1
        if kept[1] != digest and not (view > kept[0] and node.new_view == view):
            node.fail("lock.durable", record, f"prepared {kept[1][:8]} in view {kept[0]} of an earlier life")
