"""One node under observation: its polls, and the blocks it has.

Rule 1. `heard` is called once for every poll, in the order of the polls.
Rule 2. The incarnation of a poll is known only if the process was the same after the poll before and after this one.
Rule 3. A node that did not answer last time is asked one question first, on one connection; the others follow when it answers. So a
        frozen node does not collect dead connections by the dozen.
Rule 4. A node of which nobody said whether it is of 2.x or 3.x is asked that first, once.
Rule 5. A schedule that fell behind goes on from now: polls are never made up for in a burst.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from fiscotool.consistency.observations import Incarnation
from fiscotool.errors import MalformedAnswer, Refused
from fiscotool.observer.blocks import is_block
from fiscotool.observer.pushes import follow_heights
from fiscotool.observer.questions import (
    VERSION_QUESTION,
    Question,
    Speech,
    Values,
    WrongShape,
    body_of,
    dialect_of,
    result_of,
)
from fiscotool.observer.target import PollTarget
from fiscotool.rpc.aio.connection import Address, Failure
from fiscotool.rpc.aio.link import NodeLink
from fiscotool.rpc.dialect import Dialect
from fiscotool.rpc.members import UnexpectedShape

_RETRY_S: Final = 0.5
_START_S: Final = 0.05
_DETAIL_CHARS_MAX: Final = 200
_ABSENT_MAX: Final = 5
"""A node that tells a height and does not have the block, so often in a row, is lying about its height."""


class _Fetched(Enum):
    """What asking for a block came to: got it, the node does not have it, or there was no usable answer."""

    GOT = 1
    ABSENT = 2
    FAILED = 3


@dataclass(frozen=True, slots=True)
class Heard:
    """What one poll gave. Times are of time.monotonic(). `error` is set, and `values` empty, when nothing was answered.

    `values` are members of consistency.observations.Sample by name.
    """

    name: str
    sent_clock_s: float
    got_clock_s: float
    incarnation: Incarnation | None
    error: str = ""
    values: Values = field(default_factory=dict)


class NodeWatch:
    """Polls one node and fetches its blocks; belongs to one asyncio loop."""

    def __init__(
        self,
        target: PollTarget,
        *,
        every_s: float,
        timeout_s: float,
        incarnation_of: Callable[[str], Incarnation | None],
        heard: Callable[[Heard], None],
        blocks_from: Callable[[], int | None] | None,
        write_block: Callable[[str, dict[str, Any]], None],
    ) -> None:
        self.name = target.name
        self._every_s = every_s
        self._timeout_s = timeout_s
        self._incarnation_of = incarnation_of
        self._on_heard = heard
        self._blocks_from = blocks_from
        self._write_block = write_block
        self._group = target.group
        self._channel = target.channel
        self._pushed = -1
        self._link = NodeLink(Address.of(target.url, target.tls))
        self._speech: Speech | None = None
        self._requests: list[tuple[Question, bytes]] = []
        if target.speech is not None:
            self._adopt(target.speech)
        self._answered = False
        self._incarnation: Incarnation | None = None
        self._height: int | None = None
        self._next_block: int | None = None
        self._risen = asyncio.Event()

    @property
    def fetches_blocks(self) -> bool:
        """Whether blocks are wanted."""
        return self._blocks_from is not None

    @property
    def hears_pushes(self) -> bool:
        """Whether the node pushes new blocks."""
        return self._channel is not None

    def close(self) -> None:
        """Drop connections."""
        self._link.close()

    def _request(self, method: str, *params: Any) -> bytes:
        return self._link.address.http_request(body_of(method, *params))

    def _adopt(self, speech: Speech) -> None:
        self._speech = speech
        self._requests = [(question, self._request(question.method, *speech.leading)) for question in speech.questions]

    async def _learn(self) -> str:
        """Ask what the node is. Returns why that is not known yet; "" when it is."""
        answer = await self._link.post(self._request(VERSION_QUESTION), self._timeout_s)
        if isinstance(answer, Failure):
            return str(answer)
        try:
            self._adopt(Speech.of(dialect_of(answer, self.name), self._group))
        except Refused as problem:
            return f"error {problem.code}: {VERSION_QUESTION}"
        except MalformedAnswer as problem:
            return f"malformed: {VERSION_QUESTION}: {problem}"
        return ""

    # Polling

    async def poll_forever(self) -> None:
        """Poll on schedule until cancelled."""
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        while True:
            await self.poll()
            due_s = max(due_s + self._every_s, loop.time() - self._every_s)
            await asyncio.sleep(max(0.0, due_s - loop.time()))

    async def poll(self) -> None:
        """Ask every question once and tell what was heard."""
        sent_s, fetched_to = time.monotonic(), self._next_block
        values: Values = {}
        errors: list[str] = []
        if self._speech is None and (unknown := await self._learn()):
            errors.append(unknown)
        waiting = self._requests
        if waiting and not self._answered:
            first, waiting = waiting[0], waiting[1:]
            self._merge(await self._ask(*first), values, errors)
            if errors:
                waiting = []
        for outcome in await asyncio.gather(*(self._ask(*item) for item in waiting)):
            self._merge(outcome, values, errors)
        got_s = time.monotonic()
        self._answered = bool(values)
        incarnation = self._same_life()
        error = "" if values else (errors[0] if errors else "malformed: no answer had anything in it")
        self._note_height(values, fetched_to)
        self._on_heard(Heard(self.name, sent_s, got_s, incarnation, error[:_DETAIL_CHARS_MAX], values))

    @staticmethod
    def _merge(outcome: Values | str, values: Values, errors: list[str]) -> None:
        if isinstance(outcome, str):
            errors.append(outcome)
        else:
            values.update(outcome)

    async def _ask(self, question: Question, request: bytes) -> Values | str:
        answer = await self._link.post(request, self._timeout_s)
        if isinstance(answer, Failure):
            return str(answer)
        try:
            return question.read(result_of(answer, question.method, self.name, self._dialect))
        except Refused as problem:
            return f"error {problem.code}: {question.method}"
        except (MalformedAnswer, UnexpectedShape, WrongShape) as problem:
            return f"malformed: {question.method}: {problem}"

    @property
    def _dialect(self) -> Dialect:
        return self._speech.dialect if self._speech is not None else Dialect.FISCO3

    def _same_life(self) -> Incarnation | None:
        now = self._incarnation_of(self.name)
        before, self._incarnation = self._incarnation, now
        return now if now == before else None

    def _note_height(self, values: Values, fetched_to: int | None) -> None:
        height = values.get("height")
        if height is None:
            return
        if fetched_to is not None and height + 1 < fetched_to:
            self._next_block = height + 1  # The node lost blocks; what it has from here on may be others.
            self._pushed = -1
        if self._height is None or height != self._height:
            self._height = height
            self._risen.set()

    # Blocks

    async def follow_forever(self) -> None:
        """Fetch blocks as soon as the node says that it has them, until cancelled."""

        def pushed(height: int) -> None:
            if height > self._pushed:
                self._pushed = height
                self._risen.set()

        if self._channel is not None:
            await follow_heights(self._channel, name=self.name, group=self._group or "1", on_height=pushed)

    async def fetch_forever(self) -> None:
        """Fetch each new block until cancelled."""
        while True:
            await self._risen.wait()
            self._risen.clear()
            if self._blocks_from is not None and self._blocks_from() is None:
                await asyncio.sleep(_START_S)
                self._risen.set()
                continue
            while self._is_behind():
                if await self._fetch_next() is not _Fetched.GOT:
                    await asyncio.sleep(_RETRY_S)
                    self._risen.set()  # Ask again, also when the height stays.
                    break

    def _is_behind(self) -> bool:
        if self._next_block is None and self._blocks_from is not None:
            self._next_block = self._blocks_from()
        return self._next_block is not None and self._height is not None and self._next_block <= max(self._height, self._pushed)

    async def _fetch_next(self) -> _Fetched:
        """Fetch the next block."""
        number, speech = self._next_block, self._speech
        if number is None or speech is None:
            return _Fetched.ABSENT
        questions = speech.block_questions(number)
        answers = await asyncio.gather(*(self._link.post(self._request(method, *given), self._timeout_s) for method, given in questions))
        results: list[Any] = []
        for (method, _), answer in zip(questions, answers, strict=True):
            if isinstance(answer, Failure):
                return _Fetched.FAILED
            try:
                results.append(result_of(answer, method, self.name, speech.dialect))
            except Refused as problem:
                self._speech = speech.after_refusal(problem)
                return _Fetched.ABSENT
            except MalformedAnswer:
                return _Fetched.FAILED
        told = speech.block_of(results)
        if not is_block(told):
            return _Fetched.FAILED
        self._write_block(self.name, told)
        if self._next_block == number:
            self._next_block = number + 1
        return _Fetched.GOT

    async def complete(self, within_s: float) -> str:
        """Poll once more and fetch what is missing. Returns what could not be had, in words; "" when nothing is missing."""
        absent_count = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self.poll()
                while self._answered and self._is_behind() and absent_count < _ABSENT_MAX:
                    fetched = await self._fetch_next()
                    absent_count = absent_count + 1 if fetched is _Fetched.ABSENT else 0
                    if fetched is not _Fetched.GOT:
                        await asyncio.sleep(_RETRY_S / 5)
                        await self.poll()
        if not self._answered:
            return "it does not answer"
        return f"blocks {self._next_block} to {self._height} were not told" if self._is_behind() else ""
