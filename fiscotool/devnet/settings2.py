"""The settings of a node of a 2.x chain: config.ini, conf/group.N.genesis, conf/group.N.ini.

Rule 1. As settings.py: what is wrong is said before anything is opened; `[fiscotool]` in config.ini holds what only an embedded node has.
Rule 2. One process serves one group: the lowest of those in conf/.
Rule 3. The key of consensus is the key of the P2P links (conf/node.key, secp256k1), so a node's id is what certificate lists name.
Rule 4. National cryptography and consensus types other than PBFT are refused.

Sources: spec 2.x 4.3 to 4.7; libledger `LedgerParam.cpp`, libinitializer/*; PBFTEngine.h `setMinBlockGenerationTime` (the limit of 999).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from fiscotool.devnet.contracts import Sealer
from fiscotool.devnet.genesis_file import NODE_ID_BYTES, GenesisSettings
from fiscotool.devnet.inifile import Ini, SettingsError, parse_ini
from fiscotool.devnet.settings import Channel, Endpoint, Settings, endpoint_of, p2p_ids_of, read_embedded, read_file

__all__ = ["is_generation_2", "parse_genesis2", "read_peers2", "read_settings2"]

_GENESIS_NAME: Final = re.compile(r"group\.(\d+)\.genesis")
_BLOCK_LIMIT_BLOCKS: Final = 1000
_MIN_SEAL_TIME_MS_MAX: Final = 999
_EVERY_INTERFACE: Final = "0.0.0.0"  # noqa: S104 - the real node's default


def is_generation_2(directory: Path) -> bool:
    """Whether a node's directory has the files of 2.x."""
    return not (directory / "config.genesis").exists() and any((directory / "conf").glob("group.*.genesis"))


def _group_file(directory: Path) -> tuple[int, Path]:
    found = {int(match[1]): path for path in (directory / "conf").iterdir() if (match := _GENESIS_NAME.fullmatch(path.name))}
    if not found:
        raise SettingsError(f"{directory / 'conf'} has no group.<number>.genesis", hint="copy it from another node of the group")
    return min(found.items())


def _sealers(ini: Ini) -> tuple[Sealer, ...]:
    found: list[bytes] = []
    for key, value in ini.section("consensus").items():
        if not key.startswith("node."):
            continue
        try:
            raw = bytes.fromhex(value.strip())
        except ValueError:
            raw = b""
        if len(raw) != NODE_ID_BYTES or raw in found:
            raise ini.wrong("consensus", key, "128 hex digits, each node once")
        found.append(raw)
    if not found:
        raise SettingsError(f"{ini.name}: no sealer in [consensus]", hint="a line node.0=<node id> for each sealer")
    return tuple(Sealer(node_id, 1) for node_id in sorted(found))


def parse_genesis2(text: str, *, chain_id: str, version: str, name: str = "group.1.genesis") -> GenesisSettings:
    """A group's genesis file as settings. Raises SettingsError."""
    ini = parse_ini(text, name)
    if ini.text("consensus", "consensus_type", "pbft").lower() != "pbft":
        raise ini.wrong("consensus", "consensus_type", "pbft: the embedded node has neither Raft nor rPBFT")
    return GenesisSettings(
        text=text,
        chain_id=chain_id,
        group_id=str(ini.number("group", "id", 1, least=1, most=32767)),
        block_limit=_BLOCK_LIMIT_BLOCKS,
        web3_chain_id=0,
        tx_count_limit=ini.number("consensus", "max_trans_num", 1000, least=1),
        leader_period_blocks=1,
        sealers=_sealers(ini),
        compatibility_version=version,
        version=0,
        gas_limit=ini.number("tx", "gas_limit", 300_000_000, least=100_000),
        is_auth_check=False,
        is_serial_execute=False,
        auth_admin_account="",
        executor_version=0,
        features=(),
        generation=2,
        timestamp_ms=ini.number("group", "timestamp", 0, least=0),
        consensus_timeout_s=ini.number("consensus", "consensus_timeout", 3, least=3),
    )


def _peers(ini: Ini) -> tuple[Endpoint, ...]:
    found = []
    for key, value in ini.section("p2p").items():
        if key.startswith("node."):
            try:
                found.append(endpoint_of(value.strip()))
            except ValueError:
                raise ini.wrong("p2p", key, "<address>:<port>") from None
    return tuple(found)


def read_peers2(directory: Path) -> tuple[tuple[Endpoint, ...], frozenset[str], frozenset[str]]:
    """(peers to dial, blacklist, whitelist) as a 2.x node's config.ini says now. Raises SettingsError."""
    ini = parse_ini(read_file(directory / "config.ini", "configuration file"), "config.ini")
    return _peers(ini), p2p_ids_of(ini, "certificate_blacklist", "crl."), p2p_ids_of(ini, "certificate_whitelist", "cal.")


def _channel(ini: Ini, files: Path) -> Channel:
    """The channel port, with RSA certificates where `[chain] rsa_crypto_channel` says so, else with the node's own."""
    is_rsa = ini.flag("chain", "rsa_crypto_channel", default=False)
    place = files / "channel_cert" if is_rsa else files
    host = ini.text("rpc", "channel_listen_ip", ini.text("rpc", "listen_ip", _EVERY_INTERFACE))
    port = ini.port("rpc", "channel_listen_port", 20200)
    return Channel(host, port, place / "ca.crt", place / "node.crt", place / "node.key", is_elliptic=not is_rsa)


def read_settings2(config: Path) -> Settings:
    """Settings of the 2.x node whose config.ini this is. Raises SettingsError."""
    directory = config.absolute().parent
    text = read_file(config, "configuration file")
    ini = parse_ini(text, config.name)
    for key in ("sm_crypto", "sm_crypto_channel"):
        if ini.flag("chain", key, default=False):
            raise ini.wrong("chain", key, "false: the embedded node speaks secp256k1 and keccak only")
    group, genesis_path = _group_file(directory)
    chain_id = str(ini.number("chain", "id", 1, least=0))
    version = ini.text("compatibility", "supported_version", "2.9.0")
    genesis = parse_genesis2(read_file(genesis_path, "genesis file"), chain_id=chain_id, version=version, name=genesis_path.name)
    group_path = genesis_path.with_suffix(".ini")
    local = parse_ini(read_file(group_path, "group file") if group_path.exists() else "", group_path.name)
    files = directory / ini.text("network_security", "data_path", "conf/")
    key_path = files / ini.text("network_security", "key", "node.key")
    shared_ip = ini.text("rpc", "listen_ip", "127.0.0.1")
    return Settings(
        directory=directory,
        ini_text=text,
        genesis=genesis,
        p2p=Endpoint(ini.text("p2p", "listen_ip", _EVERY_INTERFACE), ini.port("p2p", "listen_port", 30300)),
        nodes=_peers(ini),
        message_bytes_max=32 * 1024 * 1024,
        ca_cert=files / ini.text("network_security", "ca_cert", "ca.crt"),
        node_cert=files / ini.text("network_security", "cert", "node.crt"),
        node_key=key_path,
        private_key=key_path,
        rpc=Endpoint(ini.text("rpc", "jsonrpc_listen_ip", shared_ip), ini.port("rpc", "jsonrpc_listen_port", 8545)),
        rpc_tls=False,
        rpc_return_input=True,
        web3=Endpoint("127.0.0.1", 1),
        web3_enabled=False,
        data_path=directory / ini.text("group", "group_data_path", "data/") / f"group{group}",
        min_seal_time_ms=min(_MIN_SEAL_TIME_MS_MAX, local.number("consensus", "min_block_generation_time", 500, least=1)),
        checkpoint_timeout_ms=3000,
        pipeline_blocks=1,
        pool_limit=local.number("tx_pool", "limit", 102_400, least=1),
        tx_expiration_s=local.number("tx_pool", "txs_expiration_time", 600, least=1),
        log_enabled=ini.flag("log", "enable", default=True),
        log_path=directory / ini.text("log", "log_path", "./log"),
        log_level=ini.text("log", "level", "info"),
        log_bytes_max=ini.number("log", "max_log_file_size", 200, least=1) * 1024 * 1024,
        certificate_blacklist=p2p_ids_of(ini, "certificate_blacklist", "crl."),
        certificate_whitelist=p2p_ids_of(ini, "certificate_whitelist", "cal."),
        **read_embedded(ini, ("fisco2",), "fisco2"),
        channel=_channel(ini, files),
    )
