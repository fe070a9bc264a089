"""The limit of open files: a thousand connections do not fit into the usual 1,024."""

from __future__ import annotations

import resource

from fiscotool.errors import EnvironmentFailure


def allow_open_files(count: int) -> None:
    """Let this process have `count` files and sockets open. Raises EnvironmentFailure when the system does not allow that many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= count:
        return
    if hard != resource.RLIM_INFINITY and hard < count:
        raise EnvironmentFailure(
            f"{count} files and connections are needed at once, and this system allows a process {hard}",
            hint=f"ask for less at once, or raise the limit: ulimit -Hn {count}",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
