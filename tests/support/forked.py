"""Commands as processes of their own that start in no time: forked from one that has imported what commands import.

A `fiscotool …` takes a third of a second to import its libraries, and the suite types hundreds. What a command sees is what a shell
gives it: arguments, directory, environment, three pipes, default signals, a process id of its own. Tests of how a process starts, or
is interrupted, start one the long way.

    this process ── argv, directory, environment, three ends of pipes ──> the nursery ── fork ──> a waiter ── fork ──> the command
         <────────────────────── process id, exit status ───────────────────────────────────────────┘
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

_REQUEST_BYTES_MAX = 1 << 20
_IMPORTED = ("fiscotool.drills.targets", "fiscotool.observer.recording", "fiscotool.report.html", "fiscotool.chain.write")


class _Nursery:
    """The process that commands are forked from; it ends with this one."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _REQUEST_BYTES_MAX)
        code = "import sys; from tests.support.forked import serve; serve(int(sys.argv[1]))"
        root = Path(__file__).resolve().parents[2]
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, str(theirs.fileno())], pass_fds=[theirs.fileno()], cwd=root, stdin=subprocess.DEVNULL
        )
        theirs.close()
        self._lock = threading.Lock()
        atexit.register(self.close)

    def ask(self, request: dict[str, object], ends: list[int]) -> None:
        with self._lock:
            socket.send_fds(self._ours, [json.dumps(request).encode()], ends)

    def close(self) -> None:
        self._ours.close()
        self._process.wait(timeout=10)


@functools.cache
def _nursery() -> _Nursery:
    return _Nursery()


def run(words: Sequence[str], *, cwd: Path, env: Mapping[str, str], within_s: float, answer: str = "") -> subprocess.CompletedProcess[str]:
    """Run `fiscotool words…` as `subprocess.run` would, with `answer` to read; raises subprocess.TimeoutExpired after `within_s`."""
    pipes = [os.pipe() for _ in range(4)]
    (stdin, typed), (told_out, stdout), (told_err, stderr), (status, report) = pipes
    _nursery().ask({"words": list(words), "cwd": str(cwd), "env": dict(env)}, [stdin, stdout, stderr, report])
    for end in (stdin, stdout, stderr, report):
        os.close(end)
    texts: dict[int, bytes] = {}
    readers = [threading.Thread(target=_read_all, args=(end, texts), daemon=True) for end in (told_out, told_err, status)]
    for reader in readers:
        reader.start()
    with contextlib.suppress(BrokenPipeError), os.fdopen(typed, "wb") as keyboard:
        keyboard.write(answer.encode())
    for reader in readers:
        reader.join(within_s)
        if reader.is_alive():
            pid = int(texts.get(-status, b"0").split()[0])
            if pid:
                os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(["fiscotool", *words], within_s, texts.get(-told_out), texts.get(-told_err))
    code = int(texts[status].split()[1])
    return subprocess.CompletedProcess(["fiscotool", *words], code, texts[told_out].decode(), texts[told_err].decode())


def _read_all(end: int, texts: dict[int, bytes]) -> None:
    """Everything that comes out of `end`, in texts[end]; what has come so far, in texts[-end]."""
    found = b""
    with os.fdopen(end, "rb", buffering=0) as file:
        while piece := file.read(1 << 16):
            found += piece
            texts[-end] = found
    texts[end] = found


def serve(fileno: int) -> None:
    """Be the nursery: import, then fork a waiter for each request, until the other side is gone."""
    from fiscotool.cli.main import main
    from fiscotool.cli.registry import COMMANDS

    for module in (*_IMPORTED, *sorted({f"fiscotool.cli.{entry.module}" for entry in COMMANDS.values()})):
        importlib.import_module(module)
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # Waiters are nobody's to wait for.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=fileno) as door:
        while True:
            select.select([door], [], [])
            text, ends, _, _ = socket.recv_fds(door, _REQUEST_BYTES_MAX, 4)
            if not text:
                return
            if os.fork() == 0:
                door.detach()
                os.close(fileno)
                _wait_for_command(json.loads(text), ends, main)
            for end in ends:
                os.close(end)


def _wait_for_command(request: dict[str, object], ends: list[int], main: object) -> None:
    """In the waiter: fork the command, report its process id and its exit status. Returns only in the command, which it becomes."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    *three, report = ends
    pid = os.fork()
    if pid:
        for end in three:
            os.close(end)
        os.write(report, f"{pid} ".encode())
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.write(report, f"{code}".encode())
        os._exit(0)
    for number, end in enumerate(three):
        os.dup2(end, number)
        os.close(end)
    os.close(report)
    _become(request, main)


def _become(request: dict[str, object], main: object) -> NoReturn:
    """In the command: arguments, directory and environment; then the entry point, which exits."""
    os.chdir(str(request["cwd"]))
    environment = request["env"]
    words = request["words"]
    assert isinstance(environment, dict) and isinstance(words, list) and callable(main)  # noqa: PT018 - what JSON brought
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["fiscotool", *words]
    main()
    raise SystemExit(0)
