"""What executing one transaction gives, before it is a receipt.

Sources: spec 3.x 2.5 (TransactionStatus); recordings rpc/sendTransaction_cases.txt: a failed call's output is Error(string), its gas 21000.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from fiscotool.ledger.precompiled import REVERT_SELECTOR

__all__ = [
    "BAD_INSTRUCTION",
    "CALL_ADDRESS_ERROR",
    "NONCE_CHECK_FAIL",
    "NOT_ENOUGH_CASH",
    "OVERFLOW_VALUE",
    "PRECOMPILED_ERROR",
    "REVERT_INSTRUCTION",
    "Outcome",
    "failed",
    "succeeded",
]

NOT_ENOUGH_CASH: Final = 7
BAD_INSTRUCTION: Final = 10
PRECOMPILED_ERROR: Final = 15
REVERT_INSTRUCTION: Final = 16
CALL_ADDRESS_ERROR: Final = 19
NONCE_CHECK_FAIL: Final = 10000
OVERFLOW_VALUE: Final = 10012

_WORD: Final = 32


class Outcome(NamedTuple):
    """`status` is a TransactionStatus, 0 for success; `output` is ABI-encoded; `message` is for people."""

    status: int
    output: bytes
    message: str


def succeeded(output: bytes = b"") -> Outcome:
    """Success."""
    return Outcome(0, output, "")


def failed(status: int, message: str, *, revert_text: str | None = None) -> Outcome:
    """Failure: the output is Error(string) with `revert_text`, or with the message."""
    text = (message if revert_text is None else revert_text).encode()
    words = _WORD.to_bytes(_WORD, "big") + len(text).to_bytes(_WORD, "big") + text + bytes(-len(text) % _WORD)
    return Outcome(status, REVERT_SELECTOR + words, message)
