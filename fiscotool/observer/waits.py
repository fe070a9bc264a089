"""Waiting for something to become true of nodes, with a deadline, asking over RPC.

Rule 1. A wait ends when its condition holds, or with WaitTimeout at its deadline; the message says what was last seen of every node.
Rule 2. All nodes are asked at once, and no answer is waited for beyond the deadline: a frozen node costs no more than the others.
Rule 3. Nodes that do not answer do not meet a condition; they are told in the message, not raised.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol

from fiscotool.errors import RpcError, WaitTimeout
from fiscotool.rpc.neutral import NodeReader
from fiscotool.rpc.replies_consensus import ConsensusStatus

EVERY_S: Final = 0.1
_ASK_S: Final = 2.0

Seen = dict[str, Any]
"""What was last seen of each node: the value, or the RpcError."""


class Clock(Protocol):
    """What a wait needs of time."""

    def monotonic(self) -> float:
        """Seconds, never going back."""

    def sleep(self, seconds: float, /) -> None:
        """Let time pass."""


def wait_until(
    clients: Sequence[NodeReader],
    ask: Callable[[NodeReader, float], Any],
    holds: Callable[[Seen], bool],
    *,
    what: str,
    within_s: float,
    show: Callable[[Any], str] = str,
    hint: str = "",
    clock: Clock = time,
) -> Seen:
    """Ask all `clients` until `holds` of what they say, and return that. `ask(client, timeout_s)`; `what` completes "waited for …"."""
    deadline_s = clock.monotonic() + within_s
    with ThreadPoolExecutor(max_workers=max(1, len(clients))) as pool:
        while True:
            left_s = deadline_s - clock.monotonic()
            bound_s = max(0.05, min(_ASK_S, left_s))
            values = pool.map(functools.partial(_try, ask, bound_s), clients)
            seen: Seen = dict(zip([client.name for client in clients], values, strict=True))
            if holds(seen):
                return seen
            if clock.monotonic() >= deadline_s:
                last = "; ".join(f"{name}: {value.message if isinstance(value, RpcError) else show(value)}" for name, value in seen.items())
                raise WaitTimeout(
                    f"waited {within_s:g} s for {what}; last seen: {last}", hint=hint or "see `fiscotool status` and `fiscotool logs`"
                )
            clock.sleep(min(EVERY_S, max(0.0, deadline_s - clock.monotonic())))


def _try(ask: Callable[[NodeReader, float], Any], timeout_s: float, client: NodeReader) -> Any:
    try:
        return ask(client, timeout_s)
    except RpcError as problem:
        return problem


def _height(client: NodeReader, timeout_s: float) -> int:
    return client.block_number(timeout_s=timeout_s)


def _status(client: NodeReader, timeout_s: float) -> ConsensusStatus:
    return client.consensus_status(timeout_s=timeout_s)


def _show_status(status: ConsensusStatus) -> str:
    cycle = "" if status.change_cycle is None else f" (cycle {status.change_cycle})"
    asking = f", asking for a view change{cycle}" if status.timeout else ""
    return f"height {status.height}, view {status.view}{asking}, {status.connected_count} of {status.node_count} connected"


def wait_for_height(clients: Sequence[NodeReader], height: int, within_s: float, *, clock: Clock = time) -> dict[str, int]:
    """Until every node has block `height`; returns the heights."""
    return wait_until(
        clients,
        _height,
        lambda seen: all(isinstance(value, int) and value >= height for value in seen.values()),
        what=f"height {height} on {_names(clients)}",
        within_s=within_s,
        show=lambda value: f"height {value}",
        clock=clock,
    )


def wait_same_view(clients: Sequence[NodeReader], within_s: float, *, clock: Clock = time) -> int:
    """Until every node is in the same view and none asks for another; returns the view."""
    seen = wait_until(
        clients,
        _status,
        _agree_on_view,
        what=f"one view on {_names(clients)}",
        within_s=within_s,
        show=_show_status,
        hint="on an idle chain a view change may need a transaction to complete: fiscotool send --count 1",
        clock=clock,
    )
    view: int = next(iter(seen.values())).view
    return view


def _agree_on_view(seen: Seen) -> bool:
    statuses = [value for value in seen.values() if isinstance(value, ConsensusStatus)]
    return len(statuses) == len(seen) and len({status.view for status in statuses}) == 1 and not any(status.timeout for status in statuses)


def wait_recovered(
    node: NodeReader, within_s: float, *, others: Sequence[NodeReader] = (), behind_max_blocks: int = 1, clock: Clock = time
) -> ConsensusStatus:
    """Until `node` takes part again; returns its status.

    It must answer, ask for no view change and, against those of `others` that answer, be in a view one of them is in and at most
    `behind_max_blocks` behind the highest.

    Without `others` a restarted node cannot be told from one that has not heard of the chain's view yet: give some.
    """

    def holds(seen: Seen) -> bool:
        mine = seen[node.name]
        peers = [value for name, value in seen.items() if name != node.name and isinstance(value, ConsensusStatus)]
        if not isinstance(mine, ConsensusStatus) or mine.timeout or (others and not peers):
            return False
        if not peers:
            return True
        return mine.view in {peer.view for peer in peers} and mine.height >= max(peer.height for peer in peers) - behind_max_blocks

    seen = wait_until([node, *others], _status, holds, what=f"{node.name} to recover", within_s=within_s, show=_show_status, clock=clock)
    status: ConsensusStatus = seen[node.name]
    return status


def _names(clients: Sequence[NodeReader]) -> str:
    return ", ".join(client.name for client in clients)
