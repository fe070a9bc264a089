"""What transactions and calls do on a 2.x chain: system contracts; there is no EVM, and 2.x has no balances to move.

What a transaction gives, as recorded unless marked:
    to an address without code       status 26 CallAddressError, Error("Error address:<40 hex digits>")
    to Consensus or SystemConfig     status 0 and a number in `output`: 1 for done, a negative code for refused   (spec 2.x 3.4)
    to another system contract       status 21 PrecompiledError, Error("the embedded engine has no …")            (ours)
    deployment                       status 10 BadInstruction, Error("the embedded engine has no EVM …")          (ours)

Rule 1. `run2` is total and deterministic; a failed one has changed nothing.
Rule 2. At least one sealer stays. Whoever has a node id may be made a sealer: that a node is connected or synchronised is looked at by
        SDKs, not by the chain (spec 2.x 1.12).

Sources: spec 2.x 1.12, 3.2, 3.4; libprecompiled `ConsensusPrecompiled.cpp`, `SystemConfigPrecompiled.cpp`; recordings
v2/blocks_full_node0 (block 2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from fiscotool.devnet.abi import WORD_BYTES, Thrown, arguments
from fiscotool.devnet.outcome import BAD_INSTRUCTION, Outcome, failed, succeeded
from fiscotool.devnet.state import BlockState
from fiscotool.ledger.precompiled import selector, types_of
from fiscotool.ledger.precompiled2 import CONSENSUS2, METHODS2, PRECOMPILED2, SYSTEM_CONFIG2

__all__ = ["CODE_BAD_NODE_ID", "CODE_BAD_VALUE", "CODE_LAST_SEALER", "CODE_UNKNOWN_METHOD", "SYSTEM_KEYS", "run2"]

CODE_UNKNOWN_METHOD: Final = -50101
CODE_BAD_NODE_ID: Final = -51100
CODE_LAST_SEALER: Final = -51101
CODE_BAD_VALUE: Final = -51300
_DONE: Final = 1
_PRECOMPILED_ERROR: Final = 21
_CALL_ADDRESS_ERROR: Final = 26
_NODE_ID_HEX: Final = 128
_SELECTOR_BYTES: Final = 4

SYSTEM_KEYS: Final = {
    "tx_count_limit": (1, 2**63 - 1),
    "tx_gas_limit": (100_000, 2**63 - 1),
    "consensus_timeout": (3, (2**32 - 1) // 1000),
}
"""Configuration a transaction may change, and within which bounds."""

_NO_DEPLOYMENT: Final = failed(BAD_INSTRUCTION, "the embedded engine has no EVM: contracts cannot be deployed; a real chain can run them")


def run2(sender: bytes, to: str, value: int, data: bytes, state: BlockState) -> Outcome:
    """Execute one transaction or call. `to` is 0x and 40 hex digits, or empty for a deployment."""
    del sender, value
    if not to:
        return _NO_DEPLOYMENT
    methods = _CONTRACTS.get(to)
    if methods is None:
        name = PRECOMPILED2.get(to)
        if name is not None:
            return failed(_PRECOMPILED_ERROR, f"the embedded engine has no {name} contract; a real chain has")
        return failed(_CALL_ADDRESS_ERROR, f"Error address:{to.removeprefix('0x')}")
    method = methods.get(data[:_SELECTOR_BYTES])
    if method is None:
        return succeeded(_number(CODE_UNKNOWN_METHOD))
    types, act = method
    try:
        return succeeded(_number(act(state, *arguments(types, data[_SELECTOR_BYTES:]))))
    except Thrown as thrown:
        return failed(_PRECOMPILED_ERROR, str(thrown))


def _number(value: int) -> bytes:
    return value.to_bytes(WORD_BYTES, "big", signed=True)


def _node_id(text: str) -> bytes | None:
    try:
        return bytes.fromhex(text) if len(text) == _NODE_ID_HEX and text.isalnum() else None
    except ValueError:
        return None


def _is_last_sealer(state: BlockState, node_id: bytes) -> bool:
    record = state.nodes().get(node_id)
    return record is not None and record.is_sealer and sum(one.is_sealer for one in state.nodes().values()) == 1


def _add_sealer(state: BlockState, text: str) -> int:
    node_id = _node_id(text)
    if node_id is None:
        return CODE_BAD_NODE_ID
    state.set_node(node_id, is_sealer=True, weight=1)
    return _DONE


def _add_observer(state: BlockState, text: str) -> int:
    node_id = _node_id(text)
    if node_id is None:
        return CODE_BAD_NODE_ID
    if _is_last_sealer(state, node_id):
        return CODE_LAST_SEALER
    state.set_node(node_id, is_sealer=False, weight=0)
    return _DONE


def _remove(state: BlockState, text: str) -> int:
    node_id = _node_id(text)
    if node_id is None:
        return CODE_BAD_NODE_ID
    if _is_last_sealer(state, node_id):
        return CODE_LAST_SEALER
    if node_id not in state.nodes():
        return 0  # No record was changed: the real contract answers how many were.
    state.remove_node(node_id)
    return _DONE


def _set_value(state: BlockState, key: str, value: str) -> int:
    bounds = SYSTEM_KEYS.get(key)
    if bounds is None or not (value.isascii() and value.isdigit() and len(value) < 20):  # noqa: PLR2004 - digits of 2^63
        return CODE_BAD_VALUE
    if not bounds[0] <= int(value) <= bounds[1]:
        return CODE_BAD_VALUE
    state.set_setting(key, value)
    return _DONE


_Method = tuple[tuple[str, ...], Callable[..., int]]
_ACTS: Final[dict[str, dict[str, Callable[..., int]]]] = {
    CONSENSUS2: {"addSealer": _add_sealer, "addObserver": _add_observer, "remove": _remove},
    SYSTEM_CONFIG2: {"setValueByKey": _set_value},
}
_CONTRACTS: Final[dict[str, dict[bytes, Any]]] = {
    address: {selector(method): (types_of(method), acts[method.partition("(")[0]]) for method in METHODS2[address]}
    for address, acts in _ACTS.items()
}
