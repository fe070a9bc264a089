"""A replica of the abstract fisco3 model as a value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from fiscotool.check.fisco3_bounds import NAMES, Lock

Prefix = tuple[int, ...]
"""Values of the blocks 1, 2, …: what a checkpoint's hash stands for."""


@dataclass(frozen=True)
class Local:
    """What a replica knows. `accepted` and `locks` survive a restart, `view` and `target` do not.

    `blocks` has a value for each height, 0 where no block is written. A part that is shown one height alone sees the others as 0.
    """

    view: int
    target: int
    blocks: Prefix
    accepted: dict[int, tuple[int, int]]
    locks: dict[int, Lock]
    agreed: dict[int, int]

    @property
    def height(self) -> int:
        """Blocks written."""
        return next((k for k, value in enumerate(self.blocks) if not value), len(self.blocks))

    @property
    def written(self) -> Prefix:
        """Values of the blocks written."""
        return self.blocks[: self.height]

    @property
    def in_timeout(self) -> bool:
        """Whether it asks for a view."""
        return self.target > self.view

    def written_at(self, h: int) -> int:
        """The value of block h, or 0."""
        return self.blocks[h - 1] if h <= len(self.blocks) else 0

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
        blocks = (*self.blocks[: h - 1], value, *self.blocks[h:])
        return replace(self, blocks=blocks, accepted=accepted, locks=locks, agreed=agreed)

    def with_target(self, view: int) -> Local:
        """It asks for a view."""
        return replace(self, target=view)

    def with_view(self, view: int) -> Local:
        """It is in a view."""
        return replace(self, view=view, target=view)

    def restarted(self, *, forgets: bool, loses: bool = False) -> Local:
        """After a crash: in timeout; of what was agreed, what was executed is remembered. `loses`: nor that, nor the last block."""
        kept = {} if forgets and loses else {len(prefix): prefix[-1] for prefix in self.executed()}
        now = replace(self, view=0, target=1, agreed=kept)
        if loses and self.height:
            now = replace(now, blocks=(*self.blocks[: self.height - 1], *(0,) * (len(self.blocks) - self.height + 1)))
        return replace(now, accepted={}, locks={}) if forgets else now

    def text(self) -> str:
        """For people."""
        wrote = "".join(NAMES[value] for value in self.written) or "-"
        locks = ",".join(f"{NAMES[lock.value]}@{lock.view}" for lock in self.locks.values())
        return f"v{self.view}{'!' if self.in_timeout else ''} wrote {wrote}{' locked ' + locks if locks else ''}"
