"""Frames of the channel protocol: bytes in, frames out; pure.

    length u32 | type u16 | seq 32 bytes | result i32 | data            big-endian; length counts the 42 bytes before the data

Rule 1. A stream that cannot be one of frames (a length below 42 or above 100 MiB) is BadFrame, with what was seen; nothing after it is
        read, since the next frame's beginning is lost.
Rule 2. Half a frame is nothing yet: it waits for its rest, and no more than one frame's length is held.
Rule 3. A frame of an unknown type is a frame: a newer node may push what this tool does not know.

Source: spec 2.x 2.4 (design/protocol_description.md; libchannelserver/ChannelMessage.h).
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

_HEADER: Final = struct.Struct(">IH32si")
HEADER_BYTES: Final = _HEADER.size
FRAME_BYTES_MAX: Final = 100 << 20
_SEQ_BYTES: Final = 32
NO_SEQ: Final = "0" * _SEQ_BYTES
"""The seq of a notice about blocks."""
_SHOWN_BYTES: Final = 24


class Kind(IntEnum):
    """Types of frames."""

    RPC = 0x12
    HEARTBEAT = 0x13
    HANDSHAKE = 0x14
    EVENT_REGISTER = 0x15
    EVENT_UNREGISTER = 0x16
    AMOP_REQUEST = 0x30
    AMOP_RESPONSE = 0x31
    SUBSCRIBE = 0x32
    AMOP_MULTICAST = 0x35
    TX_NOTIFY = 0x1000
    BLOCK_NOTIFY = 0x1001
    EVENT_PUSH = 0x1002


class BadFrame(Exception):  # says what was seen
    """The bytes are not those of a channel server."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. `kind` is a Kind, or another number for types this tool does not know; `result` 0 is success."""

    kind: int
    seq: str
    data: bytes
    result: int = 0


def new_seq() -> str:
    """A seq nobody else uses: a UUID as 32 hex digits."""
    return uuid.uuid4().hex


def encode_frame(frame: Frame) -> bytes:
    """The bytes of a frame. Raises BadFrame for one that is too long or has no seq of 32 characters."""
    seq = frame.seq.encode("latin-1")
    if len(seq) != _SEQ_BYTES:
        raise BadFrame(f"the seq {frame.seq!r} is not {_SEQ_BYTES} characters long")
    length = HEADER_BYTES + len(frame.data)
    if length > FRAME_BYTES_MAX:
        raise BadFrame(f"a frame of {length} bytes is longer than {FRAME_BYTES_MAX >> 20} MiB")
    return _HEADER.pack(length, frame.kind, seq, frame.result) + frame.data


class FrameReader:
    """Cuts a stream into frames."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = bytearray()

    @property
    def held_bytes(self) -> int:
        """Bytes of a frame that is not whole yet."""
        return len(self._held)

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes. Raises BadFrame."""
        held = self._held
        held += data
        frames: list[Frame] = []
        start = 0
        while len(held) - start >= HEADER_BYTES:
            length, kind, seq, result = _HEADER.unpack_from(held, start)
            self._check(length, start)
            if len(held) - start < length:
                break
            frames.append(Frame(kind, seq.decode("latin-1"), bytes(held[start + HEADER_BYTES : start + length]), result))
            start += length
        if 0 < len(held) - start < HEADER_BYTES and len(held) - start >= _LENGTH_BYTES:
            self._check(int.from_bytes(held[start : start + _LENGTH_BYTES], "big"), start)
        del held[:start]
        return frames

    def _check(self, length: int, start: int) -> None:
        if not HEADER_BYTES <= length <= FRAME_BYTES_MAX:
            seen = bytes(self._held[start : start + _SHOWN_BYTES])
            raise BadFrame(f"a frame cannot be {length} bytes long; the bytes are {seen!r}")


_LENGTH_BYTES: Final = 4


# Topics


def with_topic(topic: str, payload: bytes = b"") -> bytes:
    """`payload` behind its topic: one byte of the topic's length + 1, the topic, the payload."""
    name = topic.encode()
    if len(name) > _TOPIC_BYTES_MAX:
        raise BadFrame(f"the topic {topic!r} is longer than {_TOPIC_BYTES_MAX} bytes")
    return bytes([len(name) + 1]) + name + payload


def split_topic(data: bytes) -> tuple[str, bytes]:
    """Topic and payload. Raises BadFrame."""
    if not data or not 1 <= data[0] <= len(data):
        raise BadFrame(f"no topic in {data[:_SHOWN_BYTES]!r}")
    return data[1 : data[0]].decode("utf-8", "replace"), data[data[0] :]


_TOPIC_BYTES_MAX: Final = 254
