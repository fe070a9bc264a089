"""The processes of an audit: started fresh, told to stop, and never left behind.

Rule 1. An interrupt is the parent's matter; it asks the others to stop, and they do so at the next height.
Rule 2. A process whose parent is gone, however it went, ends at once: nobody would take its results.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

from fiscotool.observer.audit_range import audit_range, stop_when
from fiscotool.observer.audit_words import RangeResult, RangeTask


@contextmanager
def workers(count: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of `count` processes for `in_worker`; when the block ends, what they are doing is given up."""
    # Fresh processes: a forked one would inherit the locks that other threads hold at that moment.
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_begin, initargs=(stop,))
    try:
        yield pool
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def in_worker(task: RangeTask) -> RangeResult:
    """audit_range, by a name that other processes can import."""
    return audit_range(task)


def _begin(stop: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop_when(stop.is_set)
    threading.Thread(target=_end_with_the_parent, name="parent", daemon=True).start()


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
