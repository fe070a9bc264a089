"""The typed client understands every answer a real 2.9.1 node was recorded to give, over a real socket, with nothing left over.

Source: recordings v2/rpc (spec 2.x 2.1 to 2.3).
"""

from __future__ import annotations

import base64
import json
import lzma
import re
import zlib
from collections.abc import Iterator

import pytest

from fiscotool.errors import MalformedAnswer, OutcomeUnknown, Refused, RpcError
from fiscotool.rpc.any_client import AnyClient
from fiscotool.rpc.client2 import NodeClient2
from fiscotool.rpc.codec import Asked, RawAnswer, load_json, parse_answer
from fiscotool.rpc.dialect import Dialect
from fiscotool.rpc.members import UnexpectedShape
from fiscotool.rpc.methods2 import METHODS2
from fiscotool.rpc.refusals import (
    AlreadyInTxPool,
    BlockLimitCheckFail,
    BlockNotFound,
    InvalidChainId,
    InvalidGroupId,
    KnownRefusal,
    MalformTx,
    NonceCheckFail,
    NoSuchGroupHere,
    NotStored,
)
from fiscotool.rpc.refusals2 import InvalidSystemConfig, NotHexOrNumber, OnlyWithRpbft
from fiscotool.rpc.replies2_chain import block2
from fiscotool.rpc.replies2_receipt import batch_receipts, receipt2
from tests.rpc.fake_server import FakeServer, hang_up, serving
from tests.rpc.leftovers import unparsed
from tests.rpc.recorded2 import READS, body_of, recorded_behaviour2, rows2
from tests.support.shared import shared

TX = "0x420eda5c0aca014ad85e814b3997a5e66804021d14ccf520ed3c1fe05cfde9da"
BLOCK = "0xaea65474130e534f7092196db32ae58666bac67f91f20f481b2ed5de6d78f930"


@pytest.fixture(scope="module")
def node() -> Iterator[FakeServer]:
    """Node 0 of the recorded chain at height 1."""
    with serving(recorded_behaviour2([row for row in rows2(READS[1]) if row["node"] == 0])) as server:
        yield server


@pytest.fixture
def client(node: FakeServer) -> Iterator[NodeClient2]:
    with NodeClient2(node.url, name="node0") as made:
        yield made


@pytest.mark.parametrize("name", READS)
def test_every_read_of_every_node_is_parsed_with_nothing_left_over(name: str) -> None:
    rows = rows2(name)
    seen: set[str] = set()
    refused = 0
    for index in sorted({row["node"] for row in rows}):
        mine = [row for row in rows if row["node"] == index]
        with serving(recorded_behaviour2(mine)) as server, NodeClient2(server.url, name=f"node{index}") as client:
            for row in mine:
                asked = json.loads(row["request"])
                method = METHODS2[asked["method"]]
                params = tuple(asked["params"][1 if method.takes_group else 0 :])
                if "error" in row["response"]:
                    with pytest.raises(KnownRefusal) as caught:
                        client.typed_call(method.name, params)
                    assert caught.value.hint
                    refused += 1
                    continue
                reply = client.typed_call(method.name, params)
                assert unparsed(reply) == [], (method.name, unparsed(reply))
                seen.add(method.name)
    assert refused >= 2
    assert len(seen) >= (20 if name == READS[0] else 30), sorted(set(METHODS2) - seen)


def test_every_recorded_bad_input_is_a_result_or_a_known_refusal_or_said_to_be_no_answer() -> None:
    kinds: dict[str, int] = {}
    for row in rows2("bad_input.bad"):
        if row["raw"] is None and row["response"] is None:
            assert "TimeoutError" in str(row), row["label"]
            continue
        method = "anything"
        found = re.search(r'"method": ?"(\w+)"', row["request"] or "")
        method = found.group(1) if found else method
        answer = RawAnswer(row["http_status"] or 0, body_of(row), (row["resp_headers"] or {}).get("Content-Type", ""))
        told = row["response"]
        if isinstance(told, dict) and "result" in told:
            request_id = told["id"]
            if type(request_id) is int:
                assert parse_answer(answer, Asked(method, request_id, "node0", Dialect.FISCO2)) == told["result"], row["label"]
                parse = METHODS2[method].parse
                assert unparsed(parse(told["result"])) == [], row["label"]
            kinds["result"] = kinds.get("result", 0) + 1
            continue
        with pytest.raises(RpcError) as caught:
            parse_answer(answer, Asked(method, 1, "node0", Dialect.FISCO2))
        problem = caught.value
        kinds[type(problem).__name__] = kinds.get(type(problem).__name__, 0) + 1
        assert problem.hint, row["label"]
        assert "\n" not in problem.message
        assert len(problem.message) < 700
        if isinstance(told, dict):
            assert isinstance(problem, KnownRefusal), row["label"]
            assert problem.code == told["error"]["code"]
        else:
            assert isinstance(problem, MalformedAnswer), row["label"]
    assert sum(kinds.values()) >= 150, kinds
    assert len(kinds) >= 15, kinds


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("getBlockNumber: unknown group 2", NoSuchGroupHere),
        ("getBlockByNumber: block number too high", BlockNotFound),
        ("getBlockByHash: unknown hash", BlockNotFound),
        ("getBlockByNumber: block number abc", NotHexOrNumber),
        ("getSystemConfigByKey: unknown key", InvalidSystemConfig),
        ("sendRawTransaction: rlp 00", MalformTx),
        ("sendRawTransaction: not hex", NotHexOrNumber),
        ("tx: blockLimit too far", BlockLimitCheckFail),
        ("tx: wrong chain id", InvalidChainId),
        ("tx: wrong group id", InvalidGroupId),
        ("tx: same again at once", AlreadyInTxPool),
        ("tx: same again after its block", NonceCheckFail),
    ],
)
def test_the_meaning_of_recorded_refusals(label: str, kind: type[Refused]) -> None:
    row = next(row for row in rows2("bad_input.bad") if row["label"] == label)
    with pytest.raises(kind) as caught:
        parse_answer(RawAnswer(200, body_of(row)), Asked("x", 1, "node0", Dialect.FISCO2))
    assert "Throw in function" not in caught.value.message


def test_all_recorded_blocks_and_receipts_are_parsed() -> None:
    blocks = receipts = 0
    with lzma.open(shared("recordings", "v2", "blocks_full_node0.jsonl.xz"), "rt") as lines:
        for line in lines:
            row = load_json(line.encode())
            block = block2(row["block"]["result"])
            assert unparsed(block) == []
            assert block.number == row["height"]
            blocks += 1
            for told in row["receipts"]:
                receipt = receipt2(told["result"])
                assert receipt is not None
                assert unparsed(receipt) == []
                assert receipt.block_hash == block.block_hash
                receipts += 1
    assert blocks > 10
    assert receipts > 10


def test_known_values_in_words_of_both_generations(client: NodeClient2) -> None:
    version = client.version()
    assert (version.dialect, version.version, version.compatibility, version.chain_id, version.groups) == (
        Dialect.FISCO2,
        "2.9.1",
        "2.9.0",
        "1",
        ("1",),
    )
    status = client.consensus_status()
    assert (status.height, status.node_count, status.quorum_weight, status.faulty_weight_max) == (1, 4, 3, 1)
    assert (status.index, status.leader_index, status.timeout, status.change_cycle) == (0, (status.view + 1) % 4, False, None)
    assert status.connected_count == 4
    assert [node.node_id for node in status.nodes] == [sealer.node_id for sealer in client.sealers()] == sorted(client.sealer_ids())
    sync = client.sync_status()
    assert (sync.height, sync.known_highest, sync.is_syncing, len(sync.peers)) == (1, 1, False, 3)
    assert client.block_number() == 1
    assert client.total_count().transaction_count == 1
    assert client.system_config("tx_count_limit").value == "1000"
    assert len(client.peers().peers) == 3
    assert all(peer.node_ids for peer in client.peers().peers)


def test_blocks_in_words_of_both_generations(client: NodeClient2) -> None:
    block = client.block(1)
    assert (block.number, block.block_hash, block.sealer, len(block.sealer_list)) == (1, BLOCK, 0, 4)
    assert len(block.signatures) == 3
    assert block.tx_hashes == (TX,)
    assert block.transactions is None
    assert block.timestamp_ms == 0x1A1FC5CCDB8
    assert client.block(1, only_header=True).tx_hashes is None
    full = client.block(1, only_hashes=False)
    assert full.transactions is not None
    assert full.transactions[0].tx_hash == TX
    assert client.block_by_hash(BLOCK) == block
    genesis = client.block(0)
    assert (genesis.parents, genesis.signatures) == ((), ())


def test_transactions_and_receipts_in_words_of_both_generations(client: NodeClient2) -> None:
    assert client.transaction(TX).block_limit == 0x1F4
    receipt = client.receipt(TX)
    assert (receipt.block_number, receipt.status, receipt.succeeded, receipt.gas_used) == (1, 0, True, str(0xDB88))
    proof = client.receipt_with_proof(TX)
    assert proof is not None
    assert len(proof.proof) == 1
    batch = client.batch_receipts(1, first=0, count=1)
    assert (batch.count, len(batch.receipts)) == (1, 1)


def test_what_is_not_there_is_not_stored() -> None:
    rows = rows2("bad_input.bad")
    unknown = [row for row in rows if row["label"] in ("getTransactionByHash: unknown", "getTransactionReceipt: unknown")]
    zeros = "0x" + "00" * 32
    with serving(recorded_behaviour2(unknown)) as server, NodeClient2(server.url, name="node0") as client:
        assert client.transaction2(zeros) is None
        for ask in (client.transaction, client.receipt):
            with pytest.raises(NotStored, match=r"node0 has no .*0000 \(yet\)") as caught:
                ask(zeros)
            assert caught.value.hint


def test_rpbft_methods_are_explained(client: NodeClient2) -> None:
    with pytest.raises(OnlyWithRpbft):
        client.epoch_sealer_ids()


def test_a_client_that_was_not_told_the_dialect_finds_it_out(node: FakeServer) -> None:
    with AnyClient(node.url.removeprefix("http://"), name="node0") as any_client:
        assert any_client.dialect is Dialect.FISCO2
        assert any_client.node.group == "1"
        assert any_client.block_number() == 1
        assert any_client.consensus_status().height == 1
        assert any_client.block(1).block_hash == BLOCK


def test_a_transaction_whose_answer_is_lost_is_unknown() -> None:
    with serving(hang_up) as server, NodeClient2(server.url, name="node0") as client:
        with pytest.raises(OutcomeUnknown) as caught:
            client.submit("0xf800", tx_hash=TX)
        assert caught.value.tx_hash == TX
        assert len(server.requests) == 1


def test_a_transaction_that_cannot_be_read_is_refused() -> None:
    rows = [row for row in rows2("bad_input.bad") if row["label"] == "sendRawTransaction: rlp 00"]
    with serving(recorded_behaviour2(rows)) as server, NodeClient2(server.url) as client, pytest.raises(MalformTx, match="must be a list"):
        client.submit("00")


def test_compressed_receipts(monkeypatch: pytest.MonkeyPatch) -> None:
    most = 10_000
    monkeypatch.setattr("fiscotool.rpc.replies2_receipt.UNPACKED_BYTES_MAX", most)
    told = {"blockInfo": {"blockNumber": "0x1", "blockHash": "0x", "receiptRoot": "0x", "receiptsCount": "0x0"}, "transactionReceipts": []}
    packed = base64.b64encode(zlib.compress(json.dumps(told).encode())).decode()
    assert batch_receipts(packed) == batch_receipts(told)
    bomb = base64.b64encode(zlib.compress(b" " * (most + 10))).decode()
    for bad in ("", "x", "\x80", "!!!!", base64.b64encode(b"not zlib").decode(), packed[:-8], bomb):
        with pytest.raises(UnexpectedShape):
            batch_receipts(bad)
