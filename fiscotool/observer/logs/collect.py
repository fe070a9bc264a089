"""Logs of several nodes from wherever they are: a chain's directories, copied files, plain or packed.

Rule. A file's node is the `nodeN` in its path; without one, its directory's name, or the file's own where several stand side by side.
"""

from __future__ import annotations

import gzip
import lzma
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import BinaryIO, Final, cast

from fiscotool.errors import EnvironmentFailure, UsageError
from fiscotool.observer.logs.clock import zone_from
from fiscotool.observer.logs.events import Kind, LogEvent
from fiscotool.observer.logs.parse import LogParser
from fiscotool.observer.logs.tail import log_files_in, read_lines, seek_time
from fiscotool.observer.logs.times import LOCAL

__all__ = ["Source", "open_log", "read_all", "read_source", "sources_of"]

_NODE: Final = re.compile(r"node\d+")
_LOOK_BYTES: Final = 1 << 22
_PACKED: Final = frozenset({".xz", ".gz"})


@dataclass(frozen=True, slots=True)
class Source:
    """The log files of one node, oldest first. `directory`: where more of them will be, when the node goes on."""

    node: str
    paths: tuple[Path, ...]
    directory: Path | None = None


def sources_of(given: Iterable[Path]) -> tuple[Source, ...]:
    """The nodes whose logs `given` files and directories hold. Raises UsageError for one that holds none."""
    by_node: dict[str, list[Path]] = {}
    directories: dict[str, Path] = {}
    for path in given:
        found = _files_of(path)
        if not found:
            raise UsageError(f"{path} holds no log files", hint="give log files, a log directory, or a node's directory")
        for file in found:
            by_node.setdefault(_node_of(file), []).append(file)
            if path.is_dir():
                directories[_node_of(file)] = file.parent
    return tuple(
        Source(node, tuple(sorted(paths, key=lambda path: path.name)), directories.get(node)) for node, paths in sorted(by_node.items())
    )


def _files_of(path: Path) -> Sequence[Path]:
    if not path.is_dir():
        return (path,) if path.exists() else ()
    own = log_files_in(path) or log_files_in(path / "log")
    return own or sorted(file for file in path.rglob("*.log*") if file.is_file() and file.suffix in {".log", *_PACKED})


def _node_of(path: Path) -> str:
    for part in (path.name, *reversed(path.resolve().parent.parts)):
        match = _NODE.match(part)
        if match is not None:
            return match[0]
    return path.resolve().parent.name if path.name.startswith("log") else path.name.split(".")[0]


def read_source(source: Source, parser: LogParser, *, since_s: float | None = None, find_zone: bool = False) -> Iterator[list[LogEvent]]:
    """The events of all files of a node, a block at a time. Raises EnvironmentFailure for a file that cannot be read.

    `find_zone`: read times in the zone the log tells, where it tells one; else in the parser's.
    """
    for path in source.paths:
        try:
            with open_log(path) as stream:
                if find_zone:
                    parser.zone = zone_from(stream.read(_LOOK_BYTES).decode("utf-8", "replace")) or parser.zone
                    stream.seek(0)
                if since_s is not None and path.suffix not in _PACKED:
                    seek_time(stream, since_s, parser.zone)
                for lines in read_lines(stream):
                    events = parser.parse(lines)
                    yield [event for event in events if event.at_s >= since_s] if since_s is not None else events
        except (OSError, EOFError, lzma.LZMAError) as problem:
            reason = getattr(problem, "strerror", None) or problem
            raise EnvironmentFailure(f"{path} cannot be read: {reason}", hint="check the file and its permissions") from problem


def open_log(path: Path) -> BinaryIO:
    """The bytes of a log file, unpacked. The caller closes it."""
    if path.suffix == ".xz":
        return cast("BinaryIO", lzma.open(path, "rb"))
    if path.suffix == ".gz":
        return cast("BinaryIO", gzip.open(path, "rb"))
    return path.open("rb")


def read_all(
    sources: Sequence[Source],
    *,
    zone: tzinfo | None = LOCAL,
    find_zone: bool = False,
    skip: Iterable[Kind] = (),
    since_s: float | None = None,
) -> tuple[dict[str, list[LogEvent]], dict[str, LogParser]]:
    """All events of all nodes, and the parsers that read them (for their counts), by node."""
    found: dict[str, list[LogEvent]] = {}
    parsers: dict[str, LogParser] = {}
    for source in sources:
        parser = parsers[source.node] = LogParser(source.node, zone=zone, skip=skip)
        found[source.node] = [event for events in read_source(source, parser, since_s=since_s, find_zone=find_zone) for event in events]
    return found, parsers
