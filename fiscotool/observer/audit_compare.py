"""Where two nodes' chains part: found in log2(height) questions.

Blocks name their parents, so two chains that differ at one height differ at every height above it (as far as each is linked, which the
audit verifies); the heights at which they agree are those below the first difference. One that merely misreports a single block is not
found by this, only by verifying every block of that node.
"""

from __future__ import annotations

from collections.abc import Callable


def first_difference(agree_at: Callable[[int], bool], low: int, high: int) -> int | None:
    """The lowest height in `low`…`high` at which the chains do not agree, asking as little as possible; None if they agree at `high`."""
    if high < low or agree_at(high):
        return None
    while low < high:
        middle = (low + high) // 2
        if agree_at(middle):
            low = middle + 1
        else:
            high = middle
    return high
