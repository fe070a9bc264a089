"""Where everything is in a packed state of the abstract fisco3 model, and which bits each of its parts reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import product
from typing import Final

from fiscotool.check.fisco3_bounds import FILLER, NODES, Limits, Lock, Slot, bits_of
from fiscotool.check.fisco3_local import Local, Prefix
from fiscotool.check.howard_bits import bits_at

VIEW_BITS: Final = 3
VALUE_BITS: Final = 2
CRASH_BITS: Final = 3
OWN_BITS: Final = 2 * VIEW_BITS
HEIGHT_BITS: Final = VALUE_BITS + 2 * (VIEW_BITS + VALUE_BITS) + VALUE_BITS
EVERYONE: Final = (1 << NODES) - 1


class Places:
    """The layout of a state: messages first, then the replicas, then what is shared.

    With a liar, who may show any certificate there is, each slot has a bit that says whether a quorum prepared it: it follows from the
    votes, and saves whoever reads certificates from reading votes.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.width = 0
        values = (*limits.values, FILLER)
        self.heights, views = range(1, limits.heights + 1), range(limits.view_max + 1)
        self.slots: list[Slot] = list(product(views, self.heights, values))
        self.preprepare = {slot: self.place() for slot in self.slots}
        self.votes = {kind: {slot: self.place(NODES) for slot in self.slots} for kind in ("prepare", "commit")}
        self.certified = {slot: self.place() for slot in self.slots if limits.byzantine is not None or limits.open_views}
        self._prefixes = {h: list(product(values, repeat=h)) for h in self.heights}
        self.checkpoint = {prefix: self.place(NODES) for h in self.heights for prefix in self._prefixes[h]}
        self._replica_bits = OWN_BITS + HEIGHT_BITS * limits.heights
        self._replica = {i: self.place(self._replica_bits) for i in limits.honest}
        self.torn = self.place()
        self.crash_count = self.place(CRASH_BITS)
        self._read = lru_cache(maxsize=200_000)(self._unpack)
        self.liar = 0 if limits.byzantine is None else 1 << limits.byzantine

    def place(self, bits: int = 1) -> int:
        """The number of the lowest of some new bits."""
        self.width += bits
        return self.width - bits

    def prefixes_on(self, below: Prefix) -> list[Prefix]:
        """All prefixes of one block more; none beyond the last height."""
        return [prefix for prefix in self._prefixes.get(len(below) + 1, []) if prefix[:-1] == below]

    def mask(self, i: int, kind: str, h: int, view: int) -> int:
        """The fixed bits that a part reads or writes. `h` is 0 for parts of no one height."""
        own = 1 << i
        here = {slot for slot in self.slots if slot[1] == h}
        prepares = [at for slot, at in self.votes["prepare"].items() if slot in here]
        in_view = [at for slot, at in self.votes["prepare"].items() if slot in here and slot[0] == view]
        commits = [at for slot, at in self.votes["commit"].items() if slot in here]
        shown = bits_at((at for slot, at in self.preprepare.items() if slot in here), 1)
        proofs = self.proofs(view, h)
        checkpoints = bits_at(self.checkpoint.values(), EVERYONE)
        bits = {
            "propose": shown | bits_at(prepares, EVERYONE) | self.named(h),
            "accept": shown | bits_at(prepares, EVERYONE) | self.named(h),
            "accept again": bits_at(in_view, EVERYONE) | proofs,
            "prepared": bits_at(prepares, EVERYONE) | bits_at(commits, own),
            "agreed": bits_at(commits, EVERYONE) | bits_at(self.checkpoint.values(), own) | 1 << self.torn,
            "new view": proofs,
            "enter view": 0 if self.limits.open_views else proofs,
            "pull": checkpoints,
            "write": checkpoints,
            "sync": 0,
            "crash": ((1 << CRASH_BITS) - 1) << self.crash_count | 1 << self.torn,
        }.get(kind, 0)
        return bits | self._own_bits(i, kind, h)

    def _own_bits(self, i: int, kind: str, h: int) -> int:
        """What a part reads of the replica itself."""
        at = self._replica.get(i)
        if at is None:
            return 0
        views = (1 << OWN_BITS) - 1 << at
        if kind in {"accept", "accept again", "prepared"}:
            first = (1 << VALUE_BITS) - 1 << at + OWN_BITS if self.limits.leaves is not None else 0
            return views | first | (1 << HEIGHT_BITS) - 1 << at + OWN_BITS + HEIGHT_BITS * (h - 1)
        if kind == "enter view":
            return views
        if kind == "new view":
            return views | bits_at((at + OWN_BITS + HEIGHT_BITS * (k - 1) for k in self.heights), (1 << VALUE_BITS) - 1)
        return ((1 << self._replica_bits) - 1) << at

    def proofs(self, view: int, h: int = 0) -> int:
        """Where certificates are told that can be shown for a view: those of the views before; in open views those of one height."""
        slots = (slot for slot in self.certified if slot[0] < view and (slot[1] == h or not self.limits.open_views))
        return bits_at((self.certified[slot] for slot in slots), 1)

    def named(self, h: int) -> int:
        """Where else than in votes it shows that a value was named at a height."""
        return bits_at((at for slot, at in self.certified.items() if slot[1] == h), 1) if self.limits.open_views else 0

    def replica_mask(self, i: int) -> int:
        """All bits of a replica."""
        return ((1 << self._replica_bits) - 1) << self._replica[i]

    def lock_bits(self, heights: Iterable[int]) -> int:
        """Where honest replicas keep their locks at some heights."""
        first = OWN_BITS + VALUE_BITS + VIEW_BITS + VALUE_BITS
        places = [at + first + HEIGHT_BITS * (h - 1) for h in heights for at in self._replica.values()]
        return bits_at(places, (1 << VIEW_BITS + VALUE_BITS) - 1)

    def in_view(self, s: int, view: int) -> int:
        """The state with every honest replica in a view, and asking for none."""
        own = bits_at(self._replica.values(), 1)
        return s & ~(own * ((1 << OWN_BITS) - 1)) | own * (view | view << VIEW_BITS)

    def without_votes(self, s: int, h: int) -> int:
        """The state without what honest replicas voted for at a height."""
        first = OWN_BITS + VALUE_BITS + HEIGHT_BITS * (h - 1)
        return s & ~bits_at((at + first for at in self._replica.values()), (1 << VIEW_BITS + VALUE_BITS) - 1)

    def block_bits(self) -> int:
        """Where honest replicas keep the values of written blocks."""
        places = (at + OWN_BITS + HEIGHT_BITS * (h - 1) for at in self._replica.values() for h in self.heights)
        return bits_at(places, (1 << VALUE_BITS) - 1)

    def decided_bits(self) -> int:
        """Where honest replicas keep what they wrote and agreed on."""
        last = HEIGHT_BITS - VALUE_BITS
        agreed = (at + OWN_BITS + HEIGHT_BITS * (h - 1) + last for at in self._replica.values() for h in self.heights)
        return self.block_bits() | bits_at(agreed, (1 << VALUE_BITS) - 1)

    def forged(self) -> int:
        """Every vote and checkpoint that the Byzantine replica can sign. What it proposes it says only to those who ask."""
        votes = sum(bits_at(table.values(), self.liar) for table in self.votes.values())
        if self.limits.quorum <= self.liar.bit_count():
            votes |= bits_at(self.certified.values(), 1)
        return votes | bits_at(self.checkpoint.values(), self.liar)

    def proposed(self, s: int, h: int) -> Iterator[Slot]:
        """Every pre-prepare there is for a height."""
        return (slot for slot, at in self.preprepare.items() if slot[1] == h and s >> at & 1)

    def used(self, s: int, h: int) -> set[int]:
        """Values that an honest replica proposed or voted for at a height; in open views, where votes are forgotten, certified ones too."""
        found = {slot[2] for slot in self.proposed(s, h)}
        if self.limits.open_views:
            found |= {slot[2] for slot, at in self.certified.items() if slot[1] == h and s >> at & 1}
        others = EVERYONE & ~self.liar
        return found | {slot[2] for slot, at in self.votes["prepare"].items() if slot[1] == h and s >> at & others}

    def count(self, s: int, kind: str, slot: Slot, members: int = EVERYONE) -> int:
        """How many of the members sent this vote."""
        return (s >> self.votes[kind][slot] & members).bit_count()

    def signers(self, s: int, prefix: Prefix) -> int:
        """Which members of the list that decides its last block signed this chain."""
        return s >> self.checkpoint[prefix] & bits_of(self.limits.members(len(prefix), prefix[0]))

    def send(self, s: int, kind: str, slot: Slot, sender: int = 0) -> int:
        """With this message sent."""
        return s | 1 << (self.preprepare[slot] if kind == "preprepare" else self.votes[kind][slot] + sender)

    def send_checkpoints(self, s: int, now: Local, sender: int) -> int:
        """With the checkpoints of all that can be executed sent."""
        for prefix in now.executed():
            s |= 1 << self.checkpoint[prefix] + sender
        return s

    def vote(self, s: int, i: int, me: Local, slot: Slot) -> int:
        """With this proposal accepted and the Prepare sent."""
        view, h, value = slot
        after = self.send(s, "prepare", slot, i)
        members = bits_of(self.limits.members(h, me.written_at(1)))
        before, now = (self.count(one, "prepare", slot, members) for one in (s, after))
        if slot in self.certified and before < self.limits.quorum <= now:
            after |= 1 << self.certified[slot]
        return self.put(after, i, me.with_vote(h, view, value))

    def with_certificates(self, s: int) -> int:
        """The state with its certificates told, when its votes were put together otherwise than by `vote`."""
        return s | sum(1 << at for slot, at in self.certified.items() if self.count(s, "prepare", slot) >= self.limits.quorum)

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
        packed, at = one.view | one.target << VIEW_BITS, OWN_BITS
        for h in self.heights:
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
        blocks: list[int] = []
        accepted: dict[int, tuple[int, int]] = {}
        locks: dict[int, Lock] = {}
        agreed: dict[int, int] = {}
        for h in self.heights:
            value, voted_in, voted = take(VALUE_BITS), take(VIEW_BITS), take(VALUE_BITS)
            locked_in, locked, agreed_on = take(VIEW_BITS), take(VALUE_BITS), take(VALUE_BITS)
            blocks.append(value)
            if voted_in:
                accepted[h] = (voted_in - 1, voted)
            if locked_in:
                locks[h] = Lock(h, locked_in - 1, locked)
            if agreed_on:
                agreed[h] = agreed_on
        return Local(view, target, tuple(blocks), accepted, locks, agreed)
