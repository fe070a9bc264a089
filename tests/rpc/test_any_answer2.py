"""Whatever a 2.x node, its channel, or something in its place says, what reads it ends in a reply or in an error of ours."""

from __future__ import annotations

import contextlib
import functools
import json
import lzma
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiscotool.errors import RpcError
from fiscotool.observer.blocks import BlockReader, ToldBlock, is_block, words_of
from fiscotool.observer.questions import QUESTIONS2, WrongShape
from fiscotool.rpc.aio.lane import judge_answer2, judge_answer_ethereum
from fiscotool.rpc.channel import words
from fiscotool.rpc.client2 import NodeClient2
from fiscotool.rpc.codec import Asked, RawAnswer, parse_answer
from fiscotool.rpc.dialect import Dialect
from fiscotool.rpc.members import UnexpectedShape
from fiscotool.rpc.methods2 import METHODS2
from tests.rpc.recorded2 import READS, rows2
from tests.rpc.test_any_answer import JSON, Canned, mutations
from tests.support.shared import shared

NEUTRAL = {
    "getConsensusStatus": lambda client: client.consensus_status(),
    "getSyncStatus": lambda client: client.sync_status(),
    "getSealerList": lambda client: client.sealers(),
    "getBlockHeaderByNumber": lambda client: client.block(1, only_header=True),
    "getTransactionByHash": lambda client: client.transaction("0x00"),
    "getTransactionReceipt": lambda client: client.receipt("0x00"),
    "getTotalTransactionCount": lambda client: client.total_count(),
    "getSystemConfigByKey": lambda client: client.system_config("x"),
}
"""The words of both generations that one answer of 2.x is enough for."""
REPLACEMENTS = [None, 5, -1, 2**70, "x", True, [], {}, [[1]], {"a": 1}, 1.5, "0xzz", "0x-1", "9" * 5000]


def client_of(result: Any) -> NodeClient2:
    """A client whose node answers everything with `result`."""
    return NodeClient2("http://127.0.0.1:1", transport=Canned(result))


@given(st.binary(max_size=200))
def test_any_bytes(body: bytes) -> None:
    with contextlib.suppress(RpcError):
        parse_answer(RawAnswer(200, body), Asked("getBlockNumber", 1, "node0", Dialect.FISCO2))
    for judge in (judge_answer2, judge_answer_ethereum):
        assert judge(body)[0] in ("accepted", "refused", "unknown")


@pytest.mark.parametrize("method", sorted(METHODS2))
@given(value=JSON)
@settings(max_examples=25)
def test_any_result_of_any_method(method: str, value: Any) -> None:
    with contextlib.suppress(RpcError):
        client_of(value).typed_call(method, ())
    if method in NEUTRAL:
        with contextlib.suppress(RpcError):
            NEUTRAL[method](client_of(value))


@functools.cache
def recorded_results() -> dict[str, Any]:
    """One recorded result a method, the longest."""
    found: dict[str, Any] = {}
    for row in rows2(*READS):
        name = json.loads(row["request"])["method"]
        if "result" in row["response"] and len(json.dumps(row["response"]["result"])) > len(json.dumps(found.get(name, ""))):
            found[name] = row["response"]["result"]
    return found


@pytest.mark.parametrize("replacement", REPLACEMENTS, ids=lambda value: repr(value)[:20])
def test_recorded_results_with_one_part_replaced(replacement: Any) -> None:
    tried = 0
    questions = {question.method: question for question in QUESTIONS2}
    for name, result in recorded_results().items():
        for mutant in mutations(result, replacement)[:300]:
            tried += 1
            with contextlib.suppress(UnexpectedShape):
                METHODS2[name].parse(mutant)
            if name in NEUTRAL:
                with contextlib.suppress(RpcError):
                    NEUTRAL[name](client_of(mutant))
            if name in questions:
                with contextlib.suppress(UnexpectedShape, WrongShape):
                    assert isinstance(questions[name].read(mutant), dict)
    assert tried > 300


@functools.cache
def recorded_header() -> dict[str, Any]:
    with lzma.open(shared("recordings", "v2", "headers_all_nodes.jsonl.xz"), "rt") as lines:
        rows = [json.loads(next(lines)) for _ in range(4)]
    header: dict[str, Any] = rows[3]["response"]["result"]
    return header


@pytest.mark.parametrize("replacement", REPLACEMENTS, ids=lambda value: repr(value)[:20])
def test_blocks_with_one_part_replaced_are_read_and_do_not_pass_for_whole(replacement: Any) -> None:
    header = recorded_header()
    whole = header["hash"][2:]
    for mutant in mutations(header, replacement):
        if not is_block(mutant) or mutant == header:
            continue
        (seen,) = BlockReader().read_all([ToldBlock("node0", 0.0, 1, mutant, words_of(mutant))])
        changed = {name for name in header if header[name] != mutant.get(name, ...)}
        if changed <= {"signatureList"}:
            assert seen.recomputed_hash in (whole, "")
            assert not all(entry.is_valid for entry in seen.signatures) or len(seen.signatures) < 3
        elif seen.recomputed_hash == seen.block_hash:
            assert changed == {"extraData"}, changed
            assert not mutant.get("extraData"), "an empty list may be told as null"


@given(JSON)
def test_any_notice_of_the_channel(value: Any) -> None:
    data = json.dumps(value).encode()
    for read in (words.read_handshake, words.read_tx_notice, words.read_block_notice):
        for raw in (data, b"\x10_block_notify_1" + data):
            with contextlib.suppress(UnexpectedShape):
                read(raw)
    assert words.is_heartbeat_question(data) in (True, False)


@given(st.binary(max_size=60))
def test_any_bytes_of_the_channel(data: bytes) -> None:
    for read in (words.read_handshake, words.read_tx_notice, words.read_block_notice):
        with contextlib.suppress(UnexpectedShape):
            read(data)
    words.is_heartbeat_question(data)
