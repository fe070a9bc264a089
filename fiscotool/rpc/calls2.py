"""Every documented method of 2.x's JSON-RPC, typed in 2.x's own terms; rpc.client2 adds those of rpc.neutral on top.

Parameters: heights, places and counts are integers here and travel as decimal texts; hashes and addresses are 0x-hex texts. Replies are
dataclasses of rpc.replies2_*: quantities as integers, timestamps in ms. Every method may raise GroupDoesNotExist (-40001), NotInTheGroup
(-40009), StillInitialising (-40010), and over the channel OverQpsLimit (-40011) and SdkNotAllowed (-40012); further errors are named.

Sources: spec 2.x 2.1 to 2.3; librpc/RpcFace.h, Rpc.cpp.
"""

from __future__ import annotations

from typing import Any, cast

from fiscotool.errors import UsageError
from fiscotool.rpc import replies2_chain as ledger
from fiscotool.rpc import replies2_receipt as receipts
from fiscotool.rpc import replies2_status as status
from fiscotool.rpc.dialect import Dialect, is_group_number
from fiscotool.rpc.methods import Method
from fiscotool.rpc.methods2 import METHODS2
from fiscotool.rpc.tls import TlsFiles
from fiscotool.rpc.transport import Transport
from fiscotool.rpc.typed_client import READ_S, SEND_S, TypedClient


class Calls2(TypedClient):
    """Talks to one 2.x node. `group` is a number, given as text ("1")."""

    dialect = Dialect.FISCO2
    methods = METHODS2
    sending = frozenset({"sendRawTransaction", "sendRawTransactionAndGetProof"})
    send_answers_late = False

    def __init__(
        self,
        url: str,
        *,
        group: str = "1",
        timeout_s: float = READ_S,
        send_timeout_s: float = SEND_S,
        tls: TlsFiles | None = None,
        name: str = "",
        transport: Transport | None = None,
    ) -> None:
        if not is_group_number(group):
            raise UsageError(f"{group!r} is no group of a 2.x chain: groups there are numbers", hint="the first group is 1")
        super().__init__(url, group=group, timeout_s=timeout_s, send_timeout_s=send_timeout_s, tls=tls, name=name, transport=transport)

    def _leading(self, method: Method) -> tuple[Any, ...]:
        return (int(self.group),) if method.takes_group else ()

    # The node and its group

    def client_version(self) -> status.ClientVersion:
        """Version of the binary, of the chain's behaviour, and the chain id."""
        return cast("status.ClientVersion", self.typed_call("getClientVersion"))

    def node_info(self) -> status.NodeInfo2:
        """The node's own id, agency and P2P end point."""
        return cast("status.NodeInfo2", self.typed_call("getNodeInfo"))

    def peer_infos(self) -> tuple[status.NodeInfo2, ...]:
        """The nodes this one has a P2P connection with, of any group."""
        return cast("tuple[status.NodeInfo2, ...]", self.typed_call("getPeers"))

    def group_peers(self) -> tuple[str, ...]:
        """Ids of the group's sealers and observers, the node's own included, connected or not."""
        return cast("tuple[str, ...]", self.typed_call("getGroupPeers"))

    def node_ids(self) -> tuple[str, ...]:
        """The node's own id and those of connected nodes."""
        return cast("tuple[str, ...]", self.typed_call("getNodeIDList"))

    def group_numbers(self) -> tuple[int, ...]:
        """Groups this node belongs to."""
        return cast("tuple[int, ...]", self.typed_call("getGroupList"))

    def configured_peers(self) -> tuple[str, ...]:
        """host:port of the peers in config.ini (2.9.0 and later)."""
        return cast("tuple[str, ...]", self.typed_call("queryPeers"))

    def modules(self) -> dict[str, str]:
        """Services of the RPC library and their versions."""
        return cast("dict[str, str]", self.typed_call("rpc_modules"))

    def group_status(self) -> status.GroupAnswer:
        """State of the group at this node; for a group it does not know the status INEXISTENT, not an error."""
        return cast("status.GroupAnswer", self.typed_call("queryGroupStatus"))

    # Consensus and synchronisation

    def pbft_view(self) -> int:
        """The node's view. NoViewInThisConsensus under raft."""
        return cast("int", self.typed_call("getPbftView"))

    def consensus_status2(self) -> status.ConsensusStatus2:
        """What the node says of consensus, in 2.x's terms."""
        return cast("status.ConsensusStatus2", self.typed_call("getConsensusStatus"))

    def sync_status2(self) -> status.SyncStatus2:
        """What the node says of synchronisation, in 2.x's terms."""
        return cast("status.SyncStatus2", self.typed_call("getSyncStatus"))

    def sealer_ids(self) -> tuple[str, ...]:
        """Ids of the sealers in storage order; sorted, the place is the index."""
        return cast("tuple[str, ...]", self.typed_call("getSealerList"))

    def epoch_sealer_ids(self) -> tuple[str, ...]:
        """Ids of the sealers that work in the present epoch. OnlyWithRpbft elsewhere."""
        return cast("tuple[str, ...]", self.typed_call("getEpochSealersList"))

    def observers(self) -> tuple[str, ...]:
        """Ids of the observers."""
        return cast("tuple[str, ...]", self.typed_call("getObserverList"))

    def pending_count(self) -> int:
        """Transactions in the node's pool."""
        return cast("int", self.typed_call("getPendingTxSize"))

    def pending_transactions(self) -> tuple[ledger.Transaction2, ...]:
        """The transactions in the node's pool, without block fields."""
        return cast("tuple[ledger.Transaction2, ...]", self.typed_call("getPendingTransactions"))

    def config_value(self, key: str) -> str:
        """A system configuration entry, "" for one that is not set. InvalidSystemConfig for a key that does not exist."""
        return cast("str", self.typed_call("getSystemConfigByKey", (key,)))

    # Blocks and transactions

    def block2(self, number: int, *, with_transactions: bool) -> ledger.Block2:
        """Block `number` with transactions and signatures, or with transaction hashes alone. BlockNumberDoesNotExist."""
        return cast("ledger.Block2", self.typed_call("getBlockByNumber", (str(number), with_transactions)))

    def block2_by_hash(self, block_hash: str, *, with_transactions: bool) -> ledger.Block2:
        """As block2, by hash. BlockHashDoesNotExist."""
        return cast("ledger.Block2", self.typed_call("getBlockByHash", (block_hash, with_transactions)))

    def block_header2(self, number: int, *, with_signatures: bool = True) -> ledger.Block2:
        """Header of block `number`. BlockNumberDoesNotExist."""
        return cast("ledger.Block2", self.typed_call("getBlockHeaderByNumber", (str(number), with_signatures)))

    def block_header2_by_hash(self, block_hash: str, *, with_signatures: bool = True) -> ledger.Block2:
        """As block_header2, by hash. BlockHashDoesNotExist."""
        return cast("ledger.Block2", self.typed_call("getBlockHeaderByHash", (block_hash, with_signatures)))

    def block_hash(self, number: int) -> str:
        """Hash of block `number`. BlockNumberDoesNotExist."""
        return cast("str", self.typed_call("getBlockHashByNumber", (str(number),)))

    def transaction2(self, tx_hash: str) -> ledger.Transaction2 | None:
        """A transaction of the chain; None for an unknown hash."""
        return cast("ledger.Transaction2 | None", self.typed_call("getTransactionByHash", (tx_hash,)))

    def transaction_at(self, block: int | str, index: int) -> ledger.Transaction2 | None:
        """The transaction at `index` (from 0) of a block, given by number or hash. TransactionIndexOutOfRange."""
        if isinstance(block, int):
            return cast("ledger.Transaction2 | None", self.typed_call("getTransactionByBlockNumberAndIndex", (str(block), str(index))))
        return cast("ledger.Transaction2 | None", self.typed_call("getTransactionByBlockHashAndIndex", (block, str(index))))

    def transaction_with_proof(self, tx_hash: str) -> receipts.TransactionWithProof | None:
        """A transaction with its path to the block's transactionsRoot (supported_version 2.2.0 and later); None for an unknown hash."""
        return cast("receipts.TransactionWithProof | None", self.typed_call("getTransactionByHashWithProof", (tx_hash,)))

    def receipt2(self, tx_hash: str) -> receipts.Receipt2 | None:
        """A receipt; None for an unknown transaction or one that is in no block yet."""
        return cast("receipts.Receipt2 | None", self.typed_call("getTransactionReceipt", (tx_hash,)))

    def receipt_with_proof(self, tx_hash: str) -> receipts.ReceiptWithProof | None:
        """A receipt with its path to the block's receiptsRoot (supported_version 2.2.0 and later); None for an unknown hash."""
        return cast("receipts.ReceiptWithProof | None", self.typed_call("getTransactionReceiptByHashWithProof", (tx_hash,)))

    def batch_receipts(self, block: int | str, *, first: int = 0, count: int = -1, compress: bool = False) -> receipts.BatchReceipts:
        """`count` receipts of a block (number or hash) from place `first`; -1: all. ReceiptRangeRefused."""
        rest = (str(first), str(count), compress)
        if isinstance(block, int):
            return cast("receipts.BatchReceipts", self.typed_call("getBatchReceiptsByBlockNumberAndRange", (str(block), *rest)))
        return cast("receipts.BatchReceipts", self.typed_call("getBatchReceiptsByBlockHashAndRange", (block, *rest)))

    def total_count2(self) -> receipts.TransactionCount2:
        """How many transactions the chain has, and how many of them failed."""
        return cast("receipts.TransactionCount2", self.typed_call("getTotalTransactionCount"))

    def code(self, address: str) -> str:
        """Code of a contract; 0x for an address without."""
        return cast("str", self.typed_call("getCode", (address,)))

    def call2(self, request: dict[str, Any]) -> receipts.CallResult2:
        """Execute a call locally: from (required), to, value, data. CallNeedsFrom."""
        return cast("receipts.CallResult2", self.typed_call("call", (request,)))

    def send_raw_transaction(self, raw_hex: str, *, tx_hash: str = "", with_proof: bool = False, timeout_s: float | None = None) -> str:
        """Send a signed transaction (RLP in hex); its hash, when the node's pool has taken it. It is in no block then.

        Raises Refused (refusals.PoolRefusal …) or Unreachable: definitely not done; OutcomeUnknown: the pool may have it.
        """
        method = "sendRawTransactionAndGetProof" if with_proof else "sendRawTransaction"
        return cast("str", self.typed_call(method, (raw_hex,), tx_hash=tx_hash, timeout_s=timeout_s))
