"""The bounds and the words of the abstract classic model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from fiscotool.check.fisco3_bounds import EVERYBODY, NAMES, NODES, Limits, Lock
from fiscotool.check.guards import guard_names

HOLES: Final = {
    "amnesia": "votes, certificates and views are lost in a crash",
    "duplicate-signers": "repeated signers are counted again: a liar's certificates and new views need nobody else",
    "new-view-unchecked": "a new view proposes again what its sender likes, and anyone may send it",
}
"""Quirks of the core (pbft.rules.Quirk, by value) that the model can take on."""

PLANTED: Final = {
    "certificates-hidden": "classic-M15",
    "votes-without-new-view": "",
}
"""Bugs to plant on purpose, and the mutant of the core (`fiscotool.mutants`) that is the same bug; the last one was the core's own."""

ACTIONS: Final = (
    "propose",
    "accept",
    "accept again",
    "prepared",
    "decide",
    "sync",
    "time out",
    "join",
    "new view",
    "enter view",
    "ask",
    "crash",
)
OF_A_HEIGHT: Final = ("propose", "accept", "accept again", "prepared", "decide")
CONJUNCTS: Final = {
    "propose": ("leads", "in its view", "is next", "not voted in this view"),
    "accept": ("own view", "in its view", "not voted in this view", "not bound by the new view"),
    "prepared": ("in its view", "own view", "quorum of prepares"),
    "decide": ("in its view", "own view", "quorum of commits"),
    "join": ("above target", "f+1 ask"),
    "ask": ("needs the new view",),
    "new view": ("asks for it", "quorum of view changes"),
    "enter view": ("later view", "not below target"),
}
"""What `Guards` counts."""

GUARDS: Final = guard_names(CONJUNCTS)
GOALS: Final = ("a block is decided", "certified in a later view", "a decided block is proposed again", "an empty block fills a gap")


@dataclass(frozen=True)
class LimitsClassic(Limits):
    """What is explored; the fields are those of `Limits`."""

    def is_led_by_liar(self, h: int, view: int, members: tuple[int, ...] = EVERYBODY) -> bool:
        """Whether the Byzantine replica is the primary of this view, of which all heights are. Membership does not change."""
        assert members == EVERYBODY
        return h > 0 and primary_of(view) == self.byzantine


def primary_of(view: int) -> int:
    """The primary is p = v mod |R| (section 4)."""
    return view % NODES


class Entry(NamedTuple):
    """A number in the log. Views count from 1 here; 0 is none. Votes, certificates and what is decided in order survive a restart.

    voted_in, voted     the last vote
    cert_in, cert       the prepared certificate of the latest view
    decided             committed-local, or synchronised
    bound               what the new view of this view proposes again, until it is voted for
    """

    voted_in: int = 0
    voted: int = 0
    cert_in: int = 0
    cert: int = 0
    decided: int = 0
    bound: int = 0


ENTRY_WIDTHS: Final = (3, 2, 3, 2, 2, 2)
OWN_NUMBERS: Final = 3
VIEW_BITS: Final = 3


@dataclass(frozen=True)
class LocalClassic:
    """A replica. While `target` is above `view` it is in a view change; `is_lost`: restarted, and not shown why its view began."""

    log: tuple[Entry, ...]
    view: int = 0
    target: int = 0
    is_lost: bool = False

    @property
    def is_in_view(self) -> bool:
        """Whether it takes part in the phases."""
        return self.target == self.view and not self.is_lost

    @property
    def height(self) -> int:
        """Numbers decided without a gap: the ledger."""
        return next((k for k, entry in enumerate(self.log) if not entry.decided), len(self.log))

    @property
    def locks(self) -> tuple[Lock, ...]:
        """The certificates as a view change shows them."""
        return tuple(Lock(h, entry.cert_in - 1, entry.cert) for h, entry in enumerate(self.log, 1) if entry.cert_in)

    def at(self, h: int) -> Entry:
        """A number."""
        return self.log[h - 1]

    def put(self, h: int, entry: Entry) -> LocalClassic:
        """With another entry."""
        return replace(self, log=(*self.log[: h - 1], entry, *self.log[h:]))

    def voted(self, h: int, value: int) -> LocalClassic:
        """It has voted in its view."""
        return self.put(h, self.at(h)._replace(voted_in=self.view + 1, voted=value, bound=0))

    def entered(self, view: int, again: dict[int, int]) -> LocalClassic:
        """It is in a view, and bound by what its new view proposes again at numbers it has not voted on in it."""
        log = tuple(entry._replace(bound=again.get(h, 0) if entry.voted_in != view + 1 else 0) for h, entry in enumerate(self.log, 1))
        return LocalClassic(log, view, view)

    def asking(self, view: int) -> LocalClassic:
        """In a view change: what a new view bound it to is over."""
        return LocalClassic(tuple(entry._replace(bound=0) for entry in self.log), self.view, view)

    def restarted(self, *, forgets: bool) -> LocalClassic:
        """After a crash (C4): in the view it was in, or asking for the one it asked for. What is decided above a gap is forgotten."""
        log = tuple(
            Entry(decided=entry.decided if h <= self.height else 0)
            if forgets
            else entry._replace(decided=entry.decided if h <= self.height else 0, bound=0)
            for h, entry in enumerate(self.log, 1)
        )
        if forgets:
            return LocalClassic(log)
        if self.target > self.view:
            return LocalClassic(log, self.target - 1, self.target)
        return LocalClassic(log, self.view, self.view, is_lost=self.view > 0)

    def text(self) -> str:
        """For people."""
        decided = "".join(NAMES[entry.decided] for entry in self.log)
        locks = ",".join(f"{NAMES[lock.value]}@{lock.view}" for lock in self.locks)
        asks = f">{self.target}" if self.target > self.view else "?" if self.is_lost else ""
        return f"v{self.view}{asks} decided {decided}{' prepared ' + locks if locks else ''}"


def widths_of(limits: Limits) -> list[int]:
    """The bits of a replica: view, target, lost, then an entry a height."""
    return [VIEW_BITS, VIEW_BITS, 1, *ENTRY_WIDTHS * limits.heights]


def made(numbers: list[int]) -> LocalClassic:
    """A replica from its numbers."""
    size = len(ENTRY_WIDTHS)
    log = tuple(Entry(*numbers[at : at + size]) for at in range(OWN_NUMBERS, len(numbers), size))
    return LocalClassic(log, numbers[0], numbers[1], bool(numbers[2]))


def flat(one: LocalClassic) -> tuple[int, ...]:
    """The way back."""
    return (one.view, one.target, int(one.is_lost), *(number for entry in one.log for number in entry))
