"""What a poll asks a node, as bytes made once, and what the answers are worth. Pure.

Rule 1. Each method is one question; the fields of an answer are only as true together as the node read them together (getConsensusStatus
        is torn; the judge treats every field as its own sample).
Rule 2. An answer of an unexpected shape is a failed question, not a crash: the poll keeps what the other questions gave.

Rule 3. A 2.x node writes a line into its log for every call: it is asked three questions, a 3.x node five.

Sources: spec 3.x 2.3, 2.4; spec 2.x 1.1, 2.1, 2.3, 5.3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from fiscotool.errors import Refused
from fiscotool.observer.blocks2 import number_of
from fiscotool.rpc.codec import Asked, RawAnswer, encode_request, parse_answer
from fiscotool.rpc.dialect import Dialect
from fiscotool.rpc.members import as_quantity, json_text
from fiscotool.rpc.neutral2 import leader_index
from fiscotool.rpc.replies2_status import consensus_status2, sync_status2
from fiscotool.rpc.replies_consensus import NOT_A_SEALER

Values = dict[str, Any]
_ID: Final = 1
"""One exchange at a time on a connection: the id need not tell answers apart, so that requests can be made once."""


class WrongShape(Exception):
    """An answer is JSON-RPC, but not what the method answers."""


@dataclass(frozen=True, slots=True)
class Question:
    """A method a poll asks, and how its result becomes members of Sample."""

    method: str
    read: Callable[[Any], Values]


def _count(result: Any, what: str) -> int:
    if type(result) is not int or result < 0:
        raise WrongShape(f"{what} is {str(result)[:40]!r}")
    return result


def _status(result: Any) -> dict[str, Any]:
    status = json_text(result, "the status")
    if type(status) is not dict:
        raise WrongShape("the status is no object")
    return status


_CONSENSUS_COUNTS: Final = (
    ("blockNumber", "consensus_height"),
    ("view", "view"),
    ("changeCycle", "change_cycle"),
    ("leaderIndex", "leader_index"),
    ("connectedNodeList", "connected_count"),
    ("consensusNodesNum", "node_count"),
    ("minRequiredQuorum", "quorum_weight"),
    ("maxFaultyQuorum", "faulty_weight_max"),
)


def read_consensus(result: Any) -> Values:
    """The values in a getConsensusStatus. `node_index` is left out for a node that is not a sealer."""
    status = _status(result)
    values: Values = {name: status[told] for told, name in _CONSENSUS_COUNTS if type(status.get(told)) is int}
    if type(status.get("timeout")) is bool:
        values["timeout"] = status["timeout"]
    if type(status.get("hash")) is str:
        values["block_hash"] = status["hash"].lower().removeprefix("0x")
    index = status.get("index")
    if type(index) is int and index != NOT_A_SEALER:
        values["node_index"] = index
    return values


def read_sync(result: Any) -> Values:
    """The values in a getSyncStatus."""
    status = _status(result)
    values: Values = {"is_syncing": status["isSyncing"]} if type(status.get("isSyncing")) is bool else {}
    if type(status.get("knownHighestNumber")) is int and status["knownHighestNumber"] >= 0:
        values["known_height"] = status["knownHighestNumber"]
    return values


QUESTIONS: Final = (
    Question("getBlockNumber", lambda result: {"height": _count(result, "the height")}),
    Question("getConsensusStatus", read_consensus),
    Question("getPbftView", lambda result: {"view": _count(result, "the view")}),
    Question("getSyncStatus", read_sync),
    Question("getPendingTxSize", lambda result: {"pending_count": _count(result, "the pool's size")}),
)
"""In order of precedence: a later question's value of the same name wins (the view is getPbftView's)."""


def _quantity(result: Any, what: str) -> int:
    return _count(as_quantity(result, what), what)


def read_consensus2(result: Any) -> Values:
    """The values in a getConsensusStatus of 2.x: in the words of 3.x as far as they mean the same (rpc.neutral).

    `leader_index` is not told but follows from view and height; `change_cycle` is not told.
    """
    told = consensus_status2(result)
    values: Values = {
        "consensus_height": told.height,
        "block_hash": told.block_hash.lower().removeprefix("0x"),
        "connected_count": told.connected_count + 1,
        "node_count": told.node_count,
        "quorum_weight": told.node_count - told.faulty_max,
        "faulty_weight_max": told.faulty_max,
    }
    maybe = {
        "view": told.view,
        "to_view": told.to_view,
        "timeout": told.leader_failed,
        "node_index": told.index,
        "leader_index": leader_index(told),
    }
    return values | {name: value for name, value in maybe.items() if value is not None}


def read_sync2(result: Any) -> Values:
    """The values in a getSyncStatus of 2.x."""
    told = sync_status2(result)
    return {"is_syncing": told.is_syncing, "pending_count": told.pending_count, "known_height": told.known_highest}


QUESTIONS2: Final = (
    Question("getBlockNumber", lambda result: {"height": _quantity(result, "the height")}),
    Question("getConsensusStatus", read_consensus2),
    Question("getSyncStatus", read_sync2),
)
"""As QUESTIONS, of a 2.x node."""

VERSION_QUESTION: Final = "getClientVersion"
_NO_METHOD: Final = -32601


@dataclass(frozen=True, slots=True)
class Speech:
    """How a node is asked. `leading` are the parameters every question about the group begins with.

    `has_headers`: it has getBlockHeaderByNumber, as 2.x nodes have but for the oldest.
    """

    dialect: Dialect
    questions: tuple[Question, ...]
    leading: tuple[Any, ...]
    has_headers: bool = True

    @classmethod
    def of(cls, dialect: Dialect, group: str) -> Speech:
        """For a node of this dialect; "" is its first group."""
        if dialect is Dialect.FISCO2:
            return cls(dialect, QUESTIONS2, (int(group or "1"),))
        return cls(dialect, QUESTIONS, (group, ""))

    def block_questions(self, number: int) -> tuple[tuple[str, tuple[Any, ...]], ...]:
        """The (method, parameters) whose results together are a block with signatures and transaction hashes."""
        if self.dialect is Dialect.FISCO2:
            text = str(number)
            if not self.has_headers:
                return (("getBlockByNumber", (*self.leading, text, True)),)
            return (
                ("getBlockHeaderByNumber", (*self.leading, text, True)),
                ("getBlockByNumber", (*self.leading, text, False)),
            )
        return (("getBlockByNumber", (*self.leading, number, False, True)),)

    def block_of(self, results: list[Any]) -> Any:
        """One object of the results of `block_questions`: 2.x tells signatures with the header and transactions with the block."""
        if self.dialect is not Dialect.FISCO2 or not all(isinstance(result, dict) for result in results):
            return results[0]
        header, listed = results[0], results[-1].get("transactions")
        hashes = [item.get("hash") if isinstance(item, dict) else item for item in listed] if isinstance(listed, list) else listed
        return {**header, "number": number_of(header.get("number")), "transactions": hashes}

    def after_refusal(self, problem: Refused) -> Speech:
        """How to go on after a question about a block was refused."""
        return replace(self, has_headers=False) if problem.code == _NO_METHOD else self


def dialect_of(answer: RawAnswer, node: str) -> Dialect:
    """What an answer to getClientVersion tells of who gave it. Raises Refused for another refusal than "no such method"."""
    try:
        result_of(answer, VERSION_QUESTION, node)
    except Refused as problem:
        if problem.code != _NO_METHOD:
            raise
        return Dialect.FISCO3
    return Dialect.FISCO2


def body_of(method: str, *params: Any) -> bytes:
    """The body of a request."""
    return encode_request(method, params, _ID)


def result_of(answer: RawAnswer, method: str, node: str, dialect: Dialect = Dialect.FISCO3) -> Any:
    """The result in an answer. Raises Refused or MalformedAnswer."""
    return parse_answer(answer, Asked(method, _ID, node, dialect))
