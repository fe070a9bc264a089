"""Prepares and Commits: the votes of a view, as 3.x tells them.

Rule 1. A replica's own vote may be told as counted, as sent, or both, in either order; the first that is told is the sending.
Rule 2. Votes of others are counted before or after the proposal they are for. The weight told with a vote is that of the distinct votes
        for its digest; more than that are receives that were not told, if the report may leave some out.
        A vote that is told without its digest is for what was told before the records begin: nothing is known of it.
Rule 3. A quorum that the votes told do not make may be made by votes nobody told, if they were sent: `silently`. They are received as late
        as possible, because no guard of this module is met less when more was received.

Sources: spec 3.x 1.8 (3 to 10), 1.17; Castro & Liskov, OSDI'99, section 4.2.
"""

from __future__ import annotations

from typing import Final

from fiscotool.check.trace_book import Key
from fiscotool.check.trace_node import Node, settled
from fiscotool.pbft.trace import TraceRecord

__all__ = [
    "commit_counted",
    "count",
    "prepare_counted",
    "prepared",
    "prepared_by_all",
    "send_commit",
    "send_prepare",
    "set_text",
    "silently",
]

ASSUMED: Final = -2
"""Stands where the view of a vote would: nobody told that it was received. Telling it later is no repetition."""


def silently(
    node: Node, kind: str, view: int, height: int, digest: str, votes: dict[int, int], need: int, *, is_told: bool = True
) -> Key | int:
    """Weight of `votes` and of votes that may have been received untold; a key to wait for when more may yet be sent.

    `is_told`: the report tells receives of this kind if it tells any, so that one that is not told uses up the life's budget.
    """
    book, members = node.book, node.members(height)
    slot = node.slots.get(height)
    have = members.weight(votes) + (slot.surplus.get((kind, digest), 0) if slot is not None and slot.surplus else 0)
    is_told = is_told and node.context.tells_receives
    if have >= need or (is_told and node.budget <= 0):
        return have
    key: Key = ("#" + kind, view, height, digest)
    sent = book.voters.get(key, {})
    spare = [index for index in range(members.count) if index not in votes and (index in sent or not book.is_reliable(height, index))]
    if is_told:
        spare = sorted(spare, key=lambda index: -members.weights[index])[: node.budget]
    taken = 0
    for index in spare:
        if have >= need:
            break
        have += members.weights[index]
        votes[index] = ASSUMED
        taken += 1
    if have < need and not node.book.is_over:
        for index in spare[:taken]:
            votes.pop(index, None)
        return key
    book.silent_count += taken
    if is_told:
        node.budget -= taken
    return have


def send_prepare(node: Node, record: TraceRecord) -> Key | None:
    """An own Prepare: for what was accepted, once a view and height."""
    g, height, digest = node.guards, record.height, record.digest
    view = record.view if record.view is not None else node.view
    if height is None or view is None or not digest:
        return None
    slot = node.slot(height)
    if (0, view) in slot.sent and slot.sent[0, view] == digest:
        return None
    if slot.is_known:
        g["prepare.accepted"] += 1
        if slot.accepted != digest:
            was = f"accepted {slot.accepted[:8]}" if slot.accepted else "nothing was accepted"
            node.fail("prepare.accepted", record, f"{was} at height {height}")
        _in_own_view(node, record, view, slot.view)
    g["prepare.single"] += 1
    known = slot.sent.setdefault((0, view), digest)
    if known != digest:
        node.fail("prepare.single", record, f"prepared {known[:8]} in view {view} before")
    g["prepare.durable"] += 1
    known = node.durable_votes.setdefault((0, view, height), digest)
    if known != digest:
        node.fail("prepare.durable", record, f"prepared {known[:8]} in view {view} in an earlier life")
    return None


def _in_own_view(node: Node, record: TraceRecord, view: int, of_slot: int) -> None:
    """An own vote names the view of what it is for, or the one the replica is in."""
    if node.view is not None:
        node.guards["vote.view"] += 1
        if view not in {of_slot, node.view}:
            node.fail("vote.view", record, f"is in view {node.view}, and what it votes for is of view {of_slot}", node.view, view)


def prepare_counted(node: Node, record: TraceRecord) -> Key | None:
    """A Prepare is counted; the own one as good as sent."""
    height = record.height
    if height is None or record.sender is None:
        return None
    if record.sender == node.index:
        send_prepare(node, record)
    count(node, record, node.slot(height).prepares, record.view if record.view is not None else node.view or 0)
    return None


def commit_counted(node: Node, record: TraceRecord) -> Key | None:
    """A Commit is counted; the own one as good as sent."""
    height = record.height
    if height is None or record.sender is None:
        return None
    if record.sender == node.index:
        send_commit(node, record)
    count(node, record, node.slot(height).commits, record.view if record.view is not None else node.view or 0)
    return None


def count(node: Node, record: TraceRecord, kind: dict[str, dict[int, int]], view: int) -> None:
    """One more vote among those for its digest."""
    g, height, sender = node.guards, record.height, record.sender
    assert height is not None
    assert sender is not None
    members = node.members(height)
    g["vote.member"] += 1
    if not 0 <= sender < members.count:
        node.fail("vote.member", record, f"there are {members.count} members, {sender} is none of them", members.count, sender)
    low = node.bottom()
    if low is not None:
        g["vote.window"] += 1
        if height <= low:
            node.fail("vote.window", record, f"height {height} is done with, the last is {low}", low + 1, height)
    votes = kind.get(record.digest)
    slot = node.slots[height]
    if votes is None:
        votes = kind[record.digest] = {}
        is_first = slot.is_open and not slot.is_counted and kind is slot.prepares and sender != node.index
        if is_first and record.weight == members.weight((sender,)):
            slot.is_counted = True  # none was counted before; what it is for may have been accepted, and its own Prepare be on its way
    g["vote.distinct"] += 1
    known = votes.get(sender)
    if known is not None and known >= view and node.dialect != "classic":
        node.fail("vote.distinct", record, f"the vote of {sender} in view {known} was counted before")
    votes[sender] = view
    if record.weight is not None:
        g["vote.weight"] += 1
        have = members.weight(votes)
        if record.weight != have and len(kind) > 1:
            # Whether a later vote for another digest takes the place of an earlier one is not told; from here on it is.
            for moved in [other for other in votes if other != sender and _voted_later(kind, record.digest, other, votes[other])]:
                del votes[moved]
            have = members.weight(votes)
        if slot.is_open:
            letter = "P" if kind is slot.prepares else "C" if kind is slot.commits else "K"
            have = settled(slot.surplus, (letter, record.digest), record.weight, have)
        if record.weight != have and (slot.is_known or (slot.is_counted and kind is slot.prepares)):
            node.fail("vote.weight", record, f"weight {record.weight} is told, {sorted(votes)} have {have}", have, record.weight)


def _voted_later(kind: dict[str, dict[int, int]], digest: str, voter: int, view: int) -> bool:
    """Whether `voter` has voted for another digest in a later view."""
    return any(other != digest and votes.get(voter, ASSUMED) > view for other, votes in kind.items())


def prepared(node: Node, record: TraceRecord) -> Key | None:
    """A quorum of Prepares for the accepted proposal."""
    g, height, digest = node.guards, record.height, record.digest
    view = record.view if record.view is not None else node.view
    if height is None or view is None:
        return None
    slot, members = node.slot(height), node.members(height)
    if slot.is_counted and not slot.lacks("P", digest):
        votes = slot.prepares.setdefault(digest, {})
        have = silently(node, "P", view, height, digest, votes, members.quorum)
        if not isinstance(have, int):
            return have
        g["prepared.quorum"] += 1
        if have < members.quorum:
            text = f"Prepared needs weight {members.quorum}, has {set_text(votes)}={have}"
            node.fail("prepared.quorum", record, text, members.quorum, have)
        node.book.margin("prepared.quorum", have - members.quorum)
        g["prepared.view"] += 1
        in_view = members.weight(sender for sender, seen in votes.items() if seen in {view, ASSUMED}) + slot.surplus.get(("P", digest), 0)
        if in_view < members.quorum:
            text = f"Prepares of view {view} needed of weight {members.quorum}, have {in_view}"
            node.fail("prepared.view", record, text, members.quorum, in_view)
        if slot.is_known:
            g["prepared.accepted"] += 1
            if slot.accepted != digest or slot.view != view:
                was = f"accepted {slot.accepted[:8]} in view {slot.view}" if slot.accepted else "nothing was accepted"
                node.fail("prepared.accepted", record, was)
    if node.in_timeout is not None:
        g["prepared.calm"] += 1
        if node.in_timeout:
            node.fail("prepared.calm", record, f"waits for view {node.to_view}")
    prepared_by_all(node, record, view)
    slot.lock, slot.lock_view = digest, view
    node.durable_locks[height] = (view, digest)
    return None


def prepared_by_all(node: Node, record: TraceRecord, view: int) -> None:
    """G6: nobody else has prepared another digest in this view."""
    book, height, digest = node.book, record.height, record.digest
    assert height is not None
    node.guards["prepared.same"] += 1
    known = book.prepared.setdefault((view, height), (digest, node.replica))
    if known[0] != digest:
        node.fail("prepared.same", record, f"{known[1]} has prepared {known[0][:8]} in view {view}")
    by = book.prepared_by.get((height, digest))
    if by is None:
        by = book.prepared_by[height, digest] = set()
    by.add(node.replica)


def send_commit(node: Node, record: TraceRecord) -> Key | None:
    """An own Commit: for what was prepared, once a view and height."""
    g, height, digest = node.guards, record.height, record.digest
    view = record.view if record.view is not None else node.view
    if height is None or view is None or not digest:
        return None
    slot = node.slot(height)
    if (1, view) in slot.sent and slot.sent[1, view] == digest:
        return None
    if slot.is_known:
        g["commit.prepared"] += 1
        if slot.lock != digest:
            was = f"prepared {slot.lock[:8]}" if slot.lock else "nothing was prepared"
            node.fail("commit.prepared", record, f"{was} at height {height}")
        _in_own_view(node, record, view, slot.lock_view)
    g["commit.single"] += 1
    known = slot.sent.setdefault((1, view), digest)
    if known != digest:
        node.fail("commit.single", record, f"a Commit for {known[:8]} was sent in view {view}")
    return None


def set_text(votes: dict[int, int]) -> str:
    """The voters, as in mathematics."""
    return "{" + ",".join(map(str, sorted(votes))) + "}"
