"""View changes and new views of the abstract classic model: what is shown to whom, honestly or not.

A message gets its bit when an honest replica first makes it. What the Byzantine replica can make of the view changes and certificates
there are is there for whoever asks. A new view is told by what it proposes again, without the views of the proofs, which nobody reads.

Sources: docs/pbft.md, classic, rules 5 and 6; OSDI'99 section 4.4 (the sets V and O).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations, product

from fiscotool.check.classic_bounds import LimitsClassic, LocalClassic
from fiscotool.check.fisco3_bounds import FILLER, NODES, Changed, Entered, Lock
from fiscotool.check.layout import Layout


class ClassicViews:
    """The view changes and new views of a state, and those a liar adds. `on_new` hears of each new bit."""

    def __init__(self, limits: LimitsClassic, layout: Layout[LocalClassic], on_new: Callable[[Changed | Entered, int], None]) -> None:
        self.limits = limits
        self._layout = layout
        self._on_new = on_new
        self._at: dict[Changed | Entered, int] = {}

    def place_of(self, message: Changed | Entered) -> int:
        """The bit of an honest replica's message."""
        at = self._at.get(message)
        if at is None:
            at = self._at[message] = self._layout.place()
            self._on_new(message, at)
        return at

    def asked(self, s: int) -> list[Changed]:
        """Every view change of an honest replica."""
        return [one for one, at in self._at.items() if isinstance(one, Changed) and s >> at & 1]

    def issued(self, s: int, view: int) -> set[Entered]:
        """Every new view of an honest primary."""
        return {one for one, at in self._at.items() if isinstance(one, Entered) and one.view == view and s >> at & 1}

    def composed(self, s: int, view: int, own: int | None = None) -> set[Entered]:
        """What follows from every set of view changes of a quorum, `own` among their senders."""
        told: dict[int, list[Changed]] = {}
        for message in self.asked(s):
            if message.view == view:
                told.setdefault(message.sender, []).append(message)
        if self.limits.byzantine is not None:
            told[self.limits.byzantine] = list(self._forged(s, view))
        found = set()
        for size in range(self.limits.quorum, NODES + 1):
            for senders in combinations(sorted(told), size):
                if own is None or own in senders:
                    found |= {self._following(view, chosen) for chosen in product(*(told[sender] for sender in senders))}
        return found

    def _following(self, view: int, chosen: tuple[Changed, ...]) -> Entered:
        """Rule 6: at each number up to the highest prepared one what was prepared in the latest view, or an empty block."""
        best: dict[int, Lock] = {}
        for lock in (lock for message in chosen for lock in message.locks):
            known = best.get(lock.height)
            if known is None or (lock.view, lock.value) > (known.view, known.value):
                best[lock.height] = lock
        heights = range(1, max(best, default=0) + 1)
        return Entered(view, 0, tuple(Lock(h, 0, best[h].value if h in best else FILLER) for h in heights))

    def _forged(self, s: int, view: int) -> Iterator[Changed]:
        """View changes of the liar: at each number no certificate, or one that the Prepares there are make valid."""
        liar = self.limits.byzantine
        assert liar is not None
        real = [
            [None, *(Lock(h, made_in, value) for made_in, height, value in self._layout.slots if h == height and made_in < view
                     and self._layout.count(s, "prepare", (made_in, h, value)) >= self.limits.quorum)]
            for h in self._layout.heights
        ]  # fmt: skip
        for locks in product(*real):
            yield Changed(view, liar, 0, tuple(lock for lock in locks if lock is not None))

    def anything(self, view: int) -> set[Entered]:
        """What new views nobody checks may propose again at the first number."""
        return {Entered(view, 0, ()), *(Entered(view, 0, (Lock(1, 0, value),)) for value in self.limits.values)}
