"""What can happen to a replica. Choice comes in through events: the core never picks, waits, reads or signs.

Rule. A replica hears itself: everything it broadcasts comes back as `Received` with its own index as sender, after the
      driver has made it durable and signed it. So one path counts every vote, and an own vote counts only once it can no
      longer be forgotten. (Upstream adds own messages to its caches directly; docs/pbft.md, D1.) Own PrePrepare and NewView
      take effect in the step that sends them; their echo changes nothing.

Sources: bcos-pbft `PBFTEngine.cpp` (`onReceivePBFTMessage`, `onRecvProposal`, `onTimeout`, `onProposalApplied`), spec 3.x 1.8-1.16.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from fiscotool.pbft.messages import Message, Proposal
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.types import Digest, Height, NodeIndex, View


class TimerName(Enum):
    """The timers a replica may ask for."""

    __hash__ = object.__hash__  # A member is itself alone, and is asked for at every step; Enum's own goes through its name.

    VIEW = "view"
    """The PBFT timer: 3000 * 1.5**min(changeCycle, 10) ticks (spec 1.10)."""
    CHECKPOINT_RESEND = "checkpoint-resend"
    """Every `checkpoint_resend_ticks` the checkpoints that are not stable yet are sent again (spec 1.9)."""
    EXECUTE_RETRY = "execute-retry"
    """20 ticks after a failed execution it is tried again (spec 1.8, step 11)."""
    EMPTY_BLOCK = "empty-block"
    """fisco2: 1000 ticks after a leader without transactions could seal it proposes an empty block (spec 2.x 1.10)."""


@dataclass(frozen=True, slots=True)
class Started:
    """The process has loaded its ledger and consensus log. Upstream asks for a view change twice before P2P is up (spec 1.14)."""


@dataclass(frozen=True, slots=True)
class Received:
    """An authentic message arrived, from a peer or from this replica itself."""

    message: Message


@dataclass(frozen=True, slots=True)
class Proposed:
    """The own sealer built a block inside the range it was given by `effects.SealRange`."""

    proposal: Proposal


@dataclass(frozen=True, slots=True)
class Verified:
    """Answer to `effects.VerifyProposal`: are all transactions known and valid, and is the header's number the index?"""

    index: Height
    digest: Digest
    is_valid: bool


@dataclass(frozen=True, slots=True)
class FillersBuilt:
    """Answer to `effects.BuildFillers`: one empty proposal for each index asked for, in the same order, `is_filler` set."""

    view: View
    proposals: tuple[Proposal, ...]


@dataclass(frozen=True, slots=True)
class Executed:
    """Answer to `effects.Execute`. `block_hash` is the hash of the executed header, or None when the execution failed."""

    index: Height
    digest: Digest
    block_hash: Digest | None


@dataclass(frozen=True, slots=True)
class LedgerAdvanced:
    """Block `index` is durable in the ledger, by `effects.CommitBlock` or (`by_sync`) by block synchronisation.

    `rules` and `me` are in force for the next block; `me` is None when this node is not a sealer.
    """

    index: Height
    block_hash: Digest
    rules: Rules
    me: NodeIndex | None
    by_sync: bool = False


@dataclass(frozen=True, slots=True)
class TimerFired:
    """The timer armed with this epoch ran out. A stale epoch changes nothing."""

    name: TimerName
    epoch: int


@dataclass(frozen=True, slots=True)
class PoolSize:
    """The transaction pool holds `count` transactions, sealed ones included. Only 0 versus more matters (spec 1.10).

    Upstream's pool tells its size every 100 ms on a clock of its own, so at a block's commit consensus still believes the
    pool full and starts its timer once more; nothing stops it when the pool turns out empty. Hence the one view change 3.0 s
    after the last block of a burst on a healthy chain. Tell the size the same way: periodically, never as part of a commit.
    """

    count: int


@dataclass(frozen=True, slots=True)
class SyncTarget:
    """Block synchronisation is fetching up to `index` (upstream `notifyHighestSyncingNumber`, spec 1.16)."""

    index: Height


@dataclass(frozen=True, slots=True)
class PeersChanged:
    """What the network and block synchronisation say of the others: who is connected, and who counts as faulty.

    `faulty` has the sealers of which no status is known (disconnected) or whose height is more than 50 below this node's
    (`BlockSync::faultyNode`). `connected` excludes this replica.
    """

    connected: frozenset[NodeIndex]
    faulty: frozenset[NodeIndex]


Event = (
    Started | Received | Proposed | Verified | FillersBuilt | Executed | LedgerAdvanced | TimerFired | PoolSize | SyncTarget | PeersChanged
)
"""All that can happen to a replica."""
