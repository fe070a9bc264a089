"""What transactions and calls do on a 3.x chain: transfers of value and system contracts; there is no EVM.

What a transaction gives, as recorded unless marked:
    to an account without code, no data     status 0, value moved
    to an account without code, with data   status 16, Error("Call address error.")
    to a system contract                    as precompiled.py says
    deployment                              status 10, Error("the embedded engine has no EVM …")   (ours: the real node deploys)
    a `to` that is no address               status 19                                              (ours)

Rule. `run` is total and deterministic; a failed one has changed nothing.

Sources: spec 3.x 3.7, 6.1 (11); transaction-executor; recordings v3 rpc/sendTransaction_cases.txt, rpc/read_methods.
"""

from __future__ import annotations

from typing import Final

from fiscotool.devnet import precompiled
from fiscotool.devnet.outcome import (
    BAD_INSTRUCTION,
    CALL_ADDRESS_ERROR,
    NOT_ENOUGH_CASH,
    OVERFLOW_VALUE,
    PRECOMPILED_ERROR,
    REVERT_INSTRUCTION,
    Outcome,
    failed,
    succeeded,
)
from fiscotool.devnet.state import BlockState

__all__ = ["run"]

_ADDRESS_HEX: Final = 40
_PRECOMPILED_PREFIXES: Final = ("0" * 35, "/sys/")
_UINT256_END: Final = 1 << 256

_PLAIN: Final = succeeded()
_NO_CODE: Final = failed(
    REVERT_INSTRUCTION, "Call address error: no contract is there, and the embedded engine has no EVM", revert_text="Call address error."
)
_NO_DEPLOYMENT: Final = failed(BAD_INSTRUCTION, "the embedded engine has no EVM: contracts cannot be deployed; a real chain can run them")
_NO_CASH: Final = failed(NOT_ENOUGH_CASH, "the sender's balance is below the value")
_OVERFLOW: Final = failed(OVERFLOW_VALUE, "the receiver's balance would not fit into 256 bits")
_NO_VALUE: Final = failed(PRECOMPILED_ERROR, "a system contract takes no value")


def run(sender: bytes, to: str, value: int, data: bytes, state: BlockState) -> Outcome:
    """Execute one transaction or call; Rule 4 holds."""
    if not to:
        return _NO_DEPLOYMENT
    address = to.lower().removeprefix("0x")
    if address.startswith(_PRECOMPILED_PREFIXES) and precompiled.has(address):
        return precompiled.run(address, data, state) if not value else _NO_VALUE
    try:
        receiver = bytes.fromhex(address) if len(address) == _ADDRESS_HEX else b""
    except ValueError:
        receiver = b""
    if len(receiver) * 2 != _ADDRESS_HEX:
        return failed(CALL_ADDRESS_ERROR, "the receiver is not an address of 40 hex digits")
    if data:
        return _NO_CODE
    return _PLAIN if not value else _transfer(sender, receiver, value, state)


def _transfer(sender: bytes, receiver: bytes, value: int, state: BlockState) -> Outcome:
    source = state.account(sender)
    if source.balance < value:
        return _NO_CASH
    target = state.account(receiver)
    if sender != receiver:
        if target.balance + value >= _UINT256_END:
            return _OVERFLOW
        state.set_account(sender, source._replace(balance=source.balance - value))
        state.set_account(receiver, target._replace(balance=target.balance + value))
    return _PLAIN
