"""Frames: cut right wherever the stream is cut, and no memory for a boast."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiscotool.devnet.frames import FrameBuffer, FrameError, encode_frame


@given(frames=st.lists(st.tuples(st.integers(0, 65535), st.binary(max_size=40)), max_size=6), cuts=st.lists(st.integers(1, 9), min_size=1))
def test_any_cutting_gives_the_same_frames(frames: list[tuple[int, bytes]], cuts: list[int]) -> None:
    stream = b"".join(encode_frame(module, payload) for module, payload in frames)
    buffer = FrameBuffer(1024)
    found: list[tuple[int, bytes]] = []
    position, turn = 0, 0
    while position < len(stream):
        size = cuts[turn % len(cuts)]
        found += buffer.feed(stream[position : position + size])
        position, turn = position + size, turn + 1
    assert found == frames


def test_two_gibibytes_are_refused_before_memory_is_taken() -> None:
    tracemalloc.start()
    with pytest.raises(FrameError, match="2147483648"):
        list(FrameBuffer(32 << 20).feed((2 << 30).to_bytes(4, "big") + b"\0" * 64))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 100_000


def test_a_frame_shorter_than_its_module_id_is_refused() -> None:
    with pytest.raises(FrameError):
        list(FrameBuffer(1024).feed(b"\0\0\0\1\0\0"))
