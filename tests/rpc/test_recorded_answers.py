"""The typed clients understand every answer a real 3.16.4 node was recorded to give, over a real socket, with nothing left over.

Source: recordings/v3/rpc (spec 3.x 2.3 to 2.6).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fiscotool.errors import MalformedAnswer, Refused
from fiscotool.rpc.client import NodeClient
from fiscotool.rpc.codec import Asked, RawAnswer, parse_answer
from fiscotool.rpc.dialect import Dialect
from fiscotool.rpc.eth_client import EthClient
from fiscotool.rpc.eth_replies import EthBlock, EthReceipt, EthTransaction, eth_block, eth_receipt, eth_transaction
from fiscotool.rpc.methods import METHODS
from fiscotool.rpc.refusals import BlockNotFound, InsufficientFunds, KnownRefusal, LedgerWrongArgument, MethodNotFound, NotStored
from tests.rpc.fake_server import FakeServer, http_answer, key_of, recorded, recorded_behaviour, serving
from tests.rpc.leftovers import unparsed
from tests.support.shared import shared

READS = ("read_methods_genesis", "read_methods_with_blocks")


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return recorded(*READS)


@pytest.fixture(scope="module")
def node(rows: list[dict[str, Any]]) -> Iterator[FakeServer]:
    with serving(recorded_behaviour([row for row in rows if row["api"] == "fisco"])) as server:
        yield server


@pytest.mark.parametrize("name", READS)
def test_every_native_read_is_parsed_with_nothing_left_over(name: str) -> None:
    seen: set[str] = set()
    refused = 0
    answers = {key_of(row["request"]): row for row in recorded(name) if row["api"] == "fisco"}
    with serving(recorded_behaviour(list(answers.values()))) as server, NodeClient(server.url, name="node0") as client:
        for row in answers.values():
            asked = json.loads(row["request"])
            method = METHODS.get(asked["method"])
            if method is None:
                with pytest.raises(MethodNotFound):
                    client.call(asked["method"], asked["params"])
                continue
            leading = len(client._leading(method))
            params = tuple(asked["params"][leading:])
            if "error" in row["response"]:
                with pytest.raises(KnownRefusal) as caught:
                    client.typed_call(method.name, params)
                assert caught.value.hint
                refused += 1
                continue
            reply = client.typed_call(method.name, params)
            assert unparsed(reply) == [], (method.name, unparsed(reply))
            seen.add(method.name)
    assert refused >= 10
    assert len(seen) >= 18, sorted(set(METHODS) - seen)


def test_all_recorded_rows_of_both_apis_are_results_or_known_refusals(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        asked = json.loads(row["request"])
        answer = RawAnswer(row["http_status"], row["response_raw"].encode("utf-8", "surrogatepass"))
        question = Asked(asked["method"], 1, "node0", dialect=Dialect.ETHEREUM if row["api"] == "web3" else Dialect.FISCO3)
        if "error" not in row["response"]:
            assert parse_answer(answer, question) == row["response"]["result"]
            continue
        with pytest.raises(Refused) as caught:
            parse_answer(answer, question)
        assert caught.value.code == row["response"]["error"]["code"]
        assert "\n" not in caught.value.message
        assert len(caught.value.message) < 700


ETH_PARSERS: dict[str, Callable[[Any], EthBlock | EthTransaction | EthReceipt | None]] = {
    "eth_getBlockByNumber": eth_block,
    "eth_getBlockByHash": eth_block,
    "eth_getTransactionByHash": eth_transaction,
    "eth_getTransactionByBlockHashAndIndex": eth_transaction,
    "eth_getTransactionByBlockNumberAndIndex": eth_transaction,
    "eth_getTransactionReceipt": eth_receipt,
}


def test_every_ethereum_object_is_parsed(rows: list[dict[str, Any]]) -> None:
    objects = 0
    for row in rows:
        asked = json.loads(row["request"])
        parse = ETH_PARSERS.get(asked["method"])
        if row["api"] == "web3" and parse is not None and "result" in row["response"]:
            told = row["response"]["result"]
            parsed = parse(told)
            assert (parsed is None) == (told is None)
            if parsed is not None:
                objects += 1
                assert getattr(parsed, "extra", {}).keys() <= {"r", "s", "v", "maxFeePerGas", "maxPriorityFeePerGas"}
    assert objects > 40


def test_the_ethereum_client_speaks_to_a_recorded_node(rows: list[dict[str, Any]]) -> None:
    with serving(recorded_behaviour([row for row in rows if row["api"] == "web3"])) as server:
        client = EthClient(server.url, name="node0")
        assert client.chain_id() == 20200
        assert client.client_version().startswith("FISCO-BCOS-Web3RPC/3.16.4")
        assert client.call("net_peerCount") == 4
        block = client.block("latest")
        assert block is not None
        assert block.number == client.block_number()
        assert client.transaction("0x" + "11" * 32) is None
        with pytest.raises(Refused, match="Method not found"):
            client.call("eth_feeHistory")
        client.close()


def test_known_values_of_the_recorded_chain(node: FakeServer) -> None:
    with NodeClient(node.url) as client:
        status = client.consensus_status()
        assert status.node_count == 4
        assert status.quorum_weight == 3
        assert status.faulty_weight_max == 1
        assert status.connected_count == 4
        assert [entry.index for entry in status.nodes] == [0, 1, 2, 3]
        assert sorted(entry.node_id for entry in status.nodes) == [entry.node_id for entry in status.nodes]
        group = client.group_info()
        assert group is not None
        assert group.nodes[0].version == "3.16.4"
        assert group.genesis.leader_period_blocks == 1
        assert client.group_list().groups == ("group0",)
        assert len(client.peers().peers) == 3
        assert all(peer.node_ids for peer in client.peers().peers)
        assert client.block_hash(0) != client.block(0).block_hash, "the stored genesis hash differs from the header's (recorded)"
        with pytest.raises(LedgerWrongArgument):
            client.block(-1)
        with pytest.raises(NotStored, match="consensus_timeout"):
            client.system_config("consensus_timeout")


def test_bad_input_is_answered_by_refusals_whatever_id_they_carry() -> None:
    """The id of an answer to an unreadable request is uninitialised memory; it must still be read as the refusal it is."""
    strange_ids = 0
    for row in recorded("bad_input"):
        if "response" not in row or not isinstance(row["response"], dict) or "error" not in row["response"]:
            continue
        answer = RawAnswer(row["http_status"], row["response_raw"].encode())
        with pytest.raises(Refused) as caught:
            parse_answer(answer, Asked("getBlockNumber", 1, "node0", dialect=Dialect.ETHEREUM if row["api"] == "web3" else Dialect.FISCO3))
        assert caught.value.code == row["response"]["error"]["code"]
        strange_ids += row["response"]["id"] != 1
    assert strange_ids > 20


def test_answers_without_a_body_are_malformed() -> None:
    """OPTIONS and HEAD are answered with nothing (recorded)."""
    empty = [row for row in recorded("bad_input") if not row["response_raw"]]
    assert empty
    for row in empty:
        with pytest.raises(MalformedAnswer, match="empty body"):
            parse_answer(RawAnswer(row["http_status"], b""), Asked("getBlockNumber", 1))


def test_receipts_of_send_transaction_are_parsed() -> None:
    text = shared("recordings", "v3", "rpc", "sendTransaction_cases.txt").read_text()
    parsed = 0
    for line in text.splitlines():
        start = line.find("{")
        if line.startswith("## ") and start > 0 and '"result"' in line:
            envelope = json.JSONDecoder().raw_decode(line[start:])[0]
            receipt = METHODS["sendTransaction"].parse(envelope["result"])
            assert receipt.extra == {}
            assert receipt.succeeded == (receipt.receipt_hash != "0x")
            parsed += 1
    assert parsed >= 9


def test_insufficient_funds_is_known_by_its_name_on_the_ethereum_port() -> None:
    body = b'{"error":{"code":-32602,"message":"InsufficientFunds"},"id":1,"jsonrpc":"2.0"}'
    with pytest.raises(InsufficientFunds) as caught:
        parse_answer(RawAnswer(200, body), Asked("eth_sendRawTransaction", 1, "node0", dialect=Dialect.ETHEREUM))
    assert caught.value.code == -32602
    assert "--fund" in caught.value.hint


def test_a_block_that_is_not_there_yet(node: FakeServer) -> None:
    with NodeClient(node.url, name="node0") as client, pytest.raises(BlockNotFound) as caught:
        client.block(1009, only_header=False, only_hashes=True)
    assert caught.value.node == "node0"
    assert caught.value.method == "getBlockByNumber"


def test_unknown_members_are_kept() -> None:
    def behave(body: bytes, _connection: object) -> bytes:
        told = {"value": "1000", "blockNumber": 0, "since": "3.99"}
        return http_answer(json.dumps({"id": json.loads(body)["id"], "jsonrpc": "2.0", "result": told}).encode())

    with serving(behave) as server, NodeClient(server.url) as client:
        assert client.system_config("tx_count_limit").extra == {"since": "3.99"}
