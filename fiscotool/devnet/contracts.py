"""Where the parts of an embedded node meet: the Protocols its RPC, its consensus driver, its pool and its ledger are written against.

    RPC server ──▶ NodeFacade ──▶ LedgerReader, Pool, consensus status
    driver ──▶ Pool, Executor, LedgerStore
    sync ──▶ LedgerStore

All of it runs on one asyncio loop in one thread; only fsync and other blocking disk work may leave it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Sealer:
    """A member of the sealer list. `node_id` is the 64-byte public key; the list is sorted by it."""

    node_id: bytes
    weight: int


@dataclass(frozen=True, slots=True)
class ChainConfig:
    """Configuration in force for the next block, as the ledger's system tables say after the head block."""

    sealers: tuple[Sealer, ...]
    observers: tuple[bytes, ...]
    tx_count_limit: int
    leader_period_blocks: int
    gas_limit: int
    block_version: int


@dataclass(frozen=True, slots=True)
class PooledTx:
    """A verified transaction in the pool. `raw` is what is gossiped and stored: Tars bytes of Transaction (types BCOS and Web3).

    `to` is the text as sent; `sender` 20 bytes; `nonce` the text; `is_system` by the exact `to` rule (spec 3.x 3.6).
    """

    tx_hash: bytes
    raw: bytes
    sender: bytes
    to: str
    nonce: str
    block_limit: int
    is_web3: bool
    is_system: bool
    attribute: int = 0
    value: int = 0
    input: bytes = b""


class AdmissionError(Exception):
    """The pool refused a transaction. `status` is a TransactionStatus code (spec 3.x 2.5), or -1 with a text."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Pool(Protocol):
    """The transaction pool (spec 3.x 3.2, 3.8; bcos-txpool). Never blocks."""

    def admit(self, raw: bytes) -> PooledTx:
        """Decode, verify the signature, check ids, nonce and block limit, and take in. Raises AdmissionError."""

    def admit_gossip(self, raws: Iterable[bytes], *, is_needed: bool = False) -> list[PooledTx]:
        """Take in what a peer pushed: invalid ones and duplicates are dropped and counted, the new ones returned.

        `is_needed`: a proposal or a vote waits for these, so a full pool takes them too.
        """

    def seal(self, limit: int) -> list[PooledTx]:
        """Up to `limit` unsealed transactions, system transactions first, marked as sealed."""

    def mark_sealed(self, tx_hashes: Iterable[bytes], *, number: int = 0, proposal: bytes = b"") -> None:
        """The proposal with this height and digest was accepted: do not seal its transactions into another."""

    def release(self, tx_hashes: Iterable[bytes], *, proposal: bytes = b"") -> None:
        """The proposal was dropped: they may be sealed again, but for those that are in a newer one by now."""

    def missing(self, tx_hashes: Iterable[bytes]) -> list[bytes]:
        """Those not in the pool."""

    def get(self, tx_hash: bytes) -> PooledTx | None:
        """The transaction, sealed or not."""

    def check_sealable(self, tx_hashes: Sequence[bytes], *, number: int = 0) -> str:
        """Why a proposal with these at this height must not be accepted (unknown, on chain, twice, in a lower one), or an empty text."""

    def on_committed(self, number: int, tx_hashes: Sequence[bytes]) -> None:
        """Block `number` is durable: remove its transactions, remember nonces, drop what its block limit has expired."""

    def pending_nonce(self, address: bytes) -> int:
        """The next Web3 nonce of an account, counting what waits here (eth_getTransactionCount "pending")."""

    @property
    def unsealed_count(self) -> int:
        """Transactions that could be sealed now."""

    @property
    def total_count(self) -> int:
        """All transactions held, sealed ones included (getPendingTxSize)."""


@dataclass(frozen=True, slots=True)
class ExecutedBlock:
    """A block after execution, not yet in the ledger.

    `header` is the ledger room's BlockHeader with roots and gas, without signatures; `receipts` are encoded (Tars) in transaction
    order; `changes` are the state writes, opaque to everyone but the executor and the store.
    """

    number: int
    proposal_hash: bytes
    block_hash: bytes
    header: Any
    txs: tuple[PooledTx, ...]
    receipts: tuple[bytes, ...]
    changes: Any
    is_system: bool


class Executor(Protocol):
    """Executes blocks in order on top of executed, maybe uncommitted, parents. Deterministic on all nodes."""

    def execute(self, header: Any, txs: Sequence[PooledTx]) -> ExecutedBlock:
        """Run the transactions of `header.number` on the state after its parent; keeps the result as a layer until committed."""

    def call(self, sender: bytes, to: str, data: bytes) -> tuple[int, bytes, str]:
        """Read-only call on the committed state: (status, output, message)."""

    def on_committed(self, number: int) -> None:
        """The layer of `number` is durable: fold it into the committed state."""

    def discard_from(self, number: int) -> None:
        """Forget executed, uncommitted layers at and above `number` (they were executed from another proposal or synced)."""


class LedgerReader(Protocol):
    """What is durable. Reads never wait for writes."""

    @property
    def height(self) -> int:
        """Number of the last block."""

    @property
    def head_hash(self) -> bytes:
        """Hash of the last block."""

    @property
    def genesis_hash(self) -> bytes:
        """Hash of block 0."""

    @property
    def config(self) -> ChainConfig:
        """Configuration in force for the next block."""

    def header(self, number: int) -> Any:
        """The ledger room's BlockHeader with its signature list, or None."""

    def number_of(self, block_hash: bytes) -> int | None:
        """Height of a block by hash."""

    def block_txs(self, number: int) -> list[bytes]:
        """Raw (Tars) transactions of a block, in order."""

    def block_tx_hashes(self, number: int) -> list[bytes]:
        """Their hashes, in order."""

    def tx_location(self, tx_hash: bytes) -> tuple[int, int] | None:
        """(block number, position) of a transaction on chain, or None."""

    def tx(self, tx_hash: bytes) -> bytes | None:
        """Raw transaction, or None."""

    def receipt(self, tx_hash: bytes) -> bytes | None:
        """Encoded (Tars) receipt, or None."""

    def system_config(self, key: str) -> tuple[str, int] | None:
        """(value, enable number) of a system configuration key, or None."""

    def balance(self, address: bytes) -> int:
        """Balance of an account in wei, 0 for an unknown one."""

    def account_nonce(self, address: bytes) -> int:
        """Next nonce of a Web3 account."""

    def totals(self) -> tuple[int, int]:
        """(transactions, failed transactions) on the whole chain."""


class LedgerStore(LedgerReader, Protocol):
    """The ledger's writer: one SQLite file in data/, separate from the consensus log."""

    @property
    def form(self) -> Any:
        """How its blocks are written (`form.BlockForm`)."""

    async def commit(self, block: ExecutedBlock, signatures: Sequence[tuple[int, bytes]]) -> None:
        """Write block, receipts, state changes and head in one durable transaction. Raises OSError or sqlite3.Error when the disk fails."""

    def encoded_block(self, number: int) -> bytes:
        """The block as sent to a synchronising peer: Tars Block with header, signatures and transactions."""


@dataclass(frozen=True, slots=True)
class ConsensusStatus:
    """What getConsensusStatus tells (spec 3.x 2.4). `node_index` is 2**64-1 for a node that is not a sealer."""

    node_index: int
    leader_index: int
    faulty_weight_max: int
    quorum_weight: int
    is_sealer: bool
    height: int
    head_hash: bytes
    timeout: bool
    change_cycle: int
    view: int
    connected_count: int
    to_view: int = 0
    """The view it asks for; above `view` while it waits for one."""
    views: tuple[tuple[int, int], ...] = ()
    """2.x: (index, view) of the last proposal or vote heard of other sealers."""


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """A peer as block synchronisation and the gateway know it. `node_id` is 64 bytes; `p2p_id` what certificate lists call it.

    `name` and `agency` are the common names of its certificate and of that one's issuer.
    """

    node_id: bytes
    p2p_id: str
    endpoint: str
    height: int
    head_hash: bytes
    genesis_hash: bytes
    name: str = ""
    agency: str = ""


class NodeFacade(Protocol):
    """The node as its RPC sees it."""

    @property
    def ledger(self) -> LedgerReader:
        """Durable data."""

    @property
    def executor(self) -> Executor:
        """For call and eth_call."""

    @property
    def pool(self) -> Pool:
        """For pending counts and lookups; transactions enter by `submit`, not here."""

    @property
    def node_id(self) -> bytes:
        """64-byte public key."""

    @property
    def settings(self) -> Any:
        """The node's parsed configuration (`devnet.settings.Settings`)."""

    def consensus_status(self) -> ConsensusStatus:
        """A consistent snapshot of the replica."""

    def sync_status(self) -> tuple[bool, int, bytes]:
        """(is syncing, highest known height, its hash)."""

    def peers(self) -> list[PeerStatus]:
        """Connected peers."""

    def submit(self, raw: bytes, *, wait: bool) -> Awaitable[bytes]:
        """Admit and gossip a transaction given as Tars bytes. Raises AdmissionError.

        The result is the transaction hash when `wait` is false, else the encoded receipt once its block is durable.
        """


class NodeFacade2(NodeFacade, Protocol):
    """What the RPC of 2.x asks for besides."""

    def backed_height(self) -> int:
        """The height that more than f sealers claim to have reached; a single liar moves it no further."""

    def pending(self) -> list[bytes]:
        """Raw transactions that wait in the pool."""

    def watch(self, on_block: Any, on_dropped: Any) -> None:
        """Tell of every durable block (ExecutedBlock), and of every hash that leaves the pool without one."""
