"""What can be wrong with a node's ledger file.

EnvironmentFailure
└── LedgerError           the file cannot be opened, is damaged, or belongs to another chain
    └── LedgerWriteError  (also an OSError) a block could not be made durable
        └── DiskFull      … because there is no space left
"""

from __future__ import annotations

from fiscotool.errors import EnvironmentFailure

__all__ = ["DiskFull", "LedgerError", "LedgerWriteError"]


class LedgerError(EnvironmentFailure):
    """The ledger file cannot be used; the message names it, the hint says what to do."""


class LedgerWriteError(LedgerError, OSError):
    """A block is not durable, and none will be: the node must stop voting."""


class DiskFull(LedgerWriteError):
    """There is no space left for the next block."""
