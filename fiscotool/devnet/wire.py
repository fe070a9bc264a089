"""The core's messages as Protobuf bytes and back, with the field numbers of the real node. No keys here: `envelope.py` signs.

Rule 1. `decode_message` is total: anything but a well-formed message is a `WireError`, never another exception. Heights and views are
        below 2**63, digests have 32 bytes, senders are below 2**31; who they are is judged with the sealer list at hand.
Rule 2. A proposal's digest and the digest of the message that carries it are the same, or it is a WireError (upstream does not look:
        FIB-142).
Rule 3. What the other dialects say more travels in upstream's fields: the signature of a Commit (fisco2, classic) or a pre-prepare
        (classic) as that of a Prepare, the proof of a stable checkpoint (classic) as signers of the committed proposal.
Rule 4. A ViewChange has one canonical form. It travels alone and inside a NewView, and its signature must hold in both places.

Sources: bcos-pbft `pbft/protocol/proto/PBFT.proto`, `core/proto/Consensus.proto`, `pbft/utilities/Common.h`; spec 3.x 1.2, 1.3.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

from google.protobuf.message import DecodeError

from fiscotool.devnet.proto import pbft_pb2 as pb
from fiscotool.devnet.wire_parts import (
    WireError,
    certificate_message,
    certificate_of,
    checkpoints_message,
    checkpoints_of,
    digest_of,
    height_of,
    index_of,
    proposal_of,
    raw_proposal,
    view_of,
)
from fiscotool.pbft.messages import (
    CheckPoint,
    Commit,
    CommittedProposalRequest,
    CommittedProposalResponse,
    Message,
    NewView,
    Prepare,
    PreparedProposalRequest,
    PreparedProposalResponse,
    PrePrepare,
    Proposal,
    RecoverResponse,
    ViewChange,
)

__all__ = [
    "PacketType",
    "decode_message",
    "encode_message",
    "packet_type_of",
    "split_view_change",
    "with_signature",
]


class PacketType(IntEnum):
    """Upstream's packet types. 0xa, RecoverRequest, is never sent by 3.16.4."""

    PRE_PREPARE = 0x0
    PREPARE = 0x1
    COMMIT = 0x2
    VIEW_CHANGE = 0x3
    NEW_VIEW = 0x4
    COMMITTED_PROPOSAL_REQUEST = 0x5
    COMMITTED_PROPOSAL_RESPONSE = 0x6
    PREPARED_PROPOSAL_REQUEST = 0x7
    PREPARED_PROPOSAL_RESPONSE = 0x8
    CHECK_POINT = 0x9
    RECOVER_RESPONSE = 0xB


_TYPE_OF: Final[dict[type, PacketType]] = {
    PrePrepare: PacketType.PRE_PREPARE,
    Prepare: PacketType.PREPARE,
    Commit: PacketType.COMMIT,
    ViewChange: PacketType.VIEW_CHANGE,
    NewView: PacketType.NEW_VIEW,
    CommittedProposalRequest: PacketType.COMMITTED_PROPOSAL_REQUEST,
    CommittedProposalResponse: PacketType.COMMITTED_PROPOSAL_RESPONSE,
    PreparedProposalRequest: PacketType.PREPARED_PROPOSAL_REQUEST,
    PreparedProposalResponse: PacketType.PREPARED_PROPOSAL_RESPONSE,
    CheckPoint: PacketType.CHECK_POINT,
    RecoverResponse: PacketType.RECOVER_RESPONSE,
}


def packet_type_of(message: Message) -> PacketType:
    """The packet type a message travels as."""
    return _TYPE_OF[type(message)]


def _base(message: Any, now_ms: int) -> Any:
    """The BaseMessage of any message; what it has not stays at its default."""
    return pb.BaseMessage(
        index=message.index,
        hash=getattr(message, "digest", b""),
        view=getattr(message, "view", 0),
        timestamp=now_ms,
        generatedFrom=message.sender,
    )


def _phase_message(message: Any, now_ms: int) -> Any:
    """PBFTRawMessage of types 0, 1, 2, 6, 9 and b."""
    content = pb.PBFTRawProposal()
    match message:
        case PrePrepare(proposal=proposal, signature=signature):
            content.proposal.CopyFrom(raw_proposal(proposal))
            content.proposal.signature = signature
        case CommittedProposalResponse(proposal=Proposal() as found):
            content.proposal.CopyFrom(raw_proposal(found))
        case Prepare(index=index, digest=digest, signature=signature) | CheckPoint(index=index, digest=digest, signature=signature):
            content.proposal.index, content.proposal.hash, content.proposal.signature = index, digest, signature
        case Commit(index=index, digest=digest, signature=signature) if signature:
            content.proposal.index, content.proposal.hash, content.proposal.signature = index, digest, signature
        case _:
            pass
    return pb.PBFTRawMessage(hashFieldsData=_base(message, now_ms).SerializeToString(), consensusProposal=content)


def encode_message(message: Message, now_ms: int) -> bytes:
    """The payload a RawMessage carries. `now_ms` is milliseconds since the epoch, for logs only.

    A ViewChange that has an envelope keeps it: its signature covers exactly those bytes.
    """
    match message:
        case ViewChange(index=index, digest=digest, prepared=prepared, stable=stable):
            committed = checkpoints_message(index, digest, stable)
            certificates = [certificate_message(certificate) for certificate in prepared]
            raw: Any = pb.RawViewChangeMessage(message=_base(message, now_ms), committedProposal=committed, preparedProposals=certificates)
        case NewView(view_changes=view_changes, preprepares=preprepares):
            nested = [pb.RawViewChangeMessage.FromString(change.envelope) for change in view_changes]
            again = [_phase_message(preprepare, now_ms) for preprepare in preprepares]
            raw = pb.RawNewViewMessage(message=_base(message, now_ms), viewChangeMsgList=nested, prePrepareList=again)
        case CommittedProposalRequest() | PreparedProposalRequest():
            raw = pb.ProposalRequest(message=_base(message, now_ms), size=1)
        case PreparedProposalResponse(certificate=certificate):
            found = [] if certificate is None else [certificate_message(certificate)]
            raw = pb.RawViewChangeMessage(message=_base(message, now_ms), preparedProposals=found)
        case _:
            raw = _phase_message(message, now_ms)
    data: bytes = raw.SerializeToString(deterministic=True)
    return data


def with_signature(payload: bytes, signature: bytes) -> bytes:
    """The envelope of a ViewChange: its payload with the signature in BaseMessage field 8, as a NewView nests it."""
    raw = pb.RawViewChangeMessage.FromString(payload)
    raw.message.signatureData = signature
    data: bytes = raw.SerializeToString(deterministic=True)
    return data


def split_view_change(envelope: bytes) -> tuple[bytes, bytes]:
    """Inverse of `with_signature`: (payload as it was signed, signature). Raises WireError."""
    try:
        raw = pb.RawViewChangeMessage.FromString(envelope)
    except DecodeError as problem:
        raise WireError("not a view change") from problem
    signature = raw.message.signatureData
    raw.message.ClearField("signatureData")
    raw.message.ClearField("signatureHash")
    return raw.SerializeToString(deterministic=True), signature


def _view_change(raw: Any, envelope: bytes) -> ViewChange:
    base, committed = raw.message, raw.committedProposal
    if committed.nodeList and (committed.proposal.index, committed.proposal.hash) != (base.index, base.hash):
        raise WireError("a view change that proves another block than it names")
    return ViewChange(
        view=view_of(base.view),
        index=height_of(base.index),
        digest=digest_of(base.hash, may_be_empty=base.index == 0),
        sender=index_of(base.generatedFrom),
        prepared=tuple(certificate_of(certificate) for certificate in raw.preparedProposals),
        envelope=envelope,
        stable=checkpoints_of(committed),
    )


def _preprepare(raw: Any) -> PrePrepare:
    base = pb.BaseMessage.FromString(raw.hashFieldsData)
    proposal = proposal_of(raw.consensusProposal.proposal)
    if proposal.digest != base.hash or proposal.index != base.index:
        raise WireError("the message names another proposal than it carries")
    return PrePrepare(
        view=view_of(base.view),
        index=proposal.index,
        digest=proposal.digest,
        sender=index_of(base.generatedFrom),
        proposal=proposal,
        signature=raw.consensusProposal.proposal.signature,
    )


def _decode_phase(packet_type: int, payload: bytes) -> Message:
    raw = pb.PBFTRawMessage.FromString(payload)
    if packet_type == PacketType.PRE_PREPARE:
        return _preprepare(raw)
    base = pb.BaseMessage.FromString(raw.hashFieldsData)
    index, sender = height_of(base.index), index_of(base.generatedFrom)
    if packet_type == PacketType.COMMITTED_PROPOSAL_RESPONSE:
        has_proposal = raw.consensusProposal.HasField("proposal")
        return CommittedProposalResponse(
            index=index, sender=sender, proposal=proposal_of(raw.consensusProposal.proposal) if has_proposal else None
        )
    view, signature = view_of(base.view), raw.consensusProposal.proposal.signature
    if packet_type == PacketType.RECOVER_RESPONSE:
        return RecoverResponse(view=view, index=index, sender=sender, digest=digest_of(base.hash, may_be_empty=True))
    digest = digest_of(base.hash)
    if packet_type == PacketType.PREPARE:
        return Prepare(view=view, index=index, digest=digest, sender=sender, signature=signature)
    if packet_type == PacketType.CHECK_POINT:
        return CheckPoint(view=view, index=index, digest=digest, sender=sender, signature=signature)
    return Commit(view=view, index=index, digest=digest, sender=sender, signature=signature)


def _decode(packet_type: int, payload: bytes, signature: bytes) -> Message:
    match packet_type:
        case PacketType.VIEW_CHANGE:
            envelope = with_signature(payload, signature)
            if split_view_change(envelope)[0] != payload:
                raise WireError("a view change that is not in its canonical form")
            return _view_change(pb.RawViewChangeMessage.FromString(payload), envelope)
        case PacketType.NEW_VIEW:
            new_view = pb.RawNewViewMessage.FromString(payload)
            return NewView(
                view=view_of(new_view.message.view),
                index=height_of(new_view.message.index),
                sender=index_of(new_view.message.generatedFrom),
                view_changes=tuple(_view_change(one, one.SerializeToString(deterministic=True)) for one in new_view.viewChangeMsgList),
                preprepares=tuple(_preprepare(one) for one in new_view.prePrepareList),
            )
        case PacketType.COMMITTED_PROPOSAL_REQUEST:
            base = pb.ProposalRequest.FromString(payload).message
            return CommittedProposalRequest(index=height_of(base.index), sender=index_of(base.generatedFrom))
        case PacketType.PREPARED_PROPOSAL_REQUEST:
            base = pb.ProposalRequest.FromString(payload).message
            return PreparedProposalRequest(index=height_of(base.index), digest=digest_of(base.hash), sender=index_of(base.generatedFrom))
        case PacketType.PREPARED_PROPOSAL_RESPONSE:
            raw = pb.RawViewChangeMessage.FromString(payload)
            found = [certificate_of(certificate) for certificate in raw.preparedProposals[:1]]
            return PreparedProposalResponse(
                index=height_of(raw.message.index), sender=index_of(raw.message.generatedFrom), certificate=found[0] if found else None
            )
    if packet_type in {0x0, 0x1, 0x2, 0x6, 0x9, 0xB}:
        return _decode_phase(packet_type, payload)
    raise WireError(f"packet type {packet_type}")


def decode_message(packet_type: int, payload: bytes, signature: bytes) -> Message:
    """The message in a RawMessage. `signature` is kept in a ViewChange's envelope. Raises WireError."""
    try:
        return _decode(packet_type, payload, signature)
    except DecodeError as problem:
        raise WireError(f"packet type {packet_type} with bytes that are no such message") from problem
