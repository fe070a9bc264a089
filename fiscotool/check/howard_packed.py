"""The same specification in bits: written a second time from the source, so that two transcriptions can be compared.

Each action evaluates its guard conjunct by conjunct (`check.guards`), so that a walk can say which of them ever decided.

Sources: as fiscotool.check.howard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from fiscotool.check.guards import Guards, guard_names, some_of
from fiscotool.check.howard_bits import STATE_BITS, VIEW_BITS, NewViewed, Slot, Step, ViewChanged, bits_at
from fiscotool.check.howard_layout import KINDS_OF_VIEWS, HowardLayout
from fiscotool.check.howard_terms import ACTIONS, WATER_MARKS, Bounds
from fiscotool.check.packed import Moves

CONJUNCTS: Final = {
    "PrePrepare": ("leads its view", "number exists", "request is new"),
    "Prepare": ("does not lead", "no view change", "request known", "own view", "within water marks", "no other proposal"),
    "AcceptPrepare": ("no view change", "own view", "within water marks"),
    "Commit": ("no view change", "request known", "proposal logged", "2F prepares"),
    "AcceptCommit": ("no view change", "own view"),
    "Execute": ("no view change", "2F+1 commits", "is next"),
    "UnstableCheckpoint": ("newer than stable", "at most 2F"),
    "StableCheckpoint": ("2F+1 alike", "executed so far"),
    "ViewChange": ("does not lead", "view exists"),
    "AcceptViewChange": ("leads next view", "fewer than 2F", "names next view", "valid"),
    "NewView": ("leads next view", "2F accepted"),
    "AcceptNewView": ("names next view", "2F+1 view changes", "all valid"),
}
"""What `Guards` counts, by action; both ways of executing share one guard."""


GOALS: Final = ("a request is executed", "prepared in a later view", "a later view is entered")


class PackedHoward(HowardLayout):
    """The specification as a packed model."""

    actions = ACTIONS
    guards = guard_names(CONJUNCTS)

    def __init__(self, bounds: Bounds) -> None:
        super().__init__(bounds)
        self._guards = Guards()

    def initial(self) -> int:
        """Nothing sent, nothing logged."""
        return 0

    def moves(self, part: int, seen: int) -> Moves:
        """All steps of a part, counted and as differences."""
        self._guards.take()
        steps = list(self._steps(part, seen))
        counts: dict[str, int] = {}
        for action, _, _ in steps:
            counts[action] = counts.get(action, 0) + 1
        differences = dict.fromkeys(after - seen for _, _, after in steps)
        differences.pop(0, None)
        return Moves(len(steps), tuple(differences), tuple(counts.items()), self._guards.take())

    def explain(self, part: int, seen: int) -> list[Step]:
        """All steps of a part with their labels."""
        i = self._parts[part][0]
        return [(action, f"{action}({i}) {label}".rstrip(), after - seen) for action, label, after in self._steps(part, seen)]

    def is_eager(self, part: int, seen: int) -> bool:
        """Taking a commit where no view change can follow: nothing disables it, nobody else reads it, and it heals no violation.

        With checkpoints a log is cut, and a commit taken before is gone after; so there it may not go first.
        """
        i, kind = self._parts[part]
        log = self.layout.logs[i]
        in_last = seen >> log.view & (1 << VIEW_BITS) - 1 == self.bounds.view_max
        return kind == "accept_commit" and in_last and not seen >> log.changing & 1 and not self.bounds.checkpoints

    @property
    def goals(self) -> dict[str, Callable[[int], bool]]:
        """What a walk should come to at least once."""
        layout = self.layout
        replies = bits_at(layout.reply.values(), 1)
        later = bits_at((at for slot, at in layout.sent_commit.items() if slot[0]), self._everyone)
        views = bits_at((log.view for log in layout.logs), (1 << VIEW_BITS) - 1)
        return dict(zip(GOALS, map(some_of, (replies, later, views)), strict=True))

    def _steps(self, part: int, s: int) -> Iterator[Step]:
        i, kind = self._parts[part]
        log = self.layout.logs[i]
        view = s >> log.view & (1 << VIEW_BITS) - 1
        if kind == "propose":
            yield from self._propose(i, s, view)
            yield from self._take_proposals(i, s, view)
        elif kind == "certify":
            yield from self._certify(i, s)
        elif kind == "accept_prepare":
            yield from self._take_votes("AcceptPrepare", i, s, view)
        elif kind == "accept_commit":
            yield from self._take_votes("AcceptCommit", i, s, view)
        elif kind == "checkpoint":
            yield from self._checkpoint(i, s)
        elif kind in KINDS_OF_VIEWS:
            yield from {"change": self._change, "lead": self._lead, "follow": self._follow}[kind](i, s, view + 1)

    def _is_open(self, i: int, s: int) -> bool:
        return not s >> self.layout.logs[i].changing & 1

    def _low(self, i: int, s: int) -> int:
        """h(i): the number of the last stable checkpoint."""
        return max((n for n, at in self.layout.logs[i].stable.items() if s >> at & self._everyone), default=0)

    def _propose(self, i: int, s: int, view: int) -> Iterator[Step]:
        logged = self.layout.logs[i].proposal
        number = max((n for (_, n, _), at in logged.items() if s >> at & 1), default=0) + 1
        leads, exists = view % self.replicas == i, number <= self.bounds.tstamps
        for t, at in self.layout.logs[i].request.items():
            if self._guards.allow("PrePrepare", leads_its_view=leads, number_exists=exists, request_is_new=not s >> at & 1):
                slot = (view, number, t)
                yield "PrePrepare", f"n={number} d={t}", s | 1 << at | 1 << logged[slot] | 1 << self.layout.sent_proposal[slot]

    def _take_proposals(self, i: int, s: int, view: int) -> Iterator[Step]:
        log, low = self.layout.logs[i], self._low(i, s)
        is_backup, is_open = view % self.replicas != i, self._is_open(i, s)
        for slot in self._slots:
            v, n, d = slot
            if d == 0 or not s >> self.layout.sent_proposal[slot] & 1:
                continue
            may = self._guards.allow(
                "Prepare",
                does_not_lead=is_backup,
                no_view_change=is_open,
                request_known=self.bounds.is_repaired or bool(s >> log.request[d] & 1),
                own_view=v == view,
                within_water_marks=low < n <= low + WATER_MARKS,
                no_other_proposal=not any(s >> log.proposal[v, n, other] & 1 for other in range(self.bounds.tstamps + 1) if other != d),
            )
            if may:
                voted = 1 << log.prepare[slot] + i | 1 << self.layout.sent_prepare[slot] + i
                yield "Prepare", f"v={v} n={n} d={d}", s | voted | 1 << log.proposal[slot] | 1 << log.request[d]

    def _take_votes(self, action: str, i: int, s: int, view: int) -> Iterator[Step]:
        log, low, is_open = self.layout.logs[i], self._low(i, s), self._is_open(i, s)
        is_prepare = action == "AcceptPrepare"
        sent, logged = (self.layout.sent_prepare, log.prepare) if is_prepare else (self.layout.sent_commit, log.commit)
        for slot in self._slots:
            senders = s >> sent[slot] & self._everyone
            if not senders:
                continue
            conjuncts = {"no_view_change": is_open, "own_view": slot[0] == view}
            if is_prepare:
                conjuncts["within_water_marks"] = low < slot[1] <= low + WATER_MARKS
            for j in range(self.replicas):
                if senders >> j & 1 and self._guards.allow(action, **conjuncts):
                    yield action, f"of {j} v={slot[0]} n={slot[1]}", s | 1 << logged[slot] + j

    def _certify(self, i: int, s: int) -> Iterator[Step]:
        """Commit and Execute."""
        log, is_open = self.layout.logs[i], self._is_open(i, s)
        executed = s >> log.state & (1 << STATE_BITS) - 1
        for slot in self._slots:
            v, n, d = slot
            if d == 0:
                continue
            has_request, has_proposal = bool(s >> log.request[d] & 1), bool(s >> log.proposal[slot] & 1)
            enough = (s >> log.prepare[slot] & self._everyone).bit_count() >= 2 * self._f
            told = {"no_view_change": is_open, "request_known": has_request, "proposal_logged": has_proposal, "2F_prepares": enough}
            if self._guards.allow("Commit", **told):
                yield "Commit", f"v={v} n={n} d={d}", s | 1 << log.commit[slot] + i | 1 << self.layout.sent_commit[slot] + i
            if not (has_request and has_proposal and enough):
                continue
            commits = (s >> log.commit[slot] & self._everyone).bit_count() >= self.bounds.commits_needed
            if self._guards.allow("Execute", **{"no_view_change": is_open, "2F+1_commits": commits, "is_next": executed == n - 1}):
                after = (s | 1 << self.layout.reply[slot, i]) + (1 << log.state)
                if n in self.bounds.checkpoints:
                    after |= 1 << log.checkpoint[n] + i | 1 << self.layout.sent_checkpoint[n] + i
                    yield "ExecuteAndCheckpoint", f"n={n} d={d}", after
                else:
                    yield "ExecuteNoCheckpoint", f"n={n} d={d}", after

    def _checkpoint(self, i: int, s: int) -> Iterator[Step]:
        """UnstableCheckpoint and StableCheckpoint."""
        log, low, most = self.layout.logs[i], self._low(i, s), 2 * self._f
        executed = s >> log.state & (1 << STATE_BITS) - 1
        for n, at in self.layout.sent_checkpoint.items():
            senders = s >> at & self._everyone
            for j in range(self.replicas):
                if not senders >> j & 1:
                    continue
                alike = s >> log.checkpoint[n] & self._everyone | 1 << j
                if self._guards.allow("UnstableCheckpoint", newer_than_stable=n > low, at_most_2F=alike.bit_count() <= most):
                    yield "UnstableCheckpoint", f"n={n}", s | 1 << log.checkpoint[n] + j
                if self._guards.allow(
                    "StableCheckpoint", **{"2F+1_alike": alike.bit_count() == most + 1, "executed_so_far": executed >= n}
                ):
                    yield "StableCheckpoint", f"n={n}", self._cut(i, s, n) | alike << log.stable[n]

    def _cut(self, i: int, s: int, number: int) -> int:
        """Without what a log holds up to a number, and without a stable checkpoint."""
        log, gone = self.layout.logs[i], 0
        for slot in self._slots:
            if slot[1] <= number:
                gone |= 1 << log.proposal[slot] | self._everyone << log.prepare[slot] | self._everyone << log.commit[slot]
        for n, at in log.checkpoint.items():
            gone |= (self._everyone << at if n <= number else 0) | self._everyone << log.stable[n]
        return s & ~gone

    def _change(self, i: int, s: int, view: int) -> Iterator[Step]:
        """ViewChange."""
        backs = (view - 1) % self.replicas != i
        if self._guards.allow("ViewChange", does_not_lead=backs, view_exists=view <= self.bounds.view_max):
            yield "ViewChange", f"to {view}", s | 1 << self.place_of(self._own_change(i, s, view)) | 1 << self.layout.logs[i].changing

    def _own_change(self, i: int, s: int, view: int) -> ViewChanged:
        """GenerateViewChangeMsg."""
        low = self._low(i, s)
        signers = s >> self.layout.logs[i].stable[low] & self._everyone if low else 0
        return ViewChanged(view, i, tuple(proof for proof in self._prepared(i, s) if proof[0][1] > low), low, signers)

    def _lead(self, i: int, s: int, view: int) -> Iterator[Step]:
        """AcceptViewChange and NewView, of the primary of the next view."""
        leads = view % self.replicas == i
        accepted = [change for change, at in self._changes if change.view == view and s >> at + 1 + i & 1]
        for change, at in self._changes:
            if not s >> at & 1:
                continue
            conjuncts = {"leads_next_view": leads, "fewer_than_2F": len(accepted) < 2 * self._f, "names_next_view": change.view == view}
            if self._guards.allow("AcceptViewChange", **conjuncts, valid=self._is_valid(change)):
                yield "AcceptViewChange", f"of {change.sender} to {view}", s | 1 << at + 1 + i
        if self._guards.allow("NewView", **{"leads_next_view": leads, "2F_accepted": len(accepted) == 2 * self._f}):
            chosen = frozenset({*accepted, self._own_change(i, s, view)})
            proposals = self._proposals(chosen)
            after = s | 1 << self.place_of(NewViewed(view, chosen, proposals))
            for n, d in proposals:
                after |= 1 << self.layout.logs[i].proposal[view, n, d]
            for _, at in self._changes:
                after &= ~(1 << at + 1 + i)
            yield "NewView", f"{view}", self._enter(i, after)

    def _follow(self, i: int, s: int, view: int) -> Iterator[Step]:
        """AcceptNewView."""
        log = self.layout.logs[i]
        for message, at in self._new_views:
            if not s >> at & 1:
                continue
            conjuncts = {"names_next_view": message.view == view, "2F+1_view_changes": len(message.changes) == 2 * self._f + 1}
            if self._guards.allow("AcceptNewView", **conjuncts, all_valid=all(map(self._is_valid, message.changes))):
                after = s
                for n, d in message.proposals:
                    slot = (view, n, d)
                    after |= 1 << log.proposal[slot] | 1 << log.prepare[slot] + i | 1 << self.layout.sent_prepare[slot] + i
                yield "AcceptNewView", f"{view}", self._enter(i, after)

    def _enter(self, i: int, s: int) -> int:
        """The next view, and no change in progress."""
        return (s & ~(1 << self.layout.logs[i].changing)) + (1 << self.layout.logs[i].view)

    def _prepared(self, i: int, s: int) -> Iterator[tuple[Slot, int]]:
        for slot in self._slots:
            if slot[2] and s >> self.layout.logs[i].request[slot[2]] & 1 and s >> self.layout.logs[i].proposal[slot] & 1:
                voters = s >> self.layout.logs[i].prepare[slot] & self._everyone
                if voters.bit_count() >= 2 * self._f:
                    yield slot, voters

    def _is_valid(self, change: ViewChanged) -> bool:
        """ValidViewChange."""
        is_stable = not change.low or change.signers.bit_count() == 2 * self._f + 1
        return is_stable and all(voters.bit_count() == 2 * self._f for _, voters in change.proofs)

    def _proposals(self, chosen: frozenset[ViewChanged]) -> tuple[tuple[int, int], ...]:
        """Number and digest of each proposal of a new view; the lowest view's digest wins, as in the source."""
        told: dict[int, Slot] = {}
        for change in chosen:
            for slot, _ in change.proofs:
                told[slot[1]] = min(slot, told.get(slot[1], slot))
        first = max(change.low for change in chosen) + 1
        return tuple((n, told[n][2] if n in told else 0) for n in range(first, max(told, default=0) + 1))

    def is_safe(self, state: int) -> bool:
        """SafetyInv and CommittedInv."""
        decided = set()
        for (_, n, d), i in ((slot, i) for slot in self._slots for i in range(self.replicas)):
            if any(state >> self.layout.reply[(v, n, d), i] & 1 for v in range(self.bounds.view_max + 1)):
                decided.add((d, n, i))
        results = [what for what in {(d, n) for d, n, _ in decided} if sum(one[:2] == what for one in decided) > self._f]
        if len({d for d, _ in results}) != len(results) or len({n for _, n in results}) != len(results):
            return False
        prepared = [dict(self._prepared(i, state)) for i in range(self.replicas)]
        lows = [self._low(i, state) for i in range(self.replicas)]
        for log, at in zip(self.layout.logs, prepared, strict=True):
            for slot in at:
                commits = (state >> log.commit[slot] & self._everyone).bit_count()
                holders = sum(slot in other or low >= slot[1] for other, low in zip(prepared, lows, strict=True))
                if commits >= self.bounds.commits_needed and holders <= self._f:
                    return False
        return True
