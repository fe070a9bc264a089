"""The present state of every node, again and again: what a live table shows.

for snapshots in watch(targets, every_s=1.0):
    show(snapshots)            # one NodeSnapshot a node, in the order of the targets
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fiscotool.observer.node_watch import Heard
from fiscotool.observer.poll import Poller
from fiscotool.observer.target import PollTarget

_FIRST_WAIT_S: Final = 2.5


@dataclass(frozen=True, slots=True)
class NodeSnapshot:
    """What a node said last. `state`: what the caller knows of its process, else "answers" or "silent".

    `leader` is the name of the node that this one takes for the leader of the next block, "#2" when no name is known for the index.
    `connected_count` counts the node itself. `error` is set, and the rest None, when it did not answer.
    """

    node: str
    state: str
    height: int | None = None
    view: int | None = None
    leader: str = ""
    is_leader: bool = False
    timeout: bool | None = None
    change_cycle: int | None = None
    connected_count: int | None = None
    node_count: int | None = None
    is_syncing: bool | None = None
    pending_count: int | None = None
    error: str = ""


def watch(
    targets: Sequence[PollTarget],
    *,
    every_s: float = 1.0,
    timeout_s: float = 2.0,
    state_of: Callable[[str], str] | None = None,
) -> Generator[tuple[NodeSnapshot, ...], None, None]:
    """Snapshots every `every_s` until the caller stops iterating; polling ends with the iterator.

    The first comes when every node was heard, at the latest after `timeout_s` and a little. `state_of(name)`: running, paused, stopped.
    """
    names = {target.name for target in targets}
    all_heard, seen = threading.Event(), set[str]()

    def note(heard: Heard) -> None:
        seen.add(heard.name)
        if seen >= names:
            all_heard.set()

    never = threading.Event()
    with Poller(targets, min(every_s, timeout_s), timeout_s=timeout_s, on_heard=note) as poller:
        all_heard.wait(max(timeout_s, _FIRST_WAIT_S))
        while True:
            yield snapshots_of(targets, poller.heard(), state_of)
            never.wait(every_s)


def snapshots_of(
    targets: Sequence[PollTarget], heard: Mapping[str, Heard], state_of: Callable[[str], str] | None = None
) -> tuple[NodeSnapshot, ...]:
    """One snapshot a target from what was heard last."""
    by_index = {item.values["node_index"]: name for name, item in heard.items() if "node_index" in item.values}
    return tuple(_snapshot(target.name, heard.get(target.name), by_index, state_of) for target in targets)


def _snapshot(name: str, heard: Heard | None, by_index: Mapping[int, str], state_of: Callable[[str], str] | None) -> NodeSnapshot:
    answers = heard is not None and not heard.error
    state = state_of(name) if state_of is not None else ("answers" if answers else "silent")
    if heard is None or heard.error:
        return NodeSnapshot(name, state, error=heard.error if heard is not None else "not asked yet")
    values = heard.values
    leader_index = values.get("leader_index")
    return NodeSnapshot(
        node=name,
        state=state,
        height=values.get("height", values.get("consensus_height")),
        view=values.get("view"),
        leader="" if leader_index is None else by_index.get(leader_index, f"#{leader_index}"),
        is_leader=leader_index is not None and leader_index == values.get("node_index"),
        timeout=values.get("timeout"),
        change_cycle=values.get("change_cycle"),
        connected_count=values.get("connected_count"),
        node_count=values.get("node_count"),
        is_syncing=values.get("is_syncing"),
        pending_count=values.get("pending_count"),
    )
