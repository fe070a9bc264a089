"""Read a directory of FISCO BCOS 2 nodes: config.ini, and one genesis file a group in conf/.

    <root>/<host>/node0/config.ini                    ports, peers, certificates, [chain], supported_version
    <root>/<host>/node0/conf/group.1.genesis          sealers of group 1, the same on all its nodes
    <root>/<host>/node0/conf/node.nodeid              gmnode.nodeid where the chain uses national cryptography

Rule. A chain may have several groups, and a node may be in some of them only. Every group's genesis is the same on all nodes that have
it; every node is in the genesis of at least one of its groups, unless it was added later.

Sources: spec 2.x 4.3, 4.5 to 4.7; recordings/v2/deploy.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType

from fiscotool.chain.ini import Ini, flag_of, integer_of, text_of
from fiscotool.chain.manifest import Manifest
from fiscotool.chain.model import Chain, Engine, Genesis, NodeHome
from fiscotool.chain.reading import foreign, port_of, read_ini, read_text, refuse_other
from fiscotool.errors import ChainDirectoryError

_NODE_ID = re.compile(r"[0-9a-f]{128}")
_SEALER_KEY = re.compile(r"node\.\d+")
_GENESIS_FILE = re.compile(r"group\.(\d+)\.genesis")
_CA = ("conf/ca.crt", "conf/gmca.crt")


def read_chain2(root: Path, places: Sequence[Path], *, engine: Engine, manifest: Manifest | None) -> Chain:
    """The 2.x chain whose node directories are `places`. Raises ChainDirectoryError as `read_chain`."""
    several_hosts = len({place.parent for place in places}) > 1
    first_config = read_ini(places[0] / "config.ini")
    is_sm = flag_of(first_config, "chain", "sm_crypto", default=False, source=str(places[0] / "config.ini"))
    authority = read_text(places[0] / _CA[is_sm])
    expected: dict[int, tuple[NodeHome, Ini]] = {}
    nodes: list[NodeHome] = []
    any_sealer = False
    for place in places:
        name = f"{place.parent.name}/{place.name}" if several_hosts else place.name
        node = _read_node(place, name, is_sm=is_sm)
        if read_text(place / _CA[is_sm]) != authority:
            raise foreign(node, f"its {_CA[is_sm]} is another one than {nodes[0].name}'s, so the two would refuse each other")
        groups = group_files(place)
        is_sealer = False
        for number, path in groups.items():
            if number in expected:
                refuse_other(node, expected[number][0], expected[number][1], f"conf/{path.name}")
            ini = expected.setdefault(number, (node, read_ini(path)))[1]
            is_sealer = is_sealer or node.node_id in genesis_of(ini, str(path)).weights
        where = f"{place.parent.name}/{place.name}"
        is_deployed = manifest is not None and where in manifest.directories and where not in manifest.expanded
        if not is_sealer and is_deployed:
            raise foreign(node, f"its key {node.node_id[:16]}… is not among the sealers of its own genesis files")
        any_sealer = any_sealer or is_sealer
        nodes.append(node)
    if not any_sealer:
        raise foreign(nodes[0], "neither its key nor any other node's is among the sealers of the genesis files")
    lowest = min(expected)
    return Chain(
        root=root,
        nodes=tuple(nodes),
        engine=engine,
        chain_id=text_of(first_config, "chain", "id", "1"),
        group_id=str(lowest),
        version=text_of(first_config, "compatibility", "supported_version", ""),
        genesis=genesis_of(expected[lowest][1], f"group.{lowest}.genesis"),
        generation=2,
        sm_crypto=is_sm,
        protocol="fisco2",
        byzantine=MappingProxyType({node.name: node.byzantine for node in nodes if node.byzantine}),
        quirks=manifest.quirks if manifest is not None else (),
        group_ids=tuple(str(number) for number in sorted(expected)),
    )


def group_files(place: Path) -> dict[int, Path]:
    """Group number → genesis file of a node's directory, by number. Raises ChainDirectoryError where there is none."""
    found = {int(match[1]): path for path in (place / "conf").iterdir() if (match := _GENESIS_FILE.fullmatch(path.name))}
    if not found:
        raise ChainDirectoryError(f"{place / 'conf'} has no group.<number>.genesis", hint="restore it from another node of the group")
    return dict(sorted(found.items()))


def _read_node(place: Path, name: str, *, is_sm: bool) -> NodeHome:
    path = place / "config.ini"
    config = read_ini(path)
    source = str(path)
    id_path = place / "conf" / ("gmnode.nodeid" if is_sm else "node.nodeid")
    node_id = read_text(id_path).strip().lower()
    if not _NODE_ID.fullmatch(node_id):
        raise ChainDirectoryError(f"{name}: {id_path} holds {node_id[:20]!r}, not 128 hex digits", hint="restore the file, or deploy anew")
    shared_ip = text_of(config, "rpc", "listen_ip", "127.0.0.1")
    return NodeHome(
        name=name,
        directory=place.absolute(),
        host=place.parent.name,
        p2p_port=port_of(config, "p2p", 30300, source),
        rpc_port=port_of(config, "rpc", 8545, source, key="jsonrpc_listen_port"),
        web3_port=0,
        web3_enabled=False,
        rpc_tls=False,
        node_id=node_id,
        p2p_id=node_id,
        listen_ip=text_of(config, "rpc", "jsonrpc_listen_ip", shared_ip),
        byzantine=text_of(config, "fiscotool", "byzantine", ""),
        mutant=text_of(config, "fiscotool", "mutant", ""),
        generation=2,
        channel_port=port_of(config, "rpc", 20200, source, key="channel_listen_port"),
    )


def genesis_of(ini: Ini, source: str) -> Genesis:
    """The facts of a group.N.genesis. Raises ChainDirectoryError where a sealer is no node id, or there is none."""
    weights: dict[str, int] = {}
    for key, value in ini.get("consensus", {}).items():
        if not _SEALER_KEY.fullmatch(key):
            continue
        if not _NODE_ID.fullmatch(value.lower()):
            raise ChainDirectoryError(f"{source}: consensus.{key} is not 128 hex digits", hint="restore the file from another node")
        weights[value.lower()] = 1
    if not weights:
        raise ChainDirectoryError(
            f"{source} names no sealer (consensus.node.0 …)", hint="restore the file from another node, or deploy anew"
        )
    return Genesis(
        weights=MappingProxyType(weights),
        block_tx_count_limit=integer_of(ini, "consensus", "max_trans_num", 1000, source=source),
        tx_gas_limit=integer_of(ini, "tx", "gas_limit", 300_000_000, source=source),
        web3_chain_id=0,
    )
