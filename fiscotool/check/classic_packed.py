"""PBFT as published, of four replicas, abstract and packed: every schedule within bounds.

Abstraction as in `fisco3_packed`: what was sent stays, time-outs come at any time, the Byzantine replica has cast every vote, proposes to
each what it likes, and makes view changes and new views out of whatever was signed. View changes and new views are those of
`fisco3_views`, with a stable checkpoint of 0: within the heights of these bounds, fewer than K, no checkpoint is taken, all numbers lie
between the water marks, and everything prepared is shown.

No lock keeps a backup from a proposal: what was prepared is protected by new views alone. A primary's pre-prepare is its vote; those of a
new view are sent with it. Deciding sends nothing, so a block is in the ledger in the same step once all below are, and a crash between
is one before. A replica that restarts in a view waits until it is shown that view's new view again (C4).

Sources: docs/pbft.md, classic, rules 1 to 7 and C4, C5; OSDI'99 sections 4.2 and 4.4.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fiscotool.check.classic_bounds import (
    ACTIONS,
    ENTRY_WIDTHS,
    GUARDS,
    OF_A_HEIGHT,
    OWN_NUMBERS,
    Entry,
    LimitsClassic,
    LocalClassic,
    flat,
    made,
    primary_of,
    widths_of,
)
from fiscotool.check.classic_views import ClassicViews
from fiscotool.check.fisco3_bounds import FILLER, NAMES, Changed, Entered, Slot
from fiscotool.check.fisco3_views import told_again
from fiscotool.check.frame import PackedFrame, Part
from fiscotool.check.howard_bits import Step
from fiscotool.check.layout import EVERYONE, Layout

OF_VIEWS: Final = frozenset({"accept again", "time out", "join", "new view", "enter view", "ask"})
ASKING: Final = frozenset({"time out", "join", "ask"})


class PackedClassic(PackedFrame):
    """The model for `check.packed`."""

    actions = ACTIONS
    guards = GUARDS

    def __init__(self, limits: LimitsClassic) -> None:
        super().__init__()
        self.limits = limits
        values = (*limits.values, FILLER)
        self.layout = at = Layout[LocalClassic](limits, values, ("prepare", "commit"), widths_of(limits), made, flat)
        self.messages = ClassicViews(limits, at, self._show)
        self.part_names = [
            (i, kind, h)
            for i in limits.honest
            for kind in ACTIONS
            if self._is_possible(kind)
            for h in (at.heights if kind in OF_A_HEIGHT else (0,))
        ]
        self._masks = [self._own(i, kind, h) | self._read_by(i, kind, h) for i, kind, h in self.part_names]

    def _is_possible(self, kind: str) -> bool:
        if kind in OF_VIEWS:
            return self.limits.view_max > 0
        return kind != "crash" or self.limits.crashes > 0

    def _own(self, i: int, kind: str, h: int) -> int:
        """What a part reads of its own replica."""
        if kind in {"propose", *OF_A_HEIGHT[2:], "accept"} and kind != "propose":
            size = len(ENTRY_WIDTHS)
            return self.layout.replica_bits(i, 0, OWN_NUMBERS) | self.layout.replica_bits(i, OWN_NUMBERS + size * (h - 1), size)
        return self.layout.replica_bits(i)

    def _read_by(self, i: int, kind: str, h: int) -> int:
        """What a part reads or writes besides, of what has bits from the beginning."""
        at, own = self.layout, 1 << i
        voted = at.bits_of("prepare", EVERYONE if at.limits.symmetry else own, h) | at.shown_bits(h)
        proofs = at.bits_of("prepare", EVERYONE) if at.liar else 0
        return {
            "propose": voted,
            "accept": voted,
            "accept again": at.bits_of("prepare", own, h),
            "prepared": at.bits_of("prepare", EVERYONE, h) | at.bits_of("commit", own, h),
            "decide": at.bits_of("commit", EVERYONE, h),
            "sync": at.all_replicas() | at.bits_of("commit", EVERYONE),
            "new view": proofs | at.bits_of("prepare", own),
            "enter view": proofs,
            "ask": at.bits_of("prepare", EVERYONE) | at.bits_of("commit", EVERYONE),
            "crash": at.crash_bits,
        }.get(kind, 0)

    def _show(self, message: Changed | Entered, at: int) -> None:
        """Shows a new message to the parts that read it."""

        def reads(part: Part) -> bool:
            i, kind, _ = part
            if kind == "new view":
                return primary_of(message.view) == i
            if kind == "enter view":
                return isinstance(message, Entered) or self.limits.is_led_by_liar(1, message.view)
            return isinstance(message, Changed) and (kind == "join" or (kind in ASKING and i == message.sender))

        self.widen(reads, at)

    def initial(self) -> int:
        """Everybody in view 0; every vote of the Byzantine replica is there."""
        state = self.layout.forged()
        for i in self.limits.honest:
            state = self.layout.put(state, i, LocalClassic((Entry(),) * self.limits.heights))
        return state

    def _steps(self, part: int, s: int) -> Iterator[Step]:
        i, kind, h = self.part_names[part]
        me = self.layout.read(i, s)
        match kind:
            case "propose":
                yield from self._propose(i, me, s, h)
            case "accept":
                yield from self._accept(i, me, s, h)
            case "accept again":
                yield from self._accept_again(i, me, s, h)
            case "prepared" | "decide":
                yield from self._certify(i, me, s, h, kind)
            case "sync":
                yield from self._sync(i, me, s)
            case "new view":
                yield from self._new_view(i, me, s)
            case "enter view":
                yield from self._enter(i, me, s)
            case "crash":
                yield from self._crash(i, me, s)
            case _:
                yield from self._ask(i, me, s, kind)

    # The three phases

    def _propose(self, i: int, me: LocalClassic, s: int, h: int) -> Iterator[Step]:
        """Rule 1: numbers are assigned one after another."""
        is_next = h > me.height and (h == me.height + 1 or me.at(h - 1).voted_in == me.view + 1)
        fresh = me.at(h).voted_in <= me.view
        conjuncts = {"leads": primary_of(me.view) == i, "in_its_view": me.is_in_view}
        if self._guards.allow("propose", **conjuncts, is_next=is_next, not_voted_in_this_view=fresh):
            for value in self.layout.choice(s, h, "prepare"):
                slot = (me.view, h, value)
                after = self.layout.vote(s | 1 << self.layout.preprepare[slot], "prepare", slot, i)
                yield "propose", f"proposes {_named(slot)}", self.layout.put(after, i, me.voted(h, value))

    def _accept(self, i: int, me: LocalClassic, s: int, h: int) -> Iterator[Step]:
        """Rule 2. A liar that leads proposes what it likes."""
        shown = self.layout.proposed(s, h)
        if self.limits.is_led_by_liar(h, me.view):
            shown += [(me.view, h, value) for value in self.layout.choice(s, h, "prepare")]
        entry = me.at(h)
        for slot in shown:
            if primary_of(slot[0]) == i:
                continue
            conjuncts = {"own_view": slot[0] == me.view, "in_its_view": me.is_in_view, "not_voted_in_this_view": entry.voted_in <= me.view}
            if self._guards.allow("accept", **conjuncts, not_bound_by_the_new_view=not entry.bound):
                after = self.layout.vote(s, "prepare", slot, i)
                yield "accept", f"accepts {_named(slot)}", self.layout.put(after, i, me.voted(h, slot[2]))

    def _accept_again(self, i: int, me: LocalClassic, s: int, h: int) -> Iterator[Step]:
        """Rule 6: what the new view proposes again."""
        value = me.at(h).bound
        if value:
            slot = (me.view, h, value)
            after = self.layout.put(self.layout.vote(s, "prepare", slot, i), i, me.voted(h, value))
            yield "accept again", f"accepts again {_named(slot)}", after

    def _certify(self, i: int, me: LocalClassic, s: int, h: int, kind: str) -> Iterator[Step]:
        """Rule 3: prepared, then committed-local."""
        entry = me.at(h)
        counted, made_in, value = ("prepare", entry.voted_in, entry.voted) if kind == "prepared" else ("commit", entry.cert_in, entry.cert)
        if not made_in or (kind == "prepared" and entry.cert_in == entry.voted_in) or (kind == "decide" and entry.decided):
            return
        slot = (made_in - 1, h, value)
        enough = self.layout.count(s, counted, slot) >= self.limits.quorum or self._is_padded
        conjuncts = {"in_its_view": me.is_in_view, "own_view": made_in == me.view + 1, f"quorum_of_{counted}s": enough}
        if not self._guards.allow(kind, **conjuncts):
            return
        if kind == "decide":
            yield kind, f"decides {_named(slot)}", self.layout.put(s, i, me.put(h, entry._replace(decided=value)))
            return
        now = me.put(h, entry._replace(cert_in=made_in, cert=value))
        yield kind, f"holds {_named(slot)} prepared", self.layout.put(self.layout.vote(s, "commit", slot, i), i, now)

    @property
    def _is_padded(self) -> bool:
        """Whether a liar's repeated votes count as a quorum."""
        return "duplicate-signers" in self.limits.holes and self.layout.liar > 0

    def _sync(self, i: int, me: LocalClassic, s: int) -> Iterator[Step]:
        """C7: a block that somebody has; or one that a liar made of the Commits there are, whatever their views (C9)."""
        h = me.height + 1
        if h > self.limits.heights:
            return
        others = [self.layout.read(j, s) for j in self.limits.honest if j != i]
        known = {one.at(h).decided for one in others if one.height >= h}
        for value in (*self.limits.values, FILLER):
            signers = 0
            for view in self.layout.views if self.layout.liar else ():
                signers |= self.layout.signers(s, "commit", (view, h, value))
            if value in known or signers.bit_count() >= self.limits.quorum:
                yield "sync", f"is sent block {h} = {NAMES[value]}", self.layout.put(s, i, me.put(h, me.at(h)._replace(decided=value)))

    # Views

    def _told(self, me: LocalClassic, i: int, view: int) -> Changed:
        """Rule 5: what it asks with."""
        hides = "certificates-hidden" in self.limits.holes
        return Changed(view, i, 0, () if hides else tuple(lock for lock in me.locks if lock.view < view))

    def _ask(self, i: int, me: LocalClassic, s: int, kind: str) -> Iterator[Step]:
        """Rules 5 and 7; and C5: who is to be shown its view's new view asks with a view change for that view."""
        if kind == "ask":
            told = self._told(me, i, me.view)
            is_new = me.view and me.target == me.view and told not in self.messages.asked(s)
            if is_new and self._guards.allow(kind, needs_the_new_view=me.is_lost or self._is_behind(s, i, me)):
                yield kind, f"asks for the new view of view {me.view}", s | 1 << self.messages.place_of(told)
            return
        for view in range(me.target + 1 if kind == "time out" else 1, self.limits.view_max + 1):
            if kind == "join":
                others = [one for one in self.messages.asked(s) if one.sender != i]
                senders = {one.sender for one in others if one.view >= view}
                is_there = self.layout.liar > 0 or any(one.view == view for one in others)
                enough = is_there and len(senders) + (self.layout.liar > 0) >= self.limits.support
                if not self._guards.allow(kind, above_target=view > me.target, **{"f+1_ask": enough}):
                    continue
            now = me.asking(view)
            after = self.layout.put(s | 1 << self.messages.place_of(self._told(me, i, view)), i, now)
            yield kind, f"{'asks' if kind == 'time out' else 'joins those who ask'} for view {view}", after
            if kind == "time out":
                return

    def _is_behind(self, s: int, i: int, me: LocalClassic) -> bool:
        """Whether f+1 others vote in later views; a liar always does."""
        later = self.layout.liar if me.view < self.limits.view_max else 0
        for kind, table in self.layout.votes.items():
            for slot in table:
                later |= self.layout.signers(s, kind, slot) if slot[0] > me.view else 0
        return (later & ~(1 << i)).bit_count() >= self.limits.support

    def _new_view(self, i: int, me: LocalClassic, s: int) -> Iterator[Step]:
        """Rule 6. Its proposals are the primary's votes; it enters the view in the same step."""
        for view in range(1, self.limits.view_max + 1):
            found = sorted(self.messages.composed(s, view, i)) if primary_of(view) == i else []
            asks = me.target == view > me.view
            if primary_of(view) == i and self._guards.allow("new view", asks_for_it=asks, quorum_of_view_changes=bool(found)):
                for message in found:
                    after, now = s | 1 << self.messages.place_of(message), me.entered(view, {})
                    for lock in message.again:
                        after = self.layout.vote(after, "prepare", (view, lock.height, lock.value), i)
                        now = now.voted(lock.height, lock.value)
                    yield "new view", f"shows view {view}: {told_again(message)}", self.layout.put(after, i, now)

    def _shown(self, s: int, view: int) -> list[Entered]:
        """Every new view that a replica can be shown."""
        found = self.messages.issued(s, view)
        unchecked = self.layout.liar > 0 and "new-view-unchecked" in self.limits.holes
        if self.limits.is_led_by_liar(1, view):
            found |= self.messages.composed(s, view)
        if unchecked or (self._is_padded and self.limits.is_led_by_liar(1, view)):
            found |= self.messages.anything(view)
        return sorted(found)

    def _enter(self, i: int, me: LocalClassic, s: int) -> Iterator[Step]:
        """Rule 6 of a backup; and C4, of a replica that forgot why its view began."""
        for view in range(1, self.limits.view_max + 1):
            again = me.is_lost and me.view == view
            shown = self._shown(s, view)
            if shown and self._guards.allow("enter view", later_view=view > me.view or again, not_below_target=view >= me.target):
                for message in shown:
                    now = me.entered(view, {lock.height: lock.value for lock in message.again})
                    yield "enter view", f"enters view {view}: {told_again(message)}", self.layout.put(s, i, now)

    def _crash(self, i: int, me: LocalClassic, s: int) -> Iterator[Step]:
        """C4."""
        if self.layout.crashes(s) < self.limits.crashes:
            now = me.restarted(forgets="amnesia" in self.limits.holes)
            if "votes-without-new-view" in self.limits.holes:
                now = LocalClassic(now.log, now.view, now.target)
            yield "crash", "crashes and starts again", self.layout.put(s + (1 << self.layout.crash_count), i, now)

    def render(self, state: int) -> str:
        """Every honest replica."""
        return "  ".join(f"node{i} {self.layout.read(i, state).text()}" for i in self.limits.honest)


def _named(slot: Slot) -> str:
    return f"{NAMES[slot[2]]} at height {slot[1]} in view {slot[0]}"
