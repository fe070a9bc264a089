"""Four real nodes in one loop: real core, real TLS links, real consensus log; only transactions and blocks are kept in memory."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fiscotool.chain.model import Chain, NodeHome
from fiscotool.devnet.contracts import AdmissionError
from fiscotool.devnet.der import certificate_of
from fiscotool.devnet.forms import form_of
from fiscotool.devnet.links import Identity
from fiscotool.devnet.log import NodeLog
from fiscotool.devnet.node import Node
from fiscotool.devnet.settings import Settings, read_settings
from fiscotool.devnet.settings2 import is_generation_2, read_settings2
from fiscotool.ledger.crypto import KeyPair
from fiscotool.ledger.tars import put_text
from tests.devnet.chains import make_chain
from tests.devnet.fakes import MemoryLedger, memory_parts


def settings_of(home: NodeHome) -> Settings:
    config = home.directory / "config.ini"
    return read_settings2(config) if is_generation_2(home.directory) else read_settings(config, home.directory / "config.genesis")


class Cluster:
    def __init__(self, chain: Chain, **changes: Any) -> None:
        self.chain = chain
        self.settings = [replace(settings_of(home), **changes) for home in chain.nodes]
        self.keys = [KeyPair.from_pem(settings.private_key.read_bytes()) for settings in self.settings]
        self.ledgers: dict[int, Any] = {}
        self.nodes: dict[int, Node] = {}
        self.fatal: list[tuple[int, str]] = []
        self.logs: list[NodeLog] = []

    async def start(self, k: int, **changes: Any) -> Node:
        settings = replace(self.settings[k], **changes)
        parts = memory_parts(self.keys[k].node_id, [key.node_id for key in self.keys], form=form_of(3, settings.protocol))
        if k in self.ledgers:
            parts.store.blocks = self.ledgers[k].blocks  # type: ignore[attr-defined]
        self.ledgers[k] = parts.store
        identity = Identity(
            key=self.keys[k],
            group_id=settings.group_id,
            chain_id=settings.chain_id,
            genesis_hash=parts.store.genesis_hash,
            certificate=certificate_of(settings.node_cert),
            listen_port=settings.p2p.port,
            message_bytes_max=settings.message_bytes_max,
        )
        log = NodeLog(settings.log_path)
        self.logs.append(log)
        node = Node(settings, parts, identity, log, on_fatal=lambda reason: self.fatal.append((k, reason)))
        self.nodes[k] = node
        await node.start()
        return node

    async def stop(self, *which: int) -> None:
        for k in which or list(self.nodes):
            await self.nodes.pop(k).stop()

    def hashes(self, k: int) -> list[bytes]:
        ledger: MemoryLedger = self.ledgers[k]
        return [header.parents[0][1] for header, _ in ledger.blocks[1:]] + [ledger.head_hash]

    def views(self) -> list[tuple[int, bool]]:
        return [(node.driver.state.view, node.driver.state.in_timeout) for node in self.nodes.values()]

    def agree(self) -> bool:
        """Whether all ledgers are prefixes of the longest one."""
        longest = max((self.hashes(k) for k in self.ledgers), key=len)
        return all(self.ledgers[k].head_hash in longest for k in self.ledgers)


async def until(condition: Callable[[], object], what: str, within_s: float = 60.0) -> None:
    deadline_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline_s, what
        await asyncio.sleep(0.02)


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    return make_chain(tmp_path / "nodes", 4)


def play(chain: Chain, scenario: Callable[[Cluster], Awaitable[None]], **changes: Any) -> None:
    async def main() -> None:
        cluster = Cluster(chain, **changes)
        try:
            await scenario(cluster)
        finally:
            await cluster.stop()
            for log in cluster.logs:
                log.close()

    asyncio.run(main())


async def start_all(cluster: Cluster, **changes: Any) -> None:
    for k in range(4):
        await cluster.start(k, **changes)
    await until(lambda: all(not late for _, late in cluster.views()), "all nodes reach a view")


def test_four_nodes_commit_the_same_blocks(chain: Chain) -> None:
    async def scenario(cluster: Cluster) -> None:
        await start_all(cluster)
        assert {view for view, _ in cluster.views()} == {3}, "a fresh chain meets in view 3, as a real one does"
        began_s = time.monotonic()
        for number in range(50):
            await cluster.nodes[number % 4].submit(b"tx %d" % number, wait=False)
        receipt = await asyncio.wait_for(cluster.nodes[0].submit(b"the last", wait=True), 45)
        assert receipt == b"receipt"
        assert time.monotonic() - began_s < 25
        await until(lambda: all(node.parts.pool.total_count == 0 for node in cluster.nodes.values()), "all pools are empty")
        await until(lambda: len({cluster.ledgers[k].head_hash for k in range(4)}) == 1, "all ledgers are equal")
        assert sum(len(txs) for _, txs in cluster.ledgers[2].blocks) == 51

    play(chain, scenario)


def test_a_node_that_missed_blocks_catches_up_and_votes_again(chain: Chain) -> None:
    async def scenario(cluster: Cluster) -> None:
        await start_all(cluster)
        await cluster.stop(3)
        for number in range(5):
            await asyncio.wait_for(cluster.nodes[number % 3].submit(put_text(1, f"tx {number}"), wait=True), 45)
        await cluster.start(3)
        await until(lambda: cluster.ledgers[3].height >= cluster.ledgers[0].height > 0, "node 3 has the blocks")
        await until(lambda: not cluster.nodes[3].driver.state.in_timeout, "node 3 is in a view")
        assert cluster.agree()

    play(chain, scenario)


def test_a_disk_that_fails_stops_the_replica_before_it_votes_again(chain: Chain) -> None:
    async def scenario(cluster: Cluster) -> None:
        await start_all(cluster)
        victim = cluster.nodes[1]

        def full(*_: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        victim._log_file.write = full  # type: ignore[method-assign,assignment]
        for number in range(4):
            await asyncio.wait_for(cluster.nodes[0].submit(put_text(1, f"tx {number}"), wait=True), 45)
        await until(lambda: cluster.fatal, "the failure is told")
        assert cluster.fatal == [(1, "the consensus log cannot be written: database or disk is full")]
        assert victim.driver.is_halted
        with pytest.raises(AdmissionError):
            await victim.submit(b"too late", wait=False)

    play(chain, scenario)


def test_transactions_pushed_to_one_node_reach_a_leader_elsewhere(chain: Chain) -> None:
    """Whoever leads next has them, and a node that connects later gets what waits."""

    async def scenario(cluster: Cluster) -> None:
        for k in (0, 1):
            await cluster.start(k)
        await cluster.nodes[0].submit(put_text(1, "early"), wait=False)
        for k in (2, 3):
            await cluster.start(k)
        await until(lambda: all(cluster.ledgers[k].height == 1 for k in range(4)), "the early transaction is in a block")

    play(chain, scenario)
