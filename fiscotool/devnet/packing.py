"""Rows of byte strings as one blob: count, end offsets, bytes. One member can be cut out without looking at the others.

All numbers are 4 bytes, big-endian; offsets count from the first byte after them. The blob of no members is empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from struct import Struct, pack, unpack_from
from typing import Final

__all__ = ["pack_rows", "row", "unpack_rows"]

_COUNT: Final = Struct(">I")


def pack_rows(rows: Sequence[bytes]) -> bytes:
    """The blob of `rows`."""
    if not rows:
        return b""
    ends = accumulate(map(len, rows))
    return b"".join((pack(f">{len(rows) + 1}I", len(rows), *ends), *rows))


def unpack_rows(blob: bytes) -> tuple[bytes, ...]:
    """All members. Raises struct.error for a blob that is too short."""
    if not blob:
        return ()
    (count,) = _COUNT.unpack_from(blob)
    start = 4 * (count + 1)
    ends = unpack_from(f">{count}I", blob, 4)
    return tuple(blob[start + begin : start + end] for begin, end in pairwise((0, *ends)))


def row(blob: bytes, index: int) -> bytes:
    """Member `index`. Raises IndexError when there are not so many, struct.error for a blob that is too short."""
    (count,) = _COUNT.unpack_from(blob) if blob else (0,)
    if not 0 <= index < count:
        raise IndexError(f"row {index} of {count}")
    start = 4 * (count + 1)
    begin = unpack_from(">I", blob, 4 * index)[0] if index else 0
    (end,) = unpack_from(">I", blob, 4 * (index + 1))
    return blob[start + begin : start + end]
