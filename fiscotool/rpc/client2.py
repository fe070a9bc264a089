"""NodeClient2: a 2.x node, in the words both generations share (rpc.neutral), and in its own (rpc.calls2).

Rule. What 2.x answers with null (an unknown transaction or receipt) is raised here as refusals.NotStored, as 3.x does; transaction2 and
      receipt2 give the null itself.

Sources: spec 2.x 2.1 to 2.3.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, cast

from fiscotool.rpc import neutral2
from fiscotool.rpc.calls2 import Calls2
from fiscotool.rpc.neutral import NodeVersion
from fiscotool.rpc.refusals import MethodNotFound, NotStored
from fiscotool.rpc.replies2_chain import Block2
from fiscotool.rpc.replies_consensus import ConsensusStatus, Sealer, SyncStatus
from fiscotool.rpc.replies_group import Peers
from fiscotool.rpc.replies_ledger import Block, Transaction
from fiscotool.rpc.replies_receipt import CallResult, Receipt, SystemConfig, TransactionCount

_NULL_CODE: Final = 0
_NOBODY: Final = "0x" + "00" * 20


class NodeClient2(Calls2):
    """Talks to one 2.x node. Implements rpc.neutral.NodeReader."""

    def version(self) -> NodeVersion:
        """See NodeReader."""
        return neutral2.version_of(self.client_version(), self.group_numbers())

    def block_number(self, *, timeout_s: float | None = None) -> int:
        """See NodeReader."""
        return cast("int", self.typed_call("getBlockNumber", timeout_s=timeout_s))

    def consensus_status(self, *, timeout_s: float | None = None) -> ConsensusStatus:
        """See NodeReader."""
        return neutral2.consensus_of(self.typed_call("getConsensusStatus", timeout_s=timeout_s))

    def sync_status(self) -> SyncStatus:
        """See NodeReader."""
        return neutral2.sync_of(self.sync_status2())

    def sealers(self) -> tuple[Sealer, ...]:
        """See NodeReader."""
        return neutral2.sealers_of(self.sealer_ids())

    def peers(self) -> Peers:
        """See NodeReader. Three questions: the node, its connections, the group's members."""
        return neutral2.peers_of(self.node_info(), self.peer_infos(), self.group, self.group_peers())

    def total_count(self) -> TransactionCount:
        """See NodeReader."""
        return neutral2.count_of(self.total_count2())

    def system_config(self, key: str) -> SystemConfig:
        """See NodeReader. The block from which the value holds is not told: 0."""
        return SystemConfig(self.config_value(key), 0)

    def block(self, number: int, *, only_header: bool = False, only_hashes: bool = True) -> Block:
        """See NodeReader."""
        return self._block(number, only_header=only_header, only_hashes=only_hashes)

    def block_by_hash(self, block_hash: str, *, only_header: bool = False, only_hashes: bool = True) -> Block:
        """See NodeReader."""
        return self._block(block_hash, only_header=only_header, only_hashes=only_hashes)

    def _block(self, which: int | str, *, only_header: bool, only_hashes: bool) -> Block:
        """Header with signatures and hashes are two questions; a node without getBlockHeader… tells both with all transactions."""
        if only_header or only_hashes:
            try:
                header = self.block_header2(which) if isinstance(which, int) else self.block_header2_by_hash(which)
            except MethodNotFound:
                whole = self._told_block(which, with_transactions=True)
                return neutral2.block_of(replace(whole, tx_hashes=None) if only_header else whole, only_hashes=True)
            if only_header:
                return neutral2.block_of(header, only_hashes=True)
            listed = self._told_block(which, with_transactions=False)
            told = {**header.told, "transactions": listed.told.get("transactions")}
            return neutral2.block_of(replace(header, tx_hashes=listed.tx_hashes, told=told), only_hashes=True)
        return neutral2.block_of(self._told_block(which, with_transactions=True), only_hashes=False)

    def _told_block(self, which: int | str, *, with_transactions: bool) -> Block2:
        if isinstance(which, int):
            return self.block2(which, with_transactions=with_transactions)
        return self.block2_by_hash(which, with_transactions=with_transactions)

    def transaction(self, tx_hash: str) -> Transaction:
        """See NodeReader."""
        told = self.transaction2(tx_hash)
        if told is None:
            raise self._not_stored("getTransactionByHash", "transaction", tx_hash)
        return neutral2.transaction_of(told)

    def receipt(self, tx_hash: str) -> Receipt:
        """See NodeReader."""
        told = self.receipt2(tx_hash)
        if told is None:
            raise self._not_stored("getTransactionReceipt", "receipt of", tx_hash)
        return neutral2.receipt_of(told)

    def _not_stored(self, method: str, what: str, tx_hash: str) -> NotStored:
        return NotStored(f"{self.name} has no {what} {tx_hash} (yet)", code=_NULL_CODE, node=self.name, method=method, hint=NotStored.NEXT)

    def call_contract(self, to: str, data: str, *, sender: str = _NOBODY) -> CallResult:
        """See NodeReader. `sender` is whose call it is taken for."""
        return neutral2.call_of(self.call2({"from": sender, "to": to, "value": "0x0", "data": data}))

    def submit(self, raw_hex: str, *, tx_hash: str = "", timeout_s: float | None = None) -> Receipt | None:
        """See NodeReader: None, since the node answers when its pool has taken the transaction."""
        if not raw_hex.startswith("0x"):
            raw_hex = f"0x{raw_hex}"
        self.send_raw_transaction(raw_hex, tx_hash=tx_hash, timeout_s=timeout_s)
        return None
