"""A clean trace, indexed: who sent which vote, what each life says about each height, and what follows from what.

Sources: `pbft.trace`; OSDI'99 4.2; spec 3.x 1.8.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from fiscotool.pbft.trace import Act, TraceRecord

__all__ = ["CAUSES_OF", "SENDS", "VIEW_ACTS", "VOTES", "Change", "Clean", "renumbered"]

SENDS: Final[dict[Act, Act]] = {
    Act.RECEIVE_PREPARE: Act.SEND_PREPARE,
    Act.RECEIVE_COMMIT: Act.SEND_COMMIT,
    Act.RECEIVE_CHECKPOINT: Act.SEND_CHECKPOINT,
}
VOTES: Final = frozenset(SENDS)
VIEW_ACTS: Final = frozenset({Act.ENTER_VIEW, Act.RECOVER, Act.ACCEPT_NEW_VIEW})

CAUSES: Final[dict[Act, tuple[tuple[Act, ...], bool]]] = {
    Act.SEND_PREPARE: ((Act.ACCEPT_PROPOSAL,), True),
    Act.PREPARED: ((Act.ACCEPT_PROPOSAL,), True),
    Act.SEND_COMMIT: ((Act.PREPARED,), True),
    Act.EXECUTED: ((Act.COMMITTED_LOCAL,), False),
    Act.STABLE: ((Act.EXECUTED,), True),
    Act.LEDGER_COMMIT: ((Act.STABLE,), True),
    Act.HEAD: ((Act.LEDGER_COMMIT, Act.SYNCED_BLOCK), False),
}

_CAUSES_OF_FISCO2: Final[dict[Act, tuple[tuple[Act, ...], bool]]] = {
    Act.EXECUTED: ((Act.ACCEPT_PROPOSAL,), False),
    Act.SEND_PREPARE: ((Act.EXECUTED,), True),
    Act.PREPARED: ((Act.ACCEPT_PROPOSAL,), True),
    Act.COMMITTED_LOCAL: ((Act.PREPARED,), False),
    Act.LEDGER_COMMIT: ((Act.COMMITTED_LOCAL,), False),
}
_CAUSES_OF_CLASSIC: Final[dict[Act, tuple[tuple[Act, ...], bool]]] = {
    Act.SEND_PREPARE: ((Act.ACCEPT_PROPOSAL,), True),
    Act.PREPARED: ((Act.ACCEPT_PROPOSAL,), True),
    Act.SEND_COMMIT: ((Act.PREPARED,), True),
    Act.EXECUTED: ((Act.COMMITTED_LOCAL,), False),
    Act.LEDGER_COMMIT: ((Act.COMMITTED_LOCAL,), False),
    Act.HEAD: ((Act.LEDGER_COMMIT, Act.SYNCED_BLOCK), False),
}
CAUSES_OF: Final = {"fisco3": CAUSES, "fisco2": _CAUSES_OF_FISCO2, "classic": _CAUSES_OF_CLASSIC}
"""What a replica does only after another act of its own about the same height in the same life; whether the digest is the same."""
_STEP_OF: Final = {Act.SEND_PREPARE: Act.EXECUTED, Act.SEND_COMMIT: Act.PREPARED}
"""2.x: the step with which a vote may leave; that it left is told later."""

Key = tuple[Act, int | None, int | None, int | None, str]


@dataclass(frozen=True, slots=True)
class Change:
    """A lane after an edit."""

    lane: list[TraceRecord]
    must_reject: bool
    why: str


class Clean:
    """A trace that is a run. `weights` are those of the members by index; `quorum` decides; digests are abridged alike."""

    def __init__(
        self, records: Iterable[TraceRecord], weights: tuple[int, ...] = (1, 1, 1, 1), *, period_blocks: int = 1, dialect: str = "fisco3"
    ) -> None:
        self.dialect = dialect
        self.caused = CAUSES_OF[dialect]
        self.needed: dict[Act, tuple[Act, ...]] = {}
        """What may follow from an act."""
        for effect, (causes, _) in self.caused.items():
            for cause in causes:
                self.needed[cause] = (*self.needed.get(cause, ()), effect)
        self.weights = weights
        self.period_blocks = period_blocks
        self.quorum = sum(weights) - (sum(weights) - 1) // 3
        lanes: defaultdict[str, list[TraceRecord]] = defaultdict(list)
        for record in records:
            lanes[record.replica].append(record)
        self.lanes = dict(lanes)
        self.names = tuple(sorted(self.lanes))
        self.about: defaultdict[tuple[str, int, int], list[int]] = defaultdict(list)
        self.sent: set[Key] = set()
        self.sent_s: dict[Key, float] = {}
        self.proposed: set[tuple[int | None, str]] = set()
        self.views: set[tuple[str, int, int]] = set()
        self.entered: set[int] = set()
        self.written: defaultdict[int, set[str]] = defaultdict(set)
        self._starts: set[tuple[str, int]] = set()
        for name, lane in self.lanes.items():
            for place, record in enumerate(lane):
                self._index(name, place, record)

    def _index(self, name: str, place: int, record: TraceRecord) -> None:
        if record.height is not None:
            self.about[name, record.life, record.height].append(place)
        if record.act is Act.START:
            self._starts.add((name, record.life))
        if record.own_view is not None:
            self.views.add((name, record.life, record.own_view))
        if record.act in VIEW_ACTS and record.view is not None:
            self.views.add((name, record.life, record.view))
            self.entered.add(record.view)
        if record.act is Act.SEND_NEW_VIEW and record.view is not None:
            self.entered.add(record.view)
        if record.act in {Act.PROPOSE, Act.REPROPOSE}:
            self.proposed.add((record.height, record.digest))
        if record.act in {Act.LEDGER_COMMIT, Act.SYNCED_BLOCK, Act.HEAD} and record.height and record.digest:
            self.written[record.height].add(name)
        is_own = record.act in VOTES and record.sender == record.index
        if record.act in SENDS.values() or is_own or record.act is Act.EXECUTED:
            act = SENDS.get(record.act, Act.SEND_CHECKPOINT if record.act is Act.EXECUTED else record.act)
            key = self.key(act, record.index, record)
            self.sent.add(key)
            at_s = record.at_s
            step = _STEP_OF.get(record.act) if self.dialect == "fisco2" else None
            if step is not None:
                at_s = min(
                    [
                        at_s,
                        *(
                            self.lanes[name][at].at_s
                            for at in self.about[name, record.life, record.height or 0]
                            if self.lanes[name][at].act is step
                        ),
                    ]
                )
            self.sent_s.setdefault(key, at_s)

    @staticmethod
    def key(act: Act, sender: int | None, record: TraceRecord) -> Key:
        """What tells one vote from another; a checkpoint is the same in every view."""
        view = None if act is Act.SEND_CHECKPOINT else record.view
        return act, sender, view, record.height, record.digest

    def is_told(self, replica: str, life: int) -> bool:
        """Whether this life is told from its first step, and what it keeps from earlier ones: 2.x and the paper keep votes and locks."""
        return (replica, life) in self._starts and (self.dialect == "fisco3" or not life)

    def same(self, replica: str, place: int, acts: Sequence[Act], *, before: bool) -> list[int]:
        """Places in the same life about the same height, before or after `place`, of these acts."""
        record = self.lanes[replica][place]
        if record.height is None:
            return []
        found = self.about[replica, record.life, record.height]
        lane = self.lanes[replica]
        return [at for at in found if (at < place if before else at > place) and lane[at].act in acts]

    def causes(self, replica: str, place: int) -> list[int]:
        """Places of what must have come before this record in its life (CAUSES); empty where it needs nothing or that is not told."""
        lane = self.lanes[replica]
        wanted = self.caused.get(lane[place].act)
        if wanted is None:
            return []
        acts, by_digest = wanted
        found = self.same(replica, place, acts, before=True)
        return [at for at in found if not by_digest or lane[at].digest == lane[place].digest]

    def weight(self, senders: Iterable[int]) -> int:
        """Weight of distinct members."""
        return sum(self.weights[sender] for sender in set(senders) if 0 <= sender < len(self.weights))

    def leader(self, height: int, view: int) -> int:
        """Who leads this height in this view."""
        if self.dialect == "fisco3":
            return (height // self.period_blocks + view) % len(self.weights)
        return (height - 1 + view if self.dialect == "fisco2" else view) % len(self.weights)

    def counted_before(self, replica: str, place: int) -> list[int]:
        """Places of votes counted before `place` for the same thing (act, height, view, digest) as the vote there."""
        lane = self.lanes[replica]
        vote = lane[place]
        return [at for at in self.same(replica, place, (vote.act,), before=True) if _is_alike(lane[at], vote)]

    def counted_after(self, replica: str, place: int) -> list[int]:
        """As `counted_before`, after it."""
        lane = self.lanes[replica]
        vote = lane[place]
        return [at for at in self.same(replica, place, (vote.act,), before=False) if _is_alike(lane[at], vote)]

    def moves_between(self, replica: str, first: int, last: int) -> bool:
        """Whether the replica entered a view in between, which makes it forget votes."""
        return any(record.act in VIEW_ACTS for record in self.lanes[replica][first:last])

    def with_lane(self, replica: str, lane: list[TraceRecord]) -> list[TraceRecord]:
        """The whole trace with one replica's records replaced."""
        return [record for name in self.names for record in (lane if name == replica else self.lanes[name])]


def _is_alike(one: TraceRecord, other: TraceRecord) -> bool:
    same_view = one.act is Act.RECEIVE_CHECKPOINT or one.view == other.view
    return same_view and one.digest == other.digest


def renumbered(lane: Iterable[TraceRecord]) -> list[TraceRecord]:
    """The records numbered in their order, life by life."""
    found: list[TraceRecord] = []
    life, sequence = -1, 0
    for record in lane:
        sequence = sequence + 1 if record.life == life else 0
        life = record.life
        found.append(record if record.sequence == sequence else replace(record, sequence=sequence))
    return found


Test = Callable[[TraceRecord], bool]
