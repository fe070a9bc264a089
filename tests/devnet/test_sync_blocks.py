"""Block synchronisation: thousands of blocks are fetched and checked, and nothing is believed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fiscotool.devnet.blocks import BlockWork
from fiscotool.devnet.contracts import ExecutedBlock
from fiscotool.devnet.frames import Module
from fiscotool.devnet.log import NodeLog
from fiscotool.devnet.proto import node_pb2
from fiscotool.devnet.settings import WireQuirk
from fiscotool.devnet.sync import BlockSync
from fiscotool.devnet.synced import SyncedBlocks
from fiscotool.ledger.block3 import Block, decode_block, encode_block
from fiscotool.ledger.crypto import KeyPair
from fiscotool.ledger.header3 import BlockHeader, hash_header
from fiscotool.ledger.tars import put_text
from fiscotool.pbft.events import Event, LedgerAdvanced
from fiscotool.pbft.rules import Quirk, Rules
from fiscotool.pbft.types import Height, NodeIndex
from tests.devnet.fakes import VERSION, MemoryExecutor, MemoryLedger, memory_parts, pooled

KEYS = sorted((KeyPair.from_secret(bytes([k]) * 32) for k in range(1, 5)), key=lambda key: key.node_id)
IDS = [key.node_id for key in KEYS]


def grown(count: int, txs_a_block: int = 1) -> MemoryLedger:
    """A ledger with `count` properly signed blocks."""
    ledger: Any = memory_parts(IDS[0], IDS).store
    executor = MemoryExecutor()
    for number in range(1, count + 1):
        header = BlockHeader(
            *(VERSION, ((number - 1, ledger.head_hash),), b"", b"", b"", number, "", 1_700_000_000_000 + number, number % 4),
            *(tuple(IDS), b"", (1, 1, 1, 1)),
        )
        block = executor.execute(header, [pooled(put_text(1, f"tx {number} {at}")) for at in range(txs_a_block)])
        signatures = tuple((k, KEYS[k].sign(block.block_hash)) for k in (0, 1, 3))
        ledger.blocks.append((replace(block.header, signatures=signatures), block.txs))
    found: MemoryLedger = ledger
    return found


class Network:
    """Nodes that hand each other frames through the loop."""

    def __init__(self) -> None:
        self.nodes: dict[bytes, Any] = {}

    def send(self, source: bytes, to: bytes, module: int, payload: bytes) -> bool:
        if to not in self.nodes:
            return False
        asyncio.get_running_loop().call_soon(self._deliver, source, to, module, payload)
        return True

    def _deliver(self, source: bytes, to: bytes, module: int, payload: bytes) -> None:
        if to in self.nodes:
            assert module == Module.BLOCK_SYNC
            self.nodes[to].on_frame(source, payload)


class Links:
    def __init__(self, network: Network, own_id: bytes) -> None:
        self.network, self.own_id = network, own_id

    def send(self, node_id: bytes, module: int, payload: bytes) -> bool:
        return self.network.send(self.own_id, node_id, module, payload)

    def is_choked(self, node_id: bytes) -> bool:
        return False

    def broadcast(self, module: int, payload: bytes, to: Iterable[bytes] | None = None) -> None:
        for node_id in list(self.network.nodes) if to is None else to:
            if node_id != self.own_id:
                self.send(node_id, module, payload)


_logs: list[NodeLog] = []


@pytest.fixture(autouse=True)
def close_logs() -> Iterator[None]:
    yield
    while _logs:
        _logs.pop().close()


class Replica:
    """A node as far as synchronisation is concerned."""

    def __init__(self, network: Network, k: int, ledger: Any, folder: Path, **changes: Any) -> None:
        self.ledger: Any = ledger
        self.events: list[Event] = []
        self.targets: list[int] = []
        self.fatal: list[str] = []
        self.agreed = 0
        self.executed = 0
        parts = memory_parts(IDS[k], IDS)
        self.log = NodeLog(folder / f"log{k}")
        _logs.append(self.log)
        nothing: Any = None
        self.work = BlockWork(
            self, pool=parts.pool, executor=parts.executor, store=self.ledger, gossip=nothing, log=self.log, own_id=IDS[k], now_ms=lambda: 0
        )
        self.synced = SyncedBlocks(
            self.work,
            self.ledger,
            parts.executor,
            self.log,
            pooled=pooled,
            quirks=changes.get("quirks", frozenset()),
            wire_quirks=changes.get("wire_quirks", frozenset()),
        )
        self.sync = BlockSync(
            self.ledger,
            Links(network, IDS[k]),
            self.log,
            time.monotonic,
            apply_block=self.synced.apply,
            on_change=lambda: None,
            on_target=self.targets.append,
            claimed=changes.get("claimed", lambda: (ledger.height, ledger.head_hash)),
            serve=changes.get("serve", ledger.encoded_block),
            executed=lambda: self.executed,
        )
        network.nodes[IDS[k]] = self.sync
        self.task: asyncio.Task[None] | None = None

    def post(self, event: Event) -> None:
        self.events.append(event)

    def keep(self, work: Any) -> asyncio.Task[None]:
        return asyncio.ensure_future(work)

    def rules(self) -> tuple[Rules, NodeIndex | None]:
        return Rules(weights=(1, 1, 1, 1)), NodeIndex(0)

    def on_block(self, block: ExecutedBlock) -> None:
        self.sync.on_head()

    def on_agreed(self, index: Height) -> None:
        self.agreed = index

    def on_fatal(self, what: str, problem: Exception) -> None:
        self.fatal.append(f"{what}: {problem}")

    def log_text(self) -> str:
        return "".join(path.read_text() for path in self.log.directory.glob("*.log"))


def play(
    scenario: Callable[[Network], Awaitable[list[Replica]]], done: Callable[[list[Replica]], object], within_s: float = 30.0
) -> list[Replica]:
    async def main() -> list[Replica]:
        replicas = await scenario(Network())
        tasks = [asyncio.ensure_future(replica.sync.run()) for replica in replicas]
        deadline_s = time.monotonic() + within_s
        try:
            while not done(replicas):
                assert time.monotonic() < deadline_s, [(replica.ledger.height, replica.log_text()[-2000:]) for replica in replicas]
                await asyncio.sleep(0.01)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return replicas

    return asyncio.run(main())


def test_two_thousand_blocks_are_fetched_from_all_peers_and_told_to_the_core(tmp_path: Path) -> None:
    full = grown(2000)
    asked: list[int] = []

    def serving(k: int) -> Callable[[int], bytes]:
        def serve(number: int) -> bytes:
            asked.append(k)
            return full.encoded_block(number)

        return serve

    async def scenario(network: Network) -> list[Replica]:
        return [Replica(network, 0, grown(0), tmp_path), *(Replica(network, k, full, tmp_path, serve=serving(k)) for k in (1, 2, 3))]

    behind, *_ = play(scenario, lambda replicas: replicas[0].ledger.height == 2000)
    assert behind.ledger.head_hash == full.head_hash
    advanced = [event for event in behind.events if isinstance(event, LedgerAdvanced)]
    assert [event.index for event in advanced] == list(range(1, 2001))
    assert all(event.by_sync for event in advanced)
    assert all(asked.count(k) > 200 for k in (1, 2, 3)), "every peer carries a part"
    assert behind.targets
    assert max(behind.targets) <= 2000


def forge(change: Callable[[BlockHeader], BlockHeader], at: int = 5) -> Callable[[MemoryLedger], Callable[[int], bytes]]:
    def make(ledger: MemoryLedger) -> Callable[[int], bytes]:
        def serve(number: int) -> bytes:
            block = decode_block(ledger.encoded_block(number))
            return encode_block(replace(block, header=change(block.header))) if number == at else encode_block(block)

        return serve

    return make


def resigned(header: BlockHeader, signers: tuple[int, ...]) -> BlockHeader:
    return replace(header, signatures=tuple((k, KEYS[k].sign(hash_header(header))) for k in signers))


FORGERIES = [
    pytest.param(lambda h: replace(h, timestamp_ms=h.timestamp_ms + 1), "is not its own", id="a changed header"),
    pytest.param(lambda h: replace(h, signatures=h.signatures[:2]), "signed with weight 2", id="too few signatures"),
    pytest.param(lambda h: replace(h, signatures=()), "signed with weight 0", id="no signatures"),
    pytest.param(lambda h: replace(h, signatures=(h.signatures[0],) * 3), "listed twice", id="one signer three times"),
    pytest.param(
        lambda h: replace(h, signatures=(*h.signatures[:2], (7, h.signatures[2][1]))), "is not a sealer", id="a signer that is none"
    ),
    pytest.param(
        lambda h: resigned(replace(h, sealer_list=h.sealer_list[:3], weights=(1, 1, 1)), (0, 1, 2)), "sealer list", id="other sealers"
    ),
    pytest.param(lambda h: resigned(replace(h, weights=(9, 1, 1, 1)), (0, 1, 2)), "weights", id="other weights"),
    pytest.param(lambda h: resigned(replace(h, parents=((4, b"\x01" * 32),)), (0, 1, 2)), "does not follow", id="another parent"),
    pytest.param(
        lambda h: resigned(replace(h, state_root=b"\x01" * 32), (0, 1, 2)), "executing it gives", id="a state that execution does not give"
    ),
    pytest.param(lambda h: resigned(replace(h, sealer=9), (0, 1, 2)), "proposer 9", id="a proposer that is none"),
]


@pytest.mark.parametrize(("change", "said"), FORGERIES)
def test_a_forged_block_is_refused_and_fetched_from_another(
    tmp_path: Path, change: Callable[[BlockHeader], BlockHeader], said: str
) -> None:
    full = grown(12)

    async def scenario(network: Network) -> list[Replica]:
        liar = Replica(network, 1, full, tmp_path, serve=forge(change)(full))
        behind = Replica(network, 0, grown(0), tmp_path)
        behind.sync.on_frame(IDS[1], liar.sync._status())
        asyncio.get_running_loop().call_later(0.3, Replica, network, 2, full, tmp_path)
        asyncio.get_running_loop().call_later(0.35, lambda: network.nodes[IDS[0]].on_frame(IDS[2], liar.sync._status()))
        return [behind]

    (behind,) = play(scenario, lambda replicas: replicas[0].ledger.height == 12)
    assert behind.ledger.head_hash == full.head_hash
    assert said in behind.log_text()


def test_a_forged_block_alone_is_never_taken(tmp_path: Path) -> None:
    """The sound rule and its holes, block by block: what each quirk lets in, and only that."""
    full = grown(3, txs_a_block=0)
    header = full.blocks[1][0]
    doubled = encode_block(Block(replace(header, signatures=(header.signatures[0],) * 3)))
    unsigned = encode_block(Block(replace(header, signatures=())))

    async def taken(raw: bytes, **quirks: Any) -> bool:
        return await Replica(Network(), 0, grown(0), tmp_path, **quirks).synced.apply(raw, 1)

    async def main() -> None:
        assert await taken(full.encoded_block(1))
        assert not await taken(doubled)
        assert not await taken(unsigned)
        assert not await taken(b"garbage")
        assert await taken(doubled, quirks=frozenset({Quirk.DUPLICATE_SIGNERS}))
        assert not await taken(unsigned, quirks=frozenset({Quirk.DUPLICATE_SIGNERS}))
        assert await taken(unsigned, wire_quirks=frozenset({WireQuirk.EMPTY_SYNC_UNCHECKED}))

    asyncio.run(main())


def test_one_liar_about_heights_makes_nobody_wait(tmp_path: Path) -> None:
    full = grown(3)

    async def scenario(network: Network) -> list[Replica]:
        honest = [Replica(network, k, full, tmp_path) for k in (0, 2, 3)]
        Replica(network, 1, full, tmp_path, claimed=lambda: (1_000_000, b"\x01" * 32))
        honest[0].sync.on_frame(IDS[1], network.nodes[IDS[1]]._status())
        return honest

    honest = play(scenario, lambda replicas: len(replicas[0].sync.peers) == 3 and replicas[0].sync.peers[IDS[1]].silences >= 1)
    assert honest[0].targets == [], "the core is not told of a height that only one claims"
    assert not honest[0].sync.is_syncing


def test_a_silent_peer_is_replaced(tmp_path: Path) -> None:
    full = grown(6)

    async def scenario(network: Network) -> list[Replica]:
        behind = Replica(network, 0, grown(0), tmp_path)
        helper = Replica(network, 2, full, tmp_path)
        behind.sync.on_frame(IDS[1], helper.sync._status())  # IDS[1] is not there: it never answers.
        behind.sync.highest = 6
        behind.sync._behind_since_s = 0.0
        behind.sync._request()
        assert behind.sync.peers[IDS[1]].asked
        return [behind, helper]

    play(scenario, lambda replicas: replicas[0].ledger.height == 6)


def test_a_block_on_its_way_through_consensus_is_not_fetched(tmp_path: Path) -> None:
    full = grown(2)

    async def main() -> None:
        network = Network()
        behind, helper = Replica(network, 0, grown(1), tmp_path), Replica(network, 2, full, tmp_path)
        behind.sync.on_frame(IDS[2], helper.sync._status())
        assert not behind.sync._should_fetch(), "not at once"
        behind.sync.agreed = 2
        behind.sync._behind_since_s = 0.0
        assert not behind.sync._should_fetch(), "not what consensus has agreed on"
        behind.sync.agreed = 1
        behind.sync._behind_since_s = 0.0
        assert behind.sync._should_fetch(), "but in the end, when consensus does not bring it"

    asyncio.run(main())


def test_garbage_and_foreign_statuses_change_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        replica = Replica(Network(), 0, grown(1), tmp_path)
        replica.sync.on_frame(IDS[1], b"\xff\xff")
        replica.sync.on_frame(
            IDS[1], node_pb2.BlockSyncMessage(packetType=0, number=9, hash=b"\x01" * 32, genesisHash=b"\x02" * 32).SerializeToString()
        )
        replica.sync.on_frame(IDS[1], node_pb2.BlockSyncMessage(packetType=1, number=-5, size=1 << 40).SerializeToString())
        replica.sync.on_frame(IDS[1], node_pb2.BlockSyncMessage(packetType=2, number=1, blocksData=[b"x"]).SerializeToString())
        replica.sync.on_frame(IDS[1], node_pb2.BlockSyncMessage(packetType=77).SerializeToString())
        assert replica.sync.peers == {}
        assert replica.sync.highest == 1

    asyncio.run(main())


def test_who_counts_as_faulty(tmp_path: Path) -> None:
    """BlockSync::faultyNode: unknown, or more than 50 behind."""

    async def main() -> None:
        replica = Replica(Network(), 0, grown(60), tmp_path)
        assert replica.sync.is_faulty(IDS[1])
        for number, is_faulty in ((10, False), (9, True), (60, False)):
            status = node_pb2.BlockSyncMessage(packetType=0, number=number, hash=b"\x01" * 32, genesisHash=replica.ledger.genesis_hash)
            replica.sync.on_frame(IDS[1], status.SerializeToString())
            assert replica.sync.is_faulty(IDS[1]) == is_faulty

    asyncio.run(main())


def test_a_failing_disk_is_told_once_and_nothing_more_is_written(tmp_path: Path) -> None:
    full = grown(2)

    async def main() -> None:
        replica = Replica(Network(), 0, grown(0), tmp_path)
        replica.ledger.problem = OSError("No space left on device")
        assert not await replica.synced.apply(full.encoded_block(1), 1)
        replica.ledger.problem = None
        assert not await replica.synced.apply(full.encoded_block(1), 1)
        assert replica.ledger.height == 0
        assert len(replica.fatal) == 1
        assert "No space left" in replica.fatal[0]

    asyncio.run(main())
