"""Edits of what there is and in which order: delete, duplicate, swap, move before its cause.

Sources: `edits_clean.CAUSES_OF`; observables 3.2.
"""

from __future__ import annotations

from dataclasses import replace

from fiscotool.check.edits_clean import VOTES, Change, Clean, renumbered
from fiscotool.pbft.trace import Act

__all__ = ["delete", "duplicate", "move_before_cause", "swap"]


def delete(clean: Clean, replica: str, place: int) -> Change | None:
    """The record is gone."""
    lane = clean.lanes[replica]
    record = lane[place]
    if record.act is Act.START:
        return None
    must, why = False, "it may have happened untold, or a message been lost"
    if clean.is_told(replica, record.life):
        if record.act in VOTES:
            later = [at for at in clean.counted_after(replica, place) if _shows(clean, replica, place, at)]
            must, why = bool(later), "a later vote's weight counts this one"
        elif record.act in clean.needed:
            needy = [
                at for at in clean.same(replica, place, clean.needed[record.act], before=False) if clean.causes(replica, at) == [place]
            ]
            must, why = bool(needy), "what follows from it is told, and nothing else it could follow from"
        elif record.act is Act.PROPOSE and clean.dialect == "fisco3":
            # Who accepts its own proposal has made it, whether that is told or not.
            own = [at for at in clean.about[replica, record.life, record.height or 0] if lane[at].act is Act.ACCEPT_PROPOSAL]
            must = all(lane[at].digest != record.digest for at in own) and _was_accepted_elsewhere(clean, replica, place)
            why = "others accepted it from this leader, who never proposed it"
    return Change(renumbered([*lane[:place], *lane[place + 1 :]]), must, why)


def _shows(clean: Clean, replica: str, place: int, later: int) -> bool:
    """Whether the weight told at `later` counts the vote at `place`."""
    lane = clean.lanes[replica]
    before, after = lane[place].weight, lane[later].weight
    return before is not None and after is not None and after > before and not clean.moves_between(replica, place, later)


def _was_accepted_elsewhere(clean: Clean, replica: str, place: int) -> bool:
    record = clean.lanes[replica][place]
    if record.height is None:
        return False
    times = sum(
        each.act in {Act.PROPOSE, Act.REPROPOSE} and (each.height, each.digest) == (record.height, record.digest)
        for lane in clean.lanes.values()
        for each in lane
    )
    return times == 1 and any(
        each.act is Act.ACCEPT_PROPOSAL and each.sender == record.index and (each.height, each.digest) == (record.height, record.digest)
        for name, lane in clean.lanes.items()
        if name != replica
        for each in lane
    )


def duplicate(clean: Clean, replica: str, place: int) -> Change | None:
    """The record is there twice, one right after the other."""
    lane = clean.lanes[replica]
    record = lane[place]
    if record.act is Act.START:
        return None
    is_vote = record.act in VOTES and clean.is_told(replica, record.life) and _counts_twice(clean, replica, place)
    why = "one member's vote for one thing is counted twice" if is_vote else "doing it again changes nothing"
    return Change(renumbered([*lane[: place + 1], *lane[place:]]), is_vote, why)


def _counts_twice(clean: Clean, replica: str, place: int) -> bool:
    """Whether a vote that comes again is told as counted: 2.x looks at no own one, nor at a written height; the paper takes any."""
    lane = clean.lanes[replica]
    vote = lane[place]
    if clean.dialect != "fisco2":
        return clean.dialect == "fisco3"
    return vote.sender != vote.index and not clean.same(replica, place, (Act.HEAD, Act.SYNCED_BLOCK, Act.LEDGER_COMMIT), before=True)


def swap(clean: Clean, replica: str, place: int) -> Change | None:
    """The record and the next one of its replica change places; times stay."""
    lane = clean.lanes[replica]
    if place + 1 >= len(lane):
        return None
    first, second = lane[place], lane[place + 1]
    if first.life != second.life or Act.START in {first.act, second.act} or first == second:
        return None
    is_told = clean.is_told(replica, first.life)
    must = is_told and clean.causes(replica, place + 1) == [place]
    why = "the second follows from the first and from nothing else told" if must else "they may happen in either order"
    if is_told and not must and first.act in VOTES and first.act is second.act and None not in {first.weight, second.weight}:
        must = place in clean.counted_before(replica, place + 1) and first.weight != second.weight
        why = "the weights told then fall while votes are counted"
    moved = [replace(second, at_s=first.at_s), replace(first, at_s=second.at_s)]
    return Change(renumbered([*lane[:place], *moved, *lane[place + 2 :]]), must, why)


def move_before_cause(clean: Clean, replica: str, place: int) -> Change | None:
    """The record is moved to right before what it follows from, or a counted vote to before it was sent."""
    lane = clean.lanes[replica]
    record = lane[place]
    causes = clean.causes(replica, place)
    if not causes:
        return None
    to = causes[0]
    moved = replace(record, at_s=lane[to].at_s)
    must = clean.is_told(replica, record.life)
    edited = [*lane[:to], moved, *lane[to:place], *lane[place + 1 :]]
    return Change(renumbered(edited), must, "nothing it could follow from comes before it")
