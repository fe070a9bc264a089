"""The messages replicas exchange, as the core sees them: authenticated, decoded, without the bytes they travelled in.

Rule 1. A message that reaches `step` is authentic: the driver has verified the sender's signature over the packet type and
        the content, and every signature nested inside (proofs, view changes of a NewView). What fails is dropped by the
        driver and never becomes an event. Distinctness and weight of signers are judged here, not by the driver.
Rule 2. Messages leave the core unsigned (`signature=b""`, `envelope=b""`); the driver signs them.
Rule 3. Two messages of different types never compare equal: frozen dataclasses, never NamedTuple.

`sender` is upstream's `generatedFrom`; `index` is the height.

Sources: bcos-pbft `pbft/protocol/proto/PBFT.proto`, `pbft/utilities/Common.h`; spec 3.x 1.2-1.4; OSDI'99 section 4.2-4.4.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fiscotool.pbft.types import NO_DIGEST, Digest, Height, NodeIndex, View


@dataclass(frozen=True, slots=True)
class Proposal:
    """A block before execution, named by the hash of its header. The core never looks into `data`.

    `data` is empty in proof-only copies (prepared certificates) and only there: the content is then found by `digest`. `is_system` marks
    a block that changes membership or configuration; `sealer` made it; `is_filler` marks the empty block a new leader puts
    into a gap (spec 1.11).
    """

    index: Height
    digest: Digest
    data: bytes = field(default=b"", repr=False)
    is_system: bool = False
    sealer: NodeIndex = NodeIndex(0)
    is_filler: bool = False


@dataclass(frozen=True, slots=True)
class PreparedCertificate:
    """Proof that `proposal` was prepared in `view`: signatures of distinct sealers with weight of a quorum.

    `signatures` is sorted by node index; each signs (view, index, digest), or the digest alone under
    Quirk.PROOF_WITHOUT_VIEW. It is the `signature` of the Prepare it came from.
    """

    view: View
    proposal: Proposal
    signatures: tuple[tuple[NodeIndex, bytes], ...]


@dataclass(frozen=True, slots=True)
class PrePrepare:
    """0x0: the leader of (index, view) proposes a block. Inside a NewView it re-proposes one and comes from its sender.

    `signature` is of classic, where the leader sends no Prepare and its pre-prepare is its vote; empty elsewhere.
    """

    view: View
    index: Height
    digest: Digest
    sender: NodeIndex
    proposal: Proposal
    signature: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Prepare:
    """0x1: `sender` accepted this proposal in this view. `signature` becomes part of the prepared certificate."""

    view: View
    index: Height
    digest: Digest
    sender: NodeIndex
    signature: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Commit:
    """0x2: `sender` holds a prepared certificate for this proposal in this view.

    `signature` is of the dialects whose blocks end with Commits (fisco2, classic); empty in fisco3.
    """

    view: View
    index: Height
    digest: Digest
    sender: NodeIndex
    signature: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class CheckPoint:
    """0x9: `sender` executed block `index` and got `digest`, the hash of the executed header, which `signature` signs."""

    view: View
    index: Height
    digest: Digest
    sender: NodeIndex
    signature: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class ViewChange:
    """0x3: `sender` asks for `view`; its ledger ends at `index` with block hash `digest`; it prepared `prepared` above that.

    `envelope` is the signed wire form, opaque here, so that a new leader can nest the message unchanged in its NewView.
    In classic `index` is the last stable checkpoint, and `stable` the checkpoints of a quorum that prove it.
    """

    view: View
    index: Height
    digest: Digest
    sender: NodeIndex
    prepared: tuple[PreparedCertificate, ...] = ()
    envelope: bytes = field(default=b"", repr=False, compare=False)
    stable: tuple[CheckPoint, ...] = ()


@dataclass(frozen=True, slots=True)
class NewView:
    """0x4: the leader of `view` shows a quorum of view changes and what must be proposed again because of them."""

    view: View
    index: Height
    sender: NodeIndex
    view_changes: tuple[ViewChange, ...]
    preprepares: tuple[PrePrepare, ...] = ()


@dataclass(frozen=True, slots=True)
class CommittedProposalRequest:
    """0x5: `sender` asks for the proposal of height `index`, of which others have sent checkpoints."""

    index: Height
    sender: NodeIndex


@dataclass(frozen=True, slots=True)
class CommittedProposalResponse:
    """0x6: answer to 0x5. `proposal` is None when the asked replica has nothing."""

    index: Height
    sender: NodeIndex
    proposal: Proposal | None


@dataclass(frozen=True, slots=True)
class PreparedProposalRequest:
    """0x7: `sender` asks for the content of a re-proposed block, by height and digest."""

    index: Height
    digest: Digest
    sender: NodeIndex


@dataclass(frozen=True, slots=True)
class PreparedProposalResponse:
    """0x8: answer to 0x7. `certificate` carries the full proposal with its proof, or is None."""

    index: Height
    sender: NodeIndex
    certificate: PreparedCertificate | None


@dataclass(frozen=True, slots=True)
class RecoverResponse:
    """0xb: `sender` is not in timeout, is in `view` and has committed `index`. Answers a ViewChange."""

    view: View
    index: Height
    sender: NodeIndex
    digest: Digest = NO_DIGEST


Message = (
    PrePrepare
    | Prepare
    | Commit
    | CheckPoint
    | ViewChange
    | NewView
    | CommittedProposalRequest
    | CommittedProposalResponse
    | PreparedProposalRequest
    | PreparedProposalResponse
    | RecoverResponse
)
"""All that can be received. 0xa (RecoverRequest) is never sent by 3.16.4 and has no counterpart here."""
