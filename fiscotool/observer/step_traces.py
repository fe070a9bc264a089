"""Finding and reading the full traces of embedded nodes: `trace-*.jsonl` in their log directories.

A path may be such a file, a log directory, a node's directory or a chain's. A node is called as on the chain: by its directory, with the
host in front where two hosts have one of that name.

Sources: devnet/tracefile.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fiscotool.check.replay_lives import TraceFile
from fiscotool.errors import EnvironmentFailure, UsageError

__all__ = ["find_traces", "read_traces"]

_PATTERN = "trace-*.jsonl"


def find_traces(paths: Sequence[Path]) -> list[Path]:
    """The trace files at these places, sorted. Raises UsageError for a place where there is none."""
    found: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path}: there is no such file or directory", hint="give a chain's directory, a node's, or trace files")
        here = [path] if path.is_file() else sorted(path.rglob(_PATTERN))
        if not here:
            raise UsageError(
                f"{path}: there is no trace ({_PATTERN}) here", hint="nodes write them when deployed so: fiscotool deploy --trace"
            )
        found.update(dict.fromkeys(each.resolve() for each in here))
    return list(found)


def read_traces(paths: Sequence[Path]) -> list[TraceFile]:
    """The lives at these places. Raises UsageError, and EnvironmentFailure for a file that cannot be read."""
    files = find_traces(paths)
    homes = {path: path.parent.parent if path.parent.name == "log" else path.parent for path in files}
    hosts: dict[str, set[Path]] = {}
    for home in homes.values():
        hosts.setdefault(home.name, set()).add(home)
    read = []
    for path in files:
        home = homes[path]
        name = home.name if len(hosts[home.name]) == 1 else f"{home.parent.name}/{home.name}"
        try:
            read.append(TraceFile(name, path.read_bytes().splitlines(keepends=True)))
        except OSError as problem:
            raise EnvironmentFailure(f"{path} cannot be read: {problem.strerror}", hint="look at its permissions") from problem
    return read
