"""The words and bounds of the small published PBFT specification, for both of its transcriptions.

Records are tuples in the order of their fields, so that CHOOSE (the least element) picks what TLC picks:
    pre-prepare (v, p, n, d) · prepare, commit (v, n, d, i) · reply (v, t, i, r) · checkpoint (n, d, i)
    prepare proof (pre-prepare, prepares) · view change (v, n, c, p, i) · new view (v, vc, o, p)

Source: heidihoward/pbft-tlaplus at b051d12, pbft.tla.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

PrePrepare = tuple[int, int, int, int]
Vote = tuple[int, int, int, int]
Checkpoint = tuple[int, int, int]
Proof = tuple[PrePrepare, frozenset[Vote]]
ViewChange = tuple[int, int, frozenset[Checkpoint], frozenset[Proof], int]
NewView = tuple[int, frozenset[ViewChange], frozenset[PrePrepare], int]

ACTIONS: Final = (
    "PrePrepare", "Prepare", "AcceptPrepare", "Commit", "AcceptCommit", "ExecuteNoCheckpoint", "ExecuteAndCheckpoint",
    "UnstableCheckpoint", "StableCheckpoint", "ViewChange", "AcceptViewChange", "NewView", "AcceptNewView",
)  # fmt: skip
WATER_MARKS: Final = 10
"""k of the specification: the window above the last stable checkpoint."""

NOTHING: Final[frozenset[Checkpoint]] = frozenset()


class Sent(NamedTuple):
    """`msgs` of the specification but the requests, which are all there from the start."""

    preprepare: frozenset[PrePrepare] = frozenset()
    prepare: frozenset[Vote] = frozenset()
    commit: frozenset[Vote] = frozenset()
    reply: frozenset[tuple[int, int, int, int]] = frozenset()
    checkpoint: frozenset[Checkpoint] = frozenset()
    viewchange: frozenset[ViewChange] = frozenset()
    newview: frozenset[NewView] = frozenset()


class Replica(NamedTuple):
    """mlogs[i], views[i], states[i], sCheckpoint[i] and vChange[i]."""

    request: frozenset[int] = frozenset()
    preprepare: frozenset[PrePrepare] = frozenset()
    prepare: frozenset[Vote] = frozenset()
    commit: frozenset[Vote] = frozenset()
    checkpoint: frozenset[Checkpoint] = frozenset()
    viewchange: frozenset[ViewChange] = frozenset()
    view: int = 0
    state: int = 0
    stable: frozenset[Checkpoint] = frozenset()
    is_changing: bool = False


class State(NamedTuple):
    """One state of the whole specification."""

    sent: Sent
    replicas: tuple[Replica, ...]


@dataclass(frozen=True)
class Bounds:
    """The constants of the specification.

    `tstamps` are 1..n, `views` 0..v, and `acc` the replicas that accept the votes of others. `commit_quorum` other than None weakens
    CommittedLocal: a planted bug, to see CommittedInv fail.
    """

    tstamps: int = 1
    view_max: int = 0
    acc: frozenset[int] = frozenset({0, 1, 2, 3})
    replicas: int = 4
    checkpoints: frozenset[int] = frozenset()
    is_repaired: bool = True
    commit_quorum: int | None = None

    @property
    def commits_needed(self) -> int:
        """Commits that make CommittedLocal: 2F + 1."""
        return 2 * self.faulty_max + 1 if self.commit_quorum is None else self.commit_quorum

    @property
    def faulty_max(self) -> int:
        """F."""
        return (self.replicas - 1) // 3
