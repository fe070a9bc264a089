"""Writes down every step of this node's core, so that `fiscotool check --traces` can take the same steps and compare.

Rule 1. One file a life, `<log>/trace-<milliseconds since the epoch>.jsonl`; its lines are the records of `pbft.codec_life`.
Rule 2. What happened is in the file (in the kernel's hands, that is) before anybody else can see it: the lines written so far leave this
        process before the first message of a step does, and before its records are on their way to the disk. So a node that is killed loses
        nothing that others, or its own next life, know of.
Rule 3. It never stops a node: when a line cannot be written, or not be encoded, it is left out and counted. The numbers of the steps show
        the gap.
Rule 4. It watches; nothing that the node does depends on it.

Sources: pbft/codec_life.py; docs/trace-checking.md.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from fiscotool.devnet.clocks import now_ms
from fiscotool.devnet.consensus_log import Remembered
from fiscotool.devnet.contracts import LedgerStore
from fiscotool.devnet.driver import Witness
from fiscotool.devnet.settings import Settings
from fiscotool.pbft.codec_life import FORMAT_VERSION, Birth, End, LifeEncoder, Record, Step, Synced, Told, abridged, told_status
from fiscotool.pbft.effects import Broadcast, Effect, Persist, Remember, Send
from fiscotool.pbft.events import Event
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.types import Digest, Height, NodeIndex

__all__ = ["StepTrace", "birth_of", "open_trace"]

_BUFFERED_BYTES_MAX: Final = 64 * 1024
_PATIENCE_MS: Final = 200
_RECORDS: Final = frozenset({Persist, Remember})


class Untraced:
    """Stands for the trace where none is asked for: everything goes to `witness` alone."""

    def __init__(self, witness: Witness) -> None:
        self.on_step = witness.on_step
        self.on_applied = witness.on_applied

    def born(self, birth: Birth) -> None:
        """Nothing is written."""

    def on_synced(self, number: int, block_hash: bytes, signatures: Sequence[tuple[int, bytes]]) -> None:
        """Nothing is written."""

    def close(self) -> None:
        """Nothing is open."""


def open_trace(settings: Settings, witness: Witness) -> StepTrace | Untraced:
    """The trace of this life, which passes everything on to `witness`."""
    return StepTrace(settings.log_path, witness) if settings.trace else Untraced(witness)


def birth_of(
    settings: Settings, node_id: bytes, store: LedgerStore, remembered: Remembered, in_force: tuple[Rules, NodeIndex | None]
) -> Birth:
    """What this life begins with."""
    rules, me = in_force
    return Birth(
        version=FORMAT_VERSION,
        dialect=settings.protocol,
        node=settings.directory.name,
        node_id=node_id,
        genesis=store.genesis_hash,
        started_ms=now_ms(),
        rules=rules,
        me=me,
        height=Height(store.height),
        block_hash=Digest(store.head_hash),
        votes=remembered.votes,
        executed=remembered.executed,
        stand=remembered.stand,
        quirks=settings.declared_quirks,
        byzantine=settings.byzantine,
        seal_ms=settings.min_seal_time_ms,
    )


class StepTrace:
    """The driver's witness (`driver.Witness`) that writes, and then passes everything on to another. `clock` gives seconds."""

    def __init__(self, directory: Path, witness: Witness, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.lines_dropped = 0
        self.path: Path | None = None
        self._directory = directory
        self._witness = witness
        self._clock = clock
        self._encode = LifeEncoder()
        self._began_s = clock()
        self._flushed_ms = 0
        self._steps = 0
        self._told: Told | None = None
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._file = -1
        self._is_torn = False

    def born(self, birth: Birth) -> None:
        """The process has loaded its ledger; nothing was done yet."""
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self.path = self._directory / f"trace-{birth.started_ms}.jsonl"
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError:
            self.path = None
        self._add(birth)
        self.flush()

    def on_step(self, before: Any, event: Event, after: Any, effects: tuple[Effect, ...]) -> None:
        """The core has taken a step."""
        status = told_status(after)
        told = None if status == self._told else status
        self._told = status
        at_ms = int((self._clock() - self._began_s) * 1000)
        self._add(Step(self._steps, at_ms, event, abridged(event, effects), told))
        self._steps += 1
        if at_ms - self._flushed_ms >= _PATIENCE_MS or any(type(effect) in _RECORDS for effect in effects):
            self._flushed_ms = at_ms
            self.flush()
        self._witness.on_step(before, event, after, effects)

    def on_applied(self, state: Any, effect: Effect) -> None:
        """Before a message leaves, what led to it is on its way to the disk (Rule 2)."""
        if self._waiting and type(effect) in {Broadcast, Send}:
            self.flush()
        self._witness.on_applied(state, effect)

    def on_synced(self, number: int, block_hash: bytes, signatures: Sequence[tuple[int, bytes]]) -> None:
        """A block that came by synchronisation was found good and is about to be written."""
        self._add(Synced(Height(number), Digest(block_hash), tuple((NodeIndex(index), signature) for index, signature in signatures)))

    def close(self) -> None:
        """The process stops in order."""
        self._add(End(self._steps))
        self.flush()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def flush(self) -> None:
        """Hand everything to the kernel. Lines that it does not take are lost (Rule 3)."""
        lines, self._waiting, self._waiting_bytes = self._waiting, [], 0
        if not lines:
            return
        data = b"".join(lines)
        if self._is_torn:
            data = b"\n" + data
        try:
            written = os.write(self._file, data)
        except OSError:
            written = 0
            self.lines_dropped += len(lines)
        if written < len(data):
            self._is_torn = self._is_torn or written > 0
            self.lines_dropped += data[written:].count(b"\n") if written else 0
        else:
            self._is_torn = False

    def _add(self, record: Record) -> None:
        if self._file < 0:
            self.lines_dropped += 1
            return
        try:
            line = orjson.dumps(self._encode(record), option=orjson.OPT_APPEND_NEWLINE)
        except TypeError:  # A number that JSON has no room for; the wire lets none in.
            self.lines_dropped += 1
            return
        self._waiting.append(line)
        self._waiting_bytes += len(line)
        if self._waiting_bytes > _BUFFERED_BYTES_MAX:
            self.flush()
