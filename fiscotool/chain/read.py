"""Read a chain directory, ours or build_chain.sh's, and refuse one that is not one chain.

Rule 1. What all nodes must share is compared: genesis (as parsed, not as text) and the certificate authority. What differs is said.
Rule 2. Every node that deploy made is in the genesis. A node added later need not be (it may be an observer, spec 3.x 4.10), but it
        has the chain's genesis and certificate authority.
Rule 3. Nothing is imported or computed that a mere `status` would have to wait for: files are read, no key is parsed.

Sources: spec 3.x 4.3 (tree), 4.5 to 4.7 (files), 4.10 (expanding).
"""

from __future__ import annotations

import re
from pathlib import Path
from types import MappingProxyType

from fiscotool.chain.ini import Ini, flag_of, integer_of, parse_ini, text_of
from fiscotool.chain.manifest import Manifest, read_manifest
from fiscotool.chain.model import NODE_DIRECTORY, Chain, Engine, Genesis, NodeHome
from fiscotool.errors import ChainDirectoryError

_NODE_ID = re.compile(r"[0-9a-f]{128}")
_SEALER_KEY = re.compile(r"node\.\d+")
_DIFFERENCES_SHOWN_MAX = 3
_MAGIC_ELF = b"\x7fELF"


def read_chain(root: Path) -> Chain:
    """The chain in `root` (the directory with one subdirectory per host).

    Raises ChainDirectoryError where there is none, where files are missing or damaged, or where nodes of two chains lie together.
    """
    places = _node_places(root)
    manifest = read_manifest(root)
    several_hosts = len({place.parent for place in places}) > 1
    first_genesis = _read_ini(places[0] / "config.genesis")
    authority = _read_text(places[0] / "conf" / "ca.crt")
    genesis = _genesis(first_genesis, str(places[0] / "config.genesis"))
    nodes: list[NodeHome] = []
    for place in places:
        name = f"{place.parent.name}/{place.name}" if several_hosts else place.name
        node = _read_node(place, name)
        if place is not places[0]:
            _refuse_other_genesis(node, nodes[0], first_genesis)
            if _read_text(place / "conf" / "ca.crt") != authority:
                raise _foreign(node, f"its conf/ca.crt is another one than {nodes[0].name}'s, so the two would refuse each other")
        is_deployed = manifest is not None and f"{place.parent.name}/{place.name}" in manifest.directories
        if node.node_id not in genesis.weights and (is_deployed or place is places[0]):
            raise _foreign(node, f"its key {node.node_id[:16]}… is not among the {len(genesis.weights)} sealers of its own config.genesis")
        nodes.append(node)
    return Chain(
        root=root,
        nodes=tuple(nodes),
        engine=_engine(manifest, places[0]),
        chain_id=text_of(first_genesis, "chain", "chain_id", "chain"),
        group_id=text_of(first_genesis, "chain", "group_id", "group"),
        version=text_of(first_genesis, "version", "compatibility_version", ""),
        genesis=genesis,
        byzantine=MappingProxyType({node.name: node.byzantine for node in nodes if node.byzantine}),
        quirks=manifest.quirks if manifest is not None else (),
    )


def _node_places(root: Path) -> list[Path]:
    if not root.exists():
        raise ChainDirectoryError(
            f"there is no chain in {root}: the directory does not exist", hint="make one: fiscotool deploy -l 127.0.0.1:4"
        )
    if not root.is_dir():
        raise ChainDirectoryError(f"{root} is not a directory", hint="name the directory that deploy made")
    if (root / "config.genesis").exists():
        raise ChainDirectoryError(
            f"{root} is a single node's directory", hint=f"name the chain's directory: {root.absolute().parent.parent}"
        )
    try:
        places = sorted(
            (
                place
                for host in root.iterdir()
                if host.is_dir()
                for place in host.iterdir()
                if place.is_dir() and NODE_DIRECTORY.fullmatch(place.name)
            ),
            key=lambda place: (place.parent.name, int(place.name.removeprefix("node"))),
        )
        if not places and any(NODE_DIRECTORY.fullmatch(entry.name) for entry in root.iterdir()):
            raise ChainDirectoryError(
                f"{root} is one host's directory of a chain", hint=f"name the chain's directory: {root.absolute().parent}"
            )
    except OSError as problem:
        raise ChainDirectoryError(f"{problem.filename} cannot be read: {problem.strerror}", hint="check its permissions") from problem
    if not places:
        raise ChainDirectoryError(
            f"there is no chain in {root}: no <host>/node<k> directory", hint="make one: fiscotool deploy -l 127.0.0.1:4 -o <dir>"
        )
    return places


def _read_node(place: Path, name: str) -> NodeHome:
    config_path = place / "config.ini"
    config = _read_ini(config_path)
    source = str(config_path)
    node_id = _read_text(place / "conf" / "node.nodeid").strip().lower()
    if not _NODE_ID.fullmatch(node_id):
        raise ChainDirectoryError(
            f"{name}: {place / 'conf' / 'node.nodeid'} holds {node_id[:20]!r}, not 128 hex digits", hint="restore the file, or deploy anew"
        )
    disabled = flag_of(config, "rpc", "disable_ssl", default=False, source=source)
    return NodeHome(
        name=name,
        directory=place.absolute(),
        host=place.parent.name,
        p2p_port=_port(config, "p2p", 30300, source),
        rpc_port=_port(config, "rpc", 20200, source),
        web3_port=_port(config, "web3_rpc", 8545, source),
        web3_enabled=flag_of(config, "web3_rpc", "enable", default=False, source=source),
        rpc_tls=flag_of(config, "rpc", "enable_ssl", default=not disabled, source=source),
        node_id=node_id,
        p2p_id=_read_text(place / "conf" / "ssl.nodeid").strip().lower(),
        listen_ip=text_of(config, "rpc", "listen_ip", "0.0.0.0"),  # noqa: S104 - NodeConfig's default
        byzantine=text_of(config, "fiscotool", "byzantine", ""),
    )


def _port(config: Ini, section: str, default: int, source: str) -> int:
    port = integer_of(config, section, "listen_port", default, source=source)
    if not 0 < port < 1 << 16:
        raise ChainDirectoryError(f"{source}: {section}.listen_port is {port}, not a port", hint=f"correct the line in {source}")
    return port


def _genesis(ini: Ini, source: str) -> Genesis:
    weights: dict[str, int] = {}
    for key, value in ini.get("consensus", {}).items():
        if not _SEALER_KEY.fullmatch(key):
            continue
        node_id, *rest = (part.strip() for part in value.split(":"))
        weight = rest[0] if rest and rest[0] else "1"
        if not _NODE_ID.fullmatch(node_id.lower()) or not weight.isdigit() or int(weight) < 1:
            raise ChainDirectoryError(
                f"{source}: consensus.{key} is not <128 hex digits>: <weight>", hint="restore the file from another node"
            )
        weights[node_id.lower()] = int(weight)
    if not weights:
        raise ChainDirectoryError(
            f"{source} names no sealer (consensus.node.0 …)", hint="restore the file from another node, or deploy anew"
        )
    return Genesis(
        weights=MappingProxyType(weights),
        block_tx_count_limit=integer_of(ini, "consensus", "block_tx_count_limit", 1000, source=source),
        leader_period_blocks=integer_of(ini, "consensus", "leader_period", 1, source=source),
        tx_gas_limit=integer_of(ini, "tx", "gas_limit", 3_000_000_000, source=source),
        web3_chain_id=integer_of(ini, "web3", "chain_id", 0, source=source),
        balances=MappingProxyType(
            {address: integer_of(ini, "fiscotool_balances", address, 0, source=source) for address in ini.get("fiscotool_balances", {})}
        ),
    )


def _refuse_other_genesis(node: NodeHome, first: NodeHome, expected: Ini) -> None:
    found = _read_ini(node.directory / "config.genesis")
    keys = dict.fromkeys((section, key) for ini in (expected, found) for section in ini for key in ini[section])
    different = [
        f"{section}.{key} is {_short(found, section, key)} there and {_short(expected, section, key)} on {first.name}"
        for section, key in keys
        if found.get(section, {}).get(key) != expected.get(section, {}).get(key)
    ]
    if different:
        more = f"; and {len(different) - _DIFFERENCES_SHOWN_MAX} more" if len(different) > _DIFFERENCES_SHOWN_MAX else ""
        raise _foreign(node, "its config.genesis differs: " + "; ".join(different[:_DIFFERENCES_SHOWN_MAX]) + more)


def _short(ini: Ini, section: str, key: str) -> str:
    value = ini.get(section, {}).get(key)
    if value is None:
        return "absent"
    return value if len(value) <= 20 else f"{value[:16]}…"  # noqa: PLR2004 - the length of a shortened id


def _foreign(node: NodeHome, fact: str) -> ChainDirectoryError:
    return ChainDirectoryError(
        f"{node.name} does not belong to this chain: {fact} ({node.directory})", hint="put the right directory back, or move this one away"
    )


def _engine(manifest: Manifest | None, place: Path) -> Engine:
    if manifest is not None:
        return manifest.engine
    try:
        with (place.parent / "fisco-bcos").open("rb") as program:
            return "fisco" if program.read(len(_MAGIC_ELF)) == _MAGIC_ELF else "unknown"
    except OSError:
        return "unknown"


def _read_ini(path: Path) -> Ini:
    return parse_ini(_read_text(path), source=str(path))


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ChainDirectoryError(
            f"{path} is missing", hint="the directory was made only by half, or the file was lost: restore it, or deploy anew"
        ) from None
    except (OSError, UnicodeDecodeError) as problem:
        raise ChainDirectoryError(f"{path} cannot be read: {problem}", hint="check its permissions, or restore the file") from problem
