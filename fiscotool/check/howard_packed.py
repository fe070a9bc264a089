"""The same specification in bits: written a second time from the source, so that two transcriptions can be compared.

A state is one integer. Every message that can exist has a bit in what was sent and, where a log can hold it, a bit in each
replica's log; then a replica has its view, its executed number and a flag. View-change and new-view messages are not known
beforehand: they get bits when they are first made. Checkpoints are not modelled here; the plain transcription has them.

Sources: as fiscotool.check.howard.
"""

from __future__ import annotations

from collections.abc import Iterator

from fiscotool.check.howard_bits import STATE_BITS, VIEW_BITS, Layout, Log, NewViewed, Slot, Step, ViewChanged, bits_at
from fiscotool.check.howard_terms import ACTIONS, Bounds
from fiscotool.check.packed import Moves


class PackedHoward:
    """The specification as a packed model."""

    actions = ACTIONS

    def __init__(self, bounds: Bounds) -> None:
        if bounds.checkpoints:
            raise ValueError("the packed transcription has no checkpoints")
        if bounds.view_max >= 1 << VIEW_BITS or bounds.tstamps >= 1 << STATE_BITS:
            raise ValueError(f"at most {(1 << VIEW_BITS) - 1} views and timestamps can be packed")
        self.bounds = bounds
        self.replicas = bounds.replicas
        self._f = bounds.faulty_max
        self._slots: list[Slot] = [
            (v, n, d) for v in range(bounds.view_max + 1) for n in range(1, bounds.tstamps + 1) for d in range(bounds.tstamps + 1)
        ]
        self._everyone = (1 << self.replicas) - 1
        self.messages: dict[ViewChanged | NewViewed, int] = {}
        self._lay_out()
        self._divide()

    def _lay_out(self) -> None:
        """Gives every fixed item its place. A place is the number of its lowest bit."""
        self.width = 0
        self.layout = Layout(
            sent_proposal={slot: self._place() for slot in self._slots},
            sent_prepare={slot: self._place(self.replicas) for slot in self._slots},
            sent_commit={slot: self._place(self.replicas) for slot in self._slots},
            logs=[self._log() for _ in range(self.replicas)],
            reply={(slot, i): self._place() for slot in self._slots for i in range(self.replicas)},
        )

    def _log(self) -> Log:
        return Log(
            request={t: self._place() for t in range(1, self.bounds.tstamps + 1)},
            proposal={slot: self._place() for slot in self._slots},
            prepare={slot: self._place(self.replicas) for slot in self._slots},
            commit={slot: self._place(self.replicas) for slot in self._slots},
            view=self._place(VIEW_BITS),
            state=self._place(STATE_BITS),
            changing=self._place(),
        )

    def _place(self, bits: int = 1) -> int:
        self.width += bits
        return self.width - bits

    def _divide(self) -> None:
        """Cuts the specification into parts as small as it allows, each with the bits that its actions read or write.

        The less a part sees, the more often it has seen the same before.
        """
        kinds = ["propose", "certify"]
        if self.bounds.view_max:
            kinds += ["change", "lead", "follow"]
        accepting = [(i, kind) for i in sorted(self.bounds.acc) for kind in ("accept_prepare", "accept_commit")]
        self._parts = [(i, kind) for i in range(self.replicas) for kind in kinds] + accepting
        self.parts = len(self._parts)
        self._masks = [self._fixed_bits(i, kind) for i, kind in self._parts]

    def _fixed_bits(self, i: int, kind: str) -> int:
        log = self.layout.logs[i]
        one, own, all_ = 1, 1 << i, self._everyone
        executed = ((1 << STATE_BITS) - 1) << log.state
        logged = bits_at(log.request.values(), one) | bits_at(log.proposal.values(), one) | bits_at(log.prepare.values(), all_)
        own_prepares = bits_at(log.prepare.values(), own) | bits_at(self.layout.sent_prepare.values(), own)
        bits = {
            "propose": bits_at(log.request.values(), one)
            | bits_at(log.proposal.values(), one)
            | bits_at(self.layout.sent_proposal.values(), one)
            | own_prepares,
            "certify": logged | bits_at(log.commit.values(), all_) | bits_at(self.layout.sent_commit.values(), own) | executed,
            "accept_prepare": bits_at(log.prepare.values(), all_) | bits_at(self.layout.sent_prepare.values(), all_),
            "accept_commit": bits_at(log.commit.values(), all_) | bits_at(self.layout.sent_commit.values(), all_),
            "change": logged,
            "lead": logged,
            "follow": bits_at(log.proposal.values(), one) | own_prepares,
        }[kind]
        return bits | ((1 << VIEW_BITS) - 1) << log.view | 1 << log.changing

    def initial(self) -> int:
        """Nothing sent, nothing logged."""
        return 0

    def mask(self, part: int) -> int:
        """What a part's actions read or write, but replies, which nobody reads and everybody sends once."""
        return self._masks[part]

    def moves(self, part: int, seen: int) -> Moves:
        """All steps of a part, counted and as differences."""
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
        return [(action, f"{action}({i}) {label}".rstrip(), after - seen) for action, label, after in self._steps(part, seen)]

    def is_eager(self, part: int, seen: int) -> bool:
        """Taking a commit where no view change can follow: nothing disables it, nobody else reads it, and it heals no violation."""
        i, kind = self._parts[part]
        log = self.layout.logs[i]
        in_last = seen >> log.view & (1 << VIEW_BITS) - 1 == self.bounds.view_max
        return kind == "accept_commit" and in_last and not seen >> log.changing & 1

    def _steps(self, part: int, s: int) -> Iterator[Step]:
        i, kind = self._parts[part]
        log = self.layout.logs[i]
        view = s >> log.view & (1 << VIEW_BITS) - 1
        is_primary = view % self.replicas == i
        is_open = not s >> log.changing & 1
        if kind == "propose" and is_primary:
            yield from self._propose(i, s, view)
        elif kind == "propose" and is_open:
            yield from self._take_proposals(i, s, view)
        elif kind == "certify" and is_open:
            yield from self._certify(i, s)
        elif kind == "accept_prepare" and is_open:
            yield from self._take_votes("AcceptPrepare", self.layout.sent_prepare, log.prepare, s, view)
        elif kind == "accept_commit" and is_open:
            yield from self._take_votes("AcceptCommit", self.layout.sent_commit, log.commit, s, view)
        elif kind == "change" and not is_primary and view < self.bounds.view_max:
            change = ViewChanged(view + 1, i, tuple(self._prepared(i, s)))
            yield "ViewChange", f"to {view + 1}", s | 1 << self.place_of(change) | 1 << log.changing
        elif kind == "lead" and (view + 1) % self.replicas == i:
            yield from self._lead(i, s, view + 1)
        elif kind == "follow":
            yield from self._follow(i, s, view + 1)

    def _propose(self, i: int, s: int, view: int) -> Iterator[Step]:
        logged = self.layout.logs[i].proposal
        number = max((n for (_, n, _), at in logged.items() if s >> at & 1), default=0) + 1
        if number > self.bounds.tstamps:
            return
        for t, at in self.layout.logs[i].request.items():
            if not s >> at & 1:
                slot = (view, number, t)
                yield "PrePrepare", f"n={number} d={t}", s | 1 << at | 1 << logged[slot] | 1 << self.layout.sent_proposal[slot]

    def _take_proposals(self, i: int, s: int, view: int) -> Iterator[Step]:
        logged = self.layout.logs[i].proposal
        for slot in self._slots:
            v, n, d = slot
            if v != view or d == 0 or not s >> self.layout.sent_proposal[slot] & 1:
                continue
            if not self.bounds.is_repaired and not s >> self.layout.logs[i].request[d] & 1:
                continue
            if any(s >> logged[v, n, other] & 1 for other in range(self.bounds.tstamps + 1) if other != d):
                continue
            voted = 1 << self.layout.logs[i].prepare[slot] + i | 1 << self.layout.sent_prepare[slot] + i
            yield "Prepare", f"v={v} n={n} d={d}", s | voted | 1 << logged[slot] | 1 << self.layout.logs[i].request[d]

    def _take_votes(self, action: str, sent: dict[Slot, int], logged: dict[Slot, int], s: int, view: int) -> Iterator[Step]:
        for slot in self._slots:
            if slot[0] != view:
                continue
            senders = s >> sent[slot] & self._everyone
            for j in range(self.replicas):
                if senders >> j & 1:
                    yield action, f"of {j} v={slot[0]} n={slot[1]}", s | 1 << logged[slot] + j

    def _certify(self, i: int, s: int) -> Iterator[Step]:
        """Commit and Execute."""
        executed = s >> self.layout.logs[i].state & (1 << STATE_BITS) - 1
        for slot, _ in self._prepared(i, s):
            v, n, d = slot
            yield "Commit", f"v={v} n={n} d={d}", s | 1 << self.layout.logs[i].commit[slot] + i | 1 << self.layout.sent_commit[slot] + i
            if executed == n - 1 and (s >> self.layout.logs[i].commit[slot] & self._everyone).bit_count() >= self.bounds.commits_needed:
                yield "ExecuteNoCheckpoint", f"n={n} d={d}", (s | 1 << self.layout.reply[slot, i]) + (1 << self.layout.logs[i].state)

    def _lead(self, i: int, s: int, view: int) -> Iterator[Step]:
        """AcceptViewChange and NewView, of the primary of the next view."""
        accepted = [change for change, at in self._changes if change.view == view and s >> at + 1 + i & 1]
        if len(accepted) < 2 * self._f:
            for change, at in self._changes:
                if change.view == view and s >> at & 1 and self._is_valid(change):
                    yield "AcceptViewChange", f"of {change.sender} to {view}", s | 1 << at + 1 + i
        if len(accepted) == 2 * self._f:
            chosen = frozenset({*accepted, ViewChanged(view, i, tuple(self._prepared(i, s)))})
            proposals = self._proposals(chosen)
            after = s | 1 << self.place_of(NewViewed(view, chosen, proposals))
            for n, d in proposals:
                after |= 1 << self.layout.logs[i].proposal[view, n, d]
            for _, at in self._changes:
                after &= ~(1 << at + 1 + i)
            yield "NewView", f"{view}", self._enter(i, after)

    def _follow(self, i: int, s: int, view: int) -> Iterator[Step]:
        """AcceptNewView."""
        for message, at in self._new_views:
            if message.view != view or not s >> at & 1 or len(message.changes) != 2 * self._f + 1:
                continue
            if all(map(self._is_valid, message.changes)):
                after = s
                for n, d in message.proposals:
                    slot = (view, n, d)
                    after |= (
                        1 << self.layout.logs[i].proposal[slot]
                        | 1 << self.layout.logs[i].prepare[slot] + i
                        | 1 << self.layout.sent_prepare[slot] + i
                    )
                yield "AcceptNewView", f"{view}", self._enter(i, after)

    @property
    def _changes(self) -> list[tuple[ViewChanged, int]]:
        return [(message, at) for message, at in self.messages.items() if isinstance(message, ViewChanged)]

    @property
    def _new_views(self) -> list[tuple[NewViewed, int]]:
        return [(message, at) for message, at in self.messages.items() if isinstance(message, NewViewed)]

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
        return all(voters.bit_count() == 2 * self._f for _, voters in change.proofs)

    def _proposals(self, chosen: frozenset[ViewChanged]) -> tuple[tuple[int, int], ...]:
        """Number and digest of each proposal of a new view; the lowest view's digest wins, as in the source."""
        told: dict[int, Slot] = {}
        for change in chosen:
            for slot, _ in change.proofs:
                told[slot[1]] = min(slot, told.get(slot[1], slot))
        return tuple((n, told[n][2] if n in told else 0) for n in range(1, max(told, default=0) + 1))

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
        for log, at in zip(self.layout.logs, prepared, strict=True):
            for slot in at:
                commits = (state >> log.commit[slot] & self._everyone).bit_count()
                if commits >= self.bounds.commits_needed and sum(slot in other for other in prepared) <= self._f:
                    return False
        return True

    def render(self, state: int) -> str:
        """Views and executed numbers of all replicas."""
        told = []
        for i, log in enumerate(self.layout.logs):
            view = state >> log.view & (1 << VIEW_BITS) - 1
            executed = state >> log.state & (1 << STATE_BITS) - 1
            told.append(f"{i}:v{view}{'*' if state >> log.changing & 1 else ''}/{executed}")
        return " ".join(told)

    def place_of(self, message: ViewChanged | NewViewed) -> int:
        """The bit of a message that is made at run time; after a view change's come those of the logs that hold it."""
        places: dict[ViewChanged | NewViewed, int] = self.messages
        at = places.get(message)
        if at is not None:
            return at
        at = places[message] = self._place(1 + self.replicas if isinstance(message, ViewChanged) else 1)
        for part, (i, kind) in enumerate(self._parts):
            if isinstance(message, NewViewed):
                if kind in {"lead", "follow"}:
                    self._masks[part] |= 1 << at
            elif kind == "lead":
                self._masks[part] |= 1 << at | 1 << at + 1 + i
            elif kind == "change" and i == message.sender:
                self._masks[part] |= 1 << at
        return at
