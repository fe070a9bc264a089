"""Drives the consensus core: feeds it events one by one, and does, in order, what it asks for.

Rule 1. Effects are applied in the order the core gave them. What follows a `Persist` or `Remember` waits, with everything after it, until
        the record is on the disk; meanwhile the core goes on and further records join the same fsync (group commit).
Rule 2. A replica hears itself: what it broadcasts comes back as `Received`, signed, after everything queued before it.
Rule 3. One tick is one millisecond of the loop's monotonic clock. A timer that was replaced or cancelled never fires.
Rule 4. Which protocol it is, is the dialect's business: everything called comes from `pbft.dialects.Dialect`.
Rule 5. After `halt` nothing leaves this replica and nothing enters its core: a replica whose disk failed stops voting.

Sources: architecture, "The core's contract"; pbft/effects.py; bcos-pbft `PBFTEngine.cpp`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from fiscotool.devnet.consensus_log import StoredTransactions
from fiscotool.devnet.durability import DurableWriter
from fiscotool.pbft.dialects import FISCO3, CommonState, Dialect
from fiscotool.pbft.effects import (
    AgreedIndex,
    Broadcast,
    BuildFillers,
    CancelTimer,
    CommitBlock,
    Effect,
    Execute,
    ExecutedRecord,
    Persist,
    Reject,
    ReleaseTransactions,
    Remember,
    SealRange,
    Send,
    SetTimer,
    VerifyProposal,
    VoteRecord,
)
from fiscotool.pbft.events import Event, Received, TimerFired, TimerName
from fiscotool.pbft.messages import Message
from fiscotool.pbft.types import NodeIndex

__all__ = ["Driver", "Outgoing", "Witness", "Worker"]


class Outgoing(Protocol):
    """The way out for messages; `byzantine.py` wraps it."""

    def broadcast(self, message: Message) -> Message:
        """Sign and send to all other sealers; returns the message as signed, for this replica to hear."""

    def send(self, to: NodeIndex, message: Message) -> None:
        """Sign and send to one sealer."""


class Worker(Protocol):
    """Who does what the core asks for beyond messages, timers and records (`blocks.BlockWork`)."""

    def verify(self, effect: VerifyProposal) -> None:
        """Answer with `Verified`."""

    def build_fillers(self, effect: BuildFillers) -> None:
        """Answer with `FillersBuilt`."""

    def execute(self, effect: Execute) -> None:
        """Answer with `Executed`."""

    def commit(self, effect: CommitBlock) -> None:
        """Answer with `LedgerAdvanced`, or never."""

    def seal(self, effect: SealRange) -> None:
        """Hand the range to the sealer."""

    def release(self, effect: ReleaseTransactions) -> None:
        """Unseal the proposal's transactions."""

    def agreed(self, effect: AgreedIndex) -> None:
        """Tell block synchronisation."""

    def stored_transactions(self, record: VoteRecord | ExecutedRecord) -> StoredTransactions | None:
        """The transactions that must be durable together with this record."""


class Witness(Protocol):
    """Who watches every step (`narration.Narrator`): logs, counters."""

    def on_step(self, before: Any, event: Event, after: Any, effects: tuple[Effect, ...]) -> None:
        """The core has taken a step."""

    def on_applied(self, state: Any, effect: Effect) -> None:
        """An effect that waited for durability, or not, is being applied."""


class Driver:
    """One replica: its state, its queue of events, its effects that wait for the disk, its timers."""

    def __init__(
        self,
        state: CommonState,
        *,
        writer: DurableWriter,
        outgoing: Outgoing,
        worker: Worker,
        witness: Witness,
        dialect: Dialect = FISCO3,
    ) -> None:
        self.state: Any = state
        """Of the dialect's own type; what all have is `CommonState`."""
        self.outgoing = outgoing
        self.is_halted = False
        self.steps = 0
        self.rejected: dict[str, int] = {}
        self._take_step = dialect.step
        self._writer = writer
        self._worker = worker
        self._witness = witness
        self._events: deque[Event] = deque()
        self._held: deque[tuple[int, Effect]] = deque()
        self._barrier = 0
        self._is_running = False
        self._timers: dict[TimerName, asyncio.TimerHandle] = {}
        self._handlers: dict[type, Callable[..., None]] = {
            Broadcast: self._broadcast,
            Send: self._send,
            SetTimer: self._set_timer,
            CancelTimer: self._cancel_timer,
            Reject: self._count_reject,
            VerifyProposal: worker.verify,
            BuildFillers: worker.build_fillers,
            Execute: worker.execute,
            CommitBlock: worker.commit,
            SealRange: worker.seal,
            ReleaseTransactions: worker.release,
            AgreedIndex: worker.agreed,
        }

    def post(self, event: Event) -> None:
        """Let the core know. May be called from anywhere in the loop's thread, also while an effect is applied."""
        if self.is_halted:
            return
        self._events.append(event)
        if not self._is_running:
            self._run()

    def on_durable(self) -> None:
        """The writer has fsynced: apply what waited for it, then go on."""
        if self._is_running or self.is_halted:
            return
        self._run()

    def halt(self) -> None:
        """Rule 5; for good."""
        self.is_halted = True
        self._events.clear()
        self._held.clear()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _run(self) -> None:
        self._is_running = True
        try:
            while not self.is_halted:
                if self._held and self._writer.is_durable(self._held[0][0]):
                    self._apply(self._held.popleft()[1])
                elif self._events:
                    self._step(self._events.popleft())
                else:
                    break
        finally:
            self._is_running = False

    def _step(self, event: Event) -> None:
        before = self.state
        self.state, effects = self._take_step(before, event)
        self.steps += 1
        self._witness.on_step(before, event, self.state, effects)
        for effect in effects:
            if isinstance(effect, Persist):
                self._persist(effect)
            elif isinstance(effect, Remember):
                self._barrier = self._writer.append(effect.record)
            elif self._held or not self._writer.is_durable(self._barrier):
                self._held.append((self._barrier, effect))
            else:
                self._apply(effect)

    def _persist(self, effect: Persist) -> None:
        stored = self._worker.stored_transactions(effect.record)
        if stored is not None:
            self._writer.append(stored)
        self._barrier = self._writer.append(effect.record)

    def _apply(self, effect: Effect) -> None:
        self._witness.on_applied(self.state, effect)
        self._handlers[type(effect)](effect)

    def _broadcast(self, effect: Broadcast) -> None:
        self._events.append(Received(self.outgoing.broadcast(effect.message)))

    def _send(self, effect: Send) -> None:
        self.outgoing.send(effect.to, effect.message)

    def _set_timer(self, effect: SetTimer) -> None:
        self._cancel(effect.name)
        self._timers[effect.name] = asyncio.get_running_loop().call_later(
            effect.after_ticks / 1000, self.post, TimerFired(effect.name, effect.epoch)
        )

    def _cancel_timer(self, effect: CancelTimer) -> None:
        self._cancel(effect.name)

    def _cancel(self, name: TimerName) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _count_reject(self, effect: Reject) -> None:
        name = effect.reason.name
        self.rejected[name] = self.rejected.get(name, 0) + 1
