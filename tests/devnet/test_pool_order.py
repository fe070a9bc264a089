"""What the pool hands to the sealer, in which order, and what it forgets when."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiscotool.devnet.contracts import AdmissionError, PooledTx
from fiscotool.devnet.lanes import Lanes
from fiscotool.devnet.txpool import BLOCK_BYTES_MAX
from fiscotool.ledger.crypto import KeyPair
from fiscotool.ledger.precompiled import SYSTEM_CONFIG
from tests.devnet.ledger_world import GENESIS, RICH, World, genesis, native, open_world, web3

RICH_TOO = KeyPair.from_secret(bytes(31) + b"\x66")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    opened = open_world(tmp_path, genesis(GENESIS + f"\n0x{RICH_TOO.address.hex()}=1000"))
    yield opened
    opened.close()


def admit(world: World, *raws: bytes) -> list[PooledTx]:
    return [world.pool.admit(raw) for raw in raws]


def hashes(txs: list[PooledTx]) -> list[bytes]:
    return [tx.tx_hash for tx in txs]


def test_system_transactions_first_then_in_order_of_arrival(world: World) -> None:
    txs = admit(world, native(), web3(0), native(), native(to=SYSTEM_CONFIG), web3(1), native())
    assert world.pool.unsealed_count == 6
    assert world.pool.seal(3) == [txs[3], txs[0], txs[1]]
    assert world.pool.unsealed_count == 3
    assert world.pool.total_count == 6
    assert world.pool.seal(100) == [txs[2], txs[4], txs[5]]
    assert world.pool.seal(100) == []


def test_what_was_released_comes_before_what_arrived_later(world: World) -> None:
    txs = admit(world, native(), native())
    sealed = world.pool.seal(100)
    late = admit(world, native(), native(to=SYSTEM_CONFIG))
    world.pool.release(hashes(sealed))
    assert world.pool.unsealed_count == 4
    assert world.pool.seal(100) == [late[1], txs[0], txs[1], late[0]]


def test_a_proposal_of_others_seals_too(world: World) -> None:
    txs = admit(world, native(), native(), native())
    world.pool.mark_sealed([txs[1].tx_hash, bytes(32)])
    assert world.pool.seal(100) == [txs[0], txs[2]]


def test_releasing_an_old_proposal_leaves_a_newer_one_alone(world: World) -> None:
    (tx,) = admit(world, native())
    world.pool.mark_sealed([tx.tx_hash], number=1, proposal=b"old")
    world.pool.mark_sealed([tx.tx_hash], number=1, proposal=b"new")
    world.pool.release([tx.tx_hash], proposal=b"old")
    assert world.pool.unsealed_count == 0
    world.pool.release([tx.tx_hash], proposal=b"new")
    assert world.pool.unsealed_count == 1
    world.pool.release([tx.tx_hash], proposal=b"new")
    assert world.pool.seal(9) == [tx], "releasing twice does not double it"


def test_a_block_stays_below_eight_mebibytes(world: World) -> None:
    big = [native(input=bytes(1_000_000)) for _ in range(10)]
    admit(world, *big)
    sealed = world.pool.seal(100)
    assert 1 <= len(sealed) < 10
    assert sum(len(tx.raw) for tx in sealed) <= BLOCK_BYTES_MAX


def test_reasons_not_to_accept_a_proposal(world: World) -> None:
    txs = admit(world, native(), native(), native())
    assert world.pool.check_sealable(hashes(txs)) == ""
    assert "unknown" in world.pool.check_sealable([bytes(32)])
    assert "twice" in world.pool.check_sealable([txs[0].tx_hash] * 2)
    world.pool.mark_sealed([txs[1].tx_hash], number=4, proposal=b"four")
    assert world.pool.check_sealable(hashes(txs), number=4) == "", "another proposal for the same height, after a view change"
    assert "proposal of height 4" in world.pool.check_sealable(hashes(txs), number=5)
    assert world.pool.missing([txs[0].tx_hash, bytes(32)]) == [bytes(32)]
    (short,) = admit(world, native(block_limit=3))
    assert world.pool.check_sealable([short.tx_hash], number=3) == ""
    assert "above 3" in world.pool.check_sealable([short.tx_hash], number=4)


def test_a_nonce_that_came_on_the_chain_by_others_is_no_longer_sealable(world: World) -> None:
    (mine, _) = admit(world, native("same"), native())
    block = world.execute([native("same", to="33" * 20)])

    async def commit_only() -> None:
        await world.ledger.commit(block, [])

    asyncio.run(commit_only())
    assert "nonce that is on the chain" in world.pool.check_sealable([mine.tx_hash])
    world.pool.on_committed(1, hashes(list(block.txs)))
    assert world.pool.get(mine.tx_hash) is None
    assert world.dropped == [(mine.tx_hash, 10000)]
    assert world.pool.total_count == 1


def test_committed_transactions_leave_sealed_or_not(world: World) -> None:
    raws = [native() for _ in range(4)]
    admit(world, *raws)
    world.pool.seal(2)
    asyncio.run(world.add_block(raws[1:3]))
    assert world.pool.total_count == 2
    assert world.pool.unsealed_count == 1
    assert world.dropped == []
    asyncio.run(world.add_block([raws[0], raws[3]]))
    assert not world.pool._by_limit, "nothing is left of them: memory stays flat"
    assert not world.pool._by_nonce


def test_a_passed_block_limit_drops_but_not_what_is_sealed(world: World) -> None:
    short, sealed, long = admit(world, native(block_limit=1), native(block_limit=1), native(block_limit=2))
    world.pool.mark_sealed([sealed.tx_hash], number=2, proposal=b"two")
    asyncio.run(world.add_block([native()]))
    assert world.dropped == [(short.tx_hash, 10001)]
    assert world.pool.get(sealed.tx_hash) == sealed, "an agreed block must be executable"
    world.pool.release([sealed.tx_hash], proposal=b"two")
    assert world.dropped[1:] == [(sealed.tx_hash, 10001)]
    assert world.pool.seal(9) == [long]


def test_what_waits_too_long_is_dropped_but_not_what_is_sealed(world: World) -> None:
    old, sealed = admit(world, native(), native())
    world.pool.mark_sealed([sealed.tx_hash])
    world.clock[0] += 300_000
    admit(world, native())
    world.clock[0] += 299_999
    assert world.pool.expire() == 0
    world.clock[0] += 1
    assert world.pool.expire() == 1
    assert world.dropped == [(old.tx_hash, 10010)]
    assert world.pool.total_count == 2
    with pytest.raises(AdmissionError, match="AlreadyInTxPool"):
        world.pool.admit(sealed.raw)
    assert world.pool.admit(old.raw), "what was dropped may come again"


def test_web3_transactions_wait_for_the_gap_before_them(world: World) -> None:
    two, one = admit(world, web3(2), web3(1))
    other = admit(world, web3(0, key=RICH_TOO))[0]
    assert world.pool.unsealed_count == 1
    assert world.pool.total_count == 3
    assert world.pool.seal(9) == [other]
    assert world.pool.pending_nonce(RICH.address) == 0
    zero = admit(world, web3(0))[0]
    assert world.pool.pending_nonce(RICH.address) == 3
    assert world.pool.seal(9) == [zero, one, two]


def test_a_dropped_web3_transaction_holds_back_those_behind_it(world: World) -> None:
    zero = admit(world, web3(0))[0]
    world.clock[0] += 600_000
    one, two = admit(world, web3(1), web3(2))
    assert world.pool.expire() == 1
    assert world.dropped == [(zero.tx_hash, 10010)]
    assert world.pool.unsealed_count == 0
    assert world.pool.total_count == 2
    again = admit(world, web3(0, value=3))[0]
    assert world.pool.seal(9) == [again, one, two]


def test_blocks_of_others_move_web3_lanes(world: World) -> None:
    """Nonces 0 and 1 come in a block this pool has not seen; 1 waits here in another version, 2 and 4 behind it."""
    one, two, four = admit(world, web3(1, value=9), web3(2), web3(4))
    asyncio.run(world.add_block([web3(0), web3(1)]))
    assert world.dropped == [(one.tx_hash, 10000)]
    assert world.pool.seal(9) == [two]
    asyncio.run(world.add_block([two.raw, web3(3)]))
    assert world.pool.seal(9) == [four]
    asyncio.run(world.add_block([four.raw]))
    assert world.pool.total_count == 0
    assert world.pool.pending_nonce(RICH.address) == 5


def test_a_released_web3_transaction_is_sealed_in_its_order_again(world: World) -> None:
    txs = admit(world, web3(0), web3(1), web3(2))
    world.pool.release(hashes(world.pool.seal(2)))
    late = admit(world, native())
    assert world.pool.seal(9) == [txs[0], txs[1], txs[2], late[0]]


def test_web3_transactions_released_backwards_are_sealed_forwards(world: World) -> None:
    txs = admit(world, web3(0), web3(1), web3(2), web3(3))
    proposals = [world.pool.seal(1) for _ in range(3)]
    for proposal in reversed(proposals):
        world.pool.release(hashes(proposal))
    assert [world.pool.seal(1) for _ in range(4)] == [[tx] for tx in txs]


@settings(max_examples=200, deadline=None)
@given(nonces=st.permutations(list(range(2, 10))), base=st.integers(0, 3), dropped=st.integers(2, 9))
def test_lanes_against_counting_by_hand(nonces: list[int], base: int, dropped: int) -> None:
    lanes = Lanes()
    ready: set[int] = set()
    held: set[int] = set()

    def contiguous() -> set[int]:
        at = base
        while at in held:
            at += 1
        return set(range(base, at))

    for nonce in nonces:
        if nonce < base:
            continue
        held.add(nonce)
        ready |= {int.from_bytes(one, "big") for one in lanes.add(b"sender", nonce, nonce.to_bytes(2, "big"), base)}
        assert ready == contiguous()
    if dropped in held:
        held.discard(dropped)
        ready.discard(dropped)
        ready -= {int.from_bytes(one, "big") for one in lanes.remove(b"sender", dropped, base)}
        assert ready == contiguous()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_counts_and_queues_agree_through_any_life(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Random admissions, seals, releases, blocks of one's own and of others: nothing is lost, doubled or sealed twice."""
    chance = random.Random(seed)
    world = open_world(tmp_path_factory.mktemp("pool"))
    pool = world.pool
    in_flight: list[list[PooledTx]] = []
    web3_next = 0

    async def life() -> None:
        nonlocal web3_next
        for _ in range(40):
            move = chance.choice(["native", "native", "web3", "seal", "release", "commit", "foreign"])
            if move == "native":
                pool.admit(native(block_limit=world.ledger.height + chance.randint(1, 3)))
            elif move == "web3":
                web3_next = max(web3_next, world.ledger.account_nonce(RICH.address))
                pool.admit_gossip([web3(web3_next)])
                web3_next += 1
            elif move == "seal":
                in_flight.append(pool.seal(chance.randint(1, 4)))
            elif move == "release" and in_flight:
                # The core drops proposals from the top: a later one cannot stay when an earlier one goes.
                pool.release(hashes(in_flight.pop()))
            elif move == "commit" and in_flight:
                await world.add_block([tx.raw for tx in in_flight.pop(0)])
            elif move == "foreign" and not in_flight:
                await world.add_block([native()])
            sealed = {tx_hash for txs in in_flight for tx_hash in hashes(txs)}
            assert sum(map(len, in_flight)) == len(sealed), "nothing is in two proposals"
            assert not pool.missing(sealed), "agreed blocks stay executable"
            assert pool.unsealed_count <= pool.total_count - len(sealed)

    asyncio.run(life())
    sealed_total = sum(map(len, in_flight))
    everything = pool.seal(10_000)
    assert len(everything) + sealed_total <= pool.total_count
    world.close()
