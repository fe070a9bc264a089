"""Where polls of a simulated chain are known to show each mutant: tried first, so that a run is short. Found by a run without them."""

from __future__ import annotations

from typing import Final

WATCHED_HINTS: Final[dict[str, tuple[str, int]]] = {}
"""World or scene and seed, by mutant; those that no world is known to show are missing."""
