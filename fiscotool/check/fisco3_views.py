"""View changes of the abstract fisco3 model: what is shown to whom, honestly or not.

View changes and new views are not known beforehand, so each gets a bit when it is first made. Only honest replicas' messages have bits:
what the Byzantine replica can make of the view changes there are is there for whoever asks, and needs no state.

Sources: docs/pbft.md, rules 12 to 19.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations, product

from fiscotool.check.fisco3_bounds import EVERYBODY, FILLER, NAMES, NODES, Changed, Entered, Limits, Lock, leader_of
from fiscotool.check.fisco3_places import Places

READERS = {"new view", "enter view", "accept again"}


class ViewMessages:
    """The view changes and new views of a state, and those a liar adds."""

    def __init__(self, limits: Limits, places: Places, widen: Callable[[Changed | Entered, int], None]) -> None:
        self.limits = limits
        self._places = places
        self._widen = widen
        self._at: dict[Changed | Entered, int] = {}
        self.bits = 0
        self._reads = [places.proofs(view) for view in range(limits.view_max + 1)]
        self._shown: dict[tuple[int, int], list[Entered]] = {}
        self._composed: dict[tuple[int, int, tuple[int, ...], int], frozenset[Entered]] = {}

    def place_of(self, message: Changed | Entered) -> int:
        """The bit of an honest replica's message."""
        at = self._at.get(message)
        if at is None:
            at = self._at[message] = self._places.place()
            self.bits |= 1 << at
            self._reads[message.view] |= 1 << at
            self._widen(message, at)
        return at

    def of_view(self, view: int) -> int:
        """The bits of all messages up to a view."""
        return sum(1 << at for message, at in self._at.items() if message.view <= view)

    def shown(self, s: int, view: int) -> list[Entered]:
        """Every new view for `view` that a replica can be shown."""
        seen = s & self._reads[view]
        known = self._shown.get((view, seen))
        if known is None:
            known = self._shown[view, seen] = self._find_shown(seen, view)
        return known

    def _find_shown(self, s: int, view: int) -> list[Entered]:
        found = [one for one, at in self._at.items() if isinstance(one, Entered) and one.view == view and s >> at & 1]
        if self.limits.byzantine is None:
            return found
        forged: set[Entered] = set()
        for height in range(self.limits.heights + 1):
            for members in self.limits.lists(height + 1):
                if self.limits.is_led_by_liar(height + 1, view, members) or "new-view-unchecked" in self.limits.holes:
                    forged |= self._forged(s, view, height, members)
        return sorted({*found, *forged})

    def is_shown(self, s: int, view: int) -> bool:
        """Whether a replica can be shown a view at all."""
        return self.limits.open_views or bool(self.shown(s, view))

    def offers(self, s: int, view: int, h: int) -> dict[int, int]:
        """What is proposed again at a height in a view: values, each with the latest view it can be proven certified in, -1 for none."""
        best: dict[int, int] = {}
        for again in (
            self._open(s, view, h) if self.limits.open_views else (one for message in self.shown(s, view) for one in message.again)
        ):
            if again.height == h:
                best[again.value] = max(again.view, best.get(again.value, -1))
        return best

    def _open(self, s: int, view: int, h: int) -> Iterator[Lock]:
        """Whatever any new view could ever propose again: see `Limits.open_views`."""
        yield Lock(h, -1, FILLER)
        yield from self._forged_locks(s, view, h)
        if self.limits.holes & {"new-view-unchecked", "duplicate-signers"}:
            yield from (Lock(h, view - 1, value) for value in (*self.limits.values, FILLER))

    def composed(self, s: int, view: int, height: int, members: tuple[int, ...] = EVERYBODY) -> frozenset[Entered]:
        """What an honest leader with `height` blocks can show: rule 15 over every quorum of view changes of members."""
        key = view, height, members, s & self._reads[view]
        known = self._composed.get(key)
        if known is None:
            quorums = self._quorums(s, view, height, members)
            known = self._composed[key] = frozenset(chosen_again(view, chosen) for chosen in quorums)
        return known

    def _forged(self, s: int, view: int, height: int, members: tuple[int, ...]) -> set[Entered]:
        """What the liar can show: as a leader could; with a hole, anything."""
        messages = set(self.composed(s, view, height, members))
        if self.limits.holes & {"new-view-unchecked", "duplicate-signers"}:
            for values in product((0, *self.limits.values), repeat=self.limits.heights - height):
                again = tuple(Lock(height + k, view - 1, value) for k, value in enumerate(values, 1) if value)
                messages.add(Entered(view, height, again))
        return messages

    def _quorums(self, s: int, view: int, height: int, members: tuple[int, ...]) -> Iterator[tuple[Changed, ...]]:
        """Every set of view changes of a quorum of distinct senders, none of a ledger below `height`."""
        told: dict[int, list[Changed]] = {}
        for message, at in self._at.items():
            if isinstance(message, Changed) and message.view == view and message.written >= height and s >> at & 1:
                told.setdefault(message.sender, []).append(message)
        if self.limits.byzantine is not None:
            claims = {height, *(one.written for given in told.values() for one in given)}
            told[self.limits.byzantine] = [one for claim in sorted(claims) for one in self._forged_changes(s, view, claim)]
        for size in range(self.limits.quorum, NODES + 1):
            for senders in combinations(sorted(set(told) & set(members)), size):
                yield from product(*(told[sender] for sender in senders))

    def _forged_changes(self, s: int, view: int, height: int) -> Iterator[Changed]:
        """View changes of the liar: at each height above the one it claims no certificate, or one that there can be."""
        b = self.limits.byzantine
        assert b is not None
        choices = [(None, *self._forged_locks(s, view, h)) for h in range(height + 1, self.limits.heights + 1)]
        for locks in product(*choices):
            yield Changed(view, b, height, tuple(lock for lock in locks if lock is not None))

    def _forged_locks(self, s: int, view: int, h: int) -> Iterator[Lock]:
        """Certificates for a height that the votes there are make valid, and what holes make of them."""
        for slot in self._places.slots:
            made_in, height, value = slot
            if height != h or made_in >= view:
                continue
            is_real = s >> self._places.certified[slot] & 1
            if is_real or "duplicate-signers" in self.limits.holes:
                dates = range(made_in, view) if "proof-without-view" in self.limits.holes else (made_in,)
                yield from (Lock(h, date, value) for date in dates)


def chosen_again(view: int, chosen: tuple[Changed, ...]) -> Entered:
    """Rule 15: above the highest written block, at each height the value certified in the latest view, or a filler."""
    base = max(message.written for message in chosen)
    best: dict[int, Lock] = {}
    for message in chosen:
        for lock in message.locks:
            if lock.height > base and lock.view >= best.get(lock.height, lock).view:
                best[lock.height] = max(lock, best.get(lock.height, lock))
    heights = range(base + 1, max(best, default=base) + 1)
    return Entered(view, base, tuple(best.get(h, Lock(h, -1, FILLER)) for h in heights))


def told_again(message: Entered) -> str:
    """For people: what a new view proposes again."""
    told = ", ".join(f"{NAMES[lock.value]} at height {lock.height}" for lock in message.again)
    return f"proposes {told} again" if told else "nothing again"


def can_lead(i: int, view: int, limits: Limits) -> bool:
    """Whether a replica leads the view before the first block or after any."""
    heights = range(1, limits.heights + 2)
    return any(leader_of(h, view, members) == i for h in heights for members in limits.lists(h))
