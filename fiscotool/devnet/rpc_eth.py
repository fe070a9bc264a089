"""The Ethereum JSON-RPC of FISCO BCOS 3.x (the web3 port): validated strictly, batches of up to eight.

Rule 1. A request has `jsonrpc`, `method`, `id`, may have `params`, and has nothing else; `id` is a text or a number and is echoed as
        given. Everything else is -32600 and names the field.
Rule 2. A batch is answered by a list in the order of its requests, a batch of one by a single object.
Rule 3. Methods may be answered late (a transaction) or in slices (a block); a batch waits for the last of them.

Sources: spec 3.x 2.6; recordings rpc/bad_input.jsonl.xz; bcos-rpc web3jsonrpc/Web3JsonRpcImpl.cpp, endpoints/EndpointsMapping.cpp.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import GeneratorType
from typing import Any, Final

from fiscotool.devnet import rpc_errors
from fiscotool.devnet.contracts import NodeFacade
from fiscotool.devnet.rpc_envelope import MALFORMED, error_bytes, parse_json, result_bytes
from fiscotool.devnet.rpc_errors import FAULTS, RpcFault, fault_of
from fiscotool.devnet.rpc_eth_chain import EthChain
from fiscotool.devnet.rpc_eth_methods import method_table
from fiscotool.devnet.rpc_exchange import Answer, Pending
from fiscotool.devnet.rpc_filters import Filters
from fiscotool.devnet.rpc_identity import RpcIdentity
from fiscotool.devnet.rpc_promise import Promise, sliced
from fiscotool.devnet.rpc_view import ChainView

__all__ = ["BATCH_MAX", "Web3Rpc"]

BATCH_MAX: Final = 8
"""The real node's default of `web3_rpc.batch_request_size_limit`."""

_REQUIRED: Final = ("jsonrpc", "method", "id")
_MISSING: Final = "Request not valid, required fields: jsonrpc, method, params, id"


def _is_valid(name: str, value: Any) -> bool:
    if name in {"jsonrpc", "method"}:
        return isinstance(value, str)
    if name == "params":
        return isinstance(value, list)
    return name == "id" and isinstance(value, (str, int, float)) and not isinstance(value, bool)


def _check(request: Any) -> None:
    """Raise RpcFault(-32600) for what is not a request."""
    if not isinstance(request, dict) or any(name not in request for name in _REQUIRED):
        raise RpcFault(rpc_errors.INVALID_REQUEST, _MISSING)
    for name in sorted(request):
        if not _is_valid(name, request[name]):
            raise RpcFault(rpc_errors.INVALID_REQUEST, f"Invalid field: {name}")


class Web3Rpc:
    """The methods of one node. `handle` is what the HTTP server calls."""

    def __init__(self, facade: NodeFacade, identity: RpcIdentity, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        view = ChainView(facade)
        filters = Filters(view, clock_s, fault_code=rpc_errors.SERVER_ERROR)
        self._methods = method_table(facade, identity, EthChain(view), filters)

    @property
    def method_names(self) -> frozenset[str]:
        """Every method that is known."""
        return frozenset(self._methods)

    def handle(self, body: bytes) -> Answer:
        """Answer one body: a request or a batch."""
        root = parse_json(body)
        if root is MALFORMED:
            return error_bytes(RpcFault(rpc_errors.INVALID_REQUEST, "Parse json failed"), None)
        if not isinstance(root, list):
            return self._answer(root)
        if not root:
            return error_bytes(RpcFault(rpc_errors.INVALID_REQUEST, "The request array is empty"), None)
        if len(root) > BATCH_MAX:
            fault = RpcFault(rpc_errors.INVALID_REQUEST, f"The request array is too large: at most {BATCH_MAX} requests")
            return error_bytes(fault, None)
        return self._answer(root[0]) if len(root) == 1 else _gathered([self._answer(one) for one in root])

    def _answer(self, request: Any) -> Answer:
        request_id = request.get("id") if isinstance(request, dict) else None
        try:
            _check(request)
            method = self._methods.get(request["method"])
            if method is None:
                raise RpcFault(rpc_errors.METHOD_NOT_FOUND, "Method not found")
            result = method(request.get("params", []))
            if isinstance(result, GeneratorType):
                result = sliced(result)
        except FAULTS as problem:
            return error_bytes(fault_of(problem), request_id)
        if type(result) is not Promise:
            return result_bytes(result, request_id)
        pending = Pending()

        def on_done(value: Any, fault: RpcFault | None) -> None:
            pending.complete(result_bytes(value, request_id) if fault is None else error_bytes(fault, request_id))

        result.then(on_done)
        return pending if pending.answer is None else pending.answer


def _gathered(answers: list[Answer]) -> Answer:
    """One answer of several, there when the last of them is."""

    def joined() -> bytes | None:
        texts = [answer.answer if isinstance(answer, Pending) else answer for answer in answers]
        present = [text for text in texts if text is not None]
        return b"[" + b",".join(present) + b"]" if len(present) == len(texts) else None

    done = joined()
    if done is not None:
        return done
    whole = Pending()

    def on_one() -> None:
        text = joined()
        if text is not None:
            whole.complete(text)

    for answer in answers:
        if isinstance(answer, Pending) and answer.answer is None:
            answer.deliver = on_one
    return whole
