"""Where on the chain a transaction is: an index by hash that costs next to nothing per transaction.

Rule 1. Every transaction of the chain is either in the tail (a dict in memory) or in exactly one segment (a sorted blob on disk).
Rule 2. The tail is cut into a segment when it holds SEGMENT_TXS; the segment is written in the same SQLite transaction as the block that
        filled it. After a restart the tail is read back from the blocks behind the last segment.
Rule 3. A segment's record is 8 bytes of the hash, block number and position; whoever finds one compares the full hash in the block.

An index in a table would dirty a thousand random pages for each block of a thousand transactions, 4 MB of writing; this writes 18 bytes a
transaction, once. A lookup that misses the tail reads a few kB in each segment: 20 µs a segment, so 1 ms on a chain of 1.6 million.

Sources: O'Neil et al., "The Log-Structured Merge-Tree", 1996 (without the merging); Perl, Itai & Avni, "Interpolation search", 1978.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

__all__ = ["HASH_BYTES", "SEGMENT_TXS", "Segment", "TxIndex", "split_hashes"]

Segment = tuple[int, int, bytes]
"""First block, last block, sorted records."""

HASH_BYTES: Final = 32
SEGMENT_TXS: Final = 1 << 15
_PREFIX_BYTES: Final = 8
_NUMBER_BYTES: Final = 6
_POSITION_BYTES: Final = 4
_RECORD_BYTES: Final = _PREFIX_BYTES + _NUMBER_BYTES + _POSITION_BYTES
# Hashes are uniform: the k-th of n lies within 5 standard deviations (n**0.5 / 2 each) of where it is expected, but for one in a million.
_WINDOW_RECORDS: Final = 512


def split_hashes(packed: bytes) -> list[bytes]:
    """The 32-byte hashes in a row of them."""
    return [packed[at : at + HASH_BYTES] for at in range(0, len(packed), HASH_BYTES)]


def _record(tx_hash: bytes, number: int, position: int) -> bytes:
    return tx_hash[:_PREFIX_BYTES] + number.to_bytes(_NUMBER_BYTES, "big") + position.to_bytes(_POSITION_BYTES, "big")


class TxIndex:
    """The index. The event loop adds and looks up; segments come from `plan_segment` and come back by `on_written`."""

    def __init__(self, reader: sqlite3.Connection, *, segment_txs: int = SEGMENT_TXS) -> None:
        """Read the segments' places and the tail. Raises sqlite3.Error."""
        self._reader = reader
        self._segment_txs = segment_txs
        self._tail: dict[bytes, tuple[int, int]] = {}
        self._segments: list[tuple[int, int]] = []
        for first, last, size in reader.execute("SELECT first, last, length(records) FROM tx_segment ORDER BY first"):
            self._segments.append((first, size // _RECORD_BYTES))
            self._tail_first = last + 1
        if not self._segments:
            self._tail_first = 0
        rows = reader.execute("SELECT number, tx_hashes FROM block WHERE number >= ? ORDER BY number", (self._tail_first,))
        for number, packed in rows:
            self._add(number, split_hashes(packed))

    @property
    def tail_count(self) -> int:
        """Transactions held in memory."""
        return len(self._tail)

    def _add(self, number: int, tx_hashes: Iterable[bytes]) -> None:
        for position, tx_hash in enumerate(tx_hashes):
            # The first place stays, should a block of faulty sealers hold an old transaction again.
            self._tail.setdefault(tx_hash, (number, position))

    def plan_segment(self, blocks: Sequence[tuple[int, Sequence[bytes]]]) -> Segment | None:
        """The segment to be written together with these blocks, or None when they do not fill one. The writer's thread may call it."""
        if len(self._tail) + sum(len(tx_hashes) for _, tx_hashes in blocks) < self._segment_txs:
            return None
        places = dict(self._tail)
        for number, tx_hashes in blocks:
            for position, tx_hash in enumerate(tx_hashes):
                places.setdefault(tx_hash, (number, position))
        records = sorted(_record(tx_hash, number, position) for tx_hash, (number, position) in places.items())
        return (self._tail_first, blocks[-1][0], b"".join(records))

    def on_written(self, blocks: Sequence[tuple[int, Sequence[bytes]]], segment: Segment | None) -> None:
        """These blocks are durable, with `segment` if one was due."""
        if segment is None:
            for number, tx_hashes in blocks:
                self._add(number, tx_hashes)
            return
        self._segments.append((segment[0], len(segment[2]) // _RECORD_BYTES))
        self._tail = {}
        self._tail_first = segment[1] + 1

    def candidates(self, tx_hash: bytes) -> Iterator[tuple[int, int]]:
        """(block number, position) where the transaction may be: sure for the tail, to be compared for segments (Rule 3)."""
        found = self._tail.get(tx_hash)
        if found is not None:
            yield found
            return
        prefix = tx_hash[:_PREFIX_BYTES]
        for first, count in reversed(self._segments):
            yield from self._in_segment(first, count, prefix)

    def _in_segment(self, first: int, count: int, prefix: bytes) -> Iterator[tuple[int, int]]:
        expected = int.from_bytes(prefix, "big") * count >> 8 * _PREFIX_BYTES
        low, high = max(0, expected - _WINDOW_RECORDS), min(count, expected + _WINDOW_RECORDS)
        window = self._read(first, low, high)
        while low > 0 and window[:_PREFIX_BYTES] >= prefix:
            low = max(0, low - 4 * _WINDOW_RECORDS)
            window = self._read(first, low, high)
        while high < count and window[-_RECORD_BYTES : -_RECORD_BYTES + _PREFIX_BYTES] <= prefix:
            high = min(count, high + 4 * _WINDOW_RECORDS)
            window = self._read(first, low, high)
        at = window.find(prefix)
        while at >= 0:
            if at % _RECORD_BYTES == 0:
                number_at = at + _PREFIX_BYTES
                position_at = number_at + _NUMBER_BYTES
                yield (
                    int.from_bytes(window[number_at:position_at], "big"),
                    int.from_bytes(window[position_at : at + _RECORD_BYTES], "big"),
                )
            at = window.find(prefix, at + 1)

    def _read(self, first: int, low: int, high: int) -> bytes:
        with self._reader.blobopen("tx_segment", "records", first, readonly=True) as blob:
            blob.seek(low * _RECORD_BYTES)
            return blob.read((high - low) * _RECORD_BYTES)
