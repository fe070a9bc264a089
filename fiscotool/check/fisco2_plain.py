"""The abstract fisco2 model a second time: sets and records, no bits, no kept answers. Slow, and the check of the packed one.

Nothing of the packed model is used but its bounds and words. No holes.

Sources: as fiscotool.check.fisco2_packed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from fiscotool.check import plain_world
from fiscotool.check.fisco2_bounds import ACTIONS, Limits2
from fiscotool.check.fisco3_bounds import NODES
from fiscotool.check.plain_world import PlainFrame


class Said(NamedTuple):
    """A message. `kind` is prepare, empty, sign, commit or change; `height` of a change is what its sender has written."""

    kind: str
    view: int
    height: int
    value: int
    sender: int


class Node(NamedTuple):
    """An honest replica. `signed` and `locked` are of its next height; `locked` is (value, view)."""

    chain: tuple[int, ...] = ()
    view: int = 0
    wanted: int = 0
    signed: int | None = None
    locked: tuple[int, int] | None = None


World = plain_world.World[Node, Said]

After = tuple[str, Node, frozenset[Said] | set[Said]]
"""(action, the replica after it, what it says)"""

NOTHING: Final = frozenset[Said]()


class PlainFisco2(PlainFrame[Node, Said]):
    """The model for `check.explore`."""

    actions = ACTIONS

    def __init__(self, limits: Limits2) -> None:
        super().__init__(limits)
        self._askers = limits.askers

    def _fresh(self) -> Node:
        return Node()

    def render(self, state: World) -> str:
        """Views and chains."""
        return "  ".join(f"node{i} v{one.view} {one.chain}" for i, one in enumerate(state.nodes) if one is not None)

    def agrees(self, state: World) -> bool:
        """Agreement among the honest."""
        chains = [one.chain for one in state.nodes if one is not None]
        return all(len({chain[h] for chain in chains if len(chain) > h}) <= 1 for h in range(self.limits.heights))

    def _of(self, i: int, me: Node, w: World) -> Iterator[After]:
        h = len(me.chain) + 1
        if h <= self.limits.heights:
            yield from self._propose(i, me, w, h)
            yield from self._vote(i, me, w, h)
            yield from self._change(i, me, w, h)
        if w.crashes < self.limits.crashes:
            yield "crash", Node(me.chain, locked=me.locked), NOTHING

    def _leader(self, h: int, view: int) -> int:
        return (h + view - 1) % NODES

    def _choice(self, w: World, h: int) -> list[int]:
        named = {one.value for one in w.said if one.height == h and one.kind in {"prepare", "sign"}}
        if not self.limits.symmetry or named >= set(self.limits.values):
            return list(self.limits.values)
        return sorted({*named, min(set(self.limits.values) - named)})

    def _propose(self, i: int, me: Node, w: World, h: int) -> Iterator[After]:
        """Leading, and following a leader."""
        if me.wanted > me.view:
            return
        leader = self._leader(h, me.view)
        if leader == i and me.signed is None:
            for value in [me.locked[0]] if me.locked else self._choice(w, h):
                yield "propose", me._replace(signed=value), {Said(kind, me.view, h, value, i) for kind in ("prepare", "sign")}
            if me.view < self.limits.view_max:
                yield (
                    "propose empty",
                    me._replace(wanted=me.view + 1),
                    {Said("empty", me.view, h, 0, i), Said("change", me.view + 1, h - 1, 0, i)},
                )
        offers = [one.value for one in w.said if (one.kind, one.view, one.height) == ("prepare", me.view, h)]
        if leader == self.liar:
            offers += self._choice(w, h)
        for value in offers:
            if leader != i and me.signed is None and (me.locked is None or me.locked[0] == value):
                yield "accept", me._replace(signed=value), {Said("sign", me.view, h, value, i)}
        is_empty = any((one.kind, one.view, one.height) == ("empty", me.view, h) for one in w.said)
        if leader != i and (is_empty or leader == self.liar) and me.view < self.limits.view_max:
            yield "see empty", me._replace(wanted=me.view + 1), {Said("change", me.view + 1, h - 1, 0, i)}

    def _who(self, w: World, kind: str, view: int, h: int, value: int) -> set[int]:
        found = {one.sender for one in w.said if (one.kind, one.view, one.height, one.value) == (kind, view, h, value)}
        return found if self.liar is None else found | {self.liar}

    def _vote(self, i: int, me: Node, w: World, h: int) -> Iterator[After]:
        """Locking and writing."""
        if me.signed is not None:
            here = (me.signed, me.view)
            if me.locked != here and len(self._who(w, "sign", me.view, h, me.signed)) >= self.limits.quorum:
                yield "lock", me._replace(locked=here), {Said("commit", me.view, h, me.signed, i)}
            if me.locked == here and len(self._who(w, "commit", me.view, h, me.signed)) >= self.limits.quorum:
                yield "write", Node((*me.chain, me.signed)), NOTHING
        for value in self.limits.values:
            has_it = any(j != i and one is not None and one.chain[h - 1 : h] == (value,) for j, one in enumerate(w.nodes))
            signers = set().union(*(self._who(w, "commit", view, h, value) for view in range(self.limits.view_max + 1)))
            if has_it or (self.liar is not None and len(signers) >= self.limits.quorum):
                yield "sync", Node((*me.chain, value)), NOTHING

    def _change(self, i: int, me: Node, w: World, h: int) -> Iterator[After]:
        """Asking for views and entering them."""
        views = range(1, self.limits.view_max + 1)
        if me.wanted + 1 in views:
            yield "time out", me._replace(wanted=me.wanted + 1), {Said("change", me.wanted + 1, h - 1, 0, i)}
        for view in views:
            asking = self._who(w, "change", view, h - 1, 0)
            above = set().union(*(self._who(w, "change", later, h - 1, 0) for later in views if later >= view))
            if view > me.wanted and asking - {i} and len(above - {i}) > (NODES - 1) // 3:
                yield "join", me._replace(wanted=view), {Said("change", view, h - 1, 0, i)}
            if view > me.view and len(asking) >= self._askers:
                yield "enter view", me._replace(view=view, wanted=view, signed=None), NOTHING
        if me.wanted in views and i not in self._who(w, "change", me.wanted, h - 1, 0) and self._is_late(i, me, w, h):
            yield "catch up", me, {Said("change", me.wanted, h - 1, 0, i)}

    def _is_late(self, i: int, me: Node, w: World, h: int) -> bool:
        """Whether somebody asks for a view more than one below the target; a liar may ask for view 0."""
        if self.liar is not None:
            return me.wanted > 1
        told = [one for one in w.said if one.kind == "change" and one.sender != i]
        return any(one.view + 1 < me.wanted and one.height >= h - 1 for one in told)
