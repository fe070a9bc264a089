"""All nodes execute alike: however far each has committed, restarted or not. And no wei is made or lost."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiscotool.devnet.contracts import ExecutedBlock
from fiscotool.ledger.crypto import KeyPair
from fiscotool.ledger.precompiled import CONSENSUS, SYSTEM_CONFIG, encode_call
from tests.devnet.ledger_world import GENESIS, NOBODY, RICH, RICH_WEI, USER, World, genesis, native, open_world, web3

BLOCK_LIMIT = 2
OWNERS = [RICH, USER, KeyPair.from_secret(bytes(31) + b"\x67")]
ADDRESSES = [*(key.address.hex() for key in OWNERS), NOBODY]


def chain_of_blocks(chance: random.Random, blocks: int) -> list[list[bytes]]:
    """Blocks as a careless or faulty leader might fill them: used nonces, gaps, too much value, membership changes."""
    web3_nonce = 0
    made: list[bytes] = []
    result = []
    for _ in range(blocks):
        block = []
        for _ in range(chance.randint(0, 6)):
            kind = chance.choice(["plain", "value", "value", "web3", "web3 gap", "again", "system", "member", "nonce"])
            if kind == "web3":
                block.append(web3(web3_nonce, to=f"0x{chance.choice(ADDRESSES)}", value=chance.randint(0, 10)))
                web3_nonce += 1
            elif kind == "web3 gap":
                block.append(web3(web3_nonce + chance.randint(1, 3), value=1))
            elif kind == "again" and made:
                block.append(chance.choice(made))
            elif kind == "value":
                wei = chance.choice([0, 1, 1000, RICH_WEI // 2])
                block.append(native(to=chance.choice(ADDRESSES), key=chance.choice(OWNERS), version=1, value=hex(wei)))
            elif kind == "system":
                value = chance.choice(["1", "0", "x"])
                block.append(native(to=SYSTEM_CONFIG, input=encode_call("setValueByKey(string,string)", ("tx_count_limit", value))))
            elif kind == "member":
                method = chance.choice(["addObserver(string)", "remove(string)"])
                block.append(native(to=CONSENSUS, input=encode_call(method, (chance.choice(OWNERS).node_id.hex(),))))
            else:
                block.append(native(str(chance.randint(0, 3)) if kind == "nonce" else "", to=chance.choice([*ADDRESSES, ""])))
        made += block
        result.append(block)
    return result


async def live(directory: Path, chain: list[list[bytes]], chance: random.Random, *, lag_blocks: int, restarts: bool) -> list[bytes]:
    """Block hashes of a node that is up to `lag_blocks` behind with committing and perhaps restarts (and executes those again)."""
    world = open_world(directory, genesis(block_limit=BLOCK_LIMIT))
    waiting: list[ExecutedBlock] = []
    hashes: list[bytes] = []
    for raws in chain:
        block = world.execute(raws, parent=waiting[-1] if waiting else None)
        hashes.append(block.block_hash)
        waiting.append(block)
        while len(waiting) > chance.randint(0, lag_blocks):
            await world.commit(waiting.pop(0))
        if restarts and chance.random() < 0.3:
            world = await restarted(world, directory, waiting)
    for block in waiting:
        await world.commit(block)
    balances = [world.ledger.balance(bytes.fromhex(address)) for address in ADDRESSES]
    assert sum(balances) == RICH_WEI, "no wei is made or lost"
    assert min(balances) >= 0
    world.close()
    return hashes


async def restarted(world: World, directory: Path, waiting: list[ExecutedBlock]) -> World:
    world.close()
    again = open_world(directory, genesis(block_limit=BLOCK_LIMIT))
    for at, block in enumerate(waiting):
        waiting[at] = again.executor.execute(block.header, block.txs)
        assert waiting[at].block_hash == block.block_hash
    return again


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_nodes_agree_whatever_they_have_committed(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    chain = chain_of_blocks(random.Random(seed), blocks=12)

    async def scenario() -> None:
        eager = await live(tmp_path_factory.mktemp("eager"), chain, random.Random(seed + 1), lag_blocks=0, restarts=False)
        late = await live(tmp_path_factory.mktemp("late"), chain, random.Random(seed + 2), lag_blocks=3, restarts=False)
        moody = await live(tmp_path_factory.mktemp("moody"), chain, random.Random(seed + 3), lag_blocks=5, restarts=True)
        assert eager == late == moody

    asyncio.run(scenario())


def test_blocks_on_top_of_a_replaced_block_are_forgotten(tmp_path: Path) -> None:
    """As after a view change: what was executed on the former block 1 must not become the parent of anything."""
    world = open_world(tmp_path)
    first = world.execute([native("a")])
    second = world.execute([native("b")], parent=first)
    world.execute([native("c")])
    with pytest.raises(ValueError, match="before block 2"):
        world.execute([native("d")], parent=second)
    world.close()


def test_committed_layers_are_let_go(tmp_path: Path) -> None:
    """A layer that still held its committed parent would hold the whole chain."""
    world = open_world(tmp_path)

    async def scenario() -> None:
        first = world.execute([native("a")])
        second = world.execute([native("b")], parent=first)
        await world.commit(first)
        assert world.executor._layers[2].state._parent is world.ledger
        await world.commit(second)
        assert not world.executor._layers

    asyncio.run(scenario())
    world.close()


def test_every_transaction_field_that_moves_money_reaches_the_block_hash(tmp_path: Path) -> None:
    world = open_world(tmp_path, genesis(GENESIS))
    variants = [
        native("n", key=RICH, version=1, value="0x1"),
        native("n", key=RICH, version=1, value="0x2"),
        native("n", key=RICH, version=1, value="0x1", to="33" * 20),
        native("n", key=USER, version=1, value="0x1"),
    ]
    hashes = {world.execute([raw]).block_hash for raw in variants}
    assert len(hashes) == len(variants)
    world.close()
