"""What was durable before a crash is there after it: records of one life beside the birth of the next.

Rule 1. Order is meaning: a message leaves only when every record before it is durable. So once a replica has heard its own message, the
        records of the steps before, and those before it in its step, were on the disk.
Rule 2. The next life begins with exactly these: of each height the last record known to be durable, or one that was written later; nothing
        that was never written; and a ledger that has not lost a block.
Rule 3. What a block has made meaningless may be forgotten.

Sources: pbft/effects.py, rule 1; devnet/durability.py; Gray & Reuter, chapter 9.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from fiscotool.pbft.codec_life import Birth, Step
from fiscotool.pbft.effects import Broadcast, ExecutedRecord, Persist, Remember, StandRecord, VoteRecord
from fiscotool.pbft.events import LedgerAdvanced, Received
from fiscotool.pbft.types import NodeIndex

__all__ = ["Disk"]

Key = tuple[str, int]


def _key(record: VoteRecord | ExecutedRecord | StandRecord) -> Key:
    match record:
        case VoteRecord(index=index):
            return "vote", index
        case ExecutedRecord(proposal=proposal):
            return "result", proposal.index
        case StandRecord():
            return "stand", 0


def _found(birth: Birth) -> dict[Key, Any]:
    """The records a life was born with."""
    return {_key(record): record for record in (*birth.votes, *birth.executed, *((birth.stand,) if birth.stand else ()))}


class Disk:
    """What one node's disk must hold, from life to life."""

    def __init__(self, retained_blocks: int) -> None:
        self._retained = retained_blocks
        self._is_known = False
        self._height, self._block_hash = 0, b""
        self._written: list[tuple[Key, Any]] = []
        self._durable = 0
        self._base: dict[Key, Any] = {}
        self._sent: dict[Any, deque[int]] = {}

    def born(self, birth: Birth) -> Iterator[str]:
        """A life begins: what is not as the former one left it."""
        found = _found(birth)
        if self._is_known:
            yield from self._compare(birth, found)
        self._is_known = True
        self._height, self._block_hash = birth.height, birth.block_hash
        self._base, self._written, self._durable, self._sent = found, [], 0, {}

    def forget(self) -> None:
        """Something of this life is missing: the next one is not compared with it."""
        self._is_known = False

    def step(self, step: Step, me: NodeIndex | None, content: Any) -> None:
        """Take note of a step; `content` is what was received without its signatures, or None."""
        event = step.event
        if type(event) is LedgerAdvanced:
            self._height, self._block_hash = event.index, event.block_hash
        elif type(event) is Received and event.message.sender == me and content is not None:
            left = self._sent.get(content)
            if left:
                self._durable = max(self._durable, left.popleft())
                if not left:
                    del self._sent[content]

    def done(self, effect: Persist | Remember | Broadcast, content: Any) -> None:
        """Take note of a record that is to be durable, or of a message that leaves after it."""
        if type(effect) is Broadcast:
            self._sent.setdefault(content, deque()).append(len(self._written))
            return
        assert not isinstance(effect, Broadcast)
        self._written.append((_key(effect.record), effect.record))

    def _compare(self, birth: Birth, found: dict[Key, Any]) -> Iterator[str]:
        if birth.height < self._height:
            yield f"its ledger ends at height {birth.height}, and had block {self._height} before"
        elif birth.height == self._height and birth.block_hash != self._block_hash:
            yield f"block {birth.height} of its ledger is another than before"
        known = dict(self._base)
        known.update(self._written[: self._durable])
        later: dict[Key, list[Any]] = {}
        for key, record in self._written[self._durable :]:
            later.setdefault(key, []).append(record)
        for key in sorted({*known, *found, *later}):
            if key[0] != "stand" and key[1] <= birth.height - self._retained:
                continue
            now, before = found.get(key), known.get(key)
            if now == before or now in later.get(key, ()):
                continue
            what = "its stand" if key[0] == "stand" else f"the {key[0]} of height {key[1]}"
            if now is None:
                yield f"{what} was durable before, and is gone"
            elif before is None and key not in later:
                yield f"{what} is there, and was never written"
            else:
                yield f"{what} is another than the one that was durable"
