"""The objects and texts the native JSON-RPC answers with.

getConsensusStatus and getSyncStatus answer a text that holds JSON and ends in a newline, and so are `genesisConfig` and `iniConfig` of a
group. Hashes in these two statuses have no 0x. Members are put in alphabetical order when an answer is written (rpc_envelope).

Sources: spec 3.x 2.4; recordings rpc/read_methods_*.jsonl.xz; libinitializer/PBFTInitializer.cpp; bcos-sync BlockSync.cpp.
"""

from __future__ import annotations

from typing import Any

from fiscotool.devnet.contracts import NodeFacade, Sealer
from fiscotool.devnet.rpc_envelope import to_json
from fiscotool.devnet.rpc_features import FEATURE_KEYS, SERVICES, SUPPORTED_CONFIGS
from fiscotool.devnet.rpc_identity import RpcIdentity, genesis_config, node_config, p2p_key_text

__all__ = ["consensus_status_text", "group_object", "node_object", "peers_object", "sealers_list", "status_text", "sync_status_text"]


def status_text(value: Any) -> str:
    """JSON in a text, as statuses are told."""
    return to_json(value).decode() + "\n"


def sealers_list(sealers: tuple[Sealer, ...]) -> list[dict[str, Any]]:
    """What getSealerList answers, getNodeListByType."""
    return [{"nodeID": sealer.node_id.hex(), "termWeight": 0, "weight": sealer.weight} for sealer in sealers]


def consensus_status_text(facade: NodeFacade, identity: RpcIdentity) -> str:
    """What getConsensusStatus answers. `connectedNodeList` is a count, itself included."""
    status = facade.consensus_status()
    sealers = facade.ledger.config.sealers
    return status_text(
        {
            "blockNumber": status.height,
            "changeCycle": status.change_cycle,
            "connectedNodeList": status.connected_count,
            "consensusNodeList": [
                {"index": index, "nodeID": sealer.node_id.hex(), "termWeight": 0, "weight": sealer.weight}
                for index, sealer in enumerate(sealers)
            ],
            "consensusNodesNum": len(sealers),
            "hash": status.head_hash.hex(),
            "index": status.node_index,
            "isConsensusNode": status.is_sealer,
            "leaderIndex": status.leader_index,
            "maxFaultyQuorum": status.faulty_weight_max,
            "minRequiredQuorum": status.quorum_weight,
            "nodeID": identity.node_id.hex(),
            "timeout": status.timeout,
            "view": status.view,
        }
    )


def sync_status_text(facade: NodeFacade, identity: RpcIdentity) -> str:
    """What getSyncStatus answers. Peers are in the order of their node ids."""
    is_syncing, highest, highest_hash = facade.sync_status()
    ledger = facade.ledger
    return status_text(
        {
            "archivedBlockNumber": 0,
            "blockNumber": ledger.height,
            "genesisHash": ledger.genesis_hash.hex(),
            "isSyncing": is_syncing,
            "knownHighestNumber": highest,
            "knownLatestHash": highest_hash.hex(),
            "latestHash": ledger.head_hash.hex(),
            "nodeID": identity.node_id.hex(),
            "peers": [
                {
                    "archivedBlockNumber": 0,
                    "blockNumber": peer.height,
                    "genesisHash": peer.genesis_hash.hex(),
                    "latestHash": peer.head_hash.hex(),
                    "nodeID": peer.node_id.hex(),
                }
                for peer in sorted(facade.peers(), key=lambda one: one.node_id)
            ],
        }
    )


def _node_address(endpoint: str, group_id: str, node_id: bytes, p2p_id: str) -> dict[str, Any]:
    return {
        "endPoint": endpoint,
        "groupNodeIDInfo": [{"group": group_id, "nodeIDList": [node_id.hex()]}],
        "p2pNodeID": p2p_key_text(p2p_id),
    }


def peers_object(facade: NodeFacade, identity: RpcIdentity) -> dict[str, Any]:
    """What getPeers answers. Ids of peers are told as the node's own is; the real node tells unreadable bytes (docs/rpc.md, R3)."""
    group = identity.group_id
    return _node_address(identity.p2p_endpoint, group, identity.node_id, identity.p2p_id) | {
        "peers": [_node_address(peer.endpoint, group, peer.node_id, peer.p2p_id) for peer in facade.peers()]
    }


def node_object(identity: RpcIdentity) -> dict[str, Any]:
    """What getGroupNodeInfo answers, and the element of a group's `nodeList`."""
    node_id = identity.node_id.hex()
    return {
        "featureKeys": FEATURE_KEYS,
        "iniConfig": status_text(node_config(identity)),
        "microService": False,
        "name": node_id,
        "nodeID": node_id,
        "protocol": {"compatibilityVersion": identity.block_version, "maxSupportedVersion": 2, "minSupportedVersion": 0},
        "serviceInfo": [{"serviceName": name, "type": kind} for name, kind in SERVICES],
        "supportConfigs": SUPPORTED_CONFIGS,
        "type": 0,
    }


def group_object(identity: RpcIdentity) -> dict[str, Any]:
    """What getGroupInfo answers."""
    return {
        "chainID": identity.chain_id,
        "genesisConfig": status_text(genesis_config(identity)),
        "groupID": identity.group_id,
        "iniConfig": "",
        "nodeList": [node_object(identity)],
    }
