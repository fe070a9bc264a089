"""FISCO BCOS 3.x consensus of four replicas, abstract and packed: every schedule within bounds.

Abstraction. Votes are never collected one by one. Everything sent stays available, so a replica may act as soon as enough votes
*exist*: for each schedule of the core in which it acted on those it had received there is one here, and losing, delaying, repeating
and reordering messages is never acting on them yet. Time-outs come at any time. What a Byzantine replica can sign has been sent from
the beginning; it proposes to each replica what it likes, and makes view changes and new views out of whatever was signed.

A replica's bits: view and target view (in timeout while they differ); the values written; for each height what it accepted and in
which view, its lock (view and value), and what it agreed on. An agreed value is executed once all below it are, and its checkpoint
names the whole prefix.

Where the model allows more than the core (it may ask for any later view at any time, and enter any later view that somebody can show, with
or without what that view proposes again), every schedule of the core is among its schedules: `check.refinement` tests it.

Each action evaluates its guard conjunct by conjunct (`check.guards`).

Sources: docs/pbft.md, rules 1 to 21 and deviations D2, D3, D10; observables.md H1 to H7.
"""

from __future__ import annotations

from collections.abc import Iterator

from fiscotool.check.fisco3_bounds import FILLER, NAMES, Changed, Lock, Slot, bits_of, leader_of, support_of
from fiscotool.check.fisco3_frame import Fisco3Frame
from fiscotool.check.fisco3_local import Local
from fiscotool.check.fisco3_views import told_again
from fiscotool.check.howard_bits import Step


class PackedFisco3(Fisco3Frame):
    """The model for `check.packed`."""

    def _steps(self, part: int, s: int) -> Iterator[Step]:
        (i, kind, h), view = self.part_names[part], self.part_views[part]
        me = self._places.read(i, s)
        if h and (self.only_view not in {None, me.view} or self._is_barred(i, me, h)):
            return
        match kind:
            case "propose":
                yield from self._propose(i, me, s, h)
            case "accept":
                yield from self._accept(i, me, s, h)
            case "accept again":
                if me.view == view:
                    yield from self._accept_again(i, me, s, h)
            case "prepared":
                yield from self._prepared(i, me, s, h)
            case "agreed":
                yield from self._agreed(i, me, s, h)
            case "pull":
                yield from self._pull(i, me, s)
            case "write":
                yield from self._write(i, me, s)
            case "time out":
                yield from self._time_out(i, me, s)
            case "new view":
                yield from self._new_view(i, me, s, view)
            case "enter view":
                yield from self._enter(i, me, s, view)
            case "crash":
                yield from self._crash(i, me, s)
            case _:
                yield from self._sync(i, me, s)

    def _is_barred(self, i: int, me: Local, h: int) -> bool:
        """D12: what is above a system block waits for it, and then for those on the list alone."""
        first = me.written_at(1)
        return self.limits.leaves is not None and h > 1 and (not first or i not in self.limits.members(h, first))

    def _members(self, me: Local, h: int) -> tuple[int, ...]:
        """Who decides a height, as far as this replica knows."""
        return self.limits.members(h, me.written_at(1))

    def _propose(self, i: int, me: Local, s: int, h: int) -> Iterator[Step]:
        """Rule 1 and D10: a leader locked on a value proposes it again. Its own pre-prepare is accepted in the same step."""
        is_next = h == me.height + 1 or (h > me.height + 1 and me.agreed.get(h - 1, 0) > 0)
        fresh = me.accepted.get(h, (-1, 0))[0] < me.view and not me.agreed.get(h)
        if self._guards.allow(
            "propose", leads=leader_of(h, me.view, self._members(me, h)) == i, is_next=is_next, not_voted_in_this_view=fresh
        ):
            lock = me.locks.get(h)
            for value in (lock.value,) if lock else self._choice(s, h):
                slot = (me.view, h, value)
                after = self._places.vote(self._places.send(s, "preprepare", slot), i, me, slot)
                yield "propose", f"proposes {_named(slot)}", after

    def _choice(self, s: int, h: int) -> tuple[int, ...]:
        """The values a leader may take: under symmetry none before those with earlier names were voted for at this height."""
        if not self.limits.are_alike(h):
            return self.limits.values
        used = self._places.used(s, h)
        fresh = [value for value in self.limits.values if value not in used]
        return tuple(v for v in self.limits.values if v in used or v == fresh[0])

    def _accept(self, i: int, me: Local, s: int, h: int) -> Iterator[Step]:
        """Rule 3, also in timeout (D3). A liar that leads proposes what it likes."""
        shown = list(self._places.proposed(s, h))
        if self.limits.is_led_by_liar(h, me.view, self._members(me, h)):
            shown += [(me.view, h, value) for value in self._choice(s, h)]
        for slot in shown:
            view, _, value = slot
            lock = me.locks.get(h)
            conjuncts = {"own_view": view == me.view, **self._free(me, h, value)}
            if self._guards.allow("accept", **conjuncts, not_locked_otherwise=lock is None or lock.value == value):
                yield "accept", f"accepts {_named(slot)}", self._places.vote(s, i, me, slot)

    def _free(self, me: Local, h: int, value: int) -> dict[str, bool]:
        """What binds a replica whoever proposes."""
        return {
            "above_ledger": not me.written_at(h),
            "not_voted_in_this_view": me.accepted.get(h, (-1, 0))[0] < me.view,
            "not_agreed_otherwise": me.agreed.get(h, value) == value,
        }

    def _accept_again(self, i: int, me: Local, s: int, h: int) -> Iterator[Step]:
        """Rules 11 and 17: a new view of this view proposes a value again, and shows a certificate that opens the lock."""
        lock = me.locks.get(h)
        for value, proof in sorted(self._messages.offers(s, me.view, h).items()):
            opens = lock is None or lock.value == value or (proof > lock.view and "lock-never-released" not in self.limits.holes)
            if self._guards.allow("accept again", **self._free(me, h, value), lock_opens=opens):
                slot = (me.view, h, value)
                yield "accept again", f"accepts {_named(slot)} again", self._places.vote(s, i, me, slot)

    def _prepared(self, i: int, me: Local, s: int, h: int) -> Iterator[Step]:
        """Rule 4."""
        view, value = me.accepted.get(h, (-1, 0))
        slot = (view, h, value)
        if view < 0 or me.locks.get(h) == Lock(h, view, value):
            return
        enough = self._places.count(s, "prepare", slot, bits_of(self._members(me, h))) >= self.limits.quorum
        if self._guards.allow("prepared", not_in_timeout=not me.in_timeout, own_view=view == me.view, quorum_of_prepares=enough):
            after = self._places.send(s, "commit", slot, i)
            yield "prepared", f"holds {_named(slot)} prepared", self._places.put(after, i, me.with_lock(Lock(h, view, value)))

    def _agreed(self, i: int, me: Local, s: int, h: int) -> Iterator[Step]:
        """Rules 5 to 7: agreed, executed when all below are, and its checkpoint sent."""
        lock = me.locks.get(h)
        if lock is None or me.agreed.get(h) == lock.value:
            return
        slot = (lock.view, h, lock.value)
        enough = self._places.count(s, "commit", slot, bits_of(self._members(me, h))) >= self.limits.quorum
        if self._guards.allow("agreed", not_in_timeout=not me.in_timeout, own_view=lock.view == me.view, quorum_of_commits=enough):
            after = s | 1 << self._places.torn if me.agreed.get(h) else s
            now = me.with_agreed(h, lock.value)
            yield "agreed", f"agrees on {_named(slot)}", self._places.put(self._places.send_checkpoints(after, now, i), i, now)

    def _pull(self, i: int, me: Local, s: int) -> Iterator[Step]:
        """Rule 9: what f+1 executed is taken over, the lowest height first."""
        done = list(me.executed())
        below = done[-1] if done else me.written
        h = len(below) + 1
        if self._is_barred(i, me, h):
            return
        support = support_of(self._members(me, h))
        for prefix in self._places.prefixes_on(below):
            if self._guards.allow("pull", **{"f+1_checkpoints": self._places.signers(s, prefix).bit_count() >= support}):
                now = me.with_agreed(h, prefix[-1])
                after = self._places.put(self._places.send_checkpoints(s, now, i), i, now)
                yield "pull", f"pulls {NAMES[prefix[-1]]} at height {h}", after

    def _write(self, i: int, me: Local, s: int) -> Iterator[Step]:
        """Rules 8 and 21: checkpoints of a quorum make a block, whether consensus or synchronisation brought it."""
        h = me.height + 1
        for prefix in self._places.prefixes_on(me.written):
            if self._guards.allow("write", quorum_of_checkpoints=self._places.signers(s, prefix).bit_count() >= self.limits.quorum):
                now = me.with_block(prefix[-1])
                after = self._places.put(self._places.send_checkpoints(s, now, i), i, now)
                yield "write", f"writes block {h} = {NAMES[prefix[-1]]}", after

    def _time_out(self, i: int, me: Local, s: int) -> Iterator[Step]:
        """Rules 12, 13 and D9: the replica asks for a later view. Asking again says what it holds now."""
        first = 0 if self.only_view is None else self.only_view
        for view in range(max(me.view, first) + 1, self.limits.view_max + 1):
            told = Changed(view, i, me.height, tuple(me.locks[h] for h in sorted(me.locks)))
            after = s | 1 << self._messages.place_of(told)
            yield "time out", f"asks for view {view}", self._places.put(after, i, me.with_target(view))

    def _new_view(self, i: int, me: Local, s: int, view: int) -> Iterator[Step]:
        """Rule 15. The leader enters the view it shows, in the same step, so it shows one."""
        if self.only_view not in {None, view}:
            return
        members = self._members(me, me.height + 1)
        found = sorted(self._messages.composed(s, view, me.height, members))
        leads, later = leader_of(me.height + 1, view, members) == i, view > me.view
        if self._guards.allow("new view", leads=leads, later_view=later, quorum_of_view_changes=bool(found)):
            for message in found:
                after = s | 1 << self._messages.place_of(message)
                yield "new view", f"shows view {view}: {told_again(message)}", self._places.put(after, i, me.with_view(view))

    def _enter(self, i: int, me: Local, s: int, view: int) -> Iterator[Step]:
        """Rules 16, 17 and 19: somebody shows it the view, or tells it that others are there."""
        is_shown = self.only_view in {None, view} and self._messages.is_shown(s, view)
        if is_shown and self._guards.allow("enter view", later_view=view > me.view):
            yield "enter view", f"enters view {view}", self._places.put(s, i, me.with_view(view))

    def _crash(self, i: int, me: Local, s: int) -> Iterator[Step]:
        """Rule 20: votes and locks survive, unless a hole is open; views do not."""
        if self._places.crashes(s) < self.limits.crashes:
            loses = "power-loss" in self.limits.holes
            now = me.restarted(forgets=loses or "amnesia" in self.limits.holes, loses=loses)
            told = "loses power and starts again" if loses else "crashes and starts again"
            yield "crash", told, self._places.put(s + (1 << self._places.crash_count), i, now)

    def _sync(self, i: int, me: Local, s: int) -> Iterator[Step]:
        """H2: a peer sends an empty block, and nobody looks at its signatures."""
        if me.height < self.limits.heights:
            yield "sync", f"is sent an empty block {me.height + 1}", self._places.put(s, i, me.with_block(FILLER))

    def render(self, state: int) -> str:
        """Every honest replica: view, what it wrote, its locks."""
        return "  ".join(f"node{i} {self._places.read(i, state).text()}" for i in self.limits.honest)


def _named(slot: Slot) -> str:
    return f"{NAMES[slot[2]]} at height {slot[1]} in view {slot[0]}"
