"""The recorded logs of real chains as lines."""

from __future__ import annotations

import lzma
from pathlib import Path

from tests.support.shared import shared


def log_paths(generation: str, folder: str = "logs") -> list[Path]:
    """All recorded log files of `v2` or `v3`, by node and time."""
    return sorted(shared("recordings", generation, folder).rglob("*.log.xz"))


def lines_of(path: Path) -> list[str]:
    lines = lzma.decompress(path.read_bytes()).decode("utf-8", "replace").split("\n")
    if not lines[-1]:
        lines.pop()
    return lines
