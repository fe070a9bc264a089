"""The 32 methods of the native JSON-RPC as data: parameters in order, the parser of the reply, and what a client may assume.

Facts (recorded): most methods take the group and a node name first; in Air the name is ignored. `call`, blocks and the like take more.
Only an unknown group is an error, and not for every method.

Source: spec 3.x 2.2, 2.3; bcos-rpc JsonRpcInterface.cpp `initMethod`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from fiscotool.rpc import replies_consensus as consensus
from fiscotool.rpc import replies_group as group
from fiscotool.rpc import replies_ledger as ledger
from fiscotool.rpc import replies_receipt as receipts

Parser = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Method:
    """One method. `params` are the names of its parameters in order, those with "?" optional; `parse` makes the typed reply.

    `is_write`: calling it twice is not the same as calling it once; a lost answer leaves its outcome unknown.
    """

    name: str
    params: tuple[str, ...]
    parse: Parser
    is_write: bool = False

    @property
    def takes_group(self) -> bool:
        """Whether the first parameter is the group."""
        return self.params[:1] == ("group",)

    @property
    def takes_node(self) -> bool:
        """Whether the second parameter is the node name."""
        return self.params[1:2] == ("node",)


def _method(name: str, params: str, parse: Parser, *, is_write: bool = False) -> Method:
    return Method(name, tuple(params.split()), parse, is_write)


METHODS: Final[dict[str, Method]] = {
    method.name: method
    for method in (
        _method("call", "group node to data sign?", receipts.call_result),
        _method("sendTransaction", "group node tx_hex require_proof", receipts.receipt, is_write=True),
        _method("getTransaction", "group node hash require_proof", ledger.transaction),
        _method("getTransactionReceipt", "group node hash require_proof", receipts.receipt),
        _method("getBlockByHash", "group node hash only_header? only_hashes?", ledger.block),
        _method("getBlockByNumber", "group node number only_header? only_hashes?", ledger.block),
        _method("getBlockHashByNumber", "group node number", receipts.text),
        _method("getBlockNumber", "group node", consensus.natural),
        _method("getCode", "group node address", receipts.text),
        _method("getABI", "group node address", receipts.text),
        _method("getSealerList", "group node", consensus.sealers),
        _method("getObserverList", "group node", consensus.node_ids),
        _method("getNodeListByType", "group node type", consensus.sealers),
        _method("getPbftView", "group node", consensus.natural),
        _method("getPendingTxSize", "group node", consensus.natural),
        _method("getSyncStatus", "group node", consensus.sync_status),
        _method("getConsensusStatus", "group node", consensus.consensus_status),
        _method("getSystemConfigByKey", "group node key", receipts.system_config),
        _method("getTotalTransactionCount", "group node", receipts.transaction_count),
        _method("getPeers", "", group.peers),
        _method("getGroupPeers", "group", consensus.node_ids),
        _method("getGroupList", "", group.group_list),
        _method("getGroupInfo", "group", group.group_info),
        _method("getGroupInfoList", "", group.group_infos),
        _method("getGroupNodeInfo", "group node_name", group.node_info),
        _method("newBlockFilter", "group", receipts.text, is_write=True),
        _method("newPendingTransactionFilter", "group", receipts.text, is_write=True),
        _method("newFilter", "group criteria", receipts.text, is_write=True),
        _method("uninstallFilter", "group filter_id", receipts.flag, is_write=True),
        _method("getFilterChanges", "group filter_id", receipts.changes, is_write=True),
        _method("getFilterLogs", "group filter_id", receipts.changes),
        _method("getLogs", "group criteria", receipts.changes),
    )
}
"""Every registered method by name."""
