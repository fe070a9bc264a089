"""The driver keeps the core's order: nothing leaves before what precedes it is on the disk, and every wait has an end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from fiscotool.devnet.driver import Driver
from fiscotool.devnet.durability import DurableWriter, Record
from fiscotool.pbft.dialects import FISCO3
from fiscotool.pbft.effects import (
    Broadcast,
    CancelTimer,
    Effect,
    Execute,
    Persist,
    Reject,
    RejectReason,
    Remember,
    Send,
    SetTimer,
    StandRecord,
    VoteRecord,
)
from fiscotool.pbft.events import Event, PoolSize, Received, TimerFired, TimerName
from fiscotool.pbft.messages import Commit, Message, Proposal
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.state import ReplicaState, initial_state
from fiscotool.pbft.types import Digest, Height, NodeIndex, Ticks, View

D = Digest(b"\x11" * 32)
STATE = initial_state(rules=Rules(weights=(1, 1, 1, 1)), me=NodeIndex(0), height=Height(0), block_hash=D)


def commit(index: int) -> Commit:
    return Commit(View(1), Height(index), D, NodeIndex(0))


def vote(index: int) -> Persist:
    return Persist(VoteRecord(Height(index), View(1), D))


@dataclass
class Disk:
    """A consensus log whose batches take as long as the test wants."""

    slow_s: float = 0.0
    written: list[int] = field(default_factory=list)

    def write(self, records: Sequence[Record], forget_until: Height) -> None:
        time.sleep(self.slow_s)
        self.written += [record.index for record in records if isinstance(record, VoteRecord)]
        self.written += [-record.view for record in records if isinstance(record, StandRecord)]


class World:
    """Everything around a driver: what left, and what was durable when it left."""

    def __init__(self, script: dict[int, tuple[Effect, ...]], *, slow_s: float = 0.0) -> None:
        self.script = script
        self.disk = Disk(slow_s)
        self.left: list[tuple[str, int, list[int]]] = []
        self.heard: list[Message] = []
        self.failed: list[Exception] = []
        self.writer = DurableWriter(self.disk, on_durable=self._on_durable, on_failed=self.failed.append)
        worker: Any = self
        self.driver = Driver(STATE, writer=self.writer, outgoing=self, worker=worker, witness=self, dialect=replace(FISCO3, step=self.step))

    def step(self, state: ReplicaState, event: Event) -> tuple[ReplicaState, tuple[Effect, ...]]:
        if isinstance(event, Received):
            self.heard.append(event.message)
        if isinstance(event, PoolSize):
            return state, self.script.get(event.count, ())
        if isinstance(event, TimerFired):
            return state, self.script.get(1000 + event.epoch, ())
        return state, ()

    def _on_durable(self) -> None:
        self.driver.on_durable()

    def _note(self, what: str, index: int) -> None:
        self.left.append((what, index, list(self.disk.written)))

    def broadcast(self, message: Message) -> Message:
        self._note("broadcast", message.index)
        return message

    def send(self, to: NodeIndex, message: Message) -> None:
        self._note("send", message.index)

    def execute(self, effect: Execute) -> None:
        self._note("execute", effect.proposal.index)

    def stored_transactions(self, record: object) -> None:
        return None

    def on_step(self, *_: object) -> None: ...

    def on_applied(self, *_: object) -> None: ...

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


def play(world: Callable[[], World], counts: Sequence[int], done: Callable[[World], bool]) -> World:
    async def main() -> World:
        made = world()
        for count in counts:
            made.driver.post(PoolSize(count))
        deadline_s = time.monotonic() + 5
        while not done(made):
            assert time.monotonic() < deadline_s, made.left
            await asyncio.sleep(0.005)
        made.writer.close()
        return made

    return asyncio.run(main())


def test_nothing_leaves_before_the_vote_it_follows_is_durable() -> None:
    script: dict[int, tuple[Effect, ...]] = {
        1: (Send(NodeIndex(1), commit(1)), vote(1), Broadcast(commit(1))),
        2: (Send(NodeIndex(2), commit(2)),),
        3: (vote(3), Execute(Proposal(Height(3), D)), vote(4), Broadcast(commit(4))),
    }
    world = play(lambda: World(script, slow_s=0.02), [1, 2, 3], lambda made: len(made.left) == 5)
    order = [(what, index) for what, index, _ in world.left]
    assert order == [("send", 1), ("broadcast", 1), ("send", 2), ("execute", 3), ("broadcast", 4)]
    durable = {(what, index): written for what, index, written in world.left}
    assert durable["send", 1] == []
    assert 1 in durable["broadcast", 1]
    assert 1 in durable["send", 2], "effects of later steps wait too"
    assert 3 in durable["execute", 3]
    assert 4 in durable["broadcast", 4]


def test_a_driver_that_did_not_wait_would_be_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail: with a writer that calls everything durable at once, the broadcast leaves too early."""
    monkeypatch.setattr(DurableWriter, "is_durable", lambda *_: True)
    script: dict[int, tuple[Effect, ...]] = {1: (vote(1), Broadcast(commit(1)))}
    world = play(lambda: World(script, slow_s=0.02), [1], lambda made: len(made.left) == 1)
    assert world.left == [("broadcast", 1, [])]


def test_what_classic_remembers_is_durable_before_what_follows() -> None:
    script: dict[int, tuple[Effect, ...]] = {1: (Remember(StandRecord(View(7), is_changing=True)), Broadcast(commit(1)))}
    world = play(lambda: World(script, slow_s=0.02), [1], lambda made: len(made.left) == 1)
    assert world.left == [("broadcast", 1, [-7])]


def test_votes_of_many_steps_share_fsyncs() -> None:
    script: dict[int, tuple[Effect, ...]] = {at: (vote(at), Broadcast(commit(at))) for at in range(1, 101)}
    world = play(lambda: World(script, slow_s=0.01), range(1, 101), lambda made: len(made.left) == 100)
    assert [index for _, index, _ in world.left] == list(range(1, 101))
    assert world.writer.batches_written <= 3


def test_a_replica_hears_itself_after_it_was_durable() -> None:
    script: dict[int, tuple[Effect, ...]] = {1: (vote(1), Broadcast(commit(1)))}
    world = play(lambda: World(script), [1], lambda made: bool(made.heard))
    assert world.heard == [commit(1)]
    assert world.left == [("broadcast", 1, [1])]


def test_a_replaced_or_cancelled_timer_never_fires() -> None:
    script: dict[int, tuple[Effect, ...]] = {
        1: (SetTimer(TimerName.VIEW, 1, Ticks(10)), SetTimer(TimerName.VIEW, 2, Ticks(30))),
        2: (SetTimer(TimerName.CHECKPOINT_RESEND, 3, Ticks(10)), CancelTimer(TimerName.CHECKPOINT_RESEND)),
        1001: (Send(NodeIndex(1), commit(91)),),
        1002: (Send(NodeIndex(1), commit(92)),),
        1003: (Send(NodeIndex(1), commit(93)),),
    }
    world = play(lambda: World(script), [1, 2], lambda made: bool(made.left))
    assert [index for _, index, _ in world.left] == [92]


def test_rejected_messages_are_counted_by_reason() -> None:
    script: dict[int, tuple[Effect, ...]] = {1: (Reject(commit(1), RejectReason.STALE_VIEW),) * 3}
    world = play(lambda: World(script), [1], lambda made: bool(made.driver.rejected))
    assert world.driver.rejected == {"STALE_VIEW": 3}


def test_a_halted_replica_says_nothing_any_more() -> None:
    async def main() -> World:
        world = World({1: (vote(1), Broadcast(commit(1))), 2: (Send(NodeIndex(1), commit(2)),)}, slow_s=0.02)
        world.driver.post(PoolSize(1))
        await asyncio.sleep(0)
        world.driver.halt()
        world.driver.post(PoolSize(2))
        await asyncio.to_thread(world.writer.close)
        await asyncio.sleep(0.01)
        return world

    assert asyncio.run(main()).left == []
