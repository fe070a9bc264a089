"""When a leader proposes, and what. Spec 3.x 1.8 steps 1 and 2."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fiscotool.devnet.proposals import ContentCache, objection
from fiscotool.devnet.sealer import Sealer, SealerTask
from fiscotool.ledger.block3 import decode_block
from fiscotool.ledger.header3 import hash_header
from fiscotool.ledger.precompiled import SYSTEM_CONFIG, encode_call
from fiscotool.pbft.messages import Proposal
from tests.devnet.ledger_world import GENESIS, NODES, USER, World, genesis, native, open_world

MIN_SEAL_MS = 500
TX_COUNT_LIMIT = 5


@dataclass
class Case:
    world: World
    sealer: Sealer
    wall: list[int]

    def add(self, *raws: bytes) -> None:
        assert len(self.world.pool.admit_gossip(raws)) == len(raws)

    def poll(self, now_ms: int) -> Proposal | None:
        wake_ms = self.sealer.next_wake_ms(self.world.pool)
        proposal = self.sealer.poll(now_ms, self.world.pool)
        assert (proposal is not None) == (wake_ms is not None and wake_ms <= now_ms), "next_wake_ms tells when poll gives something"
        return proposal


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    text = GENESIS.replace("[consensus]", f"[consensus]\nblock_tx_count_limit={TX_COUNT_LIMIT}\nleader_period=3")
    world = open_world(tmp_path, genesis(text))
    wall = [1_700_000_000_000]
    sealer = Sealer(world.ledger, node_id=NODES[2].node_id, min_seal_time_ms=MIN_SEAL_MS, wall_ms=lambda: wall[0])
    yield Case(world, sealer, wall)
    world.close()


def txs_of(proposal: Proposal | None) -> int:
    assert proposal is not None
    return len(decode_block(proposal.data).metadata)


def test_nothing_without_a_range_and_never_an_empty_block(case: Case) -> None:
    case.add(native())
    assert case.poll(10_000) is None
    case.sealer.set_range(1, 0, 0)
    assert case.poll(10_000) is None
    case.sealer.set_range(1, 1, 0)
    assert case.poll(10_000) is not None
    case.sealer.set_range(2, 2, 0)
    assert case.poll(99_999) is None


def test_one_transaction_waits_for_the_minimal_time_after_the_range_came(case: Case) -> None:
    """Recorded: a lone transaction takes 0.58 s; every leader waits after being told to seal (spec 1.8)."""
    case.add(native())
    case.sealer.set_range(1, 1, 10_000)
    assert case.sealer.next_wake_ms(case.world.pool) == 10_500
    assert case.poll(10_499) is None
    assert txs_of(case.poll(10_500)) == 1


def test_a_full_block_does_not_wait(case: Case) -> None:
    case.sealer.set_range(1, 1, 10_000)
    case.add(*(native() for _ in range(TX_COUNT_LIMIT - 1)))
    assert case.poll(10_001) is None
    case.add(native(), native())
    assert txs_of(case.poll(10_001)) == TX_COUNT_LIMIT


def test_within_a_range_the_time_counts_from_the_last_block(case: Case) -> None:
    case.sealer.set_range(1, 3, 0)
    case.add(native())
    assert txs_of(case.poll(700)) == 1
    case.add(native())
    assert case.poll(1_199) is None
    second = case.poll(1_200)
    assert txs_of(second) == 1
    assert second is not None
    assert second.index == 2


def test_a_range_that_extends_an_unfinished_one_does_not_start_the_wait_again(case: Case) -> None:
    case.sealer.set_range(1, 2, 0)
    case.add(native())
    assert case.poll(500) is not None
    case.add(native())
    case.sealer.set_range(2, 3, 900)
    assert case.poll(1_000) is not None, "500 ms after the last block"
    case.add(native())
    assert case.poll(1_500) is not None
    case.add(native())
    case.sealer.set_range(4, 4, 1_600)
    assert case.poll(2_099) is None, "the former one was finished"
    case.sealer.set_range(7, 7, 1_700)
    assert case.poll(2_199) is None
    seventh = case.poll(2_200)
    assert seventh is not None
    assert seventh.index == 7


def test_a_system_block_dropped_by_a_view_change_is_proposed_again(case: Case) -> None:
    case.add(native(to=SYSTEM_CONFIG))
    case.sealer.set_range(1, 1, 0)
    first = case.poll(500)
    assert first is not None
    case.world.pool.release(ContentCache().of(first).tx_hashes, proposal=first.digest)
    case.sealer.set_range(1, 1, 10_000)
    again = case.poll(10_500)
    assert again is not None
    assert (again.index, again.is_system) == (1, True)


def test_heights_that_others_brought_meanwhile_are_skipped(case: Case) -> None:
    case.sealer.set_range(1, 3, 0)
    asyncio.run(case.world.add_block([native()]))
    case.add(native())
    second = case.poll(1_000)
    assert second is not None
    assert second.index == 2


def test_each_height_is_proposed_once(case: Case) -> None:
    case.add(*(native() for _ in range(3 * TX_COUNT_LIMIT)))
    case.sealer.set_range(1, 2, 0)
    proposals = [case.poll(0), case.poll(0), case.poll(99_999)]
    assert [proposal.index if proposal else None for proposal in proposals] == [1, 2, None]
    case.sealer.set_range(2, 2, 0)
    again = case.poll(0)
    assert again is not None, "a new range for the same height, as after a view change, is proposed again"
    assert again.index == 2


def test_nothing_behind_a_system_block_until_it_is_committed(case: Case) -> None:
    call = native(to=SYSTEM_CONFIG, input=encode_call("setValueByKey(string,string)", ("tx_count_limit", "9")))
    case.add(call, native())
    case.sealer.set_range(1, 5, 0)
    first = case.poll(1_000)
    assert first is not None
    assert first.is_system
    case.add(*(native() for _ in range(20)))
    assert case.poll(9_000) is None
    asyncio.run(case.world.add_block([call]))
    second = case.poll(9_000)
    assert second is not None
    assert not second.is_system
    assert txs_of(second) == 9, "and then by the new configuration"


def test_a_height_that_is_on_the_chain_is_not_proposed(case: Case) -> None:
    case.add(native())
    case.sealer.set_range(1, 1, 0)
    asyncio.run(case.world.add_block([native()]))
    assert case.poll(10_000) is None


def test_time_stamps_rise_also_when_the_clock_goes_back(case: Case) -> None:
    case.add(*(native() for _ in range(3)))
    case.sealer.set_range(1, 1, 0)
    asyncio.run(case.world.add_block([native()]))
    parent = case.world.ledger.header(1)
    assert parent is not None
    case.wall[0] = parent.timestamp_ms - 5_000
    stamps = []
    for now_ms, number in ((1_000, 2), (2_000, 3)):
        case.sealer.set_range(number, number, now_ms - 600)
        proposal = case.poll(now_ms)
        assert proposal is not None
        stamps.append(decode_block(proposal.data).header.timestamp_ms)
        case.add(native())
    assert stamps == [parent.timestamp_ms + 1, parent.timestamp_ms + 2]


def test_a_proposal_is_what_other_replicas_accept(case: Case) -> None:
    case.add(native(), native(to=SYSTEM_CONFIG))
    case.sealer.set_range(1, 1, 0)
    proposal = case.poll(500)
    assert proposal is not None
    content = ContentCache().of(proposal)
    assert objection(proposal, content, case.world.ledger.config) == ""
    assert proposal.sealer == 2
    assert content.header.version == 0x03100000
    assert proposal.digest == hash_header(content.header)
    block = decode_block(proposal.data)
    assert [case.world.pool.get(one.hash) is not None for one in block.metadata] == [True, True]
    assert block.metadata[0].to == SYSTEM_CONFIG
    assert case.world.pool.check_sealable(content.tx_hashes, number=1) == ""
    assert "height 1" in case.world.pool.check_sealable(content.tx_hashes, number=2)


def test_what_may_not_enter_the_block_any_more_is_left_and_does_not_keep_the_sealer_busy(case: Case) -> None:
    """Pipelining: height 3 is proposed on height 0, and the limit of these is 2."""
    case.add(*(native(block_limit=2) for _ in range(TX_COUNT_LIMIT)))
    case.sealer.set_range(3, 3, 0)
    assert case.sealer.next_wake_ms(case.world.pool) == 0
    assert case.sealer.poll(1_000, case.world.pool) is None
    assert case.sealer.next_wake_ms(case.world.pool) == 1_100
    fresh = native(block_limit=3)
    case.add(fresh)
    assert txs_of(case.poll(1_100)) == 1
    assert case.world.pool.unsealed_count == TX_COUNT_LIMIT


def test_who_is_no_sealer_proposes_nothing(case: Case) -> None:
    observer = Sealer(case.world.ledger, node_id=USER.node_id, min_seal_time_ms=1, wall_ms=lambda: 1)
    case.add(native())
    observer.set_range(1, 1, 0)
    assert observer.poll(10_000, case.world.pool) is None
    assert observer.next_wake_ms(case.world.pool) is None, "or a task would wake for nothing, again and again"
    assert case.world.pool.unsealed_count == 1


def test_on_the_loop_a_proposal_comes_when_it_is_due_and_none_after_stop(case: Case) -> None:
    async def scenario() -> list[Proposal]:
        loop = asyncio.get_running_loop()
        proposed: asyncio.Queue[Proposal] = asyncio.Queue()
        sealer = Sealer(case.world.ledger, node_id=NODES[0].node_id, min_seal_time_ms=30, wall_ms=lambda: case.wall[0])
        task = SealerTask(sealer, case.world.pool, proposed.put_nowait, lambda: int(loop.time() * 1000))
        task.set_range(1, 2, 0)
        assert proposed.empty()
        case.add(native())
        task.on_transactions()
        assert proposed.empty(), "not inside the call: the core may be in the middle of a step"
        async with asyncio.timeout(5):
            first = await proposed.get()
        case.add(*(native() for _ in range(TX_COUNT_LIMIT)))
        task.on_transactions()
        async with asyncio.timeout(5):
            second = await proposed.get()
        task.stop()
        task.set_range(3, 9, 0)
        case.add(*(native() for _ in range(TX_COUNT_LIMIT)))
        task.on_transactions()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert proposed.empty()
        return [first, second]

    assert [(proposal.index, txs_of(proposal)) for proposal in asyncio.run(scenario())] == [(1, 1), (2, TX_COUNT_LIMIT)]
