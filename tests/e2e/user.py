"""What a user does, as a program: types `fiscotool …` in a directory and reads what comes back."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from fiscotool.chain.read import read_chain
from fiscotool.drills.run import has_recovered
from fiscotool.drills.targets import LocalTarget, client_for
from tests.support import forked
from tests.support.ports import free_ports

FISCOTOOL = [sys.executable, "-m", "fiscotool"]
_IDLE_S = 6.0
OURS = ("FISCOTOOL_DIR", "FISCOTOOL_PORTS")


def ports_option(count: int = 4) -> str:
    """Value of `-p` for `count` nodes, reserved for this test process."""
    first = free_ports(3 * count)[0]
    return f"{first},{first + count},{first + 2 * count}"


@dataclass(frozen=True, slots=True)
class Done:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def json_lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


class User:
    """Somebody at a shell in `place`."""

    def __init__(self, place: Path, *, ports: str = "") -> None:
        self.place = place
        self.ports = ports or ports_option()
        self.environ = {name: value for name, value in os.environ.items() if name not in OURS}
        # A wide terminal that is none: messages are not broken, nothing redraws itself.
        self.environ |= {"FISCOTOOL_PORTS": self.ports, "COLUMNS": "200", "PYTHONFAULTHANDLER": "1"}

    def run(self, *words: object, code: int | None = 0, within_s: float = 60.0, answer: str = "") -> Done:
        """Run `fiscotool words…`; fails with all it said when it ends with another code than `code` (None: any) or shows a trace."""
        typed = [str(word) for word in words]
        done = forked.run(typed, cwd=self.place, env=self.environ, within_s=within_s, answer=answer)
        told = f"$ fiscotool {' '.join(typed)}\n{done.stdout[-3000:]}{done.stderr[-3000:]}[exit {done.returncode}]"
        assert code is None or done.returncode == code, told
        assert "Traceback" not in done.stderr, told
        return Done(done.returncode, done.stdout, done.stderr)

    @contextlib.contextmanager
    def typing(self, *words: object) -> Iterator[subprocess.Popen[str]]:
        """A command that goes on; killed in the end if it still does."""
        with subprocess.Popen(
            [*FISCOTOOL, *map(str, words)], cwd=self.place, env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def interrupt(self, *words: object, when: Callable[[], bool], within_s: float = 60.0) -> Done:
        """Type a command, press Ctrl-C as soon as `when` is so, and see how it ends."""
        with self.typing(*words) as process:
            wait_until(lambda: process.poll() is not None or when(), within_s=within_s, what=f"the moment to interrupt {words}")
            assert process.poll() is None, f"fiscotool {words} ended by itself: {process.communicate()}"
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        assert "Traceback" not in err, err
        return Done(process.returncode, out, err)

    # What tests ask again and again

    def status(self) -> dict[str, dict[str, Any]]:
        """The rows of `status --json` by node."""
        return {row["node"]: row for row in self.run("status", "--json").json}

    def states(self) -> dict[str, str]:
        return {name: row["state"] for name, row in self.status().items()}

    @functools.cached_property
    def target(self) -> LocalTarget:
        """The chain in `nodes`, looked at without starting a process: for conditions that are polled."""
        return LocalTarget(read_chain(self.place / "nodes"))

    def heights(self, *names: str) -> list[int]:
        """Heights of these nodes (none named: all); -1 where one does not answer."""
        looks = self.target.look()
        return [-1 if (height := looks[name].height) is None else height for name in names or looks]

    def block_hash(self, node: str, number: int) -> str:
        with client_for(self.target.homes[node], group=self.target.chain.group_id) as client:
            return str(client.block_hash(number))

    def is_ready(self, *names: str) -> bool:
        """Whether these nodes are in a view, not in timeout."""
        looks = self.target.look()
        return all(looks[name].timeout is False for name in names)

    def await_whole(self, within_s: float = 60.0) -> None:
        """All nodes in one view at one height. Of an idle chain that takes a transaction, if two were down (OBSERVED.md, section 6)."""
        nudged_s = time.monotonic()

        def is_whole() -> bool:
            nonlocal nudged_s
            if time.monotonic() - nudged_s > _IDLE_S:
                nudged_s = time.monotonic()
                self.run("send", "--within", "5", code=None)
            return has_recovered(self.target.look())

        wait_until(is_whole, within_s=within_s, what="the nodes come together", every_s=0.1)

    def close(self) -> None:
        if "target" in self.__dict__:
            self.target.close()

    def deploy_and_start(self, *options: object) -> None:
        self.run("deploy", "-l", "127.0.0.1:4", *options)
        self.run("start", "--all")


@contextlib.contextmanager
def chain_of(place: Path, *options: object, whole: bool = True) -> Iterator[User]:
    """A user with a running chain in `place`; its nodes are gone afterwards."""
    user = User(place)
    try:
        user.deploy_and_start(*options)
        if whole:
            user.await_whole()
        yield user
    finally:
        user.run("kill", "--all", code=None)
        user.close()


def is_gone(pid: int) -> bool:
    """Whether this process has ended, be it that nobody has asked how."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def wait_until(condition: Callable[[], Any], *, within_s: float, what: str, every_s: float = 0.05) -> None:
    """Return when `condition` holds; fail with `what` when it does not in time."""
    deadline_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline_s, f"not within {within_s:g} s: {what}"
        time.sleep(every_s)
