"""What goes into which file of a FISCO BCOS 2 chain directory: a plan and its keys rendered to text, nothing written yet.

Sources: the tree of spec 2.x 4.3 and of recordings/v2/deploy/tree.txt; build_chain.sh (2.x) `main`, `generate_config_ini`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from fiscotool.chain.files import PRIVATE, PROGRAM, PlannedFile, binary_file
from fiscotool.chain.plan import ChainPlan, NodePlan
from fiscotool.chain.templates import render

if TYPE_CHECKING:
    from fiscotool.chain.certs2 import Agency, ChainKeys2, NodePairs, Pair

FLAVOUR = "v2"
CONSOLE_VERSION = "2.9.2"
_NODE_SCRIPTS = ("load_new_groups.sh", "monitor.sh", "reload_sdk_allowlist.sh", "reload_whitelist.sh")
_LOCAL = {4: "127.0.0.1", 6: "::1"}


def render_files2(plan: ChainPlan, keys: ChainKeys2, *, timestamp_ms: int) -> Iterator[PlannedFile]:
    """Every file of the chain but the manifest, in the order they are written. `timestamp_ms` goes into the genesis files."""
    conf = cert_conf2()
    yield PlannedFile("cert.cnf", conf)
    yield PlannedFile("cert/cert.cnf", conf)
    yield PlannedFile("cert/ca.crt", keys.chain.pem)
    yield PlannedFile("cert/ca.key", key_of(keys.chain), PRIVATE)
    yield PlannedFile("cert/ca.srl", f"{keys.chain.serial}\n".encode())
    for name, agency in keys.agencies.items():
        yield from _agency_files(f"cert/{name}", agency, keys.chain.pem, conf)
    for place, sdk, agency_name in zip(plan.host_places, keys.sdk, sdk_agencies(plan), strict=True):
        yield binary_file(plan, place)
        yield from host_scripts2(plan, place)
        yield from sdk_files(f"{place}/sdk", sdk, keys.chain.pem, keys.agencies[agency_name])
    genesis = {group: genesis_file(plan, keys, group, timestamp_ms) for group in groups_of(plan)}
    group_ini = group_ini_file(plan)
    for node, pairs in zip(plan.nodes, keys.nodes, strict=True):
        yield from node_files2(plan, node, pairs, keys.chain.pem, keys.agencies[node.agency])
        for group in node.groups:
            yield PlannedFile(f"{node.place}/conf/group.{group}.genesis", genesis[group])
            yield PlannedFile(f"{node.place}/conf/group.{group}.ini", group_ini)


def groups_of(plan: ChainPlan) -> tuple[int, ...]:
    """Every group of the plan, ascending."""
    return tuple(sorted({group for node in plan.nodes for group in node.groups}))


def sdk_agencies(plan: ChainPlan) -> tuple[str, ...]:
    """The agency that signs each host's sdk/: that of the host's first node."""
    first: dict[str, str] = {}
    for node in plan.nodes:
        first.setdefault(node.place.partition("/")[0], node.agency)
    return tuple(first[place] for place in plan.host_places)


def cert_conf2() -> bytes:
    """cert.cnf, for further certificates."""
    values = {"organization": "fisco-bcos", "valid_days": 365, "v4_ca": "TRUE", "leaf_section": "v3_req"}
    return render("cert.cnf", values).encode()


def key_of(issuer: object) -> bytes:
    """The key of an issuer, PEM."""
    from fiscotool.chain.certs import key_pem
    from fiscotool.chain.certs2 import Issuer

    assert isinstance(issuer, Issuer)
    return key_pem(issuer.key)


def _agency_files(place: str, agency: Agency, chain_pem: bytes, conf: bytes) -> Iterator[PlannedFile]:
    yield PlannedFile(f"{place}/agency.crt", agency.issuer.pem)
    yield PlannedFile(f"{place}/agency.key", key_of(agency.issuer), PRIVATE)
    yield PlannedFile(f"{place}/agency.srl", f"{agency.issuer.serial}\n".encode())
    yield PlannedFile(f"{place}/ca.crt", chain_pem)
    yield PlannedFile(f"{place}/cert.cnf", conf)
    yield PlannedFile(f"{place}/channel/ca.crt", agency.channel.pem)
    yield PlannedFile(f"{place}/channel/ca.key", key_of(agency.channel), PRIVATE)
    yield PlannedFile(f"{place}/channel/ca.srl", f"{agency.channel.serial}\n".encode())


def sdk_files(place: str, sdk: Pair, chain_pem: bytes, agency: Agency) -> Iterator[PlannedFile]:
    """sdk/: RSA with the agency's channel CA, or secp256k1 with the chain's."""
    yield PlannedFile(f"{place}/ca.crt", chain_pem if sdk.public else agency.channel.pem)
    yield PlannedFile(f"{place}/sdk.crt", sdk.certificate)
    yield PlannedFile(f"{place}/sdk.key", sdk.key, PRIVATE)
    if sdk.public:
        yield PlannedFile(f"{place}/sdk.publickey", f"{sdk.public}\n".encode())


def host_scripts2(plan: ChainPlan, place: str) -> Iterator[PlannedFile]:
    """Scripts of a host's directory."""
    yield PlannedFile(f"{place}/start_all.sh", render("start_all.sh", {}).encode(), PROGRAM)
    yield PlannedFile(f"{place}/stop_all.sh", render("stop_all.sh", {}).encode(), PROGRAM)
    yield PlannedFile(f"{place}/.transTest.sh", render("transTest.sh", {}, FLAVOUR).encode(), PROGRAM)
    yield PlannedFile(f"{place}/download_bin.sh", render("download_bin.sh", {"version": plan.spec.version}, FLAVOUR).encode(), PROGRAM)
    console = render("download_console.sh", {"console_version": CONSOLE_VERSION}, FLAVOUR)
    yield PlannedFile(f"{place}/download_console.sh", console.encode(), PROGRAM)


def node_files2(plan: ChainPlan, node: NodePlan, pairs: NodePairs, chain_pem: bytes, agency: Agency) -> Iterator[PlannedFile]:
    """What a node has but for its groups' files."""
    yield PlannedFile(f"{node.place}/config.ini", render("config.ini", _config_values(plan, node), FLAVOUR).encode())
    values = {"generation": 2, "arguments": "-c config.ini"}
    yield PlannedFile(f"{node.place}/start.sh", render("start.sh", values).encode(), PROGRAM)
    yield PlannedFile(f"{node.place}/stop.sh", render("stop.sh", {}).encode(), PROGRAM)
    for script in _NODE_SCRIPTS:
        yield PlannedFile(f"{node.place}/scripts/{script}", render(f"scripts/{script}", {}, FLAVOUR).encode(), PROGRAM)
    yield PlannedFile(f"{node.place}/conf/ca.crt", chain_pem)
    yield PlannedFile(f"{node.place}/conf/node.crt", pairs.node.certificate)
    yield PlannedFile(f"{node.place}/conf/node.key", pairs.node.key, PRIVATE)
    yield PlannedFile(f"{node.place}/conf/node.nodeid", f"{pairs.node.public}\n".encode())
    channel = f"{node.place}/conf/channel_cert"
    yield PlannedFile(f"{channel}/ca.crt", agency.channel.pem)
    yield PlannedFile(f"{channel}/node.crt", pairs.channel.certificate)
    yield PlannedFile(f"{channel}/node.key", pairs.channel.key, PRIVATE)


def genesis_file(plan: ChainPlan, keys: ChainKeys2, group: int, timestamp_ms: int) -> bytes:
    """group.N.genesis: the sealers are the nodes that are in the group."""
    spec = plan.spec
    sealers = [pairs.node.public for node, pairs in zip(plan.nodes, keys.nodes, strict=True) if group in node.groups]
    values = {
        "group": group,
        "sealers": sealers,
        "block_tx_count_limit": spec.block_tx_count_limit,
        "tx_gas_limit": spec.gas_limit,
        "timestamp_ms": timestamp_ms,
    }
    return render("group.genesis", values, FLAVOUR).encode()


def group_ini_file(plan: ChainPlan) -> bytes:
    """group.N.ini, the same for every group."""
    return render("group.ini", {"min_seal_time_ms": plan.spec.min_seal_time_ms}, FLAVOUR).encode()


def _config_values(plan: ChainPlan, node: NodePlan) -> dict[str, object]:
    spec = plan.spec
    return {
        "listen_ip": node.listen_ip,
        "rpc_listen_ip": rpc_listen_ip(plan, node),
        "p2p_port": node.p2p_port,
        "channel_port": node.channel_port,
        "rpc_port": node.rpc_port,
        "addresses": plan.peer_addresses,
        "chain_id": spec.chain_id,
        "rsa_channel": str(spec.rsa_channel).lower(),
        "version": spec.version,
        "log_level": spec.log_level,
        "engine": spec.engine,
        "protocol": spec.protocol,
        "byzantine": node.byzantine,
        "mutant": node.mutant,
        "quirks": ",".join(spec.quirks),
        "trace": spec.trace,
    }


def rpc_listen_ip(plan: ChainPlan, node: NodePlan) -> str:
    """Plain JSON-RPC without any protection is for this machine only, unless `listen_ip` says otherwise."""
    return plan.spec.listen_ip or _LOCAL[6 if ":" in node.listen_ip else 4]
