"""Reads the log files of one node as they grow: hourly files, rotation, renaming, truncation, a directory that appears later.

Rule 1. Every whole line that was written is given once, files in the order of their names, lines in the order of the file.
Rule 2. A file is known by its inode and first bytes, not by its name: renaming does not give it twice, and a new file under an old name,
        or one that was cut short and written again, is read from its start.
Rule 3. Half a line waits for its rest. It is given as it is when the next file has begun, or when it is longer than any line of a log.
Rule 4. What cannot be read now (no directory yet, a file removed between two looks, permissions) is tried again at the next look;
        `problem` says what it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import BinaryIO, Final

from fiscotool.observer.logs.times import LOCAL, Stamps

__all__ = ["LogTail", "log_files_in", "read_lines", "seek_time"]

_BLOCK_BYTES: Final = 1 << 20
_LINE_BYTES_MAX: Final = 1 << 20
_PRINT_BYTES: Final = 64
_STAMP: Final = re.compile(rb"^[a-z]{4,7}\|(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+)\|", re.MULTILINE)


def log_files_in(directory: Path) -> tuple[Path, ...]:
    """The log files in `directory`, oldest first: names sort by time. Empty when there is no such directory."""
    try:
        names = sorted(path for path in directory.iterdir() if path.name.startswith("log") and path.suffix == ".log")
    except OSError:
        return ()
    return tuple(names)


def read_lines(stream: BinaryIO) -> Iterator[list[str]]:
    """All lines of `stream`, a block at a time, without line ends; the last may be a half one. Bytes that are no UTF-8 are replaced."""
    half = b""
    while block := stream.read(_BLOCK_BYTES):
        *whole, half = (half + block).split(b"\n")
        if whole:
            yield b"\n".join(whole).decode("utf-8", "replace").split("\n")
        if len(half) > _LINE_BYTES_MAX:
            yield [half.decode("utf-8", "replace")]
            half = b""
    if half:
        yield [half.decode("utf-8", "replace")]


def seek_time(stream: BinaryIO, since_s: float, zone: tzinfo | None = LOCAL) -> int:
    """Move to the beginning of a line, so that no line of `since_s` or later is before it, and not many earlier ones after it.

    By bisection: lines of a log are in the order of time within milliseconds, and a second of tolerance is kept.
    """
    low, high = 0, stream.seek(0, 2)
    stamps = Stamps(zone)
    while high - low > 2 * _BLOCK_BYTES // 16:
        middle = (low + high) // 2
        stream.seek(middle)
        match = _STAMP.search(stream.read(_BLOCK_BYTES), 1)
        if match is None or stamps.epoch_s(match[1].decode()) >= since_s - 1.0:
            high = middle
        else:
            low = middle + match.start()
    return stream.seek(low)


@dataclass(slots=True)
class _File:
    """How far a file was read. `print_` are its first bytes, by which it is known again; `half` the unfinished line."""

    offset: int = 0
    print_: bytes = b""
    half: bytes = b""


class LogTail:
    """Follows the log files in one directory. `since_s`: files not written to since then are passed over at the first look."""

    def __init__(self, directory: Path, *, since_s: float | None = None, zone: tzinfo | None = LOCAL) -> None:
        self.directory = directory
        self.problem = ""
        self._since_s = since_s
        self._zone = zone
        self._known: dict[tuple[int, int], _File] = {}

    def new_lines(self) -> Iterator[tuple[Path, list[str]]]:
        """What was written since the last look, in blocks. Never waits."""
        self.problem = ""
        paths = log_files_in(self.directory)
        if not paths:
            self.problem = f"no log files in {self.directory}"
        seen: set[tuple[int, int]] = set()
        for position, path in enumerate(paths):
            try:
                status = path.stat()
                identity = (status.st_dev, status.st_ino)
                seen.add(identity)
                known = self._known.get(identity)
                if known is None and self._since_s is not None and status.st_mtime < self._since_s:
                    self._known[identity] = _File(status.st_size)
                    continue
                is_last = position == len(paths) - 1
                if known is not None and status.st_size == known.offset and (is_last or not known.half) and self._is_same(path, known):
                    continue
                for lines in self._read(path, identity, is_last=is_last):
                    yield path, lines
            except OSError as problem:
                self.problem = f"{path}: {problem.strerror}"
        self._known = {identity: file for identity, file in self._known.items() if identity in seen}
        self._since_s = None if paths else self._since_s

    def _is_same(self, path: Path, known: _File) -> bool:
        """Whether a file of unchanged size has the beginning it had. Asked for small files only: a log that has grown does not shrink."""
        if known.offset > _BLOCK_BYTES:
            return True
        with path.open("rb") as stream:
            return stream.read(len(known.print_)) == known.print_

    def _read(self, path: Path, identity: tuple[int, int], *, is_last: bool) -> Iterator[list[str]]:
        with path.open("rb") as stream:
            known = self._known.setdefault(identity, _File())
            size_bytes = stream.seek(0, 2)
            stream.seek(0)
            beginning = stream.read(_PRINT_BYTES)
            if size_bytes < known.offset or not beginning.startswith(known.print_):
                known.offset, known.half = 0, b""
            known.print_ = beginning
            if known.offset == 0 and self._since_s is not None:
                known.offset = seek_time(stream, self._since_s, self._zone)
            stream.seek(known.offset)
            while block := stream.read(_BLOCK_BYTES):
                known.offset += len(block)
                *whole, known.half = (known.half + block).split(b"\n")
                if whole:
                    yield b"\n".join(whole).decode("utf-8", "replace").split("\n")
            if known.half and (not is_last or len(known.half) > _LINE_BYTES_MAX):
                half, known.half = known.half, b""
                yield [half.decode("utf-8", "replace")]
