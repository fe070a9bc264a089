"""The node's log files, in the real node's format, so that one parser reads both.

    level|YYYY-mm-dd HH:MM:SS.ffffff|thread-0xid|[MODULE][SUB]text,key=value,…

Rule 1. A line is written and flushed at once; a new file begins at each start, each hour and at `max_log_file_size`.
Rule 2. Writing a log never stops a node: when the disk is full the line is dropped and counted.
Rule 3. What a peer can cause as often as it likes goes through `limited`: once a second for each kind, with the number left out.

Sources: spec 3.x 5.1; bcos-utilities `BoostLogInitializer.cpp`, `Log.h`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final

__all__ = ["LEVELS", "NodeLog", "short_hash"]

LEVELS: Final = ("trace", "debug", "info", "warning", "error", "fatal")
_LIMIT_S: Final = 1.0
_THREAD: Final = "pbft-0x0000000000000001|"
_LIMITED_KINDS_MAX: Final = 256


def short_hash(value: bytes | str) -> str:
    """A hash as logs show it: 8 hex digits and three dots."""
    text = value.hex() if isinstance(value, bytes) else value
    return text[:8] + "..."


class NodeLog:
    """Writes the log of one node. `now` gives seconds since the epoch; a test passes its own."""

    def __init__(
        self,
        directory: Path,
        *,
        is_enabled: bool = True,
        level: str = "info",
        bytes_max: int = 1 << 30,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.directory = directory
        self.is_enabled = is_enabled
        self.lines_dropped = 0
        self._bytes_max = bytes_max
        self._now = now
        self._file: IO[bytes] | None = None
        self._written_bytes = 0
        self._second = -1
        self._stamp = ""
        self._hour = ""
        self._limits: dict[str, tuple[float, int]] = {}
        self._threshold = 2
        self.set_level(level)

    def set_level(self, level: str) -> None:
        """Show `level` and above from now on; an unknown word means info."""
        self._threshold = LEVELS.index(level) if level in LEVELS else LEVELS.index("info")

    def is_shown(self, level: str) -> bool:
        """Whether lines of this level are written; ask before building an expensive one."""
        return self.is_enabled and LEVELS.index(level) >= self._threshold

    def trace(self, badges: str, text: str, **fields: Any) -> None:
        """A line at level trace."""
        self._write("trace", badges, text, fields)

    def debug(self, badges: str, text: str, **fields: Any) -> None:
        """A line at level debug."""
        self._write("debug", badges, text, fields)

    def info(self, badges: str, text: str, **fields: Any) -> None:
        """A line at level info. `badges` is what stands between the outer brackets: "CONSENSUS][PBFT"."""
        self._write("info", badges, text, fields)

    def warning(self, badges: str, text: str, **fields: Any) -> None:
        """A line at level warning."""
        self._write("warning", badges, text, fields)

    def error(self, badges: str, text: str, **fields: Any) -> None:
        """A line at level error."""
        self._write("error", badges, text, fields)

    def limited(self, level: str, kind: str, badges: str, text: str, **fields: Any) -> None:
        """A line of which at most one a second is written for each `kind`; `leftOut` says how many were not."""
        now_s = self._now()
        last_s, left_out = self._limits.get(kind, (0.0, 0))
        if abs(now_s - last_s) < _LIMIT_S:
            self._limits[kind] = (last_s, left_out + 1)
            return
        if len(self._limits) >= _LIMITED_KINDS_MAX:
            self._limits.clear()
        self._limits[kind] = (now_s, 0)
        if left_out:
            fields["leftOut"] = left_out
        self._write(level, badges, text, fields)

    def _write(self, level: str, badges: str, text: str, fields: dict[str, Any]) -> None:
        if not self.is_enabled or LEVELS.index(level) < self._threshold:
            return
        now_s = self._now()
        second = int(now_s)
        if second != self._second:
            self._second = second
            local = time.localtime(second)
            self._stamp = time.strftime("%Y-%m-%d %H:%M:%S", local)
            if self._stamp[:13] != self._hour:
                self._hour = self._stamp[:13]
                self._open(time.strftime("log_%Y%m%d%H.%M.log", local))
        shown = "".join([f",{key}={'true' if value is True else 'false' if value is False else value}" for key, value in fields.items()])
        line = f"{level}|{self._stamp}.{int((now_s - second) * 1e6):06d}|{self._origin(badges)}[{badges}]{text}{shown}\n".encode(
            errors="replace"
        )
        try:
            if self._file is not None:
                self._file.write(line)
                self._written_bytes += len(line)
                if self._written_bytes > self._bytes_max:
                    self._open(time.strftime("log_%Y%m%d%H.%M.log", time.localtime(second)))
        except OSError:
            self.lines_dropped += 1

    def _origin(self, badges: str) -> str:
        """What stands between the time and the message."""
        del badges
        return _THREAD

    def _open(self, name: str) -> None:
        self.close()
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._file = (self.directory / name).open("ab", buffering=0)
            self._written_bytes = self._file.tell()
        except OSError:
            self.lines_dropped += 1

    def close(self) -> None:
        """Close the file; a later line opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None
            self._hour = ""
