"""The reading half of a node's ledger (contracts.LedgerReader, state.StateReader): memory first, then the file.

Rule 1. What a reader sees is the chain up to `height`, also while a later block is being written.
Rule 2. A read never waits for the writer: it has its own connection, and SQLite's write-ahead log keeps the two apart.
Rule 3. Memory is bounded: the last blocks by number of transactions, headers and accounts by count, the hash index and the nonces by
        their windows. Everything else is read from the file.
Rule 4. What cannot be read is said by name (LedgerError), never answered as "unknown".

Sources: spec 3.x 2.3, 3.4; ledger_file.py, txindex.py, nonces.py for the parts.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fiscotool.devnet.caches import BoundedCache
from fiscotool.devnet.contracts import ChainConfig
from fiscotool.devnet.form import BlockForm
from fiscotool.devnet.form3 import FORM3
from fiscotool.devnet.ledger_file import Head, open_reader, unusable
from fiscotool.devnet.nonces import NonceWindow
from fiscotool.devnet.packing import unpack_rows
from fiscotool.devnet.state import EMPTY_ACCOUNT, Account, NodeRecord, Setting, chain_config
from fiscotool.devnet.txindex import SEGMENT_TXS, TxIndex, split_hashes
from fiscotool.ledger.errors import LedgerFormatError

__all__ = ["Body", "LedgerReading"]

_HEADERS_CACHED: Final = 256
_BODY_TXS_CACHED: Final = 6000
_ACCOUNTS_CACHED: Final = 20_000


@dataclass(frozen=True, slots=True)
class Body:
    """What a block holds beside its header, in block order."""

    tx_hashes: list[bytes]
    transactions: tuple[bytes, ...]
    receipts: tuple[bytes, ...]


class LedgerReading:
    """An open ledger's readers; `store.SqliteLedger` adds writing. Used by one event loop, in one thread."""

    def __init__(self, path: Path, head: Head, block_limit: int, segment_txs: int = SEGMENT_TXS, form: BlockForm = FORM3) -> None:
        """Read what is kept in memory. Raises LedgerError, sqlite3.Error."""
        self.path = path
        self.form = form
        self.nonces = NonceWindow(block_limit)
        self._head = head
        self._reader = open_reader(path)
        self._headers: BoundedCache[int, Any] = BoundedCache(_HEADERS_CACHED)
        self._bodies: BoundedCache[int, Body] = BoundedCache(_BODY_TXS_CACHED, cost=lambda body: 20 + len(body.tx_hashes))
        self._accounts: BoundedCache[bytes, Account] = BoundedCache(_ACCOUNTS_CACHED)
        self._index = TxIndex(self._reader, segment_txs=segment_txs)
        self._settings = {key: Setting(*rest) for key, *rest in self._reader.execute("SELECT name, value, enable_number FROM setting")}
        self._nodes = {
            node_id: NodeRecord(bool(is_sealer), weight, enabled)
            for node_id, is_sealer, weight, enabled in self._reader.execute("SELECT node_id, is_sealer, weight, enable_number FROM node")
        }
        self._config = chain_config(self)
        first = head.number + 1 - block_limit
        for number, nonces in self._reader.execute("SELECT number, nonces FROM block WHERE number >= ? ORDER BY number", (first,)):
            self.nonces.add(number, nonces)

    # What is in force and where the chain stands.

    @property
    def height(self) -> int:
        """Number of the last block."""
        return self._head.number

    @property
    def head_hash(self) -> bytes:
        """Hash of the last block."""
        return self._head.hash

    @property
    def genesis_hash(self) -> bytes:
        """Hash of block 0."""
        return self._head.genesis_hash

    @property
    def config(self) -> ChainConfig:
        """Configuration in force for the next block."""
        return self._config

    def totals(self) -> tuple[int, int]:
        """(transactions, failed transactions) on the whole chain."""
        return self._head.tx_total, self._head.failed_total

    # State (state.StateReader).

    def account(self, address: bytes) -> Account:
        """The account of a 20-byte address; an empty one for an unknown address."""
        found = self._accounts.get(address)
        if found is None:
            row = self._one("SELECT balance, nonce FROM account WHERE address = ?", address)
            found = EMPTY_ACCOUNT if row is None else Account(int.from_bytes(row[0], "big"), row[1])
            self._accounts.put(address, found)
        return found

    def balance(self, address: bytes) -> int:
        """Balance of an account in wei, 0 for an unknown one."""
        return self.account(address).balance

    def account_nonce(self, address: bytes) -> int:
        """Next nonce of a Web3 account."""
        return self.account(address).nonce

    def setting(self, key: str) -> Setting | None:
        """A system configuration value, or None."""
        return self._settings.get(key)

    def system_config(self, key: str) -> tuple[str, int] | None:
        """(value, enable number) of a system configuration key, or None."""
        return self._settings.get(key)

    def nodes(self) -> Mapping[bytes, NodeRecord]:
        """All members by node id."""
        return self._nodes

    # Blocks.

    def _one(self, sql: str, *values: object) -> Any:
        try:
            return self._reader.execute(sql, values).fetchone()
        except sqlite3.Error as problem:
            raise unusable(self.path, problem) from problem

    def header(self, number: int) -> Any:
        """The header with its signature list, or None."""
        found = self._headers.get(number)
        if found is None and 0 <= number <= self.height:
            row = self._one("SELECT header FROM block WHERE number = ?", number)
            try:
                found = self.form.decode_header(row[0])
            except (LedgerFormatError, TypeError) as problem:
                raise unusable(self.path, f"block {number}: {problem}") from problem
            self._headers.put(number, found)
        return found

    def block_hash(self, number: int) -> bytes | None:
        """Hash of a block by height, or None."""
        if number == self.height:
            return self.head_hash
        row = self._one("SELECT hash FROM block WHERE number = ?", number) if 0 <= number < self.height else None
        return None if row is None else bytes(row[0])

    def number_of(self, block_hash: bytes) -> int | None:
        """Height of a block by hash, or None."""
        row = self._one("SELECT number FROM block WHERE hash = ?", block_hash)
        return None if row is None or row[0] > self.height else int(row[0])

    def _body(self, number: int) -> Body | None:
        body = self._bodies.get(number)
        if body is None and 0 <= number <= self.height:
            row = self._one("SELECT tx_hashes, transactions, receipts FROM block JOIN body USING (number) WHERE number = ?", number)
            try:
                body = Body(split_hashes(row[0]), unpack_rows(row[1]), unpack_rows(row[2]))
            except (TypeError, struct.error) as problem:
                raise unusable(self.path, f"the body of block {number}: {problem}") from problem
            self._bodies.put(number, body)
        return body

    def block_txs(self, number: int) -> list[bytes]:
        """Raw (Tars) transactions of a block, in order; none of an unknown block."""
        body = self._body(number)
        return [] if body is None else list(body.transactions)

    def block_tx_hashes(self, number: int) -> list[bytes]:
        """Their hashes, in order."""
        body = self._body(number)
        return [] if body is None else list(body.tx_hashes)

    def block_receipts(self, number: int) -> list[bytes]:
        """Encoded (Tars) receipts of a block, in order of its transactions."""
        body = self._body(number)
        return [] if body is None else list(body.receipts)

    def encoded_block(self, number: int) -> bytes:
        """The block as sent to a synchronising peer: header, signatures and transactions. Raises KeyError."""
        header, body = self.header(number), self._body(number)
        if header is None or body is None:
            raise KeyError(number)
        return self.form.encode_block(header, body.transactions)

    # Transactions.

    def _find(self, tx_hash: bytes) -> tuple[Body, int, int] | None:
        try:
            for number, position in self._index.candidates(tx_hash):
                body = self._body(number)
                if body is not None and position < len(body.tx_hashes) and body.tx_hashes[position] == tx_hash:
                    return body, number, position
        except (sqlite3.Error, TypeError) as problem:
            raise unusable(self.path, f"the index of transactions: {problem}") from problem
        return None

    def tx_location(self, tx_hash: bytes) -> tuple[int, int] | None:
        """(block number, position) of a transaction on chain, or None."""
        found = self._find(tx_hash)
        return None if found is None else found[1:]

    def tx(self, tx_hash: bytes) -> bytes | None:
        """Raw transaction, or None."""
        found = self._find(tx_hash)
        return None if found is None else found[0].transactions[found[2]]

    def receipt(self, tx_hash: bytes) -> bytes | None:
        """Encoded (Tars) receipt, or None."""
        found = self._find(tx_hash)
        return None if found is None else found[0].receipts[found[2]]
