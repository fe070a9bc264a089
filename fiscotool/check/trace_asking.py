"""Timers, and what makes a replica ask for a view, as 3.x tells it.

Rule. A view is asked for because the timer ran out, because the leader is faulty, or because f+1 ask for one later view; the first two
      ask for the next view, the third for that one. A process that begins asks twice, for views 1 and 2 or, if it has kept votes of
      later views, for those after them.

Sources: spec 3.x 1.10, 1.11, 1.14; Castro & Liskov, OSDI'99, sections 4.4, 4.5.2.
"""

from __future__ import annotations

from typing import Final

from fiscotool.check.trace_book import Key
from fiscotool.check.trace_node import Node, settled
from fiscotool.check.trace_votes import set_text
from fiscotool.pbft.trace import TraceRecord

__all__ = ["fast_view_change", "send_view_change", "timeout", "unasked", "view_change_counted"]

CYCLE_MAX: Final = 10


def timeout(node: Node, record: TraceRecord) -> Key | None:
    """The timer ran out and a view change begins."""
    g = node.guards
    g["timeout.idle"] += 1
    node.book.premises["timeouts"] += 1
    height = node.next_executed
    slot = node.slots.get(height) if height is not None else None
    if (
        slot is not None
        and slot.agreed
        and not slot.executed
        and node.head is not None
        and height == node.head + 1
        and slot.committed_in >= 0
    ):
        node.fail("timeout.idle", record, f"height {height} is being executed")
    asked = record.to_view
    sent = node.asked or node.unsure_ask
    was_sent = sent is not None and sent[0] == asked
    is_unsure = node.cause == "unknown" and not was_sent and node.to_view is None
    if asked is not None:
        before = node.to_view if not was_sent or sent is None else sent[1]
        if before is not None:
            g["timeout.view"] += 1
            if asked != before + 1:
                node.fail("timeout.view", record, f"view {before} was asked for last", before + 1, asked)
        node.to_view = asked
    _cycle(node, record)
    node.in_timeout = True
    if was_sent:
        node.asked = node.unsure_ask = None
        node.cause = "" if node.cause == "unknown" else node.cause
    elif not is_unsure:  # otherwise its view change may have left before the records begin, or will leave now
        node.cause, node.target = "timeout", asked if asked is not None else 0
    return None


def unasked(node: Node) -> None:
    """A view change was sent and its reason should have been told by now (a real node tells of its time-out after it)."""
    asked = node.asked
    if asked is not None:
        node.asked = None
        position, node.position = node.position, asked[3]
        node.fail("ask.cause", asked[2], "no time-out, no faulty leader, no f+1 others")
        node.position = position


def _cycle(node: Node, record: TraceRecord) -> None:
    """The change cycle after a time-out."""
    told = record.change_cycle
    if told is None:
        return
    if node.cycle is not None:
        node.guards["timeout.cycle"] += 1
        due = min(node.cycle + 1, CYCLE_MAX)
        if told != due:
            node.fail("timeout.cycle", record, f"change cycle {due} is due, {told} is told", due, told)
    node.cycle = told


def fast_view_change(node: Node, record: TraceRecord) -> Key | None:
    """A view change begins without the timer: f+1 ask for a later view, or the leader is faulty."""
    g, view = node.guards, record.view
    if view is None:
        return None
    joins = record.own_view is None or view > record.own_view
    if joins:
        node.book.premises["joined"] += 1
        votes = node.view_changes.get(view, {})
        members = node.members_next(record)
        if node.views_known_from <= view or ("V", view) in node.surplus:
            g["join.weight"] += 1
            have = members.weight(votes) + node.surplus.get(("V", view), 0)
            if have < members.join:
                who = set_text(votes)
                node.fail(
                    "join.weight", record, f"joining needs weight {members.join} for view {view}, has {who}={have}", members.join, have
                )
        node.target = view
    else:
        node.book.premises["leader given up"] += 1
        node.target = (record.to_view if record.to_view is not None else node.to_view if node.to_view is not None else view) + 1
    node.cause, node.in_timeout = "joined" if joins else "leader", True
    return None


def send_view_change(node: Node, record: TraceRecord) -> Key | None:
    """A view change is broadcast."""
    g, view = node.guards, record.view
    if view is None:
        return None
    if node.dialect == "classic" and node.in_timeout and view == node.to_view and (view, node.replica) in node.book.reports:
        return None  # sent again, for those who have not heard it
    unasked(node)
    if node.cause == "unknown":
        node.unsure_ask = (view, node.to_view)
    else:
        g["ask.cause"] += 1
        if not node.cause:
            node.asked = (view, node.to_view, record, node.position)
        elif node.cause != "start":
            g["ask.view"] += 1
            if node.target and (view < node.target if node.cause == "leader" else view != node.target):
                node.fail("ask.view", record, f"view {node.target} is the one to ask for", node.target, view)
        else:
            node.first_asks -= 1
            if node.first_asks <= 0 or node.has_recovered:
                node.cause = ""
    if node.cause == "leader":
        node.target = view + 1  # the leader of the view asked for may be faulty too, in the same step
    elif node.cause not in {"start", "unknown"}:
        node.cause = ""
    if node.view is not None:
        g["view.behind"] += 1
        if view < node.view or (view == node.view and node.dialect != "classic"):
            node.fail("view.behind", record, f"asks for view {view} in view {node.view}", node.view + 1, view)
    # A process of the paper begins by saying again what it stood for; whether it waits for that view is not told.
    node.to_view, node.in_timeout = view, None if node.cause == "start" and node.dialect == "classic" else True
    prepared = {height: (slot.lock_view, slot.lock) for height, slot in node.slots.items() if slot.lock}
    committed = node.head if node.head is not None else record.height or 0
    if node.is_known:  # otherwise it may hold more than was told
        if (view, node.replica) in node.book.reports:
            node.book.reported_again.add((view, node.replica))
        node.book.reports[view, node.replica] = (committed, prepared)
    return None


def view_change_counted(node: Node, record: TraceRecord) -> Key | None:
    """A view change is counted."""
    g, view, sender = node.guards, record.view, record.sender
    if view is None or sender is None:
        return None
    if node.cause == "leader" and node.to_view != node.target:
        node.cause = ""
    members = node.members_next(record)
    g["vote.member"] += 1
    if not 0 <= sender < members.count:
        node.fail("vote.member", record, f"there are {members.count} members, {sender} is none of them", members.count, sender)
    votes = node.view_changes.get(view)
    if votes is None:
        votes = node.view_changes[view] = {}
    g["vote.distinct"] += 1
    if sender in votes and record.height == votes[sender]:
        node.fail("vote.distinct", record, f"the view change of {sender} for view {view} was counted before")
    votes[sender] = record.height if record.height is not None else -1
    if record.weight is not None:
        g["vote.weight"] += 1
        have = members.weight(votes)
        if record.weight != have and node.head is not None:
            # Whether those of shorter ledgers were dropped meanwhile is not told; from here on it is.
            for stale in [other for other, height in votes.items() if height < node.head and other != sender]:
                del votes[stale]
            have = members.weight(votes)
        if node.views_known_from > view:
            have = settled(node.surplus, ("V", view), record.weight, have)
        if record.weight != have:
            node.fail("vote.weight", record, f"weight {record.weight} is told, {sorted(votes)} have {have}", have, record.weight)
    return None
