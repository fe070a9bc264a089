"""A lane of a load: one connection to one node with at most one transaction on it.

States: closed → opening → ready ⇄ busy; a failure leads back to closed, and a closed lane opens again after RETRY_S.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import orjson

from fiscotool.rpc.aio.connection import Address, Failure, HttpConnection, Outcome, connect
from fiscotool.rpc.aio.plan import LoadTarget, PreparedTx, TxKind, TxOutcome
from fiscotool.rpc.dialect import Dialect
from fiscotool.rpc.refusals import AlreadyInTxPool, AlreadyInTxPoolAndAccept, TransactionPoolTimeout, TxAlreadyInChain
from fiscotool.rpc.refusing import essence, refusal
from fiscotool.rpc.status import UNSETTLED, status_name

RETRY_S: Final = 0.5
CONNECT_S: Final = 3.0
_STOPPED: Final = Failure("timeout", "the load ended before the answer")
_LATE: Final = Failure("timeout")


@dataclass(frozen=True, slots=True)
class Work:
    """A transaction and when it should be sent."""

    tx: PreparedTx
    due_clock_s: float


class OnFree(Protocol):
    """Told when a lane can take a transaction."""

    def __call__(self, lane: Lane, *, is_new: bool) -> None:
        """`is_new`: it was connected for the first time."""


class Lane:
    """See the module."""

    __slots__ = (
        "_address",
        "_clock",
        "_connection",
        "_head",
        "_is_retired",
        "_judge",
        "_node",
        "_on_free",
        "_on_outcome",
        "_on_unsent",
        "_sent_s",
        "_tail",
        "_task",
        "_was_open",
        "work",
    )

    def __init__(
        self,
        target: LoadTarget,
        address: Address,
        *,
        on_free: OnFree,
        on_outcome: Callable[[TxOutcome], None],
        on_unsent: Callable[[Work], None],
        clock: Callable[[], float],
    ) -> None:
        self.work: Work | None = None
        self._node = target.name
        self._address = address
        self._on_free = on_free
        self._on_outcome = on_outcome
        self._on_unsent = on_unsent
        self._clock = clock
        self._connection: HttpConnection | None = None
        self._sent_s = 0.0
        self._is_retired = False
        self._was_open = False
        self._task: asyncio.Task[None] | None = None
        self._judge = JUDGES[target.kind]
        # The request is put together from two constant pieces around the transaction: no JSON is built per transaction.
        before, after = orjson.dumps({"jsonrpc": "2.0", "id": 1, **_request(target)}).split(b'"@"')
        self._head, self._tail = before + b'"', b'"' + after

    @property
    def is_ready(self) -> bool:
        """Whether a transaction can be sent now."""
        return self._connection is not None and self._connection.is_free

    def start(self, after_s: float = 0.0) -> None:
        """Connect, and go on trying until it works or the lane is retired."""
        if not self._is_retired:
            self._task = asyncio.get_running_loop().create_task(self._open(after_s))

    async def _open(self, after_s: float) -> None:
        while not self._is_retired:
            if after_s:
                await asyncio.sleep(after_s)
            after_s = RETRY_S
            try:
                async with asyncio.timeout(CONNECT_S):
                    self._connection = await connect(self._address)
            except OSError:  # Also TimeoutError and ssl.SSLError.
                continue
            is_new, self._was_open = not self._was_open, True
            self._on_free(self, is_new=is_new)
            return

    def send(self, work: Work) -> None:
        """Send one transaction; `is_ready` must hold, or it is given back as unsent."""
        connection = self._connection
        if connection is None or not connection.is_free:
            self._on_unsent(work)
            self._reopen()
            return
        self.work = work
        self._sent_s = self._clock()
        connection.exchange(self._address.http_request(self._head + work.tx.raw_hex.encode() + self._tail), self._done)

    def give_up(self, sent_before_s: float) -> None:
        """Give up a transaction that was sent before `sent_before_s` and has no answer."""
        if self.work is not None and self._sent_s < sent_before_s and self._connection is not None:
            self._connection.abandon(_LATE)

    def retire(self) -> None:
        """Close for good; an unanswered transaction is unknown."""
        self._is_retired = True
        if self._connection is not None:
            self._connection.abandon(_STOPPED)

    def _reopen(self) -> None:
        self._connection = None
        self.start(0.01)

    def _done(self, answer: Outcome) -> None:
        work, self.work = self.work, None
        if work is None:
            return
        now_s = self._clock()
        verdict = _unknown(str(answer)) if isinstance(answer, Failure) else self._judge(answer.body)
        self._on_outcome(TxOutcome(work.tx.tx_hash, self._node, work.due_clock_s, self._sent_s, now_s, *verdict))
        if self._is_retired:
            return
        if self.is_ready:
            self._on_free(self, is_new=False)
        else:
            self._reopen()


def _request(target: LoadTarget) -> dict[str, Any]:
    """Method and parameters that send a transaction; "@" stands for it."""
    match target.kind:
        case TxKind.NATIVE2:
            return {"method": "sendRawTransaction", "params": [int(target.group), "@"]}
        case TxKind.ETHEREUM:
            return {"method": "eth_sendRawTransaction", "params": ["@"]}
        case _:
            return {"method": "sendTransaction", "params": [target.group, "", "@", False]}


def _unknown(why: str) -> tuple[Any, ...]:
    return ("unknown", None, None, None, why)


def judge_answer(body: bytes) -> tuple[Any, ...]:
    """outcome, block number, status, code and error of an answer to sendTransaction, in the order of TxOutcome's last members.

    A code that leaves the transaction in some pool (rpc.status.UNSETTLED) is unknown, not refused.
    """
    try:
        envelope = orjson.loads(body)
        result = envelope.get("result")
        if result is not None:
            return ("committed", int(result["blockNumber"]), int(result["status"]), None, "")
        error = envelope["error"]
        code = int(error["code"])
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError):
        return _unknown(f"malformed: {body[:60]!r}")
    said = essence(str(error.get("message", ""))) or status_name(code)
    return ("unknown" if code in UNSETTLED else "refused", None, None, code, said)


_PERHAPS: Final = (AlreadyInTxPool, AlreadyInTxPoolAndAccept, TransactionPoolTimeout, TxAlreadyInChain)
"""Refusals that leave the transaction in some pool, or on the chain."""


def _judge_admission(body: bytes, dialect: Dialect) -> tuple[Any, ...]:
    """As judge_answer, of a node that answers when its pool has the transaction."""
    try:
        envelope = orjson.loads(body)
        if isinstance(envelope.get("result"), str):
            return ("accepted", None, None, None, "")
        error = envelope["error"]
        code, message = int(error["code"]), str(error.get("message", ""))
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError):
        return _unknown(f"malformed: {body[:60]!r}")
    kind = type(refusal(code, message, node="", method="", dialect=dialect))
    return ("unknown" if issubclass(kind, _PERHAPS) else "refused", None, None, code, essence(message) or str(code))


def judge_answer2(body: bytes) -> tuple[Any, ...]:
    """As judge_answer, of an answer to sendRawTransaction of 2.x."""
    return _judge_admission(body, Dialect.FISCO2)


def judge_answer_ethereum(body: bytes) -> tuple[Any, ...]:
    """As judge_answer, of an answer to eth_sendRawTransaction."""
    return _judge_admission(body, Dialect.ETHEREUM)


JUDGES: Final = {TxKind.NATIVE: judge_answer, TxKind.NATIVE2: judge_answer2, TxKind.ETHEREUM: judge_answer_ethereum}
