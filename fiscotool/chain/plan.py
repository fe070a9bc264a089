"""From a ChainSpec to everything a chain directory will hold, but for the keys: pure, and checked as a whole.

Rule 1. Nothing is planned that cannot run: two roles on one port, ports above 65535 and unknown node names are refused here.
Rule 2. What build_chain.sh would write is written, but for DIFFERENCES, each with its reason; tests compare key by key.

Sources: tools/BcosAirBuilder/build_chain.sh `deploy_nodes`, `generate_config`, `generate_genesis_config`; spec 3.x 4.3, 4.5 to 4.7.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from fiscotool.chain.layout import HostGroup, PortBases
from fiscotool.chain.model import bracketed
from fiscotool.chain.spec import ChainSpec, check_spec
from fiscotool.errors import UsageError

_PORT_LAST = 65535
_EVERY_INTERFACE = {4: "0.0.0.0", 6: "::"}  # noqa: S104 - what build_chain.sh writes

_OWN_SCRIPT = "written anew: finds the node by working directory and program instead of by text in the output of ps"
_LOOPBACK = "a loopback host's own address, because what is tried out must not be open to the network; 0.0.0.0 on other hosts"
_CA = "marked as a CA (basicConstraints, keyUsage), which strict TLS libraries demand; official nodes accept both"

DIFFERENCES: dict[str, str] = {
    "3.x config.ini [rpc] enable_ssl": "false unless --rpc-tls: curl and other tools work at once, without client certificates",
    "3.x config.ini [web3_rpc] enable": "true: Ethereum tools can connect without an edit",
    "3.x config.ini [web3_rpc] listen_port": "8545 + k instead of 8545 for every node, so that several nodes of one host can enable it",
    "3.x config.ini [*] listen_ip": f"{_LOOPBACK}; plain RPC least of all",
    "3.x config.ini [fiscotool]": "settings of the embedded engine, absent with --engine fisco",
    "3.x config.genesis [fiscotool_balances]": "accounts with a balance in block 0 (--fund), embedded engine only",
    "3.x *.sh": _OWN_SCRIPT,
    "3.x 127.0.0.1/fisco-bcos": "the embedded engine's start script, where the engine is embedded",
    "3.x ca/ca.crt": _CA,
    "3.x .fiscotool.json": "the list of what was made, so that destroy removes nothing else",
    "2.x config.ini [p2p] listen_ip": _LOOPBACK,
    "2.x config.ini [rpc] channel_listen_ip": _LOOPBACK,
    "2.x config.ini [fiscotool]": "settings of the embedded engine, absent with --engine fisco",
    "2.x 127.0.0.1/fisco-bcos": "the embedded engine's start script, where the engine is embedded",
    "2.x *.sh": f"{_OWN_SCRIPT}; downloads verify checksums; transactions are signed afresh by fiscotool send",
    "2.x cert/*.crt": f"{_CA}; the official ones are of X.509 version 1 where openssl is older or newer than 1.1",
    "2.x .fiscotool.json": "the list of what was made, so that destroy removes nothing else",
}
"""Where a deployed directory differs from what build_chain.sh makes, and why. Keys: generation, file, section and key, with wildcards."""


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
    weight: int = 1
    byzantine: str = ""
    mutant: str = ""
    channel_port: int = 0
    agency: str = "agency"
    groups: tuple[int, ...] = (1,)

    @property
    def ports(self) -> tuple[tuple[str, int], ...]:
        """(role, port) of everything it will listen on; web3 is counted even where it is off, so that it can be turned on."""
        others = (("channel", self.channel_port),) if self.channel_port else ()
        web3 = (("web3", self.web3_port),) if self.web3_port else ()
        return (("p2p", self.p2p_port), *others, ("rpc", self.rpc_port), *web3)


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
    several = len({group.address for group in spec.hosts}) > 1
    seats = tuple(_seats(spec))
    names = tuple(f"{seat.group.address}/node{seat.number}" if several else f"node{seat.number}" for seat in seats)
    check_spec(spec, names)
    nodes = tuple(_node(spec, index, name, seat) for index, (name, seat) in enumerate(zip(names, seats, strict=True)))
    _refuse_collisions(nodes)
    return ChainPlan(spec, nodes)


@dataclass(frozen=True, slots=True)
class _Seat:
    """Where a node sits: node `number` of its host, `offset` ports above `bases`."""

    group: HostGroup
    number: int
    bases: PortBases
    offset: int


def _seats(spec: ChainSpec) -> Iterator[_Seat]:
    """Nodes are numbered per host over all its lines, and so are port offsets, which a line with ports of its own starts again at 0."""
    numbers: Counter[str] = Counter()
    offsets: Counter[str] = Counter()
    for group in spec.hosts:
        if group.ports is not None:
            offsets[group.address] = 0
        for _ in range(group.node_count):
            yield _Seat(group, numbers[group.address], group.ports or spec.ports, offsets[group.address])
            numbers[group.address] += 1
            offsets[group.address] += 1


def _node(spec: ChainSpec, index: int, name: str, seat: _Seat) -> NodePlan:
    is_2 = spec.generation == 2  # noqa: PLR2004 - FISCO BCOS 2
    group, bases = seat.group, seat.bases
    return NodePlan(
        index=index,
        name=name,
        host=group.address,
        place=f"{group.address}/node{seat.number}",
        listen_ip=spec.listen_ip or _listen_ip(group),
        p2p_port=bases.p2p + seat.offset,
        rpc_port=(bases.web3 if is_2 else bases.rpc) + seat.offset,
        web3_port=0 if is_2 else bases.web3 + seat.offset,
        weight=spec.weights[index] if spec.weights else 1,
        byzantine=spec.byzantine.get(name, ""),
        mutant=spec.mutants.get(name, spec.mutants.get("all", "")),
        channel_port=bases.rpc + seat.offset if is_2 else 0,
        agency=group.agency,
        groups=group.groups,
    )


def _refuse_collisions(nodes: tuple[NodePlan, ...]) -> None:
    """Lines of `-f` with ports of their own can run into each other."""
    holders: dict[tuple[str, int], str] = {}
    for node in nodes:
        for role, port in node.ports:
            if port > _PORT_LAST:
                raise UsageError(f"{node.name}: {role} port {port} is above {_PORT_LAST}", hint="use lower first ports")
            mine = f"{node.place}'s {role} port"
            other = holders.setdefault((node.host, port), mine)
            if other != mine:
                raise UsageError(f"{node.place}: {role} port {port} is {other}, too", hint="put this host's ports further apart")


def _listen_ip(group: HostGroup) -> str:
    is_v6 = ":" in group.address
    if group.is_loopback:
        return "127.0.0.1" if group.address.lower() == "localhost" else group.address
    return _EVERY_INTERFACE[6 if is_v6 else 4]


def _check_ports(spec: ChainSpec) -> None:
    """Every host starts again at the bases, so the host with the most nodes decides."""
    plain = [each for each in spec.hosts if each.ports is None]
    if not plain:
        return
    group = max(plain, key=lambda each: each.node_count)
    roles = ("p2p", "channel", "rpc") if spec.generation == 2 else ("p2p", "rpc", "web3")  # noqa: PLR2004 - FISCO BCOS 2
    bases = sorted(zip(roles, (spec.ports.p2p, spec.ports.rpc, spec.ports.web3), strict=True), key=lambda pair: pair[1])
    remedy = ",".join(roles)
    role, highest = bases[-1]
    if highest + group.node_count - 1 > _PORT_LAST:
        fit = _PORT_LAST - highest + 1
        raise UsageError(
            f"{group.address}: {group.node_count} nodes, but only {fit} ports from {role} port {highest} to {_PORT_LAST}",
            hint=f"use fewer nodes per host, or lower first ports: -p {remedy}",
        )
    for (low_role, low), (high_role, high) in pairwise(bases):
        if low + group.node_count > high:
            raise UsageError(
                f"{group.address}: with {group.node_count} nodes the {low_role} ports {low} to {low + group.node_count - 1}"
                f" run into the {high_role} ports from {high}",
                hint=f"put the first ports at least {group.node_count} apart: -p {remedy}",
            )
