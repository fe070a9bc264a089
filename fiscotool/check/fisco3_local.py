"""A replica of the abstract fisco3 model as a value, and where everything is in a packed state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import Final

from fiscotool.check.fisco3_bounds import FILLER, NAMES, NODES, Limits, Lock, Slot, leader_of
from fiscotool.check.howard_bits import bits_at

Prefix = tuple[int, ...]
"""Values of the blocks 1, 2, …: what a checkpoint's hash stands for."""

VIEW_BITS: Final = 3
VALUE_BITS: Final = 2
CRASH_BITS: Final = 3
HEIGHT_BITS: Final = VALUE_BITS + 2 * (VIEW_BITS + VALUE_BITS) + VALUE_BITS


@dataclass(frozen=True)
class Local:
    """What a replica knows. `accepted` and `locks` survive a restart, `view` and `target` do not."""

    view: int
    target: int
    written: Prefix
    accepted: dict[int, tuple[int, int]]
    locks: dict[int, Lock]
    agreed: dict[int, int]

    @property
    def height(self) -> int:
        """Blocks written."""
        return len(self.written)

    @property
    def in_timeout(self) -> bool:
        """Whether it asks for a view."""
        return self.target > self.view

    def written_at(self, h: int) -> int:
        """The value of block h, or 0."""
        return self.written[h - 1] if h <= self.height else 0

    def executed(self) -> Iterator[Prefix]:
        """Every prefix above the ledger that can be executed."""
        prefix = self.written
        while (value := self.agreed.get(len(prefix) + 1)) is not None:
            prefix = (*prefix, value)
            yield prefix

    def with_vote(self, h: int, view: int, value: int) -> Local:
        """It has accepted a proposal."""
        return replace(self, accepted={**self.accepted, h: (view, value)})

    def with_lock(self, lock: Lock) -> Local:
        """It holds a certificate."""
        return replace(self, locks={**self.locks, lock.height: lock})

    def with_agreed(self, h: int, value: int) -> Local:
        """It holds a quorum of Commits."""
        return replace(self, agreed={**self.agreed, h: value})

    def with_block(self, value: int) -> Local:
        """It has written the next block, which settles everything about that height."""
        h = self.height + 1
        accepted, locks, agreed = dict(self.accepted), dict(self.locks), dict(self.agreed)
        accepted.pop(h, None)
        locks.pop(h, None)
        agreed.pop(h, None)
        return replace(self, written=(*self.written, value), accepted=accepted, locks=locks, agreed=agreed)

    def with_target(self, view: int) -> Local:
        """It asks for a view."""
        return replace(self, target=view)

    def with_view(self, view: int) -> Local:
        """It is in a view."""
        return replace(self, view=view, target=max(view, 0))

    def restarted(self, *, forgets: bool) -> Local:
        """After a crash."""
        now = replace(self, view=0, target=0)
        return replace(now, accepted={}, locks={}) if forgets else now

    def text(self) -> str:
        """For people."""
        wrote = "".join(NAMES[value] for value in self.written) or "-"
        locks = ",".join(f"{NAMES[lock.value]}@{lock.view}" for lock in self.locks.values())
        return f"v{self.view}{'!' if self.in_timeout else ''} wrote {wrote}{' locked ' + locks if locks else ''}"


class Places:
    """The layout of a state: messages first, then the replicas, then what is shared."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._width = 0
        values = (*limits.values, FILLER)
        heights, views = range(1, limits.heights + 1), range(limits.view_max + 1)
        self.slots: list[Slot] = list(product(views, heights, values))
        self._preprepare = {slot: self.place() for slot in self.slots}
        self._votes = {kind: {slot: self.place(NODES) for slot in self.slots} for kind in ("prepare", "commit")}
        self._prefixes = {h: list(product(values, repeat=h)) for h in (*heights, limits.heights + 1)}
        self._checkpoint = {prefix: self.place(NODES) for h in heights for prefix in self._prefixes[h]}
        self._replica_bits = 2 * VIEW_BITS + HEIGHT_BITS * limits.heights
        self._replica = {i: self.place(self._replica_bits) for i in limits.honest}
        self.torn = self.place()
        self.crash_count = self.place(CRASH_BITS)
        self._read = lru_cache(maxsize=200_000)(self._unpack)
        self._everyone = (1 << NODES) - 1

    def place(self, bits: int = 1) -> int:
        """The number of the lowest of some new bits."""
        self._width += bits
        return self._width - bits

    def prefixes(self, h: int) -> list[Prefix]:
        """All prefixes of h blocks."""
        return self._prefixes[h]

    def mask(self, i: int, kind: str) -> int:
        """The fixed bits that a part reads or writes."""
        own = 1 << i
        prepares, commits = self._votes["prepare"].values(), self._votes["commit"].values()
        bits = {
            "propose": bits_at(self._preprepare.values(), 1) | bits_at(prepares, own),
            "accept": bits_at(self._preprepare.values(), 1) | bits_at(prepares, own),
            "prepared": bits_at(prepares, self._everyone) | bits_at(commits, own),
            "agreed": bits_at(commits, self._everyone) | bits_at(self._checkpoint.values(), own) | 1 << self.torn,
            "write": bits_at(self._checkpoint.values(), self._everyone),
            "new view": bits_at(prepares, self._everyone) if self.limits.byzantine is not None else 0,
            "enter view": bits_at(prepares, own),
            "crash": ((1 << CRASH_BITS) - 1) << self.crash_count,
            "recover": bits_at(self._replica.values(), (1 << self._replica_bits) - 1),
        }.get(kind, 0)
        at = self._replica.get(i)
        return bits if at is None else bits | ((1 << self._replica_bits) - 1) << at

    def replica_mask(self, i: int) -> int:
        """All bits of a replica."""
        return ((1 << self._replica_bits) - 1) << self._replica[i]

    def forged(self) -> int:
        """Everything the Byzantine replica can sign alone."""
        b = self.limits.byzantine
        if b is None:
            return 0
        own = 1 << b
        votes = sum(bits_at(table.values(), own) for table in self._votes.values())
        led = [at for (view, h, value), at in self._preprepare.items() if leader_of(h, view) == b and value != FILLER]
        return votes | bits_at(self._checkpoint.values(), own) | bits_at(led, 1)

    def proposed(self, s: int) -> Iterator[Slot]:
        """Every pre-prepare there is."""
        return (slot for slot, at in self._preprepare.items() if s >> at & 1)

    def count(self, s: int, kind: str, slot: Slot) -> int:
        """How many replicas sent this vote."""
        return (s >> self._votes[kind][slot] & self._everyone).bit_count()

    def count_checkpoints(self, s: int, prefix: Prefix) -> int:
        """How many replicas signed this chain."""
        return (s >> self._checkpoint[prefix] & self._everyone).bit_count() if prefix in self._checkpoint else 0

    def send(self, s: int, kind: str, slot: Slot, sender: int = 0) -> int:
        """With this message sent."""
        return s | 1 << (self._preprepare[slot] if kind == "preprepare" else self._votes[kind][slot] + sender)

    def send_checkpoint(self, s: int, prefix: Prefix, sender: int) -> int:
        """With this checkpoint sent."""
        return s | 1 << self._checkpoint[prefix] + sender

    def vote(self, s: int, i: int, me: Local, slot: Slot) -> int:
        """With this proposal accepted and the Prepare sent."""
        view, h, value = slot
        return self.put(self.send(s, "prepare", slot, i), i, me.with_vote(h, view, value))

    def crashes(self, s: int) -> int:
        """Crashes so far."""
        return s >> self.crash_count & (1 << CRASH_BITS) - 1

    def read(self, i: int, s: int) -> Local:
        """A replica."""
        return self._read(s >> self._replica[i] & (1 << self._replica_bits) - 1)

    def put(self, s: int, i: int, now: Local) -> int:
        """The state with another replica i."""
        at = self._replica[i]
        return s & ~(((1 << self._replica_bits) - 1) << at) | self._pack(now) << at

    def _pack(self, one: Local) -> int:
        packed, at = one.view | one.target << VIEW_BITS, 2 * VIEW_BITS
        for h in range(1, self.limits.heights + 1):
            voted_in, voted = one.accepted.get(h, (-1, 0))
            lock = one.locks.get(h, Lock(h, -1, 0))
            for number, bits in (
                (one.written_at(h), VALUE_BITS), (voted_in + 1, VIEW_BITS), (voted, VALUE_BITS),
                (lock.view + 1, VIEW_BITS), (lock.value, VALUE_BITS), (one.agreed.get(h, 0), VALUE_BITS),
            ):  # fmt: skip
                packed |= number << at
                at += bits
        return packed

    def _unpack(self, packed: int) -> Local:
        def take(bits: int) -> int:
            nonlocal packed
            number = packed & (1 << bits) - 1
            packed >>= bits
            return number

        view, target = take(VIEW_BITS), take(VIEW_BITS)
        written: list[int] = []
        accepted: dict[int, tuple[int, int]] = {}
        locks: dict[int, Lock] = {}
        agreed: dict[int, int] = {}
        for h in range(1, self.limits.heights + 1):
            value, voted_in, voted = take(VALUE_BITS), take(VIEW_BITS), take(VALUE_BITS)
            locked_in, locked, agreed_on = take(VIEW_BITS), take(VALUE_BITS), take(VALUE_BITS)
            if value:
                written.append(value)
            if voted_in:
                accepted[h] = (voted_in - 1, voted)
            if locked_in:
                locks[h] = Lock(h, locked_in - 1, locked)
            if agreed_on:
                agreed[h] = agreed_on
        return Local(view, target, tuple(written), accepted, locks, agreed)
