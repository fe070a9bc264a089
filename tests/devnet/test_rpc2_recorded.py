"""The JSON-RPC of 2.x against everything recorded of a real node: the same requests, on the same chain, in the same order."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiscotool.devnet.contracts import PeerStatus
from fiscotool.devnet.rpc_servers import start_rpc2
from fiscotool.ledger.crypto import KeyPair, keccak256
from fiscotool.ledger.merkle2 import merkle_root2, merkle_steps2
from fiscotool.ledger.rlp_items import encode, integer_item
from fiscotool.ledger.tx2 import build_transaction2, encode_transaction2
from fiscotool.rpc.methods2 import METHODS2
from tests.devnet.rpc2_world import Client2, World2, identity2, recorded
from tests.recordings.exchange import exchange

_COMMENT = re.compile(r"\[dev::tag_comment\*\] = (.+)|std::exception::what: (?!std::exception)(.+)")
_NOT_COMPARED = {"call", "getCode"}  # They run the recorded contract; there is no EVM here.
_ONLY_SHAPE = {"getClientVersion", "getConsensusStatus", "getPbftView", "getPeers", "getNodeIDList", "getSyncStatus"}
_WHAT_THE_RLP_IS = "RLP"


def shape(value: Any) -> Any:
    """Types and members, without values."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def world_with_peers(height: int = 1) -> World2:
    world = World2(height)
    rows = recorded("rpc", "reads_4nodes.jsonl.xz")
    told = next(row for row in rows if '"getPeers"' in row["request"])["response"]["result"]
    ledger = world.ledger
    world.others = [
        PeerStatus(
            bytes.fromhex(one["NodeID"]),
            one["NodeID"],
            one["IPAndPort"],
            height,
            ledger.head_hash,
            ledger.genesis_hash,
            one["Node"],
            "agency",
        )
        for one in told
    ]
    return world


@pytest.mark.parametrize(("name", "height"), [("reads_4nodes.jsonl.xz", 1), ("reads_fresh_chain_height0.jsonl.xz", 0)])
def test_every_recorded_read_is_answered_as_recorded(name: str, height: int) -> None:
    rows = [row for row in recorded("rpc", name) if row["node"] == 0]
    seen: set[str] = set()

    async def scenario() -> None:
        client = Client2(world_with_peers(height))
        for row in rows:
            method = json.loads(row["request"])["method"]
            if method in _NOT_COMPARED:
                continue
            seen.add(method)
            answer, told = await client.ask(row["request"]), row["response"]
            if method in _ONLY_SHAPE:
                assert shape(answer) == shape(told), method
            else:
                assert answer == told, row["request"]

    asyncio.run(scenario())
    assert len(seen) >= (15 if height == 0 else 25)


def reason(message: str) -> str:
    """The node's own words in a diagnostic."""
    found = [first or second for first, second in _COMMENT.findall(message)]
    return found[0] if found else message


def test_every_recorded_bad_input_is_refused_as_recorded() -> None:
    rows = [row for row in recorded("rpc", "bad_input.bad.jsonl.xz") if row["http_method"] == "POST" and "nesting" not in row["label"]]
    compared = 0

    async def scenario() -> None:
        nonlocal compared
        world = world_with_peers()
        client = Client2(world)
        for row in rows:
            body = b"\xff\xfe\x00" if row["label"] == "binary body" else (row["request"] or "").encode()
            if row["label"] == "tx: same again after its block":
                world.commit_recorded(2)
            answer, told = json.loads(await client.post(body)), row["response"]
            compared += 1
            if isinstance(told, dict) and told.get("error", {}).get("code") == -32603:
                assert shape(answer) == shape(told), row["label"]
                assert answer["error"]["code"] == -32603
                wanted = reason(told["error"]["message"])
                if _WHAT_THE_RLP_IS in wanted:
                    wanted = "invalid rc2 transaction format"
                assert wanted in answer["error"]["message"], row["label"]
            elif isinstance(told, dict) and "error" in told:
                assert answer == told, row["label"]
            else:
                assert shape(answer) == shape(told), row["label"]

    asyncio.run(scenario())
    assert compared > 130


def test_answers_end_as_the_real_ones() -> None:
    row = next(row for row in recorded("rpc", "bad_input.bad.jsonl.xz") if row["label"] == "id -1")

    async def scenario() -> None:
        world = World2(2)
        assert (await Client2(world).post(row["request"].encode())).decode() == row["raw"]

    asyncio.run(scenario())


def test_every_documented_read_exists() -> None:
    names = Client2(World2()).rpc.method_names
    assert {name for name, method in METHODS2.items() if not method.is_write} <= names
    assert {"sendRawTransaction", "sendRawTransactionAndGetProof"} <= names


KEY = KeyPair.from_secret(b"\x09" * 32)


def signed(**changes: Any) -> str:
    fields: dict[str, Any] = {"chain_id": 1, "group_id": 1, "block_limit": 500, "to": KEY.address, "input": b"1234", "key": KEY, "nonce": 7}
    return f"0x{encode_transaction2(build_transaction2(**(fields | changes))).hex()}"


def flipped_high(raw: str) -> str:
    """The same transaction with the other s of its signature, which verifies as well and must not be taken."""
    from fiscotool.ledger.tx2 import decode_transaction2

    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    tx = decode_transaction2(bytes.fromhex(raw[2:]))
    s = order - int.from_bytes(tx.signature[32:64], "big")
    return (
        f"0x{encode_transaction2(replace(tx, signature=tx.signature[:32] + s.to_bytes(32, 'big') + bytes((1 - tx.signature[64],)))).hex()}"
    )


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        pytest.param(signed(chain_id=2), "InvalidChainId", id="another chain"),
        pytest.param(signed(group_id=2), "InvalidGroupId", id="another group"),
        pytest.param(signed(block_limit=1), "BlockLimitCheckFailed, txBlockLimit=1", id="a limit that is reached"),
        pytest.param(signed(block_limit=1002), "BlockLimitCheckFailed", id="a limit too far ahead"),
        pytest.param(flipped_high(signed()), "InvalidSignature", id="the other signature of the same content"),
        pytest.param(signed(input=bytes(1 << 20)), "MalformedTx", id="too long"),
    ],
)
def test_a_bad_transaction_is_refused_in_the_nodes_word(raw: str, word: str) -> None:
    async def scenario() -> None:
        answer = await Client2(World2()).call("sendRawTransaction", 1, raw)
        assert answer["error"]["code"] == -32603
        assert word in answer["error"]["message"]

    asyncio.run(scenario())


def test_a_good_transaction_waits_in_the_pool_and_its_nonce_is_used() -> None:
    async def scenario() -> None:
        client = Client2(World2())
        tx_hash = (await client.call("sendRawTransactionAndGetProof", 1, signed()))["result"]
        assert tx_hash == f"0x{keccak256(bytes.fromhex(signed()[2:])).hex()}"
        assert (await client.call("getPendingTxSize", 1))["result"] == "0x1"
        pending = (await client.call("getPendingTransactions", 1))["result"]
        assert [one["hash"] for one in pending] == [tx_hash]
        assert pending[0]["from"] == f"0x{KEY.address.hex()}"
        assert (await client.call("getTransactionReceipt", 1, tx_hash))["result"] is None
        again = await client.call("sendRawTransaction", 1, signed(input=b"other"))
        assert "TxPoolNonceCheckFail" in again["error"]["message"]

    asyncio.run(scenario())


def test_a_node_far_behind_takes_no_transactions() -> None:
    async def scenario() -> None:
        world = World2()
        world.highest = (True, world.ledger.height + 21, b"h" * 32)
        answer = await Client2(world).call("sendRawTransaction", 1, signed())
        assert "ImportResult::NodeIsSyncing" in answer["error"]["message"]

    asyncio.run(scenario())


def test_a_node_that_left_the_group_is_asked_in_vain() -> None:
    async def scenario() -> None:
        world = World2()
        world.node_id = b"x" * 64
        client = Client2(world)
        assert (await client.call("getBlockNumber", 1))["error"]["code"] == -40009
        assert (await client.call("getNodeInfo"))["result"]["NodeID"] == world.node_id.hex()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        pytest.param("getTransactionByBlockNumberAndIndex", [1, "1", "1"], -40005, id="an index behind the last"),
        pytest.param("getTransactionByBlockNumberAndIndex", [1, "9", "0"], -40004, id="a block that is not there"),
        pytest.param("getTransactionByBlockHashAndIndex", [1, "0x" + "00" * 32, "0"], -40003, id="a hash nobody has"),
        pytest.param("call", [1, {"to": "0x" + "11" * 20}], -40006, id="a call from nobody"),
        pytest.param("getBatchReceiptsByBlockNumberAndRange", [1, "1", "5", "1", False], -40099, id="a range behind the block"),
        pytest.param("startGroup", [1], -100001, id="groups are not managed"),
    ],
)
def test_what_is_not_there_has_its_code(method: str, params: list[Any], code: int) -> None:
    async def scenario() -> None:
        assert (await Client2(World2()).call(method, *params))["error"]["code"] == code

    asyncio.run(scenario())


@pytest.mark.parametrize("count", [1, 2, 16, 17, 40])
def test_a_proof_leads_to_the_root(count: int) -> None:
    hashes = [keccak256(b"%d" % index) for index in range(count)]
    for position in {0, count // 2, count - 1}:
        node = encode(integer_item(position)) + hashes[position]
        for left, right in merkle_steps2(hashes, position):
            node = keccak256(b"".join([*left, node, *right]))
        assert node == merkle_root2(hashes)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70), lambda inner: st.lists(inner, max_size=5), max_leaves=8
)


@cache
def any_client() -> Client2:
    return Client2(World2())


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_a_client_sends_is_answered(data: st.DataObject) -> None:
    async def scenario() -> None:
        client = any_client()
        method = data.draw(st.sampled_from(sorted(client.rpc.method_names)) | st.text(max_size=5))
        params = data.draw(st.lists(ANY_JSON, max_size=5).map(lambda given: [1, *given]) | ANY_JSON | st.dictionaries(st.text(), ANY_JSON))
        body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": data.draw(ANY_JSON)})
        answer = json.loads(await client.post(body.encode()))
        assert ("result" in answer) != ("error" in answer)
        assert answer["jsonrpc"] == "2.0"

    asyncio.run(scenario())


def test_too_deep_a_nesting_is_refused() -> None:
    async def scenario() -> None:
        answer = json.loads(await Client2(World2()).post(b"[" * 5000))
        assert answer["error"]["code"] == -32700

    asyncio.run(scenario())


def test_http_is_as_recorded() -> None:
    """Status, text and headers of every recorded verb; what the real node never answers is not asked."""
    rows = [row for row in recorded("rpc", "bad_input.bad.jsonl.xz") if row["http_method"] != "POST" and row["http_status"] is not None]
    posts = [row for row in recorded("rpc", "bad_input.bad.jsonl.xz") if row["label"] in {"id -1", "POST /other/path", "empty body"}]
    assert len(rows) == 5

    async def scenario() -> None:
        world = World2(2)
        servers = await start_rpc2(world, identity2(world), host="127.0.0.1", port=0)
        try:
            for row in (*rows, *posts):
                reply = await exchange(servers.native.port, row)
                assert reply.status == row["http_status"], row["label"]
                assert reply.headers.keys() - {"Server"} == row["resp_headers"].keys(), row["label"]
                same = row["resp_headers"].keys() - {"Date"}
                assert {name: reply.headers[name] for name in same} == {name: row["resp_headers"][name] for name in same}, row["label"]
                assert reply.body.decode() == (row["raw"] or ""), row["label"]
        finally:
            await servers.close()

    asyncio.run(scenario())
