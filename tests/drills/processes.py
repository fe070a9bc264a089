"""A chain of real processes that do nothing: enough to test that drills hurt and heal what they say."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from fiscotool.consistency.observations import Incarnation
from fiscotool.drills.target import Look
from fiscotool.errors import EnvironmentFailure


def until(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.01)


class ProcessTarget:
    """Four idle processes. Heights grow with every look while a quorum of three runs; the leader rotates with the height."""

    def __init__(self, count: int = 4) -> None:
        self.names = tuple(f"node{k}" for k in range(count))
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._height = 0
        self.broken: set[str] = set()
        for name in self.names:
            self.start(name)

    def _running(self) -> list[str]:
        return [name for name in self.names if self.state_of(name) == "running"]

    def look(self) -> dict[str, Look]:
        running = self._running()
        if len(running) >= 3:
            self._height += 1
        return {
            name: Look(name, "", self._height, 3, len(running) < 3, index, (self._height + 4) % len(self.names), len(running))
            if name in running
            else Look(name, "refused")
            for index, name in enumerate(self.names)
        }

    def state_of(self, name: str) -> str:
        process = self._processes[name]
        if process.poll() is not None:
            return "stopped"
        return "paused" if psutil.Process(process.pid).status() == psutil.STATUS_STOPPED else "running"

    def incarnation_of(self, name: str) -> Incarnation | None:
        process = self._processes[name]
        return Incarnation(process.pid, psutil.Process(process.pid).create_time()) if process.poll() is None else None

    def start(self, name: str) -> None:
        if name in getattr(self, "broken", ()):
            raise EnvironmentFailure(f"{name} does not start", hint="look at its log")
        self._processes[name] = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])

    def stop(self, name: str) -> None:
        self._processes[name].terminate()
        self._processes[name].wait(10)

    def kill(self, name: str) -> None:
        self._processes[name].kill()
        self._processes[name].wait(10)

    def pause(self, name: str) -> None:
        self._processes[name].send_signal(signal.SIGSTOP)
        until(lambda: self.state_of(name) == "paused")

    def resume(self, name: str) -> None:
        self._processes[name].send_signal(signal.SIGCONT)
        until(lambda: self.state_of(name) == "running")

    def close(self) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait(10)


def ledger_text(path: Path) -> str:
    return (path / "faults.jsonl").read_text(encoding="utf-8")
