"""A campaign on the workers of a Dask cluster: any number of machines, each with fiscotool of this version installed.

Rule 1. A task whose worker dies is given to another one by the scheduler; a task that fails for another reason is an error of ours.
Rule 2. Results are taken as they come, and kept before the next are asked for, so an interruption here loses only what was under way.
Rule 3. Workers with another version would give other event logs: they are refused before anything runs.

Dask is optional (`pip install fiscotool[dask]`) and imported only here.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from itertools import islice
from typing import Any

from fiscotool import __version__
from fiscotool.cli.campaign import Line, run_seeds
from fiscotool.errors import EnvironmentFailure, UsageError

CONNECT_S = 10.0
AHEAD_A_WORKER = 3
"""Tasks handed to the scheduler for each thread of a worker, so that none waits for us."""

RETRIES = 3
"""How often a task that its worker did not finish is tried elsewhere; Dask adds those of a worker that died by itself."""


def version_here() -> str:
    """The version of fiscotool in this process; asked of every worker."""
    return __version__


def run_task(seeds: list[int], fixed: dict[str, Any]) -> list[Line]:
    """Work of one task; runs in a worker."""
    return run_seeds(seeds, dict(fixed))


def results_of(address: str, tasks: list[list[int]], fixed: dict[str, Any]) -> Iterator[list[Line]]:
    """Results of the tasks as they come. Raises UsageError without Dask, EnvironmentFailure without a usable cluster."""
    if not tasks:
        return
    try:
        distributed: Any = import_module("distributed")
    except ImportError as missing:
        raise UsageError("Dask is not installed", hint="pip install 'fiscotool[dask]', here and on every worker") from missing
    try:
        client = distributed.Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as problem:
        raise EnvironmentFailure(
            f"no Dask scheduler answers at {address}", hint="start one: dask scheduler; and workers: dask worker tcp://HOST:8786"
        ) from problem
    with client:
        _check_workers(client, address)
        rest = iter(tasks)
        threads = sum(client.nthreads().values())

        def submitted(count: int) -> list[Any]:
            return [client.submit(run_task, task, fixed, pure=False, retries=RETRIES) for task in islice(rest, count)]

        running = distributed.as_completed(submitted(AHEAD_A_WORKER * threads), loop=client.loop, with_results=True)
        for future, lines in running:
            future.release()
            yield lines
            for more in submitted(1):
                running.add(more)


def _check_workers(client: Any, address: str) -> None:
    """That there are workers, and that they run this version."""
    client.wait_for_workers(1, timeout=CONNECT_S)
    versions = client.run(version_here)
    others = sorted({version for version in versions.values() if version != __version__})
    if others:
        raise EnvironmentFailure(
            f"workers of {address} have fiscotool {', '.join(others)}, here it is {__version__}", hint="install the same version"
        )
