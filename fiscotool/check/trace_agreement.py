"""Agreement: a quorum of Commits, or a proposal that others have agreed on; and what must then be true of all replicas.

Sources: spec 3.x 1.8 (9, 10), 1.9, 1.17; Castro & Liskov, OSDI'99, section 4.2; Howard et al., pbft-tlaplus, `CommittedInv`.
"""

from __future__ import annotations

from fiscotool.check.trace_book import Key
from fiscotool.check.trace_node import Node, Slot
from fiscotool.check.trace_votes import set_text, silently
from fiscotool.pbft.trace import TraceRecord

__all__ = ["agreed_by_all", "committed"]


def committed(node: Node, record: TraceRecord) -> Key | None:
    """A quorum of Commits for what was prepared; or a proposal pulled from another, which others have executed."""
    g, height, digest = node.guards, record.height, record.digest
    if height is None:
        return None
    slot, members = node.slot(height), node.members(height)
    view = node.view if record.view is None else record.view
    if slot.is_known and view is not None and not slot.lacks("C", digest):
        may_be_untold = not node.context.tells_receives or node.budget > 0
        by_votes = slot.lock == digest and (bool(slot.commits.get(digest)) or may_be_untold)
        if by_votes and not node.in_timeout and slot.lock_view == view:
            votes = slot.commits.setdefault(digest, {})
            have = silently(node, "C", view, height, digest, votes, members.quorum)
            if not isinstance(have, int):
                return have
            g["committed.quorum"] += 1
            text = f"Committed needs weight {members.quorum}, has {set_text(votes)}={have}"
            if have < members.quorum and not _is_executed_elsewhere(node, height):
                node.fail("committed.quorum", record, text, members.quorum, have)
            elif have < members.quorum:
                node.fail("committed.voted", record, text, members.quorum, have)
            elif have >= members.quorum:
                node.book.margin("committed.quorum", have - members.quorum)
                slot.committed_in = view
                node.in_timeout, node.to_view, node.cycle = False, view, 0
        elif not slot.is_open:
            _pulled(node, record, slot)
    g["committed.single"] += 1
    if slot.agreed and slot.agreed != digest:
        node.fail("committed.single", record, f"agreed on {slot.agreed[:8]} before")
    agreed_by_all(node, record)
    slot.agreed = digest
    return None


def _is_executed_elsewhere(node: Node, height: int) -> bool:
    """Whether others may have agreed on this height before: a checkpoint was counted, or somebody is not watched."""
    slot = node.slots.get(height)
    return slot is not None and any(slot.checkpoints.values())


def _pulled(node: Node, record: TraceRecord, slot: Slot) -> None:
    """Agreed without own quorum: pulled after others' checkpoints, or kept on the own disk from an earlier life."""
    g, book, height = node.guards, node.book, record.height
    assert height is not None
    g["committed.pulled"] += 1
    book.premises["pulled"] += 1
    known = book.agreed.get(height)
    is_own = (height, record.digest) in book.results or (known is not None and known[0] == record.digest)
    if is_own or any(slot.checkpoints.values()):
        g["committed.voted"] += 1
        node.fail("committed.voted", record, "was pulled from another, or kept from an earlier life")
        return
    if not slot.lock or slot.lock != record.digest:
        node.fail("committed.prepared", record, "nothing was prepared in this view, and nobody has agreed on it")
        return
    node.fail("committed.pulled", record, "no Commits were counted, and nobody has agreed on it")


def agreed_by_all(node: Node, record: TraceRecord) -> None:
    """G5: one proposal a height, prepared before by honest members of a quorum less f."""
    g, book, height, digest = node.guards, node.book, record.height, record.digest
    assert height is not None
    g["committed.same"] += 1
    known = book.agreed.setdefault(height, (digest, node.replica))
    if known[0] != digest:
        node.fail("committed.same", record, f"{known[1]} has agreed on {known[0][:8]}")
        return
    if known[1] != node.replica:
        return
    members = node.members(height)
    g["committed.backed"] += 1
    by = book.prepared_by.get((height, digest), ())
    silent = [index for index in range(members.count) if not book.is_reliable(height, index)]
    unknown = members.weight(index for index in silent if book.owner(height, index) not in by)
    have = unknown + members.weight(index for index in range(members.count) if book.owner(height, index) in by)
    need = members.quorum - members.join + 1
    if have < need and node.is_known and height != node.unknown_up_to:
        node.fail("committed.backed", record, f"prepared by {sorted(by)} only, of weight {have}, {need} needed", need, have)
