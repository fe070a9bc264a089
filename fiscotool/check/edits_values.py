"""Edits of what one record says: sender, height, view, digest, weight.

Rule. A vote is told by its sender as well: a counted vote of other values was never sent. An own act of other values does not follow from
what the replica tells of itself before.

Sources: `edits_clean`; observables 3.2.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fiscotool.check.edits_clean import SENDS, VOTES, Change, Clean
from fiscotool.pbft.trace import Act, TraceRecord

__all__ = ["change_sender", "flip_hash", "height_down", "height_up", "view_down", "view_up", "weight_down"]


def _with(clean: Clean, replica: str, place: int, must: bool, why: str, **changed: Any) -> Change:  # noqa: FBT001 (a private builder)
    lane = list(clean.lanes[replica])
    lane[place] = replace(lane[place], **changed)
    return Change(lane, must, why if must else "it may still be a run")


def _was_never_sent(clean: Clean, changed: TraceRecord) -> bool:
    """Whether no replica sent the vote that `changed` counts."""
    if clean.dialect != "fisco3" and changed.sender == changed.index:
        return False  # the others take the own vote from the step that sends it
    return changed.act in VOTES and clean.key(SENDS[changed.act], changed.sender, changed) not in clean.sent


def change_sender(clean: Clean, replica: str, place: int) -> Change | None:
    """A counted vote is another member's."""
    record = clean.lanes[replica][place]
    if record.act not in VOTES or record.sender is None or record.sender == record.index:
        return None
    sender = (record.sender + 1) % len(clean.weights)
    sender = (sender + 1) % len(clean.weights) if sender == record.index else sender
    if sender == record.sender:
        return None
    earlier = {clean.lanes[replica][at].sender for at in clean.counted_before(replica, place)}
    later = {clean.lanes[replica][at].sender for at in clean.counted_after(replica, place)}
    is_told = clean.is_told(replica, record.life)
    must = _was_never_sent(clean, replace(record, sender=sender)) or (is_told and clean.dialect != "classic" and sender in earlier | later)
    return _with(clean, replica, place, must, "that member never sent it, or was counted already", sender=sender)


def height_up(clean: Clean, replica: str, place: int) -> Change | None:
    """One height more."""
    return _height(clean, replica, place, 1)


def height_down(clean: Clean, replica: str, place: int) -> Change | None:
    """One height less."""
    return _height(clean, replica, place, -1)


def _height(clean: Clean, replica: str, place: int, by: int) -> Change | None:
    record = clean.lanes[replica][place]
    if record.height is None or record.height + by < 1:
        return None
    changed = replace(record, height=record.height + by)
    return _with(
        clean, replica, place, _is_alien(clean, replica, place, changed), "nothing told is about that height", height=changed.height
    )


def _is_alien(clean: Clean, replica: str, place: int, changed: TraceRecord) -> bool:
    """Whether the changed record cannot follow from what is told: no such vote was sent, or nothing of this life leads to it."""
    if changed.act in VOTES:
        return _was_never_sent(clean, changed)
    acts, by_digest = clean.caused.get(changed.act, ((), False))
    if not by_digest or not clean.is_told(replica, changed.life):
        return changed.act is Act.PROPOSE and _is_not_led(clean, changed)
    lane = clean.lanes[replica]
    about = clean.about[replica, changed.life, changed.height or 0]
    return not any(at < place and lane[at].act in acts and lane[at].digest == changed.digest for at in about)


def _is_not_led(clean: Clean, changed: TraceRecord) -> bool:
    if changed.height is None or changed.view is None or changed.view < 0:
        return False
    return clean.leader(changed.height, changed.view) != changed.index


def view_up(clean: Clean, replica: str, place: int) -> Change | None:
    """One view more."""
    return _view(clean, replica, place, 1)


def view_down(clean: Clean, replica: str, place: int) -> Change | None:
    """One view less."""
    return _view(clean, replica, place, -1)


def _view(clean: Clean, replica: str, place: int, by: int) -> Change | None:
    record = clean.lanes[replica][place]
    if record.view is None or record.view + by < 0 or record.act is Act.RECEIVE_CHECKPOINT:
        return None
    changed = replace(record, view=record.view + by)
    must, why = False, ""
    if changed.act in VOTES:
        must, why = _was_never_sent(clean, changed), "nobody voted for that in that view"
    elif changed.act is Act.PROPOSE:
        must, why = _is_not_led(clean, changed), "another leads that height in that view"
    elif changed.act is Act.PREPARED and clean.dialect != "fisco2" and clean.is_told(replica, record.life):
        accepted = clean.same(replica, place, (Act.ACCEPT_PROPOSAL,), before=True)
        must, why = all(clean.lanes[replica][at].view != changed.view for at in accepted), "nothing was accepted in that view"
    elif changed.act is Act.ENTER_VIEW and clean.dialect != "fisco2" and clean.is_told(replica, record.life):
        must, why = changed.view not in clean.entered, "nobody made a NewView of that view"
    return _with(clean, replica, place, must, why, view=changed.view)


def flip_hash(clean: Clean, replica: str, place: int) -> Change | None:
    """The first digit of the digest is another."""
    record = clean.lanes[replica][place]
    if not record.digest:
        return None
    flipped = ("0" if record.digest[0] != "0" else "1") + record.digest[1:]
    changed = replace(record, digest=flipped)
    must, why = _is_alien(clean, replica, place, changed), "nobody voted for it, or nothing of this life leads to it"
    if record.act in {Act.HEAD, Act.SYNCED_BLOCK} and record.height:
        must, why = bool(clean.written[record.height] - {replica}), "another has another block at that height"
    elif record.act is Act.EXECUTED and clean.is_told(replica, record.life):
        decided = Act.COMMITTED_LOCAL if clean.dialect == "fisco2" else Act.STABLE
        later = clean.same(replica, place, (decided,), before=False)
        again = [at for before in (True, False) for at in clean.same(replica, place, (Act.EXECUTED,), before=before)]
        must = any(clean.lanes[replica][at].digest == record.digest for at in later) and clean.dialect != "classic"
        must = must and (clean.dialect == "fisco3" or not again)
        why = "another result was decided on here"
    elif record.act is Act.COMMITTED_LOCAL and clean.is_told(replica, record.life):
        others = (each for name, lane in clean.lanes.items() if name != replica for each in lane)
        must = any(each.act is Act.COMMITTED_LOCAL and each.height == record.height for each in others)
        why = "another agreed on another proposal at that height"
    return _with(clean, replica, place, must, why, digest=flipped)


def weight_down(clean: Clean, replica: str, place: int) -> Change | None:
    """The weight told with a counted vote is one less."""
    record = clean.lanes[replica][place]
    if record.act not in VOTES or record.weight is None or record.weight < 1:
        return None
    must = clean.is_told(replica, record.life)
    return _with(clean, replica, place, must, "the distinct votes counted weigh more", weight=record.weight - 1)
