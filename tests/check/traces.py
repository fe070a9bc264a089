"""Traces written by hand: clean ones of four replicas, and the means to spoil them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from fiscotool.pbft.trace import Act, TraceRecord

REPLICAS = ("node0", "node1", "node2", "node3")


class Scribe:
    """Writes the records of `count` replicas; a tick passes with every record. The order of the calls is an order of the run."""

    def __init__(self, count: int = 4) -> None:
        self.count = count
        self.records: list[TraceRecord] = []
        self.now_s = 0.0
        self._lives = [-1] * count
        self._sequences = [0] * count

    def tell(self, index: int, act: Act, **values: Any) -> TraceRecord:
        """One record of replica `index`."""
        self.now_s += 0.001
        if act is Act.START:
            self._lives[index] += 1
            self._sequences[index] = 0
        record = TraceRecord(f"node{index}", max(0, self._lives[index]), self._sequences[index], self.now_s, act, index=index, **values)
        self._sequences[index] += 1
        self.records.append(record)
        return record

    def start(self, height: int = 0, view: int = 3, of: Iterable[int] | None = None) -> None:
        """All begin and agree on their first view."""
        everyone = list(range(self.count) if of is None else of)
        for index in everyone:
            self.tell(index, Act.START)
            self.tell(index, Act.HEAD, height=height, digest="aa" * 4, own_view=0, to_view=0, head=height)
            for asked in (1, 2):
                self.tell(index, Act.SEND_VIEW_CHANGE, height=height, view=asked, digest="aa" * 4)
        self.change_view(height, view, of=everyone)

    def change_view(self, height: int, view: int, of: Iterable[int] | None = None, old: int = 0) -> None:
        """All time out, ask for `view`, and enter it on the NewView of its leader."""
        everyone = list(range(self.count) if of is None else of)
        leader = (height + 1 + view) % self.count
        for index in everyone:
            self.tell(index, Act.TIMEOUT, height=height, view=old, own_view=old, to_view=view)
            self.tell(index, Act.SEND_VIEW_CHANGE, height=height, view=view)
        for index in everyone:
            for place, sender in enumerate(everyone):
                self.tell(index, Act.RECEIVE_VIEW_CHANGE, height=height, view=view, sender=sender, weight=place + 1)
        self.tell(leader, Act.SEND_NEW_VIEW, height=height, view=view)
        self.tell(leader, Act.ENTER_VIEW, height=height, view=view, own_view=view, to_view=view)
        for index in everyone:
            if index != leader:
                self.tell(index, Act.ACCEPT_NEW_VIEW, height=height, view=view, sender=leader)
                self.tell(index, Act.ENTER_VIEW, height=height, view=view, own_view=view, to_view=view)

    def block(self, height: int, view: int = 3, digest: str = "", of: Iterable[int] | None = None) -> None:
        """One block, from its proposal to all ledgers."""
        everyone = list(range(self.count) if of is None else of)
        digest = digest or f"{height:04x}beef"
        result = f"{height:04x}cafe"
        leader = (height + view) % self.count
        about = {"height": height, "view": view, "digest": digest}
        self.tell(leader, Act.PROPOSE, height=height, view=view, digest=digest)
        for index in everyone:
            self.tell(index, Act.ACCEPT_PROPOSAL, sender=leader, own_view=view, to_view=view, head=height - 1, **about)
            self.tell(index, Act.SEND_PREPARE, **about)
        self._votes(everyone, Act.RECEIVE_PREPARE, about)
        for index in everyone:
            self.tell(index, Act.PREPARED, own_view=view, **about)
            self.tell(index, Act.SEND_COMMIT, **about)
        self._votes(everyone, Act.RECEIVE_COMMIT, about)
        for index in everyone:
            self.tell(index, Act.COMMITTED_LOCAL, **about)
            self.tell(index, Act.EXECUTED, height=height, digest=result)
            self.tell(index, Act.SEND_CHECKPOINT, height=height, digest=result)
        self._votes(everyone, Act.RECEIVE_CHECKPOINT, {"height": height, "view": view, "digest": result})
        for index in everyone:
            self.tell(index, Act.STABLE, height=height, digest=result)
            self.tell(index, Act.LEDGER_COMMIT, height=height, digest=result)
            self.tell(index, Act.HEAD, height=height, view=view, digest=result, own_view=view, to_view=view, head=height)

    def _votes(self, everyone: Sequence[int], act: Act, about: dict[str, Any]) -> None:
        for index in everyone:
            for place, sender in enumerate(everyone):
                self.tell(index, act, sender=sender, weight=place + 1, **about)


def clean_trace(blocks: int = 3, count: int = 4) -> list[TraceRecord]:
    """A start and some blocks."""
    scribe = Scribe(count)
    scribe.start()
    for height in range(1, blocks + 1):
        scribe.block(height)
    return scribe.records


def place_of(records: Sequence[TraceRecord], act: Act, replica: str = "node1", height: int | None = None, nth: int = 0) -> int:
    """Where the nth record of this kind is."""
    found = [
        place
        for place, record in enumerate(records)
        if record.act is act and record.replica == replica and (height is None or record.height == height)
    ]
    return found[nth]


def without(records: Sequence[TraceRecord], drop: Callable[[TraceRecord], bool]) -> list[TraceRecord]:
    """All records but some."""
    return [record for record in records if not drop(record)]


def changed(records: Sequence[TraceRecord], place: int, **values: Any) -> list[TraceRecord]:
    """The records with one of them changed."""
    return [replace(record, **values) if here == place else record for here, record in enumerate(records)]
