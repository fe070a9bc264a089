"""Stays connected to a node's channel port, and subscribed: new blocks are told as the node has them, not asked for.

Rule 1. A connection that ends is made again, at once the first time and then with growing pauses up to `pause_max_s`, for as long as
        the follower runs. Each change of state is told in words.
Rule 2. After each (re)connection the height is asked for and told like a notice: what came while there was no connection shows as a
        jump. Heights in between are for the listener to fetch; notices may also come twice.
Rule 3. Calls use the same connection and open it when there is none.

Source: spec 2.x 2.4.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from fiscotool.errors import OutcomeUnknown, Refused, RpcError, UsageError
from fiscotool.rpc.channel import words
from fiscotool.rpc.channel.frames import Frame, Kind, new_seq
from fiscotool.rpc.channel.link import ChannelLink, Pace
from fiscotool.rpc.codec import Asked, RawAnswer, parse_answer
from fiscotool.rpc.dialect import Dialect
from fiscotool.rpc.members import UnexpectedShape
from fiscotool.rpc.replies2_status import natural2

PAUSE_MIN_S: Final = 0.2
PAUSE_MAX_S: Final = 5.0
_HEIGHT_WITHIN_S: Final = 5.0
_HTTP_OK: Final = 200


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a node's channel port is, and what is said to it in. `name` is what messages call the node."""

    host: str
    port: int
    context: ssl.SSLContext
    name: str = ""

    @classmethod
    def of(cls, address: str, context: ssl.SSLContext, *, name: str = "") -> Endpoint:
        """From HOST:PORT. Raises UsageError."""
        host, colon, port = address.removeprefix("channel://").rpartition(":")
        if not colon or not host or not port.isdigit():
            raise UsageError(f"{address!r} is not the address of a channel port", hint="write it as HOST:PORT, such as 127.0.0.1:20200")
        return cls(host.strip("[]"), int(port), context, name or address)


def _ignore_block(_notice: words.BlockNotice) -> None:
    return None


def _ignore_state(_state: str) -> None:
    return None


class ChannelFollower:
    """One node's channel, kept open. Belongs to one asyncio loop. The callbacks are called in it and must not block."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        groups: Sequence[str] = (),
        on_block: Callable[[words.BlockNotice], None] = _ignore_block,
        on_state: Callable[[str], None] = _ignore_state,
        pace: Pace | None = None,
        pause_max_s: float = PAUSE_MAX_S,
    ) -> None:
        self.problems = 0
        self._endpoint = endpoint
        self._groups = list(groups)
        self._on_block, self._on_state = on_block, on_state
        self._pace = pace or Pace()
        self._pause_max_s = pause_max_s
        self._link: ChannelLink | None = None
        self._opening = asyncio.Lock()
        self._awaited: dict[str, asyncio.Future[words.TxNotice]] = {}

    # The connection

    async def run(self) -> None:
        """Follow until cancelled."""
        pause_s = 0.0
        while True:
            try:
                link = await self.link()
                for group in self._groups:
                    await self._tell_height(group)
                self._on_state("connected")
                pause_s = 0.0
                why = await link.closed()
            except RpcError as problem:
                why = problem.message
            self._on_state(f"not connected: {why}")
            if pause_s:
                await asyncio.sleep(pause_s)
            pause_s = min(self._pause_max_s, max(PAUSE_MIN_S, pause_s * 2))

    async def link(self) -> ChannelLink:
        """The open connection, made and subscribed if there is none."""
        async with self._opening:
            if self._link is not None and self._link.is_open:
                return self._link
            if self._link is not None:
                await self._link.close()
            end = self._endpoint
            self._link = await ChannelLink.open(end.host, end.port, end.context, name=end.name, pace=self._pace, on_notice=self._notice)
            if self._groups:
                await self._link.subscribe(self._groups)
            return self._link

    async def close(self) -> None:
        """End the connection."""
        if self._link is not None:
            await self._link.close()
        for awaited in self._awaited.values():
            awaited.cancel()

    async def _tell_height(self, group: str) -> None:
        body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "getBlockNumber", "params": [int(group)]})
        asked = Asked("getBlockNumber", 1, self._endpoint.name, Dialect.FISCO2)
        try:
            height = natural2(parse_answer(await self.call(body, within_s=_HEIGHT_WITHIN_S), asked))
        except Refused as problem:
            self._on_state(problem.message)
        except UnexpectedShape:
            self.problems += 1
        else:
            self._on_block(words.BlockNotice(group, height))

    # Calls

    async def call(self, body: bytes, *, within_s: float, seq: str = "") -> RawAnswer:
        """One JSON-RPC request over the channel."""
        link = await self.link()
        frame = await link.exchange(Kind.RPC, body, seq=seq, within_s=within_s)
        if frame.result:
            meaning = words.AMOP_CODES.get(frame.result, "the node does not say why")
            raise Refused(
                f"{self._endpoint.name} refused the request over the channel with result {frame.result}: {meaning}",
                code=frame.result,
                node=self._endpoint.name,
                hint="look into the node's log: fiscotool logs",
            )
        return RawAnswer(_HTTP_OK, frame.data, "application/json")

    async def send(self, body: bytes, asked: Asked, *, tx_hash: str, within_s: float) -> words.TxNotice:
        """Send a transaction (a sendRawTransaction request) and wait for what came of it.

        Raises Refused: definitely not done; OutcomeUnknown with `tx_hash`: it may have been done, and may yet be.
        """
        seq = new_seq()
        notice: asyncio.Future[words.TxNotice] = asyncio.get_running_loop().create_future()
        self._awaited[seq] = notice
        try:
            async with asyncio.timeout(within_s):
                link = await self.link()
                parse_answer(await self.call(body, within_s=within_s, seq=seq), asked)
                ended = asyncio.ensure_future(link.closed())
                try:
                    either: list[asyncio.Future[Any]] = [notice, ended]
                    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                    if notice.done():
                        return notice.result()
                    why = f"the channel ended before its receipt came: {link.why_closed}"
                finally:
                    ended.cancel()
        except TimeoutError:
            why = f"no receipt came within {within_s:g} s"
        except OutcomeUnknown as problem:
            why = problem.message
        finally:
            self._awaited.pop(seq, None)
        raise OutcomeUnknown(
            f"transaction {tx_hash or 'sent'} to {self._endpoint.name}: {why}; it may be committed, and may yet be",
            node=self._endpoint.name,
            method=asked.method,
            tx_hash=tx_hash,
            hint=f"ask for its receipt: fiscotool query receipt {tx_hash or 'HASH'}",
        )

    # Notices

    def _notice(self, frame: Frame) -> None:
        try:
            if frame.kind == Kind.BLOCK_NOTIFY:
                self._on_block(words.read_block_notice(frame.data))
            elif frame.kind == Kind.TX_NOTIFY:
                awaited = self._awaited.get(frame.seq)
                told = words.read_tx_notice(frame.data)
                if awaited is not None and not awaited.done():
                    awaited.set_result(told)
        except UnexpectedShape as problem:
            self.problems += 1
            self._on_state(f"a notice could not be read: {problem}")
