"""Does the core refine the abstract fisco3 model? Every step of the core must be a few steps of the model by the same replica, or none.

The map from a world of the core to a state of the model keeps, of each replica: its view and the one it asks for, the values in its
ledger, for each height what it voted for last, its certificate and what it agreed on; and of the network: which messages were ever sent.
It forgets timers, who has received what, contents that are on their way, and everything about a height below the ledger.

Where a step of the core is no such path, the model does not allow what the core does, and `NotRefinedError` has both states.

Sources: Abadi and Lamport, The existence of refinement mappings (1991); docs/model-checking.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from fiscotool.check.core_world import GENESIS, CoreWorld, value_of
from fiscotool.check.fisco3_bounds import FILLER, Changed, Entered, Limits, Lock
from fiscotool.check.fisco3_local import Local
from fiscotool.check.fisco3_packed import PackedFisco3
from fiscotool.check.fisco3_places import CRASH_BITS
from fiscotool.check.frame import PackedFrame
from fiscotool.pbft.messages import CheckPoint, Commit, Message, NewView, Prepare, PrePrepare, ViewChange
from fiscotool.pbft.reproposal import reproposals_of
from fiscotool.pbft.state import ReplicaState, Slot

STEPS_MAX = 12
"""Steps of the model that one event of the core may stand for."""


class NotRefinedError(AssertionError):
    """A step of the core that is no path of the model."""

    def __init__(self, replica: int, before: str, after: str) -> None:
        super().__init__(f"node{replica}'s step is none of the model\n  from {before}\n  to   {after}")


class Paths:
    """Whether steps of the core are paths of a packed model. `replicas`, `crashes`: where a state keeps replicas, and counts crashes."""

    def __init__(self, model: PackedFrame, replicas: int, crashes: int) -> None:
        self._walked = model
        self.stutters = 0
        self.taken = dict.fromkeys(model.actions, 0)
        self._parts: dict[int, list[int]] = {}
        for part, (i, _, _) in enumerate(model.part_names):
            self._parts.setdefault(i, []).append(part)
        self._free = replicas | crashes

    def check(self, i: int, before: int, after: int) -> None:
        """Raises NotRefinedError unless `i` can take the model from one state to the other."""
        if before == after:
            self.stutters += 1
            return
        level: dict[int, tuple[str, ...]] = {before: ()}
        seen = {before}
        for _ in range(STEPS_MAX):
            following: dict[int, tuple[str, ...]] = {}
            for state, way in level.items():
                for action, target in self._steps(i, state):
                    if target == after:
                        for name in (*way, action):
                            self.taken[name] += 1
                        return
                    if target not in seen and not target & ~self._free & ~after:
                        seen.add(target)
                        following[target] = (*way, action)
            level = following
        raise NotRefinedError(i, self._walked.render(before), self._walked.render(after))

    def _steps(self, i: int, state: int) -> Iterator[tuple[str, int]]:
        for part in self._parts[i]:
            for action, _, difference in self._walked.explain(part, state & self._walked.mask(part)):
                yield action, state + difference


class Refinement(Paths):
    """The map, and the check of single steps. `limits` are those of the model; symmetry is not used."""

    def __init__(self, limits: Limits) -> None:
        assert not limits.symmetry
        self.model = PackedFisco3(limits)
        self._places = self.model.places
        replicas = sum(self._places.replica_mask(i) for i in limits.honest)
        super().__init__(self.model, replicas, ((1 << CRASH_BITS) - 1) << self._places.crash_count)

    def state_of(self, world: CoreWorld) -> int:
        """The model's state that stands for this one."""
        state = self.model.initial() + (world.crashes << self._places.crash_count)
        for message in dict.fromkeys(message for _, message in world.sent):
            if message.sender != world.byzantine:
                state |= self._sent(message)
        state = self._places.with_certificates(state)
        for i, replica in world.state.items():
            state = self._places.put(state, i, _local(replica, world.durable[i].ledger, self._places.limits.heights))
        return state

    def _sent(self, message: Message) -> int:
        """The bit of a message."""
        places = self._places
        match message:
            case PrePrepare():
                return places.send(0, "preprepare", (message.view, message.index, value_of(message.digest)))
            case Prepare() | Commit():
                kind = "prepare" if isinstance(message, Prepare) else "commit"
                return places.send(0, kind, (message.view, message.index, value_of(message.digest)), message.sender)
            case CheckPoint():
                prefix = tuple(map(int, message.digest.removeprefix(GENESIS + b"|").split(b"|")))
                return 1 << places.checkpoint[prefix] + message.sender
            case ViewChange():
                locks = tuple(Lock(cert.proposal.index, cert.view, value_of(cert.proposal.digest)) for cert in message.prepared)
                return 1 << self.model.view_messages.place_of(Changed(message.view, message.sender, message.index, locks))
            case NewView():
                return 1 << self.model.view_messages.place_of(_entered(message))
            case _:
                return 0


def _local(replica: ReplicaState, ledger: tuple[int, ...], heights: int) -> Local:
    """A replica of the core as one of the model."""
    voted: dict[int, tuple[int, int]] = {}
    locks: dict[int, Lock] = {}
    agreed: dict[int, int] = {}
    for slot in replica.slots:
        h = int(slot.height)
        if slot.voted_view >= 0:
            voted[h] = (slot.voted_view, value_of(slot.voted_digest))
        if slot.cert is not None:
            locks[h] = Lock(h, slot.cert.view, value_of(slot.cert.proposal.digest))
        if (known := _agreed(slot)) is not None:
            agreed[h] = known
    target = max(replica.to_view, replica.view + 1) if replica.in_timeout else replica.view
    return Local(replica.view, target, (*ledger, *(0,) * (heights - len(ledger))), voted, locks, agreed)


def _agreed(slot: Slot) -> int | None:
    """What is to be executed, or was before a restart."""
    if slot.agreed is not None and not slot.is_pulled:
        return value_of(slot.agreed.digest)
    return value_of(slot.pulling.digest) if slot.pulling is not None and slot.is_restored else None


def _entered(message: NewView) -> Entered:
    """A new view as the model tells it."""
    again = [
        Lock(h, -1, FILLER) if found is None else Lock(h, found[0].view, value_of(found[0].proposal.digest))
        for h, found in reproposals_of(message.view_changes).items()
    ]
    return Entered(message.view, max(vc.index for vc in message.view_changes), tuple(again))
