"""View changes, new views and recovery, as 3.x tells them.

Rule 1. A view is entered by a NewView that was accepted, or sent by its leader on view changes of a quorum; or recovered on answers of a
        quorum of others.
Rule 2. On entering, votes of earlier views are forgotten, and what was accepted in them; what was prepared stays.
Rule 3. A view change says what its sender had prepared above its ledger when it was sent. So what a NewView must propose again is known
        as far as its leader's view changes came from replicas that report.

Sources: spec 3.x 1.11 to 1.14; Castro & Liskov, OSDI'99, section 4.4.
"""

from __future__ import annotations

from typing import Final

from fiscotool.check.trace_asking import unasked
from fiscotool.check.trace_book import Key
from fiscotool.check.trace_node import Node, settled
from fiscotool.check.trace_votes import set_text
from fiscotool.pbft.trace import Act, TraceRecord

__all__ = ["accept_new_view", "enter_view", "own_state", "recover", "recover_counted", "repropose", "send_new_view", "send_recover"]


def own_state(node: Node, record: TraceRecord) -> None:
    """What a record says of its replica's own view and head, held against what is known.

    A replica that tells its state after the whole step may show the view it has entered before it tells of entering: `debt`.
    """
    own, g = record.own_view, node.guards
    assert own is not None
    g["view.moved"] += 1
    if node.view is None:
        if record.act is not Act.ENTER_VIEW and record.act is not Act.RECOVER:
            node.view = own
            node.in_timeout = None
    elif own != node.view and record.act not in _ENTERING:
        if node.debt is not None and node.debt[0] == own:
            return
        if own > node.view and node.debt is None and record.act in _BEFORE_ENTERING:
            node.debt = (own, record, node.position)
        else:
            node.fail("view.moved", record, f"is in view {own}, has entered view {node.view}", node.view, own)
            node.view = own
    if record.head is not None and node.head is not None and record.act not in _HEAD_BEFORE:
        g["head.moved"] += 1
        if not node.head <= record.head <= max(node.head, node.written):
            node.fail("head.moved", record, f"tells head {record.head}, the last report was {node.head}", node.head, record.head)
    to_view = record.to_view
    if to_view is not None:
        g["view.behind"] += 1
        if to_view < own:
            node.fail("view.behind", record, f"asks for view {to_view} in view {own}", own, to_view)


_ENTERING: Final = frozenset({Act.ENTER_VIEW, Act.RECOVER, Act.START, Act.HEAD})
_HEAD_BEFORE: Final = frozenset({Act.HEAD, Act.FAST_VIEW_CHANGE})
"""A node that gives up a leader because of a block tells the state it had before that block, right after it has reported it."""
_BEFORE_ENTERING: Final = frozenset({Act.RECEIVE_VIEW_CHANGE, Act.ACCEPT_NEW_VIEW, Act.RECEIVE_RECOVER, Act.SEND_NEW_VIEW, Act.REPROPOSE})


def repropose(node: Node, record: TraceRecord) -> Key | None:
    """A new leader makes an entry of its NewView."""
    g, book, height, view, digest = node.guards, node.book, record.height, record.view, record.digest
    if height is None or view is None:
        return None
    book.premises["reproposed"] += 1
    node.again.add((view, height))
    best_view, best, is_whole = -1, set[str](), True
    for sender in node.view_changes.get(view, {}):
        replica = book.owner(height, sender)
        report = book.reports.get((view, replica)) if replica is not None and book.reports_itself(replica) else None
        if report is None:
            is_whole = False
            continue
        found = report[1].get(height)
        if found is not None and found[0] >= best_view:
            best = {found[1]} if found[0] > best_view else {*best, found[1]}
            best_view = found[0]
    if best and is_whole:
        g["repropose.follows"] += 1
        if digest not in best:
            text = f"prepared last in view {best_view} was {', '.join(each[:8] for each in sorted(best))}"
            node.fail("repropose.follows", record, text)
    return None


def send_new_view(node: Node, record: TraceRecord) -> Key | None:
    """The leader of a view shows view changes of a quorum."""
    g, view = node.guards, record.view
    if view is None:
        return None
    height = (node.head if node.head is not None else record.height or 0) + 1
    node.book.premises["new views"] += 1
    if node.index is not None:
        g["newview.leader"] += 1
        leader = node.leader(height, view)
        if leader != node.index:
            node.fail("newview.leader", record, f"view {view} is led by {leader}, this is {node.index}", leader, node.index)
    if view not in {node.sent_new_view, node.entered}:
        _quorum_of_changes(node, record, view, "newview.quorum")
    g["newview.single"] += 1
    if node.sent_new_view == view:
        node.fail("newview.single", record, "was sent before")
    if node.dialect == "fisco3" and view not in {node.sent_new_view, node.entered}:
        _is_complete(node, record, view)
    node.sent_new_view = view
    return None


def _is_complete(node: Node, record: TraceRecord, view: int) -> None:
    """What the view changes that were counted report above the highest ledger among them is proposed again.

    Evaluated only if all of them are of replicas whose whole life is told and who said it once.
    """
    book, reported, committed = node.book, set[int](), -1
    for sender, height in node.view_changes.get(view, {}).items():
        replica = book.owner(height + 1, sender)
        report = book.reports.get((view, replica)) if replica is not None and book.reports_itself(replica) else None
        if report is None or (view, replica) in book.reported_again:
            return
        committed = max(committed, height, report[0])
        reported.update(report[1])
    if node.views_known_from > view:
        return
    node.guards["newview.complete"] += 1
    for height in sorted(each for each in reported if each > committed):
        if (view, height) not in node.again:
            node.fail("newview.complete", record, f"height {height} was prepared, and is not proposed again")
            return


def _quorum_of_changes(node: Node, record: TraceRecord, view: int, guard: str) -> None:
    """View changes of a quorum for this view were counted."""
    members = node.members_next(record)
    votes = node.view_changes.get(view, {})
    if node.views_known_from > view and ("V", view) not in node.surplus:
        return
    node.guards[guard] += 1
    have = members.weight(votes) + node.surplus.get(("V", view), 0)
    if have < members.quorum:
        who = set_text(votes)
        node.fail(guard, record, f"NewView needs weight {members.quorum}, has {who}={have}", members.quorum, have)
    node.book.margin(guard, have - members.quorum)


def accept_new_view(node: Node, record: TraceRecord) -> Key | None:
    """A NewView of another is taken."""
    g, view = node.guards, record.view
    if view is None:
        return None
    height = (record.height if record.height is not None else node.head or 0) + 1
    if record.sender is not None:
        g["newview.leader"] += 1
        leader = node.leader(height, view)
        if leader != record.sender:
            node.fail("newview.leader", record, f"view {view} is led by {leader}, not by {record.sender}", leader, record.sender)
    node.new_view = view
    node.new_view_sender = -1 if record.sender is None else record.sender
    return None


def enter_view(node: Node, record: TraceRecord) -> Key | None:
    """A view is entered."""
    g = node.guards
    view = record.own_view if record.own_view is not None else record.view
    if view is None:
        return None
    unasked(node)
    if record.view is not None:
        g["enter.same"] += 1
        if record.view != view:
            node.fail("enter.same", record, f"is in view {view}", view, record.view)
    if node.view is not None:
        g["view.grows"] += 1
        if view < node.view:
            node.fail("view.grows", record, f"was in view {node.view}", node.view + 1, view)
        elif view == node.view and node.entered == view:
            node.fail("view.again", record, "was entered before")
    node.entered = view
    if node.new_view != view:
        height = (node.head or 0) + 1
        leads = node.index is None or node.leader(height, view) == node.index
        if node.sent_new_view != view and not node.is_blurred:
            g["enter.justified"] += 1
            if not leads:
                node.fail("enter.justified", record, f"no NewView of view {view} was accepted, and this does not lead it")
            _quorum_of_changes(node, record, view, "enter.quorum")
        node.new_view = view
        node.new_view_sender = node.index if leads and node.index is not None else -1
    _be_in(node, record, view)
    return None


def _be_in(node: Node, record: TraceRecord, view: int) -> None:
    """Forget what is of earlier views. A node may have gone on asking before it tells of this (`to_view`)."""
    node.debt, node.unsure_ask, node.is_blurred = None, None, False
    node.view, node.has_recovered = view, True
    if record.to_view is not None and record.to_view > view:
        node.to_view, node.in_timeout = record.to_view, True
    else:
        node.to_view, node.in_timeout, node.cycle, node.cause = view, False, 0, ""
    node.surplus = {about: weight for about, weight in node.surplus.items() if about[1] > view}
    if node.view_changes:
        node.view_changes = {asked: votes for asked, votes in node.view_changes.items() if asked > view}
    if node.recoveries:
        node.recoveries = {asked: votes for asked, votes in node.recoveries.items() if asked > view}
    for slot in node.slots.values():
        if slot.surplus:
            slot.surplus = {about: weight for about, weight in slot.surplus.items() if about[0] == "K"}
        for votes in (*slot.prepares.values(), *slot.commits.values()):
            for sender in [sender for sender, seen in votes.items() if seen < view]:
                del votes[sender]


def send_recover(node: Node, record: TraceRecord) -> Key | None:
    """A view change is answered by who is in a view."""
    node.book.premises["answers"] += 1
    if node.in_timeout is not None:
        node.guards["recover.sent"] += 1
        # The step that joins others answers first; an embedded node tells of joining first.
        if node.in_timeout and node.cause != "joined":
            node.fail("recover.sent", record, f"waits for view {node.to_view}")
    return None


def recover_counted(node: Node, record: TraceRecord) -> Key | None:
    """An answer is counted."""
    g, view = node.guards, record.view
    if view is None:
        return None
    answers = node.recoveries.get(view)
    if answers is None:
        answers = node.recoveries[view] = {}
    sender = record.sender if record.sender is not None else -1 - len(answers)
    answers[sender] = view
    members = node.members_next(record)
    if record.weight is not None and record.sender is not None:
        g["vote.weight"] += 1
        have = members.weight(answers)
        if not node.is_known:
            have = settled(node.surplus, ("A", view), record.weight, have)
        if record.weight != have:
            node.fail("vote.weight", record, f"weight {record.weight} is told, {sorted(answers)} have {have}", have, record.weight)
    return None


def recover(node: Node, record: TraceRecord) -> Key | None:
    """A view is recovered on the answers of others."""
    g, view = node.guards, record.view
    if view is None:
        return None
    unasked(node)
    members = node.members_next(record)
    node.book.premises["recovered"] += 1
    g["recover.waiting"] += 1
    if node.in_timeout is False:
        node.fail("recover.waiting", record, f"was in view {node.view}")
    answers = node.recoveries.get(view, {})
    have = members.weight(answers) if all(sender >= 0 for sender in answers) else len(answers)
    have += node.surplus.get(("A", view), 0)
    need = members.quorum if node.is_known or ("A", view) in node.surplus else 0
    g["recover.quorum"] += bool(need)
    if have < need:
        who = set_text(answers)
        node.fail("recover.quorum", record, f"Recover needs weight {members.quorum}, has {who}={have}", members.quorum, have)
    if need:
        node.book.margin("recover.quorum", have - need)
    if node.view is not None:
        g["view.grows"] += 1
        if view < node.view:
            node.fail("view.grows", record, f"was in view {node.view}", node.view, view)
    node.new_view = -1
    _be_in(node, record, view)
    return None
