"""FISCO BCOS 2.x consensus of four replicas, abstract and packed: every schedule within bounds.

Abstraction, as in `fisco3_packed`: what was sent stays, a replica may act as soon as enough votes exist, time-outs come at any time, and
the Byzantine replica has sent every vote and view change it can sign and proposes to each what it likes. In 2.x this leaves little: view
changes carry nothing but a height, no message starts a view, and a replica works on one height.

A replica is its view and target, what it accepted (and executed, and signed) in this view, its lock, and its blocks. A block is written,
and everything put back, in the step in which the Commits of a quorum are there: nothing is sent between, so a crash there is one before.
What a Sign names, the hash after execution, is the value: replicas with different blocks below disagreed before.

An empty block is a message that whoever sees it answers by asking for the next view. A catch-up is sent to one, here to all.

Sources: docs/pbft.md, fisco2, rules 1 to 8; spec 2.x 1.4 to 1.11.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from fiscotool.check.fisco2_bounds import ACTIONS, GUARDS, UNLOCKED, Limits2, Local2, Lock2, flat_of, made, widths_of
from fiscotool.check.fisco3_bounds import NAMES, NODES, Slot
from fiscotool.check.frame import PackedFrame
from fiscotool.check.howard_bits import Step, bits_at
from fiscotool.check.layout import EVERYONE, Layout

OF_VIEWS: Final = frozenset({"propose empty", "see empty", "time out", "join", "catch up", "enter view"})


class PackedFisco2(PackedFrame):
    """The model for `check.packed`."""

    actions = ACTIONS
    guards = GUARDS

    def __init__(self, limits: Limits2) -> None:
        super().__init__()
        self.limits = limits
        self.layout = at = Layout[Local2](limits, limits.values, ("sign", "commit"), widths_of(limits), made, flat_of(limits))
        places = [(view, written) for view in at.views for written in range(limits.heights)]
        self.asked = {place: at.place(NODES) for place in places if place[0]}
        self.empty = {place: at.place() for place in places if place[0] < limits.view_max}
        self.part_names = [(i, kind, 0) for i in limits.honest for kind in ACTIONS if self._is_possible(kind)]
        self._masks = [at.replica_bits(i) | self._read_by(i, kind) for i, kind, _ in self.part_names]

    def _is_possible(self, kind: str) -> bool:
        if kind in OF_VIEWS:
            return self.limits.view_max > 0
        return kind != "crash" or self.limits.crashes > 0

    def _read_by(self, i: int, kind: str) -> int:
        """What a part reads or writes of all but its own replica."""
        at, own = self.layout, 1 << i
        asked, empty = bits_at(self.asked.values(), EVERYONE), bits_at(self.empty.values(), 1)
        written = at.all_replicas(-self.limits.heights + len(at.fields.ends), self.limits.heights)
        signed = at.bits_of("sign", EVERYONE if at.limits.symmetry else own) | at.shown_bits()
        bits = {
            "propose": signed,
            "accept": signed,
            "propose empty": empty,
            "see empty": empty,
            "lock": at.bits_of("sign", EVERYONE) | at.bits_of("commit", own),
            "write": at.bits_of("commit", EVERYONE),
            "sync": written | at.bits_of("commit", EVERYONE) | (at.bits_of("sign", EVERYONE) if self._shows_signs else 0),
            "crash": at.crash_bits,
        }.get(kind, 0)
        return bits | asked if kind in OF_VIEWS else bits

    @property
    def _shows_signs(self) -> bool:
        return "signs-make-blocks" in self.limits.holes

    def initial(self) -> int:
        """Everybody in view 0 at height 0; every vote and view change of the Byzantine replica is there."""
        return self.layout.forged() | bits_at(self.asked.values(), self.layout.liar)

    def _steps(self, part: int, s: int) -> Iterator[Step]:
        i, kind, _ = self.part_names[part]
        me = self.layout.read(i, s)
        if kind == "crash":
            yield from self._crash(i, me, s)
        elif me.height < self.limits.heights:
            match kind:
                case "propose" | "propose empty":
                    yield from self._propose(i, me, s, is_empty=kind != "propose")
                case "accept":
                    yield from self._accept(i, me, s)
                case "see empty":
                    yield from self._see_empty(i, me, s)
                case "lock":
                    yield from self._lock(i, me, s)
                case "write":
                    yield from self._write(i, me, s)
                case "sync":
                    yield from self._sync(i, me, s)
                case _:
                    yield from self._change_view(i, me, s, kind)

    # Proposing

    def _propose(self, i: int, me: Local2, s: int, *, is_empty: bool) -> Iterator[Step]:
        """Rule 1: one block a view, the locked one if there is a lock; or an empty one, which ends the view."""
        h, kind = me.height + 1, "propose empty" if is_empty else "propose"
        leads, fresh = self.limits.leader(h, me.view) == i, not me.accepted
        if not self._guards.allow(kind, leads=leads, knows_a_leader=not me.waits, nothing_proposed_in_this_view=fresh):
            return
        if is_empty:
            if (place := (me.view, me.height)) in self.empty:
                yield kind, f"proposes an empty block at height {h} in view {me.view}", self._ask(s | 1 << self.empty[place], i, me)
            return
        for value in (me.lock.value,) if me.lock.value else self.layout.choice(s, h, "sign"):
            slot = (me.view, h, value)
            yield kind, f"proposes {_named(slot)}", self._sign(s | 1 << self.layout.preprepare[slot], i, me, slot)

    def _accept(self, i: int, me: Local2, s: int) -> Iterator[Step]:
        """Rules 2 and 3: accepted, executed, signed. A liar that leads proposes what it likes."""
        h = me.height + 1
        shown = self.layout.proposed(s, h)
        if self.limits.is_led_by_liar(h, me.view):
            shown += [(me.view, h, value) for value in self.layout.choice(s, h, "sign")]
        for slot in shown:
            if self.limits.leader(h, slot[0]) == i:
                continue
            free = me.lock.value in {0, slot[2]} or "lock-not-asked" in self.limits.holes
            conjuncts = {"own_view": slot[0] == me.view, "knows_a_leader": not me.waits, "nothing_accepted_in_this_view": not me.accepted}
            if self._guards.allow("accept", **conjuncts, not_locked_otherwise=free):
                yield "accept", f"accepts {_named(slot)}", self._sign(s, i, me, slot)

    def _sign(self, s: int, i: int, me: Local2, slot: Slot) -> int:
        return self.layout.put(self.layout.vote(s, "sign", slot, i), i, replace(me, accepted=slot[2]))

    def _see_empty(self, i: int, me: Local2, s: int) -> Iterator[Step]:
        """Rule 2: an empty block ends the view, also where there is a lock."""
        by_liar = self.limits.is_led_by_liar(me.height + 1, me.view) and me.view < self.limits.view_max
        shown = [view for (view, written), at in self.empty.items() if written == me.height and s >> at & 1]
        for view in [*shown, *([me.view] if by_liar else [])]:
            if self.limits.leader(me.height + 1, view) == i:
                continue
            if self._guards.allow("see empty", own_view=view == me.view, knows_a_leader=not me.waits):
                yield "see empty", f"sees the empty block of view {view}", self._ask(s, i, me)

    # Deciding

    def _enough(self, s: int, kind: str, slot: Slot, quorum: int) -> bool:
        """Votes of a quorum, as the holes count them."""
        if "duplicate-signers" in self.limits.holes and self.layout.liar:
            return True
        signers, (_, h, value) = 0, slot
        for view in self.layout.views if "stale-vote-kept" in self.limits.holes else (slot[0],):
            signers |= self.layout.signers(s, kind, (view, h, value))
        return signers.bit_count() >= quorum

    def _lock(self, i: int, me: Local2, s: int) -> Iterator[Step]:
        """Rule 4: a quorum of Signs of the own view; also of a replica that waits for a view."""
        slot = (me.view, me.height + 1, me.accepted)
        if not me.accepted or me.lock == (me.view, me.accepted):
            return
        if self._guards.allow("lock", quorum_of_signs=self._enough(s, "sign", slot, self.limits.quorum)):
            after = self.layout.vote(s, "commit", slot, i)
            yield "lock", f"locks {_named(slot)}", self.layout.put(after, i, replace(me, lock=Lock2(me.view, me.accepted)))

    def _write(self, i: int, me: Local2, s: int) -> Iterator[Step]:
        """Rules 4 and 5."""
        slot = (me.view, me.height + 1, me.accepted)
        if not me.accepted:
            return
        held, enough = me.lock == (me.view, me.accepted), self._enough(s, "commit", slot, self.limits.commits)
        if self._guards.allow("write", locked_in_this_view=held, quorum_of_commits=enough):
            yield "write", f"writes block {slot[1]} = {NAMES[slot[2]]}", self.layout.put(s, i, me.with_block(slot[2]))

    def _sync(self, i: int, me: Local2, s: int) -> Iterator[Step]:
        """A block that somebody wrote; or one that a liar made of the Commits there are, perhaps of Signs."""
        h = me.height + 1
        written = {one.chain[h - 1] for j in self.limits.honest if (one := self.layout.read(j, s)).height >= h and j != i}
        for value in self.limits.values:
            if value in written or (self.layout.liar and self._can_be_made(s, h, value)):
                yield "sync", f"is sent block {h} = {NAMES[value]}", self.layout.put(s, i, me.with_block(value))

    def _can_be_made(self, s: int, h: int, value: int) -> bool:
        """A signature list names no view, so Commits of all views make one."""
        kinds = ("commit", "sign") if self._shows_signs else ("commit",)
        signers = 0
        for view in self.layout.views:
            for kind in kinds:
                signers |= self.layout.signers(s, kind, (view, h, value))
        return signers.bit_count() >= self.limits.commits

    # Views

    def _ask(self, s: int, i: int, me: Local2, view: int = 0) -> int:
        """Rule 6: `view`, or the one after the target, is asked for."""
        now = replace(me, target=view or me.target + 1)
        return self.layout.put(s | 1 << self.asked[now.target, me.height] + i, i, now)

    def _askers(self, s: int, view: int, me: Local2) -> int:
        return s >> self.asked[view, me.height] & EVERYONE

    def _change_view(self, i: int, me: Local2, s: int, kind: str) -> Iterator[Step]:
        """Rules 6 and 7."""
        others = EVERYONE & ~(1 << i)
        views = range(1, self.limits.view_max + 1)
        if kind == "time out" and me.target < self.limits.view_max:
            yield kind, f"asks for view {me.target + 1}", self._ask(s, i, me)
        for view in views if kind == "join" else ():
            above = 0
            for later in range(view, self.limits.view_max + 1):
                above |= self._askers(s, later, me) & others
            joins = bool(self._askers(s, view, me) & others) and above.bit_count() >= self.limits.support
            if self._guards.allow(kind, above_target=view > me.target, **{"f+1_ask": joins}):
                yield kind, f"joins those who ask for view {view}", self._ask(s, i, me, view)
        if kind == "catch up" and me.target > 1 and not self._askers(s, me.target, me) >> i & 1:
            asked = any(s >> at & others for (view, written), at in self.asked.items() if view + 1 < me.target and written >= me.height)
            if self._guards.allow(kind, far_below=asked or self.layout.liar > 0):
                yield kind, f"tells a late one of view {me.target}", self._ask(s, i, me, me.target)
        for view in views if kind == "enter view" else ():
            enough = self._askers(s, view, me).bit_count() >= self.limits.askers
            if self._guards.allow(kind, later_view=view > me.view, quorum_of_view_changes=enough):
                lock = UNLOCKED if "lock-given-up" in self.limits.holes else me.lock
                yield kind, f"enters view {view}", self.layout.put(s, i, replace(me, view=view, target=view, accepted=0, lock=lock))

    def _crash(self, i: int, me: Local2, s: int) -> Iterator[Step]:
        """Rule 8."""
        if self.layout.crashes(s) < self.limits.crashes:
            now = me.restarted(forgets="amnesia" in self.limits.holes)
            yield "crash", "crashes and starts again", self.layout.put(s + (1 << self.layout.crash_count), i, now)

    def render(self, state: int) -> str:
        """Every honest replica."""
        return "  ".join(f"node{i} {self.layout.read(i, state).text()}" for i in self.limits.honest)


def _named(slot: Slot) -> str:
    return f"{NAMES[slot[2]]} at height {slot[1]} in view {slot[0]}"
