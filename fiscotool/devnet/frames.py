"""Frames on a peer link: a 4-byte big-endian length, a 2-byte module id, a payload. Sans I/O.

Rule 1. The length counts module id and payload. One above the limit, or below 2, is a `FrameError` before anything is allocated:
        a length prefix of 2 GiB costs four bytes.
Rule 2. What has been received is copied once; a frame is cut out when it is complete.

Module ids: bcos-framework `protocol/Protocol.h`, spec 3.x 0. Id 1 is ours: the greeting of a link.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Final

__all__ = ["HEAD_BYTES", "FrameBuffer", "FrameError", "Module", "encode_frame"]

HEAD_BYTES: Final = 6
_HEAD: Final = struct.Struct(">IH")
_MODULE_BYTES: Final = 2


class Module(IntEnum):
    """Which part of the node a frame is for."""

    LINK = 1
    PBFT = 1000
    BLOCK_SYNC = 2000
    TXS_SYNC = 2001
    CONS_TXS_SYNC = 2002
    PUSH_TRANSACTION = 5000


class FrameError(Exception):
    """What arrived is not a frame; the link must be closed."""


def encode_frame(module: int, payload: bytes) -> bytes:
    """The bytes of one frame."""
    return _HEAD.pack(len(payload) + _MODULE_BYTES, module) + payload


class FrameBuffer:
    """Cuts a byte stream into frames. `bytes_max` bounds the length field and with it the memory a peer can claim."""

    __slots__ = ("_buffer", "bytes_max")

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Frames completed by `data`, as (module id, payload). Raises FrameError at the first impossible length."""
        self._buffer += data
        position = 0
        buffer = self._buffer
        try:
            while len(buffer) - position >= HEAD_BYTES:
                length, module = _HEAD.unpack_from(buffer, position)
                if not _MODULE_BYTES <= length <= self.bytes_max:
                    raise FrameError(f"a frame of {length} bytes is announced, allowed are {_MODULE_BYTES} to {self.bytes_max}")
                end = position + 4 + length
                if len(buffer) < end:
                    break
                payload = bytes(memoryview(buffer)[position + HEAD_BYTES : end])
                position = end
                yield module, payload
        finally:
            del buffer[:position]
