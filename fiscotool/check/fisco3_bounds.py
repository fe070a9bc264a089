"""The bounds and the words of the abstract fisco3 model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

NODES: Final = 4
VALUES: Final = (1, 2)
"""What a leader may propose at a height. 0 is nothing, FILLER the empty block of a new leader."""
FILLER: Final = 3
NAMES: Final = ("-", "a", "b", "empty")

HOLES: Final = {
    "amnesia": "votes and locks are lost in a crash (H6)",
    "duplicate-signers": "repeated signers are counted again: a liar's certificates and new views need nobody else (H3)",
    "new-view-unchecked": "what a new view proposes again is not checked (FIB-124)",
    "proof-without-view": "a certificate does not name its view, so a liar can re-date it (H4)",
    "lock-never-released": "a locked replica refuses any other block for ever (H1)",
}
"""Quirks of the core (pbft.rules.Quirk, by value) that the model can take on."""

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
    holes               names of HOLES
    quorum              votes that certify; 3 of 4, or fewer as a planted bug
    values              what a leader may choose from at each height
    symmetry            call the value that is proposed first at a height by the first name: half the states, the same verdict
    """

    heights: int = 1
    view_max: int = 0
    byzantine: int | None = None
    crashes: int = 0
    holes: frozenset[str] = frozenset()
    quorum: int = 3
    values: tuple[int, ...] = VALUES
    symmetry: bool = True

    @property
    def honest(self) -> tuple[int, ...]:
        """Indexes of the replicas that follow the protocol."""
        return tuple(i for i in range(NODES) if i != self.byzantine)


def leader_of(height: int, view: int) -> int:
    """Rule D2, with a leader period of one block."""
    return (height + view) % NODES
