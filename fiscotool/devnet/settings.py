"""What a node is told by config.ini, config.genesis and nodes.json, parsed once at start.

Rule 1. Everything that is wrong is said before anything is opened: file, section, key, value, what is expected (`SettingsError`).
Rule 2. Unknown keys are ignored, as the real node does; the keys only an embedded node has live in the section `[fiscotool]`:
        `protocol=fisco3|fisco2|classic` (which PBFT, the same on all nodes; `pbft.dialects`),
        `byzantine=` one of `chain.misbehaviour`,
        `quirks=<name>,<name>…`, `mutant=<name>` and `trace=true` (`tracefile`).
Rule 3. Relative paths are relative to the directory of the process (start.sh does `cd` into the node directory).

Sources: spec 3.x 4.6, 4.7; bcos-tool `NodeConfig.cpp`, bcos-gateway `GatewayConfig.cpp`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, Final

import orjson

from fiscotool.chain.misbehaviour import BYZANTINE_MODES
from fiscotool.devnet.genesis_file import GenesisSettings, parse_genesis
from fiscotool.devnet.inifile import Ini, SettingsError, parse_ini
from fiscotool.pbft.dialects import DIALECTS
from fiscotool.pbft.rules import Quirk

__all__ = [
    "Channel",
    "Endpoint",
    "GenesisSettings",
    "Settings",
    "SettingsError",
    "WireQuirk",
    "endpoint_of",
    "p2p_ids_of",
    "parse_endpoints",
    "parse_genesis",
    "read_embedded",
    "read_file",
    "read_peers",
    "read_settings",
]

_PORT_MAX: Final = 65535
_CHECKPOINT_TIMEOUT_MS_MIN: Final = 3000


class WireQuirk(Enum):
    """Holes of 3.16.4 that live in the node around the core; reproduced only when named in `[fiscotool] quirks`."""

    TYPE_UNSIGNED = "type-unsigned"
    """A signature does not cover the packet type, so a Prepare can be replayed as a Commit (FIB-134, spec 1.4)."""
    EMPTY_SYNC_UNCHECKED = "empty-sync-unchecked"
    """A synced block without transactions is taken without checking its signatures (spec 1.16)."""
    HASH_NOT_RECOMPUTED = "f3-hash-not-recomputed"
    """A ViewChange or NewView names its own hash, which is verified, not its content (F3: FISCO 2448, PR #2447)."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a node listens for its peers."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Channel:
    """The channel port of a 2.x node: certificates of RSA, or the node's own of secp256k1 (`is_elliptic`)."""

    host: str
    port: int
    ca_cert: Path
    cert: Path
    key: Path
    is_elliptic: bool


@dataclass(frozen=True, slots=True)
class Settings:
    """config.ini, nodes.json and the genesis, checked. Times in the unit their name says."""

    directory: Path
    ini_text: str
    genesis: GenesisSettings
    p2p: Endpoint
    nodes: tuple[Endpoint, ...]
    message_bytes_max: int
    ca_cert: Path
    node_cert: Path
    node_key: Path
    private_key: Path
    rpc: Endpoint
    rpc_tls: bool
    rpc_return_input: bool
    web3: Endpoint
    web3_enabled: bool
    data_path: Path
    min_seal_time_ms: int
    checkpoint_timeout_ms: int
    pipeline_blocks: int
    pool_limit: int
    tx_expiration_s: int
    log_enabled: bool
    log_path: Path
    log_level: str
    log_bytes_max: int
    certificate_blacklist: frozenset[str]
    certificate_whitelist: frozenset[str]
    byzantine: str
    protocol: str
    quirks: frozenset[Quirk]
    wire_quirks: frozenset[WireQuirk]
    channel: Channel | None = None
    """2.x: where SDKs connect."""
    mutant: str = ""
    trace: bool = False
    """Write every step of the core down (`tracefile`)."""
    declared_quirks: frozenset[Quirk] = frozenset()
    """`quirks` without what a mutant brings along."""

    @property
    def group_id(self) -> str:
        """The one group this process serves."""
        return self.genesis.group_id

    @property
    def chain_id(self) -> str:
        """The chain's name, part of every native transaction."""
        return self.genesis.chain_id


def read_file(path: Path, what: str) -> str:
    """The text of a node's file. Raises SettingsError."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise SettingsError(
            f"{what} {path}: {problem}", hint="start the node in its own directory, with the files `deploy` wrote"
        ) from problem


def endpoint_of(text: str) -> Endpoint:
    """`host:port`. Raises ValueError for what cannot be dialled."""
    host, _, port = text.rpartition(":")
    if not 0 < int(port) <= _PORT_MAX:
        raise ValueError(f"port {port[:20]} is not between 1 and {_PORT_MAX}")
    host = host.strip("[]")
    if not host or any(character.isspace() for character in host):
        raise ValueError(f"{text[:60]!r} names no host")
    host.encode("idna")
    return Endpoint(host, int(port))


def parse_endpoints(text: str, name: str = "nodes.json") -> tuple[Endpoint, ...]:
    """The list of nodes.json. Raises SettingsError."""
    hint = 'expected {"nodes":["127.0.0.1:30300", …]}'
    try:
        return tuple(endpoint_of(entry) for entry in orjson.loads(text)["nodes"])
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise SettingsError(f"{name} is not a list of nodes: {problem}", hint=hint) from problem


def read_peers(directory: Path) -> tuple[tuple[Endpoint, ...], frozenset[str], frozenset[str]]:
    """(peers to dial, blacklist, whitelist) as a 3.x node's files say now. Raises SettingsError."""
    ini = parse_ini(read_file(directory / "config.ini", "configuration file"), "config.ini")
    nodes_path = directory / ini.text("p2p", "nodes_path", "./") / ini.text("p2p", "nodes_file", "nodes.json")
    nodes = parse_endpoints(read_file(nodes_path, "list of nodes"), nodes_path.name)
    return nodes, p2p_ids_of(ini, "certificate_blacklist", "crl."), p2p_ids_of(ini, "certificate_whitelist", "cal.")


def p2p_ids_of(ini: Ini, section: str, prefix: str) -> frozenset[str]:
    """P2P ids of `[certificate_blacklist] crl.N` or `[certificate_whitelist] cal.N`, lower case."""
    return frozenset(value.strip().lower() for key, value in ini.section(section).items() if key.startswith(prefix))


def _quirks(ini: Ini) -> tuple[frozenset[Quirk], frozenset[WireQuirk]]:
    core: set[Quirk] = set()
    wire: set[WireQuirk] = set()
    for name in filter(None, (word.strip() for word in ini.text("fiscotool", "quirks", "").split(","))):
        if name in {quirk.value for quirk in Quirk}:
            core.add(Quirk(name))
        elif name in {quirk.value for quirk in WireQuirk}:
            wire.add(WireQuirk(name))
        else:
            known = ", ".join(quirk.value for quirk in (*Quirk, *WireQuirk))
            raise ini.wrong("fiscotool", "quirks", f"names among {known}")
    return frozenset(core), frozenset(wire)


def read_embedded(ini: Ini, protocols: Collection[str], default: str) -> dict[str, Any]:
    """The members of Settings that only an embedded node has: `[fiscotool]`. `protocols` are those it can run. Raises SettingsError."""
    byzantine = ini.text("fiscotool", "byzantine", "")
    if byzantine and byzantine not in BYZANTINE_MODES:
        raise ini.wrong("fiscotool", "byzantine", "one of " + ", ".join(BYZANTINE_MODES))
    protocol = ini.text("fiscotool", "protocol", default)
    if protocol not in protocols:
        raise ini.wrong("fiscotool", "protocol", "one of " + ", ".join(protocols))
    quirks, wire_quirks = _quirks(ini)
    declared, trace = quirks, ini.flag("fiscotool", "trace", default=False)
    mutant = ini.text("fiscotool", "mutant", "")
    if mutant:
        mutant, quirks, wire_quirks = _mutant(ini, mutant, protocol, quirks, wire_quirks)
    found = {"byzantine": byzantine, "protocol": protocol, "quirks": quirks, "wire_quirks": wire_quirks, "mutant": mutant}
    return {**found, "trace": trace, "declared_quirks": declared}


def _mutant(
    ini: Ini, name: str, protocol: str, quirks: frozenset[Quirk], wire_quirks: frozenset[WireQuirk]
) -> tuple[str, frozenset[Quirk], frozenset[WireQuirk]]:
    """The mutant's name as it is registered, and the holes with those that come with it."""
    from fiscotool.mutants.plant import SIGNED_DIFFERENTLY
    from fiscotool.mutants.registry import mutant_named

    mutant = mutant_named(name)
    if mutant is None or mutant.dialect != protocol:
        raise ini.wrong("fiscotool", "mutant", f"the name of a mutant of {protocol} (docs/mutants.md)")
    more = frozenset({mutant.switch} & SIGNED_DIFFERENTLY) if mutant.switch is not None else frozenset()
    wire = frozenset({WireQuirk(mutant.wire_switch)}) if mutant.wire_switch else frozenset()
    return mutant.name, quirks | more, wire_quirks | wire


def read_settings(config: Path, genesis: Path) -> Settings:
    """Settings of the node whose files these are. Raises SettingsError with the file, the key and what is expected."""
    directory = config.absolute().parent
    text = read_file(config, "configuration file")
    ini = parse_ini(text, config.name)
    certificates = directory / ini.text("cert", "ca_path", "./")
    nodes_path = directory / ini.text("p2p", "nodes_path", "./") / ini.text("p2p", "nodes_file", "nodes.json")
    embedded = read_embedded(ini, DIALECTS, "fisco3")
    genesis_settings = replace(parse_genesis(read_file(genesis, "genesis file"), genesis.name), protocol=embedded["protocol"])
    has_tls = ini.flag("rpc", "enable_ssl", default=not ini.flag("rpc", "disable_ssl", default=False))
    return Settings(
        directory=directory,
        ini_text=text,
        genesis=genesis_settings,
        p2p=Endpoint(ini.text("p2p", "listen_ip", "0.0.0.0"), ini.port("p2p", "listen_port", 30300)),  # noqa: S104 - the real node's default
        nodes=parse_endpoints(read_file(nodes_path, "list of nodes"), nodes_path.name),
        message_bytes_max=ini.number("p2p", "allow_max_msg_size", 32 * 1024 * 1024, least=1024 * 1024, most=1 << 30),
        ca_cert=certificates / ini.text("cert", "ca_cert", "ca.crt"),
        node_cert=certificates / ini.text("cert", "node_cert", "ssl.crt"),
        node_key=certificates / ini.text("cert", "node_key", "ssl.key"),
        private_key=directory / ini.text("security", "private_key_path", "node.pem"),
        rpc=Endpoint(ini.text("rpc", "listen_ip", "0.0.0.0"), ini.port("rpc", "listen_port", 20200)),  # noqa: S104
        rpc_tls=has_tls,
        rpc_return_input=ini.flag("rpc", "return_input_params", default=True),
        web3=Endpoint(ini.text("web3_rpc", "listen_ip", "127.0.0.1"), ini.port("web3_rpc", "listen_port", 8545)),
        web3_enabled=ini.flag("web3_rpc", "enable", default=False),
        data_path=directory / ini.text("storage", "data_path", f"data/{genesis_settings.group_id}"),
        min_seal_time_ms=ini.number("consensus", "min_seal_time", 500, least=1, most=600000),
        checkpoint_timeout_ms=ini.number("consensus", "checkpoint_timeout", 3000, least=_CHECKPOINT_TIMEOUT_MS_MIN),
        pipeline_blocks=ini.number("consensus", "pipeline_size", 50, least=1),
        pool_limit=ini.number("txpool", "limit", 15000, least=1),
        tx_expiration_s=ini.number("txpool", "txs_expiration_time", 600, least=1),
        log_enabled=ini.flag("log", "enable", default=True),
        log_path=directory / ini.text("log", "log_path", "log"),
        log_level=ini.text("log", "level", "info"),
        log_bytes_max=ini.number("log", "max_log_file_size", 1024, least=1) * 1024 * 1024,
        certificate_blacklist=p2p_ids_of(ini, "certificate_blacklist", "crl."),
        certificate_whitelist=p2p_ids_of(ini, "certificate_whitelist", "cal."),
        **embedded,
    )
