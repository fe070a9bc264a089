"""The abstract classic model a second time: sets and records, no bits, no kept answers. Slow, and the check of the packed one.

Nothing of the packed model is used but its bounds and words. No holes.

Sources: as fiscotool.check.classic_packed.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product
from typing import Final, NamedTuple

from fiscotool.check import plain_world
from fiscotool.check.classic_bounds import ACTIONS, LimitsClassic
from fiscotool.check.fisco3_bounds import FILLER, NODES
from fiscotool.check.plain_world import PlainFrame

Proof = tuple[int, int, int]
"""(height, view, value): prepared there."""


class Said(NamedTuple):
    """A message. `kind` is propose, prepare, commit, change or new; a change has `proofs`, a new view (height, 0, value) in them."""

    kind: str
    view: int
    sender: int
    height: int = 0
    value: int = 0
    proofs: frozenset[Proof] = frozenset()


class Node(NamedTuple):
    """An honest replica; what it knows of numbers is by height."""

    view: int = 0
    wanted: int = 0
    forgot: bool = False
    voted: frozenset[Proof] = frozenset()
    proofs: frozenset[Proof] = frozenset()
    decided: frozenset[tuple[int, int]] = frozenset()
    again: frozenset[tuple[int, int]] = frozenset()


World = plain_world.World[Node, Said]

After = tuple[str, Node, frozenset[Said] | set[Said]]
"""(action, the replica after it, what it says)"""

NOTHING: Final = frozenset[Said]()


class PlainClassic(PlainFrame[Node, Said]):
    """The model for `check.explore`."""

    actions = ACTIONS

    def __init__(self, limits: LimitsClassic) -> None:
        super().__init__(limits)
        self._heights = range(1, limits.heights + 1)
        self._values = (*limits.values, FILLER)

    def _fresh(self) -> Node:
        return Node()

    def render(self, state: World) -> str:
        """Views and decisions."""
        return "  ".join(f"node{i} v{one.view} {sorted(one.decided)}" for i, one in enumerate(state.nodes) if one is not None)

    def agrees(self, state: World) -> bool:
        """Agreement among the honest."""
        decided = {pair for one in state.nodes if one is not None for pair in one.decided}
        return len(decided) == len({h for h, _ in decided})

    def _of(self, i: int, me: Node, w: World) -> Iterator[After]:
        yield from self._phases(i, me, w)
        yield from self._change(i, me, w)

    # The three phases

    def _phases(self, i: int, me: Node, w: World) -> Iterator[After]:
        ledger = _ledger(me)
        if me.wanted == me.view and not me.forgot:
            for h in self._heights:
                yield from self._propose(i, me, w, h)
                yield from self._count(i, me, w, h)
        h = ledger + 1
        for value in self._values if h in self._heights else ():
            has_it = any(j != i and one is not None and _ledger(one) >= h and (h, value) in one.decided for j, one in enumerate(w.nodes))
            signers = {one.sender for one in w.said if (one.kind, one.height, one.value) == ("commit", h, value)}
            if has_it or (self.liar is not None and len(signers | {self.liar}) >= self.limits.quorum):
                yield "sync", me._replace(decided=_with(me.decided, (h, value))), NOTHING

    def _choice(self, w: World, h: int) -> list[int]:
        named = {one.value for one in w.said if one.height == h and one.kind in {"propose", "prepare"}} & set(self.limits.values)
        if not self.limits.symmetry or len(named) == len(self.limits.values):
            return list(self.limits.values)
        return sorted({*named, min(set(self.limits.values) - named)})

    def _propose(self, i: int, me: Node, w: World, h: int) -> Iterator[After]:
        """As the primary, and after it."""
        voted_in = _view_of(me.voted, h)
        if voted_in >= me.view:
            return
        leader, again = me.view % NODES, dict(me.again)
        if leader == i and h > _ledger(me) and (h == _ledger(me) + 1 or _view_of(me.voted, h - 1) == me.view):
            for value in self._choice(w, h):
                said = {Said(kind, me.view, i, h, value) for kind in ("propose", "prepare")}
                yield "propose", _voted(me, h, value), said
        offers = [one.value for one in w.said if (one.kind, one.view, one.height) == ("propose", me.view, h) and one.sender != i]
        if leader == self.liar:
            offers += self._choice(w, h)
        for value in offers if h not in again else ():
            yield "accept", _voted(me, h, value), {Said("prepare", me.view, i, h, value)}
        if h in again:
            yield "accept again", _voted(me, h, again[h]), {Said("prepare", me.view, i, h, again[h])}

    def _who(self, w: World, kind: str, view: int, h: int, value: int) -> int:
        honest = {one.sender for one in w.said if (one.kind, one.view, one.height, one.value) == (kind, view, h, value)}
        return len(honest) + (self.liar is not None)

    def _count(self, i: int, me: Node, w: World, h: int) -> Iterator[After]:
        """Prepared and committed."""
        for height, view, value in me.voted:
            is_new = _view_of(me.proofs, h) != view
            if height == h and view == me.view and is_new and self._who(w, "prepare", view, h, value) >= self.limits.quorum:
                yield "prepared", me._replace(proofs=_put(me.proofs, (h, view, value))), {Said("commit", view, i, h, value)}
        for height, view, value in me.proofs:
            undecided = h not in dict(me.decided)
            if height == h and view == me.view and undecided and self._who(w, "commit", view, h, value) >= self.limits.quorum:
                yield "decide", me._replace(decided=_with(me.decided, (h, value))), NOTHING

    # Views

    def _change(self, i: int, me: Node, w: World) -> Iterator[After]:
        views = range(1, self.limits.view_max + 1)
        if me.wanted + 1 in views:
            yield "time out", me._replace(wanted=me.wanted + 1, forgot=False, again=frozenset()), {_asking(i, me, me.wanted + 1)}
        for view in views:
            if view > me.wanted and self._is_joined(w, i, view):
                yield "join", me._replace(wanted=view, forgot=False, again=frozenset()), {_asking(i, me, view)}
            if view % NODES == i and me.wanted == view > me.view:
                for again in self._weigh(w, view, i):
                    now = me._replace(view=view, wanted=view, forgot=False, again=frozenset())
                    said = {Said("new", view, i, proofs=frozenset((h, 0, value) for h, value in again))}
                    for h, value in again:
                        now, said = _voted(now, h, value), said | {Said("prepare", view, i, h, value)}
                    yield "new view", now, said
            if view >= me.wanted and (view > me.view or (me.forgot and view == me.view)):
                for again in self._offered(w, view):
                    open_ = frozenset((h, value) for h, value in again if _view_of(me.voted, h) != view)
                    yield "enter view", me._replace(view=view, wanted=view, forgot=False, again=open_), NOTHING
        yield from self._ask_and_crash(i, me, w)

    def _ask_and_crash(self, i: int, me: Node, w: World) -> Iterator[After]:
        """What a restarted replica asks, and the restart."""
        voting = {one.sender for one in w.said if one.kind in {"prepare", "commit"} and one.view > me.view} - {i}
        if self.liar is not None and me.view < self.limits.view_max:
            voting.add(self.liar)
        asking = _asking(i, me, me.view)
        needs = me.forgot or len(voting) > (NODES - 1) // 3
        if me.view and me.wanted == me.view and asking not in w.said and needs:
            yield "ask", me, {asking}
        if w.crashes < self.limits.crashes:
            kept = frozenset((h, value) for h, value in me.decided if h <= _ledger(me))
            is_asking = me.wanted > me.view
            view = me.wanted - 1 if is_asking else me.view
            forgot = not is_asking and me.view > 0
            yield "crash", me._replace(view=view, forgot=forgot, decided=kept, again=frozenset()), NOTHING

    def _is_joined(self, w: World, i: int, view: int) -> bool:
        """f+1 others ask for this view or later ones, one of them for this one."""
        others = [one for one in w.said if one.kind == "change" and one.sender != i]
        senders = {one.sender for one in others if one.view >= view} | ({self.liar} if self.liar is not None else set())
        is_there = self.liar is not None or any(one.view == view for one in others)
        return is_there and len(senders) > (NODES - 1) // 3

    def _offered(self, w: World, view: int) -> set[frozenset[tuple[int, int]]]:
        """What new views for a view propose again."""
        found = {frozenset((h, value) for h, _, value in one.proofs) for one in w.said if (one.kind, one.view) == ("new", view)}
        return found | self._weigh(w, view) if view % NODES == self.liar else found

    def _weigh(self, w: World, view: int, own: int | None = None) -> set[frozenset[tuple[int, int]]]:
        """What follows from every quorum of view changes."""
        told = [(one.sender, one.proofs) for one in w.said if (one.kind, one.view) == ("change", view)]
        if self.liar is not None:
            real = [[None, *self._certified(w, view, h)] for h in self._heights]
            told += [(self.liar, frozenset(one for one in chosen if one)) for chosen in product(*real)]
        found = set()
        for size in range(self.limits.quorum, NODES + 1):
            for senders in combinations(range(NODES), size):
                for chosen in product(*([one for one in told if one[0] == j] for j in senders)):
                    if own is None or own in senders:
                        found.add(_following([proof for _, proofs in chosen for proof in proofs]))
        return found

    def _certified(self, w: World, view: int, h: int) -> list[Proof]:
        """What the liar can prove of a number."""
        found = product(range(view), self._values)
        return [(h, made_in, value) for made_in, value in found if self._who(w, "prepare", made_in, h, value) >= self.limits.quorum]


def _following(proofs: list[Proof]) -> frozenset[tuple[int, int]]:
    """The set O: up to the highest prepared number, the latest prepared or an empty block."""
    latest: dict[int, tuple[int, int]] = {}
    for h, view, value in proofs:
        latest[h] = max((view, value), latest.get(h, (-1, 0)))
    return frozenset((h, latest[h][1] if h in latest else FILLER) for h in range(1, max(latest, default=0) + 1))


def _ledger(me: Node) -> int:
    """Numbers decided without a gap."""
    decided, h = dict(me.decided), 0
    while h + 1 in decided:
        h += 1
    return h


def _view_of(proofs: frozenset[Proof], h: int) -> int:
    return next((view for height, view, _ in proofs if height == h), -1)


def _put(proofs: frozenset[Proof], proof: Proof) -> frozenset[Proof]:
    return frozenset(one for one in proofs if one[0] != proof[0]) | {proof}


def _with(decided: frozenset[tuple[int, int]], pair: tuple[int, int]) -> frozenset[tuple[int, int]]:
    return frozenset(one for one in decided if one[0] != pair[0]) | {pair}


def _voted(me: Node, h: int, value: int) -> Node:
    return me._replace(voted=_put(me.voted, (h, me.view, value)), again=frozenset(one for one in me.again if one[0] != h))


def _asking(i: int, me: Node, view: int) -> Said:
    return Said("change", view, i, proofs=frozenset(proof for proof in me.proofs if proof[1] < view))
