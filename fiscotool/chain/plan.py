"""From a ChainSpec to everything a chain directory will hold, but for the keys: pure, and checked as a whole.

Rule 1. Nothing is planned that cannot run: two roles on one port, ports above 65535 and unknown node names are refused here.
Rule 2. What build_chain.sh would write is written, but for DIFFERENCES, each with its reason; tests compare key by key.

Sources: tools/BcosAirBuilder/build_chain.sh `deploy_nodes`, `generate_config`, `generate_genesis_config`; spec 3.x 4.3, 4.5 to 4.7.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from fiscotool.chain.layout import HostGroup
from fiscotool.chain.model import bracketed
from fiscotool.chain.spec import ChainSpec, check_spec
from fiscotool.errors import UsageError

_PORT_LAST = 65535
_EVERY_INTERFACE = {4: "0.0.0.0", 6: "::"}  # noqa: S104 - what build_chain.sh writes

DIFFERENCES: dict[str, str] = {
    "config.ini [rpc] enable_ssl": "false unless --rpc-tls: curl and other tools work at once, without client certificates",
    "config.ini [web3_rpc] enable": "true: Ethereum tools can connect without an edit",
    "config.ini [web3_rpc] listen_port": "8545 + k instead of 8545 for every node, so that several nodes of one host can enable it",
    "config.ini [*] listen_ip": "a loopback host's own address, because plain RPC must not be open to the network by default;"
    " 0.0.0.0 on other hosts, as build_chain.sh writes",
    "config.ini [fiscotool]": "settings of the embedded engine, absent with --engine fisco",
    "config.genesis [fiscotool_balances]": "accounts with a balance in block 0 (--fund), embedded engine only",
    "start.sh, stop.sh": "find the node by working directory and program instead of by text in the output of ps",
    "fisco-bcos": "the embedded engine's start script, where the engine is embedded",
    "conf/ca.crt": "marked as a CA (basicConstraints, keyUsage), which strict TLS libraries demand",
    ".fiscotool.json": "the list of what was made, so that destroy removes nothing else",
}
"""Where a deployed directory differs from what build_chain.sh makes, and why."""


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One node to be made. `place` is its directory relative to the chain's root, `<host>/node<k>`; `index` counts over all hosts."""

    index: int
    name: str
    host: str
    place: str
    listen_ip: str
    p2p_port: int
    rpc_port: int
    web3_port: int
    weight: int
    byzantine: str

    @property
    def ports(self) -> tuple[tuple[str, int], ...]:
        """(role, port) of everything it will listen on; web3 is counted even where it is off, so that it can be turned on."""
        return (("p2p", self.p2p_port), ("rpc", self.rpc_port), ("web3", self.web3_port))


@dataclass(frozen=True, slots=True)
class ChainPlan:
    """A checked plan: the spec and its nodes, in the order of the layout."""

    spec: ChainSpec
    nodes: tuple[NodePlan, ...]

    @property
    def host_places(self) -> tuple[str, ...]:
        """Host directories, in the order of the layout."""
        return tuple(dict.fromkeys(node.place.partition("/")[0] for node in self.nodes))

    @property
    def peer_addresses(self) -> tuple[str, ...]:
        """`address:port` of every node's peer port, as nodes.json lists them."""
        return tuple(f"{bracketed(node.host)}:{node.p2p_port}" for node in self.nodes)


def plan_chain(spec: ChainSpec) -> ChainPlan:
    """Names, places and ports of every node of `spec`. Raises UsageError for anything no node could run with."""
    if not spec.hosts:
        raise UsageError("a chain needs at least one host with one node", hint="for example -l 127.0.0.1:4")
    _check_ports(spec)
    several = len(spec.hosts) > 1
    seats = [(group, k) for group in spec.hosts for k in range(group.node_count)]
    names = tuple(f"{group.address}/node{k}" if several else f"node{k}" for group, k in seats)
    check_spec(spec, names)
    nodes = tuple(
        NodePlan(
            index=index,
            name=name,
            host=group.address,
            place=f"{group.address}/node{k}",
            listen_ip=spec.listen_ip or _listen_ip(group),
            p2p_port=spec.ports.p2p + k,
            rpc_port=spec.ports.rpc + k,
            web3_port=spec.ports.web3 + k,
            weight=spec.weights[index] if spec.weights else 1,
            byzantine=spec.byzantine.get(name, ""),
        )
        for index, (name, (group, k)) in enumerate(zip(names, seats, strict=True))
    )
    return ChainPlan(spec, nodes)


def _listen_ip(group: HostGroup) -> str:
    is_v6 = ":" in group.address
    if group.is_loopback:
        return "127.0.0.1" if group.address.lower() == "localhost" else group.address
    return _EVERY_INTERFACE[6 if is_v6 else 4]


def _check_ports(spec: ChainSpec) -> None:
    """Every host starts again at the bases, so the host with the most nodes decides."""
    group = max(spec.hosts, key=lambda each: each.node_count)
    bases = sorted((("p2p", spec.ports.p2p), ("rpc", spec.ports.rpc), ("web3", spec.ports.web3)), key=lambda pair: pair[1])
    role, highest = bases[-1]
    if highest + group.node_count - 1 > _PORT_LAST:
        fit = _PORT_LAST - highest + 1
        raise UsageError(
            f"{group.address}: {group.node_count} nodes, but only {fit} ports from {role} port {highest} to {_PORT_LAST}",
            hint="use fewer nodes per host, or lower first ports: -p p2p,rpc,web3",
        )
    for (low_role, low), (high_role, high) in pairwise(bases):
        if low + group.node_count > high:
            raise UsageError(
                f"{group.address}: with {group.node_count} nodes the {low_role} ports {low} to {low + group.node_count - 1}"
                f" run into the {high_role} ports from {high}",
                hint=f"put the first ports at least {group.node_count} apart: -p p2p,rpc,web3",
            )
