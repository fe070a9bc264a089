"""The channel port of a 2.x node: what SDKs speak. TLS both ways, frames, JSON-RPC in them, and notices that nobody has to ask for.

Rule 1. A session is of protocol 1 until its handshake agreed on a later one. RPC frames are answered as the HTTP port answers.
Rule 2. Who sent a transaction over a session is told its receipt when its block is durable, with the seq of the request. From protocol 3
        on the pool's refusal comes that way, too: the call is answered with the hash, then a receipt with the refusal's status.
Rule 3. New blocks are told to the sessions subscribed to `_block_notify_<group>`; a subscription replaces the one before.
Rule 4. Nothing is believed of a client and nothing held for one that does not read: half a frame and what is unread are bounded, a session
        that says nothing for 60 s ends.

Not spoken: events and AMOP. Requests for AMOP are answered with result 100, registrations of events with an error.

Sources: spec 2.x 2.4, 3.2; libchannelserver ChannelRPCServer.cpp, ChannelSession.cpp.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, Final

import orjson

from fiscotool.devnet.contracts import ExecutedBlock
from fiscotool.devnet.log import NodeLog
from fiscotool.devnet.rpc2 import Rpc2
from fiscotool.devnet.rpc_exchange import Pending
from fiscotool.devnet.settings import Channel, SettingsError
from fiscotool.ledger.crypto import keccak256
from fiscotool.rpc.channel.frames import NO_SEQ, BadFrame, Frame, FrameReader, Kind, encode_frame, with_topic
from fiscotool.rpc.channel.words import BLOCK_TOPIC, PROTOCOL_MAX, PROTOCOL_MIN, heartbeat, is_heartbeat_question

__all__ = ["ChannelServer", "listen_channel"]

_IDLE_S: Final = 60.0
_SWEEP_S: Final = 5.0
_HANDSHAKE_S: Final = 10.0
_UNREAD_BYTES_MAX: Final = 16 << 20
_HELD_BYTES_MAX: Final = 8 << 20
_SESSIONS_MAX: Final = 1024
_WAITING_MAX: Final = 100_000
_ASYNC_PROTOCOL: Final = 3
_NO_PEER: Final = 100
_SEND: Final = frozenset({"sendRawTransaction", "sendRawTransactionAndGetProof"})
_STATUS: Final = {
    "TransactionNonceCheckFail": 15,
    "TxPoolNonceCheckFail": 15,
    "BlockLimitCheckFailed": 16,
    "TransactionPoolIsFull": 28,
    "TransactionAlreadyKown": 10000,
    "TransactionAlreadyInChain": 10001,
    "InvalidChainId": 10002,
    "InvalidGroupId": 10003,
    "MalformedTx": 10005,
}
"""Status of the receipt that tells of a refusal, by the pool's word."""


def _context(channel: Channel) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_cert_chain(channel.cert, channel.key)
        context.load_verify_locations(channel.ca_cert)
    except (OSError, ssl.SSLError) as problem:
        raise SettingsError(f"{channel.cert}: {problem}", hint="copy conf/ from where the chain was deployed") from problem
    if channel.is_elliptic:
        context.set_ecdh_curve("secp256k1")
    return context


class _Session(asyncio.Protocol):
    """One SDK."""

    def __init__(self, server: ChannelServer) -> None:
        self.server = server
        self.protocol = PROTOCOL_MIN
        self.topics: frozenset[str] = frozenset()
        self.heard_s = server.loop.time()
        self._frames = FrameReader()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TLS is up."""
        self._transport = transport  # type: ignore[assignment]
        if len(self.server.sessions) >= _SESSIONS_MAX:
            self.close()
        else:
            self.server.sessions.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The SDK is gone."""
        del exc
        self._transport = None
        self.server.sessions.discard(self)

    def data_received(self, data: bytes) -> None:
        """Bytes of any number of frames."""
        self.heard_s = self.server.loop.time()
        try:
            for frame in self._frames.feed(data):
                self._take(frame)
        except BadFrame as problem:
            self.server.log.limited("warning", "bad frame", "CHANNEL", "a client sent what is no frame", reason=problem)
            self.close()
        if self._frames.held_bytes > _HELD_BYTES_MAX:
            self.close()

    def send(self, kind: int, seq: str, data: bytes, result: int = 0) -> None:
        """Send a frame, unless the client does not read."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.write(encode_frame(Frame(kind, seq, data, result)))
        if transport.get_write_buffer_size() > _UNREAD_BYTES_MAX:
            transport.abort()

    def close(self) -> None:
        """End the session."""
        if self._transport is not None:
            self._transport.close()

    def _take(self, frame: Frame) -> None:
        if frame.kind == Kind.RPC:
            self.server.on_rpc(self, frame)
        elif frame.kind == Kind.HEARTBEAT:
            if is_heartbeat_question(frame.data):
                self.send(Kind.HEARTBEAT, frame.seq, heartbeat(self.protocol, is_answer=True))
        elif frame.kind == Kind.HANDSHAKE:
            self._agree(frame)
        elif frame.kind == Kind.SUBSCRIBE:
            topics = _json(frame.data)
            self.topics = frozenset(topic for topic in topics if isinstance(topic, str)) if isinstance(topics, list) else frozenset()
        elif frame.kind == Kind.EVENT_REGISTER:
            self.send(frame.kind, frame.seq, with_topic("", orjson.dumps({"filterID": "", "result": 1})))
        elif frame.kind == Kind.AMOP_REQUEST:
            self.send(Kind.AMOP_RESPONSE, frame.seq, frame.data, _NO_PEER)

    def _agree(self, frame: Frame) -> None:
        wanted = _json(frame.data)
        least, most = (wanted.get(name) if isinstance(wanted, dict) else None for name in ("minimumSupport", "maximumSupport"))
        if type(least) is not int or type(most) is not int or least > PROTOCOL_MAX or most < PROTOCOL_MIN:
            self.close()
            return
        self.protocol = min(most, PROTOCOL_MAX)
        answer = {"protocol": self.protocol, "nodeVersion": self.server.node_version}
        self.send(Kind.HANDSHAKE, frame.seq, orjson.dumps(answer))


def _json(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None


class ChannelServer:
    """The port with its sessions. Made by `listen_channel`; the node tells it of blocks."""

    def __init__(self, rpc: Rpc2, log: NodeLog, *, group: str, node_version: str) -> None:
        self.log = log
        self.node_version = node_version
        self.loop = asyncio.get_running_loop()
        self.sessions: set[_Session] = set()
        self._rpc = rpc
        self._group = int(group)
        self._listener: asyncio.Server | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._senders: dict[bytes, tuple[_Session, str]] = {}

    async def open(self, channel: Channel) -> None:
        """Listen. Raises OSError when the port is taken, SettingsError for certificates that cannot be used."""
        self._listener = await self.loop.create_server(
            lambda: _Session(self), channel.host, channel.port, ssl=_context(channel), ssl_handshake_timeout=_HANDSHAKE_S
        )
        self._sweep()

    async def close(self) -> None:
        """Stop listening and end every session."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._listener is not None:
            self._listener.close()
        for session in list(self.sessions):
            session.close()
        if self._listener is not None:
            await self._listener.wait_closed()

    def _sweep(self) -> None:
        now_s = self.loop.time()
        for session in list(self.sessions):
            if now_s - session.heard_s > _IDLE_S:
                session.close()
        self._sweeper = self.loop.call_later(_SWEEP_S, self._sweep)

    def on_rpc(self, session: _Session, frame: Frame) -> None:
        """Answer a request, now or when its answer is there."""
        raw = _sent_transaction(frame.data)
        answer = self._rpc.handle(frame.data)
        if isinstance(answer, Pending) and answer.answer is None:
            pending = answer
            pending.deliver = lambda: self._answer(session, frame, raw, pending.answer or b"")
        else:
            self._answer(session, frame, raw, (answer.answer or b"") if isinstance(answer, Pending) else answer)

    def _answer(self, session: _Session, frame: Frame, raw: bytes | None, answer: bytes) -> None:
        refusal: dict[str, Any] | None = None
        if raw is not None:
            tx_hash = keccak256(raw)
            told = _json(answer)
            if isinstance(told, dict) and "result" in told:
                self._remember(tx_hash, session, frame.seq)
            elif isinstance(told, dict) and session.protocol >= _ASYNC_PROTOCOL:
                refusal = _refusal(told.get("error"), tx_hash)
                if refusal is not None:
                    shown = {"id": told.get("id"), "jsonrpc": "2.0", "result": f"0x{tx_hash.hex()}"}
                    answer = orjson.dumps(shown) + b"\n"
        session.send(Kind.RPC, frame.seq, answer)
        if refusal is not None:
            session.send(Kind.TX_NOTIFY, frame.seq, orjson.dumps(refusal))

    def _remember(self, tx_hash: bytes, session: _Session, seq: str) -> None:
        if len(self._senders) >= _WAITING_MAX:
            del self._senders[next(iter(self._senders))]
        self._senders[tx_hash] = session, seq

    def on_block(self, block: ExecutedBlock) -> None:
        """A block is durable: tell who sent its transactions, and who wants to know of blocks."""
        for tx in block.txs if self._senders else ():
            found = self._senders.pop(tx.tx_hash, None)
            if found is not None and found[0] in self.sessions:
                found[0].send(Kind.TX_NOTIFY, found[1], orjson.dumps(self._rpc.receipt(tx.tx_hash)))
        topic = f"{BLOCK_TOPIC}{self._group}"
        for session in self.sessions:
            if topic in session.topics:
                first = b"%d,%d" % (self._group, block.number)
                later = orjson.dumps({"blockNumber": block.number, "groupID": self._group})
                session.send(Kind.BLOCK_NOTIFY, NO_SEQ, with_topic(topic, first if session.protocol == PROTOCOL_MIN else later))

    def on_dropped(self, tx_hash: bytes) -> None:
        """The pool gave a transaction up; nobody is told, as no receipt exists."""
        self._senders.pop(tx_hash, None)


def _sent_transaction(body: bytes) -> bytes | None:
    """The transaction in a request that sends one."""
    told = _json(body)
    if not isinstance(told, dict) or told.get("method") not in _SEND:
        return None
    params = told.get("params")
    try:
        return bytes.fromhex(params[1].removeprefix("0x")) if isinstance(params, list) else None
    except (IndexError, AttributeError, TypeError, ValueError):
        return None


def _refusal(error: Any, tx_hash: bytes) -> dict[str, Any] | None:
    message = error.get("message") if isinstance(error, dict) else None
    word = next((word for word in _STATUS if isinstance(message, str) and word in message), None)
    if word is None:
        return None
    return {"transactionHash": f"0x{tx_hash.hex()}", "status": hex(_STATUS[word]), "statusMsg": word}


async def listen_channel(rpc: Rpc2, log: NodeLog, channel: Channel, *, group: str, node_version: str) -> ChannelServer:
    """The channel port of a node. Raises OSError and SettingsError."""
    server = ChannelServer(rpc, log, group=group, node_version=node_version)
    await server.open(channel)
    return server
