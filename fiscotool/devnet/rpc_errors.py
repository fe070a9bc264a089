"""What RPC refuses with: codes, the node's own words for them, and the conversions whose failure is such a refusal.

The real node is written with a JSON library that converts freely between types: null is 0, "" and false; true is 1; 1.5 is 1. Which
conversions fail, and with which words, is part of what a client sees; `as_int64`, `as_bool` and `as_text` say it.

Sources: spec 3.x 2.2, 2.5; recordings rpc/bad_input.jsonl.xz; bcos-protocol TransactionStatus.h; bcos-rpc jsonrpc/Common.h.
"""

from __future__ import annotations

import math
import sqlite3
from typing import Any, Final

from fiscotool.errors import FiscoToolError

__all__ = [
    "FAULTS",
    "STATUS_NAMES",
    "RpcFault",
    "as_bool",
    "as_int64",
    "as_text",
    "data_of",
    "fault_of",
    "hash_of",
    "status_name",
]

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
SERVER_ERROR: Final = -32000
"""NodeNotExistOrNotStarted of the native port; what a filter refuses with on the web3 port."""
GROUP_NOT_EXIST: Final = -32005
LEDGER_WRONG_ARGUMENT: Final = 3003
LEDGER_GET_BLOCK: Final = 3006
LEDGER_NOT_FOUND: Final = 3008
OTHER_EXCEPTION: Final = -1
INVALID_CHAIN_ID: Final = 10006

INVALID_JSON: Final = "Invalid JSON was received by the server."
INVALID_OBJECT: Final = "The JSON sent is not a valid Request object."
NO_METHOD: Final = "The method does not exist/is not available."
BAD_HEX: Final = "std::exception"

_INT64_MAX: Final = 2**63 - 1
_INT64_MIN: Final = -(2**63)
_UINT64_END: Final = 2**64
_HASH_BYTES: Final = 32

STATUS_NAMES: Final = {
    0: "None",
    1: "Unknown",
    2: "OutOfGasLimit",
    7: "NotEnoughCash",
    10: "BadInstruction",
    11: "BadJumpDestination",
    12: "OutOfGas",
    13: "OutOfStack",
    14: "StackUnderflow",
    15: "PrecompiledError",
    16: "RevertInstruction",
    17: "ContractAddressAlreadyUsed",
    18: "PermissionDenied",
    19: "CallAddressError",
    20: "GasOverflow",
    21: "ContractFrozen",
    22: "AccountFrozen",
    23: "AccountAbolished",
    24: "ContractAbolished",
    10000: "NonceCheckFail",
    10001: "BlockLimitCheckFail",
    10002: "TxPoolIsFull",
    10003: "MalformTx",
    10004: "AlreadyInTxPool",
    10005: "TxAlreadyInChain",
    10006: "InvalidChainId",
    10007: "InvalidGroupId",
    10008: "InvalidSignature",
    10009: "RequestNotBelongToTheGroup",
    10010: "TransactionPoolTimeout",
    10011: "AlreadyInTxPoolAndAccept",
    10012: "OverFlowValue",
    10013: "MaxInitCodeSizeExceeded",
    10014: "SenderNoEOA",
    10015: "InsufficientFunds",
}
"""TransactionStatus by code."""


class RpcFault(Exception):
    """A call that is refused. `data` is only sent where it is not None (eth_call)."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


FAULTS: Final = (RpcFault, FiscoToolError, OSError, sqlite3.Error)
"""What a method may raise without being wrong itself."""


def fault_of(problem: Exception) -> RpcFault:
    """The refusal for an exception of FAULTS: trouble of the node's own is -32603 with its text."""
    return problem if isinstance(problem, RpcFault) else RpcFault(INTERNAL_ERROR, str(problem))


def status_name(status: int, message: str) -> str:
    """What the node says when its pool refuses with `status`; `message` where the status has no name."""
    return STATUS_NAMES.get(status, message) if status > 0 else message


def as_int64(value: Any) -> int:
    """The value as the node reads an integer parameter. Raises RpcFault(-32600)."""
    if isinstance(value, (bool, int)) or value is None:
        number = int(value or 0)
        if number > _INT64_MAX or number < _INT64_MIN:
            text = "LargestUInt out of Int64 range" if 0 < number < _UINT64_END else "double out of Int64 range"
            raise RpcFault(INVALID_REQUEST, text)
        return number
    if isinstance(value, float):
        if not math.isfinite(value) or not _INT64_MIN <= value <= _INT64_MAX:
            raise RpcFault(INVALID_REQUEST, "double out of Int64 range")
        return int(value)
    raise RpcFault(INVALID_REQUEST, "Value is not convertible to Int64.")


def as_bool(value: Any) -> bool:
    """The value as the node reads a flag. Raises RpcFault(-32600)."""
    if value is None or isinstance(value, (bool, int, float)):
        return bool(value) and value == value  # noqa: PLR0124 - NaN counts as false
    raise RpcFault(INVALID_REQUEST, "Value is not convertible to bool.")


def as_text(value: Any) -> str:
    """The value as the node reads a name, an address, a hash: what is not a text counts as an empty one."""
    return value if isinstance(value, str) else ""


def data_of(text: str) -> bytes:
    """Hex data with or without 0x. Raises ValueError for anything else."""
    return bytes.fromhex(text[2:] if text[:2] in {"0x", "0X"} else text)


def hash_of(text: str) -> bytes:
    """A hash parameter: shorter ones are padded to 32 bytes, for they name nothing anyhow. Raises ValueError for what is not hex."""
    return data_of(text)[:_HASH_BYTES].ljust(_HASH_BYTES, b"\0")
