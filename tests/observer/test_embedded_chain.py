"""Clients and observer against four embedded nodes as real processes: typed calls, a load, a killed node, waiting, judging.

One chain for the whole module; the tests run in order and build on each other.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from fiscotool.consistency.findings import Verdict
from fiscotool.consistency.judge import judge
from fiscotool.consistency.observations import Incarnation, NodeIdentity, RunInfo, TxSeen
from fiscotool.errors import MalformedAnswer, OutcomeUnknown, Refused, Unreachable
from fiscotool.ledger.crypto import KeyPair
from fiscotool.ledger.tx3 import build_transaction, encode_transaction, transaction_hash
from fiscotool.observer.poll import Poller, PollTarget
from fiscotool.observer.recording import RecordingWriter, load_recording
from fiscotool.observer.waits import wait_for_height, wait_recovered, wait_same_view
from fiscotool.rpc.aio.load import LoadClient
from fiscotool.rpc.aio.plan import LoadPlan, LoadTarget, PreparedTx, TxOutcome
from fiscotool.rpc.client import NodeClient
from fiscotool.rpc.eth_client import EthClient, web3_of
from fiscotool.rpc.flows import run_flow, send_and_confirm
from fiscotool.rpc.methods import METHODS
from fiscotool.rpc.refusals import BlockNotFound, InvalidGroupId, NonceCheckFail, NoSuchGroupHere, NotStored
from fiscotool.rpc.tls import TlsFiles
from tests.devnet.chains import Running, make_chain, running
from tests.rpc.leftovers import unparsed
from tests.support.until import until

pytestmark = pytest.mark.devnet

KEY = KeyPair.from_secret(b"\x05" * 32)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(make_chain(tmp_path_factory.mktemp("chain") / "nodes")) as run:
        until(lambda: len(run.processes) == 4 and run.is_ready())
        yield run


@pytest.fixture
def clients(chain: Running) -> Iterator[list[NodeClient]]:
    made = [NodeClient(node.rpc_url, name=node.name) for node in chain.chain.nodes]
    yield made
    for client in made:
        client.close()


def transaction(nonce: str = "", group_id: str = "group0") -> PreparedTx:
    tx = build_transaction(chain_id="chain0", group_id=group_id, block_limit=500, to="11" * 20, input=b"", key=KEY, nonce=nonce)
    return PreparedTx(transaction_hash(tx).hex(), encode_transaction(tx).hex())


def test_a_transaction_is_sent_confirmed_and_found(clients: list[NodeClient]) -> None:
    tx = transaction()
    receipt = run_flow(send_and_confirm(tx.raw_hex, f"0x{tx.tx_hash}"), clients[0], pause=lambda _seconds: None)
    assert receipt.tx_hash == f"0x{tx.tx_hash}"
    assert receipt.block_number == 1
    wait_for_height(clients, 1, 10)
    for client in clients:
        assert client.receipt(receipt.tx_hash).receipt_hash == clients[1].receipt(receipt.tx_hash).receipt_hash
        assert client.transaction(receipt.tx_hash).sender == f"0x{KEY.address.hex()}"
        assert client.block(1).tx_hashes == (receipt.tx_hash,)
    again = run_flow(send_and_confirm(tx.raw_hex, receipt.tx_hash), clients[0], pause=lambda _seconds: None)
    assert again.block_number == 1, "sent again, it is found rather than refused"


def test_every_native_method_is_understood_with_nothing_left_over(clients: list[NodeClient], chain: Running) -> None:
    client = clients[0]
    block = client.block(1, only_hashes=False)
    assert block.transactions is not None
    tx_hash = block.transactions[0].tx_hash
    node_id = chain.chain.nodes[0].node_id
    criteria = {"fromBlock": 0, "toBlock": 1, "address": ["0x" + "11" * 20], "topics": []}
    replies: dict[str, Any] = {
        "call": lambda: client.call_contract("0x" + "11" * 20, "0x"),
        "getTransaction": lambda: client.transaction(tx_hash, with_proof=True),
        "getTransactionReceipt": lambda: client.receipt(tx_hash, with_proof=True),
        "getBlockByHash": lambda: client.block_by_hash(block.block_hash),
        "getBlockByNumber": lambda: client.block(0, only_header=True),
        "getBlockHashByNumber": lambda: client.block_hash(1),
        "getBlockNumber": client.block_number,
        "getCode": lambda: client.code("0x" + "11" * 20),
        "getABI": lambda: client.abi("0x" + "11" * 20),
        "getSealerList": client.sealers,
        "getObserverList": client.observers,
        "getNodeListByType": lambda: client.nodes_of_type("consensus_sealer"),
        "getPbftView": client.pbft_view,
        "getPendingTxSize": client.pending_count,
        "getSyncStatus": client.sync_status,
        "getConsensusStatus": client.consensus_status,
        "getSystemConfigByKey": lambda: client.system_config("tx_count_limit"),
        "getTotalTransactionCount": client.total_count,
        "getPeers": client.peers,
        "getGroupPeers": client.group_peers,
        "getGroupList": client.group_list,
        "getGroupInfo": client.group_info,
        "getGroupInfoList": client.group_infos,
        "getGroupNodeInfo": lambda: client.group_node_info(node_id),
        "newBlockFilter": client.new_block_filter,
        "newPendingTransactionFilter": client.new_pending_transaction_filter,
        "newFilter": lambda: client.new_filter(criteria),
        "getFilterChanges": lambda: client.filter_changes(client.new_block_filter()),
        "getFilterLogs": lambda: client.filter_logs(client.new_filter(criteria)),
        "uninstallFilter": lambda: client.uninstall_filter(client.new_block_filter()),
        "getLogs": lambda: client.logs(criteria),
        "sendTransaction": lambda: client.send_transaction(transaction().raw_hex),
    }
    assert replies.keys() == METHODS.keys()
    for method, ask in replies.items():
        assert unparsed(ask()) == [], method


def test_refusals_are_those_of_the_real_node(clients: list[NodeClient], chain: Running) -> None:
    client = clients[0]
    with pytest.raises(BlockNotFound):
        client.block(10_000)
    with pytest.raises(NotStored):
        client.receipt("0x" + "99" * 32)
    with pytest.raises(InvalidGroupId):
        client.send_transaction(transaction(group_id="group7").raw_hex)
    nonce = transaction(nonce="77")
    client.send_transaction(nonce.raw_hex)
    with pytest.raises(NonceCheckFail):
        client.send_transaction(nonce.raw_hex)
    with NodeClient(client.url, group="nogroup") as stranger, pytest.raises(NoSuchGroupHere):
        stranger.block_number()


def test_the_ethereum_port_and_web3(chain: Running, clients: list[NodeClient]) -> None:
    node = chain.chain.nodes[1]
    client = EthClient(node.web3_url, name=node.name)
    height = clients[0].send_transaction(transaction().raw_hex).block_number
    until(lambda: client.block_number() >= height)
    block = client.block("latest")
    assert block is not None
    assert 1 <= height <= block.number <= client.block_number()
    assert client.chain_id() == web3_of(node.web3_url).eth.chain_id
    assert client.receipt("0x" + "99" * 32) is None
    with pytest.raises(Refused):
        client.call("eth_feeHistory")
    client.close()


def incarnation(run: Running, name: str) -> Incarnation | None:
    process = run.processes.get(name)
    if process is None:
        return None
    try:
        return Incarnation(process.pid, psutil.Process(process.pid).create_time())
    except psutil.NoSuchProcess:
        return None


def test_a_killed_follower_under_load_is_recorded_and_judged(chain: Running, clients: list[NodeClient], tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    nodes = chain.chain.nodes
    victim = next(client for client in clients if not _leads(client))
    others = [client for client in clients if client is not victim]
    outcomes: list[TxOutcome] = []
    with RecordingWriter(path) as writer:
        identities = tuple(NodeIdentity(node.name, node.node_id, rpc_port=node.rpc_port) for node in nodes)
        writer.run(RunInfo(nodes=identities, engine="embedded"))

        def settle(outcome: TxOutcome) -> None:
            outcomes.append(outcome)
            sent_s, got_s = writer.since_start(outcome.sent_clock_s), writer.since_start(outcome.got_clock_s)
            writer.tx(
                TxSeen(
                    outcome.tx_hash, outcome.node, sent_s, got_s, 0, outcome.outcome, outcome.block_number, outcome.status, outcome.error
                )
            )

        targets = [PollTarget(node.name, node.rpc_url) for node in nodes]
        load = LoadClient(
            [LoadTarget(node.name, node.rpc_url) for node in nodes if node.name != victim.name],
            LoadPlan(100, rate_per_s=20, send_for_s=9),
            on_outcome=settle,
        )
        with Poller(targets, 0.1, writer, lambda name: incarnation(chain, name)):
            sender = threading.Thread(target=load.run, args=((transaction() for _ in range(1000)),))
            sender.start()
            until(lambda: len(outcomes) > 10)
            writer.fault_planned("f1", "kill", victim.name, role="follower")
            chain.kill(victim.name)
            writer.fault_injected("f1")
            height = max(client.block_number() for client in others)
            wait_for_height(others, height + 2, 20)
            with pytest.raises(Unreachable):
                victim.block_number()
            chain.start(victim.name)
            until(lambda: chain.ask(victim.name, "getBlockNumber") is not None)
            writer.fault_healed("f1")
            sender.join(60)
            status = wait_recovered(victim, 30, others=others)
            assert status.height >= height
            wait_same_view(clients, 30)
    seen = load_recording(path)
    assert seen.problems == ()
    assert Counter(tx.outcome for tx in seen.txs)["committed"] == len(outcomes) >= 150
    top = max(block.number for block in seen.blocks)
    for node in nodes:
        assert {block.number for block in seen.blocks if block.node == node.name} == set(range(top + 1)), node.name
    assert len({sample.incarnation for sample in seen.samples if sample.node == victim.name and sample.incarnation}) == 2
    violated = {finding.invariant.id: finding.evidence[:2] for finding in judge(seen).findings if finding.verdict is Verdict.VIOLATED}
    assert violated == {}


def _leads(client: NodeClient) -> bool:
    status = client.consensus_status()
    return status.leader_index == status.index


def test_observing_does_not_leave_files_open(chain: Running, tmp_path: Path) -> None:
    """Twenty short observations end with as many open files as before."""
    targets = [PollTarget(node.name, node.rpc_url) for node in chain.chain.nodes]

    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    def observe() -> None:
        with Poller(targets, 0.05) as poller:
            until(lambda: len(poller.heard()) == 4)

    observe()
    before = open_files()
    for _ in range(20):
        observe()
    assert open_files() <= before + 1


def test_all_clients_speak_mutual_tls(tmp_path: Path) -> None:
    """A chain of one node, with RPC over TLS as build_chain.sh configures it."""
    with running(make_chain(tmp_path / "nodes", 1, rpc_tls=True)) as run:
        node = run.chain.nodes[0]
        assert node.rpc_url.startswith("https://")
        tls = TlsFiles.from_sdk(node.sdk_directory)
        with NodeClient(node.rpc_url, name=node.name, tls=tls) as client:
            wait_same_view([client], 30)
            load = LoadClient([LoadTarget(node.name, node.rpc_url, tls=tls)], LoadPlan(5))
            assert load.run(transaction() for _ in range(20)).count("committed") == 20
            with Poller([PollTarget(node.name, node.rpc_url, tls=tls)], 0.05) as poller:
                until(lambda: bool(poller.heard()))
            assert poller.heard()["node0"].values["height"] == client.block_number() >= 1
        with (
            NodeClient(node.rpc_url.replace("https", "http"), name=node.name) as plain,
            pytest.raises((OutcomeUnknown, MalformedAnswer)) as caught,
        ):
            plain.block_number()
        assert caught.value.hint
