"""Where a vote goes: the sorted votes of one height, and a slot with others in their place.

Rule. The votes of a kind at a height are sorted by sender, one each, so a vote is found by bisection.

Every message of the normal case passes here, so each function is as short as it can be (bench/core_steps.py).

Sources: bcos-pbft `cache/PBFTCache.h`, which keeps votes by digest and sender; OSDI'99 section 4.2.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from operator import attrgetter

from fiscotool.pbft.messages import CheckPoint, Commit, Prepare
from fiscotool.pbft.quick import one_field
from fiscotool.pbft.state import Slot
from fiscotool.pbft.types import NodeIndex

with_prepares = one_field(Slot, "prepares")
"""`slot._replace(prepares=…)`."""

with_commits = one_field(Slot, "commits")
"""`slot._replace(commits=…)`."""

with_checkpoints = one_field(Slot, "checkpoints")
"""`slot._replace(checkpoints=…)`."""

_sender = attrgetter("sender")


def place_of(votes: Sequence[Prepare | Commit | CheckPoint], sender: NodeIndex) -> int:
    """Where the vote of `sender` is in `votes`, or would be."""
    if not votes or votes[-1].sender < sender:
        return len(votes)
    return bisect_left(votes, sender, key=_sender)
