"""A node's log files: the newest, their last lines, and what is added to them, also across rotation.

FISCO BCOS writes log/log_<YYYYMMDDHH.MM>.log and starts a new file by the hour, by size and at every start (spec 3.x 5.1). A node that
dies before its log is open leaves its words in nohup.out only.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fiscotool.chain.model import NodeHome
from fiscotool.errors import EnvironmentFailure
from fiscotool.nodes.launch import NOHUP

_BLOCK_BYTES = 1 << 16
_LINE_BYTES_MAX = 1 << 20
FOLLOW_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a node's log, without its end."""

    node: str
    file: Path
    text: str


def log_files(node: NodeHome) -> tuple[Path, ...]:
    """Log files of `node`, oldest first; empty when it never ran. Names sort by time, and files of one minute by their last change."""
    found: list[tuple[str, float, Path]] = []
    with suppress(OSError):
        for path in (node.directory / "log").iterdir():
            with suppress(OSError):
                if path.suffix == ".log" and path.is_file():
                    found.append((path.name, path.stat().st_mtime, path))
    return tuple(path for _, _, path in sorted(found))


def tail(node: NodeHome, lines: int) -> tuple[LogLine, ...]:
    """The last `lines` lines of the newest log files, or of nohup.out where there is no log. Raises EnvironmentFailure for neither."""
    files = log_files(node)
    output = node.directory / NOHUP
    if not files and not output.exists():
        raise EnvironmentFailure(f"{node.name} has no log: it was never started", hint=f"fiscotool start {node.name}")
    collected: list[LogLine] = []
    for path in reversed(files or (output,)):
        wanted = lines - len(collected)
        if wanted <= 0:
            break
        collected[:0] = [LogLine(node.name, path, text) for text in _last_lines(path, wanted)]
    return tuple(collected)


def _last_lines(path: Path, count: int) -> list[str]:
    """The last `count` lines, read from the end in blocks: log files grow to a gigabyte."""
    data = b""
    try:
        with path.open("rb") as file:
            position = file.seek(0, os.SEEK_END)
            while position > 0 and data.count(b"\n") <= count:
                step = min(_BLOCK_BYTES, position)
                position -= step
                file.seek(position)
                data = file.read(step) + data
    except OSError as problem:
        raise EnvironmentFailure(f"{path} cannot be read: {problem.strerror}", hint="check its permissions") from problem
    return data.decode(errors="replace").splitlines()[-count:] if count > 0 else []


def follow(
    nodes: Sequence[NodeHome],
    *,
    lines: int = 10,
    is_over: Callable[[], bool] = lambda: False,
    every_s: float = FOLLOW_EVERY_S,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[LogLine]:
    """The last `lines` lines of each node, then every line that is added, until `is_over`. Endless by default; the caller stops it.

    A node without a log is waited for. A file that is replaced or cut short is read again from its start.
    """
    followers = [_Follower(node, lines) for node in nodes]
    while True:
        over = is_over()
        count = 0
        for each in followers:
            for line in each.new_lines():
                count += 1
                yield line
        if over:
            return
        if count == 0:
            pause(every_s)


class _Follower:
    """Reads what is added to one node's logs. Half a line stays until its rest has come."""

    def __init__(self, node: NodeHome, lines: int) -> None:
        self._node = node
        self._first_lines = lines
        self._path: Path | None = None
        self._inode = 0
        self._offset_bytes = 0
        self._half = b""

    def new_lines(self) -> Iterator[LogLine]:
        files = log_files(self._node)
        if not files:
            return
        if self._path is None:
            self._path = files[-1]
            yield from (LogLine(self._node.name, self._path, text) for text in _last_lines(self._path, self._first_lines))
            with suppress(OSError):
                stat = self._path.stat()
                self._inode, self._offset_bytes = stat.st_ino, stat.st_size
            return
        yield from self._rest_of(self._path)
        behind = (path for path in files if path.name > self._path.name)
        for path in files[files.index(self._path) + 1 :] if self._path in files else tuple(behind):
            self._path, self._inode, self._offset_bytes, self._half = path, 0, 0, b""
            yield from self._rest_of(path)

    def _rest_of(self, path: Path) -> Iterator[LogLine]:
        try:
            with path.open("rb") as file:
                stat = os.fstat(file.fileno())
                if stat.st_ino != self._inode or stat.st_size < self._offset_bytes:
                    self._offset_bytes, self._half = 0, b""
                self._inode = stat.st_ino
                file.seek(self._offset_bytes)
                while block := file.read(_BLOCK_BYTES):
                    self._offset_bytes += len(block)
                    *whole, self._half = (self._half + block).split(b"\n")
                    yield from (LogLine(self._node.name, path, text.decode(errors="replace")) for text in whole)
                    if len(self._half) > _LINE_BYTES_MAX:
                        yield LogLine(self._node.name, path, self._half.decode(errors="replace"))
                        self._half = b""
        except OSError:
            # Removed or rotated between listing and opening: the next round sees what is there then.
            return
