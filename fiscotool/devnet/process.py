"""A node with its RPC, as one process runs it: opened in order, stopped in the opposite order."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fiscotool.devnet.assembly import assemble
from fiscotool.devnet.byzantine import bent_facade
from fiscotool.devnet.der import DerError, certificate_of, names_of, p2p_id_of
from fiscotool.devnet.facade import Facade
from fiscotool.devnet.inifile import SettingsError, parse_ini
from fiscotool.devnet.links import Identity
from fiscotool.devnet.log import NodeLog
from fiscotool.devnet.log2 import NodeLog2
from fiscotool.devnet.node import Node
from fiscotool.devnet.rpc_servers import RpcServers, identity_of, rpc_tls_context, start_rpc, start_rpc2
from fiscotool.devnet.settings import Settings, read_peers
from fiscotool.devnet.settings2 import read_peers2
from fiscotool.ledger.crypto import KeyPair
from fiscotool.ledger.errors import KeyFormatError

__all__ = ["NodeProcess"]


def _key(path: Path) -> KeyPair:
    try:
        return KeyPair.from_pem(path.read_bytes())
    except (OSError, KeyFormatError) as problem:
        raise SettingsError(f"{path}: {problem}", hint="put the node's key back; without it the node is another node") from problem


def _certificate(path: Path) -> bytes:
    try:
        return certificate_of(path)
    except (OSError, ValueError) as problem:
        raise SettingsError(f"{path}: {problem}", hint="copy conf/ from where the chain was deployed") from problem


class NodeProcess:
    """`open` reads and checks everything, `start` listens, `stop` may be called at any point after the constructor."""

    def __init__(self, settings: Settings, *, on_fatal: Callable[[str], None]) -> None:
        self.settings = settings
        options: dict[str, Any] = {"is_enabled": settings.log_enabled, "level": settings.log_level, "bytes_max": settings.log_bytes_max}
        self._log = (
            NodeLog2(settings.log_path, group=settings.group_id, **options)
            if settings.genesis.generation == 2  # noqa: PLR2004 - FISCO BCOS 2
            else NodeLog(settings.log_path, **options)
        )
        self.node: Node | None = None
        self.rpc: RpcServers | None = None
        self._on_fatal = on_fatal

    def open(self) -> None:
        """Keys, certificates, ledger, consensus log. Raises FiscoToolError."""
        settings = self.settings
        key = _key(settings.private_key)
        certificate = _certificate(settings.node_cert)
        parts = assemble(settings, key.node_id)
        identity = Identity(
            key=key,
            group_id=settings.group_id,
            chain_id=settings.chain_id,
            genesis_hash=parts.store.genesis_hash,
            certificate=certificate,
            listen_port=settings.p2p.port,
            message_bytes_max=settings.message_bytes_max,
        )
        self.node = Node(settings, parts, identity, self._log, on_fatal=self._on_fatal)

    async def start(self) -> None:
        """Start the node, then its RPC. Raises FiscoToolError or OSError."""
        node, settings = self.node, self.settings
        assert node is not None
        await node.start()
        try:
            p2p_id = p2p_id_of(node.identity.certificate)
            tls = rpc_tls_context(settings.ca_cert, settings.node_cert, settings.node_key) if settings.rpc_tls else None
        except (DerError, ssl.SSLError) as problem:
            raise SettingsError(f"{settings.node_cert}: {problem}", hint="copy conf/ from where the chain was deployed") from problem
        facade = bent_facade(Facade(node), settings.byzantine)
        identity = identity_of(settings, node_id=node.node_id, p2p_id=p2p_id, names=names_of(node.identity.certificate))
        if settings.genesis.generation == 2:  # noqa: PLR2004 - FISCO BCOS 2
            self.rpc = await start_rpc2(
                facade, identity, host=settings.rpc.host, port=settings.rpc.port, log=self._log, channel=settings.channel
            )
            return
        self.rpc = await start_rpc(
            facade,
            identity,
            host=settings.rpc.host,
            native_port=settings.rpc.port,
            web3_port=settings.web3.port if settings.web3_enabled else None,
            web3_host=settings.web3.host,
            tls=tls,
        )

    async def stop(self) -> None:
        """Close what is open."""
        if self.rpc is not None:
            await self.rpc.close()
        if self.node is not None:
            self._log.info("CONSENSUS][PBFT", "stop the PBFTEngine")
            await self.node.stop()
        self._log.close()

    def reload_peers(self) -> None:
        """SIGUSR1: the peers to dial and the certificate lists. A file that cannot be read changes nothing."""
        if self.node is None:
            return
        read = read_peers if self.settings.genesis.generation == 3 else read_peers2  # noqa: PLR2004 - FISCO BCOS 3
        try:
            nodes, blacklist, whitelist = read(self.settings.directory)
        except SettingsError as problem:
            self._log.warning("Gateway::Signal", "reload p2p connected nodes failed", reason=problem)
            return
        self.node.peers.set_nodes(nodes)
        self.node.peers.set_certificates(blacklist, whitelist)
        self._log.info("Gateway::Signal", "reload p2p connected nodes successfully", nodes=len(nodes))

    def reload_log_level(self) -> None:
        """SIGUSR2: `log.level` of config.ini."""
        try:
            ini = parse_ini((self.settings.directory / "config.ini").read_text(encoding="utf-8"), "config.ini")
        except (OSError, UnicodeDecodeError, SettingsError) as problem:
            self._log.warning("LOG", "reload log level failed", reason=problem)
            return
        self._log.set_level(ini.text("log", "level", "info"))
