"""What a replica is told about its group: members, weights, periods, timeouts, and which known holes to reproduce.

`Rules` changes only with a committed block (`events.LedgerAdvanced`), because membership and configuration are effective
from the block after the one that changes them (spec 3.x 1.19).

Sources: bcos-pbft `pbft/config/PBFTConfig.{h,cpp}`, `core/ConsensusConfig.{h,cpp}`, `pbft/engine/PBFTTimer.h`; spec 3.x 1.1, 1.17.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final


class Quirk(Enum):
    """A hole of FISCO BCOS 3.16.4 that the core can reproduce. Sound by default: no quirk is on unless named.

    The value is the name used on the command line and in configuration.
    """

    AMNESIA = "amnesia"
    """Votes are not persisted before they leave: a restarted replica forgets its lock (spec 1.13, 1.17)."""
    PULL_WITHOUT_PROOF = "pull-without-proof"
    """A pulled committed proposal is executed on the word of one peer (FIB-127, spec 1.9)."""
    DUPLICATE_SIGNERS = "duplicate-signers"
    """Weights of repeated signers are added up again (H3, spec 1.11)."""
    NEW_VIEW_UNCHECKED = "new-view-unchecked"
    """A NewView's sender, the views inside and its re-proposals are not checked (FIB-124)."""
    HIGHER_VIEW_PREPREPARE = "higher-view-preprepare"
    """A pre-prepare of a higher view is handled under the local view's leader schedule (FIB-133)."""
    PROOF_WITHOUT_VIEW = "proof-without-view"
    """Prepared proofs sign the proposal hash only, so a proof can be re-dated (H4)."""
    STALE_VOTE_KEPT = "stale-vote-kept"
    """The first vote of a sender for a hash wins whatever its view, then a view change deletes it (H5)."""
    LOCK_NEVER_RELEASED = "lock-never-released"
    """A precommitted replica refuses every other hash at that height in every later view, even with a NewView's proof (H1)."""
    EARLY_SIGNS_LOST = "early-signs-lost"
    """fisco2: entering a view drops Signs of that view for which no Commit is held (spec 2.x 1.9)."""
    FUTURE_NEVER_REPLACED = "future-never-replaced"
    """fisco2: the first proposal that names a later view, whoever sent it, occupies its height (spec 2.x 1.5)."""
    # Bugs of earlier releases, by the number of observables 2.2; F3, F17 and F18 have no place in the core (docs/pbft.md).
    VIEWS_POOLED = "f1-views-pooled"
    """View changes for different views are added up, and the largest view wins (PR #2212, CVE-2022-26534)."""
    VIEW_OVERFLOW = "f2-view-overflow"
    """No largest view: what follows 2**63 - 1 is negative (PR #2311)."""
    PROPOSAL_UNCHECKED = "f4-proposal-unchecked"
    """A proposal whose content does not verify is prepared all the same; it can never be executed (CVE-2022-28937)."""
    INVALID_KEPT = "f5-invalid-kept"
    """A proposal that does not verify occupies its height for ever, so every view times out (FISCO 2206)."""
    EXPIRED_COUNTED = "f6-expired-counted"
    """View changes of shorter ledgers keep their weight, but are not shown in the NewView, which nobody enters (PR #2190)."""
    OLD_CERTIFICATES = "f7-old-certificates"
    """Certificates of an old list of members are shown in view changes and weighed with the new list (PR #2191)."""
    THRESHOLDS_KEPT = "f8-thresholds-kept"
    """f+1 stays what it was when sealers or weights change (PR #2175)."""
    EXECUTES_PAST_SYSTEM = "f9-executes-past-system"
    """What follows a system proposal is executed and signed before that is in the ledger (PR #2200)."""
    SYNCING_CHANGES_VIEW = "f10-syncing-changes-view"
    """A replica that fetches blocks votes out leaders it finds far behind or gone, after every block (PR #3114)."""
    NEW_VIEW_AGAIN = "f11-new-view-again"
    """A NewView of the view the replica is in already is entered again (PR #3168)."""
    SEAL_TIME_UNBOUNDED = "f12-seal-time-unbounded"
    """The timeout is not raised above a long min_seal_time; in force where rules are made (PR #3305)."""
    FAR_VIEWS_KEPT = "f13-far-views-kept"
    """A pre-prepare of a view far ahead is kept until that view comes (PR #4198, #4308)."""
    FAILED_NOT_RETRIED = "f14-failed-not-retried"
    """A proposal whose execution failed is taken for a duplicate when it is to be executed again (PR #4598)."""
    LOW_MARK_KEPT = "f15-low-mark-kept"
    """Heights that had a proposal in an earlier view are below the low water mark, which a new view does not reset (PR #4890)."""
    LEADER_SILENT = "f16-leader-silent"
    """A leader that a NewView put in is not told to seal (PR #2276)."""
    TIMER_STOPPED = "f16-timer-stopped"
    """A block stops the timer although transactions wait (PR #3107)."""
    QUORUM_IGNORED = "f16-quorum-ignored"
    """A leader collects the view changes of a quorum and issues no NewView (PR #1794)."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Members and parameters in force for the next block.

    `weights[i]` is the weight of the sealer with index i; its length is n. Periods and windows are in blocks, times in ticks
    (milliseconds in the embedded node). `members` are the sealers' node ids in the same order, only compared, so that a
    replaced member is noticed even when all weights stay; it may be empty where membership never changes.
    """

    weights: tuple[int, ...]
    leader_period_blocks: int = 1
    pipeline_blocks: int = 50
    timeout_base_ticks: int = 3000
    checkpoint_resend_ticks: int = 3000
    quirks: frozenset[Quirk] = frozenset()
    members: tuple[bytes, ...] = ()
    node_count: int = field(init=False, repr=False, compare=False)
    """n: how many sealers there are, whatever their weights. Every message is measured against it, so it is counted once."""
    weight_max: int = field(init=False, repr=False, compare=False)
    """The largest weight: k voters weigh at most k times that."""

    number_hash: int = field(init=False, repr=False, compare=False)
    """Hash of the numbers. Rules are keys of what is known of a height, and numbers hash alike in every process; names do not."""

    def __post_init__(self) -> None:
        """Count what is asked for at every message."""
        numbers = (self.weights, self.leader_period_blocks, self.pipeline_blocks, self.timeout_base_ticks, self.checkpoint_resend_ticks)
        object.__setattr__(self, "node_count", len(self.weights))
        object.__setattr__(self, "weight_max", max(self.weights, default=0))
        object.__setattr__(self, "number_hash", hash(numbers))

    def __hash__(self) -> int:
        """Equal rules have equal numbers."""
        return self.number_hash

    def has(self, quirk: Quirk) -> bool:
        """Whether this hole is to be reproduced."""
        return bool(self.quirks) and quirk in self.quirks  # Mostly there are none, and an Enum is slow to hash.


TIMEOUT_TICKS: Final = 3000
"""The consensus timeout of FISCO BCOS 3.x in ticks; its genesis setting has no effect (spec 3.x 1.10)."""


def timeout_for(seal_ticks: int, quirks: frozenset[Quirk] = frozenset()) -> int:
    """The base timeout of a node whose sealer waits `seal_ticks`: longer than that wait (FISCO PR #3305), or it would never see a block.

    Quirk.SEAL_TIME_UNBOUNDED: always the same, so that a chain with a long min_seal_time changes views for ever.
    """
    is_short = seal_ticks < TIMEOUT_TICKS or Quirk.SEAL_TIME_UNBOUNDED in quirks
    return TIMEOUT_TICKS if is_short else seal_ticks + 1
