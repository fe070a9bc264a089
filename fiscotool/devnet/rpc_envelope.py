"""JSON texts of requests and answers, read and written as the two ports of a real node do.

Reading is lenient where the node is: what follows the first JSON value is ignored, texts need not be proper UTF-8. orjson reads what is
proper JSON, which is nearly everything; only what it refuses is looked at again, if it is not nested deeply.

An answer on the native port has its members in alphabetical order and echoes `jsonrpc` and `id` as converted. When the request could
not be understood the real node prints uninitialised memory as `id`; here it is 0, always.

Sources: spec 3.x 2.1, 2.6; recordings rpc/bad_input.jsonl.xz.
"""

from __future__ import annotations

import json
from typing import Any, Final

import orjson

from fiscotool.devnet.rpc_errors import INVALID_JSON, INVALID_OBJECT, INVALID_REQUEST, PARSE_ERROR, RpcFault, as_int64

__all__ = ["MALFORMED", "NativeRequest", "error_bytes", "parse_json", "parse_native", "result_bytes", "to_json"]

MALFORMED: Final = object()
"""What `parse_json` gives for a text that does not begin with a JSON value."""

_SORTED: Final = orjson.OPT_SORT_KEYS
_DECODER: Final = json.JSONDecoder()
_BRACKETS_MAX: Final = 500

NativeRequest = tuple[str, str, list[Any], int]
"""(jsonrpc, method, params, id)"""


def parse_json(body: bytes) -> Any:
    """The JSON value a body begins with, or MALFORMED."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    if body.count(b"[") + body.count(b"{") > _BRACKETS_MAX:
        return MALFORMED  # The lenient reader follows nesting with the machine's stack, which a client must not exhaust.
    try:
        value, _ = _DECODER.raw_decode(body.decode("utf-8", "replace").lstrip("\ufeff \t\r\n"))
    except (ValueError, RecursionError):
        return MALFORMED
    return value


def _text_member(value: Any) -> str:
    """A member as the node reads a text: numbers and flags have one, lists and objects do not."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    raise RpcFault(PARSE_ERROR, INVALID_JSON)


def parse_native(body: bytes) -> NativeRequest:
    """The request in a body of the native port. Raises RpcFault with -32700 or -32600 and the node's words."""
    root = parse_json(body)
    if type(root) is not dict:
        if root is MALFORMED or root is None:
            raise RpcFault(INVALID_REQUEST, INVALID_OBJECT)
        raise RpcFault(PARSE_ERROR, INVALID_JSON)
    if "jsonrpc" not in root or "method" not in root:
        raise RpcFault(INVALID_REQUEST, INVALID_OBJECT)
    jsonrpc = _text_member(root["jsonrpc"])
    method = _text_member(root["method"])
    try:
        request_id = as_int64(root.get("id"))
    except RpcFault:
        raise RpcFault(PARSE_ERROR, INVALID_JSON) from None
    params = root.get("params")
    if type(params) is not list:
        raise RpcFault(INVALID_REQUEST, INVALID_OBJECT)
    return jsonrpc, method, params, request_id


def to_json(value: Any) -> bytes:
    """The value as JSON with its members in alphabetical order.

    What a client can send and wants echoed may be beyond orjson: lone surrogates are escaped, what is nested too deeply becomes null.
    """
    try:
        return orjson.dumps(value, option=_SORTED)
    except TypeError:
        pass
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    except RecursionError:
        return b"null"


def result_bytes(result: Any, request_id: Any, jsonrpc: str = "2.0") -> bytes:
    """An answer with a result. `request_id` is any JSON value."""
    id_text = b"%d" % request_id if type(request_id) is int else to_json(request_id)
    version = b'"2.0"' if jsonrpc == "2.0" else to_json(jsonrpc)
    return b'{"id":%b,"jsonrpc":%b,"result":%b}' % (id_text, version, to_json(result))


def error_bytes(fault: RpcFault, request_id: Any, jsonrpc: str = "2.0") -> bytes:
    """An answer with an error."""
    error: dict[str, Any] = {"code": fault.code, "message": fault.message}
    if fault.data is not None:
        error["data"] = fault.data
    return to_json({"error": error, "id": request_id, "jsonrpc": jsonrpc})
