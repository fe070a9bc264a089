"""No recorded answer is left unparsed: every result of every recording of both chains, in the type its method has, with nothing left over.

Sources: recordings v2/rpc, v2/timeline, v2/headers_all_nodes; v3/rpc, v3/timeline, v3/blocks_full_node0.
"""

from __future__ import annotations

import json
import lzma
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fiscotool.errors import Refused
from fiscotool.rpc.codec import Asked, RawAnswer, load_json, parse_answer
from fiscotool.rpc.dialect import Dialect
from fiscotool.rpc.eth_replies import eth_block, eth_logs, eth_receipt, eth_text, eth_transaction, quantity
from fiscotool.rpc.members import as_flag, as_list
from fiscotool.rpc.methods import METHODS
from fiscotool.rpc.methods2 import METHODS2
from fiscotool.rpc.neutral2 import block_of, consensus_of, sync_of
from fiscotool.rpc.refusals import KnownRefusal
from fiscotool.rpc.replies2_chain import block2
from fiscotool.rpc.replies2_status import consensus_status2, sync_status2
from fiscotool.rpc.replies_ledger import block
from fiscotool.rpc.replies_receipt import receipt
from tests.rpc.fake_server import recorded
from tests.rpc.leftovers import unparsed
from tests.rpc.recorded2 import body_of, rows2
from tests.support.shared import shared


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    with lzma.open(path, "rb") as lines:
        for line in lines:
            yield load_json(line)


def method_in(request: Any) -> str:
    """The method a request names, also one that is followed by garbage, as some recorded ones are."""
    found = re.search(r'"method": ?"(\w+)"', request if isinstance(request, str) else json.dumps(request))
    assert found is not None, request
    return found.group(1)


def flag_or_object(value: Any) -> Any:
    return value if isinstance(value, dict) else as_flag(value, "the result")


def texts(value: Any) -> list[Any]:
    return as_list(value, "the result")


def transaction(value: Any) -> Any:
    return eth_transaction(value)


ETHEREUM: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("eth_getBlockByNumber", "eth_getBlockByHash"), eth_block),
    **dict.fromkeys(
        ("eth_getTransactionByHash", "eth_getTransactionByBlockHashAndIndex", "eth_getTransactionByBlockNumberAndIndex"), transaction
    ),
    "eth_getTransactionReceipt": eth_receipt,
    **dict.fromkeys(("eth_getLogs", "eth_getFilterLogs", "eth_getFilterChanges"), eth_logs),
    **dict.fromkeys(("eth_syncing", "eth_mining", "net_listening", "eth_uninstallFilter"), flag_or_object),
    "eth_accounts": texts,
}
"""Parser by method; the rest answers a quantity or a text."""


def quantity_or_text(value: Any) -> Any:
    return eth_text(value) if isinstance(value, str) else quantity(value)


def test_every_recorded_result_of_2x() -> None:
    parsed: Counter[str] = Counter()
    for row in rows2("reads_fresh_chain_height0", "reads_4nodes", "bad_input.bad"):
        if not isinstance(row["response"], dict) or "result" not in row["response"] or not row["request"]:
            continue
        method = METHODS2[method_in(row["request"])]
        reply = method.parse(load_json(body_of(row))["result"])
        assert unparsed(reply) == [], (row["request"], unparsed(reply))
        parsed[method.name] += 1
    assert len(parsed) >= 30, sorted(set(METHODS2) - set(parsed))
    assert sum(parsed.values()) > 300


@pytest.mark.parametrize("name", ["read_methods_genesis", "read_methods_with_blocks", "bad_input"])
def test_every_recorded_result_of_3x(name: str) -> None:
    parsed: Counter[str] = Counter()
    refused = 0
    for row in recorded(name):
        if row["response_raw"] == "" or not isinstance(row["response"], dict):
            continue
        is_ethereum = row["api"] == "web3"
        if "error" in row["response"]:
            dialect = Dialect.ETHEREUM if is_ethereum else Dialect.FISCO3
            with pytest.raises(Refused) as caught:
                parse_answer(RawAnswer(200, row["response_raw"].encode("utf-8", "surrogatepass")), Asked("x", 1, "node0", dialect))
            assert caught.value.code == row["response"]["error"]["code"]
            assert is_ethereum or (isinstance(caught.value, KnownRefusal) and caught.value.hint)
            refused += 1
            continue
        method = method_in(row["request"])
        if is_ethereum:
            ETHEREUM.get(method, quantity_or_text)(row["response"]["result"])
        else:
            reply = METHODS[method].parse(row["response"]["result"])
            assert unparsed(reply) == [], (row["request"], unparsed(reply))
        parsed[method] += 1
    assert refused > 10
    assert sum(parsed.values()) > (10 if name == "bad_input" else 300), parsed


@pytest.mark.parametrize("name", ["04_kill9_leader_tx5", "11_fullstop_start_tx5"])
def test_every_status_in_a_timeline_of_2x(name: str) -> None:
    statuses = syncs = 0
    for row in rows_of(shared("recordings", "v2", "timeline", f"{name}.jsonl.xz")):
        told = row.get("consensus")
        if isinstance(told, list):
            status = consensus_status2(told)
            assert unparsed(status) == []
            neutral = consensus_of(status)
            assert (neutral.height, neutral.view, neutral.node_id) == (status.height, status.view, status.node_id)
            assert neutral.leader_index is None or neutral.leader_index == ((status.view or 0) + status.height) % 4
            statuses += 1
        told = row.get("getSyncStatus")
        if isinstance(told, dict) and "_neterr" not in told:
            sync = sync_status2(told)
            assert unparsed(sync) == []
            assert sync_of(sync).height == sync.height
            syncs += 1
    assert statuses > 900
    assert syncs > 200 or name.startswith("04")


@pytest.mark.parametrize("name", ["kill9_two_idle", "expand_node4_observer_sealer_remove_txs"])
def test_every_status_in_a_timeline_of_3x(name: str) -> None:
    parsed: Counter[str] = Counter()
    for row in rows_of(shared("recordings", "v3", "timeline", f"{name}.jsonl.xz")):
        response = row.get("response")
        if isinstance(response, dict) and "result" in response:
            method = row.get("method", "sendTransaction")
            reply = METHODS[method].parse(response["result"])
            assert unparsed(reply) == []
            parsed[method] += 1
    assert min(parsed[method] for method in ("getConsensusStatus", "getPbftView", "getBlockNumber")) > 500


def test_every_recorded_header_of_2x_in_words_of_both_generations() -> None:
    count = 0
    for row in rows_of(shared("recordings", "v2", "headers_all_nodes.jsonl.xz")):
        header = block2(row["response"]["result"])
        assert unparsed(header) == []
        neutral = block_of(header, only_hashes=True)
        assert (neutral.number, neutral.sealer, len(neutral.signatures)) == (row["height"], header.sealer, len(header.signatures or ()))
        count += 1
    assert count > 3300


def test_every_recorded_block_and_receipt_of_3x() -> None:
    blocks = receipts = 0
    for row in rows_of(shared("recordings", "v3", "blocks_full_node0.jsonl.xz")):
        told = block(row["block"]["result"])
        assert unparsed(told) == []
        assert told.number == row["height"]
        blocks += 1
        for answer in row["receipts"]:
            reply = receipt(answer.get("result", answer))
            assert unparsed(reply) == []
            receipts += 1
    assert blocks > 90
    assert receipts > 100
