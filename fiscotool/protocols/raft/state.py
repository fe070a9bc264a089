"""A Raft replica: what it keeps on disk, what only in memory, and the arithmetic of both.

Durable (`RaftRecord`): the term, the vote in it, the log. Volatile: role, leader, commit index, what the leader knows of the others.
`view` is the term, so that drivers treat a term as the views of the other protocols. The log begins above `base`, the height of the
ledger when the replica first started; entry k is block base + k + 1.

Sources: Ongaro & Ousterhout, USENIX ATC 2014, figure 2 "State".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from fiscotool.pbft.effects import Effect, ExecutedRecord, SealRange, SetTimer, VoteRecord
from fiscotool.pbft.events import TimerName
from fiscotool.pbft.quorum import weight_of
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.state import Status
from fiscotool.pbft.types import Digest, Height, NodeIndex, Ticks, View, Weight
from fiscotool.protocols.raft.messages import Entry
from fiscotool.protocols.words import remember

HEARTBEATS_A_TIMEOUT: Final = 10
"""A leader is heard so often in the shortest election timeout (section 5.6 asks for an order of magnitude)."""

CYCLE_MAX: Final = 10
"""`change_cycle` counts no further; Raft does not wait longer after a failed election, it draws another timeout."""


NOTHING: Final = (Height(1), Height(0))
"""A range for the sealer with nothing in it."""


class Role(Enum):
    """Section 5.1: every server is one of these."""

    FOLLOWER = "follower"
    CANDIDATE = "candidate"
    LEADER = "leader"


@dataclass(frozen=True, slots=True)
class RaftRecord:
    """What must be on disk before any message of this term or about this log leaves (figure 2, "persistent state")."""

    term: View
    voted_for: NodeIndex | None
    base: Height
    log: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """One replica. `next_index` and `match_index` are the leader's, by replica; `executing` is the height asked for, 0 for none.

    `told` is the range last given to the sealer; `cycle` counts own elections since a leader was heard.
    """

    rules: Rules
    me: NodeIndex | None
    height: Height
    block_hash: Digest
    base: Height
    term: View = View(0)
    voted_for: NodeIndex | None = None
    log: tuple[Entry, ...] = ()
    role: Role = Role.FOLLOWER
    leader: NodeIndex | None = None
    votes: tuple[NodeIndex, ...] = ()
    next_index: tuple[Height, ...] = ()
    match_index: tuple[Height, ...] = ()
    commit: Height = Height(0)
    executing: Height = Height(0)
    epoch: int = 0
    cycle: int = 0
    told: tuple[Height, Height] = NOTHING

    @property
    def view(self) -> View:
        """The term."""
        return self.term

    @property
    def to_view(self) -> View:
        """The term as well: a candidate is already in the term it asks for."""
        return self.term

    @property
    def in_timeout(self) -> bool:
        """Whether it knows of no leader in its term."""
        return self.leader is None

    @property
    def change_cycle(self) -> int:
        """Consecutive own elections."""
        return min(self.cycle, CYCLE_MAX)


def initial_state(
    *,
    rules: Rules,
    me: NodeIndex | None,
    height: Height,
    block_hash: Digest,
    votes: tuple[VoteRecord, ...] = (),
    executed: tuple[ExecutedRecord, ...] = (),
    stand: RaftRecord | None = None,
) -> ReplicaState:
    """A replica that starts, or starts again with its `stand`. What is in the ledger is committed; `votes`, `executed` are PBFT's."""
    assert not votes
    assert not executed
    if stand is None:
        return ReplicaState(rules, me, height, block_hash, base=height, commit=height)
    return ReplicaState(rules, me, height, block_hash, stand.base, term=stand.term, voted_for=stand.voted_for, log=stand.log, commit=height)


def status(state: ReplicaState) -> Status:
    """What the replica says of itself; without a known leader it names itself."""
    leader = state.leader if state.leader is not None else state.me if state.me is not None else NodeIndex(0)
    total = sum(state.rules.weights)
    return Status(
        height=state.height,
        block_hash=state.block_hash,
        view=state.view,
        to_view=state.to_view,
        in_timeout=state.in_timeout,
        change_cycle=state.change_cycle,
        leader=leader,
        me=state.me,
        quorum_weight=Weight(total // 2 + 1),
        faulty_weight_max=Weight((total - 1) // 2),
    )


def is_majority(replicas: Iterable[NodeIndex], rules: Rules) -> bool:
    """Whether these have more than half of the weight: any two such sets share a replica."""
    return 2 * weight_of(replicas, rules.weights) > sum(rules.weights)


def last_index(state: ReplicaState) -> Height:
    """Where the log ends."""
    return Height(state.base + len(state.log))


def term_at(state: ReplicaState, index: Height) -> View | None:
    """The term of the entry at a place; 0 where the log begins, None where there is nothing."""
    if index == state.base:
        return View(0)
    place = index - state.base - 1
    return state.log[place].term if 0 <= place < len(state.log) else None


def record_of(state: ReplicaState) -> RaftRecord:
    """What of this state must survive a crash."""
    return RaftRecord(state.term, state.voted_for, state.base, state.log)


def persisted(before: ReplicaState, after: ReplicaState, out: list[Effect]) -> ReplicaState:
    """`after`, having asked for its record to be made durable if it differs. Comes before any message of the step."""
    if (before.term, before.voted_for) != (after.term, after.voted_for) or before.log is not after.log:
        out.append(remember(record_of(after)))
    return after


def timeout_ticks(rules: Rules, change_cycle: int) -> Ticks:
    """The longest election timeout; no longer after failed elections."""
    assert change_cycle >= 0
    return Ticks(2 * rules.timeout_base_ticks)


def arm_election(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Wait for a leader: T ticks, and up to T more that the driver draws (section 5.2: randomised, so that split votes are rare)."""
    epoch = state.epoch + 1
    base = Ticks(state.rules.timeout_base_ticks)
    out.append(SetTimer(TimerName.VIEW, epoch, base, base))
    return replace(state, epoch=epoch)


def arm_heartbeat(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """The next heartbeat. The vocabulary's timer for what is sent again and again is CHECKPOINT_RESEND."""
    epoch = state.epoch + 1
    out.append(SetTimer(TimerName.CHECKPOINT_RESEND, epoch, Ticks(max(1, state.rules.timeout_base_ticks // HEARTBEATS_A_TIMEOUT))))
    return replace(state, epoch=epoch)


def tell_sealer(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Which heights the own sealer may propose: as leader what follows the log, at most `pipeline_blocks` beyond what is committed."""
    first = Height(last_index(state) + 1)
    last = Height(state.commit + state.rules.pipeline_blocks) if state.role is Role.LEADER else Height(0)
    if last < first:
        first, last = NOTHING
    if (first, last) == state.told:
        return state
    out.append(SealRange(first, last, state.view))
    return replace(state, told=(first, last))
