"""JSON-RPC envelopes as bytes: how a call is written, and what an answer is worth.

Rule 1. An answer with `error` is a refusal whatever its id: a FISCO node that could not read a request answers with an uninitialised
        integer as id and "" as jsonrpc (recorded: 140534484005728). An answer with `result` must carry the id of the request.
        2.x answers such a request with null as id.
Rule 2. The status line is no proof of anything: FISCO answers 200 for errors, other servers 4xx or 5xx with a proper envelope.
Rule 3. Whatever else comes (a web page, half a JSON text, another protocol) is MalformedAnswer and says what was seen.

Bytes that are not UTF-8 occur in real answers (`p2pNodeID` of getPeers): they are replaced, not refused.

Sources: JSON-RPC 2.0; spec 3.x 2.1, 2.5, 2.6; spec 2.x 2.1; recordings v3/rpc/bad_input, v2/rpc/bad_input.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

import orjson

from fiscotool.errors import MalformedAnswer
from fiscotool.rpc.dialect import Dialect
from fiscotool.rpc.refusing import refusal

_SHOWN_BYTES: Final = 80
_DEPTH_MAX: Final = 500
# A text is one token, so that brackets inside it do not count; one without an end takes the rest.
_NESTING: Final = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\Z)|[\[\]{}]', re.DOTALL)
_HTTP_OK: Final = 200
_FAILED_2X: Final = b"ERROR while handleRequest:"
"""How a 2.x node answers what made its JSON library throw (recorded)."""

_HINT_OTHER_SERVER: Final = "check host and port: another program may listen there (ss -ltnp)"
_HINT_HALF: Final = "ask again; if it stays so, look into the node's log"


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An HTTP answer as it came. `content_type` is "" when there was none."""

    status: int
    body: bytes
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an answer is measured against: which node was asked what, under which id, in which dialect."""

    method: str
    request_id: int
    node: str = ""
    dialect: Dialect = Dialect.FISCO3


def encode_request(method: str, params: Any, request_id: int) -> bytes:
    """The body of a request. `params` is a list or tuple of JSON values."""
    return orjson.dumps({"jsonrpc": "2.0", "id": request_id, "method": method, "params": list(params)})


def load_json(body: bytes) -> Any:
    """`body` parsed; falls back to a tolerant parser for bytes that are not UTF-8 and unpaired surrogates. Raises ValueError."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        if _is_nested_deeply(body):
            raise ValueError("nested too deeply") from None
        return json.loads(body.decode("utf-8", "replace"))


def _is_nested_deeply(body: bytes) -> bool:
    """Whether the standard parser, which recurses in C, could run out of stack on `body`.

    Its own guard is the interpreter's recursion limit, which libraries raise at will; beyond the real stack the process dies.
    """
    depth = 0
    for token in _NESTING.finditer(body):
        if token[0] in b"[{":
            depth += 1
            if depth > _DEPTH_MAX:
                return True
        elif token[0] in b"]}":
            depth -= 1
    return False


def parse_answer(answer: RawAnswer, asked: Asked) -> Any:
    """The `result` of an answer. Raises Refused (or a class of rpc.refusals) for an error, MalformedAnswer for anything else."""
    try:
        envelope = load_json(answer.body)
    except ValueError as problem:
        raise _not_json(answer, asked) from problem
    if not isinstance(envelope, dict) or not envelope.keys() & {"result", "error"}:
        raise _malformed(asked, f"with JSON that is no JSON-RPC answer: {_excerpt(answer.body)}", _HINT_OTHER_SERVER)
    error = envelope.get("error")
    if error is not None:
        raise _refused(error, answer, asked)
    if "result" not in envelope:
        raise _malformed(asked, f"with neither result nor error: {_excerpt(answer.body)}", _HINT_OTHER_SERVER)
    told_id = envelope.get("id")
    if told_id != asked.request_id or isinstance(told_id, bool):
        raise _malformed(
            asked, f"to another request (id {told_id!r} instead of {asked.request_id})", "a proxy may mix up answers; ask the node directly"
        )
    return envelope["result"]


def _refused(error: Any, answer: RawAnswer, asked: Asked) -> Exception:
    if not isinstance(error, dict) or type(error.get("code")) is not int:
        return _malformed(asked, f"with an error that has no code: {_excerpt(answer.body)}", _HINT_OTHER_SERVER)
    return refusal(
        error["code"],
        str(error.get("message", "")),
        node=asked.node,
        method=asked.method,
        data=error.get("data"),
        dialect=asked.dialect,
    )


def _malformed(asked: Asked, seen: str, hint: str) -> MalformedAnswer:
    subject = f"{asked.node} answered {asked.method}" if asked.node else f"{asked.method} was answered"
    return MalformedAnswer(f"{subject} {seen}", node=asked.node, method=asked.method, hint=hint)


def _not_json(answer: RawAnswer, asked: Asked) -> MalformedAnswer:
    body = answer.body.lstrip()
    if not body:
        return _malformed(asked, f"with an empty body (HTTP status {answer.status})", _HINT_OTHER_SERVER)
    if "html" in answer.content_type.lower() or body[:1] == b"<":
        title = re.search(rb"<title[^>]*>([^<]{1,200})", body, re.IGNORECASE)
        named = f" titled {title.group(1).strip().decode('utf-8', 'replace')!r}" if title else ""
        return _malformed(asked, f"with a web page{named} (HTTP status {answer.status}): that is not a FISCO BCOS node", _HINT_OTHER_SERVER)
    if body[:1] in b"{[":
        return _malformed(
            asked, f"with {len(answer.body)} bytes of broken JSON that end in {_excerpt(answer.body[-_SHOWN_BYTES:])}", _HINT_HALF
        )
    if body.startswith(_FAILED_2X):
        return _malformed(asked, f"with {_excerpt(body)}: it failed while it read the request", _HINT_HALF)
    status = f" (HTTP status {answer.status})" if answer.status != _HTTP_OK else ""
    return _malformed(asked, f"with something that is not JSON{status}: {_excerpt(answer.body)}", _HINT_OTHER_SERVER)


def _excerpt(data: bytes) -> str:
    text = data[:_SHOWN_BYTES].decode("utf-8", "replace")
    return repr(text) + ("…" if len(data) > _SHOWN_BYTES else "")
