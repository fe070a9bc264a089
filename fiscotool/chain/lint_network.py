"""Lint: ports, peer lists, certificate lists, and what the RPC shows to whom."""

from __future__ import annotations

import ipaddress
import re
from collections import defaultdict
from collections.abc import Iterator

from fiscotool.chain.findings import Finding, found
from fiscotool.chain.layout import HostGroup
from fiscotool.chain.lint_words import WORDS
from fiscotool.chain.survey import NodeSurvey, Survey

_LIST_KEY = re.compile(r"(crl|cal)\.\d+")
_PORT_MIN = 1025
_TRUE = {"true", "1"}
_PORT_SETTINGS = {
    3: (("p2p", "listen_port", "30300"), ("rpc", "listen_port", "20200")),
    2: (("p2p", "listen_port", "30300"), ("rpc", "channel_listen_port", "20200"), ("rpc", "jsonrpc_listen_port", "8545")),
}


def check_network(survey: Survey) -> Iterator[Finding]:
    """Everything about addresses."""
    yield from _check_ports(survey)
    yield from _check_peers(survey)
    yield from _check_lists(survey)
    yield from _check_rpc(survey)


def _check_ports(survey: Survey) -> Iterator[Finding]:
    users: dict[tuple[str, int], list[tuple[NodeSurvey, str]]] = defaultdict(list)
    idle: dict[tuple[str, int], list[str]] = defaultdict(list)
    for node in survey.nodes:
        if not node.config:
            continue
        for section, key, default in _PORT_SETTINGS[node.generation]:
            port = _port(node, section, key, default)
            users[node.host, port].append((node, f"[{section}] {key}"))
            if section == "p2p" and 0 < port < _PORT_MIN:
                yield found(WORDS, "port-refused", node.name, setting=f"[{section}] {key}", value=port)
        if node.generation == 3 and "web3_rpc" in node.config:  # noqa: PLR2004 - FISCO BCOS 3
            port = _port(node, "web3_rpc", "listen_port", "8545")
            if node.setting("web3_rpc", "enable").lower() in _TRUE:
                users[node.host, port].append((node, "[web3_rpc] listen_port"))
            else:
                idle[node.host, port].append(node.name)
    for (host, port), uses in users.items():
        if len(uses) > 1 and port:
            roles = ", ".join(f"{node.name} {role}" for node, role in uses)
            yield found(WORDS, "port-collision", dict.fromkeys(node.name for node, _ in uses), port=port, host=host, roles=roles)
    for (_, port), names in idle.items():
        if len(names) > 1:
            yield found(WORDS, "web3-port-shared", names, port=port)


def _port(node: NodeSurvey, section: str, key: str, default: str) -> int:
    value = node.setting(section, key, default)
    return int(value) if value.isascii() and value.isdigit() else 0


def _split(address: str) -> tuple[str, str]:
    host, _, port = address.rpartition(":")
    return host.strip("[] "), port.strip()


def _check_peers(survey: Survey) -> Iterator[Finding]:
    addresses = {(node.host, node.setting("p2p", "listen_port", "30300")): node.name for node in survey.nodes if node.config}
    hosts = {host for host, _ in addresses}
    listed: dict[str, set[str]] = {node.name: set() for node in survey.nodes}
    for node in survey.nodes:
        for address in node.peers:
            host, port = _split(address)
            # A host by another of its names or addresses cannot be told from a foreign one.
            peer = addresses.get((host, port))
            if peer is not None:
                listed[node.name].add(peer)
            elif host in hosts:
                yield found(WORDS, "peer-address", node.name, path=_peer_path(node), address=address)
    known = {peer for name, peers in listed.items() for peer in peers if peer != name}
    for node in survey.nodes:
        alone = not (listed[node.name] - {node.name}) and node.name not in known
        names_only_ours = all(_split(address)[0] in hosts for address in node.peers)
        if alone and len(survey.nodes) > 1 and names_only_ours and node.config:
            yield found(WORDS, "peer-unlisted", node.name, path=_peer_path(node))


def _peer_path(node: NodeSurvey) -> str:
    return "nodes.json" if node.generation == 3 else "config.ini [p2p]"  # noqa: PLR2004 - FISCO BCOS 3


def list_entries(node: NodeSurvey, section: str) -> frozenset[str]:
    """Ids in a certificate list of config.ini, in lower case."""
    entries = node.config.get(section, {})
    return frozenset(value.strip().lower() for key, value in entries.items() if _LIST_KEY.fullmatch(key) and value.strip())


def _check_lists(survey: Survey) -> Iterator[Finding]:
    for node in survey.nodes:
        black, white = list_entries(node, "certificate_blacklist"), list_entries(node, "certificate_whitelist")
        for other in survey.nodes:
            if other.name == node.name or not other.p2p_id:
                continue
            if other.p2p_id in black:
                yield found(WORDS, "blacklisted", node.name, other=other.name)
            elif white and other.p2p_id not in white:
                yield found(WORDS, "not-whitelisted", node.name, other=other.name)


def _check_rpc(survey: Survey) -> Iterator[Finding]:
    if survey.generation == 3:  # noqa: PLR2004 - FISCO BCOS 3
        secured = [node.name for node in survey.nodes if node.config and _is_secured(node)]
        plain = [node.name for node in survey.nodes if node.config and not _is_secured(node)]
        if secured and plain:
            yield found(WORDS, "rpc-tls-mixed", secured, others=", ".join(plain))
    for node in survey.nodes:
        if not node.config:
            continue
        key = "listen_ip" if node.generation == 3 else "jsonrpc_listen_ip"  # noqa: PLR2004
        address = node.setting("rpc", key, "0.0.0.0" if node.generation == 3 else "127.0.0.1")  # noqa: S104, PLR2004 - a node's default
        # A node on a loopback host may listen everywhere all the same: that is what build_chain.sh writes.
        if (node.generation == 2 or not _is_secured(node)) and not _is_local(address):  # noqa: PLR2004
            yield found(WORDS, "rpc-open", node.name, address=address)
        if node.setting("p2p", "enable_ssl_verify").lower() in {"false", "0"}:
            yield found(WORDS, "p2p-unverified", node.name)


def _is_secured(node: NodeSurvey) -> bool:
    disabled = node.setting("rpc", "disable_ssl").lower() in _TRUE
    return node.setting("rpc", "enable_ssl", "false" if disabled else "true").lower() in _TRUE


def _is_local(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return HostGroup(address, 1).is_loopback
