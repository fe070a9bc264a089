"""Four nodes of each other protocol in one loop: real core, links and consensus log; transactions and blocks are kept in memory."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fiscotool.chain.model import Chain
from fiscotool.ledger.tars import put_text
from tests.devnet.chains import alarms, make_chain
from tests.devnet.test_driver_chain import Cluster, play, until

SPECS: dict[str, dict[str, str]] = {
    "fisco2": {"protocol": "fisco2", "version": "2.9.1", "chain_id": "1", "group_id": "1"},
    "classic": {"protocol": "classic"},
}


@pytest.fixture(params=sorted(SPECS))
def chain(request: pytest.FixtureRequest, tmp_path: Path) -> Chain:
    return make_chain(tmp_path / "nodes", 4, trace=True, **SPECS[request.param])


async def start_all(cluster: Cluster) -> None:
    for k in range(4):
        await cluster.start(k)
    await until(lambda: all(len(node.peers.connected) == 3 for node in cluster.nodes.values()), "all are connected")


async def commit(cluster: Cluster, k: int, text: str, within_s: float = 60.0) -> None:
    await asyncio.wait_for(cluster.nodes[k].submit(put_text(1, text), wait=True), within_s)


async def same_heads(cluster: Cluster) -> None:
    await until(lambda: len({cluster.ledgers[k].head_hash for k in range(4)}) == 1, "all ledgers are equal")


def test_all_restart_and_go_on_where_they_were(chain: Chain) -> None:
    async def scenario(cluster: Cluster) -> None:
        await start_all(cluster)
        for number in range(3):
            await commit(cluster, 0, f"tx {number}")
        await same_heads(cluster)
        height = cluster.ledgers[0].height
        await cluster.stop()
        await start_all(cluster)
        await commit(cluster, 1, "after")
        await same_heads(cluster)
        assert cluster.ledgers[2].height > height

    play(chain, scenario)
    assert alarms(chain) == []
