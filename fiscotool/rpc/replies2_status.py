"""What a 2.x node says of itself, of consensus, synchronisation, members, peers and groups.

Facts (recorded from 2.9.1, confirmed by the specification):
- getConsensusStatus is a list of two: an object, and the last view heard from each sealer. `sealer.0` … are in index order (sorted by
  id); getSealerList is in storage order. Raft has a list of one, without views.
- `connectedNodes` does not count the node itself, other than in 3.x. A node that is no sealer has the index 65535, None here.
- Hashes in getSyncStatus come without 0x; quantities of this object are integers but txPoolSize, which is decimal text.
- `view` is 0 after each commit and grows by one a second while there are no transactions; `leaderFailed` means that the node asks
  for `toView`.

Sources: spec 2.x 2.1, 2.3; libconsensus/ConsensusEngineBase.h, PBFTEngine.cpp `consensusStatus`; libsync/SyncMaster.cpp `syncInfo`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from fiscotool.rpc.members import Members, UnexpectedShape, as_decimal, as_integer, as_list, as_quantity, as_text

NOT_A_SEALER2: Final = 65535
_SEALER: Final = "sealer."
_CONSENSUS_PARTS: Final = 2


@dataclass(frozen=True, slots=True)
class ClientVersion:
    """getClientVersion. `version` is the binary's, `supported_version` what the chain's nodes agreed to behave like."""

    version: str
    supported_version: str
    chain_id: str
    build_time: str
    build_type: str
    git_branch: str
    git_commit: str
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeInfo2:
    """getNodeInfo, also an item of getPeers. `end_point` of a peer that connected to the asked node has the peer's passing port."""

    node_id: str
    end_point: str
    agency: str
    node: str
    topics: tuple[str, ...]
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SealerView:
    """The last view in a message accepted from a sealer since the process started; stale by design (spec 2.x 2.3)."""

    node_id: str
    view: int
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ConsensusStatus2:
    """getConsensusStatus of 2.x. `height` and `block_hash` are the last committed block's.

    `view`, `to_view` and `leader_failed` are None under raft, where `leader_id` and `leader_index` tell the leader ("NULL", None: not
    known). `sealers` in index order.
    """

    node_id: str
    index: int | None
    is_sealer: bool
    group: int
    node_count: int
    faulty_max: int
    height: int
    block_hash: str
    next_height: int
    view: int | None
    to_view: int | None
    leader_failed: bool | None
    config_error: bool
    connected_count: int
    protocol_id: int
    allow_future_blocks: bool
    omit_empty_block: bool
    sealers: tuple[str, ...]
    views: tuple[SealerView, ...]
    leader_id: str = ""
    leader_index: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SyncPeer2:
    """What a node knows of a peer's chain."""

    node_id: str
    height: int
    latest_hash: str
    genesis_hash: str
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SyncStatus2:
    """getSyncStatus of 2.x. `known_highest` is the greatest height a peer told of."""

    node_id: str
    is_syncing: bool
    height: int
    latest_hash: str
    genesis_hash: str
    known_highest: int
    known_latest_hash: str
    pending_count: int
    protocol_id: int
    peers: tuple[SyncPeer2, ...]
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GroupAnswer:
    """What group management answers. `code` 0 is success (Rpc.h: 1 internal … 14 not deleted).

    `status` of queryGroupStatus: INEXISTENT, STOPPING, RUNNING, STOPPED, DELETED or UNKNOWN; empty for the other methods.
    """

    code: int
    message: str
    status: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


def client_version(value: Any) -> ClientVersion:
    """The reply of getClientVersion."""
    members = Members(value, "the version")
    return ClientVersion(
        version=members.text("FISCO-BCOS Version"),
        supported_version=members.text("Supported Version"),
        chain_id=members.text("Chain Id"),
        build_time=members.text_or("Build Time"),
        build_type=members.text_or("Build Type"),
        git_branch=members.text_or("Git Branch"),
        git_commit=members.text_or("Git Commit Hash"),
        extra=members.extra(),
    )


def node_info2(value: Any, what: str = "the node") -> NodeInfo2:
    """The reply of getNodeInfo, also an item of getPeers."""
    members = Members(value, what)
    return NodeInfo2(
        node_id=members.text("NodeID"),
        end_point=members.text("IPAndPort"),
        agency=members.text_or("Agency"),
        node=members.text_or("Node"),
        topics=members.texts("Topic"),
        extra=members.extra(),
    )


def peers2(value: Any) -> tuple[NodeInfo2, ...]:
    """The reply of getPeers: the nodes this one has a connection with, in any group."""
    return tuple(node_info2(item, f"peer {index}") for index, item in enumerate(as_list(value, "the peers")))


def _sealer_view(value: Any, what: str) -> SealerView:
    members = Members(value, what)
    return SealerView(members.text("nodeId"), members.integer("view"), members.extra())


def consensus_status2(value: Any) -> ConsensusStatus2:
    """The reply of getConsensusStatus."""
    parts = as_list(value, "the consensus status")
    if not 1 <= len(parts) <= _CONSENSUS_PARTS:
        raise UnexpectedShape(f"the consensus status has {len(parts)} parts, not one or two")
    members = Members(parts[0], "the consensus status")
    index = members.integer("node_index")
    leader_index = members.maybe("leaderIdx")
    count = members.integer("nodeNum")
    views = as_list(parts[1], "the views") if len(parts) == _CONSENSUS_PARTS else []
    failed = members.maybe("leaderFailed")
    return ConsensusStatus2(
        node_id=members.text("nodeId"),
        index=None if index == NOT_A_SEALER2 else index,
        is_sealer=members.integer("accountType") == 1,
        group=members.integer("groupId"),
        node_count=count,
        faulty_max=members.integer("max_faulty_leader"),
        height=members.integer("highestblockNumber"),
        block_hash=members.text("highestblockHash"),
        next_height=members.integer("consensusedBlockNumber"),
        view=members.integer_or("currentView", None),
        to_view=members.integer_or("toView", None),
        leader_failed=failed if isinstance(failed, bool) else None,
        config_error=members.flag("cfgErr"),
        connected_count=members.integer("connectedNodes"),
        protocol_id=members.integer("protocolId"),
        allow_future_blocks=members.flag("allowFutureBlocks"),
        omit_empty_block=members.flag("omitEmptyBlock"),
        sealers=tuple(members.text(f"{_SEALER}{place}") for place in range(count)),
        views=tuple(_sealer_view(item, f"view {place}") for place, item in enumerate(views)),
        leader_id=members.text_or("leaderId"),
        leader_index=leader_index if type(leader_index) is int else None,
        extra=members.extra(),
    )


def _sync_peer2(value: Any, what: str) -> SyncPeer2:
    members = Members(value, what)
    return SyncPeer2(
        node_id=members.text("nodeId"),
        height=members.integer("blockNumber"),
        latest_hash=members.text("latestHash"),
        genesis_hash=members.text("genesisHash"),
        extra=members.extra(),
    )


def sync_status2(value: Any) -> SyncStatus2:
    """The reply of getSyncStatus."""
    members = Members(value, "the sync status")
    return SyncStatus2(
        node_id=members.text("nodeId"),
        is_syncing=members.flag("isSyncing"),
        height=members.integer("blockNumber"),
        latest_hash=members.text("latestHash"),
        genesis_hash=members.text("genesisHash"),
        known_highest=members.integer("knownHighestNumber"),
        known_latest_hash=members.text("knownLatestHash"),
        pending_count=as_decimal(members.take("txPoolSize"), "the sync status.txPoolSize"),
        protocol_id=members.integer("protocolId"),
        peers=members.each("peers", _sync_peer2),
        extra=members.extra(),
    )


def group_answer(value: Any) -> GroupAnswer:
    """The reply of generateGroup, startGroup, stopGroup, removeGroup, recoverGroup and queryGroupStatus."""
    members = Members(value, "the group's answer")
    return GroupAnswer(members.quantity("code"), members.text("message"), members.text_or("status"), members.extra())


def texts(value: Any) -> tuple[str, ...]:
    """The reply of getSealerList, getObserverList, getGroupPeers, getNodeIDList, getEpochSealersList and queryPeers."""
    return tuple(as_text(item, f"item {index}") for index, item in enumerate(as_list(value, "the list")))


def group_numbers(value: Any) -> tuple[int, ...]:
    """The reply of getGroupList."""
    return tuple(as_integer(item, f"group {index}") for index, item in enumerate(as_list(value, "the groups")))


def natural2(value: Any) -> int:
    """The reply of getBlockNumber, getPbftView and getPendingTxSize: hex with 0x."""
    number = as_quantity(as_text(value, "the number"), "the number")
    if number < 0:
        raise UnexpectedShape(f"the number is {number}, less than 0")
    return number


def modules(value: Any) -> dict[str, str]:
    """The reply of rpc_modules: module and version."""
    return {name: as_text(version, f"the version of {name}") for name, version in Members(value, "the modules").extra().items()}
