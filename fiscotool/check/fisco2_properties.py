"""What must be true in every state of the abstract fisco2 model, what a walk should come to, and whether a block must come in the end.

    agreement     no two honest replicas write different blocks at a height
    one-lock      an honest replica commits to one block a height, in all its lives
    certificate   a written block has Commits of three replicas
    views         who is in a later view was asked there by three replicas with its height

Progress. From a state on, everybody living hears everybody, all are in one view, and each living replica leads in turn; one may stay
dead, a Byzantine one falls silent. The leader proposes its lock, or a new block; who is locked on another refuses. Nothing releases a lock
and a view that fails sets none, so when no living leader's block finds a quorum none ever will (H1).

Sources: docs/pbft.md, fisco2; observables.md 3 and H1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Final

from fiscotool.check.fisco2_bounds import BLOCKS_AT, GOALS, Local2
from fiscotool.check.fisco2_packed import PackedFisco2
from fiscotool.check.fisco3_bounds import NAMES, NODES
from fiscotool.check.frame import Asked
from fiscotool.check.guards import some_of
from fiscotool.check.howard_bits import bits_at
from fiscotool.check.layout import EVERYONE

QUORUM: Final = 3
"""The sound one, whatever is planted."""


def properties_of(model: PackedFisco2) -> dict[str, Asked]:
    """The properties of safety, by name."""
    at, honest, heights = model.layout, model.limits.honest, model.layout.heights
    blocks, commits = at.all_replicas(BLOCKS_AT, model.limits.heights), at.bits_of("commit", EVERYONE)

    def chains(state: int) -> list[tuple[int, ...]]:
        return [at.read(i, state).chain for i in honest]

    def agreement(state: int) -> bool:
        return all(len({chain[h - 1] for chain in chains(state) if len(chain) >= h}) <= 1 for h in heights)

    def one_lock(state: int) -> bool:
        return all(len({slot[2] for slot in at.slots if slot[1] == h and at.signers(state, "commit", slot) >> i & 1}) <= 1
                   for i, h in product(honest, heights))  # fmt: skip

    def certificate(state: int) -> bool:
        return all(_signers(model, state, h, value).bit_count() >= QUORUM for chain in chains(state) for h, value in enumerate(chain, 1))

    def views(state: int) -> bool:
        places = [(one.view, one.height) for one in (at.read(i, state) for i in honest) if one.view]
        return all((state >> model.asked[place] & EVERYONE).bit_count() >= QUORUM for place in places)

    return {
        "agreement": Asked(blocks, agreement),
        "one-lock": Asked(commits, one_lock),
        "certificate": Asked(blocks | commits, certificate),
        "views": Asked(at.all_replicas(0, 1) | blocks | bits_at(model.asked.values(), EVERYONE), views),
    }


def _signers(model: PackedFisco2, state: int, h: int, value: int) -> int:
    """Who committed to a block, in whichever view."""
    signers = 0
    for view in model.layout.views:
        signers |= model.layout.signers(state, "commit", (view, h, value))
    return signers


def goals_of(model: PackedFisco2) -> dict[str, Callable[[int], bool]]:
    """What a walk should come to at least once."""
    at, blocks = model.layout, model.layout.all_replicas(BLOCKS_AT, model.limits.heights)
    later = at.all_replicas(0, 1)
    locks = Asked(at.all_replicas(), lambda state: len(_locks(model, state)) > 1)
    late = bits_at((place for slot, place in at.votes["commit"].items() if slot[0]), EVERYONE & ~at.liar)
    return dict(zip(GOALS, (some_of(blocks), lambda state: bool(state & blocks and state & late and state & later), locks), strict=True))


def _locks(model: PackedFisco2, state: int) -> set[tuple[int, int]]:
    """Every (height, value) that an honest replica is locked on."""
    found = [model.layout.read(i, state) for i in model.limits.honest]
    return {(top, one.lock.value) for one in found if one.lock.value and (top := max(other.height for other in found)) == one.height}


class Progress2:
    """Whether a block must come, whichever single replica is dead; with a liar, when it is silent."""

    def __init__(self, model: PackedFisco2) -> None:
        self._model = model
        deaths: tuple[int | None, ...] = (None,) if model.layout.liar else (None, *range(NODES))
        self._lives = [tuple(i for i in model.limits.honest if i != dead) for dead in deaths]
        at = model.layout
        first = BLOCKS_AT - 2
        self.holds = Asked(at.all_replicas(first, at.limits.heights + 2), lambda state: not self.stuck_in(state))

    def stuck_in(self, state: int) -> tuple[str, ...]:
        """Empty when a block must come; otherwise what becomes of each living leader's turn, for ever."""
        for living in self._lives:
            told = list(self._turns({i: self._model.layout.read(i, state) for i in living}))
            if all(told):
                gone = sorted(set(range(NODES)) - set(living))
                return (f"node{gone[0]} stays away" if gone else "everybody lives", *told, "and so for ever")
        return ()

    def _turns(self, living: dict[int, Local2]) -> Iterator[str]:
        """What each leader's turn comes to; "" where a block is written."""
        top = max(one.height for one in living.values())
        if top == self._model.limits.heights:
            yield ""
            return
        locks = {i: one.lock.value if one.height == top else 0 for i, one in living.items()}
        for leader, value in locks.items():
            refusing = [i for i, lock in locks.items() if lock and lock != value]
            enough = len(living) - len(refusing) >= self._model.limits.quorum
            what = f"its lock {NAMES[value]}" if value else "a new block"
            yield (
                ""
                if enough
                else f"node{leader} proposes {what}, refused by {', '.join(f'node{i}' for i in refusing) or 'nobody: too few live'}"
            )
