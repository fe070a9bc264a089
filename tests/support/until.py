"""Wait in tests for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    """Return as soon as `condition` holds; fail after `within_s`."""
    deadline_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline_s, f"the condition did not come true within {within_s} s"
        time.sleep(0.01)
