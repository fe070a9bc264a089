"""Every recorded request is sent to the embedded node's RPC, and its answer compared with what the real node said.

The node behind it is the recorded chain itself, block by block and node by node (tests/devnet/rpc_world.py), so that values are compared
and not only shapes. tests/e2e/test_rpc_contract.py does the same against real processes, where only shapes can be.
"""

from __future__ import annotations

import asyncio
import json
import lzma
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from fiscotool.devnet.rpc_servers import RpcServers, start_rpc
from tests.devnet.rpc_world import World, identity, recorded_world
from tests.recordings.contract import LEFT_OUT, TREATMENTS, How, differences, format_of, judge, left_out, method_of
from tests.recordings.exchange import Reply, exchange
from tests.support.shared import ROOT, shared

FILES = {"bad_input": 0, "read_methods_genesis": 0, "read_methods_with_blocks": 9}
"""Recording and the height of the chain when it was made."""

IGNORED_HEADERS = {"Server", "Content-Length"}


@cache
def rows(name: str) -> tuple[dict[str, Any], ...]:
    with lzma.open(shared("recordings", "v3", "rpc", f"{name}.jsonl.xz"), "rt") as file:
        return tuple(json.loads(line) for line in file)


def result_of(name: str, node: int, api: str, method: str) -> Any:
    """The recorded result of a call that was made of this node."""
    found = next(row for row in rows(name) if row["node"] == node and row["api"] == api and method_of(row) == method)
    return found["response"]["result"]


def world_of(name: str, node: int) -> World:
    """The recorded chain as `node` saw it when `name` was recorded."""
    source = "read_methods_genesis" if name == "bad_input" else name
    status = json.loads(result_of(source, node, "fisco", "getConsensusStatus"))
    sync = json.loads(result_of(source, node, "fisco", "getSyncStatus"))
    world = recorded_world(bytes.fromhex(status["nodeID"]), FILES[name], bytes.fromhex(sync["genesisHash"]))
    world.view = status["view"]
    return world


async def answers_of(name: str) -> list[tuple[dict[str, Any], Reply]]:
    servers: dict[int, RpcServers] = {}
    try:
        for node in sorted({row["node"] for row in rows(name)}):
            world = world_of(name, node)
            servers[node] = await start_rpc(world, identity(world), host="127.0.0.1", native_port=0, web3_port=0)
        found = []
        for row in rows(name):
            server = servers[row["node"]]
            listener = server.native if row["api"] == "fisco" else server.web3
            assert listener is not None
            found.append((row, await exchange(listener.port, row)))
        return found
    finally:
        for server in servers.values():
            await server.close()


def http_problems(row: dict[str, Any], reply: Reply) -> list[str]:
    """What is wrong with status and headers."""
    problems = [] if reply.status == row["http_status"] else [f"status {reply.status}, recorded {row['http_status']}"]
    expected = {name: value for name, value in row["response_headers"].items() if name not in IGNORED_HEADERS}
    got = {name: value for name, value in reply.headers.items() if name not in IGNORED_HEADERS}
    problems += [f"headers {got}, recorded {expected}"] if got != expected else []
    if row.get("http_method") != "HEAD" and reply.headers["Content-Length"] != str(len(reply.body)):
        problems.append("Content-Length is not the length of the body")
    if row["response_headers"].get("Connection") == "close" and not reply.is_closed:
        problems.append("the connection stays open")
    return problems


@pytest.mark.parametrize("name", FILES)
def test_every_recorded_request_is_answered_as_the_real_node_did(name: str) -> None:
    wrong: list[str] = []
    counts: Counter[str] = Counter()
    for row, reply in asyncio.run(answers_of(name)):
        if left_out(row) is not None:
            counts["left out"] += 1
            continue
        counts["compared"] += 1
        problems = http_problems(row, reply)
        if row.get("http_method") == "HEAD" or row["http_status"] == 204:
            problems += [] if reply.body == b"" else ["a body where none belongs"]
        else:
            problems += judge(row, json.loads(reply.body))
            if not list(differences(row["response"], json.loads(reply.body))) and reply.body.decode() != row["response_raw"]:
                ascii_only = all(ord(character) < 128 for character in row["response_raw"])
                problems += ["the JSON text is written differently"] if ascii_only else []
        wrong += [f"{row['api']} {row.get('note', '')} {row['request']!r:.200}: {problem}" for problem in problems]
    assert not wrong, f"{len(wrong)} differences:\n" + "\n".join(wrong[:40])
    assert counts["compared"] + counts["left out"] == len(rows(name))
    assert counts == EXPECTED_COUNTS[name]


EXPECTED_COUNTS = {
    "bad_input": Counter({"compared": 137}),
    "read_methods_genesis": Counter({"compared": 516, "left out": 8}),
    "read_methods_with_blocks": Counter({"compared": 576, "left out": 16}),
}


# The comparer can say no.


def _row(api: str, method: str) -> dict[str, Any]:
    return next(row for row in rows("read_methods_with_blocks") if row["api"] == api and method_of(row) == method)


def _as_text(answer: dict[str, Any]) -> None:
    answer["result"]["timestamp"] = str(answer["result"]["timestamp"])


def _without_member(answer: dict[str, Any]) -> None:
    del answer["result"]["parentInfo"]


def _with_member(answer: dict[str, Any]) -> None:
    answer["result"]["extra"] = 1


def _other_value(answer: dict[str, Any]) -> None:
    answer["result"]["gasUsed"] = "0x2c"


def _short_signature(answer: dict[str, Any]) -> None:
    answer["result"]["signatureList"][0]["signature"] += "00"


def _fewer_signatures(answer: dict[str, Any]) -> None:
    del answer["result"]["signatureList"][0]


def _other_id(answer: dict[str, Any]) -> None:
    answer["id"] = 0


@pytest.mark.parametrize("plant", [_as_text, _without_member, _with_member, _other_value, _short_signature, _fewer_signatures, _other_id])
def test_a_planted_fault_in_a_block_is_found(plant: Callable[[dict[str, Any]], None]) -> None:
    row = next(row for row in rows("read_methods_with_blocks") if method_of(row) == "getBlockByNumber" and '"", 9, true' in row["request"])
    for node in (0, 1):
        answer = json.loads(json.dumps(row["response"]))
        assert judge(row | {"node": node}, answer) == []
        plant(answer)
        assert judge(row | {"node": node}, answer) != []


@pytest.mark.parametrize(
    ("name", "value"),
    [("blockNumber", "9"), ("connectedNodeList", [1]), ("timeout", 0), ("view", 4.0), ("hash", "0x00"), ("index", 2**63)],
)
def test_a_planted_fault_inside_the_status_text_is_found(name: str, value: Any) -> None:
    row = _row("fisco", "getConsensusStatus")
    status = json.loads(row["response"]["result"])
    status[name] = value
    answer = row["response"] | {"result": json.dumps(status) + "\n"}
    assert len(judge(row, answer)) == 1


def test_a_status_that_is_an_object_instead_of_a_text_is_found() -> None:
    row = _row("fisco", "getSyncStatus")
    assert judge(row, row["response"] | {"result": json.loads(row["response"]["result"])}) != []


@pytest.mark.parametrize(("code", "message"), [(3009, None), (None, "something else"), (-32600, None)])
def test_another_error_is_found(code: int | None, message: str | None) -> None:
    row = next(row for row in rows("bad_input") if row.get("note") == "short hash" and row["api"] == "fisco")
    error = dict(row["response"]["error"])
    error |= {"code": code} if code is not None else {"message": message}
    assert judge(row, row["response"] | {"error": error}) != []


def test_an_id_is_only_free_where_the_real_node_did_not_understand_the_request() -> None:
    garbage = next(row for row in rows("bad_input") if row.get("note") == "malformed JSON (text)" and row["api"] == "fisco")
    assert judge(garbage, garbage["response"] | {"id": 0}) == []
    assert judge(garbage, garbage["response"] | {"id": 1}) != []
    understood = next(row for row in rows("bad_input") if row.get("note") == "unknown method" and row["api"] == "fisco")
    assert judge(understood, understood["response"] | {"id": 0}) != []


def test_formats_tell_what_they_must() -> None:
    assert format_of("0x" + "a" * 64) != format_of("0x" + "a" * 62)
    assert format_of("a" * 64) != format_of("0x" + "a" * 64)
    assert len({format_of(value) for value in (1, "1", "0x1", 1.0, True, None, "", "one")}) == 8


def test_every_treatment_and_every_left_out_request_is_used_and_documented() -> None:
    text = (ROOT / "docs" / "rpc.md").read_text()
    every = [row for name in FILES for row in rows(name)]
    for entry in LEFT_OUT:
        assert any(left_out(row) is entry for row in every), entry
        assert entry.method in text
    for treatment in TREATMENTS:
        assert any(treatment.api in {row["api"], "*"} for row in every)
        assert f"| {treatment.row} |" in text, treatment.row
    assert {treatment.how for treatment in TREATMENTS} == set(How)
