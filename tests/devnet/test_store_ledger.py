"""The ledger: what was committed is read back, now and after a restart; what is damaged is refused by name."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiscotool.devnet.caches import BoundedCache
from fiscotool.devnet.contracts import ExecutedBlock
from fiscotool.devnet.ledger_file import FILE_NAME
from fiscotool.devnet.nonces import NonceWindow, nonce_digest
from fiscotool.devnet.packing import pack_rows, row, unpack_rows
from fiscotool.devnet.store import DiskFull, LedgerError, LedgerWriteError, SqliteLedger, open_ledger
from fiscotool.devnet.txindex import TxIndex, write_segment
from fiscotool.errors import ExitCode
from fiscotool.ledger.block3 import decode_block
from fiscotool.ledger.header3 import hash_header
from fiscotool.ledger.signatures import verify_signature_list
from tests.devnet.ledger_world import GENESIS, NOBODY, RICH, RICH_WEI, World, genesis, native, open_world, web3


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    opened = open_world(tmp_path)
    yield opened
    opened.close()


def run_blocks(world: World, *blocks: list[bytes]) -> list[ExecutedBlock]:
    async def scenario() -> list[ExecutedBlock]:
        return [await world.add_block(raws) for raws in blocks]

    return asyncio.run(scenario())


def check_reads(ledger: SqliteLedger, blocks: list[ExecutedBlock]) -> None:
    """Everything contracts.LedgerReader promises of these blocks."""
    parent = ledger.genesis_hash
    for block in blocks:
        number = block.number
        header = ledger.header(number)
        assert header is not None
        assert hash_header(header) == block.block_hash == ledger.block_hash(number)
        assert header.parents == ((number - 1, parent),)
        assert [is_valid for _, is_valid in verify_signature_list(header, block.block_hash)] == [True] * 3
        assert ledger.number_of(block.block_hash) == number
        assert ledger.block_txs(number) == [tx.raw for tx in block.txs]
        assert ledger.block_tx_hashes(number) == [tx.tx_hash for tx in block.txs]
        assert ledger.block_receipts(number) == list(block.receipts)
        for position, tx in enumerate(block.txs):
            assert ledger.tx_location(tx.tx_hash) == (number, position)
            assert ledger.tx(tx.tx_hash) == tx.raw
            assert ledger.receipt(tx.tx_hash) == block.receipts[position]
        sent = decode_block(ledger.encoded_block(number))
        assert (sent.header, sent.transactions) == (header, tuple(tx.raw for tx in block.txs))
        parent = block.block_hash
    assert (ledger.height, ledger.head_hash) == (len(blocks), parent)


def test_blocks_are_read_back_now_and_after_a_restart(tmp_path: Path) -> None:
    world = open_world(tmp_path)
    blocks = run_blocks(world, [native(), native(input=b"12345")], [], [web3(0, value=5)], [native() for _ in range(30)])
    for _ in range(2):
        check_reads(world.ledger, blocks)
        assert world.ledger.totals() == (33, 1)
        assert world.ledger.balance(RICH.address) == RICH_WEI - 5
        assert world.ledger.account_nonce(RICH.address) == 1
        assert world.ledger.balance(bytes.fromhex(NOBODY)) == 5
        assert world.ledger.nonces.of_block(1) == blocks[0].changes.nonces
        world.close()
        world = open_world(tmp_path)
    world.close()


def test_what_is_unknown_is_none_or_nothing(world: World) -> None:
    ledger = world.ledger
    assert ledger.header(1) is ledger.header(-1) is None
    assert ledger.number_of(bytes(32)) is None
    assert ledger.block_hash(1) is None
    assert ledger.block_txs(1) == ledger.block_tx_hashes(1) == ledger.block_receipts(-1) == []
    assert ledger.tx_location(bytes(32)) is None
    assert ledger.tx(bytes(32)) is ledger.receipt(bytes(32)) is None
    assert ledger.system_config("nothing") is None
    assert ledger.balance(bytes(20)) == ledger.account_nonce(bytes(20)) == 0
    with pytest.raises(KeyError):
        ledger.encoded_block(1)


def test_transactions_are_found_through_segments_too(tmp_path: Path) -> None:
    """A tail of 40: after 25 blocks of 7 most transactions are only in segments on disk."""
    world = open_world(tmp_path, segment_txs=40)
    blocks = run_blocks(world, *([native() for _ in range(7)] for _ in range(25)))
    tail_count = world.ledger._index.tail_count
    world.close()
    world = open_world(tmp_path, segment_txs=40)
    assert world.ledger._index.tail_count == tail_count, "what is in a segment is not in the tail"
    check_reads(world.ledger, blocks)
    assert world.ledger._index.tail_count < 40
    lookalike = blocks[0].txs[0].tx_hash[:8] + bytes(24)
    assert list(world.ledger._index.candidates(lookalike)) == [(1, 0)], "the index knows 8 bytes of a hash"
    assert world.ledger.tx_location(lookalike) is None, "the ledger compares them all"
    assert world.ledger.tx_location(bytes(32)) is None
    world.close()


def test_blocks_that_wait_for_the_disk_share_one_transaction(world: World) -> None:
    async def scenario() -> list[ExecutedBlock]:
        blocks: list[ExecutedBlock] = []
        for _ in range(6):
            blocks.append(world.execute([native()], parent=blocks[-1] if blocks else None))
        before = world.ledger._writer.total_changes
        heights: list[int] = []

        async def commit(block: ExecutedBlock) -> None:
            await world.ledger.commit(block, [])
            heights.append(world.ledger.height)
            assert world.ledger.height >= block.number, "durable when the call returns"

        await asyncio.gather(*(commit(block) for block in blocks))
        assert world.ledger._writer.total_changes > before
        assert heights[0] == 1, "the first went alone"
        assert heights[1:] == [6] * 5, "the others together"
        return blocks

    blocks = asyncio.run(scenario())
    assert world.ledger.head_hash == blocks[-1].block_hash


def test_closing_finishes_the_write_in_progress_and_refuses_what_waits(tmp_path: Path) -> None:
    world = open_world(tmp_path)

    async def scenario() -> list[BaseException | None]:
        blocks: list[ExecutedBlock] = []
        for _ in range(3):
            blocks.append(world.execute([native()], parent=blocks[-1] if blocks else None))
        commits = [asyncio.ensure_future(world.ledger.commit(block, [])) for block in blocks]
        await asyncio.sleep(0)
        world.close()
        outcomes = await asyncio.gather(*commits, return_exceptions=True)
        with pytest.raises(LedgerWriteError, match="is closed"):
            await world.ledger.commit(blocks[-1], [])
        return outcomes

    first, *others = asyncio.run(scenario())
    assert first is None
    assert all(isinstance(one, asyncio.CancelledError) for one in others)
    again = open_world(tmp_path)
    assert again.ledger.height == 1
    again.close()


def test_a_block_out_of_order_is_refused(world: World) -> None:
    async def scenario() -> None:
        first = world.execute([native()])
        second = world.execute([native()], parent=first)
        with pytest.raises(ValueError, match="block 2 cannot follow block 0"):
            await world.ledger.commit(second, [])
        await world.commit(first)
        with pytest.raises(ValueError, match="block 1 cannot follow block 1"):
            await world.ledger.commit(first, [])

    asyncio.run(scenario())


def test_a_full_disk_has_a_name_and_leaves_a_consistent_ledger(tmp_path: Path) -> None:
    world = open_world(tmp_path)
    (pages,) = world.ledger._writer.execute("PRAGMA page_count").fetchone()
    world.ledger._writer.execute(f"PRAGMA max_page_count={pages + 40}")

    async def fill_the_disk() -> None:
        for _ in range(100):
            await world.add_block([native(input=bytes(2000)) for _ in range(20)])

    async def once_more() -> None:
        await world.ledger.commit(world.execute([native()]), [])

    with pytest.raises(DiskFull, match=str(tmp_path)) as caught:
        asyncio.run(fill_the_disk())
    height = world.ledger.height
    assert height
    assert f"complete up to block {height}" in caught.value.hint
    assert isinstance(caught.value, OSError)
    assert caught.value.exit_code is ExitCode.ENVIRONMENT
    world.ledger._writer.execute("PRAGMA max_page_count=100000")
    with pytest.raises(LedgerWriteError):
        asyncio.run(once_more())
    world.close()
    world = open_world(tmp_path)
    assert world.ledger.height == height
    run_blocks(world, [native()])
    world.close()


def test_another_chains_ledger_is_refused(tmp_path: Path) -> None:
    open_world(tmp_path).close()
    with pytest.raises(LedgerError, match="holds another chain") as caught:
        open_ledger(tmp_path, genesis(GENESIS.replace("chain0", "chain1")))
    assert "put the first config.genesis back" in caught.value.hint


def refusal(directory: Path) -> LedgerError:
    with pytest.raises(LedgerError) as caught:
        open_world(directory)
    assert FILE_NAME in caught.value.message
    assert caught.value.hint
    gc.collect()
    return caught.value


def edit(directory: Path, sql: str, *values: object) -> None:
    db = sqlite3.connect(directory / FILE_NAME)
    with db:
        db.execute(sql, values)
    db.close()


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        pytest.param("DELETE FROM block WHERE number = 3", "its head is block 3, its last block 2", id="the last block is gone"),
        pytest.param("DELETE FROM body WHERE number = 3", "block 3 has no body", id="its body is gone"),
        pytest.param("UPDATE head SET number = 2", "its head is block 2, its last block 3", id="the head was set back"),
        pytest.param("UPDATE head SET hash = zeroblob(32)", "does not hash to the recorded head", id="another head hash"),
        pytest.param("UPDATE block SET header = zeroblob(9) WHERE number = 3", "", id="a header of zeros"),
        pytest.param(
            "UPDATE block SET header = (SELECT header FROM block WHERE number = 2) WHERE number = 3", "does not hash", id="another header"
        ),
        pytest.param("DELETE FROM head", "it has blocks, but no head", id="no head"),
        pytest.param("UPDATE head SET format = 99", "it has format 99", id="a format of the future"),
    ],
)
def test_a_ledger_that_contradicts_itself_is_refused(tmp_path: Path, sql: str, text: str) -> None:
    world = open_world(tmp_path)
    run_blocks(world, *([native()] for _ in range(3)))
    world.close()
    edit(tmp_path, sql)
    assert text in refusal(tmp_path).message


@pytest.mark.parametrize("damage", ["zeros", "garbage", "cut", "text"])
def test_a_damaged_file_is_refused(tmp_path: Path, damage: str) -> None:
    world = open_world(tmp_path)
    run_blocks(world, *([native() for _ in range(40)] for _ in range(5)))
    world.ledger._checkpoint()
    world.close()
    path = tmp_path / FILE_NAME
    data = bytearray(path.read_bytes())
    if damage == "zeros":
        data[8192 : 8192 * 9] = bytes(8192 * 8)
    elif damage == "garbage":
        data[4096:60_000] = bytes(range(256)) * 219
    elif damage == "cut":
        del data[20_000:]
    else:
        data = bytearray(b"this is not a database\n" * 1000)
    path.write_bytes(data)
    refusal(tmp_path)


def test_damage_deep_in_the_file_is_said_when_it_is_read(tmp_path: Path) -> None:
    world = open_world(tmp_path, segment_txs=2)
    run_blocks(world, *([native()] for _ in range(3)))
    world.close()
    edit(tmp_path, "UPDATE body SET transactions = x'00000009' WHERE number = 1")
    edit(tmp_path, "UPDATE block SET header = x'ff' WHERE number = 2")
    edit(tmp_path, "DELETE FROM tx_record")
    world = open_world(tmp_path, segment_txs=2)
    with pytest.raises(LedgerError, match="the body of block 1"):
        world.ledger.block_txs(1)
    with pytest.raises(LedgerError, match="block 2"):
        world.ledger.header(2)
    with pytest.raises(LedgerError, match="the index of transactions"):
        world.ledger.tx(bytes(32))
    world.close()


def test_a_directory_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="cannot be opened"):
        open_world(tmp_path / "file" / "data")


@given(puts=st.lists(st.tuples(st.integers(0, 8), st.integers(1, 5))), cost_max=st.integers(1, 12))
def test_a_cache_keeps_the_latest_within_its_cost(puts: list[tuple[int, int]], cost_max: int) -> None:
    cache: BoundedCache[int, int] = BoundedCache(cost_max, cost=lambda value: value)
    model: list[tuple[int, int]] = []
    for key, value in puts:
        cache.put(key, value)
        model = [pair for pair in model if pair[0] != key] + [(key, value)]
        while sum(cost for _, cost in model) > cost_max and len(model) > 1:
            model.pop(0)
        assert len(cache) == len(model)
        for known, cost in model:
            assert cache.get(known) == cost


@given(rows=st.lists(st.binary(max_size=40), max_size=20))
def test_rows_are_unpacked_as_packed(rows: list[bytes]) -> None:
    blob = pack_rows(rows)
    assert unpack_rows(blob) == tuple(rows)
    assert [row(blob, index) for index in range(len(rows))] == rows
    with pytest.raises(IndexError):
        row(blob, len(rows))


@settings(max_examples=60, deadline=None)
@given(blocks=st.lists(st.lists(st.integers(0, 60), max_size=8, unique=True), max_size=40), limit=st.integers(1, 8))
def test_the_nonce_window_is_a_plain_list_of_the_last_blocks(blocks: list[list[int]], limit: int) -> None:
    window = NonceWindow(limit)
    model: list[tuple[int, set[bytes]]] = []
    for number, nonces in enumerate(blocks):
        live = set().union(*(digests for _, digests in model)) if model else set()
        fresh = [digest for digest in (nonce_digest(str(nonce)) for nonce in nonces) if digest not in live]
        window.add(number, b"".join(fresh))
        model = [*model, (number, set(fresh))][-limit:]
        for nonce in range(61):
            digest = nonce_digest(str(nonce))
            expected = next((at for at, digests in model if digest in digests), None)
            assert window.block_of(digest) == expected
            assert (digest in window) == (expected is not None)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), count=st.integers(1, 3000), is_skewed=st.booleans())
def test_segments_find_what_they_hold_also_when_hashes_are_not_uniform(data: st.DataObject, count: int, *, is_skewed: bool) -> None:
    """Whoever grinds hashes can make them cluster; lookups get slower then, not wrong."""
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE tx_segment (first INTEGER PRIMARY KEY, last INTEGER NOT NULL)")
    db.execute("CREATE TABLE tx_record (id INTEGER PRIMARY KEY, records BLOB NOT NULL)")
    db.execute("CREATE TABLE block (number INTEGER PRIMARY KEY, tx_hashes BLOB NOT NULL)")
    index = TxIndex(db, segment_txs=1)
    hashes = [(b"" if is_skewed else nonce_digest(str(at))).rjust(8, b"\x05")[:8] + at.to_bytes(24, "big") for at in range(count)]
    segment = index.plan_segment([(5, hashes)])
    assert segment is not None
    write_segment(db, segment)
    index.on_written([(5, hashes)], segment)
    at = data.draw(st.integers(0, count - 1))
    assert (5, at) in list(index.candidates(hashes[at]))
    assert list(index.candidates(b"\xfe" * 32)) == []
    db.close()
