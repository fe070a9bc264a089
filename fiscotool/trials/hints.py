"""Where each mutant is known to show itself: tried first, so that a whole run is short. Found by a run without them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Hint:
    """A simulated world and its seed."""

    world: str
    seed: int


HINTS: Final[dict[str, tuple[Hint, ...]]] = {}
"""By mutant."""
