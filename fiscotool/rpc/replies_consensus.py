"""What a node says of consensus and synchronisation: getConsensusStatus, getSyncStatus, getSealerList and the like.

Facts (recorded from 3.16.4, confirmed by the specification):
- getConsensusStatus and getSyncStatus answer a JSON text inside a string, ending in a newline: parsed twice here.
- `connectedNodeList` is a number, not a list, and counts the node itself.
- A node that is not a sealer has the index 2^64 - 1, which is None here.
- Hashes and ids in these two come without 0x. A reply is torn: its fields were read one after the other while the node worked.

Sources: spec 3.x 2.4; libinitializer/PBFTInitializer.cpp; bcos-sync/BlockSync.cpp.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from fiscotool.rpc.members import Members, UnexpectedShape, as_list, as_text, json_text

NOT_A_SEALER: Final = 2**64 - 1


@dataclass(frozen=True, slots=True)
class ConsensusNode:
    """A member of the consensus list. `index` is its place in the list sorted by node id."""

    index: int
    node_id: str
    weight: int
    term_weight: int
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ConsensusStatus:
    """getConsensusStatus. `height` and `block_hash` are the last committed block's; `leader_index` leads the next one.

    `index` is None for a node that is not a sealer. `timeout`: the node is asking for a view change (`change_cycle` how often it timed
    out in a row). `leader_index` and `change_cycle` are None where a 2.x node does not tell them (rpc.neutral). `connected_count`
    counts the node itself. Weights as in the sealer list.
    """

    node_id: str
    index: int | None
    leader_index: int | None
    node_count: int
    faulty_weight_max: int
    quorum_weight: int
    is_consensus_node: bool
    height: int
    block_hash: str
    timeout: bool
    change_cycle: int | None
    view: int
    connected_count: int
    nodes: tuple[ConsensusNode, ...]
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SyncPeer:
    """What a node knows of a peer's chain."""

    node_id: str
    height: int
    latest_hash: str
    genesis_hash: str
    archived_height: int | None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """getSyncStatus. `known_highest` is the greatest height a peer told of."""

    node_id: str
    is_syncing: bool
    height: int
    latest_hash: str
    genesis_hash: str
    known_highest: int
    known_latest_hash: str
    archived_height: int | None
    peers: tuple[SyncPeer, ...]
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sealer:
    """An entry of getSealerList or getNodeListByType. `term_weight` is used by rPBFT only."""

    node_id: str
    weight: int
    term_weight: int
    extra: dict[str, Any] = field(default_factory=dict)


def _consensus_node(value: Any, what: str) -> ConsensusNode:
    members = Members(value, what)
    return ConsensusNode(
        index=members.integer("index"),
        node_id=members.text("nodeID"),
        weight=members.integer("weight"),
        term_weight=members.integer_or("termWeight", 0),
        extra=members.extra(),
    )


def consensus_status(result: Any) -> ConsensusStatus:
    """The reply of getConsensusStatus."""
    members = Members(json_text(result, "the consensus status"), "the consensus status")
    index = members.integer("index")
    return ConsensusStatus(
        node_id=members.text("nodeID"),
        index=None if index == NOT_A_SEALER else index,
        leader_index=members.integer("leaderIndex"),
        node_count=members.integer("consensusNodesNum"),
        faulty_weight_max=members.integer("maxFaultyQuorum"),
        quorum_weight=members.integer("minRequiredQuorum"),
        is_consensus_node=members.flag("isConsensusNode"),
        height=members.integer("blockNumber"),
        block_hash=members.text("hash"),
        timeout=members.flag("timeout"),
        change_cycle=members.integer("changeCycle"),
        view=members.integer("view"),
        connected_count=members.integer("connectedNodeList"),
        nodes=members.each("consensusNodeList", _consensus_node),
        extra=members.extra(),
    )


def _sync_peer(value: Any, what: str) -> SyncPeer:
    members = Members(value, what)
    return SyncPeer(
        node_id=members.text("nodeID"),
        height=members.integer("blockNumber"),
        latest_hash=members.text("latestHash"),
        genesis_hash=members.text("genesisHash"),
        archived_height=members.integer_or("archivedBlockNumber", None),
        extra=members.extra(),
    )


def sync_status(result: Any) -> SyncStatus:
    """The reply of getSyncStatus."""
    members = Members(json_text(result, "the sync status"), "the sync status")
    return SyncStatus(
        node_id=members.text("nodeID"),
        is_syncing=members.flag("isSyncing"),
        height=members.integer("blockNumber"),
        latest_hash=members.text("latestHash"),
        genesis_hash=members.text("genesisHash"),
        known_highest=members.integer("knownHighestNumber"),
        known_latest_hash=members.text("knownLatestHash"),
        archived_height=members.integer_or("archivedBlockNumber", None),
        peers=members.each("peers", _sync_peer),
        extra=members.extra(),
    )


def _sealer(value: Any, what: str) -> Sealer:
    members = Members(value, what)
    return Sealer(
        node_id=members.text("nodeID"),
        weight=members.integer("weight"),
        term_weight=members.integer_or("termWeight", 0),
        extra=members.extra(),
    )


def sealers(result: Any) -> tuple[Sealer, ...]:
    """The reply of getSealerList and getNodeListByType."""
    return tuple(_sealer(item, f"the sealer list[{index}]") for index, item in enumerate(as_list(result, "the sealer list")))


def node_ids(result: Any) -> tuple[str, ...]:
    """The reply of getObserverList and getGroupPeers: ids, also where a version answers objects with a nodeID."""
    items = as_list(result, "the node list")
    return tuple(Members(item, "a node").text("nodeID") if type(item) is dict else as_text(item, "a node id") for item in items)


def natural(result: Any) -> int:
    """The reply of getBlockNumber, getPbftView and getPendingTxSize."""
    if type(result) is not int or result < 0:
        raise UnexpectedShape(f"expected a number of 0 or more, got {str(result)[:60]}")
    return result
