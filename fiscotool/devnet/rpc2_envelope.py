"""JSON texts of requests and answers as the JSON-RPC port of a 2.x node reads and writes them.

Rule 1. A request is an object with "jsonrpc" 2.0, a text `method`, an `id` that is an integer, a text or null, and `params` that are a
        list, an object, null or absent. Anything else is -32600, with the id if that was fit to be one.
Rule 2. A request without `id` is a notification; every method here is none, so it is refused (-32604).
Rule 3. A list of requests is answered by the list of their answers; an empty one is -32600.
Rule 4. An answer ends in a newline. What the library refuses has no `data`; what a method refuses has `data` null (recorded).

Deviation: for lists nested too deeply the real node answers a line that is no JSON; here that is -32700.

Sources: spec 2.x 2.1, 2.2; recordings v2/rpc/bad_input; libjson-rpc-cpp `RpcProtocolServerV2`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from fiscotool.devnet.rpc_envelope import MALFORMED, parse_json, to_json

__all__ = [
    "INVALID_PARAMS_TEXT",
    "Fault2",
    "Request2",
    "answer_bytes",
    "error_object",
    "id_of",
    "parse_body",
    "read_request",
    "result_object",
]

_TEXTS: Final = {
    -32700: "JSON_PARSE_ERROR: The JSON-Object is not JSON-Valid",
    -32600: "INVALID_JSON_REQUEST: The JSON sent is not a valid JSON-RPC Request object",
    -32601: "METHOD_NOT_FOUND: The method being requested is not available on this server",
    -32602: "INVALID_PARAMS: Invalid method parameters (invalid name and/or type) recognised",
    -32604: "PROCEDURE_IS_METHOD: The requested notification is declared as a method",
}
INVALID_PARAMS_TEXT: Final = _TEXTS[-32602]
_INTERNAL: Final = "INTERNAL_ERROR: : INTERNAL_ERROR: : "
_UINT64_END: Final = 1 << 64
_INT64_LEAST: Final = -(1 << 63)


class Fault2(Exception):
    """A refusal. `by_library`: made before the method was reached (Rule 4)."""

    def __init__(self, code: int, message: str = "", *, by_library: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message or _TEXTS[code]
        self.by_library = by_library

    @classmethod
    def of_library(cls, code: int) -> Fault2:
        """What the library refuses."""
        return cls(code, by_library=True)

    @classmethod
    def internal(cls, what: str) -> Fault2:
        """-32603 with the words that tell what it was. The real node's text holds lines of its compiler's making, too."""
        return cls(-32603, f"{_INTERNAL}{what}\n")


@dataclass(frozen=True, slots=True)
class Request2:
    """A request that is well-formed. `params` is a list, or None for anything else that was allowed."""

    request_id: Any
    method: str
    params: list[Any] | None


def _is_id(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return value is None or isinstance(value, str) or (isinstance(value, int) and _INT64_LEAST <= value < _UINT64_END)


def parse_body(body: bytes) -> Any:
    """The JSON value of a body. Raises Fault2(-32700)."""
    root = parse_json(body)
    if root is MALFORMED:
        raise Fault2.of_library(-32700)
    return root


def id_of(value: Any) -> Any:
    """The id an answer to this value has."""
    found = value.get("id") if type(value) is dict else None
    return found if _is_id(found) else None


def read_request(value: Any) -> Request2:
    """The request in one object. Raises Fault2 (Rules 1 and 2)."""
    if type(value) is not dict:
        raise Fault2.of_library(-32600)
    params, method = value.get("params"), value.get("method")
    is_right = (
        isinstance(method, str)
        and value.get("jsonrpc") == "2.0"
        and _is_id(value.get("id"))
        and (params is None or isinstance(params, (list, dict)))
    )
    if not is_right:
        raise Fault2.of_library(-32600)
    return Request2(value.get("id"), str(method), params if isinstance(params, list) else None)


def result_object(request_id: Any, result: Any) -> dict[str, Any]:
    """An answer with a result."""
    return {"id": request_id, "jsonrpc": "2.0", "result": result}


def error_object(request_id: Any, fault: Fault2) -> dict[str, Any]:
    """An answer with an error (Rule 4)."""
    error: dict[str, Any] = {"code": fault.code, "message": fault.message}
    if not fault.by_library:
        error["data"] = None
    return {"error": error, "id": request_id, "jsonrpc": "2.0"}


def answer_bytes(answer: Any) -> bytes:
    """The text of an answer, or of a list of them."""
    return to_json(answer) + b"\n"
