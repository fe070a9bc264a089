"""What a step changed in what a replica keeps of each height, as acts: the part of a trace in which the dialects differ.

Sources: `pbft.state`, `pbft.classic.state`, `pbft.fisco2.state`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fiscotool.pbft.messages import CheckPoint, Commit, Prepare
from fiscotool.pbft.trace import Act

__all__ = ["counted", "slot_acts", "votes_in"]

Told = tuple[Act, int, int | None, bytes, int | None]
"""Act, height, view, digest, sender."""


def slot_acts(dialect: str, before: Any, after: Any) -> Iterator[Told]:
    """What was accepted, prepared, agreed on and found stable in this step."""
    if dialect == "fisco2":
        yield from _acts2(before, after)
        return
    if dialect == "classic" and after.low > before.low:
        proof = after.stable[0].digest if after.stable else b""
        yield Act.STABLE, after.low, None, proof, None
    if after.slots is before.slots:
        return
    known = {slot.height: slot for slot in before.slots}
    for slot in after.slots:
        old = known.get(slot.height)
        if slot is not old:
            yield from _acts3(old, slot, before, after) if dialect == "fisco3" else _acts_classic(old, slot, after)


def _acts3(old: Any, slot: Any, before: Any, after: Any) -> Iterator[Told]:
    height = slot.height
    if slot.pre is not None and (old is None or slot.pre is not old.pre):
        yield Act.ACCEPT_PROPOSAL, height, slot.pre.view, slot.pre.digest, slot.pre.sender
    if slot.cert is not None and (old is None or slot.cert is not old.cert) and (old is not None or before.view >= 0):
        yield Act.PREPARED, height, slot.cert.view, slot.cert.proposal.digest, None
    if slot.agreed is not None and (old is None or slot.agreed is not old.agreed):
        yield Act.COMMITTED_LOCAL, height, after.view, slot.agreed.digest, None
    if slot.is_stable and (old is None or not old.is_stable):
        yield Act.STABLE, height, after.view, slot.block_hash, None


def _acts_classic(old: Any, slot: Any, after: Any) -> Iterator[Told]:
    height = slot.height
    if slot.pre is not None and (old is None or slot.pre is not old.pre):
        yield Act.ACCEPT_PROPOSAL, height, slot.pre.view, slot.pre.digest, slot.pre.sender
    if slot.cert is not None and (old is None or slot.cert is not old.cert):
        yield Act.PREPARED, height, slot.cert.view, slot.cert.proposal.digest, None
    if slot.committed is not None and (old is None or slot.committed is not old.committed):
        yield Act.COMMITTED_LOCAL, height, after.view, slot.committed.digest, None


def _acts2(before: Any, after: Any) -> Iterator[Told]:
    height = after.height + 1
    if after.raw is not None and after.raw is not before.raw:
        yield Act.ACCEPT_PROPOSAL, after.raw.index, after.raw.view, after.raw.digest, after.raw.sender
    if after.lock is not None and after.commit_view != before.commit_view and after.height == before.height:
        yield Act.PREPARED, height, after.lock.view, after.lock.proposal.digest, None
    if after.is_saving and not before.is_saving:
        yield Act.COMMITTED_LOCAL, height, after.view, after.executed_hash, None


def counted(dialect: str, before: Any, after: Any) -> Iterator[Told]:
    """The votes of 2.x and of the paper that were counted in this step: those that came, and those that had waited."""
    if dialect == "fisco2":
        yield from _counted2(before, after)
    elif dialect == "classic":
        yield from _counted_classic(before, after)


def _counted_classic(before: Any, after: Any) -> Iterator[Told]:
    if after.checkpoints is not before.checkpoints or after.stable is not before.stable:
        for vote in (*after.checkpoints, *(after.stable if after.stable is not before.stable else ())):
            if vote not in before.checkpoints:
                yield Act.RECEIVE_CHECKPOINT, vote.index, vote.view, vote.digest, vote.sender
    if after.slots is before.slots:
        return
    known = {slot.height: slot for slot in before.slots}
    for slot in after.slots:
        old = known.get(slot.height)
        if slot is old:
            continue
        for act, votes, had in (
            (Act.RECEIVE_PREPARE, slot.prepares, old.prepares if old is not None else ()),
            (Act.RECEIVE_COMMIT, slot.commits, old.commits if old is not None else ()),
        ):
            primary = None if act is Act.RECEIVE_COMMIT else slot.pre
            for vote in votes:
                # The primary's pre-prepare is its vote, and was told as such.
                is_told = primary is not None and vote.sender == vote.view % len(after.rules.weights) and vote.digest == primary.digest
                if vote not in had and not is_told:
                    yield act, vote.index, vote.view, vote.digest, vote.sender


def _counted2(before: Any, after: Any) -> Iterator[Told]:
    for act, known, kept in ((Act.RECEIVE_PREPARE, before.signs, after.signs), (Act.RECEIVE_COMMIT, before.commits, after.commits)):
        if kept is not known:
            for vote in kept:
                if vote not in known:
                    yield act, vote.index, vote.view, vote.digest, vote.sender


def votes_in(state: Any, vote: Prepare | Commit | CheckPoint) -> tuple[Any, ...]:
    """The votes of the kind of `vote`, for its height, that `state` has."""
    if isinstance(vote, CheckPoint) and hasattr(state, "checkpoints"):
        return tuple(other for other in state.checkpoints if other.index == vote.index)
    slot = next((slot for slot in state.slots if slot.height == vote.index), None)
    if slot is None:
        return ()
    if isinstance(vote, Prepare):
        return tuple(slot.prepares)
    return tuple(slot.commits if isinstance(vote, Commit) else slot.checkpoints)
