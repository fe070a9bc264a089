"""When a walk ends before it has seen everything: at so many states, at so much memory, or when somebody interrupts it.

A walk calls its `Pause` between parts of its work. It ends with what it has seen, and says why; it never takes the machine down with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

Pause = Callable[[], None]
"""Raises Spent when a walk is to end."""

STATES: Final = "the limit of states"
INTERRUPTED: Final = "an interrupt"


class Spent(Exception):
    """A walk has used up what it was given. The text says what."""


def go_on() -> None:
    """A pause that ends nothing."""


def insist(ended: str) -> None:
    """For those who have no use for a part of a walk: raises KeyboardInterrupt again where that is what `ended` it."""
    if ended == INTERRUPTED:
        raise KeyboardInterrupt
