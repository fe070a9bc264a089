"""Virtual time: what happens when, in ticks, and nothing in between.

Rule 1. Equal times keep the order of the calls; what a job adds for now is done in the same tick.
Rule 2. Jobs wait in one list a tick, so a heap is asked once a tick and not once a job.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

Job = tuple[Callable[[Any, Any], None], Any, Any]
"""A function and its two arguments: cheaper than a closure, of which a run would make one a message."""


class Clock:
    """Jobs and the time."""

    def __init__(self) -> None:
        self.now = 0
        self._times: list[int] = []
        self._jobs: dict[int, list[Job]] = {}

    def after(self, ticks: int, action: Callable[[], None]) -> None:
        """Do `action` in `ticks` ticks; equal times keep the order of the calls."""
        self.schedule(ticks, _call, action, None)

    def schedule(self, ticks: int, function: Callable[[Any, Any], None], first: Any, second: Any) -> None:
        """Do `function(first, second)` in `ticks` ticks; equal times keep the order of the calls."""
        time = self.now + ticks
        jobs = self._jobs.get(time)
        if jobs is None:
            jobs = self._jobs[time] = []
            heapq.heappush(self._times, time)
        jobs.append((function, first, second))

    def run(self, ticks: int, *, until: Callable[[], bool] | None = None) -> bool:
        """Let time pass; stops early, and returns True, as soon as `until` holds."""
        end = self.now + ticks
        if until is not None and until():
            return True
        times = self._times
        while times and times[0] <= end:
            if self._is_storm():
                self._times, self._jobs = [], {}
                break
            self.now = times[0]
            jobs = self._jobs[self.now]
            if until is None:
                for function, first, second in jobs:  # What these jobs add for now is done in the same loop.
                    function(first, second)
            else:
                for done, (function, first, second) in enumerate(jobs, start=1):
                    function(first, second)
                    if until():
                        del jobs[:done]
                        return True
            del self._jobs[heapq.heappop(times)]
        self.now = end
        return False

    def _is_storm(self) -> bool:
        """Whether to give up, looked at once a tick: then all jobs are forgotten."""
        return False


def _call(action: Callable[[], None], _nothing: None) -> None:
    action()
