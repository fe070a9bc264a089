"""What a replica must not forget: its votes, the agreed proposals it executed, and the transactions of what it prepared.

Rule 1. `write` returns only when everything given is on the disk (SQLite, WAL, synchronous=FULL: one fsync for the whole batch).
Rule 2. A vote's transactions are stored before its Commit leaves: a prepared proposal must still be executable when all nodes have been
        killed at once, and then nobody has a pool. (Upstream forgets the lock instead: docs/pbft.md, amnesia.)
Rule 3. Records at or below `forget_until` are deleted with a later batch; they mean nothing any more.
Rule 4. It belongs to one node, chain and protocol: the votes of one protocol mean nothing in another.
Rule 5. A damaged file is said so at start, by name, with what to do; it is never silently replaced, nor is one that is missing beside
        a ledger with blocks: a replica that forgot its votes could vote twice.

Sources: spec 3.x 1.13; bcos-pbft `pbft/storage/LedgerStorage.cpp` (`data/consensus_log`); sqlite.org/wal.html.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fiscotool.devnet.wire_parts import (
    WireError,
    decode_certificate,
    decode_checkpoints,
    decode_proposal,
    encode_certificate,
    encode_checkpoints,
    encode_proposal,
)
from fiscotool.errors import EnvironmentFailure
from fiscotool.pbft.effects import ExecutedRecord, StandRecord, VoteRecord
from fiscotool.pbft.types import Digest, Height, View

__all__ = ["ConsensusLog", "ConsensusLogError", "Remembered", "StoredTransactions"]

_FILE_NAME: Final = "consensus_log.sqlite"
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS vote (height INTEGER PRIMARY KEY, view INTEGER NOT NULL, digest BLOB NOT NULL, certificate BLOB);
CREATE TABLE IF NOT EXISTS executed (height INTEGER PRIMARY KEY, proposal BLOB NOT NULL, block_hash BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS transactions (digest BLOB PRIMARY KEY, height INTEGER NOT NULL, raw BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS stand (
    one INTEGER PRIMARY KEY CHECK (one = 1), view INTEGER NOT NULL, is_changing INTEGER NOT NULL, stable BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS protocol (one INTEGER PRIMARY KEY CHECK (one = 1), name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS chain (one INTEGER PRIMARY KEY CHECK (one = 1), genesis_hash BLOB NOT NULL, node_id BLOB NOT NULL);
"""
_LENGTH_BYTES: Final = 4


class ConsensusLogError(EnvironmentFailure):
    """The consensus log cannot be opened, is damaged, or belongs to another node or chain."""


@dataclass(frozen=True, slots=True)
class StoredTransactions:
    """The raw transactions of the proposal `digest` at `index`."""

    index: Height
    digest: Digest
    raws: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the log holds above the height asked for. `stand` is of `classic` alone."""

    votes: tuple[VoteRecord, ...]
    executed: tuple[ExecutedRecord, ...]
    transactions: tuple[StoredTransactions, ...]
    stand: StandRecord | None = None


def _pack(raws: Sequence[bytes]) -> bytes:
    return b"".join(part for raw in raws for part in (len(raw).to_bytes(_LENGTH_BYTES, "big"), raw))


def _unpack(data: bytes) -> tuple[bytes, ...]:
    raws: list[bytes] = []
    position = 0
    while position < len(data):
        end = position + _LENGTH_BYTES + int.from_bytes(data[position : position + _LENGTH_BYTES], "big")
        raws.append(data[position + _LENGTH_BYTES : end])
        position = end
    return tuple(raws)


class ConsensusLog:
    """The open log. `write` may be called from a worker thread, one call at a time."""

    def __init__(self, directory: Path, *, genesis_hash: bytes, node_id: bytes, height: int = 0, protocol: str = "fisco3") -> None:
        """Open or create the log; beside a ledger with blocks (`height` above 0) it must be there. Raises ConsensusLogError."""
        self.path = directory / _FILE_NAME
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=1.0)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("PRAGMA cache_size=-1024")
            found = self._db.execute("PRAGMA quick_check(1)").fetchone()
            if found != ("ok",):
                raise sqlite3.DatabaseError(str(found[0]))
            self._db.executescript(_SCHEMA)
            owner = self._db.execute("SELECT genesis_hash, node_id FROM chain").fetchone()
            if owner is None and height == 0:
                self._db.execute("INSERT INTO chain VALUES (1, ?, ?)", (genesis_hash, node_id))
                self._db.execute("INSERT INTO protocol VALUES (1, ?)", (protocol,))
                owner = genesis_hash, node_id
            # A log without this row is of the time when there was only one protocol.
            (spoken,) = self._db.execute("SELECT name FROM protocol").fetchone() or ("fisco3",)
        except (OSError, sqlite3.Error) as problem:
            raise self._unusable(problem) from problem
        if owner is None:
            self._db.close()
            raise self._unusable("it is missing or empty, and the ledger has blocks")
        if owner != (genesis_hash, node_id):
            self._db.close()
            raise ConsensusLogError(
                f"{self.path} belongs to another {'node' if owner[0] == genesis_hash else 'chain'}",
                hint="put the node's own data directory back, or remove data/ to start this node from an empty ledger",
            )

        if spoken != protocol:
            self._db.close()
            raise ConsensusLogError(
                f"{self.path} holds votes of protocol {spoken}, and config.ini says [fiscotool] protocol={protocol}",
                hint=f"write protocol={spoken} again: a chain keeps the protocol it was deployed with",
            )

    def _unusable(self, problem: object) -> ConsensusLogError:
        return ConsensusLogError(
            f"{self.path} cannot be used: {problem}",
            hint="a node without its votes could vote twice: restore the file, or remove this node's whole data/ and let it synchronise",
        )

    def load(self, height: Height) -> Remembered:
        """All records above `height`. Raises ConsensusLogError."""
        try:
            votes = self._db.execute(
                "SELECT height, view, digest, certificate FROM vote WHERE height > ? ORDER BY height", (height,)
            ).fetchall()
            executed = self._db.execute("SELECT proposal, block_hash FROM executed WHERE height > ? ORDER BY height", (height,)).fetchall()
            stored = self._db.execute("SELECT height, digest, raw FROM transactions WHERE height > ? ORDER BY height", (height,)).fetchall()
            stand = self._db.execute("SELECT view, is_changing, stable FROM stand").fetchone()
            return Remembered(
                votes=tuple(
                    VoteRecord(Height(at), View(view), Digest(digest), decode_certificate(proof) if proof is not None else None)
                    for at, view, digest, proof in votes
                ),
                executed=tuple(ExecutedRecord(decode_proposal(proposal), Digest(block_hash)) for proposal, block_hash in executed),
                transactions=tuple(StoredTransactions(Height(at), Digest(digest), _unpack(raw)) for at, digest, raw in stored),
                stand=None if stand is None else StandRecord(View(stand[0]), bool(stand[1]), decode_checkpoints(stand[2])),
            )
        except (sqlite3.Error, WireError) as problem:
            raise self._unusable(problem) from problem

    def write(self, records: Sequence[VoteRecord | ExecutedRecord | StandRecord | StoredTransactions], forget_until: Height) -> None:
        """Make the records durable and forget what is at or below `forget_until`. Raises sqlite3.Error; then nothing was written."""
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            for record in records:
                match record:
                    case VoteRecord(index=index, view=view, digest=digest, certificate=proof):
                        data = None if proof is None else encode_certificate(proof)
                        db.execute("INSERT OR REPLACE INTO vote VALUES (?, ?, ?, ?)", (index, view, digest, data))
                    case ExecutedRecord(proposal=proposal, block_hash=block_hash):
                        db.execute(
                            "INSERT OR REPLACE INTO executed VALUES (?, ?, ?)", (proposal.index, encode_proposal(proposal), block_hash)
                        )
                    case StandRecord(view=view, is_changing=is_changing, stable=stable):
                        row = (view, is_changing, encode_checkpoints(stable))
                        db.execute("INSERT OR REPLACE INTO stand VALUES (1, ?, ?, ?)", row)
                    case StoredTransactions(index=index, digest=digest, raws=raws):
                        db.execute("INSERT OR IGNORE INTO transactions VALUES (?, ?, ?)", (digest, index, _pack(raws)))
            for table in ("vote", "executed", "transactions"):
                db.execute(f"DELETE FROM {table} WHERE height <= ?", (forget_until,))  # noqa: S608 - three fixed names
            db.execute("COMMIT")
        except sqlite3.Error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Close the file."""
        self._db.close()
