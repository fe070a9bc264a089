"""What a chain on disk is: a directory, its nodes, and the facts of its genesis that all of them share.

    <root>/<host>/node0 …        one directory a node, as build_chain.sh lays them out (spec 3.x 4.3)
    <root>/<host>/fisco-bcos     the binary the nodes of that host share
    <root>/<host>/sdk            certificate and key of RPC clients

Values only: nothing here looks at the disk. `chain.read` makes them from a directory, `chain.write` from a plan.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

Engine = Literal["embedded", "fisco", "unknown"]

Generation = Literal[2, 3]
"""FISCO BCOS 2.x or 3.x (Air): files, ports, certificates and RPC differ."""

BINARY_NAME = "fisco-bcos"
"""Name of the node's program in every host directory."""

NODE_DIRECTORY = re.compile(r"node(\d+)")
"""Node directories are named node0, node1 … per host."""

_WILDCARDS = {"", "0.0.0.0", "::", "*"}  # noqa: S104 - compared with, not bound


def bracketed(address: str) -> str:
    """`address` as it stands in a URL or in nodes.json: IPv6 addresses in brackets."""
    return f"[{address}]" if ":" in address else address


@dataclass(frozen=True, slots=True)
class Genesis:
    """What the nodes of a chain must agree on before block 1 (config.genesis, spec 3.x 4.7; group.N.genesis, spec 2.x 4.6).

    `weights` maps node id (128 hex digits) to consensus weight in the order of the file; the group's own index order is by node id.
    `balances` maps 0x-addresses to wei: accounts the embedded engine credits in block 0.
    """

    weights: Mapping[str, int]
    block_tx_count_limit: int = 1000
    leader_period_blocks: int = 1
    tx_gas_limit: int = 3_000_000_000
    web3_chain_id: int = 20200
    balances: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def sorted_ids(self) -> tuple[str, ...]:
        """Node ids in the order of the consensus index (bcos-pbft sorts the list by node id)."""
        return tuple(sorted(self.weights))


@dataclass(frozen=True, slots=True)
class NodeHome:
    """One node's directory and addresses.

    `name` is node0, node1 … on a chain of one host, and `<host>/node0` where there are several. `host` is an address or a domain name
    without brackets. `node_id` is the 128 hex digits of the secp256k1 public key. `p2p_id` is what certificate lists call the node: the 512
    hex digits of the TLS key's modulus in 3.x, the node id in 2.x, which has one key for both. `rpc_port` is the native JSON-RPC of 3.x and
    the JSON-RPC of 2.x; `channel_port` (2.x only, else 0) speaks the channel protocol of the SDKs.
    """

    name: str
    directory: Path
    host: str
    p2p_port: int
    rpc_port: int
    web3_port: int
    web3_enabled: bool
    rpc_tls: bool
    node_id: str
    p2p_id: str
    listen_ip: str = "0.0.0.0"  # noqa: S104 - what build_chain.sh writes
    byzantine: str = ""
    mutant: str = ""
    generation: Generation = 3
    channel_port: int = 0

    @property
    def arguments(self) -> tuple[str, ...]:
        """What start.sh passes to the program: 2.x finds its genesis files through config.ini."""
        return ("-c", "config.ini", "-g", "config.genesis") if self.generation == 3 else ("-c", "config.ini")  # noqa: PLR2004

    @property
    def binary(self) -> Path:
        """The program this node runs: one level up, shared by the nodes of the host."""
        return self.directory.parent / BINARY_NAME

    @property
    def sdk_directory(self) -> Path:
        """Where ca.crt, sdk.crt and sdk.key for RPC clients of this node are."""
        return self.directory.parent / "sdk"

    @property
    def rpc_host(self) -> str:
        """Where to connect to: the listening address if it is a definite one, else the host's."""
        return self.host if self.listen_ip in _WILDCARDS else self.listen_ip

    @property
    def rpc_url(self) -> str:
        """URL of the native JSON-RPC."""
        return f"{'https' if self.rpc_tls else 'http'}://{bracketed(self.rpc_host)}:{self.rpc_port}"

    @property
    def web3_url(self) -> str:
        """URL of the Ethereum JSON-RPC, which is plain HTTP whatever `rpc_tls` says (as on the real node)."""
        return f"http://{bracketed(self.rpc_host)}:{self.web3_port}"

    @property
    def ports(self) -> tuple[tuple[str, int], ...]:
        """(role, port) of everything this node listens on."""
        channel = (("channel", self.channel_port),) if self.channel_port else ()
        web3 = (("web3", self.web3_port),) if self.web3_enabled else ()
        return (("p2p", self.p2p_port), *channel, ("rpc", self.rpc_port), *web3)


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain directory that was read and found consistent.

    `byzantine` maps node names to the misbehaviour they were deployed with. `version` is the compatibility version of 3.x or the
    supported version of 2.x. `group_ids` are all groups of a 2.x chain (`group_id` and `genesis` are the first one's), else empty.
    `protocol` is the PBFT its nodes run, a name of `pbft.dialects.DIALECTS`; only the embedded engine has a choice.
    """

    root: Path
    nodes: tuple[NodeHome, ...]
    engine: Engine
    chain_id: str
    group_id: str
    version: str
    genesis: Genesis
    byzantine: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    quirks: tuple[str, ...] = ()
    generation: Generation = 3
    sm_crypto: bool = False
    group_ids: tuple[str, ...] = ()
    protocol: str = "fisco3"

    def node(self, name: str) -> NodeHome | None:
        """The node called `name`, or None."""
        return next((node for node in self.nodes if node.name == name), None)

    def node_of_id(self, node_id: str) -> NodeHome | None:
        """The node whose public key is `node_id` (hex), or None."""
        wanted = node_id.lower().removeprefix("0x")
        return next((node for node in self.nodes if node.node_id == wanted), None)
