"""The bounds and the words of the abstract fisco3 model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

NODES: Final = 4
VALUES: Final = (1, 2)
"""What a leader may propose at a height. 0 is nothing, FILLER the empty block of a new leader."""
FILLER: Final = 3
NAMES: Final = ("-", "a", "b", "empty")
EVERYBODY: Final = tuple(range(NODES))
REMOVES: Final = 2
"""The first block that changes the list of members, see `Limits.leaves`."""

HOLES: Final = {
    "amnesia": "votes and locks are lost in a crash (H6)",
    "duplicate-signers": "repeated signers are counted again: a liar's certificates and new views need nobody else (H3)",
    "new-view-unchecked": "what a new view proposes again is not checked (FIB-124)",
    "proof-without-view": "a certificate does not name its view, so a liar can re-date it (H4)",
    "lock-never-released": "a locked replica refuses any other block for ever (H1)",
}
"""Quirks of the core (pbft.rules.Quirk, by value) that the model can take on."""

AROUND_THE_CORE: Final = {
    "empty-block-unchecked": "block synchronisation takes an empty block from one peer without looking at its signatures (H2)",
    "power-loss": "a crash loses what the disk had not kept: votes, locks, what was executed, and the last block (H7)",
}
"""Holes of what surrounds the core: synchronisation and disks."""

Slot = tuple[int, int, int]
"""(view, height, value)"""


class Lock(NamedTuple):
    """A prepared certificate as a view change reports it."""

    height: int
    view: int
    value: int


class Changed(NamedTuple):
    """A view change: `sender` asks for `view`, has written `written` blocks, and holds `locks` above them."""

    view: int
    sender: int
    written: int
    locks: tuple[Lock, ...]


class Entered(NamedTuple):
    """A new view: what is proposed again above height `base`, each with the view of the certificate it rests on (-1: a filler)."""

    view: int
    base: int
    again: tuple[Lock, ...]


@dataclass(frozen=True)
class Limits:
    """What is explored.

    heights, view_max   blocks 1..heights in views 0..view_max
    byzantine           a replica that says whatever it can sign, or None
    crashes             restarts, of all replicas together
    holes               names of HOLES and AROUND_THE_CORE
    quorum              votes that certify; 3 of 4, or fewer as a planted bug
    values              what a leader may choose from at each height
    symmetry            call the value that is proposed first at a height by the first name: half the states, the same verdict
    open_views          more than the protocol allows: nobody need ask for a view, and whatever was certified before, or a filler, may be
                        proposed again to anybody in it. What holds of all these schedules holds of the protocol's
    leaves              block 1 is a system block: its value b takes this replica off the list of members from height 2 on, its other
                        values leave the list as it is. Nothing is said above it by those who have not written it (D12)
    """

    heights: int = 1
    view_max: int = 0
    byzantine: int | None = None
    crashes: int = 0
    holes: frozenset[str] = frozenset()
    quorum: int = 3
    values: tuple[int, ...] = VALUES
    symmetry: bool = True
    open_views: bool = False
    leaves: int | None = None

    def are_alike(self, h: int) -> bool:
        """Whether the values that may be proposed at a height differ in name alone, and the walk may go by it."""
        return self.symmetry and not (self.leaves is not None and h == 1)

    @property
    def support(self) -> int:
        """Checkpoints that prove that an honest replica executed a block: f + 1."""
        return support_of(EVERYBODY)

    def members(self, h: int, first: int) -> tuple[int, ...]:
        """Who decides height `h` on top of the first block `first`."""
        return tuple(i for i in EVERYBODY if i != self.leaves) if h > 1 and first == REMOVES and self.leaves is not None else EVERYBODY

    def lists(self, h: int) -> tuple[tuple[int, ...], ...]:
        """Every list of members that may decide a height."""
        return tuple(dict.fromkeys((EVERYBODY, self.members(h, REMOVES))))

    def is_led_by_liar(self, h: int, view: int, members: tuple[int, ...] = EVERYBODY) -> bool:
        """Whether the Byzantine replica leads this height in this view."""
        return leader_of(h, view, members) == self.byzantine

    @property
    def honest(self) -> tuple[int, ...]:
        """Indexes of the replicas that follow the protocol."""
        return tuple(i for i in range(NODES) if i != self.byzantine)


def leader_of(height: int, view: int, members: tuple[int, ...] = EVERYBODY) -> int:
    """Rule D2, with a leader period of one block."""
    return members[(height + view) % len(members)]


def support_of(members: tuple[int, ...]) -> int:
    """How many are f + 1 of a list: so many checkpoints prove that an honest replica executed a block."""
    return (len(members) - 1) // 3 + 1


def bits_of(members: tuple[int, ...]) -> int:
    """A list as bits."""
    return sum(1 << i for i in members)
