"""What a load asks of the system: open files (a thousand connections do not fit into the usual 1,024), and the loop it runs on."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable
from typing import Final

from fiscotool.errors import EnvironmentFailure

NO_LIMIT: Final = 1 << 30


def raise_file_limit(count: int) -> int:
    """Let this process have `count` files and sockets open, or as many as the system allows; returns how many that is."""
    soft, hard = (NO_LIMIT if limit == resource.RLIM_INFINITY else limit for limit in resource.getrlimit(resource.RLIMIT_NOFILE))
    if soft >= count:
        return soft
    allowed = min(count, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard if hard != NO_LIMIT else resource.RLIM_INFINITY))
    return allowed


def allow_open_files(count: int) -> None:
    """Let this process have `count` files and sockets open. Raises EnvironmentFailure when the system does not allow that many."""
    allowed = raise_file_limit(count)
    if allowed < count:
        raise EnvironmentFailure(
            f"{count} files and connections are needed at once, and this system allows a process {allowed}",
            hint=f"ask for less at once, or raise the limit: ulimit -Hn {count}",
        )


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The loop of uvloop where there is one: it halves the cost of an exchange."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
