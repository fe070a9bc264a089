"""Which renamings the small published specification does not notice, as moves of bits of its packed states.

Replicas that lead no view within the bounds are exchangeable, those that accept votes and those that do not among their own kind; so are
the timestamps, which only name requests. Numbers and views are not: they are counted and compared. GenerateO picks the proposal of the
least view, and without a Byzantine replica two proposals of one view and number never differ, so its choice depends on no name.

Sources: as fiscotool.check.howard; Clarke, Emerson, Jha, Sistla, Symmetry reductions in model checking, CAV'98.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import permutations, product

from fiscotool.check.howard_bits import STATE_BITS, VIEW_BITS, Log, NewViewed, Slot, ViewChanged
from fiscotool.check.howard_packed import PackedHoward
from fiscotool.check.howard_terms import Bounds

Renaming = tuple[tuple[int, ...], tuple[int, ...]]
"""New names of the replicas and of the digests; digest 0 keeps its name."""


def renamings_of(bounds: Bounds) -> list[Renaming]:
    """Every renaming but the identity."""
    everyone = range(bounds.replicas)
    leaders = {view % bounds.replicas for view in range(bounds.view_max + 1)}
    followers = [i for i in everyone if i not in leaders]
    kinds = [[i for i in followers if (i in bounds.acc) is accepts] for accepts in (True, False)]
    stamps = range(1, bounds.tstamps + 1)
    found = []
    for first, second, digests in product(permutations(kinds[0]), permutations(kinds[1]), permutations(stamps)):
        new = dict(zip((*kinds[0], *kinds[1]), (*first, *second), strict=True))
        found.append((tuple(new.get(i, i) for i in everyone), (0, *digests)))
    identity = (tuple(everyone), (0, *stamps))
    return [one for one in found if one != identity]


class HowardRenamings:
    """Calling it gives, for each renaming, where every bit of a state goes; messages made meanwhile are taken in."""

    def __init__(self, model: PackedHoward) -> None:
        self._model = model
        self._renamings = renamings_of(model.bounds)
        self._places: list[tuple[int, ...]] = []
        self._width = -1

    def __call__(self) -> list[tuple[int, ...]]:
        """One tuple a renaming."""
        if self._model.width != self._width:
            self._close()
            self._width = self._model.width
            self._places = [tuple(self._moved(one)) for one in self._renamings]
        return self._places

    def _close(self) -> None:
        """Gives a bit to every renamed message."""
        for message in list(self._model.messages):
            for one in self._renamings:
                self._model.place_of(_rename(message, one))

    def _moved(self, renaming: Renaming) -> list[int]:
        new, _ = renaming
        layout = self._model.layout
        places = list(range(self._model.width))
        for at, to in self._pairs(layout.sent_proposal, layout.sent_proposal, renaming):
            places[at] = to
        for table in (layout.sent_prepare, layout.sent_commit):
            _move_votes(places, table, table, renaming)
        _move_checkpoints(places, layout.sent_checkpoint, layout.sent_checkpoint, renaming)
        for i, log in enumerate(layout.logs):
            _move_log(places, log, layout.logs[new[i]], renaming)
        for (slot, i), at in layout.reply.items():
            places[at] = layout.reply[_slot(slot, renaming), new[i]]
        for message, at in self._model.messages.items():
            to = self._model.messages[_rename(message, renaming)]
            places[at] = to
            if isinstance(message, ViewChanged):
                for i, j in enumerate(new):
                    places[at + 1 + i] = to + 1 + j
        return places

    @staticmethod
    def _pairs(table: Mapping[Slot, int], other: Mapping[Slot, int], renaming: Renaming) -> Iterator[tuple[int, int]]:
        for slot, at in table.items():
            yield at, other[_slot(slot, renaming)]


def _move_log(places: list[int], log: Log, other: Log, renaming: Renaming) -> None:
    """The log of a replica becomes the log of another."""
    digests = renaming[1]
    for t, at in log.request.items():
        places[at] = other.request[digests[t]]
    for slot, at in log.proposal.items():
        places[at] = other.proposal[_slot(slot, renaming)]
    _move_votes(places, log.prepare, other.prepare, renaming)
    _move_votes(places, log.commit, other.commit, renaming)
    _move_checkpoints(places, log.checkpoint, other.checkpoint, renaming)
    _move_checkpoints(places, log.stable, other.stable, renaming)
    for at, to, bits in ((log.view, other.view, VIEW_BITS), (log.state, other.state, STATE_BITS), (log.changing, other.changing, 1)):
        for k in range(bits):
            places[at + k] = to + k


def _move_votes(places: list[int], table: Mapping[Slot, int], other: Mapping[Slot, int], renaming: Renaming) -> None:
    for slot, at in table.items():
        for i, j in enumerate(renaming[0]):
            places[at + i] = other[_slot(slot, renaming)] + j


def _move_checkpoints(places: list[int], table: Mapping[int, int], other: Mapping[int, int], renaming: Renaming) -> None:
    for n, at in table.items():
        for i, j in enumerate(renaming[0]):
            places[at + i] = other[n] + j


def _slot(slot: Slot, renaming: Renaming) -> Slot:
    return (slot[0], slot[1], renaming[1][slot[2]])


def _rename(message: ViewChanged | NewViewed, renaming: Renaming) -> ViewChanged | NewViewed:
    """The message as others would have sent it."""
    if isinstance(message, ViewChanged):
        return _rename_change(message, renaming)
    proposals = tuple((n, renaming[1][d]) for n, d in message.proposals)
    return NewViewed(message.view, frozenset(_rename_change(change, renaming) for change in message.changes), proposals)


def _rename_change(change: ViewChanged, renaming: Renaming) -> ViewChanged:
    new = renaming[0]
    proofs = ((_slot(slot, renaming), _renamed(voters, new)) for slot, voters in change.proofs)
    return ViewChanged(change.view, new[change.sender], tuple(sorted(proofs)), change.low, _renamed(change.signers, new))


def _renamed(members: int, new: tuple[int, ...]) -> int:
    """A set of replicas, as bits, under other names."""
    return sum(1 << j for i, j in enumerate(new) if members >> i & 1)
