"""Standstills that the protocols are known to allow: told apart from bugs, by looking at the states of a connected core.

    views-forgotten   fisco3: a view lives in memory. Replicas that restarted ask for views 1, 2, 3 ...; the others stay as far ahead of
                      them as they are, and nobody reaches a quorum for one view while one more replica is away (spec 3.x 1.12)
    restarted-apart   fisco3: all restarted, and one of them, bound by a vote of a late view, asks for views after that vote while the
                      others begin with view 1; with one more away they never meet (the known limit of D9 in docs/pbft.md)
    two-locks         fisco2 (and fisco3 with Quirk.LOCK_NEVER_RELEASED): correct replicas are locked on different blocks and nothing
                      releases a lock, so the rest may be too few for either block (H1)

Rule. A standstill is known only when its cause is visible in the states; any other is a bug of the model or a new hole.

Sources: spec 3.x 1.12, 1.17; spec 2.x 1.11; observables 2.1 (H1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fiscotool.pbft.fisco2 import state as state2
from fiscotool.pbft.quorum import weight_of
from fiscotool.pbft.rules import Quirk
from fiscotool.pbft.state import NO_VIEW, ReplicaState


def known_stall_of_fisco3(states: Sequence[Any]) -> str | None:
    """The name of the standstill that these connected, correct replicas are in, or None."""
    known: list[ReplicaState] = [state for state in states if isinstance(state, ReplicaState)]
    if not known:
        return None
    first = known[0]
    settled = [state.me for state in known if state.me is not None and state.recovered]
    if 0 < len(settled) < len(known) and weight_of(settled, first.rules.weights) < first.quorum_weight:
        return "views-forgotten"
    targets = [state.to_view for state in known]
    is_bound = any(slot.voted_view > NO_VIEW and slot.pre is None for state in known for slot in state.slots)
    if not settled and is_bound and max(targets) > min(targets) + 1:
        return "restarted-apart"
    locks = {(slot.height, slot.cert.proposal.digest) for state in known for slot in state.slots[:1] if slot.cert is not None}
    return "two-locks" if len(locks) > 1 and first.rules.has(Quirk.LOCK_NEVER_RELEASED) else None


def known_stall_of_fisco2(states: Sequence[Any]) -> str | None:
    """The same for 2.x."""
    known: list[state2.ReplicaState] = [state for state in states if isinstance(state, state2.ReplicaState)]
    locks = [state2.lock_at_next(state) for state in known]
    digests = {lock.proposal.digest for lock in locks if lock is not None}
    return "two-locks" if len(digests) > 1 else None


def no_known_stall(states: Sequence[Any]) -> str | None:
    """For a protocol that promises to go on: every standstill is wrong."""
    assert states is not None
    return None
