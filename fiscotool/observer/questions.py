"""What a poll asks a node, as bytes made once, and what the answers are worth. Pure.

Rule 1. Each method is one question; the fields of an answer are only as true together as the node read them together (getConsensusStatus
        is torn; the judge treats every field as its own sample).
Rule 2. An answer of an unexpected shape is a failed question, not a crash: the poll keeps what the other questions gave.

Sources: spec 3.x 2.3, 2.4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from fiscotool.errors import MalformedAnswer, Refused
from fiscotool.rpc.codec import Asked, RawAnswer, encode_request, parse_answer
from fiscotool.rpc.members import json_text
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
    return {"is_syncing": status["isSyncing"]} if type(status.get("isSyncing")) is bool else {}


QUESTIONS: Final = (
    Question("getBlockNumber", lambda result: {"height": _count(result, "the height")}),
    Question("getConsensusStatus", read_consensus),
    Question("getPbftView", lambda result: {"view": _count(result, "the view")}),
    Question("getSyncStatus", read_sync),
    Question("getPendingTxSize", lambda result: {"pending_count": _count(result, "the pool's size")}),
)
"""In order of precedence: a later question's value of the same name wins (the view is getPbftView's)."""


def body_of(method: str, *params: Any) -> bytes:
    """The body of a request."""
    return encode_request(method, params, _ID)


def result_of(answer: RawAnswer, method: str, node: str) -> Any:
    """The result in an answer. Raises Refused or MalformedAnswer."""
    return parse_answer(answer, Asked(method, _ID, node))


__all__ = ["QUESTIONS", "MalformedAnswer", "Question", "Refused", "Values", "WrongShape", "body_of", "result_of"]
