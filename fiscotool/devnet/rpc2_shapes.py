"""The objects of the 2.x JSON-RPC that tell of the node and its consensus. Quantities are hex where the real node writes hex.

Sources: spec 2.x 2.1, 2.3, 3.1, 3.2; recordings v2/rpc/reads_4nodes; ConsensusEngineBase.h `getBasicConsensusStatus`, SyncMaster.cpp
`syncInfo`, Rpc.cpp.
"""

from __future__ import annotations

from typing import Any, Final

from fiscotool.devnet.contracts import NodeFacade, PeerStatus
from fiscotool.devnet.rpc_identity import RpcIdentity
from fiscotool.ledger.receipt2 import Receipt2
from fiscotool.ledger.tx2 import Transaction2, transaction2_to_rpc

__all__ = [
    "STATUS2_NAMES",
    "batch_receipt_object",
    "client_version",
    "consensus_status",
    "node_info",
    "peer_info",
    "placed_transaction",
    "receipt_object",
    "sync_status",
]

_PBFT_MODULE: Final = 8
_SYNC_MODULE: Final = 9
_NOT_A_SEALER: Final = 65_535
_NEWEST: Final = "2.9.1"

STATUS2_NAMES: Final = (
    "None",
    "Unknown",
    "BadRLP",
    "InvalidFormat",
    "OutOfGasIntrinsic",
    "InvalidSignature",
    "InvalidNonce",
    "NotEnoughCash",
    "OutOfGasBase",
    "BlockGasLimitReached",
    "BadInstruction",
    "BadJumpDestination",
    "OutOfGas",
    "OutOfStack",
    "StackUnderflow",
    "NonceCheckFail",
    "BlockLimitCheckFail",
    "FilterCheckFail",
    "NoDeployPermission",
    "NoCallPermission",
    "NoTxPermission",
    "PrecompiledError",
    "RevertInstruction",
    "InvalidZeroSignatureFormat",
    "AddressAlreadyUsed",
    "PermissionDenied",
    "CallAddressError",
    "GasOverflow",
    "TxPoolIsFull",
    "TransactionRefused",
    "ContractFrozen",
    "AccountFrozen",
    "NotEnoughRemainGas",
)
"""Words for the status of a receipt, by number."""


def client_version(identity: RpcIdentity, supported_version: str) -> dict[str, str]:
    """GetClientVersion. The version is that of the release whose behaviour this follows; type and commit say that it is not that."""
    key = tuple(int(part) for part in supported_version.split(".") if part.isdigit())
    return {
        "Build Time": identity.build_time,
        "Build Type": f"{identity.platform}/{identity.commit}",
        "Chain Id": identity.chain_id,
        "FISCO-BCOS Version": max(_NEWEST, supported_version) if key <= (2, 9, 1) else supported_version,
        "Git Branch": "none",
        "Git Commit Hash": identity.commit,
        "Supported Version": supported_version,
    }


def node_info(identity: RpcIdentity) -> dict[str, Any]:
    """GetNodeInfo."""
    return _info(identity.agency, identity.p2p_endpoint, identity.name, identity.node_id)


def peer_info(peer: PeerStatus) -> dict[str, Any]:
    """An element of getPeers."""
    return _info(peer.agency, peer.endpoint, peer.name, peer.node_id)


def _info(agency: str, endpoint: str, name: str, node_id: bytes) -> dict[str, Any]:
    return {"Agency": agency, "IPAndPort": endpoint, "Node": name, "NodeID": node_id.hex(), "Topic": []}


def consensus_status(facade: NodeFacade, identity: RpcIdentity) -> list[Any]:
    """getConsensusStatus: the replica, and the views last heard from each sealer."""
    status = facade.consensus_status()
    sealers = [sealer.node_id.hex() for sealer in facade.ledger.config.sealers]
    group = int(identity.group_id)
    told: dict[str, Any] = {
        "accountType": 1 if status.is_sealer else 0,
        "allowFutureBlocks": True,
        "cfgErr": not status.is_sealer,
        "connectedNodes": status.connected_count - 1,
        "consensusedBlockNumber": status.height + 1,
        "currentView": status.view,
        "groupId": group,
        "highestblockHash": f"0x{status.head_hash.hex()}",
        "highestblockNumber": status.height,
        "leaderFailed": status.timeout,
        "max_faulty_leader": status.faulty_weight_max,
        "nodeId": identity.node_id.hex(),
        "nodeNum": len(sealers),
        "node_index": status.node_index if status.is_sealer else _NOT_A_SEALER,
        "omitEmptyBlock": True,
        "protocolId": group << 16 | _PBFT_MODULE,
        "toView": status.to_view,
        **{f"sealer.{index}": node_id for index, node_id in enumerate(sealers)},
    }
    views = dict(status.views)
    if status.is_sealer:
        views[status.node_index] = status.view
    return [told, [{"nodeId": sealers[index], "view": views[index]} for index in sorted(views) if index < len(sealers)]]


def sync_status(facade: NodeFacade, identity: RpcIdentity) -> dict[str, Any]:
    """GetSyncStatus. Hashes have no 0x, and the size of the pool is a text (recorded)."""
    is_syncing, highest, highest_hash = facade.sync_status()
    ledger = facade.ledger
    return {
        "blockNumber": ledger.height,
        "genesisHash": ledger.genesis_hash.hex(),
        "isSyncing": is_syncing,
        "knownHighestNumber": max(highest, ledger.height),
        "knownLatestHash": highest_hash.hex() if highest > ledger.height else ledger.head_hash.hex(),
        "latestHash": ledger.head_hash.hex(),
        "nodeId": identity.node_id.hex(),
        "peers": [
            {
                "blockNumber": peer.height,
                "genesisHash": peer.genesis_hash.hex(),
                "latestHash": peer.head_hash.hex(),
                "nodeId": peer.node_id.hex(),
            }
            for peer in sorted(facade.peers(), key=lambda one: one.node_id)
        ],
        "protocolId": int(identity.group_id) << 16 | _SYNC_MODULE,
        "txPoolSize": str(facade.pool.total_count),
    }


def placed_transaction(tx: Transaction2, sender: bytes, tx_hash: bytes, block_hash: bytes, number: int, position: int) -> dict[str, Any]:
    """A transaction on chain: getTransactionByHash, and in a block."""
    return {
        **transaction2_to_rpc(tx, sender=sender, tx_hash=tx_hash),
        "blockHash": f"0x{block_hash.hex()}",
        "blockNumber": hex(number),
        "transactionIndex": hex(position),
    }


def batch_receipt_object(receipt: Receipt2, tx: Transaction2, sender: bytes, tx_hash: bytes, position: int) -> dict[str, Any]:
    """A receipt in a batch, which has no member about the block."""
    return {
        "contractAddress": f"0x{receipt.contract_address.hex()}",
        "from": f"0x{sender.hex()}",
        "gasUsed": hex(receipt.gas_used),
        "logs": [
            {"address": f"0x{log.address.hex()}", "data": f"0x{log.data.hex()}", "topics": [f"0x{topic.hex()}" for topic in log.topics]}
            for log in receipt.logs
        ],
        "output": f"0x{receipt.output.hex()}",
        "status": hex(receipt.status),
        "to": f"0x{(tx.to or bytes(20)).hex()}",
        "transactionHash": f"0x{tx_hash.hex()}",
        "transactionIndex": hex(position),
    }


def receipt_object(
    receipt: Receipt2, tx: Transaction2, sender: bytes, tx_hash: bytes, block_hash: bytes, number: int, position: int
) -> dict[str, Any]:
    """GetTransactionReceipt."""
    return {
        **batch_receipt_object(receipt, tx, sender, tx_hash, position),
        "blockHash": f"0x{block_hash.hex()}",
        "blockNumber": hex(number),
        "input": f"0x{tx.input.hex()}",
        "logsBloom": f"0x{receipt.logs_bloom.hex()}",
        "remainGas": hex(receipt.remain_gas or 0),
        "root": f"0x{receipt.state_root.hex()}",
        "statusMsg": STATUS2_NAMES[receipt.status] if receipt.status < len(STATUS2_NAMES) else "Unknown",
    }
