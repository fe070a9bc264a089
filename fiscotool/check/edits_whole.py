"""Edits of many records at once: a signer dropped from a quorum, a restart forged, two runs spliced, a clock shifted.

Sources: `edits_clean`; observables 3.2, 4; spec 3.x 1.12 (views are in memory only).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from fiscotool.check.edits_clean import SENDS, VIEW_ACTS, VOTES, Change, Clean, renumbered
from fiscotool.pbft.trace import Act, TraceRecord

__all__ = ["drop_signer", "forge_restart", "shift_clock", "transplant"]

_DECIDED: Final = {Act.PREPARED: Act.RECEIVE_PREPARE, Act.STABLE: Act.RECEIVE_CHECKPOINT}
"""What is decided by a quorum of which votes; a Commit quorum may be replaced by a proposal pulled from others."""


def drop_signer(clean: Clean, replica: str, place: int) -> Change | None:
    """Of the votes that made a quorum, all are gone but those of less than a quorum; weights told are made to fit."""
    lane = clean.lanes[replica]
    record = lane[place]
    kind = _DECIDED.get(record.act)
    # 2.x is prepared on votes for the result; in the paper the primary's proposal is a vote that is not told as one.
    if kind is None or clean.dialect == "fisco2" or (clean.dialect == "classic" and record.act is Act.PREPARED):
        return None
    counted = [
        at
        for at in clean.same(replica, place, (kind,), before=True)
        if lane[at].digest == record.digest and (kind is Act.RECEIVE_CHECKPOINT or lane[at].view == record.view)
    ]
    senders = {lane[at].sender: at for at in counted if lane[at].sender is not None}
    others = [sender for sender in senders if sender is not None and sender != record.index]
    gone: set[int] = set()
    while others and clean.weight(each for each in senders if each is not None and senders[each] not in gone) >= clean.quorum:
        gone.add(senders[others.pop()])
    if not gone:
        return None
    edited = []
    for at, each in enumerate(lane):
        if at in gone:
            continue
        lost = sum(
            clean.weights[lane[other].sender or 0]
            for other in gone
            if other < at and each.act is kind and (each.height, each.digest) == (lane[other].height, lane[other].digest)
        )
        edited.append(replace(each, weight=each.weight - lost) if lost and each.weight is not None else each)
    must = clean.is_told(replica, record.life) and clean.weight(each for each in senders if each is not None) >= clean.quorum
    return Change(renumbered(edited), must, "less than a quorum is left when it is decided")


def forge_restart(clean: Clean, replica: str, place: int) -> Change | None:
    """The process seems to begin anew before this record."""
    lane = clean.lanes[replica]
    record = lane[place]
    if place == 0 or record.act is Act.START:
        return None
    start = TraceRecord(replica, record.life + 1, 0, record.at_s, Act.START, index=record.index, error_s=record.error_s)
    after = [replace(each, life=each.life + 1) for each in lane[place:]]
    told: set[int] = set()
    for each in lane[place:]:
        if each.act is Act.START:
            break
        if each.act in VIEW_ACTS:
            # A report may show the view before it says that it was entered.
            told.discard(each.view if each.view is not None else each.own_view or 0)
            break
        if each.own_view and each.act is not Act.HEAD:
            told.add(each.own_view)
    must = bool(told) and clean.dialect != "classic"  # the paper's view outlives the process
    edited = renumbered([*lane[:place], start, *after])
    return Change(edited, must, "a new process is in view 0 until it enters another" if must else "it may have begun anew there")


def transplant(clean: Clean, other: Clean, replica: str) -> Change:
    """The replica's records of another run."""
    lane = other.lanes[replica]
    must = any(
        each.act in VOTES and each.sender != each.index and clean.key(SENDS[each.act], each.sender, each) not in clean.sent for each in lane
    )
    return Change(list(lane), must, "it counts votes that nobody sent" if must else "the runs may be alike so far")


def shift_clock(clean: Clean, replica: str, by_s: float, slack_s: float) -> Change:
    """All times of the replica are `by_s` later (earlier if negative)."""
    lane = [replace(each, at_s=each.at_s + by_s) for each in clean.lanes[replica]]
    must = any(_is_too_early(clean, each, slack_s) for each in lane)
    if not must and by_s > 0:
        sent = {
            clean.key(SENDS[each.act], each.index, each): each
            for each in clean.lanes[replica]
            if each.act in VOTES and each.sender == each.index
        }
        must = any(
            each.act in VOTES
            and each.sender != each.index
            and (own := sent.get(clean.key(SENDS[each.act], each.sender, each))) is not None
            and each.at_s + each.error_s + slack_s
            < clean.sent_s[clean.key(SENDS[each.act], each.sender, each)] + by_s - own.error_s - slack_s
            for name, others in clean.lanes.items()
            if name != replica
            for each in others
        )
    return Change(
        lane, must, "a vote is counted before it was sent, by more than the clocks' error" if must else "the clocks may differ so"
    )


def _is_too_early(clean: Clean, each: TraceRecord, slack_s: float) -> bool:
    if each.act not in VOTES or each.sender == each.index:
        return False
    sent_s = clean.sent_s.get(clean.key(SENDS[each.act], each.sender, each))
    return sent_s is not None and each.at_s + 2 * (each.error_s + slack_s) < sent_s
