"""How much memory a walk has, and how much it may have: `model check --memory`."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

SHARE: Final = 0.75
"""Of the memory that is free when a walk begins; sets double when they grow."""


def peak_mib() -> int:
    """The most memory this process had so far, MiB."""
    told = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return told // (1024 * 1024) if sys.platform == "darwin" else told // 1024


def resident_mib() -> int:
    """The memory this process has now, MiB; its peak where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return peak_mib()
    return pages * os.sysconf("SC_PAGE_SIZE") // (1024 * 1024)


def free_mib() -> int:
    """Memory that could be had now, MiB: what the system has free, or what a container may still take. 0 where it does not tell."""
    told = [found for found in (_meminfo_mib(), _container_mib()) if found is not None]
    return min(told, default=0)


def _meminfo_mib() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _container_mib() -> int | None:
    """What a control group leaves of its limit."""
    group = Path("/sys/fs/cgroup")
    try:
        limit, used = ((group / name).read_text(encoding="ascii").strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return None
    return (int(limit) - int(used)) // (1024 * 1024) if limit.isdigit() else None


def within_memory(limit_mib: int) -> Callable[[], None]:
    """A pause that ends a walk at so much memory; 0 for no limit."""
    from fiscotool.check.budget import Spent

    def pause() -> None:
        if limit_mib and resident_mib() > limit_mib:
            raise Spent(f"the limit of {limit_mib} MiB of memory")

    return pause
