"""One interface for nodes of both generations: what status, query, observer and drills ask, in the same words.

NodeReader is implemented by rpc.client (3.x), rpc.client2 (2.x) and rpc.any_client (found out by asking). Replies are those of 3.x
(rpc.replies_*); what 2.x calls otherwise is translated (rpc.neutral2), and what only one generation has stays in `extra`.

| word | 3.x | 2.x |
|---|---|---|
| height, view | getBlockNumber, getPbftView | the same, hex |
| timeout | asks for a view change | leaderFailed |
| change_cycle | how often in a row | None: not told (toView is, in `extra`) |
| leader_index | told | (view + height) mod n; None while leaderFailed, or for a node that is no sealer |
| connected_count | counts itself | connectedNodes + 1 |
| weights | told | 1 each |
| quorum_weight | told | n - f, f = (n - 1) // 3 |
| a transaction or receipt that is not there | refusals.NotStored | null, here NotStored as well |

Sources: spec 3.x 2.3, 2.4; spec 2.x 1.1, 2.1, 2.3.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from fiscotool.rpc.dialect import Dialect
from fiscotool.rpc.replies_consensus import ConsensusStatus, Sealer, SyncStatus
from fiscotool.rpc.replies_group import Peers
from fiscotool.rpc.replies_ledger import Block, Transaction
from fiscotool.rpc.replies_receipt import CallResult, Receipt, SystemConfig, TransactionCount


@dataclass(frozen=True, slots=True)
class NodeVersion:
    """What runs at the other end. `version` of the binary ("3.16.4", "2.9.1"), `compatibility` what the chain agreed to behave like.

    `groups` as texts ("group0"; "1"). `kind` tells national cryptography ("sm") from the ordinary one ("ecdsa"), "" when not told.
    """

    dialect: Dialect
    version: str
    compatibility: str
    chain_id: str
    groups: tuple[str, ...]
    kind: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


class NodeReader(Protocol):
    """One node, whatever its generation. Every method raises an RpcError when it has no reply, within the client's timeout."""

    name: str
    url: str
    group: str

    @property
    def dialect(self) -> Dialect:
        """What the node speaks; it may have to be asked."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def close(self) -> None:
        """Drop kept connections; the client can be used again."""

    def call(self, method: str, params: list[Any] | tuple[Any, ...] = (), *, timeout_s: float | None = None) -> Any:
        """The `result` of any method with exactly these parameters, as parsed JSON."""

    def typed_call(self, method: str, params: tuple[Any, ...] = (), *, tx_hash: str = "", timeout_s: float | None = None) -> Any:
        """The typed reply of a method of the node's dialect; `params` are those after group and node name."""

    def version(self) -> NodeVersion:
        """What runs there, of which chain, with which groups."""

    def block_number(self, *, timeout_s: float | None = None) -> int:
        """Height of the node's chain."""

    def pbft_view(self) -> int:
        """The node's view (not the one it asks for)."""

    def consensus_status(self, *, timeout_s: float | None = None) -> ConsensusStatus:
        """What the node says of consensus."""

    def sync_status(self) -> SyncStatus:
        """What the node says of synchronisation."""

    def sealers(self) -> tuple[Sealer, ...]:
        """The consensus members, with weights."""

    def observers(self) -> tuple[str, ...]:
        """Node ids of the observers."""

    def peers(self) -> Peers:
        """The node and its connections."""

    def group_peers(self) -> tuple[str, ...]:
        """Node ids in the group, the node's own included."""

    def pending_count(self) -> int:
        """Transactions in the node's pool."""

    def total_count(self) -> TransactionCount:
        """How many transactions the chain has, and how many of them failed."""

    def system_config(self, key: str) -> SystemConfig:
        """A system configuration entry. Raises refusals.NotStored for an unknown key."""

    def block(self, number: int, *, only_header: bool = False, only_hashes: bool = True) -> Block:
        """Block `number`, with its signature list. Raises refusals.BlockNotFound for one that is not there (yet)."""

    def block_by_hash(self, block_hash: str, *, only_header: bool = False, only_hashes: bool = True) -> Block:
        """The block with this hash. Raises refusals.LedgerRefusal for one that is not there."""

    def block_hash(self, number: int) -> str:
        """Hash of block `number`."""

    def transaction(self, tx_hash: str) -> Transaction:
        """A committed transaction. Raises refusals.NotStored while it is not on the chain."""

    def receipt(self, tx_hash: str) -> Receipt:
        """Receipt of a committed transaction. Raises refusals.NotStored while it is not on the chain."""

    def call_contract(self, to: str, data: str) -> CallResult:
        """Execute a call locally, without a transaction."""

    def code(self, address: str) -> str:
        """Code of a contract; "" or "0x" for an address without."""

    def submit(self, raw_hex: str, *, tx_hash: str = "", timeout_s: float | None = None) -> Receipt | None:
        """Send a signed transaction of the node's own kind (Tars or RLP bytes in hex).

        The receipt where the node answers after the commit (3.x); None where it answers when its pool has it (2.x): ask for the
        receipt then. Raises Refused or Unreachable: definitely not done; OutcomeUnknown: it may have been done, and may yet be.
        """
