"""What a node is told by config.ini, config.genesis and nodes.json, parsed once at start.

Rule 1. Everything that is wrong is said before anything is opened: file, section, key, value, what is expected (`SettingsError`).
Rule 2. Unknown keys are ignored, as the real node does; the keys only an embedded node has live in the section `[fiscotool]`:
        `protocol=fisco3|fisco2|classic` (which PBFT, the same on all nodes; `pbft.dialects`),
        `byzantine=equivocate|forge-block|double-sign|drop-commits|lie-height` and `quirks=<name>,<name>…`.
Rule 3. Relative paths are relative to the directory of the process (start.sh does `cd` into the node directory).

Sources: spec 3.x 4.6, 4.7; bcos-tool `NodeConfig.cpp`, bcos-gateway `GatewayConfig.cpp`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

import orjson

from fiscotool.devnet.contracts import Sealer
from fiscotool.devnet.inifile import Ini, SettingsError, parse_ini
from fiscotool.pbft.dialects import DIALECTS
from fiscotool.pbft.rules import Quirk

__all__ = ["BYZANTINE_KINDS", "Endpoint", "GenesisSettings", "Settings", "SettingsError", "WireQuirk", "read_settings"]

BYZANTINE_KINDS: Final = ("equivocate", "forge-block", "double-sign", "drop-commits", "lie-height")
"""How a node can be made to misbehave (`byzantine.py`)."""

_NODE_ID_BYTES: Final = 64
_ADDRESS_BYTES: Final = 20
_VERSION_PART_MAX: Final = 255
_PORT_MAX: Final = 65535
_CHECKPOINT_TIMEOUT_MS_MIN: Final = 3000


class WireQuirk(Enum):
    """Holes of 3.16.4 that live in the node around the core; reproduced only when named in `[fiscotool] quirks`."""

    TYPE_UNSIGNED = "type-unsigned"
    """A signature does not cover the packet type, so a Prepare can be replayed as a Commit (FIB-134, spec 1.4)."""
    EMPTY_SYNC_UNCHECKED = "empty-sync-unchecked"
    """A synced block without transactions is taken without checking its signatures (spec 1.16)."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a node listens for its peers."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class GenesisSettings:
    """config.genesis. `sealers` is sorted by node id, as the consensus uses it; `text` is the file as it is.

    `compatibility_version` is the text ("3.16.0"), `version` the number a block header carries (0x03100000).
    """

    text: str
    chain_id: str
    group_id: str
    block_limit: int
    web3_chain_id: int
    tx_count_limit: int
    leader_period_blocks: int
    sealers: tuple[Sealer, ...]
    compatibility_version: str
    version: int
    gas_limit: int
    is_auth_check: bool
    is_serial_execute: bool
    auth_admin_account: str
    executor_version: int
    features: tuple[str, ...]
    balances: tuple[tuple[bytes, int], ...] = ()
    """Accounts that own something in block 0: (20-byte address, wei), sorted. Section `[fiscotool_balances]`."""
    generation: int = 3
    """2 for a group of a 2.x chain (settings2.py): its blocks have that form (forms.py), its RPC speaks 2.x."""
    timestamp_ms: int = 0
    """2.x: the time of block 0."""
    consensus_timeout_s: int = 3
    """2.x: how long an execution may take."""


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

    @property
    def group_id(self) -> str:
        """The one group this process serves."""
        return self.genesis.group_id

    @property
    def chain_id(self) -> str:
        """The chain's name, part of every native transaction."""
        return self.genesis.chain_id


def _read(path: Path, what: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise SettingsError(
            f"{what} {path}: {problem}", hint="start the node in its own directory, with the files `deploy` wrote"
        ) from problem


def _version_number(text: str, ini: Ini) -> int:
    parts = text.split(".")
    if len(parts) not in {2, 3} or not all(part.isdigit() and int(part) <= _VERSION_PART_MAX for part in parts):
        raise ini.wrong("version", "compatibility_version", "a version such as 3.16.0")
    numbers = [*(int(part) for part in parts), 0][:3]
    return numbers[0] << 24 | numbers[1] << 16 | numbers[2] << 8


def _sealers(ini: Ini) -> tuple[Sealer, ...]:
    found: dict[bytes, int] = {}
    for key, value in ini.section("consensus").items():
        if not key.startswith("node."):
            continue
        node_id, _, rest = value.partition(":")
        weight = rest.split(":")[0].strip() or "1"
        try:
            raw = bytes.fromhex(node_id.strip())
        except ValueError:
            raw = b""
        if len(raw) != _NODE_ID_BYTES or not weight.isdigit() or int(weight) < 1 or raw in found:
            raise ini.wrong("consensus", key, "<128 hex digits>: <weight of at least 1>, each node once")
        found[raw] = int(weight)
    if not found:
        raise SettingsError(f"{ini.name}: no sealer in [consensus]", hint="a line node.0=<node id>: 1 for each sealer")
    return tuple(Sealer(node_id, found[node_id]) for node_id in sorted(found))


def _balances(ini: Ini) -> tuple[tuple[bytes, int], ...]:
    found: dict[bytes, int] = {}
    for key, value in ini.section("fiscotool_balances").items():
        try:
            address = bytes.fromhex(key.removeprefix("0x"))
        except ValueError:
            address = b""
        if len(address) != _ADDRESS_BYTES or not value.isdigit() or int(value) >> 256:
            raise ini.wrong("fiscotool_balances", key, "<40 hex digits>=<wei>")
        found[address] = int(value)
    return tuple(sorted(found.items()))


def parse_genesis(text: str, name: str = "config.genesis") -> GenesisSettings:
    """The genesis file's text as settings. Raises SettingsError."""
    ini = parse_ini(text, name)
    if ini.flag("chain", "sm_crypto", default=False):
        raise ini.wrong("chain", "sm_crypto", "false: the embedded node speaks secp256k1 and keccak only")
    if ini.text("consensus", "consensus_type", "pbft") != "pbft":
        raise ini.wrong("consensus", "consensus_type", "pbft: the embedded node has no rPBFT")
    version = ini.text("version", "compatibility_version", "3.16.0")
    return GenesisSettings(
        text=text,
        chain_id=ini.text("chain", "chain_id", "chain"),
        group_id=ini.text("chain", "group_id", "group"),
        block_limit=ini.number("chain", "block_limit", 1000, least=1, most=5000),
        web3_chain_id=ini.number("web3", "chain_id", 0, least=0, most=0xFFFFFFFF),
        tx_count_limit=ini.number("consensus", "block_tx_count_limit", 1000, least=1),
        leader_period_blocks=ini.number("consensus", "leader_period", 1, least=1),
        sealers=_sealers(ini),
        compatibility_version=version,
        version=_version_number(version, ini),
        gas_limit=ini.number("tx", "gas_limit", 3000000000, least=100001),
        is_auth_check=ini.flag("executor", "is_auth_check", default=False),
        is_serial_execute=ini.flag("executor", "is_serial_execute", default=False),
        auth_admin_account=ini.text("executor", "auth_admin_account", ""),
        executor_version=ini.number("executor", "version", 0, least=0),
        balances=_balances(ini),
        features=tuple(sorted(key for key in ini.section("features") if ini.flag("features", key, default=False))),
    )


def _endpoint(text: str) -> Endpoint:
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
        return tuple(_endpoint(entry) for entry in orjson.loads(text)["nodes"])
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise SettingsError(f"{name} is not a list of nodes: {problem}", hint=hint) from problem


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


def read_settings(config: Path, genesis: Path) -> Settings:
    """Settings of the node whose files these are. Raises SettingsError with the file, the key and what is expected."""
    directory = config.absolute().parent
    text = _read(config, "configuration file")
    ini = parse_ini(text, config.name)
    certificates = directory / ini.text("cert", "ca_path", "./")
    nodes_path = directory / ini.text("p2p", "nodes_path", "./") / ini.text("p2p", "nodes_file", "nodes.json")
    byzantine = ini.text("fiscotool", "byzantine", "")
    if byzantine and byzantine not in BYZANTINE_KINDS:
        raise ini.wrong("fiscotool", "byzantine", "one of " + ", ".join(BYZANTINE_KINDS))
    protocol = ini.text("fiscotool", "protocol", "fisco3")
    if protocol not in DIALECTS:
        raise ini.wrong("fiscotool", "protocol", "one of " + ", ".join(DIALECTS))
    quirks, wire_quirks = _quirks(ini)
    genesis_settings = parse_genesis(_read(genesis, "genesis file"), genesis.name)
    has_tls = ini.flag("rpc", "enable_ssl", default=not ini.flag("rpc", "disable_ssl", default=False))
    return Settings(
        directory=directory,
        ini_text=text,
        genesis=genesis_settings,
        p2p=Endpoint(ini.text("p2p", "listen_ip", "0.0.0.0"), ini.port("p2p", "listen_port", 30300)),  # noqa: S104 - the real node's default
        nodes=parse_endpoints(_read(nodes_path, "list of nodes"), nodes_path.name),
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
        byzantine=byzantine,
        protocol=protocol,
        quirks=quirks,
        wire_quirks=wire_quirks,
    )
