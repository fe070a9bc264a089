"""What a node says of groups, nodes and peers.

Facts (recorded from 3.16.4): `genesisConfig` and `iniConfig` are JSON texts, parsed here; an unknown group or node is null, which is
None here; in getPeers the own `p2pNodeID` is hex but the peers' are raw bytes squeezed into a text: match peers by `node_ids`.

Sources: spec 3.x 2.4; bcos-rpc JsonRpcImpl_2_0.cpp, groupmgr.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fiscotool.rpc.members import Members, as_list, json_text
from fiscotool.rpc.replies_consensus import Sealer


@dataclass(frozen=True, slots=True)
class GroupList:
    """getGroupList."""

    groups: tuple[str, ...]
    code: int
    message: str
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Service:
    """A service of a node; of interest in Pro and Max deployments only."""

    kind: int
    name: str
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """A node as getGroupInfo and getGroupNodeInfo describe it.

    `ini_config` is its parsed configuration (binaryInfo.version is the version of the binary). `kind` 0: ordinary, 1: national
    cryptography. `compatibility_version` e.g. 0x03100000 for 3.16.0.
    """

    name: str
    node_id: str
    kind: int
    is_micro_service: bool
    ini_config: dict[str, Any]
    services: tuple[Service, ...]
    feature_keys: tuple[str, ...]
    support_configs: tuple[str, ...]
    compatibility_version: int
    protocol: dict[str, Any]
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """Version of the node's binary, such as "3.16.4"; empty when it is not told."""
        binary = self.ini_config.get("binaryInfo")
        return str(binary.get("version", "")) if isinstance(binary, dict) else ""


@dataclass(frozen=True, slots=True)
class GenesisConfig:
    """The genesis configuration in a group's description. Unknown or missing members are in `extra` or None."""

    consensus_type: str
    block_tx_count_limit: int | None
    leader_period_blocks: int | None
    tx_gas_limit: int | None
    sealers: tuple[Sealer, ...]
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GroupInfo:
    """getGroupInfo."""

    chain_id: str
    group_id: str
    genesis: GenesisConfig
    ini_config: str
    nodes: tuple[NodeInfo, ...]
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Peer:
    """A node of the P2P network. `node_ids` are its consensus node ids in all groups; empty until it was heard of in one."""

    end_point: str
    p2p_node_id: str
    groups: dict[str, tuple[str, ...]]
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def node_ids(self) -> tuple[str, ...]:
        """Node ids in all groups."""
        return tuple(node_id for ids in self.groups.values() for node_id in ids)


@dataclass(frozen=True, slots=True)
class Peers:
    """getPeers: the node itself and those it is connected to."""

    me: Peer
    peers: tuple[Peer, ...]


def group_list(value: Any) -> GroupList:
    """The reply of getGroupList."""
    members = Members(value, "the group list")
    return GroupList(members.texts("groupList"), members.integer("code"), members.text("msg"), members.extra())


def _service(value: Any, what: str) -> Service:
    members = Members(value, what)
    return Service(members.integer("type"), members.text("serviceName"), members.extra())


def _ini_config(value: Any, what: str) -> dict[str, Any]:
    parsed = json_text(value, what) if value else {}
    return dict(Members(parsed, what).extra())


def _node(value: Any, what: str) -> NodeInfo:
    members = Members(value, what)
    protocol = Members(members.take("protocol"), f"{what}.protocol").extra()
    return NodeInfo(
        name=members.text("name"),
        node_id=members.text("nodeID"),
        kind=members.integer("type"),
        is_micro_service=members.flag("microService"),
        ini_config=_ini_config(members.take("iniConfig"), f"{what}.iniConfig"),
        services=members.each("serviceInfo", _service),
        feature_keys=members.texts("featureKeys"),
        support_configs=members.texts("supportConfigs"),
        compatibility_version=Members(protocol, f"{what}.protocol").integer("compatibilityVersion"),
        protocol=protocol,
        extra=members.extra(),
    )


def node_info(value: Any) -> NodeInfo | None:
    """The reply of getGroupNodeInfo; None when the node asked does not know such a node."""
    return None if value is None else _node(value, "the node")


def _genesis_sealer(value: Any, what: str) -> Sealer:
    members = Members(value, what)
    return Sealer(members.text("nodeID"), members.integer("weight"), members.integer_or("termWeight", 0), members.extra())


def _genesis(value: Any, what: str) -> GenesisConfig:
    members = Members(json_text(value, what) if value else {}, what)
    return GenesisConfig(
        consensus_type=members.text_or("consensusType"),
        block_tx_count_limit=members.integer_or("blockTxCountLimit", None),
        leader_period_blocks=members.integer_or("consensusLeaderPeriod", None),
        tx_gas_limit=members.integer_or("txGasLimit", None),
        sealers=members.each_or_none("sealerList", _genesis_sealer) or (),
        extra=members.extra(),
    )


def _group(value: Any, what: str) -> GroupInfo:
    members = Members(value, what)
    return GroupInfo(
        chain_id=members.text("chainID"),
        group_id=members.text("groupID"),
        genesis=_genesis(members.take("genesisConfig"), f"{what}.genesisConfig"),
        ini_config=members.text_or("iniConfig"),
        nodes=members.each("nodeList", _node),
        extra=members.extra(),
    )


def group_info(value: Any) -> GroupInfo | None:
    """The reply of getGroupInfo; None for an unknown group."""
    return None if value is None else _group(value, "the group")


def group_infos(value: Any) -> tuple[GroupInfo, ...]:
    """The reply of getGroupInfoList."""
    return tuple(_group(item, f"group {index}") for index, item in enumerate(as_list(value, "the group list")))


def _peer(members: Members, what: str) -> Peer:
    groups: dict[str, tuple[str, ...]] = {}
    for item in as_list(members.take("groupNodeIDInfo"), f"{what}.groupNodeIDInfo"):
        group = Members(item, f"{what}.groupNodeIDInfo")
        groups[group.text("group")] = group.texts("nodeIDList")
    return Peer(members.text("endPoint"), members.text("p2pNodeID"), groups, members.extra())


def peers(value: Any) -> Peers:
    """The reply of getPeers."""
    members = Members(value, "the peers")
    others = members.each("peers", lambda item, what: _peer(Members(item, what), what))
    return Peers(_peer(members, "the node itself"), others)
