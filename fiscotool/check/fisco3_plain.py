"""The abstract fisco3 model a second time: sets and records, no bits, no kept answers. Slow, and the check of the packed one.

Nothing of the packed model is used but its bounds and words. What is counted here state by state (`check.explore`) is what the packed
walk must count: generated, distinct, depth, each level and each action. No holes; without symmetry unless asked.

Sources: as fiscotool.check.fisco3_packed.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product
from typing import NamedTuple

from fiscotool.check.fisco3_bounds import FILLER, NAMES, NODES, Limits
from fiscotool.check.model import Taken

Vote = tuple[str, int, int, int, int]
"""(kind, view, height, value, sender)"""

Cert = tuple[int, int, int]
"""(height, view, value)"""

Asked = tuple[int, int, int, frozenset[Cert]]
"""A view change: (view, sender, blocks written, certificates)"""

Shown = tuple[int, int, frozenset[Cert]]
"""A new view: (view, base, what is proposed again, each with the view of its proof, -1 for a filler)"""


class Member(NamedTuple):
    """An honest replica. `voted`, `locked` and `agreed` are by height."""

    view: int = 0
    target: int = 0
    chain: tuple[int, ...] = ()
    voted: frozenset[tuple[int, int, int]] = frozenset()
    locked: frozenset[Cert] = frozenset()
    agreed: frozenset[tuple[int, int]] = frozenset()


class World(NamedTuple):
    """A state. `signed` has (chain, sender)."""

    members: tuple[Member, ...]
    votes: frozenset[Vote] = frozenset()
    signed: frozenset[tuple[tuple[int, ...], int]] = frozenset()
    asked: frozenset[Asked] = frozenset()
    shown: frozenset[Shown] = frozenset()
    crashes: int = 0


class PlainFisco3:
    """The model for `check.explore`."""

    actions = (
        "propose", "accept", "accept again", "prepared", "agreed", "pull", "write", "time out", "new view", "enter view", "crash", "sync",
    )  # fmt: skip

    def __init__(self, limits: Limits) -> None:
        if limits.holes:
            raise ValueError("the plain model has no holes")
        self.limits = limits
        self._heights = range(1, limits.heights + 1)
        self._views = range(limits.view_max + 1)

    def initial(self) -> World:
        """Everybody in view 0 at height 0."""
        return World((Member(),) * NODES)

    def render(self, state: World) -> str:
        """Views and chains."""
        return "  ".join(f"node{i} v{one.view} {one.chain}" for i, one in enumerate(state.members) if i != self.limits.byzantine)

    def agrees(self, state: World) -> bool:
        """Agreement among the honest."""
        for h in self._heights:
            honest = [state.members[i] for i in self.limits.honest]
            told = {one.chain[h - 1] for one in honest if len(one.chain) >= h} | {v for one in honest for k, v in one.agreed if k == h}
            if len(told) > 1:
                return False
        return True

    def successors(self, state: World) -> Iterator[Taken[World]]:
        """Every step of every honest replica."""
        for i in self.limits.honest:
            me = state.members[i]
            for action, label, after in self._of(i, me, state):
                yield Taken(action, f"node{i} {label}", after)

    def _of(self, i: int, me: Member, w: World) -> Iterator[tuple[str, str, World]]:
        for h in self._heights:
            if self._waits(i, me.chain, h):
                continue
            yield from self._propose(i, me, w, h)
            yield from self._accept(i, me, w, h)
            yield from self._certify(i, me, w, h)
        yield from self._ledger(i, me, w)
        yield from self._change_view(i, me, w)
        if w.crashes < self.limits.crashes:
            done = frozenset((len(chain), chain[-1]) for chain in _executed(me))
            yield "crash", "crashes", _with(w, i, me._replace(view=0, target=1, agreed=done))._replace(crashes=w.crashes + 1)

    def _choice(self, w: World, h: int) -> list[int]:
        if not self.limits.symmetry or (h == 1 and self.limits.leaves is not None):
            return list(self.limits.values)
        named = {value for kind, _, height, value, _ in w.votes if height == h and kind in {"preprepare", "prepare"}}
        found: list[int] = []
        for value in self.limits.values:
            if value in named or not set(found) - named:
                found.append(value)
        return found

    def _propose(self, i: int, me: Member, w: World, h: int) -> Iterator[tuple[str, str, World]]:
        known = dict(me.agreed)
        if self._leader(me.chain, h, me.view) != i or h <= len(me.chain) or (h > len(me.chain) + 1 and h - 1 not in known) or h in known:
            return
        if _voted_view(me, h) >= me.view:
            return
        lock = _lock(me, h)
        for value in [lock[2]] if lock else self._choice(w, h):
            sent = w._replace(votes=w.votes | {("preprepare", me.view, h, value, i)})
            yield "propose", f"proposes {NAMES[value]} at height {h} in view {me.view}", _vote(sent, i, me, h, value)

    def _accept(self, i: int, me: Member, w: World, h: int) -> Iterator[tuple[str, str, World]]:
        """Shown by a leader, or by a new view."""
        if h <= len(me.chain) or _voted_view(me, h) >= me.view:
            return
        lock, known = _lock(me, h), dict(me.agreed)
        fresh = {value for kind, view, height, value, _ in w.votes if (kind, view, height) == ("preprepare", me.view, h)}
        offers = [(value, "accepts", -1) for value in sorted(fresh)]
        if self._leader(me.chain, h, me.view) == self.limits.byzantine:
            offers += [(value, "accepts", -1) for value in self._choice(w, h)]
        again: dict[int, int] = {}
        for _, _, entries in self._new_views(w, me.view):
            for height, proof, value in entries:
                if height == h:
                    again[value] = max(proof, again.get(value, -1))
        offers += [(value, "accepts again", proof) for value, proof in again.items()]
        for value, verb, proof in offers:
            opens = lock is None or lock[2] == value or (verb == "accepts again" and proof > lock[1])
            if opens and known.get(h, value) == value:
                yield verb.replace("accepts", "accept"), f"{verb} {NAMES[value]} at height {h} in view {me.view}", _vote(w, i, me, h, value)

    def _certify(self, i: int, me: Member, w: World, h: int) -> Iterator[tuple[str, str, World]]:
        """Rules 4 and 5."""
        if me.target > me.view:
            return
        lock, known = _lock(me, h), dict(me.agreed)
        for height, view, value in me.voted:
            is_new = lock is None or lock != (h, view, value)
            if height == h and view == me.view and is_new and self._count(w, "prepare", view, h, value, me.chain) >= self.limits.quorum:
                held = frozenset(one for one in me.locked if one[0] != h) | {(h, view, value)}
                sent = w._replace(votes=w.votes | {("commit", view, h, value, i)})
                yield "prepared", f"holds {NAMES[value]} at height {h} in view {view} prepared", _with(sent, i, me._replace(locked=held))
        if (
            lock
            and lock[1] == me.view
            and known.get(h) != lock[2]
            and self._count(w, "commit", lock[1], h, lock[2], me.chain) >= self.limits.quorum
        ):
            now = me._replace(agreed=frozenset(one for one in me.agreed if one[0] != h) | {(h, lock[2])})
            yield "agreed", f"agrees on {NAMES[lock[2]]} at height {h} in view {lock[1]}", _sign(_with(w, i, now), i, now)

    def _list(self, chain: tuple[int, ...], h: int) -> list[int]:
        """Who decides a height on a chain: one is gone once the first block said so."""
        everybody = list(range(NODES))
        if self.limits.leaves is not None and h > 1 and chain[:1] == (2,):
            everybody.remove(self.limits.leaves)
        return everybody

    def _leader(self, chain: tuple[int, ...], h: int, view: int) -> int:
        found = self._list(chain, h)
        return found[(h + view) % len(found)]

    def _waits(self, i: int, chain: tuple[int, ...], h: int) -> bool:
        """Above a system block that is not written, or no longer asked."""
        return self.limits.leaves is not None and h > 1 and (not chain or i not in self._list(chain, h))

    def _count(self, w: World, kind: str, view: int, h: int, value: int, chain: tuple[int, ...]) -> int:
        return sum(j == self.limits.byzantine or (kind, view, h, value, j) in w.votes for j in self._list(chain, h))

    def _certified(self, w: World, view: int, h: int, value: int) -> bool:
        """Whether there is a certificate: under the list that those who voted went by."""
        voters = {j for kind, *told, j in w.votes if kind == "prepare" and told == [view, h, value]}
        chains = {w.members[j].chain for j in voters} or {()}
        return any(self._count(w, "prepare", view, h, value, chain) >= self.limits.quorum for chain in chains)

    def _signers(self, w: World, chain: tuple[int, ...]) -> int:
        return sum(j == self.limits.byzantine or (chain, j) in w.signed for j in self._list(chain, len(chain)))

    def _ledger(self, i: int, me: Member, w: World) -> Iterator[tuple[str, str, World]]:
        """Rules 8, 9 and 21."""
        done = _executed(me)
        below = done[-1] if done else me.chain
        for value in (*self.limits.values, FILLER):
            h = len(below) + 1
            enough = (len(self._list(me.chain, h)) - 1) // 3 + 1
            if h <= self.limits.heights and not self._waits(i, me.chain, h) and self._signers(w, (*below, value)) >= enough:
                now = me._replace(agreed=me.agreed | {(h, value)})
                yield "pull", f"pulls {NAMES[value]} at height {h}", _sign(_with(w, i, now), i, now)
            h = len(me.chain) + 1
            if h <= self.limits.heights and self._signers(w, (*me.chain, value)) >= self.limits.quorum:
                now = me._replace(
                    chain=(*me.chain, value),
                    voted=frozenset(one for one in me.voted if one[0] != h),
                    locked=frozenset(one for one in me.locked if one[0] != h),
                    agreed=frozenset(one for one in me.agreed if one[0] != h),
                )
                yield "write", f"writes block {h} = {NAMES[value]}", _sign(_with(w, i, now), i, now)

    def _change_view(self, i: int, me: Member, w: World) -> Iterator[tuple[str, str, World]]:
        """Rules 12 to 19."""
        for view in self._views:
            if view <= me.view:
                continue
            told: Asked = (view, i, len(me.chain), me.locked)
            yield "time out", f"asks for view {view}", _with(w, i, me._replace(target=view))._replace(asked=w.asked | {told})
            if self._leader(me.chain, len(me.chain) + 1, view) == i:
                for message in self._compose(w, view, len(me.chain), self._list(me.chain, len(me.chain) + 1)):
                    entered = _with(w, i, me._replace(view=view, target=view))
                    yield "new view", f"shows view {view}", entered._replace(shown=w.shown | {message})
            if self._new_views(w, view):
                yield "enter view", f"enters view {view}", _with(w, i, me._replace(view=view, target=view))

    def _new_views(self, w: World, view: int) -> set[Shown]:
        """What there is, and what a liar that leads adds."""
        found = {one for one in w.shown if one[0] == view}
        for height in range(self.limits.heights + 1) if view else ():
            for chain in ((1,), (2,)):
                if self._leader(chain, height + 1, view) == self.limits.byzantine:
                    found |= self._compose(w, view, height, self._list(chain, height + 1))
        return found

    def _compose(self, w: World, view: int, height: int, members: list[int]) -> set[Shown]:
        """Rule 15, over every set of view changes of a quorum."""
        told = [one for one in w.asked if one[0] == view and one[2] >= height]
        if self.limits.byzantine is not None:
            told += [lie for claim in {height, *(one[2] for one in told)} for lie in self._lies(w, view, claim)]
        found = set()
        for size in range(self.limits.quorum, NODES + 1):
            for senders in combinations(members, size):
                found |= {_again(view, chosen) for chosen in product(*([one for one in told if one[1] == j] for j in senders))}
        return found

    def _lies(self, w: World, view: int, claim: int) -> Iterator[Asked]:
        """View changes of the liar, with certificates that exist."""
        b = self.limits.byzantine
        assert b is not None
        values = (*self.limits.values, FILLER)
        real = [
            [None, *((h, v, x) for v in range(view) for x in values if self._certified(w, v, h, x))] for h in self._heights if h > claim
        ]
        for locks in product(*real):
            yield view, b, claim, frozenset(lock for lock in locks if lock is not None)


def _again(view: int, chosen: tuple[Asked, ...]) -> Shown:
    base = max(written for _, _, written, _ in chosen)
    best: dict[int, Cert] = {}
    for _, _, _, locks in chosen:
        for h, made_in, value in locks:
            known = best.get(h)
            if h > base and (known is None or (made_in, value) > known[1:]):
                best[h] = (h, made_in, value)
    return view, base, frozenset(best.get(h, (h, -1, FILLER)) for h in range(base + 1, max(best, default=base) + 1))


def _executed(me: Member) -> list[tuple[int, ...]]:
    """Chains above the ledger that can be executed."""
    known, chain, found = dict(me.agreed), me.chain, []
    while len(chain) + 1 in known:
        chain = (*chain, known[len(chain) + 1])
        found.append(chain)
    return found


def _sign(w: World, i: int, me: Member) -> World:
    return w._replace(signed=w.signed | {(chain, i) for chain in _executed(me)})


def _with(w: World, i: int, me: Member) -> World:
    return w._replace(members=(*w.members[:i], me, *w.members[i + 1 :]))


def _vote(w: World, i: int, me: Member, h: int, value: int) -> World:
    voted = frozenset(one for one in me.voted if one[0] != h) | {(h, me.view, value)}
    return _with(w._replace(votes=w.votes | {("prepare", me.view, h, value, i)}), i, me._replace(voted=voted))


def _voted_view(me: Member, h: int) -> int:
    return max((view for height, view, _ in me.voted if height == h), default=-1)


def _lock(me: Member, h: int) -> Cert | None:
    return next((one for one in me.locked if one[0] == h), None)
