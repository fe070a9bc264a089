"""Where everything is in a packed state of a dialect: proposals, votes by kind, each honest replica, and what else it asks for.

A replica is a value; here it is flat numbers of fixed widths. `Layout` knows nothing of what they mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, product
from typing import Final, Generic, TypeVar

from fiscotool.check.fisco3_bounds import NODES, Limits, Slot
from fiscotool.check.howard_bits import bits_at

Replica = TypeVar("Replica")

EVERYONE: Final = (1 << NODES) - 1
CRASH_BITS: Final = 3


class Fields:
    """Numbers of fixed widths, side by side."""

    def __init__(self, widths: Sequence[int]) -> None:
        self.ends = list(accumulate(widths))
        self._shifts = [(end - bits, (1 << bits) - 1) for end, bits in zip(self.ends, widths, strict=True)]
        self.width = self.ends[-1]

    def pack(self, numbers: Iterable[int]) -> int:
        """All numbers as one."""
        return sum(number << at for number, (at, _) in zip(numbers, self._shifts, strict=True))

    def unpack(self, packed: int) -> list[int]:
        """The numbers again."""
        return [packed >> at & pattern for at, pattern in self._shifts]

    def mask(self, first: int, count: int) -> int:
        """The bits of `count` numbers from number `first` on."""
        begin = self.ends[first - 1] if first else 0
        return (1 << self.ends[first + count - 1]) - (1 << begin)


class Layout(Generic[Replica]):
    """The layout of a state: messages first, then the replicas, then what is shared, then what the model adds with `place`.

    kinds       kinds of votes that each replica may cast for each (view, height, value)
    widths      bits of the numbers that a replica is; `make` and `flat` turn them into one and back
    """

    def __init__(
        self,
        limits: Limits,
        values: Sequence[int],
        kinds: Iterable[str],
        widths: Sequence[int],
        make: Callable[[list[int]], Replica],
        flat: Callable[[Replica], Iterable[int]],
    ) -> None:
        self.limits = limits
        self.width = 0
        self.heights, self.views = range(1, limits.heights + 1), range(limits.view_max + 1)
        self.slots: list[Slot] = list(product(self.views, self.heights, values))
        self.preprepare = {slot: self.place() for slot in self.slots}
        self.votes = {kind: {slot: self.place(NODES) for slot in self.slots} for kind in kinds}
        self.fields = Fields(widths)
        self._make, self._flat = make, flat
        self._known: dict[int, Replica] = {}
        self._whole = (1 << self.fields.width) - 1
        self._replica = {i: self.place(self.fields.width) for i in limits.honest}
        self.crash_count = self.place(CRASH_BITS)
        self.liar = 0 if limits.byzantine is None else 1 << limits.byzantine

    def place(self, bits: int = 1) -> int:
        """The number of the lowest of some new bits."""
        self.width += bits
        return self.width - bits

    # Messages

    def signers(self, s: int, kind: str, slot: Slot) -> int:
        """Who cast this vote, as bits."""
        return s >> self.votes[kind][slot] & EVERYONE

    def count(self, s: int, kind: str, slot: Slot) -> int:
        """How many replicas cast this vote."""
        return (s >> self.votes[kind][slot] & EVERYONE).bit_count()

    def vote(self, s: int, kind: str, slot: Slot, sender: int) -> int:
        """With this vote cast."""
        return s | 1 << self.votes[kind][slot] + sender

    def bits_of(self, kind: str, who: int, h: int = 0) -> int:
        """The bits of the votes of a kind by `who` (as bits), at height h or at all."""
        return bits_at((at for slot, at in self.votes[kind].items() if h in {0, slot[1]}), who)

    def shown_bits(self, h: int = 0) -> int:
        """The bits of the proposals for height h, or of all."""
        return bits_at((at for slot, at in self.preprepare.items() if h in {0, slot[1]}), 1)

    def proposed(self, s: int, h: int) -> list[Slot]:
        """Every proposal there is for a height."""
        return [slot for slot, at in self.preprepare.items() if slot[1] == h and s >> at & 1]

    def forged(self) -> int:
        """Every vote that the Byzantine replica can sign."""
        return sum(bits_at(table.values(), self.liar) for table in self.votes.values())

    def choice(self, s: int, h: int, kind: str) -> tuple[int, ...]:
        """The values a leader may take: under symmetry none before those with earlier names were proposed or voted for at this height."""
        values = self.limits.values
        if not self.limits.symmetry:
            return values
        others = EVERYONE & ~self.liar
        used = {slot[2] for slot in self.proposed(s, h)}
        used |= {slot[2] for slot, at in self.votes[kind].items() if slot[1] == h and s >> at & others}
        fresh = [value for value in values if value not in used]
        return tuple(value for value in values if value in used or value == fresh[0])

    # Replicas

    def read(self, i: int, s: int) -> Replica:
        """A replica."""
        packed = s >> self._replica[i] & self._whole
        known = self._known.get(packed)
        if known is None:
            known = self._known[packed] = self._make(self.fields.unpack(packed))
        return known

    def put(self, s: int, i: int, now: Replica) -> int:
        """The state with another replica i."""
        at = self._replica[i]
        return s & ~(self._whole << at) | self.fields.pack(self._flat(now)) << at

    def replica_bits(self, i: int, first: int = 0, count: int | None = None) -> int:
        """All bits of a replica, or those of some of its numbers."""
        pattern = self._whole if count is None else self.fields.mask(first, count)
        return pattern << self._replica[i]

    def all_replicas(self, first: int = 0, count: int | None = None) -> int:
        """The same of every honest replica."""
        return sum(self.replica_bits(i, first, count) for i in self.limits.honest)

    def crashes(self, s: int) -> int:
        """Crashes so far."""
        return s >> self.crash_count & (1 << CRASH_BITS) - 1

    @property
    def crash_bits(self) -> int:
        """Where they are counted."""
        return ((1 << CRASH_BITS) - 1) << self.crash_count
