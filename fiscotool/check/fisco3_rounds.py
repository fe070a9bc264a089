"""All schedules of the abstract fisco3 model with open views, round by round: several heights, several views, complete.

A round is all that replicas say of one height in one view. Votes of a round count in that round alone; what is left of it is who holds
a certificate, who agreed, and which certificates there are. So a round is one step from what was left before it to what is left after
it, and what it can come to depends on its own height's bits, and on who agreed on what below. That is worked out once for each value of
those bits, by sweeping the round phase by phase (`check.fisco3_sweep`), and added to every state that has them, as `check.packed` does.

Why this leaves out nothing (docs/model-checking.md has the argument in full):
    open views      more than the protocol allows, by `Limits.open_views`
    order           views only grow while nobody crashes, and a round reads what earlier rounds certified; so the steps of any schedule
                    can be sorted by view, then height, then phase (communication-closed rounds: Elrad and Francez 1982)
    no ledger       a block that is agreed on and not written binds no more than a written one, and the verdict asks for both
    everybody in    who is in a view and says nothing there is as one who never entered it
    names           at a height of which nothing certified is left, the two values are alike, so the first that is certified is called a

Laws: the states between rounds have no votes; every state of the walk with the same limits, without its votes, views, proposals and
written blocks (a written block being one agreed on), is among them or below one of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from fiscotool.check.budget import INTERRUPTED, STATES, Pause, Spent, go_on
from fiscotool.check.explore import Progress
from fiscotool.check.fisco3_bounds import Limits
from fiscotool.check.fisco3_frame import OF_A_HEIGHT
from fiscotool.check.fisco3_packed import PackedFisco3
from fiscotool.check.fisco3_places import EVERYONE
from fiscotool.check.howard_bits import bits_at
from fiscotool.check.packed import Moves, expand

SITUATIONS_A_PAUSE: Final = 16
"""After so many situations the walk asks whether to go on."""
NOT_IN_ROUNDS: Final = dict.fromkeys(("write", "enter view"), "rounds leave it out, and lose nothing by it")
"""Actions that are part of no round, with the reason for tables."""


@dataclass
class Rounds:
    """What was found.

    generated       states made of states, repetitions included, one for each thing a round can come to
    widths          states known after each round, and after each taking over of what others executed
    distinct        their sum: what a round changed, counted as new
    situations      values of a round's bits, each swept phase by phase once; `phases` is how many states that made
    bad             a state in which agreement does not hold, or None
    ended           what ended it before all was seen, in words, where no violation did
    """

    generated: int = 1
    widths: list[int] = field(default_factory=lambda: [1])
    situations: int = 0
    phases: int = 0
    taken: dict[str, int] = field(default_factory=dict)
    decided: dict[str, int] = field(default_factory=dict)
    bad: int | None = None
    is_complete: bool = True
    ended: str = ""
    last: frozenset[int] = frozenset()

    @property
    def distinct(self) -> int:
        """States between rounds, summed over all rounds."""
        return sum(self.widths)


@dataclass(frozen=True)
class _Round:
    """One round, or the ledger after it (kinds of steps, parts of each, the bits that decide what it comes to)."""

    kinds: tuple[tuple[int, ...], ...]
    view: int
    height: int
    mask: int


class RoundWalk:
    """The walk. `limits` must have open views and no crashes, else ValueError."""

    def __init__(self, limits: Limits) -> None:
        if limits.crashes:
            raise ValueError("a crash takes a replica back to view 0, so views cannot be taken in order")
        if limits.leaves is not None:
            raise ValueError("a list of members changes with a written block, and rounds write none")
        if not limits.open_views:
            raise ValueError("rounds need open views: view changes are no part of a round")
        self.limits = limits
        self.model = PackedFisco3(limits)
        self.found = Rounds(taken=dict.fromkeys(self.model.actions, 0), decided=dict.fromkeys(self.model.guards, 0))
        self._tables: list[dict[int, Moves]] = [{} for _ in range(self.model.parts)]
        places = self.model.places
        self._votes = bits_at(places.preprepare.values(), 1)
        self._votes |= sum(bits_at(places.votes[kind].values(), EVERYONE & ~places.liar) for kind in places.votes)

    def run(self, *, states_max: int | None = None, on_round: Progress | None = None, pause: Pause = go_on) -> Rounds:
        """Everything, or until so many states are known between two rounds, agreement fails, or `pause` ends it."""
        found, states = self.found, {self.model.initial()}
        try:
            for number, one in enumerate(self._rounds(), 1):
                states = self._take(one, states, pause)
                found.widths.append(len(states))
                if found.bad is None:
                    found.bad = min((state for state in states if not self.model.agrees(state)), default=None)
                if on_round:
                    on_round(number, found.distinct, found.generated)
                if found.bad is not None or (states_max is not None and len(states) >= states_max):
                    found.ended = STATES if found.bad is None else ""
                    found.is_complete = False
                    break
        except (Spent, KeyboardInterrupt) as early:
            found.is_complete, found.ended = False, str(early) or INTERRUPTED
        found.last = frozenset(states)
        return found

    def _rounds(self) -> Iterator[_Round]:
        """The order: see the module's head."""
        named = list(enumerate(zip(self.model.part_names, self.model.part_views, strict=True)))
        ledger = tuple(part for part, ((_, kind, _), _) in named if kind in {"pull", "sync"})
        for view in range(self.limits.view_max + 1):
            for h in range(1, self.limits.heights + 1):
                kinds = tuple(
                    tuple(part for part, ((_, kind, height), where) in named if kind == wanted and height == h and where in {-1, view})
                    for wanted in OF_A_HEIGHT
                )
                yield _Round(kinds, view, h, self._mask(kinds, h))
                yield _Round((ledger,), view, 0, self._mask((ledger,), 0))

    def _mask(self, kinds: tuple[tuple[int, ...], ...], h: int) -> int:
        """What decides what a round comes to: its parts' bits less those of other heights' locks, and less the votes, which are none."""
        places, bits = self.model.places, 0
        for part in (part for parts in kinds for part in parts):
            bits |= self.model.mask(part)
        others = [height for height in places.heights if height != h]
        return bits & ~self._votes & ~(0 if self.limits.holes else places.lock_bits(others))

    def _take(self, one: _Round, states: set[int], pause: Pause) -> set[int]:
        """Every state after a round. Everybody is in its view, and nobody at its end."""
        following: set[int] = set()
        groups: dict[int, list[int]] = {}
        for state in states:
            groups.setdefault(state & one.mask, []).append(state)
        for number, (seen, members) in enumerate(groups.items()):
            if number % SITUATIONS_A_PAUSE == 0:
                pause()
            differences = self._outcomes(one, seen)
            self.found.generated += len(differences) * len(members)
            for difference in differences:
                following.update(map(difference.__add__, members))
        self.found.situations += len(groups)
        return following

    def _outcomes(self, one: _Round, seen: int) -> list[int]:
        """What a round can come to, as differences, doing nothing included."""
        places = self.model.places
        states = {places.in_view(seen, one.view)}
        for parts in one.kinds:
            self._close(parts, states)
        ends = {places.in_view(state & ~self._votes, 0) for state in states}
        if one.height:
            ends = {places.without_votes(end, one.height) for end in ends}
            ends = {end for end in ends if self._is_well_named(seen, end, one)}
        return [end - seen for end in ends]

    def _is_well_named(self, seen: int, end: int, one: _Round) -> bool:
        """Whether the first value that is certified at a height is called by the first name."""
        if not self.limits.symmetry or self.limits.holes:
            return True
        first, *others = ([self.model.places.certified[v, one.height, x] for v in range(one.view + 1)] for x in self.limits.values)
        before, after = seen, end
        named = any(before >> at & 1 for places in (first, *others) for at in places)
        return named or any(after >> at & 1 for at in first) or not any(after >> at & 1 for places in others for at in places)

    def _close(self, parts: tuple[int, ...], states: set[int]) -> None:
        """Adds whatever these parts can make of `states`, in any order and number."""
        front = set(states)
        while front:
            following: set[int] = set()
            for part in parts:
                expand(self.model, part, self._tables[part], front, following, self.found.taken, self.found.decided)
            front = following - states
            states |= front
            self.found.phases += len(front)
