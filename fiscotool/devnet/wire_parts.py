"""Proposals and prepared certificates as Protobuf: parts of messages, and records of the consensus log.

Field use beyond upstream: `RawProposal.extraData` is b"filler" in the empty proposal a new leader puts into a gap. A stable checkpoint and
its proof (`classic`) are a PBFTRawProposal: height and hash of the block, signers and signatures of its checkpoints.

Sources: bcos-pbft `core/proto/Consensus.proto`, `pbft/protocol/proto/PBFT.proto`; spec 3.x 1.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from google.protobuf.message import DecodeError

from fiscotool.devnet.proto import pbft_pb2 as pb
from fiscotool.pbft.messages import CheckPoint, PreparedCertificate, Proposal
from fiscotool.pbft.types import NO_DIGEST, Digest, Height, NodeIndex, View

_DIGEST_BYTES: Final = 32
_INDEX_LIMIT: Final = 1 << 31
_FILLER: Final = b"filler"


class WireError(ValueError):
    """The bytes are not a message."""


def raw_proposal(proposal: Proposal) -> Any:
    """A proposal as RawProposal."""
    return pb.RawProposal(
        index=proposal.index,
        hash=proposal.digest,
        data=proposal.data,
        sealerId=proposal.sealer,
        systemProposal=proposal.is_system,
        extraData=_FILLER if proposal.is_filler else b"",
    )


def encode_proposal(proposal: Proposal) -> bytes:
    """A proposal as RawProposal bytes (consensus log)."""
    data: bytes = raw_proposal(proposal).SerializeToString()
    return data


def digest_of(data: bytes, *, may_be_empty: bool = False) -> Digest:
    """A hash of 32 bytes, or none where that is allowed. Raises WireError."""
    if len(data) == _DIGEST_BYTES:
        return Digest(data)
    if may_be_empty and not data:
        return NO_DIGEST
    raise WireError(f"a hash of {len(data)} bytes")


def height_of(value: int) -> Height:
    """A height from the wire. Raises WireError."""
    if value < 0:
        raise WireError("a negative height")
    return Height(value)


def view_of(value: int) -> View:
    """A view from the wire. Raises WireError."""
    if value < 0:
        raise WireError("a negative view")
    return View(value)


def index_of(value: int) -> NodeIndex:
    """A node index from the wire. Raises WireError."""
    if not 0 <= value < _INDEX_LIMIT:
        raise WireError(f"node index {value}")
    return NodeIndex(value)


def proposal_of(raw: Any) -> Proposal:
    """A RawProposal as the core's value. Raises WireError."""
    return Proposal(
        index=height_of(raw.index),
        digest=digest_of(raw.hash),
        data=raw.data,
        is_system=raw.systemProposal,
        sealer=index_of(raw.sealerId),
        is_filler=raw.extraData == _FILLER,
    )


def decode_proposal(data: bytes) -> Proposal:
    """Inverse of `encode_proposal`. Raises WireError."""
    try:
        return proposal_of(pb.RawProposal.FromString(data))
    except DecodeError as problem:
        raise WireError("not a proposal") from problem


def certificate_message(certificate: PreparedCertificate) -> Any:
    """A certificate as PBFTRawMessage."""
    proposal = certificate.proposal
    base = pb.BaseMessage(index=proposal.index, hash=proposal.digest, view=certificate.view)
    content = pb.PBFTRawProposal(
        proposal=raw_proposal(proposal),
        nodeList=[node for node, _ in certificate.signatures],
        signatureList=[signature for _, signature in certificate.signatures],
    )
    return pb.PBFTRawMessage(hashFieldsData=base.SerializeToString(), consensusProposal=content)


def checkpoints_message(height: int, digest: bytes, stable: Sequence[CheckPoint]) -> Any:
    """A block and the checkpoints that prove it, in the order of their senders, as PBFTRawProposal."""
    signed = sorted((entry.sender, entry.signature) for entry in stable)
    return pb.PBFTRawProposal(
        proposal=pb.RawProposal(index=height, hash=digest),
        nodeList=[sender for sender, _ in signed],
        signatureList=[signature for _, signature in signed],
    )


def checkpoints_of(raw: Any) -> tuple[CheckPoint, ...]:
    """The checkpoints in a PBFTRawProposal. Their views are not told: they sign block hashes, whatever the view. Raises WireError."""
    if len(raw.nodeList) != len(raw.signatureList):
        raise WireError("a checkpoint's proof with signers and signatures of different number")
    if not raw.nodeList:
        return ()
    index, digest = height_of(raw.proposal.index), digest_of(raw.proposal.hash)
    return tuple(
        CheckPoint(View(0), index, digest, index_of(node), bytes(signature))
        for node, signature in zip(raw.nodeList, raw.signatureList, strict=True)
    )


def encode_checkpoints(stable: Sequence[CheckPoint]) -> bytes:
    """The checkpoints of one block as bytes (consensus log); none gives no bytes."""
    data: bytes = checkpoints_message(stable[0].index, stable[0].digest, stable).SerializeToString() if stable else b""
    return data


def decode_checkpoints(data: bytes) -> tuple[CheckPoint, ...]:
    """Inverse of `encode_checkpoints`, but for the views. Raises WireError."""
    try:
        return checkpoints_of(pb.PBFTRawProposal.FromString(data))
    except DecodeError as problem:
        raise WireError("not a checkpoint's proof") from problem


def encode_certificate(certificate: PreparedCertificate) -> bytes:
    """A prepared certificate as PBFTRawMessage bytes (consensus log)."""
    data: bytes = certificate_message(certificate).SerializeToString()
    return data


def certificate_of(raw: Any) -> PreparedCertificate:
    """A PBFTRawMessage as a certificate. Raises WireError or DecodeError."""
    base = pb.BaseMessage.FromString(raw.hashFieldsData)
    content = raw.consensusProposal
    proposal = proposal_of(content.proposal)
    if base.hash != proposal.digest or base.index != proposal.index:
        raise WireError("a certificate of another proposal")
    if len(content.nodeList) != len(content.signatureList):
        raise WireError("a certificate with signers and signatures of different number")
    pairs = [(index_of(node), bytes(signature)) for node, signature in zip(content.nodeList, content.signatureList, strict=True)]
    return PreparedCertificate(view=view_of(base.view), proposal=proposal, signatures=tuple(sorted(pairs)))


def decode_certificate(data: bytes) -> PreparedCertificate:
    """Inverse of `encode_certificate`. Raises WireError."""
    try:
        return certificate_of(pb.PBFTRawMessage.FromString(data))
    except DecodeError as problem:
        raise WireError("not a certificate") from problem
