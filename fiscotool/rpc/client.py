"""NodeClient: every native JSON-RPC method of a 3.x node, typed.

Rule 1. A method returns a typed reply or raises an RpcError (fiscotool.errors); a reply of an unexpected shape is MalformedAnswer.
Rule 2. Every call ends within its `timeout_s`. `send_transaction` has a longer one: the node answers only after the commit.
Rule 3. `send_transaction` without an answer, or with one that cannot be read, raises OutcomeUnknown with the transaction's hash:
        it may be committed, and may yet be.
Rule 4. A node that is not a group's member, or a method that has no result for what was asked, says so with Refused, not None; only
        group_info and group_node_info know a null answer.

Safe from several threads. Names are FISCO's in Python's spelling; parameters and replies: rpc.methods, rpc.replies_*.
"""

from __future__ import annotations

from typing import Any, cast

from fiscotool.rpc import replies_consensus as consensus
from fiscotool.rpc import replies_group as groups
from fiscotool.rpc import replies_ledger as ledger
from fiscotool.rpc import replies_receipt as receipts
from fiscotool.rpc.dialect import Dialect
from fiscotool.rpc.methods import METHODS
from fiscotool.rpc.neutral import NodeVersion
from fiscotool.rpc.neutral3 import version_of
from fiscotool.rpc.tls import TlsFiles
from fiscotool.rpc.transport import Transport
from fiscotool.rpc.typed_client import READ_S, SEND_S, TypedClient


class NodeClient(TypedClient):
    """Talks to one 3.x node. `name` is what messages call it; `group` its group; `tls` for an https URL."""

    dialect = Dialect.FISCO3
    methods = METHODS
    sending = frozenset({"sendTransaction"})
    send_answers_late = True

    def __init__(
        self,
        url: str,
        *,
        group: str = "group0",
        timeout_s: float = READ_S,
        send_timeout_s: float = SEND_S,
        tls: TlsFiles | None = None,
        name: str = "",
        transport: Transport | None = None,
    ) -> None:
        super().__init__(url, group=group, timeout_s=timeout_s, send_timeout_s=send_timeout_s, tls=tls, name=name, transport=transport)

    # Chain and consensus

    def version(self) -> NodeVersion:
        """What runs there, of which chain, with which groups."""
        return version_of(self.group_infos())

    def block_number(self, *, timeout_s: float | None = None) -> int:
        """Height of the node's chain."""
        return cast("int", self.typed_call("getBlockNumber", timeout_s=timeout_s))

    def pbft_view(self) -> int:
        """The node's view (not the one it is asking for)."""
        return cast("int", self.typed_call("getPbftView"))

    def consensus_status(self, *, timeout_s: float | None = None) -> consensus.ConsensusStatus:
        """What the node says of consensus."""
        return cast("consensus.ConsensusStatus", self.typed_call("getConsensusStatus", timeout_s=timeout_s))

    def sync_status(self) -> consensus.SyncStatus:
        """What the node says of synchronisation."""
        return cast("consensus.SyncStatus", self.typed_call("getSyncStatus"))

    def sealers(self) -> tuple[consensus.Sealer, ...]:
        """The consensus members, with weights."""
        return cast("tuple[consensus.Sealer, ...]", self.typed_call("getSealerList"))

    def observers(self) -> tuple[str, ...]:
        """Node ids of the observers."""
        return cast("tuple[str, ...]", self.typed_call("getObserverList"))

    def nodes_of_type(self, kind: str) -> tuple[consensus.Sealer, ...]:
        """Members of one kind: consensus_sealer, consensus_observer, consensus_candidate_sealer."""
        return cast("tuple[consensus.Sealer, ...]", self.typed_call("getNodeListByType", (kind,)))

    def pending_count(self) -> int:
        """Transactions in the node's pool."""
        return cast("int", self.typed_call("getPendingTxSize"))

    def total_count(self) -> receipts.TransactionCount:
        """How many transactions the chain has, and how many of them failed."""
        return cast("receipts.TransactionCount", self.typed_call("getTotalTransactionCount"))

    def system_config(self, key: str) -> receipts.SystemConfig:
        """A system configuration entry, such as tx_count_limit. Raises refusals.NotStored for an unknown key."""
        return cast("receipts.SystemConfig", self.typed_call("getSystemConfigByKey", (key,)))

    # Blocks, transactions, state

    def block(self, number: int, *, only_header: bool = False, only_hashes: bool = True) -> ledger.Block:
        """Block `number`. Raises refusals.BlockNotFound for one that is not there yet."""
        return cast("ledger.Block", self.typed_call("getBlockByNumber", (number, only_header, only_hashes)))

    def block_by_hash(self, block_hash: str, *, only_header: bool = False, only_hashes: bool = True) -> ledger.Block:
        """The block with this hash."""
        return cast("ledger.Block", self.typed_call("getBlockByHash", (block_hash, only_header, only_hashes)))

    def block_hash(self, number: int) -> str:
        """Hash of block `number`; 0x00…00 for one that is not there, as the node answers. Of block 0 another one than `block(0)` has."""
        return cast("str", self.typed_call("getBlockHashByNumber", (number,)))

    def transaction(self, tx_hash: str, *, with_proof: bool = False) -> ledger.Transaction:
        """A committed transaction. Raises refusals.NotStored while it is not on the chain."""
        return cast("ledger.Transaction", self.typed_call("getTransaction", (tx_hash, with_proof)))

    def receipt(self, tx_hash: str, *, with_proof: bool = False) -> receipts.Receipt:
        """Receipt of a committed transaction. Raises refusals.NotStored while it is not on the chain."""
        return cast("receipts.Receipt", self.typed_call("getTransactionReceipt", (tx_hash, with_proof)))

    def send_transaction(
        self, raw_hex: str, *, tx_hash: str = "", with_proof: bool = False, timeout_s: float | None = None
    ) -> receipts.Receipt:
        """Send a signed transaction (Tars bytes in hex) and wait until it is committed.

        Raises Refused or Unreachable: definitely not done; OutcomeUnknown, with `tx_hash`: it may have been done, and may yet be.
        """
        params = (raw_hex, with_proof)
        return cast("receipts.Receipt", self.typed_call("sendTransaction", params, tx_hash=tx_hash, timeout_s=timeout_s))

    def submit(self, raw_hex: str, *, tx_hash: str = "", timeout_s: float | None = None) -> receipts.Receipt | None:
        """As send_transaction; what both generations understand (rpc.neutral)."""
        return self.send_transaction(raw_hex, tx_hash=tx_hash, timeout_s=timeout_s)

    def call_contract(self, to: str, data: str, *, sign: str | None = None) -> receipts.CallResult:
        """Execute a call locally, without a transaction. `sign`: over the hash of to and data, for contracts that ask who calls."""
        return cast("receipts.CallResult", self.typed_call("call", (to, data) if sign is None else (to, data, sign)))

    def code(self, address: str) -> str:
        """Code of a contract, 0x…; "" for an address without."""
        return cast("str", self.typed_call("getCode", (address,)))

    def abi(self, address: str) -> str:
        """ABI that was stored with a contract."""
        return cast("str", self.typed_call("getABI", (address,)))

    # Groups and peers

    def peers(self) -> groups.Peers:
        """The node and its connections."""
        return cast("groups.Peers", self.typed_call("getPeers"))

    def group_peers(self) -> tuple[str, ...]:
        """Node ids in the group, the node's own included."""
        return cast("tuple[str, ...]", self.typed_call("getGroupPeers"))

    def group_list(self) -> groups.GroupList:
        """Groups of the node."""
        return cast("groups.GroupList", self.typed_call("getGroupList"))

    def group_info(self) -> groups.GroupInfo | None:
        """Description of the group; None when the node does not know it."""
        return cast("groups.GroupInfo | None", self.typed_call("getGroupInfo"))

    def group_infos(self) -> tuple[groups.GroupInfo, ...]:
        """Descriptions of all groups of the node."""
        return cast("tuple[groups.GroupInfo, ...]", self.typed_call("getGroupInfoList"))

    def group_node_info(self, node_name: str) -> groups.NodeInfo | None:
        """Description of a node (its name is its id unless configured); a node knows only itself, None for the others."""
        return cast("groups.NodeInfo | None", self.typed_call("getGroupNodeInfo", (node_name,)))

    # Filters and events

    def new_block_filter(self) -> str:
        """Id of a filter for new blocks."""
        return cast("str", self.typed_call("newBlockFilter"))

    def new_pending_transaction_filter(self) -> str:
        """Id of a filter for transactions that enter the pool."""
        return cast("str", self.typed_call("newPendingTransactionFilter"))

    def new_filter(self, criteria: dict[str, Any]) -> str:
        """Id of a filter for events: fromBlock, toBlock, address, topics."""
        return cast("str", self.typed_call("newFilter", (criteria,)))

    def uninstall_filter(self, filter_id: str) -> bool:
        """Whether there was such a filter; there is none any more."""
        return cast("bool", self.typed_call("uninstallFilter", (filter_id,)))

    def filter_changes(self, filter_id: str) -> tuple[receipts.LogEntry | str, ...]:
        """What came since the last question."""
        return cast("tuple[receipts.LogEntry | str, ...]", self.typed_call("getFilterChanges", (filter_id,)))

    def filter_logs(self, filter_id: str) -> tuple[receipts.LogEntry | str, ...]:
        """All events of a filter."""
        return cast("tuple[receipts.LogEntry | str, ...]", self.typed_call("getFilterLogs", (filter_id,)))

    def logs(self, criteria: dict[str, Any]) -> tuple[receipts.LogEntry | str, ...]:
        """Events that meet the criteria: fromBlock, toBlock, address (required), topics."""
        return cast("tuple[receipts.LogEntry | str, ...]", self.typed_call("getLogs", (criteria,)))
