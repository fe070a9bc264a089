"""Why a 3.x node refused, where only the range of its code is documented: which part of the node failed, and what to do next.

Source: spec 3.x 2.5.
"""

from __future__ import annotations

from typing import Final

from fiscotool.rpc.refusals import KnownRefusal


class NetworkFailure(KnownRefusal):
    """The node's network failed while it worked on the request."""

    CODE = 1000
    NEXT = "see whether it is connected to the others: fiscotool query peers"


class TransactionSyncFailure(KnownRefusal):
    """The node could not exchange transactions with the others."""

    CODE = 2000
    NEXT = "see whether it is connected to the others: fiscotool query peers; ask for the receipt before sending anew"


class SchedulerFailure(KnownRefusal):
    """The node's scheduler could not execute or commit a block."""

    CODE = -70000
    NEXT = "its log says why: fiscotool logs; a node whose execution fails alone may have to be synchronised anew"


RANGES: Final[tuple[tuple[range, type[KnownRefusal]], ...]] = (
    (range(1000, 2000), NetworkFailure),
    (range(2000, 3000), TransactionSyncFailure),
    (range(-79999, -69999), SchedulerFailure),
)
"""Codes, and their class."""


def kind_in_range(code: int) -> type[KnownRefusal] | None:
    """The class for a code of which only the range is documented; None for others."""
    return next((kind for codes, kind in RANGES if code in codes), None)
