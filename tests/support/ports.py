"""Ports for tests: free now, and not handed to another test worker for as long as this one lives."""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from pathlib import Path
from typing import IO

_FIRST, _LAST = 21000, 32000
_held: list[IO[str]] = []


def _reserve(port: int) -> bool:
    folder = Path(tempfile.gettempdir()) / f"fiscotool-test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    handle = (folder / str(port)).open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        return False
    _held.append(handle)  # The lock lasts until this process ends.
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """`count` consecutive free ports, reserved against other test processes. Below the ephemeral range on purpose."""
    start = _FIRST + (os.getpid() * 97) % (_LAST - _FIRST - 500)
    for base in [*range(start, _LAST - count, count), *range(_FIRST, start, count)]:
        ports = list(range(base, base + count))
        if all(_is_free(port) and _reserve(port) for port in ports):
            return ports
    raise RuntimeError(f"no {count} consecutive free ports between {_FIRST} and {_LAST}")
