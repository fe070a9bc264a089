"""The automaton of 2.x: votes are about the executed block, the lock is never given up, views change without certificates.

Rule 1. What is accepted may be an empty proposal, which is never executed; locks and votes are about what was executed.
Rule 2. A 2.x log does not tell of every vote, and of a view change that is received only at level debug: whatever was sent may have been
        received (`silently`). A replica that tells of none at all logs at level info.
Rule 3. A Sign leaves with the execution, a Commit with the lock; neither has a line of its own that comes first.
Rule 4. A new head puts the views to 0. A lock is durable, and binds until its height is in the ledger.

Sources: spec 2.x 1.3 to 1.13.
"""

from __future__ import annotations

from dataclasses import replace

from fiscotool.check.trace_book import Key
from fiscotool.check.trace_node import Node
from fiscotool.check.trace_votes import count, prepared_by_all, send_prepare, set_text, silently
from fiscotool.pbft.trace import Act, TraceRecord

__all__ = [
    "accept",
    "enter_view",
    "executed",
    "join",
    "prepared",
    "propose",
    "send_view_change",
    "sent_by",
    "sign_counted",
    "sign_sent",
    "timeout",
    "view_change_counted",
]


def sent_by(node: Node, record: TraceRecord) -> list[tuple[Key, Key]]:
    """What this record sends: its key, and the key under which votes for the same are found."""
    height, index = record.height, node.index
    if index is None:
        return []
    if record.act is Act.SEND_VIEW_CHANGE and record.view is not None:
        at = node.head if node.head is not None else -1
        return [(("V", index, record.view, at), ("#V", record.view, at, ""))]
    if _is_late_sign(node, record):
        return [(("P", index, record.view, height, record.digest), ("#P", record.view, height, record.digest))]
    slot = node.slots.get(height) if height is not None else None
    if slot is None or node.view is None:
        return []
    if record.act is Act.EXECUTED:
        return [(("P", index, node.view, height, slot.executed), ("#P", node.view, height, slot.executed))]
    if record.act is Act.PREPARED:
        return [(("C", index, node.view, height, slot.executed), ("#C", node.view, height, slot.executed))]
    return []


def _is_late_sign(node: Node, record: TraceRecord) -> bool:
    """A Sign that left in the step in which a view was entered: what was executed in the view before is signed first, and told last."""
    return record.act is Act.SEND_PREPARE and record.view is not None and node.view is not None and record.view < node.view


def propose(node: Node, record: TraceRecord) -> Key | None:
    """The leader's own proposal; it is told after it was handled."""
    height = record.height
    if height is not None and node.view is not None and node.index is not None and record.view is not None:
        node.guards["propose.leader"] += 1
        leader = (height - 1 + record.view) % node.members(height).count
        if leader != node.index:
            node.fail("propose.leader", record, f"height {height} in view {record.view} is led by {leader}, this is {node.index}", leader)
    return None


def accept(node: Node, record: TraceRecord) -> Key | None:
    """A proposal of the next height, from its leader."""
    g, height, digest = node.guards, record.height, record.digest
    if height is None:
        return None
    view = record.view if record.view is not None else node.view
    slot = node.slot(height)
    if node.head is not None:
        g["accept.window"] += 1
        if height != node.head + 1:
            node.fail("accept.window", record, f"the ledger ends at {node.head}", node.head + 1, height)
    if view is not None and record.sender is not None and not node.is_leaderless:
        g["accept.leader"] += 1
        leader = (height - 1 + view) % node.members(height).count
        if record.sender != leader:
            node.fail("accept.leader", record, f"height {height} in view {view} is led by {leader}, not by {record.sender}", leader)
        g["accept.single"] += 1
        if slot.view == view and slot.accepted and slot.accepted != digest and slot.executed:
            node.fail("accept.single", record, f"accepted {slot.accepted[:8]} in view {view} before")
    slot.accepted, slot.view, slot.executed = digest, -1 if view is None else view, ""
    slot.early_sender = record.sender if record.sender is not None and node.is_leaderless else -1
    return None


def executed(node: Node, record: TraceRecord) -> Key | None:
    """A proposal was executed, and its result is signed for the others."""
    g, book, height, digest = node.guards, node.book, record.height, record.digest
    if height is None:
        return None
    slot = node.slot(height)
    if slot.is_known:
        g["executed.accepted"] += 1
        if not slot.accepted:
            node.fail("executed.accepted", record, f"nothing was accepted at height {height}")
    if node.head is not None:
        g["executed.order"] += 1
        if height != node.head + 1:
            node.fail("executed.order", record, f"the ledger ends at {node.head}", node.head + 1, height)
    kept = node.durable_locks.get(height)
    if kept is not None:
        g["lock.kept"] += 1
        book.lock_tests["fisco"] += 1
        if slot.accepted and kept[1] != slot.accepted:
            book.lock_broken["fisco"] += 1
            node.fail("lock.kept", record, f"locked on {kept[1][:8]} in view {kept[0]}, executes {slot.accepted[:8]}")
    if slot.accepted:
        g["executed.same"] += 1
        known = book.results.setdefault((height, slot.accepted), (digest, node.replica))
        if known[0] != digest:
            node.fail("executed.same", record, f"{known[1]} has {known[0][:8]} for the same proposal")
    slot.executed = digest
    return None


def sign_sent(node: Node, record: TraceRecord) -> Key | None:
    """The own Sign; the log names the proposal in it, the message the result."""
    height, view = record.height, record.view if record.view is not None else node.view
    if height is None or view is None or _is_late_sign(node, record):
        return None
    slot = node.slot(height)
    if record.digest == slot.executed:
        record = replace(record, digest=slot.accepted)
    send_prepare(node, record)
    if node.index is not None and slot.executed:
        slot.prepares.setdefault(slot.executed, {})[node.index] = view
    return None


def sign_counted(node: Node, record: TraceRecord) -> Key | None:
    """A Sign of another, or the own one come back."""
    if record.height is not None and record.sender is not None and record.sender != node.index:
        count(node, record, node.slot(record.height).prepares, record.view or 0)
    return None


def prepared(node: Node, record: TraceRecord) -> Key | None:
    """Signs of a quorum: the lock, and the own Commit."""
    g, height, digest = node.guards, record.height, record.digest
    if height is None:
        return None
    slot, members, view = node.slot(height), node.members(height), node.view
    if slot.is_known and view is not None:
        votes = slot.prepares.setdefault(slot.executed, {})
        have = silently(node, "P", view, height, slot.executed, votes, members.quorum)
        if not isinstance(have, int):
            return have
        g["prepared.quorum"] += 1
        if have < members.quorum:
            text = f"Prepared needs weight {members.quorum}, has {set_text(votes)}={have}"
            node.fail("prepared.quorum", record, text, members.quorum, have)
        node.book.margin("prepared.quorum", have - members.quorum)
        g["prepared.accepted"] += 1
        if not slot.executed or slot.accepted != digest:
            node.fail("prepared.accepted", record, f"executed {slot.accepted[:8] or 'nothing'}")
    kept = node.durable_locks.get(height)
    g["lock.kept"] += 1
    if kept is not None and kept[1] != digest:
        node.book.lock_broken["fisco"] += 1
        node.fail("lock.kept", record, f"locked on {kept[1][:8]} in view {kept[0]}")
    prepared_by_all(node, record, view if view is not None else 0)
    slot.lock, slot.lock_view = digest, -1 if view is None else view
    node.durable_locks[height] = (slot.lock_view, digest)
    if node.index is not None and slot.executed:
        slot.commits.setdefault(slot.executed, {})[node.index] = slot.lock_view
    return None


def timeout(node: Node, record: TraceRecord) -> Key | None:
    """The view timer ran out."""
    node.book.premises["timeouts"] += 1
    node.cause = "timeout" if record.height is not None else node.cause
    return None


def join(node: Node, record: TraceRecord) -> Key | None:
    """F+1 others ask for later views: ask for the lowest of them."""
    node.book.premises["joined"] += 1
    node.target = record.view if record.view is not None else 0
    return None


def send_view_change(node: Node, record: TraceRecord) -> Key | None:
    """A view is asked for: the next one, or the one others have come to."""
    g, view = node.guards, record.view
    if view is None:
        return None
    if node.to_view is not None and node.entered != view:
        g["ask.view"] += 1
        if view not in {node.to_view + 1, node.target}:
            node.fail("ask.view", record, f"view {node.to_view} was asked for last", node.to_view + 1, view)
    if node.entered != view:
        node.to_view, node.in_timeout, node.is_leaderless = view, True, True
    node.target = 0
    if node.index is not None:
        node.view_changes.setdefault(view, {})[node.index] = view
    return None


def view_change_counted(node: Node, record: TraceRecord) -> Key | None:
    """A view change is counted (told at level debug only)."""
    if record.view is not None and record.sender is not None:
        node.view_changes.setdefault(record.view, {})[record.sender] = record.view
    return None


def enter_view(node: Node, record: TraceRecord) -> Key | None:
    """View changes of a quorum: the view is entered."""
    g, view = node.guards, record.view
    if view is None:
        return None
    members = node.members_next(record)
    if node.head is not None:
        votes = node.view_changes.setdefault(view, {})
        have = silently(node, "V", view, node.head, "", votes, members.quorum, is_told=node.tells_view_changes)
        if not isinstance(have, int):
            return have
        g["enter.quorum"] += 1
        if have < members.quorum:
            text = f"View {view} needs view changes of weight {members.quorum}, has {set_text(votes)}={have}"
            node.fail("enter.quorum", record, text, members.quorum, have)
        node.book.margin("enter.quorum", have - members.quorum)
    if node.view is not None:
        g["view.grows"] += 1
        if view <= node.view:
            node.fail("view.grows", record, f"was in view {node.view}", node.view + 1, view)
    node.view = node.to_view = node.entered = view
    node.in_timeout, node.debt, node.is_leaderless, node.target = False, None, False, 0
    node.view_changes = {asked: votes for asked, votes in node.view_changes.items() if asked > view}
    for height, slot in node.slots.items():
        if slot.early_sender >= 0 and slot.early_sender == node.leader(height, view):
            slot.view = view  # entering the view and accepting its first proposal are one step
        else:
            slot.accepted, slot.executed = "", ""
        slot.early_sender = -1
        for votes in (*slot.prepares.values(), *slot.commits.values()):
            for sender in [sender for sender, seen in votes.items() if seen < view]:
                del votes[sender]
    return None
