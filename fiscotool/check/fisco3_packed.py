"""FISCO BCOS 3.x consensus of four replicas, abstract and packed: every schedule within bounds.

Abstraction. Votes are never collected one by one. Everything sent stays available, so a replica may act as soon as enough votes
*exist*: for each schedule of the core in which it acted on those it had received there is one here, and losing, delaying, repeating
and reordering messages is never acting on them yet. Time-outs come at any time. What a Byzantine replica can sign has been sent from
the beginning, and it makes view changes and new views out of whatever was signed.

A replica's bits: view and target view (in timeout while they differ); the values written; for each height what it accepted and in
which view, its lock (view and value), and what it agreed on. An agreed value is executed once all below it are, and its checkpoint
names the whole prefix.

Where the model allows more than the core (it enters any later new view; a time-out needs no timer; recovery answers need only agree
on a view), every schedule of the core is meant to be among its schedules. This is argued, not yet tested.

Sources: docs/pbft.md, rules 2 to 21 and deviations D2, D3, D10; observables.md H1 to H6.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product
from typing import Final

from fiscotool.check.fisco3_bounds import FILLER, NAMES, Changed, Entered, Limits, Lock, Slot, leader_of
from fiscotool.check.fisco3_local import Local, Places
from fiscotool.check.howard_bits import Step, bits_at
from fiscotool.check.packed import Moves

ACTIONS: Final = ("propose", "accept", "prepared", "agreed", "write", "time out", "new view", "enter view", "crash", "recover")


class PackedFisco3:
    """The model for `check.packed`."""

    actions = ACTIONS

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._places = Places(limits)
        self._messages: dict[Changed | Entered, int] = {}
        kinds = [kind for kind in ACTIONS if self._is_possible(kind)]
        self._parts = [(i, kind) for i in limits.honest for kind in kinds]
        if limits.byzantine is not None and limits.view_max:
            self._parts.append((limits.byzantine, "new view"))
        self.parts = len(self._parts)
        self._masks = [self._places.mask(i, kind) for i, kind in self._parts]

    def _is_possible(self, kind: str) -> bool:
        if kind in {"time out", "new view", "enter view"}:
            return self.limits.view_max > 0
        return kind not in {"crash", "recover"} or self.limits.crashes > 0

    def initial(self) -> int:
        """Everybody in view 0 at height 0; all that the Byzantine replica can sign is there."""
        return self._places.forged()

    def mask(self, part: int) -> int:
        """What a part reads or writes."""
        return self._masks[part]

    def moves(self, part: int, seen: int) -> Moves:
        """All steps of a part, as differences."""
        steps = list(self._steps(part, seen))
        counts: dict[str, int] = {}
        for action, _, _ in steps:
            counts[action] = counts.get(action, 0) + 1
        differences = dict.fromkeys(after - seen for _, _, after in steps)
        differences.pop(0, None)
        return Moves(len(steps), tuple(differences), tuple(counts.items()))

    def explain(self, part: int, seen: int) -> list[Step]:
        """All steps of a part with their labels."""
        i = self._parts[part][0]
        return [(action, f"node{i} {label}", after - seen) for action, label, after in self._steps(part, seen)]

    def agrees(self, state: int) -> bool:
        """Agreement: no two honest replicas wrote or agreed on different values at a height, and none changed its mind."""
        if state >> self._places.torn & 1:
            return False
        locals_ = [self._places.read(i, state) for i in self.limits.honest]
        for h in range(1, self.limits.heights + 1):
            told = {value for one in locals_ for value in (one.written_at(h), one.agreed.get(h, 0)) if value}
            if len(told) > 1:
                return False
        return True

    def _steps(self, part: int, s: int) -> Iterator[Step]:
        i, kind = self._parts[part]
        if i == self.limits.byzantine:
            yield from self._forge_views(s)
            return
        me = self._places.read(i, s)
        match kind:
            case "propose":
                yield from self._propose(i, me, s)
            case "accept":
                yield from self._accept(i, me, s)
            case "prepared":
                yield from self._prepared(i, me, s)
            case "agreed":
                yield from self._agreed(i, me, s)
            case "write":
                yield from self._write(i, me, s)
            case "time out":
                yield from self._time_out(i, me, s)
            case "new view":
                yield from self._new_view(i, me, s)
            case "enter view":
                yield from self._enter(i, me, s)
            case "crash":
                yield from self._crash(i, me, s)
            case _:
                yield from self._recover(i, me, s)

    def _propose(self, i: int, me: Local, s: int) -> Iterator[Step]:
        """Rule 1 and D10: a leader locked on a value proposes it again. Its own pre-prepare is accepted in the same step."""
        if me.in_timeout:
            return
        for h in range(me.height + 1, self.limits.heights + 1):
            is_next = h == me.height + 1 or me.agreed.get(h - 1)
            if leader_of(h, me.view) != i or not is_next or me.accepted.get(h, (-1, 0))[0] >= me.view:
                continue
            lock = me.locks.get(h)
            for value in (lock.value,) if lock else self._choice(s, h):
                slot = (me.view, h, value)
                after = self._places.vote(self._places.send(s, "preprepare", slot), i, me, slot)
                yield "propose", f"proposes {_named(slot)}", after

    def _choice(self, s: int, h: int) -> tuple[int, ...]:
        """The values a leader may take: under symmetry none before those with earlier names were proposed at this height."""
        used = {value for _, height, value in self._places.proposed(s) if height == h}
        fresh = [value for value in self.limits.values if value not in used]
        return self.limits.values if not self.limits.symmetry else tuple(v for v in self.limits.values if v in used or v == fresh[0])

    def _accept(self, i: int, me: Local, s: int) -> Iterator[Step]:
        """Rule 3, also in timeout (D3)."""
        for slot in self._places.proposed(s):
            view, h, value = slot
            if view != me.view or h <= me.height or me.accepted.get(h, (-1, 0))[0] >= view:
                continue
            lock = me.locks.get(h)
            if lock is None or lock.value == value:
                yield "accept", f"accepts {_named(slot)}", self._places.vote(s, i, me, slot)

    def _prepared(self, i: int, me: Local, s: int) -> Iterator[Step]:
        """Rule 4."""
        if me.in_timeout:
            return
        for h, (view, value) in me.accepted.items():
            slot = (view, h, value)
            if view == me.view and me.locks.get(h) != Lock(h, view, value) and self._places.count(s, "prepare", slot) >= self.limits.quorum:
                after = self._places.send(s, "commit", slot, i)
                yield "prepared", f"holds {_named(slot)} prepared", self._places.put(after, i, me.with_lock(Lock(h, view, value)))

    def _agreed(self, i: int, me: Local, s: int) -> Iterator[Step]:
        """Rules 5 to 7: agreed, executed when all below are, and its checkpoint sent."""
        if me.in_timeout:
            return
        for h, lock in me.locks.items():
            slot = (lock.view, h, lock.value)
            if lock.view != me.view or self._places.count(s, "commit", slot) < self.limits.quorum or me.agreed.get(h) == lock.value:
                continue
            after = s | 1 << self._places.torn if me.agreed.get(h) else s
            now = me.with_agreed(h, lock.value)
            for prefix in now.executed():
                after = self._places.send_checkpoint(after, prefix, i)
            yield "agreed", f"agrees on {_named(slot)}", self._places.put(after, i, now)

    def _write(self, i: int, me: Local, s: int) -> Iterator[Step]:
        """Rules 8 and 21: checkpoints of a quorum make a block, whether consensus or synchronisation brought it."""
        h = me.height + 1
        for prefix in self._places.prefixes(h):
            is_ours = prefix[:-1] == me.written and self._places.count_checkpoints(s, prefix) >= self.limits.quorum
            if h <= self.limits.heights and is_ours:
                yield "write", f"writes block {h} = {NAMES[prefix[-1]]}", self._places.put(s, i, me.with_block(prefix[-1]))

    def _time_out(self, i: int, me: Local, s: int) -> Iterator[Step]:
        """Rules 12 and 13: the replica asks for the next view. Asking again for the same says what it holds now."""
        for view in range(max(me.target, me.view + 1), min(me.target + 1, self.limits.view_max) + 1):
            told = Changed(view, i, me.height, tuple(me.locks[h] for h in sorted(me.locks)))
            after = s | 1 << self._place_of(told)
            yield "time out", f"asks for view {view}", self._places.put(after, i, me.with_target(view))

    def _new_view(self, i: int, me: Local, s: int) -> Iterator[Step]:
        """Rule 15."""
        for view in range(me.view + 1, self.limits.view_max + 1):
            if leader_of(me.height + 1, view) == i:
                for chosen in self._quorums(s, view, me.height):
                    message = chosen_again(view, chosen)
                    yield "new view", f"shows view {view}: {_again(message)}", s | 1 << self._place_of(message)

    def _forge_views(self, s: int) -> Iterator[Step]:
        """What the Byzantine replica can make of the view changes there are; with a hole, of nothing."""
        b = self.limits.byzantine
        for view in range(1, self.limits.view_max + 1):
            for height in range(self.limits.heights):
                if leader_of(height + 1, view) != b and "new-view-unchecked" not in self.limits.holes:
                    continue
                messages = {chosen_again(view, chosen) for chosen in self._quorums(s, view, height)}
                if self.limits.holes & {"new-view-unchecked", "duplicate-signers"}:
                    for values in product((0, *self.limits.values), repeat=self.limits.heights - height):
                        again = tuple(Lock(height + k, view - 1, value) for k, value in enumerate(values, 1) if value)
                        messages.add(Entered(view, height, again))
                for message in sorted(messages):
                    yield "new view", f"shows view {view}: {_again(message)}", s | 1 << self._place_of(message)

    def _quorums(self, s: int, view: int, height: int) -> Iterator[tuple[Changed, ...]]:
        """Every set of view changes of a quorum of distinct senders, none of a ledger below `height`."""
        told: dict[int, list[Changed]] = {}
        for message, at in self._messages.items():
            if isinstance(message, Changed) and message.view == view and message.written >= height and s >> at & 1:
                told.setdefault(message.sender, []).append(message)
        if self.limits.byzantine is not None:
            told[self.limits.byzantine] = list(self._forged_changes(s, view, height))
        for senders in combinations(sorted(told), self.limits.quorum):
            yield from product(*(told[sender] for sender in senders))

    def _forged_changes(self, s: int, view: int, height: int) -> Iterator[Changed]:
        """View changes of the Byzantine replica: with no certificate, or with one that the votes there are make valid."""
        b = self.limits.byzantine
        assert b is not None
        yield Changed(view, b, height, ())
        for slot in self._places.slots:
            made_in, h, value = slot
            if h <= height or made_in >= view:
                continue
            is_real = self._places.count(s, "prepare", slot) >= self.limits.quorum
            if is_real or "duplicate-signers" in self.limits.holes:
                dates = range(made_in, view) if "proof-without-view" in self.limits.holes else (made_in,)
                for date in dates:
                    yield Changed(view, b, height, (Lock(h, date, value),))

    def _enter(self, i: int, me: Local, s: int) -> Iterator[Step]:
        """Rules 16 and 17; what is proposed again is accepted under rule 11."""
        for message, at in list(self._messages.items()):
            if not isinstance(message, Entered) or not s >> at & 1 or message.view <= me.view or message.base < me.height:
                continue
            now, after = me.with_view(message.view), s
            for again in message.again:
                lock = now.locks.get(again.height)
                is_free = lock is None or lock.value == again.value
                if not is_free and "lock-never-released" not in self.limits.holes:
                    is_free = lock is not None and again.view > lock.view
                voted = now.accepted.get(again.height, (-1, 0))[0]
                if again.height > now.height and is_free and voted < message.view:
                    slot = (message.view, again.height, again.value)
                    now = now.with_vote(again.height, message.view, again.value)
                    after = self._places.send(after, "prepare", slot, i)
            yield "enter view", f"enters view {message.view}", self._places.put(after, i, now)

    def _crash(self, i: int, me: Local, s: int) -> Iterator[Step]:
        """Rule 20: votes and locks survive, unless the hole is open; views do not."""
        if self._places.crashes(s) < self.limits.crashes:
            now = me.restarted(forgets="amnesia" in self.limits.holes)
            yield "crash", "crashes and starts again", self._places.put(s + (1 << self._places.crash_count), i, now)

    def _recover(self, i: int, me: Local, s: int) -> Iterator[Step]:
        """Rule 19: a quorum of others names one view."""
        views = [self._places.read(j, s).view for j in self.limits.honest if j != i]
        for view in sorted(set(views)):
            liars = self.limits.byzantine is not None
            if view > me.view and views.count(view) + liars >= self.limits.quorum:
                yield "recover", f"is told view {view}", self._places.put(s, i, me.with_view(view))

    def render(self, state: int) -> str:
        """Every honest replica: view, what it wrote, its locks."""
        return "  ".join(f"node{i} {self._places.read(i, state).text()}" for i in self.limits.honest)

    def _place_of(self, message: Changed | Entered) -> int:
        at = self._messages.get(message)
        if at is None:
            at = self._messages[message] = self._places.place()
            readers = {"new view"} if isinstance(message, Changed) else {"new view", "enter view"}
            for part, (i, kind) in enumerate(self._parts):
                if kind in readers or (isinstance(message, Changed) and kind == "time out" and i == message.sender):
                    self._masks[part] |= bits_at((at,), 1)
        return at


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


def _named(slot: Slot) -> str:
    return f"{NAMES[slot[2]]} at height {slot[1]} in view {slot[0]}"


def _again(message: Entered) -> str:
    told = ", ".join(f"{NAMES[lock.value]} at height {lock.height}" for lock in message.again)
    return f"proposes {told} again" if told else "nothing again"
