"""Do the cores of fisco2 and classic refine their abstract models? As `refinement` asks of fisco3, of random schedules.

The maps keep what a replica is in the model, and which messages were ever sent. A block is written as soon as consensus has made it, for
that is one step of the models.

Sources: Abadi and Lamport, The existence of refinement mappings (1991); docs/model-checking.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from fiscotool.check.classic_bounds import Entry, LimitsClassic, LocalClassic
from fiscotool.check.classic_packed import PackedClassic
from fiscotool.check.core_schedules import FUSES, Dice
from fiscotool.check.core_world import GENESIS, block, hash_of, value_of
from fiscotool.check.dialect_world import DialectWorld
from fiscotool.check.fisco2_bounds import UNLOCKED, Limits2, Local2, Lock2
from fiscotool.check.fisco2_packed import PackedFisco2
from fiscotool.check.fisco3_bounds import FILLER, Changed, Entered, Lock
from fiscotool.check.refinement import Paths
from fiscotool.pbft import events as ev
from fiscotool.pbft import messages as msg
from fiscotool.pbft.classic.state import knows_view
from fiscotool.pbft.dialects import CLASSIC, FISCO2, Dialect
from fiscotool.pbft.types import NO_DIGEST, Height, NodeIndex, View

HEIGHTS: Final = 2
VIEW_MAX: Final = 5
CRASHES_MAX: Final = 7


class Mapped(Protocol):
    """A refinement of a dialect."""

    def state_of(self, world: DialectWorld) -> int:
        """The model's state that stands for this one."""

    def check(self, i: int, before: int, after: int) -> None:
        """Raises NotRefinedError."""


class Refinement2(Paths):
    """Worlds of fisco2."""

    def __init__(self, byzantine: int | None = None, *, quorum: int = 3) -> None:
        limits = Limits2(heights=HEIGHTS, view_max=VIEW_MAX, byzantine=byzantine, crashes=CRASHES_MAX, symmetry=False, quorum=quorum)
        self.model = PackedFisco2(limits)
        super().__init__(self.model, self.model.layout.all_replicas(), self.model.layout.crash_bits)

    def state_of(self, world: DialectWorld) -> int:
        """The model's state that stands for this one."""
        state = self.model.initial() + (world.crashes << self.model.layout.crash_count)
        for message in dict.fromkeys(message for _, message in world.sent):
            if message.sender != world.byzantine:
                state |= self._sent(message)
        for i, replica in world.state.items():
            state = self.model.layout.put(state, i, _local2(replica, world.durable[i].ledger))
        return state

    def _sent(self, message: msg.Message) -> int:
        """The bit of a message; of what lies beyond the bounds none."""
        layout, h = self.model.layout, int(getattr(message, "index", 0))
        match message:
            case msg.ViewChange() if h < HEIGHTS:
                return 1 << self.model.asked[message.view, h] + message.sender
            case msg.PrePrepare() if message.proposal.is_filler:
                return 1 << self.model.empty[message.view, h - 1] if h <= HEIGHTS else 0
            case msg.PrePrepare():
                return 1 << layout.preprepare[message.view, h, value_of(message.digest)]
            case msg.Prepare() | msg.Commit():
                kind = "sign" if isinstance(message, msg.Prepare) else "commit"
                return layout.vote(0, kind, (message.view, h, int(message.digest.split(b"|")[-1])), message.sender)
            case _:
                return 0


def _local2(replica: Any, ledger: tuple[int, ...]) -> Local2:
    """A replica of the core as one of the model, which stops after the last block."""
    if len(ledger) == HEIGHTS:
        return Local2(chain=ledger)
    lock = replica.lock
    held = Lock2(lock.view, value_of(lock.proposal.digest)) if lock is not None and lock.proposal.index == len(ledger) + 1 else UNLOCKED
    accepted = value_of(replica.raw.digest) if replica.raw is not None else 0
    return Local2(replica.view, replica.to_view if replica.in_timeout else replica.view, accepted, held, ledger)


class RefinementClassic(Paths):
    """Worlds of classic."""

    def __init__(self, byzantine: int | None = None, *, quorum: int = 3) -> None:
        limits = LimitsClassic(heights=HEIGHTS, view_max=VIEW_MAX, byzantine=byzantine, crashes=CRASHES_MAX, symmetry=False, quorum=quorum)
        self.model = PackedClassic(limits)
        super().__init__(self.model, self.model.layout.all_replicas(), self.model.layout.crash_bits)

    def state_of(self, world: DialectWorld) -> int:
        """The model's state that stands for this one. A pre-prepare said again of what a new view proposes is that new view said again."""
        state = self.model.initial() + (world.crashes << self.model.layout.crash_count)
        messages = dict.fromkeys(message for _, message in world.sent)
        again = {(one.view, entry.digest) for one in messages if isinstance(one, msg.NewView) for entry in one.preprepares}
        for message in messages:
            is_again = isinstance(message, msg.PrePrepare) and (message.view, message.digest) in again
            if message.sender != world.byzantine and not is_again:
                state |= self._sent(message)
        for i, replica in world.state.items():
            state = self.model.layout.put(state, i, _local_classic(replica, world.durable[i].ledger))
        return state

    def _sent(self, message: msg.Message) -> int:
        """The bits of a message: what a primary proposes is its vote."""
        layout = self.model.layout
        match message:
            case msg.PrePrepare() | msg.Prepare() | msg.Commit() if message.index <= HEIGHTS:
                slot = (message.view, message.index, value_of(message.digest))
                vote = layout.vote(0, "commit" if isinstance(message, msg.Commit) else "prepare", slot, message.sender)
                return vote | 1 << layout.preprepare[slot] if isinstance(message, msg.PrePrepare) else vote
            case msg.ViewChange():
                locks = tuple(Lock(cert.proposal.index, cert.view, value_of(cert.proposal.digest)) for cert in message.prepared)
                return 1 << self.model.messages.place_of(Changed(message.view, message.sender, 0, locks))
            case msg.NewView():
                again = [(entry.index, value_of(entry.digest)) for entry in message.preprepares]
                state = 1 << self.model.messages.place_of(Entered(message.view, 0, tuple(Lock(h, 0, value) for h, value in again)))
                for h, value in again:
                    state = layout.vote(state, "prepare", (message.view, h, value), message.sender)
                return state
            case _:
                return 0


def _local_classic(replica: Any, ledger: tuple[int, ...]) -> LocalClassic:
    """A replica of the core as one of the model."""
    slots = {slot.height: slot for slot in replica.slots}
    shown = replica.new_view.preprepares if replica.new_view is not None and not replica.in_timeout else ()
    again = {entry.index: value_of(entry.digest) for entry in shown}
    log = []
    for h in range(1, HEIGHTS + 1):
        slot, entry = slots.get(h), Entry(decided=ledger[h - 1] if h <= len(ledger) else 0, bound=again.get(h, 0))
        if slot is not None and slot.voted_view >= 0:
            bound = 0 if slot.voted_view == replica.view else entry.bound
            entry = entry._replace(voted_in=slot.voted_view + 1, voted=value_of(slot.voted_digest), bound=bound)
        if slot is not None and slot.cert is not None:
            entry = entry._replace(cert_in=slot.cert.view + 1, cert=value_of(slot.cert.proposal.digest))
        if slot is not None and slot.committed is not None:
            entry = entry._replace(decided=value_of(slot.committed.digest))
        log.append(entry)
    target = replica.to_view if replica.in_timeout else replica.view
    return LocalClassic(tuple(log), replica.view, target, is_lost=not replica.in_timeout and not knows_view(replica))


REFINEMENTS: Final[dict[str, tuple[Dialect, Callable[..., Any]]]] = {
    FISCO2.name: (FISCO2, Refinement2),
    CLASSIC.name: (CLASSIC, RefinementClassic),
}


def world_of(dialect: Dialect, byzantine: int | None) -> DialectWorld:
    """A world at its beginning. A liar has voted for blocks of the first height, asked for views, and shows its followers two blocks."""
    world = DialectWorld(dialect, byzantine=byzantine)
    world.writes_at_once = True
    if byzantine is None:
        return world
    liar = NodeIndex(byzantine)
    index, digest = Height(0), NO_DIGEST if world.is_classic else GENESIS
    for view in range(3):
        world.lie(msg.ViewChange(View(view + 1), index, digest, liar))
        for value in (1, 2, FILLER):
            named = block(1, value).digest if world.is_classic else hash_of((value,))
            world.lie(msg.Prepare(View(view), Height(1), named, liar))
            world.lie(msg.Commit(View(view), Height(1), named, liar))
            if world.leader(1, view) == byzantine and value != FILLER:
                world.lie(world.pre_prepare(view, 1, value))
    return world


def walk_dialect(refinement: Mapped, world: DialectWorld, dice: Dice, steps: int) -> None:
    """One schedule of so many events. Raises NotRefinedError."""
    heard: set[tuple[int, msg.Message]] = set()
    fuse = dice.choice(FUSES)
    at = refinement.state_of(world)
    for _ in range(steps):
        i = _happen(world, dice, heard, fuse)
        after = refinement.state_of(world)
        refinement.check(i, at, after)
        at = after


def _happen(world: DialectWorld, dice: Dice, heard: set[tuple[int, msg.Message]], fuse: float) -> int:
    """One thing happens, mostly the arrival of something new. Returns the replica."""
    i = dice.choice(world.honest)
    ledger, drawn = world.durable[i].ledger, dice.random()
    longer = [other.ledger for other in world.durable.values() if len(other.ledger) > len(ledger)]
    new = [one for one in world.sent if one not in heard]
    first, last = world.ranges.get(i, (1, 0))
    open_ = range(max(first, len(ledger) + 1), min(last, HEIGHTS) + 1)
    if drawn < fuse:
        _fault(world, dice, i, fuse, drawn)
    elif longer and drawn > 1 - 0.03:
        world.write(i, longer[0][len(ledger)], by_sync=True)
    elif drawn < fuse + 0.2 and open_:
        world.propose(i, dice.choice(open_), dice.choice((1, 2)))
    elif world.sent:
        i, message = dice.choice(new if new and dice.random() > 1 / 8 else list(world.sent))
        heard.add((i, message))
        world.deliver(i, message)
    return i


def _fault(world: DialectWorld, dice: Dice, i: int, fuse: float, drawn: float) -> None:
    """A crash, once; or a timer runs out."""
    state = world.state[i]
    if drawn < fuse / 4 and not world.crashes:
        world.crash(i)
    elif drawn < fuse / 2 and world.is_classic:
        world.give(i, ev.TimerFired(ev.TimerName.CHECKPOINT_RESEND, state.resend_epoch))
    elif drawn < fuse / 2 and state.empty_epoch % 2 and state.to_view < VIEW_MAX and len(world.durable[i].ledger) < HEIGHTS:
        world.give(i, ev.TimerFired(ev.TimerName.EMPTY_BLOCK, state.empty_epoch))
    elif state.to_view < dice.choice((1, 2, VIEW_MAX)) and getattr(state, "timer_on", True):
        world.expire(i)
