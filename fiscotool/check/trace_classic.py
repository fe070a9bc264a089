"""The automaton of PBFT as published: what differs from 3.x.

Rule 1. The primary of a view leads all heights. Its pre-prepare is its vote.
Rule 2. Heights stay in the log until a checkpoint of a quorum makes them stable: votes for written blocks count until then.
Rule 3. A view change of a replica replaces its earlier ones. A process that begins tells the view it stands in. It has forgotten the
        NewView of that view, and has the others show it by saying its view change again.
Rule 4. A view change is told when it leaves, after it was made durable: the view may have been entered meanwhile.
Rule 5. A NewView proposes again what is above the last stable checkpoint, written or not: it is voted on again, and Commits of earlier
        views for what was committed count further.
Rule 6. A block is written when it is committed and executed; checkpoints come afterwards.

Sources: Castro & Liskov, OSDI'99, sections 4.1 to 4.4; docs/pbft.md (classic); `pbft.classic.newview`, `pbft.classic.viewchange`.
"""

from __future__ import annotations

from dataclasses import replace

from fiscotool.check import trace_asking as asking
from fiscotool.check import trace_blocks as blocks
from fiscotool.check import trace_proposals as proposals
from fiscotool.check import trace_views as views
from fiscotool.check import trace_votes as votes
from fiscotool.check.trace_book import Key
from fiscotool.check.trace_node import Node
from fiscotool.check.trace_votes import count, set_text, silently
from fiscotool.pbft.trace import TraceRecord

__all__ = [
    "accept",
    "checkpoint_counted",
    "enter_view",
    "head",
    "join",
    "ledger_commit",
    "propose",
    "send_prepare",
    "send_view_change",
    "stable",
    "start",
    "timeout",
    "view_change_counted",
]


def start(node: Node, record: TraceRecord) -> Key | None:
    """A process begins in the view it stood in."""
    blocks.start(node, record)
    node.view = node.to_view = node.in_timeout = None
    return None


def propose(node: Node, record: TraceRecord) -> Key | None:
    """The primary assigns a height. Told when it leaves, without its view: until the first Prepare of a view it may be of the last one."""
    is_late = record.view is None and node.view is not None and node.left >= 0 and node.leader(record.height or 0, node.view) != node.index
    return proposals.propose(node, replace(record, view=node.left) if is_late else record)


def send_prepare(node: Node, record: TraceRecord) -> Key | None:
    """An own Prepare leaves, and with it everything that was to leave earlier."""
    node.left = -1
    return votes.send_prepare(node, record)


def accept(node: Node, record: TraceRecord) -> Key | None:
    """A pre-prepare is accepted: also a vote of the primary."""
    if node.entered < 0:
        node.in_timeout = None  # it may have begun in the middle of a view change that is over, which nothing tells
    proposals.accept(node, record)
    view = record.view
    if record.height is not None and view is not None:
        primary = node.leader(record.height, view)
        slot = node.slot(record.height)
        slot.prepares.setdefault(record.digest, {})[primary] = view
        if primary == node.index:
            slot.sent.setdefault((0, view), record.digest)
    return None


def ledger_commit(node: Node, record: TraceRecord) -> Key | None:
    """A committed block is written."""
    height = record.height
    if height is None:
        return None
    slot = node.slot(height)
    if slot.is_known:
        node.guards["ledger.committed"] += 1
        if not slot.agreed:
            node.fail("ledger.committed", record, f"block {height} was not committed")
    blocks.written(node, record)
    return None


def head(node: Node, record: TraceRecord) -> Key | None:
    """A new head; the log is kept."""
    if node.view is None and record.own_view is not None:
        node.view, node.to_view = record.own_view, record.to_view
    if node.head is None and record.height == 0:
        node.low = 0  # a process that begins above has a checkpoint on its disk, and tells which one with its view change at the earliest
    slots, locks, cast = node.slots, node.durable_locks, node.durable_votes
    node.slots, node.durable_locks = {}, {}
    blocks.head(node, record)
    node.slots, node.durable_locks, node.durable_votes = slots, locks, cast
    if record.to_view is not None and record.to_view == record.own_view:
        node.in_timeout = None  # a process may begin while it waits for the view it names
    return None


def checkpoint_counted(node: Node, record: TraceRecord) -> Key | None:
    """A checkpoint is counted."""
    if record.height is not None and record.sender is not None:
        count(node, record, node.slot(record.height).checkpoints, 0)
    return None


def stable(node: Node, record: TraceRecord) -> Key | None:
    """A checkpoint of a quorum: what is below is forgotten."""
    g, height, digest = node.guards, record.height, record.digest
    if height is None:
        return None
    slot, members = node.slot(height), node.members(height)
    if slot.is_known and digest and any(slot.checkpoints.values()):
        votes = slot.checkpoints.setdefault(digest, {})
        have = silently(node, "K", 0, height, digest, votes, members.quorum)
        if not isinstance(have, int):
            return have
        g["stable.quorum"] += 1
        if have < members.quorum:
            text = f"Stable needs weight {members.quorum}, has {set_text(votes)}={have}"
            node.fail("stable.quorum", record, text, members.quorum, have)
        node.book.margin("stable.quorum", have - members.quorum)
    node.low = height
    for gone in [each for each in node.slots if each <= height]:
        del node.slots[gone]
    for gone in [each for each in node.durable_locks if each <= height]:
        del node.durable_locks[gone]
    return None


def timeout(node: Node, record: TraceRecord) -> Key | None:
    """The timer ran out, also while a block is being executed."""
    _settle_join(node)
    node.book.premises["timeouts"] += 1
    asked = record.to_view
    if asked is not None:
        if node.to_view is not None:
            node.guards["timeout.view"] += 1
            if asked != node.to_view + 1:
                node.fail("timeout.view", record, f"view {node.to_view} was asked for last", node.to_view + 1, asked)
        node.to_view = asked
        node.owed.add(asked)
    node.in_timeout, node.cause, node.target = True, "timeout", asked or 0
    return None


def join(node: Node, record: TraceRecord) -> Key | None:
    """F+1 others ask for views above the own one: ask for the lowest of them."""
    _settle_join(node)
    view, own = record.view, record.own_view
    node.book.premises["joined"] += 1
    if view is not None and own is not None and view <= own:
        node.book.premises["primary given up"] += 1
        view = (record.to_view if record.to_view is not None else own) + 1
    elif view is not None and own is not None:
        node.guards["join.weight"] += 1
        node.joining = (own, record, node.position)
        if _has_joined(node, own):
            node.joining = None
    if view is not None:
        node.owed.add(view)
    node.cause, node.target, node.in_timeout = "joined", view or 0, True
    return None


def _has_joined(node: Node, own: int) -> bool:
    """Whether more than f ask for views above `own`."""
    members = node.members((node.head or 0) + 1)
    return members.weight(_above(node, own)) >= members.join


def _above(node: Node, own: int) -> dict[int, int]:
    """Who asks for a view above `own`, and for which."""
    return {sender: asked for asked, senders in node.view_changes.items() for sender in senders if asked > own}


def _settle_join(node: Node) -> None:
    """Joining is told before the view change that brought it about is told as counted: one step, which is over now."""
    if node.joining is None:
        return
    (own, record, position), node.joining = node.joining, None
    if _has_joined(node, own):
        return
    votes, members = _above(node, own), node.members_next(record)
    have, was = members.weight(votes), node.position
    node.position = position
    text = f"joining needs weight {members.join} above view {own}, has {set_text(votes)}={have}"
    node.fail("join.weight", record, text, members.join, have)
    node.position = was


def send_view_change(node: Node, record: TraceRecord) -> Key | None:
    """A view change leaves: once it is durable, which may be after its view was entered; or to be shown the NewView of the own view."""
    _settle_join(node)
    view = record.view
    if view is None:
        return None
    if node.low is None:
        node.low = record.height
    if view in node.owed:
        node.owed.discard(view)
        if (node.view is not None and view <= node.view) or (node.to_view is not None and view < node.to_view):
            return None
    elif view == node.view and not node.in_timeout and node.cause != "start":
        node.guards["ask.cause"] += 1
        members = node.members_next(record)
        if node.entered == view and members.weight(_voting_later(node, view)) < members.join:
            node.fail("ask.cause", record, f"the NewView of view {view} is known, and no f+1 others vote in a later view")
        return None
    return asking.send_view_change(node, record)


def _voting_later(node: Node, view: int) -> set[int]:
    """Whose votes of views after `view` were counted."""
    every = [votes for slot in node.slots.values() for votes in (*slot.prepares.values(), *slot.commits.values())]
    return {sender for votes in every for sender, seen in votes.items() if seen > view}


def view_change_counted(node: Node, record: TraceRecord) -> Key | None:
    """A view change is counted, instead of the sender's earlier one."""
    if record.view is not None and record.sender is not None:
        for asked, senders in node.view_changes.items():
            if asked != record.view:
                senders.pop(record.sender, None)
    asking.view_change_counted(node, record)
    _settle_join(node)
    return None


def enter_view(node: Node, record: TraceRecord) -> Key | None:
    """Votes of earlier views are forgotten, but for the Commits of what was committed."""
    _settle_join(node)
    kept = [(slot, {digest: dict(votes) for digest, votes in slot.commits.items()}) for slot in node.slots.values() if slot.agreed]
    node.left = node.view if node.view is not None else -1
    views.enter_view(node, record)
    for slot, commits in kept:
        slot.commits = commits
    return None
