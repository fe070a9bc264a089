"""Results that come later: of a transaction that has to be committed first, or of a look through many blocks.

Rule. RPC shares one thread with the consensus. What may take long (thousands of transactions to show, a range of blocks to search) is
written as a generator that yields between its steps; `sliced` runs it a few milliseconds at a time and lets everything else go first.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator
from typing import Any, Final

from fiscotool.devnet.rpc_errors import FAULTS, INTERNAL_ERROR, RpcFault, fault_of

__all__ = ["Promise", "Steps", "sliced"]

_SLICE_S: Final = 0.004

Steps = Generator[None, None, Any]
"""Yields wherever it may be interrupted; its return value is the result."""


class Promise:
    """A result, or a refusal, to come. Exactly one of `resolve` and `reject` is called once; `then` may come before or after."""

    __slots__ = ("_fault", "_is_done", "_on_done", "_value")

    def __init__(self) -> None:
        self._value: Any = None
        self._fault: RpcFault | None = None
        self._is_done = False
        self._on_done: Callable[[Any, RpcFault | None], None] | None = None

    def resolve(self, value: Any) -> None:
        """Here is the result."""
        self._value, self._is_done = value, True
        if self._on_done is not None:
            self._on_done(value, None)

    def reject(self, fault: RpcFault) -> None:
        """There will be no result."""
        self._fault, self._is_done = fault, True
        if self._on_done is not None:
            self._on_done(None, fault)

    def then(self, on_done: Callable[[Any, RpcFault | None], None]) -> None:
        """Call `on_done(result, None)` or `on_done(None, fault)` when it is known, at once if it already is."""
        self._on_done = on_done
        if self._is_done:
            on_done(self._value, self._fault)


def sliced(steps: Steps) -> Promise:
    """Run `steps` to its end, giving way to everything else every few milliseconds. What it raises becomes a refusal."""
    promise = Promise()
    loop = asyncio.get_running_loop()

    def run() -> None:
        end_s = time.monotonic() + _SLICE_S
        settled = False
        try:
            while time.monotonic() < end_s:
                next(steps)
            # A timer of zero, not call_soon: the loop looks at its sockets before it runs this again.
            loop.call_later(0, run)
            settled = True
        except StopIteration as finished:
            settled = True
            promise.resolve(finished.value)
        except FAULTS as problem:
            settled = True
            promise.reject(fault_of(problem))
        finally:
            if not settled:
                promise.reject(RpcFault(INTERNAL_ERROR, "internal error"))  # The loop logs what it was; the caller must not wait for ever.

    run()
    return promise
