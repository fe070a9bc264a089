"""What a real 2.9.1 chain was asked and what it answered (recordings v2/rpc, v2/blocks_full_node0), and a server that answers the same."""

from __future__ import annotations

import json
import lzma
import socket
from typing import Any

from tests.rpc.fake_server import Behaviour, key_of
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


def http_of(row: dict[str, Any], body: bytes) -> bytes:
    """An HTTP answer with the recorded status and headers, of libmicrohttpd, around `body`."""
    headers = {**(row["resp_headers"] or {}), "Content-Length": str(len(body))}
    reason = {200: "OK", 405: "Method Not Allowed"}[row["http_status"]]
    lines = [f"HTTP/1.1 {row['http_status']} {reason}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def recorded_behaviour2(rows: list[dict[str, Any]]) -> Behaviour:
    """Answers what the node answered to the same question, under the id of the request."""
    by_question = {key_of(row["request"]): row for row in rows}

    def behave(body: bytes, _connection: socket.socket) -> bytes | None:
        row = by_question[key_of(body)]
        request_id = str(json.loads(body)["id"]).encode()
        return http_of(row, body_of(row).replace(b'"id":1,', b'"id":' + request_id + b",", 1))

    return behave
