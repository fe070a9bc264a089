"""What all nodes agree on before block 1: config.genesis of a 3.x chain as settings (2.x: settings2.py).

Sources: spec 3.x 4.7; bcos-tool `NodeConfig.cpp`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fiscotool.devnet.contracts import Sealer
from fiscotool.devnet.inifile import Ini, SettingsError, parse_ini

__all__ = ["NODE_ID_BYTES", "GenesisSettings", "parse_genesis"]

NODE_ID_BYTES: Final = 64
_ADDRESS_BYTES: Final = 20
_VERSION_PART_MAX: Final = 255


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
    protocol: str = "fisco3"
    """Which PBFT the chain runs, as config.ini says (`settings.Settings.protocol`)."""
    consensus_timeout_s: int = 3
    """2.x: how long an execution may take."""


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
        if len(raw) != NODE_ID_BYTES or not weight.isdigit() or int(weight) < 1 or raw in found:
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
