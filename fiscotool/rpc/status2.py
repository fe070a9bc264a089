"""TransactionStatus2: the number in a receipt of 2.x.

Facts: 10000 is told with the message "StackUnderflow", a slip of the node; the number counts. The pool's refusals arrive as statuses
only in notices of the channel protocol 3 (spec 2.x 2.4).

Source: spec 2.x 3.2; libethcore/TransactionException.h.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class TransactionStatus2(IntEnum):
    """Name and number of every status of 2.x."""

    NONE = 0
    UNKNOWN = 1
    BAD_RLP = 2
    INVALID_FORMAT = 3
    OUT_OF_GAS_INTRINSIC = 4
    INVALID_SIGNATURE = 5
    INVALID_NONCE = 6
    NOT_ENOUGH_CASH = 7
    OUT_OF_GAS_BASE = 8
    BLOCK_GAS_LIMIT_REACHED = 9
    BAD_INSTRUCTION = 10
    BAD_JUMP_DESTINATION = 11
    OUT_OF_GAS = 12
    OUT_OF_STACK = 13
    STACK_UNDERFLOW = 14
    NONCE_CHECK_FAIL = 15
    BLOCK_LIMIT_CHECK_FAIL = 16
    FILTER_CHECK_FAIL = 17
    NO_DEPLOY_PERMISSION = 18
    NO_CALL_PERMISSION = 19
    NO_TX_PERMISSION = 20
    PRECOMPILED_ERROR = 21
    REVERT_INSTRUCTION = 22
    INVALID_ZERO_SIGNATURE_FORMAT = 23
    ADDRESS_ALREADY_USED = 24
    PERMISSION_DENIED = 25
    CALL_ADDRESS_ERROR = 26
    GAS_OVERFLOW = 27
    TX_POOL_IS_FULL = 28
    TRANSACTION_REFUSED = 29
    CONTRACT_FROZEN = 30
    ACCOUNT_FROZEN = 31
    NOT_ENOUGH_REMAIN_GAS = 32
    ALREADY_KNOWN = 10000
    ALREADY_IN_CHAIN = 10001
    INVALID_CHAIN_ID = 10002
    INVALID_GROUP_ID = 10003
    REQUEST_NOT_BELONG_TO_THE_GROUP = 10004
    MALFORMED_TX = 10005
    OVER_GROUP_MEMORY_LIMIT = 10006


POOL_REFUSALS: Final = frozenset(
    {
        TransactionStatus2.NONCE_CHECK_FAIL,
        TransactionStatus2.BLOCK_LIMIT_CHECK_FAIL,
        TransactionStatus2.TX_POOL_IS_FULL,
        *(status for status in TransactionStatus2 if status >= TransactionStatus2.ALREADY_KNOWN),
    }
)
"""What the pool says in place of taking a transaction."""

UNSETTLED2: Final = frozenset({TransactionStatus2.ALREADY_KNOWN})
"""Of these, after which the transaction may still be committed: the pool has it already."""


def status_name2(status: int) -> str:
    """FISCO's name of a status of 2.x, such as RevertInstruction; the number as a text when it is not known."""
    try:
        known = TransactionStatus2(status)
    except ValueError:
        return str(status)
    return "BadRLP" if known is TransactionStatus2.BAD_RLP else "".join(word.capitalize() for word in known.name.split("_"))


def pool_refusal_of(status: int) -> str:
    """The name of the pool's refusal; "" for a status of execution."""
    return status_name2(status) if status in POOL_REFUSALS else ""
