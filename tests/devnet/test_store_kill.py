"""kill -9 at any instant leaves a ledger that opens, is consistent, and has lost nothing that was durable."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fiscotool.devnet.ledger_file import FILE_NAME
from fiscotool.errors import FiscoToolError
from fiscotool.ledger.header3 import hash_header
from fiscotool.ledger.receipt3 import decode_receipt
from tests.devnet.ledger_world import RICH, RICH_WEI, USER, World, native, open_world
from tests.support.shared import ROOT

_KILLS = 6
_START_S_MAX = 30.0


def write_and_kill(directory: Path, after_s: float) -> int:
    """Let a writer work for `after_s` after its first block, kill it, and return the last height it called durable."""
    command = [sys.executable, "-m", "tests.devnet.ledger_writer", str(directory)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        first = writer.stdout.readline()
        deadline_s = time.monotonic() + after_s
        assert first, f"the writer did not come up: {writer.communicate(timeout=_START_S_MAX)[1]}"
        lines = [first]
        while time.monotonic() < deadline_s:
            lines.append(writer.stdout.readline())
        writer.kill()
        # Read on through the same buffer: communicate() would lose the lines that readline() has already taken from the pipe.
        lines += writer.stdout.readlines()
        writer.wait(_START_S_MAX)
    return max(int(line) for line in lines if line.strip().isdigit())


def check(world: World, told: int) -> None:
    """What must hold of a ledger whose writer was killed after it had called block `told` durable."""
    ledger = world.ledger
    # The block after the last one told may have become durable before the process could say so.
    assert told <= ledger.height <= told + 1
    parent = ledger.genesis_hash
    statuses: list[int] = []
    for number in range(1, ledger.height + 1):
        header = ledger.header(number)
        assert header is not None
        assert header.parents == ((number - 1, parent),)
        parent = hash_header(header)
        receipts = ledger.block_receipts(number)
        assert len(receipts) == len(ledger.block_txs(number)) == 5
        statuses += [decode_receipt(raw).status for raw in receipts]
        for position, tx_hash in enumerate(ledger.block_tx_hashes(number)):
            assert ledger.tx_location(tx_hash) == (number, position)
    assert parent == ledger.head_hash
    assert statuses == [0] * (5 * ledger.height)
    assert ledger.totals() == (5 * ledger.height, 0)
    # State belongs to the same block as the head: as many wei have moved as there are transactions.
    assert ledger.balance(USER.address) == 5 * ledger.height
    assert ledger.balance(RICH.address) == RICH_WEI - 5 * ledger.height


def test_a_killed_writer_loses_nothing_durable(tmp_path: Path) -> None:
    chance = random.Random(20261121)
    for _ in range(_KILLS):
        told = write_and_kill(tmp_path, chance.uniform(0.0, 0.25))
        world = open_world(tmp_path, segment_txs=20)
        check(world, told)
        world.close()


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("UPDATE account SET balance = zeroblob(32)", id="state of another block than the head"),
        pytest.param("UPDATE head SET tx_total = tx_total - 5", id="totals without the last block"),
        pytest.param("UPDATE body SET receipts = transactions WHERE number = 2", id="a body torn"),
        pytest.param("DELETE FROM tx_segment", id="an index without its segment, records left"),
        pytest.param(
            "UPDATE block SET header = (SELECT header FROM block WHERE number = 1) WHERE number = 2", id="a block of another write"
        ),
    ],
)
def test_the_check_above_sees_a_ledger_written_in_pieces(tmp_path: Path, sql: str) -> None:
    async def write() -> None:
        world = open_world(tmp_path, segment_txs=20)
        for _ in range(9):
            await world.add_block([native(to=USER.address.hex(), key=RICH, version=1, value="0x1") for _ in range(5)])
        check(world, 9)
        with pytest.raises(AssertionError):
            check(world, 10)
        world.close()

    asyncio.run(write())
    db = sqlite3.connect(tmp_path / FILE_NAME)
    with db:
        db.execute(sql)
        if "tx_segment" in sql:
            db.execute("UPDATE block SET tx_hashes = zeroblob(160) WHERE number = 1")
    db.close()
    world = open_world(tmp_path, segment_txs=20)
    with pytest.raises((AssertionError, FiscoToolError)):
        check(world, 9)
    world.close()
