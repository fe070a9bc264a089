"""Must a block come from here, once faults stop? Progress of the abstract fisco3 model, from any of its states.

From a state on, the world is kind: nobody crashes, every message of a living replica arrives in time, blocks are synchronised, and
time-outs come only when nothing else can happen. One replica may stay dead; a Byzantine one is silent from now on. Then all living replicas
ask for the next view, its leader shows their view changes, and they accept or refuse what follows. That schedule is fair, and what the
living know afterwards depends on nothing but what they had written and locked. So when as many views as there are leaders have passed and
neither has changed, they never will: the same views follow for ever, a fair cycle without a commit. Otherwise blocks come.

Laws: views have no bound here, other than in the walk; a state from which the bound would keep blocks away is not called stuck for it.

Sources: docs/pbft.md, rules 11 to 17; observables.md H1 and section 5 (must-commit under a synchronous schedule).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations

from fiscotool.check.fisco3_bounds import NAMES, NODES, Changed, Limits, Lock, leader_of
from fiscotool.check.fisco3_local import Local, Prefix
from fiscotool.check.fisco3_places import Places
from fiscotool.check.fisco3_views import chosen_again

Locks = tuple[tuple[Lock, ...], ...]
"""Of each living replica."""


class Recovery:
    """What becomes of a state when `dead` (or nobody) stays dead and everything else is well."""

    def __init__(self, limits: Limits, dead: int | None = None) -> None:
        self._limits = limits
        self._places = Places(limits)
        self._live = tuple(i for i in limits.honest if i != dead)
        self._mask = sum(self._places.replica_mask(i) for i in self._live)
        self._known: dict[int, bool] = {}

    def commits(self, state: int) -> bool:
        """Whether all blocks within the bounds are written in the end."""
        seen = state & self._mask
        if seen not in self._known:
            self._known[seen] = not self.stuck_in(state)
        return self._known[seen]

    def stuck_in(self, state: int) -> tuple[str, ...]:
        """Empty when blocks come; otherwise what each view of the cycle is like."""
        view, written, locks = self.start(state)
        story: list[str] = []
        while len(written) < self._limits.heights and len(story) < NODES:
            view += 1
            before = written, locks
            written, locks, told = self.after(view, written, locks, range(len(self._live)))
            story = [*story, told] if (written, locks) == before else []
        return tuple(story)

    def start(self, state: int) -> tuple[int, Prefix, Locks]:
        """The last view anybody is in or asks for, and what the living wrote and hold."""
        replicas = [self._places.read(i, state) for i in self._live]
        written = max((one.written for one in replicas), key=len)
        return max(max(one.view, one.target) for one in replicas), written, tuple(_above(one, len(written)) for one in replicas)

    def choices(self) -> Iterator[tuple[int, ...]]:
        """Every set of the living whose view changes a leader may go by: positions among them."""
        for size in range(self._limits.quorum, len(self._live) + 1):
            yield from combinations(range(len(self._live)), size)

    def after(self, view: int, written: Prefix, locks: Locks, chosen: Iterable[int]) -> tuple[Prefix, Locks, str]:
        """One view, led by the view changes of `chosen`: what is written and locked after it, and what happened to the next height."""
        height = len(written) + 1
        leader = leader_of(height, view)
        if leader not in self._live:
            return written, locks, f"view {view}: its leader node{leader} is dead"
        changes = tuple(Changed(view, self._live[k], height - 1, locks[k]) for k in chosen)
        if not changes:
            return written, locks, f"view {view}: too few live for a new view"
        again = {lock.height: lock for lock in chosen_again(view, changes).again}
        told = ""
        while height <= self._limits.heights and (height in again or leader_of(height, view) in self._live):
            shown = again.get(height)
            value = shown.value if shown else self._limits.values[0]
            refusing = [i for i, held in zip(self._live, locks, strict=True) if self._refuses(held, height, value, shown)]
            if len(self._live) - len(refusing) < self._limits.quorum:
                who = ", ".join(f"node{i}" for i in refusing) or "too few live and"
                told = f"view {view}: node{leader} proposes {NAMES[value]} at height {height}, {who} refuse"
                break
            written = (*written, value)
            locks = tuple(tuple(lock for lock in held if lock.height > height) for held in locks)
            height += 1
        return written, locks, told

    def _refuses(self, held: tuple[Lock, ...], height: int, value: int, shown: Lock | None) -> bool:
        """Rule 11, or with its hole the lock that nothing opens."""
        lock = next((one for one in held if one.height == height), None)
        if lock is None or lock.value == value:
            return False
        return "lock-never-released" in self._limits.holes or shown is None or shown.view <= lock.view


class Progress:
    """Recovery from every state, whichever single replica is dead."""

    def __init__(self, limits: Limits) -> None:
        deaths: tuple[int | None, ...] = (None,) if limits.byzantine is not None else (None, *range(NODES))
        self._recoveries = [(dead, Recovery(limits, dead)) for dead in deaths]

    def holds(self, state: int) -> bool:
        """Whether a block must come, for every choice of the dead."""
        return all(recovery.commits(state) for _, recovery in self._recoveries)

    def explain(self, state: int) -> tuple[str, ...]:
        """Who is dead, and the views that follow each other for ever."""
        for dead, recovery in self._recoveries:
            story = recovery.stuck_in(state)
            if story:
                return (f"node{dead} stays dead" if dead is not None else "the Byzantine replica falls silent", *story, "and so for ever")
        return ()


def _above(one: Local, height: int) -> tuple[Lock, ...]:
    return tuple(one.locks[h] for h in sorted(one.locks) if h > height)
