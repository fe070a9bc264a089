"""What must be true in every state of the abstract classic model, and what a walk should come to.

    agreement     no two honest replicas decide different blocks at a number
    one-vote      an honest replica votes for one block a number and view, in all its lives
    certificate   a decided block has Commits of three replicas; a number and view has one certified block
    protected     whichever quorum asked for the next view now, whatever the liar showed: decided blocks would be proposed again

The last one is what section 4.4 is for, and looks one view further than the walk.

There is no lock in this protocol, so nobody refuses what a new view proposes: in a view whose primary and two others live, and hear each
other in time, a block is decided from any state. There is nothing to search for a fair cycle in.

Sources: OSDI'99 sections 4.2, 4.4; pbft.classic.properties, of single steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import combinations, product
from typing import Final

from fiscotool.check.classic_bounds import GOALS, LocalClassic
from fiscotool.check.classic_packed import PackedClassic
from fiscotool.check.fisco3_bounds import FILLER, Slot
from fiscotool.check.frame import Asked
from fiscotool.check.guards import some_of
from fiscotool.check.howard_bits import bits_at
from fiscotool.check.layout import EVERYONE

QUORUM: Final = 3
"""The sound one, whatever is planted."""


class Asking:
    """The questions, asked of states of one model."""

    def __init__(self, model: PackedClassic) -> None:
        self._model = model
        self._at = model.layout

    def _replicas(self, state: int) -> list[LocalClassic]:
        return [self._at.read(i, state) for i in self._model.limits.honest]

    def _decided(self, state: int, h: int) -> set[int]:
        return {one.at(h).decided for one in self._replicas(state)} - {0}

    def _certified(self, state: int) -> list[Slot]:
        return [slot for slot in self._at.slots if self._at.count(state, "prepare", slot) >= QUORUM]

    def agreement(self, state: int) -> bool:
        """See the module's head, as for the others."""
        return all(len(self._decided(state, h)) <= 1 for h in self._at.heights)

    def one_vote(self, state: int) -> bool:
        """No two Prepares of an honest replica for a number and view."""
        for view, h in product(self._at.views, self._at.heights):
            signers = [self._at.signers(state, "prepare", slot) & ~self._at.liar for slot in self._at.slots if slot[:2] == (view, h)]
            if any(one & other for one, other in combinations(signers, 2)):
                return False
        return True

    def certificate(self, state: int) -> bool:
        """Quorums behind what is decided, and one certified block a number and view."""
        certified = [slot[:2] for slot in self._certified(state)]
        return len(certified) == len(set(certified)) and all(
            self._committers(state, h, value) >= QUORUM for h in self._at.heights for value in self._decided(state, h)
        )

    def _committers(self, state: int, h: int, value: int) -> int:
        signers = 0
        for view in self._at.views:
            signers |= self._at.signers(state, "commit", (view, h, value))
        return signers.bit_count()

    def protected(self, state: int) -> bool:
        """The certificates of any quorum, and whatever the liar adds, lead to what is decided."""
        replicas = self._replicas(state)
        for h in self._at.heights:
            for decided in self._decided(state, h):
                held = [(one.at(h).cert_in, one.at(h).cert) for one in replicas]
                lies = [(view + 1, value) for view, height, value in self._certified(state) if height == h] if self._at.liar else []
                if not self._leads_to(decided, held, lies):
                    return False
        return True

    def _leads_to(self, decided: int, held: Iterable[tuple[int, int]], lies: Iterable[tuple[int, int]]) -> bool:
        known = tuple(held)
        for chosen in combinations(known, QUORUM - (self._at.liar > 0)):
            best = max(chosen)
            if best[1] != decided or any(made_in >= best[0] and value != decided for made_in, value in lies):
                return False
        return True


def properties_of(model: PackedClassic) -> dict[str, Asked]:
    """The properties of safety, by name."""
    at, asking = model.layout, Asking(model)
    replicas, prepares, commits = at.all_replicas(), at.bits_of("prepare", EVERYONE), at.bits_of("commit", EVERYONE)
    return {
        "agreement": Asked(replicas, asking.agreement),
        "one-vote": Asked(prepares, asking.one_vote),
        "certificate": Asked(replicas | prepares | commits, asking.certificate),
        "protected": Asked(replicas | prepares, asking.protected),
    }


def goals_of(model: PackedClassic) -> dict[str, Callable[[int], bool]]:
    """What a walk should come to at least once."""
    at, others = model.layout, EVERYONE & ~model.layout.liar

    def decided_again(state: int) -> bool:
        """An honest replica voted in a later view for what somebody had decided."""
        replicas = [at.read(i, state) for i in model.limits.honest]
        return any(one.at(h).voted_in > 1 and any(one.at(h).voted == other.at(h).decided for other in replicas)
                   for one in replicas for h in at.heights)  # fmt: skip

    later = bits_at((place for slot, place in at.votes["commit"].items() if slot[0]), others)
    fillers = bits_at((place for slot, place in at.votes["commit"].items() if slot[2] == FILLER), others)
    decides = Asked(at.all_replicas(), lambda state: any(at.read(i, state).height for i in model.limits.honest))
    return dict(zip(GOALS, (decides, some_of(later), Asked(at.all_replicas(), decided_again), some_of(fillers)), strict=True))
