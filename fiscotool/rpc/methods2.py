"""The methods of 2.x's JSON-RPC as data: parameters in order, the parser of the reply, and what a client may assume.

Facts (recorded from 2.9.1): the group is a JSON integer and comes first; block numbers, places and hashes are JSON texts (decimal or
0x-hex), flags JSON booleans; a wrong type or number of parameters is -32602. getPeers and getNodeIDList take a group and do not look
at it.

Source: spec 2.x 2.1; librpc/RpcFace.h.
"""

from __future__ import annotations

from typing import Final

from fiscotool.rpc import replies2_chain as ledger
from fiscotool.rpc import replies2_receipt as receipts
from fiscotool.rpc import replies2_status as status
from fiscotool.rpc.methods import Method, Parser
from fiscotool.rpc.replies_receipt import text


def _method(name: str, params: str, parse: Parser, *, is_write: bool = False) -> Method:
    return Method(name, tuple(params.split()), parse, is_write)


METHODS2: Final[dict[str, Method]] = {
    method.name: method
    for method in (
        _method("getClientVersion", "", status.client_version),
        _method("getBlockNumber", "group", status.natural2),
        _method("getPbftView", "group", status.natural2),
        _method("getSealerList", "group", status.texts),
        _method("getObserverList", "group", status.texts),
        _method("getEpochSealersList", "group", status.texts),
        _method("getConsensusStatus", "group", status.consensus_status2),
        _method("getSyncStatus", "group", status.sync_status2),
        _method("getNodeInfo", "", status.node_info2),
        _method("getPeers", "group", status.peers2),
        _method("getGroupPeers", "group", status.texts),
        _method("getNodeIDList", "group", status.texts),
        _method("getGroupList", "", status.group_numbers),
        _method("getSystemConfigByKey", "group key", text),
        _method("getBlockByHash", "group hash with_transactions", ledger.block2),
        _method("getBlockByNumber", "group number with_transactions", ledger.block2),
        _method("getBlockHeaderByHash", "group hash with_signatures", ledger.block2),
        _method("getBlockHeaderByNumber", "group number with_signatures", ledger.block2),
        _method("getBlockHashByNumber", "group number", text),
        _method("getTransactionByHash", "group hash", ledger.transaction2),
        _method("getTransactionByBlockHashAndIndex", "group hash index", ledger.transaction2),
        _method("getTransactionByBlockNumberAndIndex", "group number index", ledger.transaction2),
        _method("getTransactionReceipt", "group hash", receipts.receipt2),
        _method("getTransactionByHashWithProof", "group hash", receipts.transaction_with_proof),
        _method("getTransactionReceiptByHashWithProof", "group hash", receipts.receipt_with_proof),
        _method("getBatchReceiptsByBlockNumberAndRange", "group number from count compress", receipts.batch_receipts),
        _method("getBatchReceiptsByBlockHashAndRange", "group hash from count compress", receipts.batch_receipts),
        _method("getPendingTransactions", "group", ledger.transactions2),
        _method("getPendingTxSize", "group", status.natural2),
        _method("getCode", "group address", text),
        _method("getTotalTransactionCount", "group", receipts.transaction_count2),
        _method("call", "group request", receipts.call_result2),
        _method("sendRawTransaction", "group tx_hex", text, is_write=True),
        _method("sendRawTransactionAndGetProof", "group tx_hex", text, is_write=True),
        _method("generateGroup", "group description", status.group_answer, is_write=True),
        _method("startGroup", "group", status.group_answer, is_write=True),
        _method("stopGroup", "group", status.group_answer, is_write=True),
        _method("removeGroup", "group", status.group_answer, is_write=True),
        _method("recoverGroup", "group", status.group_answer, is_write=True),
        _method("queryGroupStatus", "group", status.group_answer),
        _method("queryPeers", "", status.texts),
        _method("addPeers", "addresses", status.group_answer, is_write=True),
        _method("erasePeers", "addresses", status.group_answer, is_write=True),
        _method("rpc_modules", "", status.modules),
    )
}
"""Every documented method by name."""
