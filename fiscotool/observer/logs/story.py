"""The timeline of all nodes together: one line a block, one for what several nodes did at once, in order of time.

Rule 1. Events come in nearly in order of time and leave in order: a line waits until `settle_s` of log time have passed, so that all
        nodes' parts of it are in.
Rule 2. A block is told once: who proposed it, in which view, how long nodes took, and which nodes got it by agreement and which by sync.
Rule 3. The same thing at several nodes within `settle_s` is one line with all their names. Nothing is left out: what is not told as a
        line of its own is in the block's line, or of a kind the caller left out.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from fiscotool.observer.logs.events import Kind, LogEvent

__all__ = ["BlockTold", "Happening", "Story"]

_IN_BLOCK: Final = frozenset(
    {
        Kind.SEALED,
        Kind.PROPOSED,
        Kind.ACCEPTED,
        Kind.PREPARE_SENT,
        Kind.PREPARE_COUNTED,
        Kind.PREPARED,
        Kind.COMMIT_SENT,
        Kind.COMMIT_COUNTED,
        Kind.COMMITTED,
        Kind.EXECUTED,
        Kind.CHECKPOINT_SENT,
        Kind.CHECKPOINT_COUNTED,
        Kind.STABLE,
        Kind.WRITTEN,
        Kind.REPORT,
        Kind.SYNCED,
    }
)
_ALONE: Final = frozenset({Kind.UNKNOWN, Kind.CONFLICT, Kind.BAD_SIGNATURE})
_BY_NODE: Final = _ALONE | {Kind.PEER_LOST, Kind.PEER_CONNECTED}
_BLOCKS_MAX: Final = 4096


@dataclass(slots=True)
class BlockTold:
    """What the logs say of one block. Times are seconds since 1970; durations count from `proposed_s`, where that is known."""

    height: int
    first_s: float
    digest: str = ""
    view: int | None = None
    proposer: int | None = None
    proposed_s: float | None = None
    tx_count: int | None = None
    prepared_s: dict[str, float] = field(default_factory=dict)
    committed_s: dict[str, float] = field(default_factory=dict)
    head_s: dict[str, float] = field(default_factory=dict)
    synced: set[str] = field(default_factory=set)
    got_by: set[str] = field(default_factory=set)

    @property
    def agreed(self) -> tuple[str, ...]:
        """Nodes that got the block by agreement, in the order in which they had it."""
        return tuple(node for node, _ in sorted(self.head_s.items(), key=lambda item: item[1]) if node not in self.synced)


@dataclass(slots=True)
class Happening:
    """The same thing at one or several nodes. `event` is the first node's; `block` is set when the line is about a whole block.

    `count`: how many events it stands for; of a SYNCED line the number of blocks, the first of which is the event's.
    """

    at_s: float
    kind: Kind
    nodes: list[str]
    event: LogEvent
    block: BlockTold | None = None
    last_s: float = 0.0
    count: int = 1


class Story:
    """Makes the timeline. `names` maps consensus indexes to node names as far as the logs have told them."""

    def __init__(self, kinds: Iterable[Kind], *, settle_s: float = 1.0) -> None:
        self.names: dict[int, str] = {}
        self._kinds = frozenset(kinds)
        self._settle_s = settle_s
        self._blocks: dict[int, BlockTold] = {}
        self._waiting: list[tuple[float, int, Happening]] = []
        self._open: dict[tuple[Kind, int | None, int | None, str], Happening] = {}
        self._serial = 0
        self._member_count: int | None = None
        self._run: Happening | None = None

    def add(self, events: Iterable[LogEvent]) -> Iterator[Happening]:
        """Take events (in order of time, as far as they are); give what is settled."""
        for event in events:
            if event.own is not None and self.names.get(event.own) != event.node:
                self.names[event.own] = event.node
            if event.kind in _IN_BLOCK and event.height is not None:
                self._take_block(event)
            elif event.kind in self._kinds:
                self._take_other(event)
            if self._waiting and self._waiting[0][0] <= event.at_s - self._settle_s:
                yield from self._settled(event.at_s - self._settle_s)

    def flush(self, until_s: float = float("inf")) -> Iterator[Happening]:
        """Give what is older than `until_s`; without it everything."""
        yield from self._settled(until_s)

    def _settled(self, until_s: float) -> Iterator[Happening]:
        while self._waiting and self._waiting[0][0] <= until_s:
            happening = heapq.heappop(self._waiting)[2]
            block = happening.block
            if block is not None:
                self._blocks.pop(block.height, None)
                if not block.agreed:
                    yield from self._synced(happening, block)
                    continue
            yield from self._end_of_run()
            yield happening
        if self._run is not None and self._run.last_s <= until_s:
            yield from self._end_of_run()
        if self._open:
            self._open = {key: each for key, each in self._open.items() if each.last_s > until_s}

    def _synced(self, happening: Happening, block: BlockTold) -> Iterator[Happening]:
        """A block that nodes got by sync only: those that follow each other are told together."""
        nodes, run = sorted(block.synced), self._run
        last = run.event.height if run is not None else None
        if run is not None and last is not None and run.nodes == nodes and last + run.count == block.height:
            run.count += 1
            run.last_s = happening.at_s
            return
        yield from self._end_of_run()
        self._run = Happening(happening.at_s, Kind.SYNCED, nodes, happening.event, last_s=happening.at_s)

    def _end_of_run(self) -> Iterator[Happening]:
        run, self._run = self._run, None
        if run is not None:
            yield run

    def _wait(self, happening: Happening) -> None:
        self._serial += 1
        heapq.heappush(self._waiting, (happening.at_s, self._serial, happening))

    def _take_other(self, event: LogEvent) -> None:
        if event.kind is Kind.MEMBERS:
            if event.weight == self._member_count:
                return
            self._member_count = event.weight
        key = (event.kind, event.view, event.height, event.node if event.kind in _BY_NODE else "")
        known = self._open.get(key)
        if known is not None and event.kind not in _ALONE and event.at_s - known.at_s < self._settle_s:
            known.count += 1
            known.last_s = event.at_s
            if event.node not in known.nodes:
                known.nodes.append(event.node)
            return
        happening = Happening(event.at_s, event.kind, [event.node], event, last_s=event.at_s)
        self._open[key] = happening
        self._wait(happening)

    def _take_block(self, event: LogEvent) -> None:
        height = event.height
        assert height is not None
        block = self._blocks.get(height)
        if block is None:
            if len(self._blocks) >= _BLOCKS_MAX:
                self._blocks.pop(next(iter(self._blocks)))
            block = self._blocks[height] = BlockTold(height, event.at_s)
        match event.kind:
            case Kind.SEALED if not block.head_s:
                block.proposer, block.proposed_s = event.own, event.at_s
            case Kind.PROPOSED if block.proposer != event.own or block.proposed_s is None:
                block.proposer, block.proposed_s = event.own, event.at_s
            case Kind.ACCEPTED:
                if event.view is not None:
                    block.view = event.view
                if block.proposer is None:
                    block.proposer = event.sender
            case Kind.PREPARE_SENT if event.view is not None:
                block.view = event.view
            case Kind.PREPARED:
                block.prepared_s.setdefault(event.node, event.at_s)
            case Kind.COMMITTED:
                block.committed_s.setdefault(event.node, event.at_s)
                block.got_by.add(event.node)
            case Kind.WRITTEN:
                block.got_by.add(event.node)
            case Kind.SYNCED:
                block.synced.add(event.node)
                block.got_by.add(event.node)
            case Kind.REPORT:
                self._take_head(event, block)

    def _take_head(self, event: LogEvent, block: BlockTold) -> None:
        """A node has the block. What a node reports without having got a block is its old head, at its start."""
        if event.node in block.head_s or event.node not in block.got_by:
            if not block.got_by:
                self._blocks.pop(block.height, None)
            return
        fields = event.fields
        block.digest = event.digest or block.digest
        count = fields.get("txs") or fields.get("tx")
        if count is not None and count.isdigit():
            block.tx_count = int(count)
        if not block.head_s:
            self._wait(Happening(event.at_s, Kind.REPORT, [event.node], event, block, event.at_s))
        block.head_s[event.node] = event.at_s
