"""Start one node's process, the way start.sh does, and tell how it ended if it did.

Rule 1. The command line is `<directory>/../fisco-bcos -c config.ini -g config.genesis` (2.x: without -g) and the working directory the
        node's: scripts of build_chain.sh look for exactly this text.
Rule 2. The process is in a session of its own, so Ctrl-C in a terminal and the end of this program do not reach it.
Rule 3. Its output is appended to nohup.out. What it says after its start, not what earlier lives left there, is its last words.
"""

from __future__ import annotations

import errno
import os
import resource
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fiscotool.chain.model import BINARY_NAME, NodeHome
from fiscotool.errors import EnvironmentFailure

NOHUP = "nohup.out"
_FILES_MAX = 65536
_LAST_WORDS_BYTES = 8192
_LAST_WORDS_LINES = 12

_children: dict[int, subprocess.Popen[bytes]] = {}
"""Processes this program started, kept until they were seen to end: a child that nobody waits for stays as a zombie."""


@dataclass(frozen=True, slots=True)
class Launch:
    """A process was started. `output_start_bytes` is the length nohup.out had then."""

    node: NodeHome
    child: subprocess.Popen[bytes]
    output_start_bytes: int

    def exit_status(self) -> int | None:
        """Exit status of the process (negative: by that signal), or None while it runs."""
        return self.child.poll()


def launch(node: NodeHome) -> Launch:
    """Start the process of `node` without waiting for anything. Raises EnvironmentFailure where it cannot be executed."""
    reap()
    output = node.directory / NOHUP
    # Not resolved: the literal <dir>/../fisco-bcos is what stop.sh of build_chain.sh looks for.
    program = f"{node.directory}/../{BINARY_NAME}"
    try:
        with output.open("ab") as sink:
            start_bytes = sink.tell()
            child = subprocess.Popen(
                [program, *node.arguments],
                cwd=node.directory,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "RUST_LOG": "bcos_wasm=error"},
            )
    except OSError as problem:
        raise _explain(problem, node) from problem
    _children[child.pid] = child
    _allow_files(child.pid)
    return Launch(node, child, start_bytes)


def _allow_files(pid: int) -> None:
    """Let the process open as many files and connections as it may be allowed; the usual 1024 are few for a node under load."""
    with suppress(AttributeError, OSError, ValueError):
        _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        wanted = _FILES_MAX if most == resource.RLIM_INFINITY else min(most, _FILES_MAX)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (wanted, most))


def reap() -> None:
    """Take note of children that have ended."""
    for pid, child in list(_children.items()):
        if child.poll() is not None:
            _children.pop(pid, None)  # Another thread may have reaped it meanwhile.


def last_words(node: NodeHome, since_bytes: int = 0) -> str:
    """The last lines of the node's nohup.out, none from before `since_bytes`; empty when there are none."""
    try:
        with (node.directory / NOHUP).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(since_bytes, size - _LAST_WORDS_BYTES))
            text = file.read(_LAST_WORDS_BYTES).decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.rstrip().splitlines()[-_LAST_WORDS_LINES:])


def _explain(problem: OSError, node: NodeHome) -> EnvironmentFailure:
    binary = node.directory.parent / BINARY_NAME
    if not node.directory.is_dir():
        return EnvironmentFailure(f"{node.name}: its directory {node.directory} is gone", hint="restore it, or deploy anew")
    if not binary.exists():
        return EnvironmentFailure(f"{node.name}: {binary} is missing", hint="put the fisco-bcos binary back, or deploy anew")
    if problem.errno == errno.ENOENT:
        return EnvironmentFailure(
            f"{node.name}: {binary} cannot be run: {_interpreter_of(binary)} does not exist",
            hint="was Python moved or the virtual environment removed? Deploy anew",
        )
    if problem.errno == errno.ENOEXEC:
        return EnvironmentFailure(
            f"{node.name}: {binary} is not a program for this machine", hint="use a binary for this kind of processor with -e"
        )
    if problem.errno == errno.EACCES and not os.access(binary, os.X_OK):
        return EnvironmentFailure(f"{node.name}: {binary} is not executable", hint=f"chmod +x {binary}")
    return EnvironmentFailure(
        f"{node.name}: cannot be started: {problem.strerror} ({problem.filename})", hint="check permissions and free space of the disk"
    )


def _interpreter_of(binary: Path) -> str:
    with binary.open("rb") as file:
        first = file.readline(4096)
    return first[2:].decode(errors="replace").strip() if first.startswith(b"#!") else "its loader"
