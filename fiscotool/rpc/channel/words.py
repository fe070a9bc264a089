"""What the frames of the channel protocol say; pure.

Rule. Nothing a node pushes is trusted to have its shape: what cannot be read is UnexpectedShape, never a crash.

Facts: a session is of protocol 1 until the handshake agreed on a later one; 1 says heartbeats "0" and "1" and blocks "group,number",
2 and 3 say JSON. Block notices come to sessions subscribed to `_block_notify_<group>`. In protocol 3 the pool's refusals come as
receipts with a status (15, 16, 28, 10000 …), not as errors of the call.

Source: spec 2.x 2.4, 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from fiscotool.rpc.channel.frames import BadFrame, split_topic
from fiscotool.rpc.members import Members, UnexpectedShape, as_decimal, as_integer, as_quantity, shown
from fiscotool.rpc.status2 import pool_refusal_of

PROTOCOL_MIN: Final = 1
PROTOCOL_MAX: Final = 3
CLIENT_TYPE: Final = "fiscotool"
BLOCK_TOPIC: Final = "_block_notify_"

AMOP_CODES: Final = {
    99: "all candidates failed",
    100: "the other node is not available",
    101: "the other client is not available",
    102: "time ran out",
    103: "refused for its bandwidth limit",
    104: "malformed",
}
"""Result codes of frames (ChannelRPCServer.h)."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """What the handshake agreed on. `node_version` is the chain's supported_version."""

    protocol: int
    node_version: str = ""


@dataclass(frozen=True, slots=True)
class BlockNotice:
    """A node has a new block. `group` as text."""

    group: str
    number: int


@dataclass(frozen=True, slots=True)
class TxNotice:
    """What came of a transaction sent over this connection. `status` as in a receipt; `block_number` None: it is in no block.

    `refusal` names the pool's reason when the pool did not take it (spec 2.x 2.4), else "".
    """

    tx_hash: str
    status: int
    block_number: int | None
    message: str
    told: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def refusal(self) -> str:
        """The pool's reason, "" for a receipt of an executed transaction."""
        return pool_refusal_of(self.status) if self.block_number is None else ""


def _json(data: bytes, what: str) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as problem:
        raise UnexpectedShape(f"{what} is not JSON: {shown(data)}") from problem


def handshake_request() -> bytes:
    """What a client says first."""
    return orjson.dumps({"minimumSupport": PROTOCOL_MIN, "maximumSupport": PROTOCOL_MAX, "clientType": CLIENT_TYPE})


def read_handshake(data: bytes) -> Agreed:
    """What the node answers."""
    members = Members(_json(data, "the handshake"), "the handshake")
    protocol = members.integer("protocol")
    if not PROTOCOL_MIN <= protocol <= PROTOCOL_MAX:
        raise UnexpectedShape(f"the handshake agrees on protocol {protocol}, which was not offered")
    return Agreed(protocol, members.text_or("nodeVersion"))


def heartbeat(protocol: int, *, is_answer: bool) -> bytes:
    """A heartbeat, or its answer."""
    value = int(is_answer)
    return str(value).encode() if protocol == 1 else orjson.dumps({"heartBeat": value})


def is_heartbeat_question(data: bytes) -> bool:
    """Whether a heartbeat wants an answer. What cannot be read wants none."""
    text = data.strip()
    if text in (b"0", b"1"):
        return text == b"0"
    try:
        told = _json(text, "the heartbeat")
    except UnexpectedShape:
        return False
    return isinstance(told, dict) and told.get("heartBeat") == 0


def subscription(groups: list[str]) -> bytes:
    """The topics of the session: it replaces those before."""
    return orjson.dumps([f"{BLOCK_TOPIC}{group}" for group in groups])


def read_block_notice(data: bytes) -> BlockNotice:
    """A notice about a block, of any protocol."""
    try:
        topic, payload = split_topic(data)
    except BadFrame as problem:
        raise UnexpectedShape(str(problem)) from problem
    if not topic.startswith(BLOCK_TOPIC):
        raise UnexpectedShape(f"a block notice has the topic {shown(topic)}")
    text = payload.strip()
    if text[:1] == b"{":
        members = Members(_json(text, "the block notice"), "the block notice")
        group, number = members.take("groupID"), members.integer("blockNumber")
        return BlockNotice(str(as_integer(group, "the block notice.groupID")), _height(number))
    group_text, comma, number_text = text.partition(b",")
    if not comma:
        raise UnexpectedShape(f"the block notice is {shown(payload)}")
    group, number = (as_decimal(part.decode("utf-8", "replace"), "the block notice") for part in (group_text, number_text))
    return BlockNotice(str(group), _height(number))


def _height(number: int) -> int:
    if not 0 <= number < 1 << 63:
        raise UnexpectedShape(f"the block notice tells of block {number}")
    return number


def read_tx_notice(data: bytes) -> TxNotice:
    """A notice about a transaction."""
    told = _json(data, "the transaction notice")
    members = Members(told, "the transaction notice")
    status = members.take("status")
    number = members.maybe("blockNumber")
    tx_hash = members.text_or("transactionHash")
    is_mined = number is not None and number != "" and members.maybe("blockHash") not in (None, "", "0x" + "00" * 32)
    return TxNotice(
        tx_hash=tx_hash,
        status=_either(status, "status"),
        block_number=_either(number, "blockNumber") if is_mined else None,
        message=members.text_or("statusMsg"),
        told=told,
    )


def _either(value: Any, what: str) -> int:
    """A number, or hex, or decimal text."""
    if type(value) is int:
        return value
    if type(value) is str:
        name = f"the transaction notice.{what}"
        return as_quantity(value, name) if value.startswith("0x") else as_decimal(value, name)
    raise UnexpectedShape(f"the transaction notice.{what} is {shown(value)}")
