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
from typing import BinaryIO

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
    try:
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
    finally:
        for each in followers:
            each.close()


class _Follower:
    """Reads what is added to one node's logs. Half a line stays until its rest has come.

    The file is kept open: its inode number can then not be given to the file that replaces it, and what was written to it between
    the last look and its removal is still read.
    """

    def __init__(self, node: NodeHome, lines: int) -> None:
        self._node = node
        self._first_lines = lines
        self._path: Path | None = None
        self._file: BinaryIO | None = None
        self._half = b""

    def close(self) -> None:
        """Close the file that is open."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def new_lines(self) -> Iterator[LogLine]:
        files = log_files(self._node)
        if self._path is None:
            if files:
                yield from self._begin(files[-1])
            return
        yield from self._rest()
        if self._is_replaced():
            yield from self._unfinished()
            self._open(self._path)
            yield from self._rest()
        behind = (path for path in files if path.name > self._path.name)
        for path in files[files.index(self._path) + 1 :] if self._path in files else tuple(behind):
            yield from self._unfinished()
            self._open(path)
            yield from self._rest()

    def _begin(self, path: Path) -> Iterator[LogLine]:
        self._open(path)
        if self._file is not None:
            yield from (LogLine(self._node.name, path, text) for text in _last_lines(path, self._first_lines))
            self._file.seek(0, os.SEEK_END)

    def _open(self, path: Path) -> None:
        self.close()
        self._path, self._half = path, b""
        # Removed between listing and opening: the next round sees what is there then.
        with suppress(OSError):
            self._file = path.open("rb")

    def _is_replaced(self) -> bool:
        """Whether another file has the name of the open one."""
        if self._path is None:
            return False
        try:
            named = self._path.stat()
        except OSError:
            return False
        return self._file is None or not os.path.samestat(named, os.fstat(self._file.fileno()))

    def _rest(self) -> Iterator[LogLine]:
        """What has been added to the open file. A file that was cut short is read again from its start."""
        if self._file is None or self._path is None:
            return
        if os.fstat(self._file.fileno()).st_size < self._file.tell():
            self._file.seek(0)
            self._half = b""
        while block := self._file.read(_BLOCK_BYTES):
            *whole, self._half = (self._half + block).split(b"\n")
            yield from (LogLine(self._node.name, self._path, text.decode(errors="replace")) for text in whole)
            if len(self._half) > _LINE_BYTES_MAX:
                yield from self._unfinished()

    def _unfinished(self) -> Iterator[LogLine]:
        """A line that will not be ended: the node was killed while it wrote it, or it is longer than any line of a log."""
        if self._half and self._path is not None:
            yield LogLine(self._node.name, self._path, self._half.decode(errors="replace"))
        self._half = b""
