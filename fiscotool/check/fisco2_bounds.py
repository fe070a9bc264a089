"""The bounds and the words of the abstract fisco2 model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from fiscotool.check.fisco3_bounds import EVERYBODY, NAMES, NODES, Limits
from fiscotool.check.guards import guard_names

HOLES: Final = {
    "amnesia": "the lock is lost in a crash, as on a host whose unsynced writes are (E1)",
    "duplicate-signers": "repeated signatures of one signer are counted again: a liar's votes make a quorum (E6)",
    "stale-vote-kept": "votes for a result are counted whatever their view (E5)",
}
"""Quirks of the core (pbft.rules.Quirk, by value) that the model can take on."""

AROUND_THE_CORE: Final = {
    "signs-make-blocks": "a Sign signs what a Commit does, so Signs of a quorum are shown as a block's signature list (spec 2.x 1.2)",
}
"""Holes of what surrounds the core: what a signature signs."""

PLANTED: Final = {
    "lock-not-asked": "fisco2-M12",
    "lock-given-up": "fisco2-N20",
    "written-by-two": "fisco2-M41",
    "view-of-two": "fisco2-M19",
}
"""Bugs to plant on purpose, and the mutant of the core (`fiscotool.mutants`) that is the same bug."""

ACTIONS: Final = (
    "propose",
    "propose empty",
    "accept",
    "see empty",
    "lock",
    "write",
    "sync",
    "time out",
    "join",
    "catch up",
    "enter view",
    "crash",
)
CONJUNCTS: Final = {
    "propose": ("leads", "knows a leader", "nothing proposed in this view"),
    "propose empty": ("leads", "knows a leader", "nothing proposed in this view"),
    "accept": ("own view", "knows a leader", "nothing accepted in this view", "not locked otherwise"),
    "see empty": ("own view", "knows a leader"),
    "lock": ("quorum of signs",),
    "write": ("locked in this view", "quorum of commits"),
    "join": ("above target", "f+1 ask"),
    "catch up": ("far below",),
    "enter view": ("later view", "quorum of view changes"),
}
"""What `Guards` counts."""

GUARDS: Final = guard_names(CONJUNCTS)
GOALS: Final = ("a block is written", "a block is written in a later view", "replicas are locked on different blocks")


@dataclass(frozen=True)
class Limits2(Limits):
    """What is explored; the fields are those of `Limits`."""

    def leader(self, h: int, view: int) -> int:
        """(view + highest) mod n leads the height after the highest (pbft/fisco2, rule 1)."""
        return (h - 1 + view) % NODES

    def is_led_by_liar(self, h: int, view: int, members: tuple[int, ...] = EVERYBODY) -> bool:
        """Whether the Byzantine replica leads this height in this view. Membership does not change."""
        assert members == EVERYBODY
        return self.leader(h, view) == self.byzantine

    @property
    def commits(self) -> int:
        """Commits that write a block."""
        return 2 if "written-by-two" in self.holes else self.quorum

    @property
    def askers(self) -> int:
        """View changes that start a view."""
        return 2 if "view-of-two" in self.holes else 3


class Lock2(NamedTuple):
    """`committedPrepare`: what a replica is locked on at its next height, and the view of the Signs; value 0 for nothing."""

    view: int = 0
    value: int = 0


UNLOCKED: Final = Lock2()


@dataclass(frozen=True)
class Local2:
    """A replica. It works on one height, the one after `chain`. The lock and the chain survive a restart, nothing else does.

    view, target    the view it is in and the one it asks for; while they differ it knows no leader
    accepted        the value it accepted and signed in its view, or 0
    """

    view: int = 0
    target: int = 0
    accepted: int = 0
    lock: Lock2 = UNLOCKED
    chain: tuple[int, ...] = ()

    @property
    def height(self) -> int:
        """Blocks written."""
        return len(self.chain)

    @property
    def waits(self) -> bool:
        """Whether it asks for a view (`leaderFailed`)."""
        return self.target != self.view

    def with_block(self, value: int) -> Local2:
        """With the next block, which puts everything back."""
        return Local2(chain=(*self.chain, value))

    def restarted(self, *, forgets: bool) -> Local2:
        """After a crash: in view 0, bound by the lock."""
        return replace(Local2(chain=self.chain), lock=UNLOCKED if forgets else self.lock)

    def text(self) -> str:
        """For people."""
        wrote = "".join(NAMES[value] for value in self.chain) or "-"
        locked = f" locked {NAMES[self.lock.value]}@{self.lock.view}" if self.lock.value else ""
        return f"v{self.view}{f'>{self.target}' if self.waits else ''} wrote {wrote}{locked}"


VIEW_BITS: Final = 3
VALUE_BITS: Final = 2


def widths_of(limits: Limits) -> list[int]:
    """The bits of a replica: view, target, accepted, lock, then a block a height."""
    return [VIEW_BITS, VIEW_BITS, VALUE_BITS, VIEW_BITS, VALUE_BITS, *[VALUE_BITS] * limits.heights]


BLOCKS_AT: Final = 5
"""Numbers of a replica before its blocks."""


def made(numbers: list[int]) -> Local2:
    """A replica from its numbers."""
    view, target, accepted, locked_in, locked, *blocks = numbers
    return Local2(view, target, accepted, Lock2(locked_in, locked), tuple(value for value in blocks if value))


def flat_of(limits: Limits) -> Callable[[Local2], tuple[int, ...]]:
    """The way back."""

    def flat(one: Local2) -> tuple[int, ...]:
        return (one.view, one.target, one.accepted, *one.lock, *one.chain, *(0,) * (limits.heights - one.height))

    return flat
