"""The ledger's SQLite file: tables, opening and checking it, writing blocks.

Rule 1. A block is in the file entirely or not at all: header, signatures, transactions, receipts, state changes and head go into one
        SQLite transaction (WAL, synchronous=FULL); several blocks that wait share one transaction and one fsync.
Rule 2. A file that is damaged, half written by something else, or of another chain is refused with its name and a remedy, never repaired.
Rule 3. Checking at start is bounded: quick_check runs for at most half a second of a large file, and the head's header must hash to the
        recorded head. What lies deeper is found by whoever reads it.
Rule 4. The main connection writes, in one thread; `open_reader` gives the event loop its own, which never waits for the writer (WAL).

Transactions and receipts of a block are two blobs (packing.py), so a block of a thousand costs a dozen statements. Transactions are
found by hash through segments (txindex.py).

Sources: sqlite.org/wal.html, /pragma.html#pragma_quick_check, /lockingv3.html; spec 3.x 3.4.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fiscotool.devnet.form import BlockForm
from fiscotool.devnet.ledger_errors import LedgerError
from fiscotool.devnet.state import StateChanges
from fiscotool.devnet.txindex import Segment, write_segment
from fiscotool.ledger.errors import LedgerFormatError

__all__ = ["FILE_NAME", "BlockRow", "Head", "open_reader", "open_writer", "read_head", "write_blocks"]

FILE_NAME: Final = "ledger.sqlite"
_FORMAT: Final = 1
_CHECK_S: Final = 0.5
_CHECK_EVERY_STEPS: Final = 20_000
_BUSY_S: Final = 1.0
_REMEDY: Final = "stop the node, remove its data directory and start it: it fetches the chain from the others (or restore the file)"

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS head (
    one INTEGER PRIMARY KEY CHECK (one = 1), format INTEGER NOT NULL, genesis_hash BLOB NOT NULL,
    number INTEGER NOT NULL, hash BLOB NOT NULL, tx_total INTEGER NOT NULL, failed_total INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS block (
    number INTEGER PRIMARY KEY, hash BLOB NOT NULL, header BLOB NOT NULL, tx_hashes BLOB NOT NULL, nonces BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS block_by_hash ON block (hash);
CREATE TABLE IF NOT EXISTS body (number INTEGER PRIMARY KEY, transactions BLOB NOT NULL, receipts BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS tx_segment (first INTEGER PRIMARY KEY, last INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS tx_record (id INTEGER PRIMARY KEY, records BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS account (address BLOB PRIMARY KEY, balance BLOB NOT NULL, nonce INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL, enable_number INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS node (
    node_id BLOB PRIMARY KEY, is_sealer INTEGER NOT NULL, weight INTEGER NOT NULL, enable_number INTEGER NOT NULL) WITHOUT ROWID;
"""
_BALANCE_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Head:
    """The last block, and totals over the whole chain."""

    genesis_hash: bytes
    number: int
    hash: bytes
    tx_total: int
    failed_total: int


@dataclass(frozen=True, slots=True)
class BlockRow:
    """A block as it is written. `header` is encoded with its signatures; `tx_hashes` are 32 bytes each, one after another."""

    number: int
    hash: bytes
    header: bytes
    tx_hashes: bytes
    transactions: bytes
    receipts: bytes
    changes: StateChanges


def unusable(path: Path, fact: object) -> LedgerError:
    """The error for a file that must not be used."""
    return LedgerError(f"the ledger {path} cannot be used: {fact}", hint=_REMEDY)


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_BUSY_S)
    db.execute("PRAGMA cache_size=-4096")
    return db


def open_writer(path: Path, form: BlockForm) -> sqlite3.Connection:
    """The writing connection, tables made and contents checked (Rule 3). Raises LedgerError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        db = _connect(path)
    except (OSError, sqlite3.Error) as problem:
        # An operational error is of the place (rights, disk); another one of the file's content.
        is_damaged = isinstance(problem, sqlite3.DatabaseError) and not isinstance(problem, sqlite3.OperationalError)
        hint = _REMEDY if is_damaged else "see that the node may write there"
        raise LedgerError(f"the ledger {path} cannot be opened: {problem}", hint=hint) from problem
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA wal_autocheckpoint=0")
        _quick_check(db)
        db.executescript(_SCHEMA)
        _check_head(db, form)
    except (sqlite3.Error, LedgerFormatError, ValueError) as problem:
        db.close()
        raise unusable(path, problem) from problem
    return db


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that only reads. Raises LedgerError."""
    try:
        db = _connect(path)
        db.execute("PRAGMA query_only=ON")
    except sqlite3.Error as problem:
        raise unusable(path, problem) from problem
    return db


def _quick_check(db: sqlite3.Connection) -> None:
    end_s = time.monotonic() + _CHECK_S
    db.set_progress_handler(lambda: int(time.monotonic() > end_s), _CHECK_EVERY_STEPS)
    try:
        (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as problem:
        if problem.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        found = "ok"  # Half a second of a large file is enough at start (Rule 3).
    finally:
        db.set_progress_handler(None, 0)
    if found != "ok":
        raise sqlite3.DatabaseError(" ".join(found.split()))


def _check_head(db: sqlite3.Connection, form: BlockForm) -> None:
    head = read_head(db)
    (last,) = db.execute("SELECT max(number) FROM block").fetchone()
    if head is None:
        if last is not None:
            raise ValueError("it has blocks, but no head")
        return
    if last != head.number:
        raise ValueError(f"its head is block {head.number}, its last block {last}")
    block_hash, header = db.execute("SELECT hash, header FROM block WHERE number = ?", (last,)).fetchone()
    if block_hash != head.hash or form.hash_header(form.decode_header(header)) != head.hash:
        raise ValueError(f"the header of block {last} does not hash to the recorded head {head.hash.hex()}")
    if last and db.execute("SELECT 1 FROM body WHERE number = ?", (last,)).fetchone() is None:
        raise ValueError(f"block {last} has no body")


def read_head(db: sqlite3.Connection) -> Head | None:
    """The head, or None in an empty ledger. Raises sqlite3.Error, or ValueError for a file of another format."""
    row = db.execute("SELECT format, genesis_hash, number, hash, tx_total, failed_total FROM head").fetchone()
    if row is None:
        return None
    if row[0] != _FORMAT:
        raise ValueError(f"it has format {row[0]}, this program writes {_FORMAT}")
    return Head(*row[1:])


def write_blocks(db: sqlite3.Connection, rows: Sequence[BlockRow], head: Head, segment: Segment | None = None) -> None:
    """Make blocks and head durable in one transaction (Rule 1). Raises sqlite3.Error; then nothing was written."""
    db.execute("BEGIN IMMEDIATE")
    try:
        db.executemany(
            "INSERT INTO block VALUES (?, ?, ?, ?, ?)",
            [(row.number, row.hash, row.header, row.tx_hashes, row.changes.nonces) for row in rows],
        )
        db.executemany("INSERT INTO body VALUES (?, ?, ?)", [(row.number, row.transactions, row.receipts) for row in rows])
        for row in rows:
            _write_changes(db, row.changes)
        if segment is not None:
            write_segment(db, segment)
        db.execute(
            "INSERT OR REPLACE INTO head VALUES (1, ?, ?, ?, ?, ?, ?)",
            (_FORMAT, head.genesis_hash, head.number, head.hash, head.tx_total, head.failed_total),
        )
        db.execute("COMMIT")
    except sqlite3.Error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _write_changes(db: sqlite3.Connection, changes: StateChanges) -> None:
    if changes.accounts:
        db.executemany(
            "INSERT OR REPLACE INTO account VALUES (?, ?, ?)",
            [(address, balance.to_bytes(_BALANCE_BYTES, "big"), nonce) for address, (balance, nonce) in changes.accounts.items()],
        )
    if changes.settings:
        db.executemany(
            "INSERT OR REPLACE INTO setting VALUES (?, ?, ?)",
            [(key, value, enabled) for key, (value, enabled) in changes.settings.items()],
        )
    for node_id, record in changes.nodes.items():
        if record is None:
            db.execute("DELETE FROM node WHERE node_id = ?", (node_id,))
        else:
            db.execute("INSERT OR REPLACE INTO node VALUES (?, ?, ?, ?)", (node_id, *record))
