"""States that differ only in names are one state: the group of renamings, applied to packed states a byte at a time.

A renaming moves bits: it is told by where each moves. Of all images of a state the least stands for them. A walk that keeps only those
finds the same violations, for a property that no renaming changes, and the sizes of the orbits add up to the states of the full walk.

Laws: the renamings and the identity form a group; the model's steps commute with each of them; bits never change their place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import getitem

Places = Sequence[int]
"""For each bit of a state its place after a renaming."""

BYTE = 8


class Symmetry:
    """A group of renamings of a model whose states may grow wider while it is walked."""

    def __init__(self, renamings: Callable[[], Sequence[Places]]) -> None:
        self._renamings = renamings
        self._width = 0
        self._bytes = 0
        self._tables: list[list[list[int]]] = []

    @property
    def order(self) -> int:
        """How many renamings there are, the identity included."""
        return len(self._renamings()) + 1

    def refresh(self) -> None:
        """Takes in bits that the model has given out since."""
        renamings = self._renamings()
        width = len(renamings[0]) if renamings else 0
        if width == self._width:
            return
        first = self._width // BYTE
        self._bytes = (width + BYTE - 1) // BYTE
        self._tables = [
            [*(self._tables[k][:first] if self._tables else []), *(_table(places, at) for at in range(first, self._bytes))]
            for k, places in enumerate(renamings)
        ]
        self._width = width

    def images(self, state: int) -> set[int]:
        """The orbit of a state."""
        if not self._tables:
            return {state}
        told = state.to_bytes(self._bytes, "little")
        return {state, *(sum(map(getitem, tables, told)) for tables in self._tables)}

    def least(self, state: int) -> int:
        """The state that stands for all of its orbit."""
        if not self._tables:
            return state
        told = state.to_bytes(self._bytes, "little")
        for tables in self._tables:
            image = sum(map(getitem, tables, told))
            state = min(state, image)
        return state


def _table(places: Places, at: int) -> list[int]:
    """What each value of byte `at` becomes."""
    moved = [1 << place for place in places[at * BYTE : at * BYTE + BYTE]]
    table = [0]
    for one in moved:
        table += [value | one for value in table]
    return table + [0] * ((1 << BYTE) - len(table))
