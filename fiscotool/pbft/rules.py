"""What a replica is told about its group: members, weights, periods, timeouts, and which known holes to reproduce.

`Rules` changes only with a committed block (`events.LedgerAdvanced`), because membership and configuration are effective
from the block after the one that changes them (spec 3.x 1.19).

Sources: bcos-pbft `pbft/config/PBFTConfig.{h,cpp}`, `core/ConsensusConfig.{h,cpp}`, `pbft/engine/PBFTTimer.h`; spec 3.x 1.1, 1.17.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


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

    @property
    def node_count(self) -> int:
        """n: how many sealers there are, whatever their weights."""
        return len(self.weights)

    def has(self, quirk: Quirk) -> bool:
        """Whether this hole is to be reproduced."""
        return quirk in self.quirks
