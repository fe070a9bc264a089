"""The load client against real sockets: nothing is sent twice, nothing is lost track of, and every load ends."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from fiscotool.errors import EnvironmentFailure, UsageError
from fiscotool.rpc.aio.lane import judge_answer
from fiscotool.rpc.aio.load import LoadClient
from fiscotool.rpc.aio.plan import LoadPlan, LoadProgress, LoadTarget, PreparedTx, TxOutcome
from fiscotool.rpc.refusals import AlreadyInTxPool, NonceCheckFail
from tests.rpc import fake_server as fake
from tests.support.ports import free_ports
from tests.support.until import until


def txs(count: int) -> list[PreparedTx]:
    return [PreparedTx(f"{index:064x}", f"0x{index:08x}") for index in range(count)]


def receipt(body: bytes, _connection: socket.socket) -> bytes:
    return fake.result_answer(body, {"blockNumber": 7, "status": 0, "transactionHash": "0x00"})


def refusing(code: int, message: str) -> fake.Behaviour:
    def behave(_body: bytes, _connection: socket.socket) -> bytes | None:
        return fake.http_answer(json.dumps({"error": {"code": code, "message": message}, "id": 1, "jsonrpc": "2.0"}).encode())

    return behave


def target(server: fake.FakeServer, name: str = "node0") -> LoadTarget:
    return LoadTarget(name, server.url)


def sent_to(*servers: fake.FakeServer) -> Counter[str]:
    return Counter(json.loads(body)["params"][2] for server in servers for body in server.requests)


def test_a_closed_loop_sends_everything_once_over_kept_connections() -> None:
    with fake.serving(receipt) as first, fake.serving(receipt) as second:
        result = LoadClient([target(first, "a"), target(second, "b")], LoadPlan(8)).run(txs(300))
        assert sent_to(first, second) == {tx.raw_hex: 1 for tx in txs(300)}
        assert first.connection_count + second.connection_count == 8
        assert first.requests
        assert second.requests
    assert Counter(outcome.outcome for outcome in result.outcomes) == {"committed": 300}
    assert {(outcome.block_number, outcome.status) for outcome in result.outcomes} == {(7, 0)}
    assert {outcome.node for outcome in result.outcomes} == {"a", "b"}
    assert {outcome.tx_hash for outcome in result.outcomes} == {tx.tx_hash for tx in txs(300)}
    assert all(outcome.sent_clock_s <= outcome.got_clock_s for outcome in result.outcomes)
    assert not result.interrupted
    assert result.unsent_count == 0
    assert result.committed_per_s > 0


def test_an_open_loop_keeps_its_pace_whatever_the_node_does() -> None:
    gate = threading.Event()

    def slow(body: bytes, connection: socket.socket) -> bytes | None:
        gate.wait(0.3)
        return receipt(body, connection)

    with fake.serving(slow) as server:
        result = LoadClient([target(server)], LoadPlan(200, rate_per_s=100, send_for_s=0.8)).run(txs(1000))
        gate.set()
    due = sorted(outcome.due_clock_s for outcome in result.outcomes)
    assert len(due) == 81, "from 0 s to 0.8 s, both included"
    assert all(abs(later - earlier - 0.01) < 1e-6 for earlier, later in pairwise(due))
    late = sorted(outcome.sent_clock_s - outcome.due_clock_s for outcome in result.outcomes)
    assert late[len(late) // 2] < 0.25, "answers take 0.3 s, sending does not wait for them"


def test_a_stalled_chain_shows_in_the_latency_of_an_open_loop() -> None:
    """One transaction at a time, each taking 100 ms, due every 10 ms: the tenth has waited for nine others."""

    def slow(body: bytes, connection: socket.socket) -> bytes | None:
        threading.Event().wait(0.1)
        return receipt(body, connection)

    with fake.serving(slow) as server:
        result = LoadClient([target(server)], LoadPlan(1, rate_per_s=100)).run(txs(10))
    last = max(result.outcomes, key=lambda outcome: outcome.due_clock_s)
    assert last.latency_s > 0.8
    assert last.got_clock_s - last.sent_clock_s < last.latency_s / 2


def test_refusals_carry_the_nodes_code() -> None:
    with fake.serving(refusing(10000, "NonceCheckFail")) as server:
        result = LoadClient([target(server)], LoadPlan(2)).run(txs(4))
    assert {(outcome.outcome, outcome.code, outcome.error) for outcome in result.outcomes} == {
        ("refused", NonceCheckFail.CODE, "NonceCheckFail")
    }


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b'{"id":1,"result":{"blockNumber":3,"status":16}}', ("committed", 3, 16, None, "")),
        (b'{"error":{"code":10004,"message":"AlreadyInTxPool"},"id":1}', ("unknown", None, None, AlreadyInTxPool.CODE, "AlreadyInTxPool")),
        (b'{"error":{"code":10010,"message":"TransactionPoolTimeout"},"id":1}', ("unknown", None, None, 10010, "TransactionPoolTimeout")),
        (b'{"error":{"code":10001,"message":"BlockLimitCheckFail"},"id":99999}', ("refused", None, None, 10001, "BlockLimitCheckFail")),
    ],
    ids=["reverted is committed", "in the pool is unknown", "expired is unknown", "a refusal with a strange id"],
)
def test_what_an_answer_means(body: bytes, outcome: tuple[Any, ...]) -> None:
    assert judge_answer(body) == outcome


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"null", b'{"result":{}}', b'{"error":"no"}', b'{"id":1}', b'{"result":{"blockNumber":"x","status":0}}']
)
def test_an_answer_that_cannot_be_read_is_unknown(body: bytes) -> None:
    assert judge_answer(body)[0] == "unknown"


@pytest.mark.parametrize("behaviour", [fake.half, fake.garbage, fake.hang_up, fake.web_page], ids=["half", "garbage", "closed", "page"])
def test_bad_answers_leave_transactions_unknown_and_are_not_repeated(behaviour: fake.Behaviour) -> None:
    with fake.serving(behaviour) as server:
        result = LoadClient([target(server)], LoadPlan(4)).run(txs(12))
        assert sent_to(server) == {tx.raw_hex: 1 for tx in txs(12)}
    assert Counter(outcome.outcome for outcome in result.outcomes) == {"unknown": 12}
    assert all(outcome.error for outcome in result.outcomes)


def test_a_frozen_node_is_given_up() -> None:
    over = threading.Event()
    with fake.serving(fake.silent(over)) as server:
        began_s = time.monotonic()
        result = LoadClient([target(server)], LoadPlan(5, answer_within_s=0.3, send_for_s=0.2)).run(txs(100))
        assert time.monotonic() - began_s < 15
        over.set()
    assert {outcome.error for outcome in result.outcomes} == {"timeout"}
    assert result.count("unknown") == len(result.outcomes) >= 5


def test_a_dead_node_costs_the_others_nothing() -> None:
    dead = LoadTarget("dead", f"http://127.0.0.1:{free_ports(1)[0]}")
    with fake.serving(receipt) as server:
        result = LoadClient([dead, target(server, "alive")], LoadPlan(6)).run(txs(100))
    assert Counter((outcome.node, outcome.outcome) for outcome in result.outcomes) == {("alive", "committed"): 100}


def test_a_node_that_comes_back_is_used_again() -> None:
    port = free_ports(1)[0]
    outcomes: list[TxOutcome] = []
    client = LoadClient(
        [LoadTarget("node0", f"http://127.0.0.1:{port}")], LoadPlan(3, rate_per_s=50, send_for_s=20), on_outcome=outcomes.append
    )
    thread = threading.Thread(target=client.run, args=(txs(2000),))
    thread.start()
    try:
        with fake.serving(receipt, port=port):
            until(lambda: len(outcomes) >= 5)
        seen = len(outcomes)
        with fake.serving(receipt, port=port):
            until(lambda: sum(outcome.outcome == "committed" for outcome in outcomes[seen:]) >= 5)
    finally:
        client.stop()
        thread.join(10)
    assert not thread.is_alive()


def test_when_nobody_listens_nothing_is_sent_and_the_load_ends() -> None:
    began_s = time.monotonic()
    dead = LoadTarget("dead", f"http://127.0.0.1:{free_ports(1)[0]}")
    result = LoadClient([dead], LoadPlan(2, rate_per_s=20, deadline_s=1.5)).run(txs(10))
    assert time.monotonic() - began_s < 20
    assert result.outcomes == ()
    assert result.unsent_count == 10


def test_stop_from_another_thread_leaves_the_outstanding_unknown() -> None:
    over = threading.Event()
    with fake.serving(fake.silent(over)) as server:
        client = LoadClient([target(server)], LoadPlan(3))
        found: list[Any] = []
        thread = threading.Thread(target=lambda: found.append(client.run(txs(50))))
        thread.start()
        until(lambda: len(server.requests) == 3)
        client.stop()
        thread.join(10)
        over.set()
    assert found[0].interrupted
    assert Counter(outcome.outcome for outcome in found[0].outcomes) == {"unknown": 3}


def test_stop_before_run() -> None:
    client = LoadClient([LoadTarget("node0", "http://127.0.0.1:1")], LoadPlan(1))
    client.stop()
    assert client.run(txs(5)).outcomes == ()


INTERRUPTED = """
import itertools, sys
from fiscotool.rpc.aio.load import LoadClient
from fiscotool.rpc.aio.plan import LoadPlan, LoadTarget, PreparedTx

txs = (PreparedTx(f"{n:064x}", f"0x{n:x}") for n in itertools.count())
result = LoadClient([LoadTarget("node0", sys.argv[1])], LoadPlan(4, rate_per_s=200)).run(txs)
print(result.interrupted, len(result.outcomes) > 10, result.count("committed") > 10)
"""


def test_ctrl_c_ends_a_load_with_what_is_known() -> None:
    with fake.serving(receipt) as server:
        process = subprocess.Popen(
            [sys.executable, "-c", INTERRUPTED, server.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            until(lambda: len(server.requests) > 40, 30)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
        finally:
            process.kill()
    assert out.split() == ["True", "True", "True"], err
    assert "Traceback" not in err


def test_a_listener_that_fails_ends_the_load_with_its_error() -> None:
    def listener(_outcome: TxOutcome) -> None:
        raise EnvironmentFailure("the disk is full")

    with fake.serving(receipt) as server, pytest.raises(EnvironmentFailure, match="the disk is full"):
        LoadClient([target(server)], LoadPlan(2), on_outcome=listener).run(txs(1000))


def test_progress_adds_up() -> None:
    seen: list[LoadProgress] = []
    with fake.serving(receipt) as server:
        LoadClient([target(server)], LoadPlan(2, rate_per_s=100, send_for_s=2.6), on_progress=seen.append).run(txs(1000))
    assert len(seen) >= 3
    for progress in seen:
        assert (
            progress.sent_count == progress.committed_count + progress.refused_count + progress.unknown_count + progress.outstanding_count
        )
    assert [progress.sent_count for progress in seen] == sorted(progress.sent_count for progress in seen)


def test_transactions_are_taken_as_they_are_needed() -> None:
    taken: list[int] = []

    def source() -> Iterator[PreparedTx]:
        for index in range(10_000):
            taken.append(index)
            yield PreparedTx(f"{index:064x}", f"0x{index:x}")

    with fake.serving(receipt) as server:
        LoadClient([target(server)], LoadPlan(2, rate_per_s=50, send_for_s=0.4)).run(source())
    assert len(taken) == 21


@pytest.mark.parametrize("plan", [{"outstanding_max": 0}, {"outstanding_max": 1, "rate_per_s": 0}, {"outstanding_max": 1, "deadline_s": 0}])
def test_plans_that_make_no_sense(plan: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        LoadPlan(**plan)


def test_no_targets_and_bad_addresses() -> None:
    with pytest.raises(UsageError, match="no node"):
        LoadClient([], LoadPlan(1))
    for url in ("127.0.0.1:20200", "http://127.0.0.1", "http://127.0.0.1:99999", "https://127.0.0.1:20200"):
        with pytest.raises(UsageError):
            LoadClient([LoadTarget("node0", url)], LoadPlan(1))


def test_more_connections_than_the_system_allows() -> None:
    with pytest.raises(EnvironmentFailure, match="this system allows") as caught:
        LoadClient([LoadTarget("node0", "http://127.0.0.1:1")], LoadPlan(10**9)).run(txs(1))
    assert "ulimit" in caught.value.hint


def test_the_bound_of_an_open_loop_is_lowered_to_what_the_system_allows() -> None:
    with fake.serving(receipt) as server:
        result = LoadClient([target(server)], LoadPlan(10**9, rate_per_s=500)).run(txs(5))
    assert result.count("committed") == 5
