"""What a real 2.9.1 chain was asked and what it answered (recordings v2/rpc, v2/blocks_full_node0), and a server that answers the same."""

from __future__ import annotations

import json
import lzma
import socket
from typing import Any

from tests.rpc.fake_server import Behaviour, http_answer, key_of
from tests.support.shared import shared

READS = ("reads_fresh_chain_height0", "reads_4nodes")


def rows2(*names: str) -> list[dict[str, Any]]:
    """Rows of recordings/v2/rpc/<name>.jsonl.xz."""
    found: list[dict[str, Any]] = []
    for name in names:
        with lzma.open(shared("recordings", "v2", "rpc", f"{name}.jsonl.xz"), "rt") as lines:
            found += [json.loads(line) for line in lines]
    return found


def body_of(row: dict[str, Any]) -> bytes:
    """The body as the node wrote it: compact, members in alphabetical order, a newline at the end (spec 2.x 2.1)."""
    if row["raw"] is not None:
        return str(row["raw"]).encode("utf-8", "surrogatepass")
    return json.dumps(row["response"], separators=(",", ":"), sort_keys=True).encode() + b"\n"


def answers_of(rows: list[dict[str, Any]]) -> dict[str, bytes]:
    """Body of the answer by what was asked."""
    return {key_of(row["request"]): body_of(row) for row in rows}


def recorded_behaviour2(rows: list[dict[str, Any]]) -> Behaviour:
    """Answers what the node answered to the same question, under the id of the request."""
    answers = answers_of(rows)

    def behave(body: bytes, _connection: socket.socket) -> bytes | None:
        told = answers[key_of(body)]
        request_id = str(json.loads(body)["id"]).encode()
        return http_answer(told.replace(b'"id":1,', b'"id":' + request_id + b",", 1))

    return behave
