"""Sends thousands of transactions at once: every unanswered sendTransaction holds a connection, because a node answers after the commit.

Rule 1. A transaction is sent at most once. One that could not be sent (no connection) goes to another node; one that was sent and not
        answered is unknown and stays so.
Rule 2. A node that is down costs the others nothing: its lanes try again every half second, and take no transactions meanwhile.
Rule 3. What is answered when a pool has it counts as unanswered until a block lists it; rpc.aio.confirm reads the blocks.
Rule 4. The end is bounded by the plan's deadline; Ctrl-C and `stop` end it at once, with what is known so far.

Theory. A lane is a connection with at most one transaction on it. Everything runs in callbacks of one uvloop loop; there is no task,
future or timer per transaction. That keeps a transaction at some 40 µs of client time, so that a load of 2,500 a second leaves the
cores to the nodes.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from fiscotool.errors import UsageError
from fiscotool.rpc.aio.confirm import Confirmer
from fiscotool.rpc.aio.connection import Address
from fiscotool.rpc.aio.files import allow_open_files, loop_factory, raise_file_limit
from fiscotool.rpc.aio.lane import Lane, Work
from fiscotool.rpc.aio.plan import LoadPlan, LoadProgress, LoadResult, LoadTarget, PreparedTx, TxKind, TxOutcome

_TICK_S: Final = 0.002
_SWEEP_S: Final = 0.25
_PROGRESS_S: Final = 0.5
_OPENING_MAX: Final = 64
_SPARE_FILES: Final = 128
_ADMISSION_LANES: Final = 32
"""Connections a node is sent to over when it answers at once: more would not be in use."""
_LAST_TRIES_S: Final = 3.0
"""So long after the last transaction was taken, what could not be sent to any node is given up."""

OnOutcome = Callable[[TxOutcome], None]
OnProgress = Callable[[LoadProgress], None]


def _discard(_value: object) -> None:
    """Nobody listens."""


class LoadClient:
    """One load on some nodes. `run` blocks until it is over; `stop`, from any thread, ends it early."""

    def __init__(
        self,
        targets: Sequence[LoadTarget],
        plan: LoadPlan,
        *,
        on_outcome: OnOutcome = _discard,
        on_progress: OnProgress = _discard,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not targets:
            raise UsageError("there is no node to send to", hint="start some: fiscotool start --all")
        self._plan = plan
        if len({target.kind for target in targets}) > 1:
            raise UsageError("a load sends one kind of transactions", hint="make one load for each kind")
        self._targets = [(target, Address.of(target.url, target.tls)) for target in targets]
        self._confirmer: Confirmer | None = None
        self._on_outcome = on_outcome
        self._on_progress = on_progress
        self._clock = clock
        self._outcomes: list[TxOutcome] = []
        self._counts = {"committed": 0, "refused": 0, "unknown": 0}
        self._lanes: list[Lane] = []
        self._free: deque[Lane] = deque()
        self._queue: deque[Work] = deque()
        self._source: Iterator[PreparedTx] = iter(())
        self._source_is_empty = False
        self._answers_late = targets[0].kind is TxKind.NATIVE
        self._lanes_max = plan.outstanding_max if self._answers_late else min(plan.outstanding_max, _ADMISSION_LANES * len(targets))
        self._opening_count = 0
        self._sent_count = 0
        self._began_s = 0.0
        self._due_count = 0
        self._pace_is_over = plan.rate_per_s is None
        self._over: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending_since_s: float | None = None
        self._failure: BaseException | None = None
        self._stopped = threading.Event()

    def run(self, txs: Iterable[PreparedTx]) -> LoadResult:
        """Send `txs` (taken one by one as they are needed) and return what came of them. Ctrl-C returns what is known so far.

        Raises EnvironmentFailure for more connections than the system allows, and whatever a listener raised. To be called once.
        """
        if self._began_s:
            raise RuntimeError("a LoadClient runs once")
        wanted = self._lanes_max + _SPARE_FILES
        if self._plan.rate_per_s is None:
            allow_open_files(wanted)
        else:  # An open loop's maximum is a bound, not an aim: a smaller one only shows as lateness.
            self._lanes_max = max(1, min(self._lanes_max, raise_file_limit(wanted) - _SPARE_FILES))
        self._source = iter(txs)
        cpu_began_s = time.thread_time()
        interrupted = False
        self._began_s = self._clock()
        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(self._drive())
        except KeyboardInterrupt:
            interrupted = True
        if self._failure is not None:
            raise self._failure
        return LoadResult(
            outcomes=tuple(self._outcomes),
            elapsed_s=self._clock() - self._began_s,
            unsent_count=len(self._queue),
            interrupted=interrupted or self._stopped.is_set(),
            client_cpu_s=time.thread_time() - cpu_began_s,
        )

    def stop(self) -> None:
        """End the load now; what is outstanding becomes unknown. May be called from any thread, also before `run`."""
        self._stopped.set()
        loop, over = self._loop, self._over
        if loop is not None and over is not None:
            with contextlib.suppress(RuntimeError):  # The loop may have ended by itself.
                loop.call_soon_threadsafe(over.set)

    async def _drive(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        self._loop.set_exception_handler(self._note_failure)
        if self._stopped.is_set():
            return
        beats = [asyncio.create_task(self._beat())]
        if not self._answers_late:
            beats.append(await self._follow_chain())
        if self._plan.rate_per_s is not None:
            beats.append(asyncio.create_task(self._pace(self._plan.rate_per_s)))
        else:
            self._open_more(self._plan.outstanding_max)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._plan.deadline_s):
                    done, _ = await asyncio.wait(
                        {*beats, over := asyncio.create_task(self._over.wait())}, return_when=asyncio.FIRST_COMPLETED
                    )
                    for task in done - {over}:
                        task.result()
        finally:
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            for lane in self._lanes:
                lane.retire()
            if self._confirmer is not None:
                self._confirmer.close()
                self._confirmer.give_up(why="accepted by the pool; the load ended before a block listed it")
            self._report()

    async def _follow_chain(self) -> asyncio.Task[None]:
        """Begin to read blocks; nothing is sent before the height is known, or it cannot be known in time."""
        within_s = self._plan.answer_within_s
        self._confirmer = Confirmer(self._targets, within_s=within_s, on_outcome=self._settle_confirmed, clock=self._clock)
        task = await self._confirmer.start()
        self._began_s = self._clock()
        return task

    def _note_failure(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What a listener raised (a recording that cannot be written) ends the load and is raised by `run`."""
        del loop
        problem = context.get("exception")
        if self._failure is None and isinstance(problem, BaseException):
            self._failure = problem
            if self._over is not None:
                self._over.set()

    async def _beat(self) -> None:
        """Time-outs, progress and the end, at a slow beat."""
        last_report_s = self._clock()
        while not self._is_over():
            await asyncio.sleep(_SWEEP_S / 5 if self._is_ending() else _SWEEP_S)
            now_s = self._clock()
            for lane in self._lanes:
                lane.give_up(now_s - self._plan.answer_within_s)
            self._dispatch()
            if now_s - last_report_s >= _PROGRESS_S:
                last_report_s = now_s
                self._report()

    async def _pace(self, rate_per_s: float) -> None:
        """Put transactions on the queue when they are due, and lanes under them."""
        is_last = False
        while not is_last:
            is_last = self._is_ending()  # Looked at first: what fell due while this loop was held up is still sent.
            elapsed_s = self._clock() - self._began_s
            until_s = elapsed_s if self._plan.send_for_s is None else min(elapsed_s, self._plan.send_for_s)
            for index in range(self._due_count, math.floor(until_s * rate_per_s) + 1):
                tx = self._next_tx()
                if tx is None:
                    break
                self._queue.append(Work(tx, self._began_s + index / rate_per_s))
                self._due_count = index + 1
            self._dispatch()
            await asyncio.sleep(_TICK_S)
        self._pace_is_over = True
        await asyncio.Event().wait()  # The beat decides when all is over.

    def _is_ending(self) -> bool:
        """Whether no more transactions will be taken from the source."""
        for_s = self._plan.send_for_s
        return self._source_is_empty or (for_s is not None and self._clock() - self._began_s >= for_s)

    def _is_over(self) -> bool:
        if not self._is_ending() or not self._pace_is_over:
            return False
        if self._ending_since_s is None:
            self._ending_since_s = self._clock()
        if any(lane.work is not None for lane in self._lanes) or (self._confirmer is not None and self._confirmer.pending_count):
            return False
        return not self._queue or self._clock() - self._ending_since_s > _LAST_TRIES_S

    def _next_tx(self) -> PreparedTx | None:
        if self._source_is_empty:
            return None
        tx = next(self._source, None)
        self._source_is_empty = tx is None
        return tx

    def _next_work(self) -> Work | None:
        """What a free lane does next: what is queued, or with a closed loop the next transaction."""
        if self._queue:
            return self._queue.popleft()
        if self._plan.rate_per_s is not None or self._is_ending() or self._outstanding_count >= self._plan.outstanding_max:
            return None
        tx = self._next_tx()
        return None if tx is None else Work(tx, self._clock())

    @property
    def _outstanding_count(self) -> int:
        return self._sent_count - len(self._outcomes)

    def _dispatch(self) -> None:
        while self._queue and self._free:
            lane = self._free.popleft()
            if lane.is_ready:
                lane.send(self._queue.popleft())
                self._sent_count += 1
        if self._queue:
            self._open_more(len(self._queue) - self._opening_count)

    def _open_more(self, wanted: int) -> None:
        room = self._lanes_max - len(self._lanes)
        for _ in range(min(wanted, room)):
            target, address = self._targets[len(self._lanes) % len(self._targets)]
            lane = Lane(target, address, on_free=self._lane_is_free, on_outcome=self._settle, on_unsent=self._take_back, clock=self._clock)
            self._lanes.append(lane)
            self._opening_count += 1
            lane.start(len(self._lanes) // _OPENING_MAX * _TICK_S)

    def _lane_is_free(self, lane: Lane, *, is_new: bool) -> None:
        if is_new:
            self._opening_count = max(0, self._opening_count - 1)
        work = self._next_work()
        if work is None:
            self._free.append(lane)
        else:
            lane.send(work)
            self._sent_count += 1

    def _settle_confirmed(self, outcome: TxOutcome) -> None:
        """With a closed loop this makes room for the next one."""
        self._settle(outcome)
        if self._free and not self._queue and self._plan.rate_per_s is None:
            lane = self._free.popleft()
            self._lane_is_free(lane, is_new=False)

    def _settle(self, outcome: TxOutcome) -> None:
        if outcome.outcome == "accepted" and self._confirmer is not None:
            self._confirmer.take(outcome)
            return
        self._outcomes.append(outcome)
        self._counts[outcome.outcome] += 1
        self._on_outcome(outcome)

    def _take_back(self, work: Work) -> None:
        self._queue.appendleft(work)
        self._sent_count -= 1

    def _report(self) -> None:
        self._on_progress(
            LoadProgress(
                elapsed_s=self._clock() - self._began_s,
                sent_count=self._sent_count,
                committed_count=self._counts["committed"],
                refused_count=self._counts["refused"],
                unknown_count=self._counts["unknown"],
                outstanding_count=self._outstanding_count,
            )
        )
