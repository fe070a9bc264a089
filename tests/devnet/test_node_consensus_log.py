"""The consensus log: what was written is there after a crash, a damaged file is said so, and a full disk loses nothing silently."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fiscotool.devnet.consensus_log import ConsensusLog, ConsensusLogError, StoredTransactions
from fiscotool.devnet.durability import DurableWriter, Record
from fiscotool.pbft.effects import ExecutedRecord, StandRecord, VoteRecord
from fiscotool.pbft.messages import CheckPoint, PreparedCertificate, Proposal
from fiscotool.pbft.types import Digest, Height, NodeIndex, View

D = Digest(b"\x11" * 32)
E = Digest(b"\x22" * 32)
PROPOSAL = Proposal(Height(7), D, b"block")
CERTIFICATE = PreparedCertificate(View(2), PROPOSAL, ((NodeIndex(0), b"a" * 65), (NodeIndex(2), b"b" * 65)))
ME: dict[str, Any] = {"genesis_hash": b"g" * 32, "node_id": b"n" * 64}


def test_what_was_written_is_loaded_by_the_next_process(tmp_path: Path) -> None:
    votes = [VoteRecord(Height(7), View(2), D), VoteRecord(Height(8), View(2), E)]
    latest = VoteRecord(Height(7), View(2), D, CERTIFICATE)
    executed = ExecutedRecord(PROPOSAL, E)
    stored = StoredTransactions(Height(7), D, (b"one", b"", b"three"))
    log = ConsensusLog(tmp_path, **ME)
    log.write([*votes, stored, latest, executed], Height(0))
    del log  # Not closed: a killed process does not close either.
    remembered = ConsensusLog(tmp_path, **ME).load(Height(6))
    assert remembered.votes == (latest, votes[1])
    assert remembered.executed == (executed,)
    assert remembered.transactions == (stored,)


def test_where_a_replica_of_classic_stands_survives_and_the_protocol_is_the_chains(tmp_path: Path) -> None:
    stable = tuple(CheckPoint(View(0), Height(5), D, NodeIndex(k), bytes([k]) * 65) for k in (0, 1, 3))
    log = ConsensusLog(tmp_path, **ME, protocol="classic")
    assert log.load(Height(0)).stand is None
    log.write([StandRecord(View(3), is_changing=True), StandRecord(View(4), is_changing=False, stable=stable)], Height(0))
    log.close()
    assert ConsensusLog(tmp_path, **ME, protocol="classic").load(Height(0)).stand == StandRecord(View(4), is_changing=False, stable=stable)
    with pytest.raises(ConsensusLogError) as caught:
        ConsensusLog(tmp_path, **ME, protocol="fisco3")
    assert "holds votes of protocol classic" in caught.value.message
    assert "protocol=classic" in caught.value.hint


def test_what_the_ledger_has_is_forgotten(tmp_path: Path) -> None:
    log = ConsensusLog(tmp_path, **ME)
    log.write([VoteRecord(Height(at), View(0), D) for at in range(1, 6)], Height(0))
    log.write([], Height(3))
    assert [vote.index for vote in log.load(Height(0)).votes] == [4, 5]


@pytest.mark.parametrize("damage", [b"this is no database" * 400, None], ids=["overwritten", "a page in the middle"])
def test_a_damaged_file_is_named_with_the_next_step(tmp_path: Path, damage: bytes | None) -> None:
    log = ConsensusLog(tmp_path, **ME)
    log.write([VoteRecord(Height(at), View(0), Digest(bytes([at % 256]) * 32)) for at in range(1, 2000)], Height(0))
    log.close()
    data = bytearray(log.path.read_bytes())
    if damage is None:
        data[4096:-4096] = b"\xa5" * (len(data) - 8192)
    log.path.write_bytes(damage or bytes(data))
    with pytest.raises(ConsensusLogError) as caught:
        ConsensusLog(tmp_path, **ME)
    assert str(log.path) in caught.value.message
    assert "vote twice" in caught.value.hint


@pytest.mark.parametrize("is_there", [True, False], ids=["empty", "missing"])
def test_a_log_that_is_gone_while_the_ledger_has_blocks_is_not_made_anew(tmp_path: Path, *, is_there: bool) -> None:
    """A replica that voted, lost its log and started again could vote for another block at the same height and view."""
    log = ConsensusLog(tmp_path, **ME)
    log.write([VoteRecord(Height(7), View(2), D)], Height(0))
    log.close()
    ConsensusLog(tmp_path, height=6, **ME).close()
    for path in tmp_path.iterdir():
        path.unlink()
    if is_there:
        log.path.touch()
    with pytest.raises(ConsensusLogError, match="missing or empty") as caught:
        ConsensusLog(tmp_path, height=6, **ME)
    assert "remove this node's whole data/" in caught.value.hint
    ConsensusLog(tmp_path, height=0, **ME).close()


def test_another_nodes_log_is_refused(tmp_path: Path) -> None:
    ConsensusLog(tmp_path, **ME).close()
    with pytest.raises(ConsensusLogError, match="another node"):
        ConsensusLog(tmp_path, genesis_hash=b"g" * 32, node_id=b"m" * 64)
    with pytest.raises(ConsensusLogError, match="another chain"):
        ConsensusLog(tmp_path, genesis_hash=b"h" * 32, node_id=b"n" * 64)


class _Slow:
    """A store whose fsync takes as long as the test wants."""

    def __init__(self, problem: Exception | None = None) -> None:
        self.batches: list[list[Record]] = []
        self.problem = problem

    def write(self, records: Sequence[Record], forget_until: Height) -> None:
        if self.problem is not None:
            raise self.problem
        self.batches.append(list(records))


def test_records_appended_together_share_one_fsync() -> None:
    async def scenario() -> None:
        store = _Slow()
        done = asyncio.Event()
        failed: list[Exception] = []
        writer = DurableWriter(store, on_durable=done.set, on_failed=failed.append)
        numbers = [writer.append(VoteRecord(Height(at), View(0), D)) for at in range(5)]
        assert not writer.is_durable(numbers[0])
        await asyncio.wait_for(done.wait(), 5)
        assert writer.is_durable(numbers[-1])
        assert [len(batch) for batch in store.batches] == [5]
        writer.close()

    asyncio.run(scenario())


def test_nothing_is_durable_after_a_failure() -> None:
    async def scenario() -> None:
        failed: list[Exception] = []
        told = asyncio.Event()

        def on_failed(problem: Exception) -> None:
            failed.append(problem)
            told.set()

        writer = DurableWriter(_Slow(sqlite3.OperationalError("database or disk is full")), on_durable=lambda: None, on_failed=on_failed)
        number = writer.append(VoteRecord(Height(1), View(0), D))
        await asyncio.wait_for(told.wait(), 5)
        later = writer.append(VoteRecord(Height(2), View(0), D))
        await asyncio.sleep(0)
        assert not writer.is_durable(number)
        assert not writer.is_durable(later)
        assert len(failed) == 1
        writer.close()

    asyncio.run(scenario())
