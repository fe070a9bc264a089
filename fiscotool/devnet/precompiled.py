"""The system contracts an embedded node has: SystemConfig 0x1000, Consensus 0x1003, Balance 0x1011 (reading only).

Rule 1. `run` is total and deterministic: whatever the call data, there is an outcome, the same on all nodes (abi.py).
Rule 2. Consensus methods answer success or failure by a number in `output`, at status 0; the receipt fails (status 15) only where the
        real contract throws: no call data, unknown method, malformed arguments, weight of an observer, bad configuration value.
Rule 3. At least one sealer stays, with a weight of at least 1.

Deviation: weights from 2^63 on are refused with -51102; upstream cuts them to 64 bits, which can give a weight of 0.

Sources: spec 3.x 1.19, 3.6, 3.7; bcos-executor `precompiled/ConsensusPrecompiled.cpp`, `SystemConfigPrecompiled.cpp`,
`BalancePrecompiled.cpp`; recordings timeline/expand_node4…, rpc/read_methods (call of 0x…1000 without data); Solidity ABI specification.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fiscotool.devnet.abi import WORD_BYTES as _WORD
from fiscotool.devnet.abi import Thrown, arguments
from fiscotool.devnet.outcome import PRECOMPILED_ERROR, Outcome, failed, succeeded
from fiscotool.devnet.state import BlockState
from fiscotool.devnet.sysconfig import value_objection
from fiscotool.ledger.precompiled import BALANCE, CONSENSUS, SYSTEM_CONFIG, selector, types_of

__all__ = [
    "CODE_BAD_NODE_ID",
    "CODE_BAD_WEIGHT",
    "CODE_LAST_SEALER",
    "CODE_NOT_OBSERVER",
    "CODE_UNKNOWN_NODE",
    "CONTRACTS",
    "has",
    "run",
]

CODE_BAD_NODE_ID: Final = -51100
CODE_LAST_SEALER: Final = -51101
CODE_BAD_WEIGHT: Final = -51102
CODE_UNKNOWN_NODE: Final = -51103
CODE_NOT_OBSERVER: Final = -51104

_SELECTOR_BYTES: Final = 4
_NODE_ID_HEX: Final = 128
_WEIGHT_END: Final = 2**63
_ALIASES: Final = {"/sys/status": SYSTEM_CONFIG, "/sys/consensus": CONSENSUS}


def _number(value: int) -> bytes:
    return value.to_bytes(_WORD, "big", signed=True)


def _node_id(text: str) -> bytes | None:
    try:
        return bytes.fromhex(text) if len(text) == _NODE_ID_HEX and text.isalnum() else None
    except ValueError:
        return None


def _is_last_sealer(state: BlockState) -> bool:
    return sum(record.is_sealer for record in state.nodes().values()) == 1


def _add_sealer(state: BlockState, text: str, weight: int, _term_weight: int = 0) -> bytes:
    node_id = _node_id(text)
    if node_id is None:
        return _number(CODE_BAD_NODE_ID)
    if not 0 < weight < _WEIGHT_END:
        return _number(CODE_BAD_WEIGHT)
    if node_id not in state.nodes():
        return _number(CODE_NOT_OBSERVER)
    state.set_node(node_id, is_sealer=True, weight=weight)
    return _number(0)


def _add_observer(state: BlockState, text: str) -> bytes:
    node_id = _node_id(text)
    if node_id is None:
        return _number(CODE_BAD_NODE_ID)
    if node_id in state.nodes() and _is_last_sealer(state):
        return _number(CODE_LAST_SEALER)
    state.set_node(node_id, is_sealer=False, weight=0)
    return _number(0)


def _remove(state: BlockState, text: str) -> bytes:
    node_id = _node_id(text)
    if node_id is None:
        return _number(CODE_BAD_NODE_ID)
    record = state.nodes().get(node_id)
    if record is None:
        return _number(CODE_UNKNOWN_NODE)
    if record.is_sealer and _is_last_sealer(state):
        return _number(CODE_LAST_SEALER)
    state.remove_node(node_id)
    return _number(0)


def _set_weight(state: BlockState, text: str, weight: int) -> bytes:
    node_id = _node_id(text)
    if node_id is None:
        return _number(CODE_BAD_NODE_ID)
    if not 0 < weight < _WEIGHT_END:
        return _number(CODE_BAD_WEIGHT)
    record = state.nodes().get(node_id)
    if record is None:
        return _number(CODE_UNKNOWN_NODE)
    if not record.is_sealer:
        raise Thrown("Cannot set weight to observer.")
    state.set_node(node_id, is_sealer=True, weight=weight)
    return _number(0)


def _set_term_weight(_state: BlockState, _text: str, _weight: int) -> bytes:
    raise Thrown("the embedded engine has no rPBFT, so no term weights")


def _set_value(state: BlockState, key: str, value: str) -> bytes:
    current = state.setting(key)
    objection = value_objection(key, value, current.value if current else "")
    if objection:
        raise Thrown(objection)
    state.set_setting(key, value)
    return _number(0)


def _get_value(state: BlockState, key: str) -> bytes:
    value, enabled = state.setting(key) or ("", -1)
    data = value.encode()
    padding = bytes(-len(data) % _WORD)
    return _number(2 * _WORD) + _number(enabled) + _number(len(data)) + data + padding


def _get_balance(state: BlockState, address: int) -> bytes:
    if state.setting("feature_balance_precompiled") is None:
        raise Thrown("the Balance contract needs feature_balance_precompiled=1")
    return state.account((address & (1 << 160) - 1).to_bytes(20, "big")).balance.to_bytes(_WORD, "big")


_Method = tuple[tuple[str, ...], Callable[..., bytes]]


def _methods(by_signature: dict[str, Callable[..., bytes]]) -> dict[bytes, _Method]:
    return {selector(signature): (types_of(signature), method) for signature, method in by_signature.items()}


CONTRACTS: Final[dict[str, dict[bytes, _Method]]] = {
    SYSTEM_CONFIG: _methods({"setValueByKey(string,string)": _set_value, "getValueByKey(string)": _get_value}),
    CONSENSUS: _methods(
        {
            "addSealer(string,uint256)": _add_sealer,
            "addSealer(string,uint256,uint256)": _add_sealer,
            "addObserver(string)": _add_observer,
            "remove(string)": _remove,
            "setWeight(string,uint256)": _set_weight,
            "setTermWeight(string,uint256)": _set_term_weight,
        }
    ),
    BALANCE: _methods({"getBalance(address)": _get_balance}),
}


def has(address: str) -> bool:
    """Whether the text is a system contract this engine has: 40 hex digits, or a /sys/ path."""
    return _ALIASES.get(address, address) in CONTRACTS


def run(address: str, data: bytes, state: BlockState) -> Outcome:
    """The outcome of calling a system contract that `has` knows. A failed call has changed nothing in `state`."""
    methods = CONTRACTS[_ALIASES.get(address, address)]
    if not data:
        return failed(PRECOMPILED_ERROR, "Empty param data in precompiled call")
    method = methods.get(data[:_SELECTOR_BYTES])
    if method is None:
        return failed(PRECOMPILED_ERROR, f"the contract {address} has no method 0x{data[:_SELECTOR_BYTES].hex()} in the embedded engine")
    types, function = method
    try:
        return succeeded(function(state, *arguments(types, data[_SELECTOR_BYTES:])))
    except Thrown as thrown:
        return failed(PRECOMPILED_ERROR, str(thrown))
