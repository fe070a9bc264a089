"""What a replica wants done, as an ordered tuple of values.

Rule 1. Order is meaning: what follows a `Persist` or `Remember` in one step, and every effect of later steps, happens only once it
        is durable.
Rule 2. `Broadcast` goes to all other sealers and, signed, back to this replica as `events.Received`.
Rule 3. Every `VerifyProposal`, `BuildFillers` and `Execute` is answered by exactly one event, sooner or later; `CommitBlock`
        by `LedgerAdvanced` (or never, when block synchronisation overtakes it).

Sources: bcos-pbft `PBFTEngine.cpp`, `PBFTConfig.cpp`, `storage/LedgerStorage.cpp`; spec 3.x 1.8-1.13.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from fiscotool.pbft.events import TimerName
from fiscotool.pbft.messages import CheckPoint, Message, PreparedCertificate, Proposal
from fiscotool.pbft.types import Digest, Height, NodeIndex, Ticks, View


@dataclass(frozen=True, slots=True)
class VoteRecord:
    """The vote a replica must not forget: at `index` it voted for `digest` in `view`.

    Written before a Prepare leaves and again before a Commit leaves, then with the certificate and the full proposal in it.
    `certificate` is the replica's lock: it may be of an earlier view and another digest than the vote, and it is None when
    nothing was ever prepared here at `index`. One record an index, the latest wins; records at or below the ledger's height
    may be deleted. The proposal must be found complete after a restart: a driver whose proposals name transactions by hash
    stores those transactions with the record.
    """

    index: Height
    view: View
    digest: Digest
    certificate: PreparedCertificate | None = None


@dataclass(frozen=True, slots=True)
class ExecutedRecord:
    """An agreed proposal that was executed: replayed after a restart (upstream `pbftCommitDB`, spec 1.13)."""

    proposal: Proposal
    block_hash: Digest


@dataclass(frozen=True, slots=True)
class StandRecord:
    """Where a replica of `classic` stands: it votes in no view before `view`, and in `view` only when it `is_changing` no more.

    `stable` proves its last stable checkpoint (a quorum of checkpoints, empty for genesis). One a replica, the latest wins.
    """

    view: View
    is_changing: bool
    stable: tuple[CheckPoint, ...] = ()


@dataclass(frozen=True, slots=True)
class Remember:
    """Like `Persist`, for the record of `classic`."""

    record: StandRecord


@dataclass(frozen=True, slots=True)
class Persist:
    """Make the record durable before anything later is done."""

    record: VoteRecord | ExecutedRecord


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Sign, send to every other sealer, and hand back to this replica."""

    message: Message


@dataclass(frozen=True, slots=True)
class Send:
    """Sign and send to one sealer. PBFT sends nothing to itself; where another protocol does, it is handed back like a broadcast."""

    to: NodeIndex
    message: Message


@dataclass(frozen=True, slots=True)
class VerifyProposal:
    """Check the block, fetching missing transactions from `source`; answer with `events.Verified`.

    Valid means: `data` hashes to `digest`, the header's number is `index`, no transaction at all when `is_filler`, and every
    transaction is known, valid and not yet on chain. With `is_certified` a quorum, or this replica before a restart, has
    verified it already: then only digest, number and finding the transactions count, and one that meanwhile came on chain in
    a lower block is no reason to refuse (it would be one for ever, and the height could never be agreed); `Execute` leaves it out.
    `source` may be this replica itself after a restart.
    """

    proposal: Proposal
    source: NodeIndex
    is_certified: bool = False


@dataclass(frozen=True, slots=True)
class BuildFillers:
    """This replica leads the new `view` and nothing was prepared at `indexes`: make an empty block for each (spec 1.11).

    Answer with `events.FillersBuilt(view, proposals)`, same order; header: number, own index as sealer, time, no transactions.
    The NewView leaves only after that. May be asked again for the same view; each time is answered.
    """

    view: View
    indexes: tuple[Height, ...]


@dataclass(frozen=True, slots=True)
class Execute:
    """Execute the proposal on top of block index-1 (executed, maybe not yet committed); answer with `events.Executed`.

    Transactions that are on chain, or in an executed block below, are left out: pipelined proposals of two leaders may share one.
    An Execute for an index that was executed before replaces that result and forgets everything above it (a pulled proposal
    whose hash turned out wrong).
    """

    proposal: Proposal


@dataclass(frozen=True, slots=True)
class CommitBlock:
    """Write the executed block with this signature list to the ledger; answer with `events.LedgerAdvanced`.

    `signatures` is sorted by node index, distinct, with weight of at least a quorum, each over `block_hash`.
    """

    index: Height
    digest: Digest
    block_hash: Digest
    signatures: tuple[tuple[NodeIndex, bytes], ...]


@dataclass(frozen=True, slots=True)
class SealRange:
    """This replica leads `first`..`last` in `view`: its sealer may propose these heights, in order (`notifySealer`).

    A new SealRange replaces the former; `last < first` means: seal nothing. When `first` is the height the sealer makes next anyway,
    the range is only longer and the sealer's pause goes on (`SealingManager::resetSealingInfo`). After a block with system
    transactions the sealer stops by itself: the core accepts nothing above it and gives a new range once it is committed.
    """

    first: Height
    last: Height
    view: View


@dataclass(frozen=True, slots=True)
class ReleaseTransactions:
    """The proposal will not be agreed in this view: its transactions may be sealed again."""

    proposal: Proposal


@dataclass(frozen=True, slots=True)
class AgreedIndex:
    """Tell block synchronisation that consensus itself brings this height, so it need not be fetched (spec 1.16).

    In timeout the replica tells its committed height instead, which lets synchronisation start again from there.
    """

    index: Height


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Arm `name`, replacing an earlier one; fires as TimerFired(name, epoch).

    With `spread_ticks` the driver draws how much later, below that, it fires: the choice comes in with the event (Raft's elections).
    """

    name: TimerName
    epoch: int
    after_ticks: Ticks
    spread_ticks: Ticks = Ticks(0)


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """Disarm `name`."""

    name: TimerName


class RejectReason(Enum):
    """Why a message was not used. The value is the sentence shown to people; the pbft room adds reasons as it needs them."""

    NOT_A_SEALER = "the sender or this replica is not a sealer"
    STALE_INDEX = "the height is already committed"
    STALE_VIEW = "the view is older than the replica's"
    NOT_THE_LEADER = "the sender does not lead this height in this view"
    TOO_FAR = "the height or view is too far ahead"
    SYNCING = "block synchronisation is fetching this height"
    DUPLICATE = "the replica already has this message"
    NAMELESS = "the message names no block"
    MISMATCHED = "the envelope names another block than the proposal in it"
    EQUIVOCATION = "the leader already proposed another block for this height in this view"
    DOUBLE_VOTE = "the sender already voted for another block at this height in this view"
    ALREADY_VOTED = "this replica voted otherwise at this height in this or a later view, perhaps before a restart"
    LOCKED = "this replica is locked on another block and was shown no later certificate"
    ALREADY_AGREED = "this height is already agreed here"
    BEHIND = "the sender's ledger is shorter than the replica's"
    AHEAD = "the sender's ledger is longer; the block must come first"
    OTHER_LEDGER = "the sender names another hash for the replica's last block"
    WEAK_CERTIFICATE = "a prepared certificate lacks weight, repeats a signer or claims an impossible view or height"
    NOT_ENOUGH_WEIGHT = "the new view does not show view changes of a quorum of distinct sealers"
    WRONG_VIEW_CHANGES = "the new view contains a view change of another view, or an invalid one"
    WRONG_REPROPOSALS = "what the new view proposes does not follow from its view changes"
    NEW_VIEW_FORGOTTEN = "the replica restarted in this view and was not shown again what its new view proposes"
    NOT_IN_TIMEOUT = "the replica is in a view and needs no recovery"
    NOT_IN_DIALECT = "this protocol has no such message"
    NOT_ASKED = "the replica did not ask for this, or does not need it any more"


@dataclass(frozen=True, slots=True)
class Reject:
    """`message` was not used. Not an error: a Byzantine peer may send anything, and late messages are ordinary."""

    message: Message
    reason: RejectReason


Effect = (
    Persist
    | Remember
    | Broadcast
    | Send
    | VerifyProposal
    | BuildFillers
    | Execute
    | CommitBlock
    | SealRange
    | ReleaseTransactions
    | AgreedIndex
    | SetTimer
    | CancelTimer
    | Reject
)
"""All that a replica can ask for."""
