"""The RPC of a node: both ports, started together and closed together.

Sources: spec 3.x 2.1, 2.6; bcos-rpc RpcFactory.cpp. The Ethereum port is plain HTTP, whatever the native one is.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from fiscotool.devnet.channel2 import ChannelServer, listen_channel
from fiscotool.devnet.contracts import NodeFacade, NodeFacade2
from fiscotool.devnet.inifile import SettingsError
from fiscotool.devnet.log import NodeLog
from fiscotool.devnet.rpc2 import Rpc2
from fiscotool.devnet.rpc2_http import MANNERS2
from fiscotool.devnet.rpc_eth import Web3Rpc
from fiscotool.devnet.rpc_exchange import HttpLimits
from fiscotool.devnet.rpc_http import HttpServer, listen, rpc_tls_context
from fiscotool.devnet.rpc_identity import RpcIdentity, identity_of
from fiscotool.devnet.rpc_native import NativeRpc
from fiscotool.devnet.settings import Channel

__all__ = ["RpcIdentity", "RpcServers", "identity_of", "rpc_tls_context", "start_rpc", "start_rpc2"]


@dataclass(frozen=True, slots=True)
class RpcServers:
    """The open ports. `web3` is None when the Ethereum port is not enabled, `channel` but for 2.x."""

    native: HttpServer
    web3: HttpServer | None
    channel: ChannelServer | None = None

    async def close(self) -> None:
        """Close both ports and every connection."""
        await self.native.close()
        for port in (self.web3, self.channel):
            if port is not None:
                await port.close()


async def start_rpc(
    facade: NodeFacade,
    identity: RpcIdentity,
    *,
    host: str,
    native_port: int,
    web3_port: int | None = None,
    web3_host: str | None = None,
    tls: ssl.SSLContext | None = None,
    limits: HttpLimits | None = None,
) -> RpcServers:
    """Open the native port on `host` and, if `web3_port` is given, the Ethereum port on `web3_host` (default: `host`).

    `tls` is for the native port (`rpc_tls_context`). Raises OSError when a port is taken, and leaves none open then.
    """
    native = await listen(NativeRpc(facade, identity).handle, host, native_port, tls=tls, limits=limits)
    if web3_port is None:
        return RpcServers(native, None)
    try:
        web3 = await listen(Web3Rpc(facade, identity).handle, web3_host or host, web3_port, limits=limits)
    except OSError:
        await native.close()
        raise
    return RpcServers(native, web3)


async def start_rpc2(
    facade: NodeFacade2,
    identity: RpcIdentity,
    *,
    host: str,
    port: int,
    log: NodeLog | None = None,
    channel: Channel | None = None,
    limits: HttpLimits | None = None,
) -> RpcServers:
    """Open the JSON-RPC port of a 2.x node, and its channel port if given with a log.

    Raises OSError when a port is taken, SettingsError for certificates that cannot be used, and leaves none open then.
    """
    rpc = Rpc2(facade, identity)
    native = await listen(rpc.handle, host, port, limits=limits, manners=MANNERS2)
    if channel is None or log is None:
        return RpcServers(native, None)
    try:
        version = facade.settings.genesis.compatibility_version
        server = await listen_channel(rpc, log, channel, group=identity.group_id, node_version=version)
    except (OSError, SettingsError):
        await native.close()
        raise
    facade.watch(server.on_block, server.on_dropped)
    return RpcServers(native, None, server)
