"""Read a chain directory, ours or build_chain.sh's, and refuse one that is not one chain.

Rule 1. What all nodes must share is compared: genesis (as parsed, not as text) and the certificate authority. What differs is said.
Rule 2. Every node that deploy made is in the genesis. A node added later need not be (it may be an observer, spec 3.x 4.10), but it
        has the chain's genesis and certificate authority.
Rule 3. Nothing is imported or computed that a mere `status` would have to wait for: files are read, no key is parsed.

Sources: spec 3.x 4.3 (tree), 4.5 to 4.7 (files), 4.10 (expanding). FISCO BCOS 2 is read by `chain.read2`.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import MappingProxyType

from fiscotool.chain.ini import Ini, flag_of, integer_of, text_of
from fiscotool.chain.manifest import Manifest, read_manifest
from fiscotool.chain.model import NODE_DIRECTORY, Chain, Engine, Genesis, NodeHome
from fiscotool.chain.read2 import read_chain2
from fiscotool.chain.reading import foreign, port_of, read_ini, read_text, refuse_other
from fiscotool.errors import ChainDirectoryError

_NODE_ID = re.compile(r"[0-9a-f]{128}")
_SEALER_KEY = re.compile(r"node\.\d+")
_MAGIC_ELF = b"\x7fELF"


def read_chain(root: Path) -> Chain:
    """The chain in `root` (the directory with one subdirectory per host).

    Raises ChainDirectoryError where there is none, where files are missing or damaged, or where nodes of two chains lie together.
    """
    places = _node_places(root)
    manifest = read_manifest(root)
    engine = _engine(manifest, places[0])
    if is_generation_2(places[0]):
        return read_chain2(root, places, engine=engine, manifest=manifest)
    several_hosts = len({place.parent for place in places}) > 1
    first_genesis = read_ini(places[0] / "config.genesis")
    is_sm = flag_of(first_genesis, "chain", "sm_crypto", default=False, source=str(places[0] / "config.genesis"))
    sm = "sm_" if is_sm else ""
    authority = read_text(places[0] / "conf" / f"{sm}ca.crt")
    genesis = _genesis(first_genesis, str(places[0] / "config.genesis"))
    nodes: list[NodeHome] = []
    for place in places:
        name = f"{place.parent.name}/{place.name}" if several_hosts else place.name
        node = _read_node(place, name, sm)
        if place is not places[0]:
            refuse_other(node, nodes[0], first_genesis, "config.genesis")
            if read_text(place / "conf" / f"{sm}ca.crt") != authority:
                raise foreign(node, f"its conf/{sm}ca.crt is another one than {nodes[0].name}'s, so the two would refuse each other")
        where = f"{place.parent.name}/{place.name}"
        is_deployed = manifest is not None and where in manifest.directories and where not in manifest.expanded
        if node.node_id not in genesis.weights and is_deployed:
            raise foreign(node, f"its key {node.node_id[:16]}… is not among the {len(genesis.weights)} sealers of its own config.genesis")
        nodes.append(node)
    if not any(node.node_id in genesis.weights for node in nodes):
        raise foreign(nodes[0], "neither its key nor any other node's is among the sealers of its config.genesis")
    return Chain(
        root=root,
        nodes=tuple(nodes),
        engine=engine,
        chain_id=text_of(first_genesis, "chain", "chain_id", "chain"),
        group_id=text_of(first_genesis, "chain", "group_id", "group"),
        version=text_of(first_genesis, "version", "compatibility_version", ""),
        genesis=genesis,
        byzantine=MappingProxyType({node.name: node.byzantine for node in nodes if node.byzantine}),
        quirks=manifest.quirks if manifest is not None else (),
        sm_crypto=is_sm,
        protocol=_protocol(nodes),
    )


def _protocol(nodes: list[NodeHome]) -> str:
    """The PBFT all embedded nodes run; `fisco3` for what has no such setting, like a real node."""
    first, *others = (text_of(read_ini(node.directory / "config.ini"), "fiscotool", "protocol", "fisco3") for node in nodes)
    for node, told in zip(nodes[1:], others, strict=True):
        if told != first:
            raise foreign(node, f"it runs protocol {told} ([fiscotool] protocol), and {nodes[0].name} runs {first}")
    return first


def is_generation_2(place: Path) -> bool:
    """Whether a node's directory is one of FISCO BCOS 2: its genesis files are in conf/, one a group."""
    return not (place / "config.genesis").exists() and any((place / "conf").glob("group.*.genesis"))


def _node_places(root: Path) -> list[Path]:
    if not root.exists():
        raise ChainDirectoryError(
            f"there is no chain in {root}: the directory does not exist", hint="make one: fiscotool deploy -l 127.0.0.1:4"
        )
    if not root.is_dir():
        raise ChainDirectoryError(f"{root} is not a directory", hint="name the directory that deploy made")
    if (root / "config.genesis").exists() or is_generation_2(root):
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


def _read_node(place: Path, name: str, sm: str) -> NodeHome:
    config_path = place / "config.ini"
    config = read_ini(config_path)
    source = str(config_path)
    node_id = read_text(place / "conf" / "node.nodeid").strip().lower()
    if not _NODE_ID.fullmatch(node_id):
        raise ChainDirectoryError(
            f"{name}: {place / 'conf' / 'node.nodeid'} holds {node_id[:20]!r}, not 128 hex digits", hint="restore the file, or deploy anew"
        )
    disabled = flag_of(config, "rpc", "disable_ssl", default=False, source=source)
    return NodeHome(
        name=name,
        directory=place.absolute(),
        host=place.parent.name,
        p2p_port=port_of(config, "p2p", 30300, source),
        rpc_port=port_of(config, "rpc", 20200, source),
        web3_port=port_of(config, "web3_rpc", 8545, source),
        web3_enabled=flag_of(config, "web3_rpc", "enable", default=False, source=source),
        rpc_tls=flag_of(config, "rpc", "enable_ssl", default=not disabled, source=source),
        node_id=node_id,
        p2p_id=read_text(place / "conf" / f"{sm}ssl.nodeid").strip().lower(),
        listen_ip=text_of(config, "rpc", "listen_ip", "0.0.0.0"),  # noqa: S104 - NodeConfig's default
        byzantine=text_of(config, "fiscotool", "byzantine", ""),
        mutant=text_of(config, "fiscotool", "mutant", ""),
    )


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


def _engine(manifest: Manifest | None, place: Path) -> Engine:
    if manifest is not None:
        return manifest.engine
    try:
        with (place.parent / "fisco-bcos").open("rb") as program:
            return "fisco" if program.read(len(_MAGIC_ELF)) == _MAGIC_ELF else "unknown"
    except OSError:
        return "unknown"
