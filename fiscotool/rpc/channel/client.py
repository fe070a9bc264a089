"""The channel for threads: blocks pushed to a callback, calls and transactions that block, all over one kept connection.

    with ChannelClient("127.0.0.1:20200", tls, groups=["1"], on_block=print_it) as channel:
        node = NodeClient2("channel://127.0.0.1:20200", transport=channel)       # every typed call, over the channel
        outcome = channel.send("1", raw_hex, tx_hash=tx_hash, within_s=10)        # the receipt is pushed, not asked for

Rule 1. It has one thread with one asyncio loop; callbacks are called from it and must not block.
Rule 2. As a Transport: what is raised says whether anything was sent (rpc.transport). A read whose connection ends is asked once more
        over a new one; what may change something never is.

Source: spec 2.x 2.4.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import CancelledError
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from fiscotool.errors import OutcomeUnknown, UsageError
from fiscotool.rpc.channel.follow import PAUSE_MAX_S, ChannelFollower, Endpoint
from fiscotool.rpc.channel.link import Pace
from fiscotool.rpc.channel.words import BlockNotice, TxNotice
from fiscotool.rpc.codec import Asked, RawAnswer, encode_request
from fiscotool.rpc.dialect import Dialect
from fiscotool.rpc.tls import TlsFiles, channel_context

T = TypeVar("T")
_SLACK_S: Final = 2.0
_CLOSE_S: Final = 5.0


class ChannelClient:
    """Talks to one node's channel port, HOST:PORT. With `on_block` it stays subscribed to `groups` from the beginning.

    `on_state` is told of connections made and lost, in words.
    """

    def __init__(
        self,
        address: str,
        tls: TlsFiles,
        *,
        name: str = "",
        groups: Sequence[str] = ("1",),
        on_block: Callable[[BlockNotice], None] | None = None,
        on_state: Callable[[str], None] | None = None,
        pace: Pace | None = None,
        pause_max_s: float = PAUSE_MAX_S,
    ) -> None:
        endpoint = Endpoint.of(address, channel_context(tls), name=name)
        self.name = endpoint.name
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"channel {self.name}", daemon=True)
        self._thread.start()
        given: dict[str, Any] = {"on_block": on_block} if on_block is not None else {}
        if on_state is not None:
            given["on_state"] = on_state
        groups = list(groups) if on_block is not None else []
        self._follower = self._run(_made(endpoint, groups, pace, pause_max_s, given), within_s=_CLOSE_S)
        self._following = asyncio.run_coroutine_threadsafe(self._follower.run(), self._loop) if on_block is not None else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _run(self, work: Coroutine[Any, Any, T], *, within_s: float) -> T:
        if not self._thread.is_alive():
            work.close()
            raise UsageError(f"the channel to {self.name} was closed by this program")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(within_s + _SLACK_S)
        except (TimeoutError, CancelledError) as problem:
            future.cancel()
            raise OutcomeUnknown(f"{self.name} did not answer over the channel within {within_s:g} s", node=self.name) from problem

    def post(self, body: bytes, *, asked: Asked, timeout_s: float, may_repeat: bool) -> RawAnswer:
        """See rpc.transport.Transport."""
        attempts = 2 if may_repeat else 1
        while True:
            attempts -= 1
            try:
                return self._run(self._follower.call(body, within_s=timeout_s), within_s=timeout_s)
            except OutcomeUnknown as problem:
                if not attempts or isinstance(problem.__cause__, TimeoutError):
                    problem.method = asked.method
                    raise

    def send(self, group: str, raw_hex: str, *, tx_hash: str = "", within_s: float) -> TxNotice:
        """Send a signed transaction (RLP in hex) and wait for the receipt the node pushes. See ChannelFollower.send."""
        asked = Asked("sendRawTransaction", 1, self.name, Dialect.FISCO2)
        raw_hex = raw_hex if raw_hex.startswith("0x") else f"0x{raw_hex}"
        body = encode_request(asked.method, [int(group), raw_hex], asked.request_id)
        return self._run(self._follower.send(body, asked, tx_hash=tx_hash, within_s=within_s), within_s=within_s)

    @property
    def problem_count(self) -> int:
        """Notices that could not be read."""
        return self._follower.problems

    def close(self) -> None:
        """End the connection and the thread; safe to call twice."""
        if not self._thread.is_alive():
            return
        if self._following is not None:
            self._following.cancel()
        asyncio.run_coroutine_threadsafe(_ended(self._follower), self._loop).result(_CLOSE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CLOSE_S)
        self._loop.close()


async def _made(endpoint: Endpoint, groups: Sequence[str], pace: Pace | None, pause_max_s: float, given: dict[str, Any]) -> ChannelFollower:
    return ChannelFollower(endpoint, groups=groups, pace=pace, pause_max_s=pause_max_s, **given)


async def _ended(follower: ChannelFollower) -> None:
    await follower.close()
    mine = asyncio.current_task()
    left = [task for task in asyncio.all_tasks() if task is not mine]
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
