"""Which process is a node: found by what it is, never by a number somebody wrote down.

Rule 1. A process is a node's if its working directory is the node's directory and its program is the chain's fisco-bcos: the file
        itself, or an interpreter whose script it is. The text of a command line proves nothing: an editor may have the same words.
Rule 2. A life is told from the next by pid and start time together, in clock ticks since boot, which no clock adjustment moves.
Rule 3. What cannot be proved to be ours (another user's, its directory gone) does not exist for this module.
Rule 4. A zombie has ended, but only when its last thread has: until then the others hold its ports and files. Nothing here waits.

Sources: proc(5) and proc_pid_stat(5) for /proc/<pid>/cwd, exe, stat; spec 3.x 4.8 for what start.sh looks for instead.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import psutil

from fiscotool.chain.model import NodeHome

State = Literal["running", "paused", "stopped"]

_PROC = Path("/proc")
_INTERPRETER = re.compile(r"(python|pypy)[\d.]*\w*", re.ASCII)
_NOT_A_NODE = {"-v", "--version", "-h", "--help"}
_FROZEN = "Tt"
_ENDED = "ZXx"
_DELETED = " (deleted)"
# Positions in /proc/<pid>/stat behind the name, which may hold blanks itself: state, num_threads, starttime (fields 3, 20 and 22).
_STATE, _THREADS, _START_TIME = 0, 17, 19
_PSUTIL_STATES = {psutil.STATUS_STOPPED: "T", psutil.STATUS_TRACING_STOP: "t", psutil.STATUS_ZOMBIE: "Z", psutil.STATUS_DEAD: "X"}


@dataclass(frozen=True, slots=True)
class Identity:
    """One life of a node's process. Two are equal exactly if they are the same life.

    `started` is in seconds since the epoch, for people; `start_ticks` in clock ticks since boot, for comparing.
    """

    pid: int
    started: float = field(compare=False)
    executable: str
    directory: Path
    start_ticks: int


@dataclass(frozen=True, slots=True)
class NodeProcess:
    """What a node's process does. `identity` and `since` (start, seconds since the epoch) are None when it is stopped."""

    state: State
    identity: Identity | None = None
    since: float | None = None


STOPPED = NodeProcess("stopped")


def find(node: NodeHome) -> Identity | None:
    """The process of `node`, running or frozen, or None."""
    return state_of(node).identity


def state_of(node: NodeHome) -> NodeProcess:
    """What the process of `node` does now."""
    return states_of((node,))[node.name]


def states_of(nodes: Iterable[NodeHome]) -> Mapping[str, NodeProcess]:
    """What the process of each of `nodes` does, by name; one look at the process table for all of them."""
    wanted = {os.path.realpath(node.directory): node for node in nodes}
    states = {node.name: STOPPED for node in wanted.values()}
    for pid, directory in _processes_in(wanted.keys()):
        node = wanted[directory]
        found = _examine(pid, node, directory)
        # Two at once are possible for an instant, when the second finds its port taken; the older one is the node.
        known = states[node.name].identity
        if found is not None and found.identity is not None and (known is None or found.identity.start_ticks < known.start_ticks):
            states[node.name] = found
    return states


def is_alive(identity: Identity) -> bool:
    """Whether this very life goes on, running or frozen."""
    look = _look_at(identity.pid)
    return look is not None and look.start_ticks == identity.start_ticks


def is_paused(identity: Identity) -> bool:
    """Whether this very life is frozen (process state T)."""
    look = _look_at(identity.pid)
    return look is not None and look.start_ticks == identity.start_ticks and look.state in _FROZEN


@dataclass(frozen=True, slots=True)
class _Look:
    """A process at one instant: its state letter as in ps, and its start time."""

    state: str
    start_ticks: int


def _look_at(pid: int) -> _Look | None:
    """The process `pid`, or None where there is none, or none any more."""
    try:
        stat = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None if _PROC.joinpath("self").exists() else _look_without_proc(pid)
    fields = stat[stat.rindex(b")") + 2 :].split()
    state = fields[_STATE].decode()
    if state in _ENDED and int(fields[_THREADS]) <= 1:
        return None
    return _Look(state, int(fields[_START_TIME]))


def _look_without_proc(pid: int) -> _Look | None:
    try:
        process = psutil.Process(pid)
        state = _PSUTIL_STATES.get(process.status(), "R")
        return None if state in _ENDED else _Look(state, round(process.create_time() * 100))
    except psutil.Error:
        return None


def _processes_in(directories: Iterable[str]) -> Iterator[tuple[int, str]]:
    """(pid, directory) of every process whose working directory is one of these, as far as this user may see."""
    wanted = frozenset(directories)
    if not _PROC.joinpath("self").exists():
        for process in psutil.process_iter():
            try:
                directory = process.cwd()
            except psutil.Error:
                continue
            if directory in wanted:
                yield process.pid, directory
        return
    for entry in os.listdir(_PROC):  # noqa: PTH208 - names are wanted, thousands of times
        if entry.isdigit():
            try:
                directory = os.readlink(f"/proc/{entry}/cwd")  # noqa: PTH115
            except OSError:
                continue
            if directory in wanted:
                yield int(entry), directory


def _examine(pid: int, node: NodeHome, directory: str) -> NodeProcess | None:
    """What process `pid`, which runs in the node's directory, is to the node; None if it is another program."""
    try:
        look = _look_at(pid)
        process = psutil.Process(pid)
        executable = process.exe().removesuffix(_DELETED)
        if look is None or not _runs_program(executable, process.cmdline(), directory, os.path.realpath(node.binary)):
            return None
        started = process.create_time()
    except psutil.Error:
        return None
    again = _look_at(pid)
    if again is None or again.start_ticks != look.start_ticks:
        return None
    identity = Identity(pid, started, executable, node.directory, look.start_ticks)
    return NodeProcess("paused" if again.state in _FROZEN else "running", identity, started)


def _runs_program(executable: str, arguments: list[str], directory: str, program: str) -> bool:
    """Whether a process with this executable and these arguments runs `program` as a node."""
    if any(word in _NOT_A_NODE for word in arguments[1:]):
        return False
    if os.path.realpath(executable) == program:
        return True
    if not _INTERPRETER.fullmatch(Path(executable).name):
        return False
    # An interpreter's own options come before the script; the first word that is none is the script.
    script = next((word for word in arguments[1:] if not word.startswith("-")), "")
    return bool(script) and os.path.realpath(os.path.join(directory, script)) == program  # noqa: PTH118 - realpath wants text
