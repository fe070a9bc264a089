"""The words of the packed transcription: where things are in a state, and the messages that get their bits at run time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

Slot = tuple[int, int, int]
"""(view, number, digest)"""

Proofs = tuple[tuple[Slot, int], ...]
"""What a view change proves: each slot with the set of those who prepared it, as bits."""

Step = tuple[str, str, int]
"""(action, label, state after it)"""

VIEW_BITS: Final = 4
STATE_BITS: Final = 4


class ViewChanged(NamedTuple):
    """A view-change message. `low` and `signers` are of the stable checkpoint: its number and who told it, as bits; 0 for none."""

    view: int
    sender: int
    proofs: Proofs
    low: int = 0
    signers: int = 0


class NewViewed(NamedTuple):
    """A new-view message: its view changes, and the (number, digest) of its proposals."""

    view: int
    changes: frozenset[ViewChanged]
    proposals: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Log:
    """Where a replica's own bits are."""

    request: dict[int, int]
    proposal: dict[Slot, int]
    prepare: dict[Slot, int]
    commit: dict[Slot, int]
    checkpoint: dict[int, int]
    stable: dict[int, int]
    view: int
    state: int
    changing: int


@dataclass(frozen=True)
class Layout:
    """Where everything is that exists from the beginning."""

    sent_proposal: dict[Slot, int]
    sent_prepare: dict[Slot, int]
    sent_commit: dict[Slot, int]
    sent_checkpoint: dict[int, int]
    logs: list[Log]
    reply: dict[tuple[Slot, int], int]


def bits_at(places: Iterable[int], pattern: int) -> int:
    """`pattern` at every one of `places`."""
    return sum(pattern << at for at in places)
