"""What the blocks of a generation look like, for everything in a node that only moves blocks around.

    sealer, proposals, blocks, executor, sync, store ──▶ BlockForm ◀── form3 (Tars, 3.x), form2 (RLP, 2.x)

A node's ledger knows its form (`LedgerStore.form`); whoever has a ledger asks it. Headers are the ledger room's BlockHeader (3.x) or
BlockHeader2 (2.x). What they have in common is used directly: number, sealer, sealer_list, weights, timestamp_ms, signatures, txs_root,
receipts_root, state_root.

Rule 1. A header has three states: as proposed (its hash is the proposal's digest), on its parent, and executed (its hash is the block's).
        `before_execution` leads from the last to the second, `as_proposed` to the first.
Rule 2. Decoding takes untrusted bytes and raises LedgerFormatError, nothing else.

Sources: spec 3.x 1.3, 3.4; spec 2.x 1.2, 3.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from fiscotool.devnet.contracts import ChainConfig, PooledTx
from fiscotool.devnet.outcome import Outcome
from fiscotool.devnet.state import BlockState, StateChanges

__all__ = ["BlockForm", "Receipts"]

Header = Any
Genesis = Any


class Receipts(Protocol):
    """Collects the receipts of one block, in order."""

    gas_total: int
    failed_count: int

    def add(self, outcome: Outcome, tx: PooledTx) -> None:
        """The outcome of the next transaction."""

    def finish(self, state_root: bytes) -> tuple[list[bytes], list[bytes]]:
        """(encoded receipts, their hashes), now that the state after the block is known."""


class BlockForm(Protocol):
    """One generation's way to write blocks, transactions and receipts, and what its transactions do."""

    generation: int
    used_nonce: Outcome
    """What becomes of a transaction whose nonce is on the chain already."""

    # Headers.

    def genesis_header(self, genesis: Genesis) -> Header:
        """Block 0 of `settings.GenesisSettings`."""

    def initial_state(self, genesis: Genesis) -> StateChanges:
        """The state after block 0."""

    def proposed_header(
        self, number: int, sealer: int, config: ChainConfig, timestamp_ms: int, tx_hashes: Sequence[bytes], parent_hash: bytes
    ) -> Header:
        """The header of a proposal. `parent_hash` is used where a proposal names its parent (2.x)."""

    def on_parent(self, header: Header, parent_hash: bytes) -> Header:
        """A proposed header as it is executed."""

    def executed_header(
        self, header: Header, tx_hashes: Sequence[bytes], receipt_hashes: Sequence[bytes], state_root: bytes, gas: int
    ) -> Header:
        """The header with what execution fills in; no signatures."""

    def before_execution(self, header: Header) -> Header:
        """The header on its parent that an executed one was made of."""

    def as_proposed(self, header: Header) -> Header:
        """The proposed header that either was made of."""

    def proposal_objection(self, header: Header, tx_hashes: Sequence[bytes]) -> str:
        """Why this cannot be a proposal's header, or an empty text. What both generations have is judged in proposals.py."""

    def block_objection(self, header: Header, tx_hashes: Sequence[bytes]) -> str:
        """Why a peer's executed block cannot hold these transactions, or an empty text. Its roots are judged by executing it."""

    def hash_header(self, header: Header) -> bytes:
        """Its hash; signatures do not count."""

    def with_signatures(self, header: Header, signatures: tuple[tuple[int, bytes], ...]) -> Header:
        """The header with this signature list."""

    def encode_header(self, header: Header) -> bytes:
        """As stored, with its signatures."""

    def decode_header(self, raw: bytes) -> Header:
        """The inverse. Raises LedgerFormatError."""

    # Blocks and transactions.

    def encode_proposal(self, header: Header, txs: Sequence[PooledTx]) -> bytes:
        """A proposal's bytes: header and transaction hashes."""

    def decode_proposal(self, raw: bytes) -> tuple[Header, tuple[bytes, ...]]:
        """(header, transaction hashes). Raises LedgerFormatError."""

    def twin(self, data: bytes) -> tuple[bytes, bytes]:
        """(digest, bytes) of the same proposal a millisecond later: equally valid, with another hash. Raises LedgerFormatError."""

    def encode_block(self, header: Header, transactions: Sequence[bytes]) -> bytes:
        """A block for a synchronising peer: header with signatures, transactions."""

    def decode_block(self, raw: bytes) -> tuple[Header, tuple[bytes, ...]]:
        """(header with signatures, transactions). Raises LedgerFormatError."""

    def pooled(self, raw: bytes) -> PooledTx:
        """Decode and verify a transaction. Raises LedgerFormatError, also for a signature of nobody."""

    # Execution.

    def run(self, sender: bytes, to: str, value: int, data: bytes, state: BlockState) -> Outcome:
        """Execute a transaction or a call. A failed one has changed nothing."""

    def receipts(self, number: int) -> Receipts:
        """The collector for the receipts of block `number`."""
