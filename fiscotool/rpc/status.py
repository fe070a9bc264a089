"""TransactionStatus: the number in a receipt, and the code with which the pool refuses a transaction.

Source: bcos-protocol TransactionStatus.h; spec 3.x 2.5.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class TransactionStatus(IntEnum):
    """Name and number of every status. Below 10000: of execution, in a receipt. From 10000 on: of the pool, as an error code."""

    NONE = 0
    UNKNOWN = 1
    OUT_OF_GAS_LIMIT = 2
    NOT_ENOUGH_CASH = 7
    BAD_INSTRUCTION = 10
    BAD_JUMP_DESTINATION = 11
    OUT_OF_GAS = 12
    OUT_OF_STACK = 13
    STACK_UNDERFLOW = 14
    PRECOMPILED_ERROR = 15
    REVERT_INSTRUCTION = 16
    CONTRACT_ADDRESS_ALREADY_USED = 17
    PERMISSION_DENIED = 18
    CALL_ADDRESS_ERROR = 19
    GAS_OVERFLOW = 20
    CONTRACT_FROZEN = 21
    ACCOUNT_FROZEN = 22
    ACCOUNT_ABOLISHED = 23
    CONTRACT_ABOLISHED = 24
    WASM_VALIDATION_FAILURE = 32
    WASM_ARGUMENT_OUT_OF_RANGE = 33
    WASM_UNREACHABLE_INSTRUCTION = 34
    WASM_TRAP = 35
    NONCE_CHECK_FAIL = 10000
    BLOCK_LIMIT_CHECK_FAIL = 10001
    TX_POOL_IS_FULL = 10002
    MALFORM_TX = 10003
    ALREADY_IN_TX_POOL = 10004
    TX_ALREADY_IN_CHAIN = 10005
    INVALID_CHAIN_ID = 10006
    INVALID_GROUP_ID = 10007
    INVALID_SIGNATURE = 10008
    REQUEST_NOT_BELONG_TO_THE_GROUP = 10009
    TRANSACTION_POOL_TIMEOUT = 10010
    ALREADY_IN_TX_POOL_AND_ACCEPT = 10011
    OVERFLOW_VALUE = 10012
    MAX_INIT_CODE_SIZE_EXCEEDED = 10013
    SENDER_NO_EOA = 10014
    INSUFFICIENT_FUNDS = 10015


_FISCO_SPELLING: Final = {
    TransactionStatus.TX_POOL_IS_FULL: "TxPoolIsFull",
    TransactionStatus.OVERFLOW_VALUE: "OverFlowValue",
    TransactionStatus.SENDER_NO_EOA: "SenderNoEOA",
}

UNSETTLED: Final = frozenset(
    {
        TransactionStatus.ALREADY_IN_TX_POOL,
        TransactionStatus.TRANSACTION_POOL_TIMEOUT,
        TransactionStatus.ALREADY_IN_TX_POOL_AND_ACCEPT,
    }
)
"""Codes after which the transaction may still be committed: this pool has it already, or another node's pool may."""


def status_name(status: int) -> str:
    """FISCO's name of a status, such as RevertInstruction; the number as a text when it is not known."""
    try:
        known = TransactionStatus(status)
    except ValueError:
        return str(status)
    return _FISCO_SPELLING.get(known) or "".join(word.capitalize() for word in known.name.split("_"))
