"""Wait for a condition: asked again and again until it holds or its time is up, and then what was last seen is said."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from fiscotool.errors import WaitTimeout

Seen = TypeVar("Seen")

FIRST_PAUSE_S = 0.005
LONGEST_PAUSE_S = 0.1


def wait_for(
    look: Callable[[], Seen],
    until: Callable[[Seen], bool],
    *,
    what: str,
    within_s: float,
    hint: str = "",
    describe: Callable[[Seen], str] = str,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Seen:
    """What `look` returned when `until` held for it. Asked at least twice, at once and when `within_s` seconds are over.

    Pauses start short and grow to LONGEST_PAUSE_S. Raises WaitTimeout saying `what` was awaited and what was seen last.
    """
    ends_s = clock() + within_s
    pause_s = FIRST_PAUSE_S
    while True:
        seen = look()
        if until(seen):
            return seen
        left_s = ends_s - clock()
        if left_s <= 0:
            raise WaitTimeout(f"{what}: not within {within_s:g} s; last seen: {describe(seen)}", hint=hint)
        pause(min(pause_s, left_s))
        pause_s = min(pause_s * 1.5, LONGEST_PAUSE_S)
