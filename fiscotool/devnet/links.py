"""One link to a peer: TLS both ways, the greeting that proves who speaks, frames in and out.

Rule 1. Before the greeting is done a link accepts frames of at most 64 KiB and hands nothing on; it has 5 seconds.
Rule 2. The greeting: both sides send Hello (node id, group, genesis hash, a fresh 32-byte number), then a signature with the node key over
        group, genesis hash, both certificates' fingerprints and both numbers. A recorded greeting is useless (fresh numbers), and so is
        a relayed one (the relay's own certificate is signed in).
Rule 3. What is sent within one turn of the event loop leaves in one write. A peer that does not read is dropped at 64 MiB.
Rule 4. Nothing a peer sends raises here: a bad frame closes the link with a reason.
Rule 5. A peer gets at most a tenth of this node's time for what leads to nothing: garbage, refused transactions, votes that change nothing,
        requests. That is charged to its link, and a link beyond its share is not read until it is within it again. So a flood waits in the
        flooder's own socket, and the other peers are heard. What a node gains from is free.

Sources: spec 3.x 0, 1.16; bcos-gateway `libnetwork/Session.cpp` (idle limit); Krawczyk, "SIGMA" (2003), for binding both identities.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from google.protobuf.message import DecodeError

from fiscotool.devnet.der import DerError, fingerprint, names_of, p2p_id_of
from fiscotool.devnet.frames import FrameBuffer, FrameError, Module, encode_frame
from fiscotool.devnet.proto import node_pb2
from fiscotool.ledger.crypto import BadSignature, KeyPair, keccak256, recover

__all__ = ["GREETING_S", "Identity", "Link", "LinkOwner"]

GREETING_S: Final = 5.0
_GREETING_BYTES_MAX: Final = 64 * 1024
_UNSENT_BYTES_MAX: Final = 64 * 1024 * 1024
_CLOSING_S: Final = 2.0
_NONCE_BYTES: Final = 32
_NODE_ID_BYTES: Final = 64
_SHARE: Final = 0.1
_BURST_S: Final = 0.5
"""How much a peer may save up. An honest one needs it when it comes back and asks for a chain of blocks."""
_DOMAIN: Final = b"fiscotool link 1"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this node is on a link. `certificate` is its own TLS certificate in DER."""

    key: KeyPair
    group_id: str
    chain_id: str
    genesis_hash: bytes
    certificate: bytes
    listen_port: int
    message_bytes_max: int


class LinkOwner(Protocol):
    """Who keeps the links (`peers.Peers`)."""

    def on_greeted(self, link: Link) -> None:
        """The peer has proved who it is."""

    def on_frame(self, link: Link, module: int, payload: bytes) -> None:
        """A frame of a greeted peer."""

    def on_lost(self, link: Link, reason: str) -> None:
        """The link is gone; `reason` says why."""


class Link(asyncio.Protocol):
    """A link, incoming (`is_dialled` false) or outgoing. `node_id` and `p2p_id` are set once greeted.

    `names` are the common names of its certificate and of who issued it.
    """

    def __init__(self, owner: LinkOwner, identity: Identity, *, is_dialled: bool, clock: Callable[[], float]) -> None:
        self.owner = owner
        self.identity = identity
        self.is_dialled = is_dialled
        self.node_id = b""
        self.p2p_id = ""
        self.names = ("", "")
        self.endpoint = ""
        self.listen_port = 0
        self.is_greeted = False
        self.close_reason = ""
        self.heard_at_s = clock()
        self._clock = clock
        self._frames = FrameBuffer(_GREETING_BYTES_MAX)
        self._transport: asyncio.Transport | None = None
        self._nonce = secrets.token_bytes(_NONCE_BYTES)
        self._hello: Any = None
        self._peer_print = b""
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0
        self._is_flush_planned = False
        self._greeting_timer: asyncio.TimerHandle | None = None
        self._early: list[bytes] = []
        self._credit_s = _BURST_S
        self._credit_at_s = self.heard_at_s
        self._is_held = False
        self.settled = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TLS is up: greet."""
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]
        peer = transport.get_extra_info("peername") or ("?", 0)
        self.endpoint = f"{peer[0]}:{peer[1]}"
        tls = transport.get_extra_info("ssl_object")
        certificate = tls.getpeercert(binary_form=True) if tls is not None else None
        try:
            self.p2p_id = p2p_id_of(certificate or b"")
            self.names = names_of(certificate or b"")
        except DerError as problem:
            self.close(f"the certificate has no key to tell it by: {problem}")
            return
        self._peer_print = fingerprint(certificate or b"")
        loop = asyncio.get_running_loop()
        self._greeting_timer = loop.call_later(GREETING_S, self.close, f"no greeting within {GREETING_S:g} s")
        hello = node_pb2.Hello(
            version=1,
            nodeID=self.identity.key.node_id,
            groupID=self.identity.group_id,
            chainID=self.identity.chain_id,
            genesisHash=self.identity.genesis_hash,
            nonce=self._nonce,
            listenPort=self.identity.listen_port,
        )
        self.send(Module.LINK, hello.SerializeToString())
        early, self._early = self._early, []
        for data in early:
            self.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone."""
        self._transport = None
        self.settled.set()
        if self._greeting_timer is not None:
            self._greeting_timer.cancel()
        self.owner.on_lost(self, self.close_reason or (str(exc) if exc else "closed by the peer"))

    def data_received(self, data: bytes) -> None:
        """Bytes of the peer, decrypted. Those that came with the last bytes of the handshake may precede `connection_made`."""
        self.heard_at_s = self._clock()
        if self._transport is None:
            self._early.append(data)
            return
        try:
            for module, payload in self._frames.feed(data):
                if self.close_reason:
                    return
                if self.is_greeted:
                    self.owner.on_frame(self, module, payload)
                else:
                    self._greet(module, payload)
        except FrameError as problem:
            self.close(str(problem))

    def charge(self, cpu_s: float) -> None:
        """So much time went into something of this peer's that led to nothing (Rule 5)."""
        now_s = self._clock()
        self._credit_s = min(_BURST_S, self._credit_s + _SHARE * (now_s - self._credit_at_s)) - cpu_s
        self._credit_at_s = now_s
        if self._credit_s < 0 and not self._is_held and self._transport is not None:
            self._is_held = True
            self._transport.pause_reading()
            asyncio.get_running_loop().call_later(-self._credit_s / _SHARE, self._release)

    def _release(self) -> None:
        self._is_held = False
        if self._transport is not None and not self.close_reason:
            self._transport.resume_reading()
            self.charge(0.0)  # What was charged meanwhile may take longer.

    def _proof(self, signer: bytes, own_print: bytes, other_print: bytes, own_nonce: bytes, other_nonce: bytes) -> bytes:
        group = self.identity.group_id.encode()
        return keccak256(
            b"".join([_DOMAIN, keccak256(group), self.identity.genesis_hash, signer, own_print, other_print, own_nonce, other_nonce])
        )

    def _greet(self, module: int, payload: bytes) -> None:
        if module != Module.LINK:
            self.close(f"module {module} before the greeting")
            return
        try:
            if self._hello is None:
                self._on_hello(node_pb2.Hello.FromString(payload))
            else:
                self._on_proof(node_pb2.HelloProof.FromString(payload))
        except (DecodeError, BadSignature) as problem:
            self.close(f"a greeting that cannot be read: {problem}")

    def _on_hello(self, hello: Any) -> None:
        if hello.groupID != self.identity.group_id or hello.chainID != self.identity.chain_id:
            self.close(f"it belongs to chain {hello.chainID!r:.40}, group {hello.groupID!r:.40}")
        elif hello.genesisHash != self.identity.genesis_hash:
            self.close(f"another genesis block: {hello.genesisHash[:4].hex()}... instead of {self.identity.genesis_hash[:4].hex()}...")
        elif len(hello.nodeID) != _NODE_ID_BYTES or len(hello.nonce) != _NONCE_BYTES:
            self.close("a greeting without node id or number")
        elif hello.nodeID == self.identity.key.node_id:
            self.close("it is this node itself")
        else:
            self._hello = hello
            own_print = fingerprint(self.identity.certificate)
            proof = self._proof(self.identity.key.node_id, own_print, self._peer_print, self._nonce, hello.nonce)
            self.send(Module.LINK, node_pb2.HelloProof(signature=self.identity.key.sign(proof)).SerializeToString())

    def _on_proof(self, proof: Any) -> None:
        hello = self._hello
        expected = self._proof(hello.nodeID, self._peer_print, fingerprint(self.identity.certificate), hello.nonce, self._nonce)
        if recover(expected, proof.signature) != hello.nodeID:
            self.close("the greeting is not signed by the node it names")
            return
        self.node_id = hello.nodeID
        self.listen_port = hello.listenPort
        self.is_greeted = True
        self._frames.bytes_max = self.identity.message_bytes_max
        if self._greeting_timer is not None:
            self._greeting_timer.cancel()
        self.owner.on_greeted(self)
        self.settled.set()

    def send(self, module: int, payload: bytes) -> None:
        """Send a frame with the next flush. A closed link drops it silently: the protocol tolerates loss."""
        self.send_encoded(encode_frame(module, payload))

    def send_encoded(self, frame: bytes) -> None:
        """Send a frame that is encoded already (a broadcast encodes once)."""
        if self._transport is None or self.close_reason:
            return
        self._unsent.append(frame)
        self._unsent_bytes += len(frame)
        if not self._is_flush_planned:
            self._is_flush_planned = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flush_planned = False
        transport = self._transport
        if transport is None or not self._unsent:
            return
        data = self._unsent[0] if len(self._unsent) == 1 else b"".join(self._unsent)
        self._unsent.clear()
        self._unsent_bytes = 0
        if transport.get_write_buffer_size() + len(data) > _UNSENT_BYTES_MAX:
            self.abort(f"it does not read: more than {_UNSENT_BYTES_MAX >> 20} MiB are waiting")
            return
        transport.write(data)

    @property
    def unsent_bytes(self) -> int:
        """How much waits because the peer does not read."""
        return self._unsent_bytes + (self._transport.get_write_buffer_size() if self._transport is not None else 0)

    def close(self, reason: str) -> None:
        """Close after what is already handed to the transport, or after 2 seconds; the first reason counts."""
        self.close_reason = self.close_reason or reason
        if self._transport is not None:
            self._transport.close()
            asyncio.get_running_loop().call_later(_CLOSING_S, self.abort, reason)

    def abort(self, reason: str) -> None:
        """Close at once, dropping what is unsent."""
        self.close_reason = self.close_reason or reason
        if self._transport is not None:
            self._transport.abort()
