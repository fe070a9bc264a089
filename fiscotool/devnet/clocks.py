"""The two clocks of a node: a steady one for durations, that of the day for what is written into blocks and messages."""

from __future__ import annotations

import time

__all__ = ["now_ms", "steady_ms"]


def steady_ms() -> int:
    """Milliseconds that never go back."""
    return time.monotonic_ns() // 1_000_000


def now_ms() -> int:
    """Milliseconds since the epoch: time stamps of blocks and messages, never durations."""
    return time.time_ns() // 1_000_000
