"""What a replica writes down of its life, step by step, so that the life can be lived again: the records of a full trace.

    ["Birth", 1, "fisco3", …]         the first line: who, under which rules, from which durable state
    ["Step", 0, 12, ["Started"], […], [0, 0, 1, true, 0]]
    ["Synced", 7, "ab…", [[0, "…"], …]]
    ["End", 812]                      the process stopped in order

Rule 1. A line is one record, encoded by `codec`; the order of the lines is the order in the replica. `sequence` counts the steps from 0, so
        a line that is missing shows. A life without `End` was killed, or is not over.
Rule 2. A step is on its way to the disk before any of its effects is done: a process that is killed loses no step that others could see.
Rule 3. A message that is refused as it came is not written twice: `Refused` stands for `Reject` of the event's own message.
Rule 4. The birth tells the rules as the node uses them and the holes its configuration asks for; a planted mutant is not told.

Sources: observables 4; docs/trace-checking.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from fiscotool.pbft.codec import Encoder
from fiscotool.pbft.codec_back import CodecError, Decoder
from fiscotool.pbft.effects import Effect, ExecutedRecord, Reject, RejectReason, StandRecord, VoteRecord
from fiscotool.pbft.events import Event, Received
from fiscotool.pbft.rules import Quirk, Rules
from fiscotool.pbft.types import Digest, Height, NodeIndex

__all__ = ["FORMAT_VERSION", "Birth", "End", "LifeDecoder", "LifeEncoder", "Refused", "Step", "Synced", "abridged", "told_status"]

FORMAT_VERSION: Final = 1

Told = tuple[int, int, int, bool, int]
"""(height, view, view asked for, in timeout, change cycle): what a replica says of itself by RPC."""


@dataclass(frozen=True, slots=True)
class Refused:
    """`Reject` of the message that the step received."""

    reason: RejectReason


@dataclass(frozen=True, slots=True)
class Birth:
    """A process of `node` (its name on the chain) starts.

    `node_id` is its public key, `genesis` the hash of block 0, `started_ms` milliseconds since the epoch, `rules` those its core starts
    with and `quirks` the ones its configuration asks for. `height`, `block_hash`, `votes`, `executed` and `stand` are what it found on its
    disk. `byzantine` is how it was deployed to lie, empty for an honest node. `seal_ms` is how long its sealer may wait.
    """

    version: int
    dialect: str
    node: str
    node_id: bytes
    genesis: bytes
    started_ms: int
    rules: Rules
    me: NodeIndex | None
    height: Height
    block_hash: Digest
    votes: tuple[VoteRecord, ...]
    executed: tuple[ExecutedRecord, ...]
    stand: StandRecord | None
    quirks: frozenset[Quirk]
    byzantine: str
    seal_ms: int


@dataclass(frozen=True, slots=True)
class Step:
    """The core took one step. `at_ms` counts from the birth; `told` is the status after the step where it is another than before."""

    sequence: int
    at_ms: int
    event: Event
    effects: tuple[Effect | Refused, ...]
    told: tuple[int, int, int, bool, int] | None


@dataclass(frozen=True, slots=True)
class Synced:
    """A block came by synchronisation and was taken: its signature list. The `LedgerAdvanced` that says so to the core follows."""

    index: Height
    block_hash: Digest
    signatures: tuple[tuple[NodeIndex, bytes], ...]


@dataclass(frozen=True, slots=True)
class End:
    """The process stopped in order after `steps` steps."""

    steps: int


Record = Birth | Step | Synced | End


class LifeEncoder:
    """Encodes the records of one life, in their order."""

    def __init__(self) -> None:
        self._encode = Encoder(Record)

    def __call__(self, record: Record) -> list[Any]:
        """One line's JSON value."""
        plain: list[Any] = self._encode(record)
        return plain


class LifeDecoder:
    """Decodes the records of one life, in their order."""

    def __init__(self) -> None:
        self._decode = Decoder(Record)

    def __call__(self, plain: Any) -> Record:
        """The record of one line's JSON value. Raises CodecError."""
        if type(plain) is list and plain[:1] == ["Birth"] and plain[1:2] != [FORMAT_VERSION]:
            raise CodecError(f"a trace of format {str(plain[1:2])[1:-1]}, not {FORMAT_VERSION}")
        record: Record = self._decode(plain)
        return record


def abridged(event: Event, effects: tuple[Effect, ...]) -> tuple[Effect | Refused, ...]:
    """The effects as a `Step` has them (Rule 3)."""
    if not effects or type(event) is not Received:
        return effects
    message = event.message
    if all(type(effect) is not Reject for effect in effects):
        return effects
    return tuple(Refused(effect.reason) if type(effect) is Reject and effect.message is message else effect for effect in effects)


def told_status(state: Any) -> Told:
    """What a `Step` tells of a state of any dialect."""
    return (state.height, state.view, state.to_view, state.in_timeout, state.change_cycle)
