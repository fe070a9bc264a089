"""System contracts of FISCO BCOS 3.x: their addresses, their methods, and the ABI in which they are called.

Rule 1. An address is the text of 40 hex digits, zero-padded, as a transaction's `to` names it. Whether a transaction is a system
        transaction is decided by that exact text: one with 0x before it is not (spec 3.x 3.6).
Rule 2. A selector is the first 4 bytes of the keccak of a method's signature, so the table below holds signatures only.

eth_abi is loaded by the first call of an encoder or decoder, not by importing this module.

Sources: spec 3.x 3.6, 3.7; bcos-framework executor/PrecompiledTypeDef.h; bcos-executor src/precompiled/**; Solidity ABI specification.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from fiscotool.ledger.crypto import keccak256
from fiscotool.ledger.errors import LedgerFormatError


def _address(number: int) -> str:
    return f"{number:040x}"


SYSTEM_CONFIG: Final = _address(0x1000)
TABLE: Final = _address(0x1001)
TABLE_MANAGER: Final = _address(0x1002)
CONSENSUS: Final = _address(0x1003)
AUTH_MANAGER: Final = _address(0x1005)
KV_TABLE: Final = _address(0x1009)
CRYPTO: Final = _address(0x100A)
WORKING_SEALER: Final = _address(0x100B)
DAG_TRANSFER: Final = _address(0x100C)
BFS: Final = _address(0x100E)
CAST: Final = _address(0x100F)
SHARDING: Final = _address(0x1010)
BALANCE: Final = _address(0x1011)
AUTH_INTERCEPT: Final = _address(0x10000)
COMMITTEE: Final = _address(0x10001)
CONTRACT_AUTH: Final = _address(0x10002)
ACCOUNT_MANAGER: Final = _address(0x10003)
ACCOUNT: Final = _address(0x10004)
PRECOMPILED_END: Final = 0x20000

SYSTEM_TO: Final = frozenset(
    {
        *(SYSTEM_CONFIG, CONSENSUS, WORKING_SEALER, COMMITTEE, AUTH_MANAGER, ACCOUNT, ACCOUNT_MANAGER, SHARDING),
        *("/sys/status", "/sys/consensus", "/sys/account_manager"),
    }
)

METHODS: Final[dict[str, tuple[str, ...]]] = {
    SYSTEM_CONFIG: ("setValueByKey(string,string)", "getValueByKey(string)"),
    CONSENSUS: (
        "addSealer(string,uint256)",
        "addSealer(string,uint256,uint256)",
        "addObserver(string)",
        "remove(string)",
        "setWeight(string,uint256)",
        "setTermWeight(string,uint256)",
    ),
    TABLE_MANAGER: (
        "createTable(string,(string,string[]))",
        "createTable(string,(uint8,string,string[]))",
        "createKVTable(string,string,string)",
        "appendColumns(string,string[])",
        "openTable(string)",
        "desc(string)",
        "descWithKeyOrder(string)",
    ),
    TABLE: ("select(string)", "insert((string,string[]))", "update(string,(string,string)[])", "remove(string)"),
    KV_TABLE: ("set(string,string)", "get(string)"),
    DAG_TRANSFER: (
        "userAdd(string,uint256)",
        "userSave(string,uint256)",
        "userDraw(string,uint256)",
        "userTransfer(string,string,uint256)",
        "userBalance(string)",
    ),
    BFS: (
        "list(string)",
        "list(string,uint256,uint256)",
        "mkdir(string)",
        "link(string,string,string)",
        "link(string,string,string,string)",
        "readlink(string)",
        "touch(string,string)",
        "initBfs()",
        "rebuildBfs(uint256,uint256)",
        "fixBfs(uint256)",
    ),
    BALANCE: (
        "getBalance(address)",
        "addBalance(address,uint256)",
        "subBalance(address,uint256)",
        "transfer(address,address,uint256)",
        "registerCaller(address)",
        "unregisterCaller(address)",
        "listCaller()",
    ),
    CRYPTO: ("sm3(bytes)", "keccak256Hash(bytes)", "sm2Verify(bytes32,bytes,bytes32,bytes32)"),
    AUTH_MANAGER: (
        "deployType()",
        "setDeployAuthType(uint8)",
        "openDeployAuth(address)",
        "closeDeployAuth(address)",
        "hasDeployAuth(address)",
    ),
    ACCOUNT_MANAGER: ("setAccountStatus(address,uint8)", "getAccountStatus(address)"),
    SHARDING: ("makeShard(string)", "linkShard(string,string)", "getContractShard(string)"),
}

REVERT_SELECTOR: Final = bytes.fromhex("08c379a0")  # Error(string)


def is_system_to(to: str) -> bool:
    """Whether a transaction to this text is a system transaction: sealed first, and alone in waiting (spec 3.x 3.6)."""
    return to in SYSTEM_TO


@cache
def selector(signature: str) -> bytes:
    """The 4 bytes that name a method in call data. `signature` is for example "addSealer(string,uint256)"."""
    return keccak256(signature.encode())[:4]


@cache
def signatures_by_selector() -> dict[bytes, str]:
    """Every method of METHODS by its selector; the same method of two contracts is one entry."""
    return {selector(signature): signature for signatures in METHODS.values() for signature in signatures}


@cache
def types_of(signature: str) -> tuple[str, ...]:
    """The argument types of a signature; tuples stay together: ("string", "(string,string[])")."""
    name, opened, rest = signature.partition("(")
    if not name or not opened or not rest.endswith(")"):
        raise LedgerFormatError(f"{signature!r} is not a method signature", hint="expected for example setValueByKey(string,string)")
    types, depth, current = [], 0, ""
    for character in rest[:-1]:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            types.append(current)
            current = ""
        else:
            current += character
    return (*types, current) if current else tuple(types)


def encode_values(types: Sequence[str], values: Sequence[Any]) -> bytes:
    """ABI encoding of `values`: a result, or arguments without selector. Raises LedgerFormatError for values that do not fit."""
    from eth_abi.abi import encode
    from eth_abi.exceptions import EncodingError, ParseError

    try:
        return encode(types, values)
    except (EncodingError, ParseError, TypeError, ValueError) as problem:
        raise LedgerFormatError(f"these values do not fit ({','.join(types)}): {problem}") from problem


def decode_values(types: Sequence[str], data: bytes) -> tuple[Any, ...]:
    """The values in ABI-encoded `data`. Raises LedgerFormatError."""
    from eth_abi.abi import decode
    from eth_abi.exceptions import DecodingError, ParseError

    try:
        return tuple(decode(types, data))
    except (DecodingError, ParseError, OverflowError, UnicodeDecodeError, ValueError, MemoryError) as problem:
        raise LedgerFormatError(f"not the ABI encoding of ({','.join(types)}): {problem}") from problem


def encode_call(signature: str, args: Sequence[Any] = ()) -> bytes:
    """Call data: selector and arguments. Addresses are given as 0x texts or 20 bytes, texts as str."""
    return selector(signature) + encode_values(types_of(signature), args)


def decode_call(data: bytes) -> tuple[str, tuple[Any, ...]]:
    """(signature, arguments) of call data for a method of METHODS. Raises LedgerFormatError for an unknown one or bad arguments."""
    signature = signatures_by_selector().get(data[:4])
    if signature is None:
        raise LedgerFormatError(f"no known method has the selector 0x{data[:4].hex()}")
    return signature, decode_values(types_of(signature), data[4:])


def encode_revert(message: str) -> bytes:
    """The output of a failed call: Error(string), as in recorded receipts with status 16 or 10."""
    return REVERT_SELECTOR + encode_values(("string",), (message,))


def decode_revert(output: bytes) -> str:
    """The message in the output of a failed call; empty when there is none."""
    if output[:4] != REVERT_SELECTOR:
        return ""
    try:
        (message,) = decode_values(("string",), output[4:])
    except LedgerFormatError:
        return ""
    return str(message)
