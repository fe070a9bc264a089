"""Conversations with a node that take more than one call, written without I/O: a flow yields what it wants, a driver does it.

Rule 1. A flow is a generator of `Call` and `Pause`; it is sent the typed reply of a call, or has the RpcError thrown into it.
Rule 2. A transaction is sent once. When its answer does not come, its receipt is asked for; it is never sent again by this module.
Rule 3. Whether a transaction happened is one of three things: a receipt (committed), Refused or Unreachable (definitely not done),
        OutcomeUnknown with the hash (it may have been done, and may yet be).

Both generations: 3.x answers sendTransaction with the receipt; 2.x answers sendRawTransaction when its pool has the transaction, and null
instead of a refusal for a receipt that is not there.

Sources: the sans-I/O idea of h11 and httpx; spec 3.x 2.5 ("sendTransaction blocks until the transaction is on
chain"); spec 2.x 2.1.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from fiscotool.errors import OutcomeUnknown, RpcError
from fiscotool.rpc.dialect import Dialect
from fiscotool.rpc.neutral2 import receipt_of as in_neutral_words
from fiscotool.rpc.refusals import (
    AlreadyInTxPool,
    AlreadyInTxPoolAndAccept,
    LedgerRefusal,
    NonceCheckFail,
    TransactionPoolTimeout,
    TxAlreadyInChain,
)
from fiscotool.rpc.replies2_receipt import Receipt2
from fiscotool.rpc.replies_receipt import Receipt


@dataclass(frozen=True, slots=True)
class Call:
    """Call `method`. `params` are those after group and node name. `tx_hash` goes into OutcomeUnknown."""

    method: str
    params: tuple[Any, ...] = ()
    tx_hash: str = ""


@dataclass(frozen=True, slots=True)
class Pause:
    """Let `pause_s` seconds pass."""

    pause_s: float


Ask = Call | Pause
T = TypeVar("T")
Flow = Generator[Ask, Any, T]

_PERHAPS_DONE = (AlreadyInTxPool, AlreadyInTxPoolAndAccept, TransactionPoolTimeout, TxAlreadyInChain)
"""Refusals after which this very transaction may be, or come, on the chain."""


def receipt_of(tx_hash: str, dialect: Dialect = Dialect.FISCO3) -> Flow[Receipt | None]:
    """The receipt of a transaction, None while the node has none."""
    if dialect is Dialect.FISCO2:
        told: Receipt2 | None = yield Call("getTransactionReceipt", (tx_hash,))
        return None if told is None else in_neutral_words(told)
    try:
        receipt: Receipt = yield Call("getTransactionReceipt", (tx_hash, False))
    except LedgerRefusal:
        return None
    return receipt


def confirm(tx_hash: str, *, attempts_max: int, pause_s: float, dialect: Dialect = Dialect.FISCO3) -> Flow[Receipt]:
    """Ask for the receipt of `tx_hash` until it is there; OutcomeUnknown after `attempts_max` times, `pause_s` apart.

    A node that cannot be reached or does not answer counts as an attempt: it may be restarting.
    """
    last: RpcError | None = None
    for attempt in range(attempts_max):
        if attempt:
            yield Pause(pause_s)
        try:
            receipt = yield from receipt_of(tx_hash, dialect)
        except RpcError as problem:
            last = problem
            continue
        if receipt is not None:
            return receipt
    why = f"; the last attempt: {last.message}" if last else ""
    raise OutcomeUnknown(
        f"transaction {tx_hash} has no receipt after {attempts_max} attempts{why}",
        method="getTransactionReceipt",
        tx_hash=tx_hash,
        hint=f"it may still be committed: fiscotool query receipt {tx_hash}",
    )


def send_and_confirm(
    raw_hex: str, tx_hash: str, *, attempts_max: int = 60, pause_s: float = 0.5, dialect: Dialect = Dialect.FISCO3
) -> Flow[Receipt]:
    """Send a signed transaction and return its receipt, asking for it when it does not come with the answer.

    Raises Refused or Unreachable when it was definitely not done, OutcomeUnknown when that cannot be said.
    """
    is_old = dialect is Dialect.FISCO2
    call = Call("sendRawTransaction", (raw_hex,), tx_hash) if is_old else Call("sendTransaction", (raw_hex, False), tx_hash)
    try:
        answer = yield call
    except (OutcomeUnknown, *_PERHAPS_DONE):
        return (yield from confirm(tx_hash, attempts_max=attempts_max, pause_s=pause_s, dialect=dialect))
    except NonceCheckFail:
        # The node says the same to a transaction that it has on its chain already and to another one with a used nonce.
        done = yield from receipt_of(tx_hash, dialect)
        if done is None:
            raise
        return done
    if is_old:
        return (yield from confirm(tx_hash, attempts_max=attempts_max, pause_s=pause_s, dialect=dialect))
    receipt: Receipt = answer
    return receipt


class Caller(Protocol):
    """Whoever can make a typed call; NodeClient is one."""

    def typed_call(self, method: str, params: tuple[Any, ...], *, tx_hash: str = "") -> Any:
        """The parsed reply of `method`; RpcError when there is none."""


def run_flow(flow: Flow[T], caller: Caller, *, pause: Callable[[float], None]) -> T:
    """Drive `flow` with a blocking caller. `pause(seconds)` waits; an interruption may cut it short by raising."""
    try:
        ask = next(flow)
        while True:
            match ask:
                case Pause(pause_s=pause_s):
                    pause(pause_s)
                    ask = flow.send(None)
                case Call(method=method, params=params, tx_hash=tx_hash):
                    try:
                        reply = caller.typed_call(method, params, tx_hash=tx_hash)
                    except RpcError as problem:
                        ask = flow.throw(problem)
                    else:
                        ask = flow.send(reply)
    except StopIteration as done:
        result: T = done.value
        return result
