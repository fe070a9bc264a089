"""A member of the chain turns hostile: whatever it sends, as fast as it can, the others go on committing and stay small.

Three nodes of four are real processes; the fourth has a certificate and a key and sends what it likes.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fiscotool.devnet.frames import Module
from fiscotool.devnet.gossip import Gossip
from fiscotool.devnet.log import NodeLog
from fiscotool.devnet.proto import node_pb2
from fiscotool.ledger.crypto import KeyPair
from tests.devnet.chains import Running, make_chain, running, until
from tests.devnet.hostile import Neighbour
from tests.devnet.test_node_processes import raw_tx, send

HONEST = ("node0", "node1", "node2")
FLOOD_S = 1.0
RSS_BYTES_MAX = 160 << 20

Stage = tuple[Running, Neighbour]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    chain = make_chain(tmp_path_factory.mktemp("hostile") / "nodes", 4, min_seal_time_ms=50)
    with running(chain, *HONEST) as run:
        until(lambda: run.is_ready(*HONEST), within_s=60, what="three nodes are ready")
        with Neighbour(chain.nodes[3], genesis_of(run)) as neighbour:
            until(lambda: len(neighbour.peers.connected) == len(HONEST), within_s=60, what="the neighbour is greeted")
            for _ in range(3):
                send(run, "node0")
            yield run, neighbour
        for name in HONEST:
            assert "Traceback" not in run.out_text(name) + run.log_text(name)


def genesis_of(run: Running) -> bytes:
    return bytes.fromhex(run.call(HONEST[0], "getBlockHashByNumber", 0).removeprefix("0x"))


def heard(run: Running, neighbour: Neighbour) -> bytes:
    """A consensus message of an honest node, to be replayed."""
    send(run, "node0")
    votes = [payload for _, module, payload in neighbour.frames if module == Module.PBFT]
    return votes[-1]


def transactions(*raws: bytes) -> bytes:
    return bytes(node_pb2.Transactions(transactions=raws).SerializeToString())


FLOODS: dict[str, tuple[int, Callable[[Running, Neighbour], bytes]]] = {
    "garbage for the consensus": (Module.PBFT, lambda _run, _neighbour: os.urandom(20)),
    "a replayed vote": (Module.PBFT, heard),
    "frames for nobody": (77, lambda _run, _neighbour: b"x" * 100),
    "requests for blocks it does not read": (
        Module.BLOCK_SYNC,
        lambda _run, _neighbour: node_pb2.BlockSyncMessage(packetType=1, number=1, size=8).SerializeToString(),
    ),
    "thirty megabytes of junk": (Module.PUSH_TRANSACTION, lambda _run, _neighbour: transactions(*[os.urandom(1 << 20)] * 30)),
    "a transaction that everybody has": (
        Module.PUSH_TRANSACTION,
        lambda run, _neighbour: transactions(*[bytes.fromhex(raw_tx(run))] * 100),
    ),
    "a height that is not": (
        Module.BLOCK_SYNC,
        lambda run, _neighbour: node_pb2.BlockSyncMessage(
            packetType=0, number=10**9, hash=os.urandom(32), genesisHash=genesis_of(run)
        ).SerializeToString(),
    ),
}


@pytest.mark.devnet
@pytest.mark.xdist_group("hostile")
@pytest.mark.parametrize("what", FLOODS)
def test_a_flood_stops_nothing(stage: Stage, what: str) -> None:
    psutil = pytest.importorskip("psutil")
    run, neighbour = stage
    module, make = FLOODS[what]
    payload = make(run, neighbour)
    height = run.height("node0")
    sent = neighbour.sent_count
    neighbour.flood(module, payload, for_s=FLOOD_S)
    assert neighbour.sent_count > sent, "nothing was sent"
    # The neighbour, a sealer, never proposes: its turns cost up to a time-out of 3 s each, as PBFT allows.
    assert send(run, "node1", within_s=120) > height
    for name in HONEST:
        assert psutil.Process(run.processes[name].pid).memory_info().rss < RSS_BYTES_MAX


@pytest.mark.devnet
@pytest.mark.xdist_group("hostile")
def test_one_certificate_is_one_peer(stage: Stage) -> None:
    """A member cannot be a thousand peers: further keys under its certificate are refused."""
    run, neighbour = stage
    home = run.node("node3")
    with Neighbour(home, genesis_of(run), key=KeyPair.generate(), listen=False):
        until(lambda: "its certificate is in use by another node" in run.log_text("node0"), within_s=60, what="the second key is refused")
    assert len(neighbour.peers.connected) == len(HONEST)


class OneAsked:
    """Links that notice what was sent."""

    def __init__(self) -> None:
        self.asked: list[node_pb2.TransactionsRequest] = []
        self.charged_s: dict[bytes, float] = {}

    def send(self, node_id: bytes, module: int, payload: bytes) -> bool:
        del node_id
        assert module == Module.CONS_TXS_SYNC
        self.asked.append(node_pb2.TransactionsRequest.FromString(payload))
        return True

    def broadcast(self, module: int, payload: bytes, to: Any = None) -> None:
        raise AssertionError((module, payload, to))

    def is_choked(self, node_id: bytes) -> bool:
        del node_id
        return False

    def charge(self, node_id: bytes, cpu_s: float) -> None:
        self.charged_s[node_id] = self.charged_s.get(node_id, 0.0) + cpu_s


class Taking:
    """A pool that takes whatever begins with the right byte."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []

    def admit_gossip(self, raws: Any, *, is_needed: bool = False) -> list[bytes]:
        del is_needed
        good = [raw for raw in raws if raw.startswith(b"g")]
        self.taken += good
        return good


def play(tmp_path: Any, scenario: Callable[[Gossip, OneAsked, Taking], Any]) -> None:
    async def main() -> None:
        links, pool, log = OneAsked(), Taking(), NodeLog(tmp_path / "log")
        try:
            await scenario(Gossip(pool, links, log, on_new=lambda: None), links, pool)  # type: ignore[arg-type]
        finally:
            log.close()

    asyncio.run(main())


def test_an_answer_counts_only_from_who_was_asked_and_only_as_much(tmp_path: Any) -> None:
    async def scenario(gossip: Gossip, links: OneAsked, pool: Taking) -> None:
        fetching = asyncio.ensure_future(gossip.fetch(b"asked", [b"1", b"2"]))
        await asyncio.sleep(0)
        number = links.asked[0].id
        empty = node_pb2.Transactions(id=number).SerializeToString()
        gossip.on_frame(b"other", Module.TXS_SYNC, empty)
        await asyncio.sleep(0.01)
        assert not fetching.done(), "somebody else ended the fetch"
        answer = node_pb2.Transactions(id=number, transactions=[b"g1", b"g2", b"g3"]).SerializeToString()
        gossip.on_frame(b"asked", Module.TXS_SYNC, answer)
        await asyncio.wait_for(fetching, 1)
        assert pool.taken == [b"g1", b"g2"]

    play(tmp_path, scenario)


def test_peers_take_turns_and_pay_for_what_is_refused(tmp_path: Any) -> None:
    async def scenario(gossip: Gossip, links: OneAsked, pool: Taking) -> None:
        gossip.on_frame(b"flooder", Module.PUSH_TRANSACTION, transactions(*[b"junk"] * 20_000))
        gossip.on_frame(b"flooder", Module.PUSH_TRANSACTION, transactions(b"g: too much, dropped"))
        gossip.on_frame(b"honest", Module.PUSH_TRANSACTION, transactions(b"g: mine"))
        for _ in range(4):
            await asyncio.sleep(0)
        assert pool.taken == [b"g: mine"], "the honest peer waits behind the flood"
        gossip.drain()
        assert pool.taken == [b"g: mine"]
        assert set(links.charged_s) == {b"flooder"}

    play(tmp_path, scenario)
