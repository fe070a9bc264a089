"""From agreement to the ledger: execution, checkpoints, stable blocks, written, synchronised and reported ones; and how a life begins.

Rule 1. Heights are executed and written in order; what is written was stable, what is stable was executed here with the same result.
Rule 2. A head is the block written or synchronised last. A ledger outlives the process.
Rule 3. Once a height is in the ledger its slot is forgotten: votes for it are not counted any more.

Sources: spec 3.x 1.8 (11 to 14), 1.13, 1.16, 1.17.
"""

from __future__ import annotations

from fiscotool.check.trace_book import Key
from fiscotool.check.trace_node import Node
from fiscotool.check.trace_votes import count, set_text, silently
from fiscotool.pbft.trace import TraceRecord

__all__ = ["checkpoint_counted", "executed", "head", "ledger_commit", "send_checkpoint", "stable", "start", "stop", "synced", "written"]


def start(node: Node, record: TraceRecord) -> Key | None:
    """A process has begun."""
    node.book.premises["lives"] += 1
    node.life = record.life
    node.reset(is_known=True)
    return None


def stop(node: Node, _record: TraceRecord) -> Key | None:
    """A process ends as it was told to."""
    node.book.premises["stops"] += 1
    return None


def executed(node: Node, record: TraceRecord) -> Key | None:
    """A proposal was executed."""
    g, book, height, digest = node.guards, node.book, record.height, record.digest
    if height is None:
        return None
    slot = node.slot(height)
    if slot.is_known:
        g["executed.agreed"] += 1
        if not slot.agreed:
            node.fail("executed.agreed", record, f"height {height} was not agreed on")
        if node.next_executed is not None:
            g["executed.order"] += 1
            if height > node.next_executed:
                node.fail("executed.order", record, f"height {node.next_executed} comes first", node.next_executed, height)
    if slot.agreed:
        g["executed.same"] += 1
        known = book.results.setdefault((height, slot.agreed), (digest, node.replica))
        if known[0] != digest:
            node.fail("executed.same", record, f"{known[1]} has {known[0][:8]} for the same proposal")
    slot.executed = digest
    node.next_executed = height + 1
    return None


def send_checkpoint(node: Node, record: TraceRecord) -> Key | None:
    """The own result is told to the others."""
    g, height, digest = node.guards, record.height, record.digest
    if height is None:
        return None
    if node.head is not None and height <= node.head:
        return None
    slot = node.slot(height)
    if slot.result == digest:
        return None
    if slot.is_known:
        g["checkpoint.executed"] += 1
        if slot.executed != digest:
            was = f"executed with {slot.executed[:8]}" if slot.executed else "not executed"
            node.fail("checkpoint.executed", record, f"height {height} was {was}")
    g["checkpoint.single"] += 1
    if slot.result and digest not in {slot.result, slot.executed}:
        node.fail("checkpoint.single", record, f"{slot.result[:8]} was signed before")
    slot.result = digest
    return None


def checkpoint_counted(node: Node, record: TraceRecord) -> Key | None:
    """A checkpoint is counted; the own one as good as sent."""
    height = record.height
    if height is None or record.sender is None:
        return None
    if record.sender == node.index:
        send_checkpoint(node, record)
    count(node, record, node.slot(height).checkpoints, record.view if record.view is not None else 0)
    return None


def stable(node: Node, record: TraceRecord) -> Key | None:
    """A quorum has computed what this replica has."""
    g, height, digest = node.guards, record.height, record.digest
    if height is None:
        return None
    slot, members = node.slot(height), node.members(height)
    if slot.is_known:
        g["stable.executed"] += 1
        if slot.executed != digest:
            was = f"executed with {slot.executed[:8]}" if slot.executed else "not executed"
            node.fail("stable.executed", record, f"height {height} was {was}")
        votes = slot.checkpoints.setdefault(digest, {})
        need = 0 if slot.lacks("K", digest) else members.quorum
        have = silently(node, "K", 0, height, digest, votes, need)
        if not isinstance(have, int):
            return have
        g["stable.quorum"] += bool(need)
        if have < need:
            text = f"Stable needs weight {members.quorum}, has {set_text(votes)}={have}"
            node.fail("stable.quorum", record, text, members.quorum, have)
        if need:
            node.book.margin("stable.quorum", have - need)
    slot.is_stable = True
    return None


def ledger_commit(node: Node, record: TraceRecord) -> Key | None:
    """A block that was agreed on is written."""
    g, height = node.guards, record.height
    if height is None:
        return None
    slot = node.slot(height)
    if slot.is_known:
        g["ledger.stable"] += 1
        if not slot.is_stable:
            node.fail("ledger.stable", record, f"block {height} was not stable")
        elif slot.executed != record.digest:
            node.fail("ledger.stable", record, f"stable was {slot.executed[:8]}")
    written(node, record)
    return None


def synced(node: Node, record: TraceRecord) -> Key | None:
    """A block came by synchronisation: somebody had it."""
    g, book, height = node.guards, node.book, record.height
    if height is None:
        return None
    book.premises["synced"] += 1
    g["synced.known"] += 1
    if height not in book.ledger and all(book.is_trusted(height, index) for index in range(node.members(height).count)):
        if not book.is_over:
            return ("L", height)
        if not book.may_have_written(height):
            node.fail("synced.known", record, f"nobody had written block {height}")
    written(node, record)
    return None


def written(node: Node, record: TraceRecord) -> None:
    """One block more in the ledger of this replica; the same as in all others."""
    g, book, height, digest = node.guards, node.book, record.height, record.digest
    assert height is not None
    last = max(node.head if node.head is not None else -1, node.written)
    if last >= 0:
        g["ledger.order"] += 1
        is_same = height == last and book.ledger.get(height, ("",))[0] == digest
        if height != last + 1 and not is_same:
            node.fail("ledger.order", record, f"the ledger ends at {last}", last + 1, height)
    if digest:
        g["ledger.same"] += 1
        known = book.ledger.setdefault(height, (digest, node.replica))
        if known[0] != digest:
            node.fail("ledger.same", record, f"{known[1]} has {known[0][:8]} there")
    else:
        book.ledger.setdefault(height, (digest, node.replica))
    node.written = height
    if height > node.ledger_height:
        node.ledger_height, node.ledger_hash = height, digest


def head(node: Node, record: TraceRecord) -> Key | None:
    """A new head is reported; at the beginning of a life, the one the disk has."""
    g, book, height, digest = node.guards, node.book, record.height, record.digest
    if height is None:
        return None
    if node.head is None:
        _first_head(node, record, height)
    elif height != node.head:
        node.is_blurred = False
        g["head.written"] += 1
        if height > max(node.written, node.head):
            node.fail("head.written", record, f"written up to {max(node.written, node.head)}", max(node.written, node.head), height)
        g["head.durable"] += 1
        if height < node.head:
            node.fail("head.durable", record, f"the head was {node.head}", node.head, height)
    if digest and height > 0:
        g["ledger.same"] += 1
        known = book.ledger.setdefault(height, (digest, node.replica))
        if known[0] and known[0] != digest:
            node.fail("ledger.same", record, f"{known[1]} has {known[0][:8]} there")
    if height != node.head:
        for gone in [each for each in node.slots if each <= height]:
            del node.slots[gone]
        for gone in [each for each in node.durable_locks if each <= height]:
            del node.durable_locks[gone]
        if node.durable_votes:
            node.durable_votes = {key: vote for key, vote in node.durable_votes.items() if key[2] > height}
    node.head = height
    node.written = max(node.written, height)
    if node.next_executed is None or node.next_executed <= height:
        node.next_executed = height + 1
    if height > node.ledger_height:
        node.ledger_height, node.ledger_hash = height, digest
    return None


def _first_head(node: Node, record: TraceRecord, height: int) -> None:
    """The disk's head: not below what this replica wrote in an earlier life."""
    g = node.guards
    if node.is_known:
        g["head.durable"] += 1
        if 0 < height < node.ledger_height:
            node.fail("head.durable", record, f"the ledger ended at {node.ledger_height} before", node.ledger_height, height)
        elif height < node.ledger_height:
            # Genesis again: somebody has emptied the directory, which no process does.
            node.book.premises["ledgers emptied"] += 1
            node.fail("disk.kept", record, f"the ledger ended at {node.ledger_height} before", node.ledger_height, height)
            node.ledger_height, node.durable_locks = 0, {}
    else:
        node.unknown_up_to = height + 2 * node.context.pipeline_blocks
