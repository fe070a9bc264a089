"""Polls every node of a chain at a fixed rate and records what each says, and every new block from each of them.

Rule 1. A node that is dead, frozen or slow delays nobody but itself: every node has its own schedule, connections and bounds.
Rule 2. A poll that failed is recorded like one that did not: with its times and the kind of failure (refused, timeout, closed,
        malformed, or the node's own error).
Rule 3. Every block from the first height on is asked of every node, once; again only when a node's height falls (a wiped disk).
        Before the end all nodes that answer are asked for all they have, within a bound.
Rule 4. A recording that cannot be written (disk full) does not stop the watching; `problem` says so, and `stop` raises it.

It works in a thread of its own with one asyncio loop, so that drills run beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Final, Self

from fiscotool.consistency.observations import Incarnation
from fiscotool.errors import EnvironmentFailure, FiscoToolError
from fiscotool.observer.node_watch import Heard, NodeWatch
from fiscotool.observer.recording import RecordingWriter
from fiscotool.observer.target import PollTarget

__all__ = ["Heard", "PollTarget", "Poller"]

EVERY_S: Final = 0.25
TIMEOUT_S: Final = 2.0
COMPLETE_WITHIN_S: Final = 10.0
HISTORY_BLOCKS: Final = 100
_JOIN_SLACK_S: Final = 5.0


def _no_incarnation(_name: str) -> Incarnation | None:
    return None


class Poller:
    """Watches `targets` from `start()` to `stop()`.

    `every_s`: a node is asked so often, if it answers in time. `incarnation_of(name)`: which life of its process a node is in; asked
    from the poller's thread, so it must not block. `first_height`: blocks from here on are recorded; None: from HISTORY_BLOCKS
    before the height at which the chain is found. Without a `writer` nothing is recorded and no blocks are asked for: for live views.
    """

    def __init__(
        self,
        targets: Sequence[PollTarget],
        every_s: float = EVERY_S,
        writer: RecordingWriter | None = None,
        incarnation_of: Callable[[str], Incarnation | None] = _no_incarnation,
        *,
        timeout_s: float = TIMEOUT_S,
        complete_within_s: float = COMPLETE_WITHIN_S,
        first_height: int | None = None,
        on_heard: Callable[[Heard], None] | None = None,
    ) -> None:
        self.problem = ""
        self._writer = writer
        self._complete_within_s = complete_within_s
        self._heard: dict[str, Heard] = {}
        self._on_heard = on_heard
        self._failure: FiscoToolError | None = None
        self._crash: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._watches = [
            NodeWatch(
                target,
                every_s=every_s,
                timeout_s=timeout_s,
                incarnation_of=incarnation_of,
                heard=self._take,
                blocks_from=self._first_height if writer is not None else None,
                write_block=self._write_block,
            )
            for target in targets
        ]
        self._lowest: int | None = first_height

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.stop()
            return
        with contextlib.suppress(FiscoToolError):
            self.stop()  # What ended the block matters more than what ended the recording.

    def heard(self) -> dict[str, Heard]:
        """The last that was heard of each node, in the order of the targets; nodes not yet asked are missing."""
        return {watch.name: self._heard[watch.name] for watch in self._watches if watch.name in self._heard}

    def start(self) -> None:
        """Begin; returns once the polling thread runs."""
        if self._thread is not None:
            raise RuntimeError("a Poller is started once")
        self._thread = threading.Thread(target=self._work, name="fiscotool-poller", daemon=True)
        self._thread.start()
        self._ready.wait(_JOIN_SLACK_S)

    def stop(self) -> None:
        """Ask every node for the blocks still missing, write the end, and return. Bounded. Raises what the recording could not take."""
        if self._thread is None:
            return
        thread, self._thread = self._thread, None
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):  # The loop may have ended by itself.
                self._loop.call_soon_threadsafe(self._stop.set)
        thread.join(self._complete_within_s + _JOIN_SLACK_S)
        if self._crash is not None:
            raise self._crash
        if thread.is_alive():
            raise EnvironmentFailure("the observer did not stop in time", hint="this machine may be overloaded")
        if self._failure is not None:
            raise self._failure

    # In the poller's thread

    def _work(self) -> None:
        try:
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(self._watch())
        except BaseException as problem:  # noqa: BLE001 - it is raised again, in the thread that calls stop
            self._crash = problem
            self.problem = f"the observer failed: {problem!r}"
        finally:
            self._ready.set()

    async def _watch(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        tasks = [asyncio.create_task(job) for watch in self._watches for job in self._jobs(watch)]
        stopped = asyncio.create_task(self._stop.wait())
        try:
            done, _ = await asyncio.wait({*tasks, stopped}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopped}:
                task.result()  # A job ends by an error of ours only; raise it.
        finally:
            for task in (*tasks, stopped):
                task.cancel()
            await asyncio.gather(*tasks, stopped, return_exceptions=True)
        await self._complete()
        for watch in self._watches:
            watch.close()

    @staticmethod
    def _jobs(watch: NodeWatch) -> list[Coroutine[Any, Any, None]]:
        jobs = [watch.poll_forever()]
        if watch.fetches_blocks:
            jobs.append(watch.fetch_forever())
            if watch.hears_pushes:
                jobs.append(watch.follow_forever())
        return jobs

    async def _complete(self) -> None:
        if self._writer is None:
            return
        results = await asyncio.gather(*(watch.complete(self._complete_within_s) for watch in self._watches))
        missing = [f"{watch.name}: {lack}" for watch, lack in zip(self._watches, results, strict=True) if lack]
        writer = self._writer
        if missing:
            self._guard(lambda: writer.note("not all blocks could be had: " + "; ".join(missing)))
        self._guard(lambda: writer.end("stopped"))

    def _first_height(self) -> int | None:
        """Where every node's blocks are asked from; None until every node has answered or failed once.

        Up to f of n = 3f + 1 nodes may lie about their height: the f+1st lowest is that of an honest node or between two of them.
        """
        if self._lowest is None and len(self._heard) == len(self._watches):
            heights = sorted(heard.values["height"] for heard in self._heard.values() if "height" in heard.values)
            if heights:
                self._lowest = max(0, heights[(len(heights) - 1) // 3] - HISTORY_BLOCKS)
        return self._lowest

    def _take(self, heard: Heard) -> None:
        self._heard[heard.name] = heard
        writer = self._writer
        if writer is not None:
            sent_s, got_s = writer.since_start(heard.sent_clock_s), writer.since_start(heard.got_clock_s)
            self._guard(
                lambda: writer.poll(heard.name, sent_s, got_s, incarnation=heard.incarnation, error=heard.error, values=heard.values)
            )
        if self._on_heard is not None:
            self._on_heard(heard)

    def _write_block(self, name: str, told: dict[str, Any]) -> None:
        writer = self._writer
        if writer is not None:
            self._guard(lambda: writer.block(name, writer.now_s(), told))

    def _guard(self, write: Callable[[], None]) -> None:
        try:
            write()
        except FiscoToolError as problem:
            self.problem = problem.message
            self._failure = problem


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The loop of uvloop where there is one: it halves the cost of a poll."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
