"""The peers of a node: listens, dials, keeps one link to each, and knows who is connected.

Rule 1. Mutual TLS: both sides show a certificate of the chain's CA, both verify. What is refused is logged with the reason, at most
        once a second for each reason.
Rule 2. One link a pair: of two greeted links to the same node the one dialled by the node with the smaller id stays; of two dialled by
        the same node the newer one (the older is a leftover).
        One certificate stands for one node: a second node id with the same certificate is refused, or one member could be many peers.
Rule 3. Every endpoint of nodes.json that is not connected is dialled again and again, after 0.1 s, doubling to at most 1 s.
Rule 4. A link on which nothing arrived for 60 s is closed (block synchronisation says something every 2 s at least).

Sources: spec 3.x 0, 4.5, 5.3; bcos-gateway `libp2p/Service.cpp` (`heartBeat`, `onConnect`, `updatePeerBlacklist`).
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final, Protocol

from fiscotool.devnet.frames import encode_frame
from fiscotool.devnet.inifile import SettingsError
from fiscotool.devnet.links import GREETING_S, Identity, Link
from fiscotool.devnet.log import NodeLog
from fiscotool.devnet.settings import Endpoint, Settings

__all__ = ["PeerListener", "Peers", "tls_contexts"]

_DIAL_AGAIN_S_MIN: Final = 0.1
_DIAL_AGAIN_S_MAX: Final = 1.0
_IDLE_S_MAX: Final = 60.0
_HEARTBEAT_S: Final = 10.0
_DIALLING_S: Final = 5.0
_HANDSHAKES_MAX: Final = 64
_CHOKED_BYTES: Final = 8 * 1024 * 1024


class PeerListener(Protocol):
    """Who wants to know of peers (the node)."""

    def on_peer_connected(self, node_id: bytes) -> None:
        """A new peer can be sent to."""

    def on_peer_lost(self, node_id: bytes) -> None:
        """A peer is gone."""

    def on_peer_frame(self, node_id: bytes, module: int, payload: bytes) -> None:
        """A frame of a connected peer."""


def tls_contexts(settings: Settings) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """(server, client) contexts of conf/ca.crt, ssl.crt, ssl.key. Raises SettingsError."""
    made: list[ssl.SSLContext] = []
    for protocol in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT):
        context = ssl.SSLContext(protocol)
        context.check_hostname = False  # The certificates name an agency, not a host; trust is the CA's signature (spec 4.4).
        context.verify_mode = ssl.CERT_REQUIRED
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.genesis.generation == 2:  # noqa: PLR2004 - FISCO BCOS 2, whose P2P keys are on a curve TLS 1.3 does not know
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ecdh_curve("secp256k1")
        try:
            context.load_cert_chain(settings.node_cert, settings.node_key)
            context.load_verify_locations(settings.ca_cert)
        except (OSError, ssl.SSLError) as problem:
            text = f"the certificates cannot be used: {problem} ({settings.node_cert}, {settings.node_key}, {settings.ca_cert})"
            raise SettingsError(text, hint="copy conf/ from where the chain was deployed") from problem
        made.append(context)
    return made[0], made[1]


class Peers:
    """All links of the node. `connected` maps node id to its one greeted link."""

    def __init__(self, settings: Settings, identity: Identity, listener: PeerListener, log: NodeLog, clock: Callable[[], float]) -> None:
        self.settings = settings
        self.identity = identity
        self.connected: dict[bytes, Link] = {}
        self.frames_refused = 0
        self.blacklist = settings.certificate_blacklist
        self.whitelist = settings.certificate_whitelist
        self._listener = listener
        self._log = log
        self._clock = clock
        self._tls_server, self._tls_client = tls_contexts(settings)
        self._socket: socket.socket | None = None
        self._handshakes = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._links: set[Link] = set()
        self._dialled: dict[Endpoint, asyncio.Task[None]] = {}
        self._node_at: dict[Endpoint, bytes] = {}
        self._is_stopping = False

    def keep(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine until it is done or the node stops."""
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def listen(self) -> None:
        """Bind the P2P port. Raises OSError."""
        endpoint = self.settings.p2p
        family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
        self._socket = socket.create_server((endpoint.host, endpoint.port), family=family, backlog=128)
        self._socket.setblocking(False)

    def start(self) -> None:
        """Begin to dial and to watch."""
        self.set_nodes(self.settings.nodes)
        self.keep(self._accept())
        self.keep(self._watch())

    def set_nodes(self, nodes: Iterable[Endpoint]) -> None:
        """Dial these from now on (nodes.json, again after SIGUSR1); a removed one keeps the link it has."""
        wanted = set(nodes)
        for endpoint in wanted - self._dialled.keys():
            self._dialled[endpoint] = self.keep(self._dial_forever(endpoint))
        for endpoint in self._dialled.keys() - wanted:
            self._dialled.pop(endpoint).cancel()

    def set_certificates(self, blacklist: frozenset[str], whitelist: frozenset[str]) -> None:
        """Refuse and accept these P2P ids from now on (config.ini, again after SIGUSR1); links of refused ones are closed."""
        self.blacklist, self.whitelist = blacklist, whitelist
        for link in list(self._links):
            reason = self._refusal(link.p2p_id)
            if link.p2p_id and reason:
                self._log.info("P2PService", "updatePeerBlacklist, disconnect peer in blacklist", nodeid=link.p2p_id[:8] + "...")
                link.close(reason)

    def _refusal(self, p2p_id: str) -> str:
        if p2p_id in self.blacklist:
            return "its certificate is in certificate_blacklist"
        if self.whitelist and p2p_id not in self.whitelist:
            return "its certificate is not in certificate_whitelist"
        return ""

    async def stop(self) -> None:
        """Close everything; no callbacks to the listener after this."""
        self._is_stopping = True
        for task in list(self._tasks):
            task.cancel()
        for link in list(self._links):
            link.abort("the node stops")
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._socket is not None:
            self._socket.close()

    def send(self, node_id: bytes, module: int, payload: bytes) -> bool:
        """Send to one peer. False when it is not connected."""
        link = self.connected.get(node_id)
        if link is None:
            return False
        link.send(module, payload)
        return True

    def is_choked(self, node_id: bytes) -> bool:
        """Whether so much waits for this peer to read that it should be given nothing that it merely asked for."""
        link = self.connected.get(node_id)
        return link is not None and link.unsent_bytes > _CHOKED_BYTES

    def charge(self, node_id: bytes, cpu_s: float) -> None:
        """So much time went into something of this peer's that led to nothing (links.py Rule 5)."""
        link = self.connected.get(node_id)
        if link is not None:
            link.charge(cpu_s)

    def broadcast(self, module: int, payload: bytes, to: Iterable[bytes] | None = None) -> None:
        """Send to all connected peers, or to those of `to` that are connected."""
        frame = encode_frame(module, payload)
        targets = self.connected if to is None else to
        for node_id in targets:
            link = self.connected.get(node_id)
            if link is not None:
                link.send_encoded(frame)

    async def _accept(self) -> None:
        """Accept by hand, because a server of the loop's own says nothing about handshakes that fail."""
        loop = asyncio.get_running_loop()
        assert self._socket is not None
        while True:
            try:
                connection, address = await loop.sock_accept(self._socket)
            except OSError as problem:
                # Out of file descriptors, most likely: the connections there are go on.
                self._refused("accepting failed", "", str(problem))
                await asyncio.sleep(_DIAL_AGAIN_S_MAX)
                continue
            if self._handshakes >= _HANDSHAKES_MAX:
                connection.close()
                self._refused("too many handshakes at once", str(address[0]), "")
                continue
            self.keep(self._handshake(connection, str(address[0])))

    async def _handshake(self, connection: socket.socket, host: str) -> None:
        link = Link(self, self.identity, is_dialled=False, clock=self._clock)
        self._links.add(link)
        self._handshakes += 1
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: link, connection, ssl=self._tls_server, ssl_handshake_timeout=GREETING_S
            )
        except OSError as problem:
            self._links.discard(link)
            connection.close()
            self._refused("TLS handshake refused", host, str(problem) or type(problem).__name__)
        finally:
            self._handshakes -= 1

    async def _dial_forever(self, endpoint: Endpoint) -> None:
        pause_s = _DIAL_AGAIN_S_MIN
        while not self._is_stopping:
            known = self._node_at.get(endpoint, b"")
            if known == self.identity.key.node_id:
                return
            if known not in self.connected:
                pause_s = _DIAL_AGAIN_S_MIN if await self._dial(endpoint) else min(pause_s * 2, _DIAL_AGAIN_S_MAX)
            else:
                pause_s = _DIAL_AGAIN_S_MIN
            await asyncio.sleep(pause_s)

    async def _dial(self, endpoint: Endpoint) -> bool:
        """Dial once and wait until the greeting is over. True when the link is greeted."""
        loop = asyncio.get_running_loop()
        link = Link(self, self.identity, is_dialled=True, clock=self._clock)
        self._links.add(link)
        try:
            async with asyncio.timeout(_DIALLING_S):
                await loop.create_connection(
                    lambda: link, endpoint.host, endpoint.port, ssl=self._tls_client, server_hostname="", ssl_handshake_timeout=GREETING_S
                )
        except OSError as problem:  # A TimeoutError is one.
            self._links.discard(link)
            if not isinstance(problem, ConnectionRefusedError):
                self._refused("connecting failed", str(endpoint), str(problem) or type(problem).__name__)
            return False
        await link.settled.wait()  # The greeting has its own deadline, at which the link closes.
        if link.node_id:
            self._node_at[endpoint] = link.node_id
        elif link.close_reason == "it is this node itself":
            self._node_at[endpoint] = self.identity.key.node_id
        return link.is_greeted

    def _refused(self, what: str, peer: str, reason: str) -> None:
        self.frames_refused += 1
        self._log.limited("warning", f"{what} {reason}", "P2PService", what, endpoint=peer, reason=reason, refused=self.frames_refused)

    def on_greeted(self, link: Link) -> None:
        """Links call this; see Rule 2."""
        is_second = any(other.p2p_id == link.p2p_id and other.node_id != link.node_id for other in self.connected.values())
        reason = self._refusal(link.p2p_id) or ("its certificate is in use by another node" if is_second else "")
        if reason:
            self._refused("peer refused", link.endpoint.rsplit(":", 1)[0], reason)
            link.close(reason)
            return
        held = self.connected.get(link.node_id)
        if held is not None and not held.close_reason:
            preferred_is_dialled = self.identity.key.node_id < link.node_id
            if held.is_dialled == preferred_is_dialled and link.is_dialled != preferred_is_dialled:
                link.close("Disconnect duplicate peer")
                return
        self.connected[link.node_id] = link
        if held is not None:
            held.close("Disconnect duplicate peer")
            return
        self._log.info(
            "P2PService", "onConnect", p2pid=link.p2p_id[:8] + "...", endpoint=link.endpoint, nodeId=link.node_id.hex()[:8] + "..."
        )
        self._listener.on_peer_connected(link.node_id)

    def on_frame(self, link: Link, module: int, payload: bytes) -> None:
        """Links call this for frames of greeted peers."""
        if not self._is_stopping:
            self._listener.on_peer_frame(link.node_id, module, payload)

    def on_lost(self, link: Link, reason: str) -> None:
        """Links call this when they are gone."""
        self._links.discard(link)
        if self._is_stopping:
            return
        if not link.is_greeted:
            if link.close_reason not in {"", "it is this node itself"}:
                self._refused("peer refused", link.endpoint.rsplit(":", 1)[0], reason)
            return
        if self.connected.get(link.node_id) is link:
            del self.connected[link.node_id]
            self._log.info("P2PService", "onDisconnect", endpoint=link.endpoint, nodeId=link.node_id.hex()[:8] + "...", reason=reason)
            self._listener.on_peer_lost(link.node_id)

    async def _watch(self) -> None:
        """Heartbeat line every 10 s; close links that fell silent."""
        while True:
            self._log.info("P2PService][Service][METRIC", "heartBeat", **{"connected count": len(self.connected)})
            await asyncio.sleep(_HEARTBEAT_S)
            for link in list(self._links):
                if self._clock() - link.heard_at_s > _IDLE_S_MAX:
                    self._log.info("P2PService", "Long time without read operation", endpoint=link.endpoint)
                    link.abort(f"nothing heard for {_IDLE_S_MAX:g} s")
