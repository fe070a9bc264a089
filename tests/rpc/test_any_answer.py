"""Whatever bytes come back, the client ends in a reply or in an RpcError: never in another exception.

Theorems, for any bytes and any JSON; the shapes near to real answers come from mutating recorded ones.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiscotool.errors import RpcError
from fiscotool.rpc.aio.lane import judge_answer
from fiscotool.rpc.client import NodeClient
from fiscotool.rpc.codec import Asked, RawAnswer, parse_answer
from fiscotool.rpc.eth_replies import eth_block, eth_logs, eth_receipt, eth_transaction
from fiscotool.rpc.members import UnexpectedShape
from fiscotool.rpc.methods import METHODS
from tests.rpc.fake_server import recorded

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "result", "error", "code", "message", "number", "hash", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)
ASKED = Asked("getBlockNumber", 1, "node0")


@given(st.binary(max_size=200))
def test_any_bytes(body: bytes) -> None:
    with contextlib.suppress(RpcError):
        parse_answer(RawAnswer(200, body), ASKED)
    assert judge_answer(body)[0] in ("committed", "refused", "unknown")


@given(JSON)
def test_any_json(value: Any) -> None:
    body = json.dumps(value).encode()
    with contextlib.suppress(RpcError):
        parse_answer(RawAnswer(200, body), ASKED)
    assert judge_answer(body)[0] in ("committed", "refused", "unknown")


class Canned:
    """A transport that answers with one result."""

    def __init__(self, result: Any) -> None:
        self.result = result

    def post(self, _body: bytes, *, asked: Asked, timeout_s: float, may_repeat: bool) -> RawAnswer:
        return RawAnswer(200, json.dumps({"id": asked.request_id, "jsonrpc": "2.0", "result": self.result}).encode())

    def close(self) -> None:
        """Nothing to close."""


@pytest.mark.parametrize("method", sorted(METHODS))
@given(value=JSON)
@settings(max_examples=40)
def test_any_result_of_any_method(method: str, value: Any) -> None:
    with contextlib.suppress(RpcError):
        NodeClient("http://127.0.0.1:1", transport=Canned(value)).typed_call(method, ())


def mutations(value: Any, replacement: Any) -> list[Any]:
    """`value` with each of its parts, however deep, replaced in turn; also inside JSON texts."""
    found: list[Any] = [replacement]
    if isinstance(value, dict):
        for name, inner in value.items():
            found += [value | {name: changed} for changed in mutations(inner, replacement)]
            found.append({other: kept for other, kept in value.items() if other != name})
    elif isinstance(value, list) and value:
        found += [[changed, *value[1:]] for changed in mutations(value[0], replacement)]
    elif isinstance(value, str) and value[:1] == "{":
        found += [json.dumps(changed) for changed in mutations(json.loads(value), replacement)]
    return found


@pytest.mark.parametrize("replacement", [None, 5, "x", True, [], {}, [[1]], {"a": 1}, 1.5, "0xzz"], ids=repr)
def test_recorded_results_with_one_part_replaced(replacement: Any) -> None:
    """A reply or UnexpectedShape, and after a type error in a required member never a reply of the wrong type."""
    parsers = {name: method.parse for name, method in METHODS.items()}
    parsers |= {
        "eth_getBlockByNumber": eth_block,
        "eth_getTransactionByHash": eth_transaction,
        "eth_getTransactionReceipt": eth_receipt,
        "eth_getLogs": eth_logs,
    }
    done: set[str] = set()
    tried = 0
    for row in recorded("read_methods_with_blocks"):
        name = json.loads(row["request"])["method"]
        if name in done or name not in parsers or "result" not in row["response"]:
            continue
        done.add(name)
        for mutant in mutations(row["response"]["result"], replacement)[:600]:
            tried += 1
            with contextlib.suppress(UnexpectedShape):
                parsers[name](mutant)
    assert len(done) >= 18
    assert tried > 300
