"""Votes that are counted and do nothing else: what `step` would make of them, without asking every handler.

Most of what a replica hears are votes that complete nothing: one more Prepare before there are enough, or after. `count_vote` knows the
conditions under which the handlers of `normal`, `checkpoint` and `viewchange` leave everything but the count alone, and says None
whenever it is not sure.

Rule 1. What it returns is equal to what the handlers return, which then have no effects (tests/pbft/test_shortcut.py compares).
Rule 2. Whoever replaces a function of the core switches it off (`without_shortcut`), or the replacement would be passed by.

Why `settle` does nothing here: the height voted on is known, so either it is in consensus and the timer that runs is left running, or
it is agreed on, and then nobody asks for another leader.

Sources: `normal` rules 3 to 5, `checkpoint` rule 3, `admission`; bench/simulator.py for the share of such votes.
"""

from __future__ import annotations

from typing import Final

from fiscotool.pbft.counting import place_of, with_checkpoints, with_commits, with_prepares
from fiscotool.pbft.messages import CheckPoint, Commit, Message, Prepare
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.state import ReplicaState, Slot, with_slots
from fiscotool.pbft.types import NO_DIGEST, NodeIndex

HEAD_FIELDS: Final = 12
"""How many fields of a state, from the first to `slots`, are looked at."""
assert ReplicaState._fields[HEAD_FIELDS - 1] == "slots"


def count_vote(state: ReplicaState, message: Message) -> ReplicaState | None:
    """The state with the vote counted; None when it may do more than that, is refused, or is none."""
    if not isinstance(message, (Prepare, Commit, CheckPoint)):
        return None
    rules, me, quorum, _, height, _, view, _, in_timeout, _, _, slots = state[:HEAD_FIELDS]
    offset = message.index - height - 1
    sender = message.sender
    if me is None or rules.quirks or not 0 <= offset < len(slots) or not 0 <= sender < rules.node_count or not message.digest:
        return None
    if state.syncing_until > height:
        return None
    slot: Slot = slots[offset]
    changed: Slot | None
    if isinstance(message, CheckPoint):
        changed = _with_checkpoint(slot, message, slots[0], rules, quorum, me)
    elif message.view < view or not state.timer_on:
        return None
    elif isinstance(message, Prepare):
        changed = _with_prepare(slot, message, rules, quorum, -1 if in_timeout else view)
    else:
        changed = _with_commit(slot, message, rules, quorum, -1 if in_timeout else view)
    if changed is None:
        return None
    return with_slots(state, (changed,) if len(slots) == 1 else (*slots[:offset], changed, *slots[offset + 1 :]))


def _with_prepare(slot: Slot, message: Prepare, rules: Rules, quorum: int, view: int) -> Slot | None:
    """The slot with one more Prepare; None when that may prepare the proposal. `view` is -1 in timeout."""
    votes, pre, cert, sender = slot.prepares, slot.pre, slot.cert, message.sender
    is_idle = pre is None or pre.view != view or (cert is not None and cert.view >= view)
    if not is_idle and (len(votes) + 1) * rules.weight_max >= quorum:
        return None
    place = place_of(votes, sender)
    if place == len(votes):
        return with_prepares(slot, (*votes, message))
    return None if votes[place].sender == sender else with_prepares(slot, (*votes[:place], message, *votes[place:]))


def _with_commit(slot: Slot, message: Commit, rules: Rules, quorum: int, view: int) -> Slot | None:
    """The slot with one more Commit; None when that may agree on the proposal."""
    votes, pre, cert, sender = slot.commits, slot.pre, slot.cert, message.sender
    is_idle = pre is None or cert is None or not pre.view == cert.view == view
    is_idle = is_idle or (slot.agreed is not None and not slot.is_pulled) or slot.block_hash != NO_DIGEST
    if not is_idle and (len(votes) + 1) * rules.weight_max >= quorum:
        return None
    place = place_of(votes, sender)
    if place == len(votes):
        return with_commits(slot, (*votes, message))
    return None if votes[place].sender == sender else with_commits(slot, (*votes[:place], message, *votes[place:]))


def _with_checkpoint(slot: Slot, message: CheckPoint, first: Slot, rules: Rules, quorum: int, me: NodeIndex) -> Slot | None:
    """The slot with one more CheckPoint; None when that may make the next block stable or show that a proposal is lacking."""
    votes, sender = slot.checkpoints, message.sender
    if slot.agreed is None and sender != me and slot.pulling is None:
        return None
    is_idle = first.is_stable or first.block_hash == NO_DIGEST or first.agreed is None
    if not is_idle and (len(first.checkpoints) + 1) * rules.weight_max >= quorum:
        return None
    place = place_of(votes, sender)
    if place == len(votes):
        return with_checkpoints(slot, (*votes, message))
    return None if votes[place].sender == sender else with_checkpoints(slot, (*votes[:place], message, *votes[place:]))


def without_shortcut(state: ReplicaState, message: Message) -> ReplicaState | None:
    """Never sure: put in the place of `count_vote` wherever a handler is replaced."""
    del state, message
    return None
