"""One connection of the channel protocol, on an asyncio loop.

Rule 1. A link is open or closed, once: when the connection ends, or the node says nothing for `silent_s`, or what it says is no frame,
        everything that waits is told why, and the owner makes another.
Rule 2. A heartbeat goes out every `heartbeat_s`; its answer, or anything else, proves that the node is there.
Rule 3. A call whose connection ends before its answer is OutcomeUnknown: it may have been done.
Rule 4. Notices are handed to `on_notice` as they are; an exception there would be ours and ends the link.

Sources: spec 2.x 2.4; libchannelserver/ChannelRPCServer.cpp (idle connections are dropped after 60 s).
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fiscotool.errors import MalformedAnswer, OutcomeUnknown, RpcError, Unreachable
from fiscotool.rpc.channel import words
from fiscotool.rpc.channel.frames import BadFrame, Frame, FrameReader, Kind, encode_frame, new_seq
from fiscotool.rpc.members import UnexpectedShape

_READ_BYTES: Final = 1 << 16
_HINT_AGENCY: Final = (
    "the node takes clients of its own agency only: use the sdk directory beside this node; or its sdk_allowlist does not have this client"
)
_HINT_PORT: Final = "the channel port of a 2.x node is 20200 … (channel_listen_port in config.ini); its JSON-RPC over HTTP is 8545 …"
_HINT_TLS: Final = "the certificates must be of this chain's CA (nodes/<ip>/sdk); a chain made with -R, or before 2.9.0, has secp256k1 ones"


@dataclass(frozen=True, slots=True)
class Pace:
    """How long what may take, in seconds. `silent_s` must leave room for a heartbeat and its answer."""

    connect_s: float = 5.0
    heartbeat_s: float = 5.0
    silent_s: float = 15.0


def _nothing(_frame: Frame) -> None:
    return None


class ChannelLink:
    """A connection after its handshake. Made by `open`; ended by `close`, or by the node. `name` is what messages call the node."""

    def __init__(
        self,
        name: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        pace: Pace,
        on_notice: Callable[[Frame], None],
    ) -> None:
        self.name = name
        self.agreed = words.Agreed(words.PROTOCOL_MIN)
        self.unknown_count = 0
        self._reader, self._writer = reader, writer
        self._pace = pace
        self._on_notice = on_notice
        self._waiting: dict[str, asyncio.Future[Frame]] = {}
        self._why = ""
        self._is_garbage = False
        self._heard_s = asyncio.get_running_loop().time()
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._beat())]
        self._closed = asyncio.Event()

    @classmethod
    async def open(
        cls,
        host: str,
        port: int,
        context: ssl.SSLContext,
        *,
        name: str = "",
        pace: Pace | None = None,
        on_notice: Callable[[Frame], None] = _nothing,
    ) -> ChannelLink:
        """Connect and shake hands. Raises Unreachable, MalformedAnswer or OutcomeUnknown, in `pace.connect_s` at most."""
        pace = pace or Pace()
        name = name or f"{host}:{port}"
        link: ChannelLink | None = None
        try:
            async with asyncio.timeout(pace.connect_s):
                try:
                    reader, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname="")
                except ssl.SSLError as problem:
                    raise Unreachable(
                        f"{name} refused the TLS connection to its channel port {port}: {problem.reason or problem}",
                        node=name,
                        hint=_HINT_PORT if problem.reason in _PLAIN else _HINT_TLS,
                    ) from problem
                except ConnectionError as problem:
                    if isinstance(problem, ConnectionRefusedError):
                        raise
                    raise Unreachable(f"{name} ended the TLS handshake on its channel port {port}", node=name, hint=_HINT_TLS) from problem
                link = cls(name, reader, writer, pace=pace, on_notice=on_notice)
                await link._shake_hands()
                return link
        except TimeoutError as problem:
            if link is not None:
                await link.close()
            raise Unreachable(
                f"{name} did not {'answer the handshake' if link else 'connect'} on port {port} within {pace.connect_s:g} s",
                node=name,
                hint="the node may be frozen or overloaded: fiscotool status",
            ) from problem
        except OSError as problem:
            reason = problem.strerror or str(problem)
            raise Unreachable(
                f"{name} cannot be reached on port {port}: {reason}", node=name, hint="is the node running? fiscotool status"
            ) from problem
        except RpcError:
            if link is not None:
                await link.close()
            raise

    @property
    def is_open(self) -> bool:
        """Whether calls can be made."""
        return not self._why

    @property
    def why_closed(self) -> str:
        """Why the link ended; "" while it is open."""
        return self._why

    async def _shake_hands(self) -> None:
        frame = Frame(Kind.HANDSHAKE, new_seq(), words.handshake_request())
        try:
            answer = await self._exchange(frame)
            self.agreed = words.read_handshake(answer.data)
        except OutcomeUnknown as problem:
            if self._is_garbage:
                raise MalformedAnswer(
                    f"{self.name} speaks TLS, and not the channel protocol: {self._why}", node=self.name, hint=_HINT_PORT
                ) from problem
            raise Unreachable(
                f"{self.name} closed the channel after the TLS handshake: {self._why}", node=self.name, hint=_HINT_AGENCY
            ) from problem
        except UnexpectedShape as problem:
            raise MalformedAnswer(f"{self.name} answered the channel's handshake: {problem}", node=self.name, hint=_HINT_PORT) from problem

    # Calls

    async def exchange(self, kind: Kind, data: bytes, *, seq: str = "", within_s: float) -> Frame:
        """Send a frame and return the one that answers it. Raises OutcomeUnknown; Unreachable when the link is closed already."""
        if self._why:
            raise Unreachable(f"the channel to {self.name} is closed: {self._why}", node=self.name, hint="it is opened again by itself")
        frame = Frame(kind, seq or new_seq(), data)
        try:
            async with asyncio.timeout(within_s):
                return await self._exchange(frame)
        except TimeoutError as problem:
            raise OutcomeUnknown(
                f"{self.name} did not answer over the channel within {within_s:g} s",
                node=self.name,
                hint="the node may be frozen or overloaded: fiscotool status",
            ) from problem

    async def _exchange(self, frame: Frame) -> Frame:
        answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._waiting[frame.seq] = answer
        try:
            await self._send(frame)
            return await answer
        finally:
            self._waiting.pop(frame.seq, None)

    async def subscribe(self, groups: list[str]) -> None:
        """Ask for notices about new blocks of these groups; there is no answer to this."""
        await self._send(Frame(Kind.SUBSCRIBE, new_seq(), words.subscription(groups)))

    async def _send(self, frame: Frame) -> None:
        if self._why:
            raise OutcomeUnknown(f"{self.name} closed the channel: {self._why}", node=self.name)
        try:
            self._writer.write(encode_frame(frame))
            await self._writer.drain()
        except (ConnectionError, ssl.SSLError, OSError) as problem:
            self._end(f"writing failed: {problem}")
            raise OutcomeUnknown(f"{self.name} closed the channel: {problem}", node=self.name) from problem

    # The other direction

    async def _read(self) -> None:
        frames = FrameReader()
        loop = asyncio.get_running_loop()
        try:
            while data := await self._reader.read(_READ_BYTES):
                self._heard_s = loop.time()
                for frame in frames.feed(data):
                    await self._take(frame)
            cut = f" within a frame, {frames.held_bytes} bytes into it" if frames.held_bytes else ""
            self._end(f"the node ended the connection{cut}")
        except BadFrame as problem:
            self._is_garbage = True
            self._end(str(problem))
        except (ConnectionError, ssl.SSLError, OSError) as problem:
            self._end(f"the connection broke: {getattr(problem, 'reason', None) or problem}")
        except OutcomeUnknown as problem:
            self._end(problem.message)
        finally:
            self._end("reading stopped")

    async def _take(self, frame: Frame) -> None:
        waiting = self._waiting.get(frame.seq)
        if frame.kind == Kind.HEARTBEAT:
            if words.is_heartbeat_question(frame.data):
                await self._send(Frame(Kind.HEARTBEAT, frame.seq, words.heartbeat(self.agreed.protocol, is_answer=True)))
        elif waiting is not None and frame.kind in (Kind.RPC, Kind.HANDSHAKE):
            if not waiting.done():
                waiting.set_result(frame)
        elif frame.kind in (Kind.BLOCK_NOTIFY, Kind.TX_NOTIFY, Kind.EVENT_PUSH):
            self._on_notice(frame)
        else:
            self.unknown_count += 1

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OutcomeUnknown):
            while not self._why:
                await asyncio.sleep(min(self._pace.heartbeat_s, self._pace.silent_s / 3))
                if loop.time() - self._heard_s > self._pace.silent_s:
                    self._end(f"the node said nothing for {self._pace.silent_s:g} s, not even to heartbeats")
                    return
                if self.agreed.node_version or self.agreed.protocol == 1:
                    await self._send(Frame(Kind.HEARTBEAT, new_seq(), words.heartbeat(self.agreed.protocol, is_answer=False)))

    # The end

    def _end(self, why: str) -> None:
        if self._why:
            return
        self._why = why
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(
                    OutcomeUnknown(
                        f"{self.name} gave no answer over the channel: {why}",
                        node=self.name,
                        hint="the node may have been restarted: ask again",
                    )
                )
        self._writer.close()
        self._closed.set()

    async def closed(self) -> str:
        """Wait until the link is closed; why it is."""
        await self._closed.wait()
        return self._why

    async def close(self) -> None:
        """End the connection."""
        self._end("closed")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(ConnectionError, ssl.SSLError, OSError, TimeoutError):
            async with asyncio.timeout(1.0):
                await self._writer.wait_closed()


_PLAIN: Final = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNEXPECTED_MESSAGE"})
"""What OpenSSL says when the other side does not speak TLS."""
