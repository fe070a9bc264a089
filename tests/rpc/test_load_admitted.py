"""Loads of transactions that are answered when a pool has them: 2.x and the Ethereum port. A transaction is committed when a block lists it."""

from __future__ import annotations

import json
import socket
import threading
from collections import Counter
from typing import Any

import pytest

from fiscotool.errors import UsageError
from fiscotool.rpc.aio.lane import judge_answer2, judge_answer_ethereum
from fiscotool.rpc.aio.load import LoadClient
from fiscotool.rpc.aio.plan import LoadPlan, LoadTarget, PreparedTx, TxKind
from fiscotool.rpc.codec import load_json
from tests.rpc import fake_server as fake
from tests.rpc.recorded2 import rows2
from tests.support.ports import free_ports


def txs(count: int) -> list[PreparedTx]:
    return [PreparedTx(f"{index:064x}", f"0x{index:08x}") for index in range(count)]


class Chain:
    """A chain of some nodes with one pool. Every `per_block` transactions, and `mine()`, make a block. `lost` ones never enter one."""

    def __init__(self, kind: TxKind, *, per_block: int = 3, tells_receipts: bool = True) -> None:
        self.kind = kind
        self.per_block = per_block
        self.tells_receipts = tells_receipts
        self.lost: set[str] = set()
        self.blocks: list[list[str]] = [[], ["ff" * 32], [f"{0:063x}a"]]
        self.pool: list[str] = []
        self.asked: Counter[str] = Counter()
        self.waiting_max = 0
        self.lock = threading.Lock()

    def mine(self) -> None:
        """Put what waits into a block."""
        if self.pool:
            self.blocks.append(self.pool)
            self.pool = []

    def __call__(self, body: bytes, _connection: socket.socket) -> bytes | None:
        asked = json.loads(body)
        method, params = asked["method"], asked["params"]
        with self.lock:
            self.asked[method] += 1
            return self._answer(body, method, params)

    def _answer(self, body: bytes, method: str, params: list[Any]) -> bytes:
        if method in ("sendRawTransaction", "eth_sendRawTransaction"):
            tx_hash = f"{int(params[-1], 16):064x}"
            if tx_hash not in self.lost:
                self.pool.append(tx_hash)
            self.waiting_max = max(self.waiting_max, len(self.pool))
            return fake.result_answer(body, f"0x{tx_hash}")
        if method in ("getBlockNumber", "eth_blockNumber"):
            self.mine()
            return fake.result_answer(body, hex(len(self.blocks) - 1))
        if method == "getBatchReceiptsByBlockNumberAndRange" and self.tells_receipts:
            assert params[2:] == ["0", "-1", False]
            return fake.result_answer(
                body, {"transactionReceipts": [{"transactionHash": f"0x{item}", "status": "0x1a"} for item in self.blocks[int(params[1])]]}
            )
        if method in ("getBlockByNumber", "eth_getBlockByNumber"):
            number = int(params[0], 16) if method.startswith("eth") else int(params[1])
            return fake.result_answer(body, {"transactions": [f"0x{item}" for item in self.blocks[number]]})
        error = {"code": -32601, "message": "Method not found"}
        return fake.http_answer(json.dumps({"error": error, "id": json.loads(body)["id"], "jsonrpc": "2.0"}).encode())


def targets(kind: TxKind, *servers: fake.FakeServer) -> list[LoadTarget]:
    return [LoadTarget(f"node{index}", server.url, group="1", kind=kind) for index, server in enumerate(servers)]


@pytest.mark.parametrize(
    ("kind", "tells_receipts", "status"), [(TxKind.NATIVE2, True, 26), (TxKind.NATIVE2, False, None), (TxKind.ETHEREUM, True, None)]
)
def test_what_a_block_lists_is_committed(kind: TxKind, tells_receipts: bool, status: int | None) -> None:
    chain = Chain(kind, tells_receipts=tells_receipts)
    with fake.serving(chain) as first, fake.serving(chain) as second:
        result = LoadClient(targets(kind, first, second), LoadPlan(6)).run(txs(60))
    assert Counter(outcome.outcome for outcome in result.outcomes) == {"committed": 60}
    assert {outcome.tx_hash for outcome in result.outcomes} == {tx.tx_hash for tx in txs(60)}
    assert {outcome.status for outcome in result.outcomes} == {status}
    for outcome in result.outcomes:
        assert outcome.block_number is not None
        assert outcome.tx_hash in chain.blocks[outcome.block_number]
        assert outcome.got_clock_s >= outcome.sent_clock_s
    assert chain.waiting_max <= 6, "a closed loop never has more than these on their way"
    assert chain.asked["sendRawTransaction"] + chain.asked["eth_sendRawTransaction"] == 60
    assert result.unsent_count == 0


def test_an_open_loop_does_not_wait_for_blocks() -> None:
    chain = Chain(TxKind.NATIVE2)
    with fake.serving(chain) as server:
        result = LoadClient(targets(TxKind.NATIVE2, server), LoadPlan(500, rate_per_s=200, send_for_s=0.5)).run(txs(1000))
    assert result.count("committed") == len(result.outcomes) == 101


def test_what_no_block_lists_is_unknown_and_the_load_ends() -> None:
    chain = Chain(TxKind.NATIVE2)
    chain.lost = {txs(10)[3].tx_hash, txs(10)[7].tx_hash}
    with fake.serving(chain) as server:
        result = LoadClient(targets(TxKind.NATIVE2, server), LoadPlan(4, answer_within_s=0.6)).run(txs(10))
    assert {outcome.tx_hash for outcome in result.outcomes if outcome.outcome == "unknown"} == chain.lost
    assert result.count("committed") == 8
    (words,) = {outcome.error for outcome in result.outcomes if outcome.outcome == "unknown"}
    assert words == "accepted by the pool, and in no block within 0.6 s"


def test_a_load_that_is_ended_early_says_what_is_not_known() -> None:
    chain = Chain(TxKind.NATIVE2)
    chain.lost = {tx.tx_hash for tx in txs(10)}
    with fake.serving(chain) as server:
        result = LoadClient(targets(TxKind.NATIVE2, server), LoadPlan(20, answer_within_s=30, deadline_s=0.8)).run(txs(10))
    assert Counter(outcome.outcome for outcome in result.outcomes) == {"unknown": 10}
    assert {outcome.error for outcome in result.outcomes} == {"accepted by the pool; the load ended before a block listed it"}


def test_blocks_are_read_from_a_node_that_answers() -> None:
    chain = Chain(TxKind.NATIVE2)
    with fake.serving(chain) as server:
        dead = LoadTarget("dead", f"http://127.0.0.1:{free_ports(1)[0]}", group="1", kind=TxKind.NATIVE2)
        result = LoadClient([dead, *targets(TxKind.NATIVE2, server)], LoadPlan(4)).run(txs(12))
    assert result.count("committed") == 12


def test_a_node_that_is_cut_off_or_frozen_delays_nothing() -> None:
    """It answers, and never has a new block; another does not answer at all."""
    chain = Chain(TxKind.NATIVE2)
    over = threading.Event()

    def behind(body: bytes, connection: socket.socket) -> bytes | None:
        if json.loads(body)["method"] == "getBlockNumber":
            return fake.result_answer(body, "0x2")
        return chain(body, connection)

    with fake.serving(behind) as first, fake.serving(fake.silent(over)) as second, fake.serving(chain) as third:
        nodes = targets(TxKind.NATIVE2, first, second, third)
        result = LoadClient([nodes[0], nodes[2]], LoadPlan(6)).run(txs(12))
        assert result.count("committed") == 12
        result = LoadClient(nodes, LoadPlan(6, answer_within_s=2)).run(
            [PreparedTx(f"{index:064x}", f"0x{index:08x}") for index in range(50, 62)]
        )
        over.set()
    sent_to_frozen = sum(outcome.node == "node1" for outcome in result.outcomes)
    assert result.count("unknown") == sent_to_frozen
    assert result.count("committed") == 12 - sent_to_frozen


def test_what_a_listener_raises_ends_the_load() -> None:
    def full(_outcome: object) -> None:
        raise OSError("disk full")

    with fake.serving(Chain(TxKind.NATIVE2)) as server, pytest.raises(OSError, match="disk full"):
        LoadClient(targets(TxKind.NATIVE2, server), LoadPlan(2), on_outcome=full).run(txs(5))


def test_one_load_sends_one_kind() -> None:
    with pytest.raises(UsageError, match="one kind"):
        LoadClient([LoadTarget("a", "http://a:1"), LoadTarget("b", "http://b:1", kind=TxKind.ETHEREUM)], LoadPlan(1))


@pytest.mark.parametrize(
    ("label", "outcome", "words"),
    [
        ("tx: ok, call to empty address", "accepted", ""),
        ("tx: blockLimit too far", "refused", "BlockLimitCheckFailed, txBlockLimit=100001, txHash=23e3a2b8..."),
        ("tx: wrong chain id", "refused", "InvalidChainId, txHash=9eb4c128..."),
        ("tx: same again at once", "unknown", "TransactionAlreadyKown, txHash=db3a0a9d..."),
        ("tx: same again after its block", "refused", "TransactionNonceCheckFail, txHash=db3a0a9d..."),
    ],
)
def test_recorded_answers_of_a_2x_pool(label: str, outcome: str, words: str) -> None:
    row = next(row for row in rows2("bad_input.bad") if row["label"] == label)
    verdict = judge_answer2(row["raw"].encode())
    assert (verdict[0], verdict[-1]) == (outcome, words)
    assert load_json(row["raw"].encode())


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"result":7}', b'{"error":{"code":"x"}}', b'{"error":7}'])
def test_answers_that_are_none_are_unknown(body: bytes) -> None:
    assert judge_answer2(body)[0] == "unknown"
    assert judge_answer_ethereum(body)[0] == "unknown"


def test_refusals_of_the_ethereum_port() -> None:
    assert judge_answer_ethereum(b'{"error":{"code":-32602,"message":"InsufficientFunds"}}')[0] == "refused"
    assert judge_answer_ethereum(b'{"error":{"code":-32603,"message":"AlreadyInTxPool"}}')[0] == "unknown"
