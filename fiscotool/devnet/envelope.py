"""Signing what leaves and verifying what arrives: a message that passes here is authentic, as the core assumes.

Rule 1. Every consensus message is signed over H(packet type ‖ payload), so a Prepare cannot be replayed as a Commit. Upstream signs
        without the packet type and leaves 0x5-0x8 unsigned (FIB-134); `WireQuirk.TYPE_UNSIGNED` brings the first back.
Rule 2. A Prepare also signs H(view ‖ height ‖ digest): a quorum of these is the prepared proof.
        `Quirk.PROOF_WITHOUT_VIEW`: the digest alone (H4).
Rule 3. A CheckPoint also signs the block hash: a quorum of these is the block's signature list.
Rule 4. Everything nested is verified: proofs in view changes, and in a NewView each view change over its own content.
Rule 5. A signature must recover to the sealer's key with its own v: whoever later checks a proof by recovery agrees with us.

Verified signatures are remembered (a few thousand), because the same proof comes alone, in a view change and in a NewView.

Sources: spec 3.x 1.4; bcos-pbft `PBFTCodec.cpp`, `PBFTEngine::checkSignature`; OSDI'99 section 4.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from google.protobuf.message import DecodeError

from fiscotool.devnet.proto import pbft_pb2 as pb
from fiscotool.devnet.settings import WireQuirk
from fiscotool.devnet.wire import PacketType, decode_message, encode_message, packet_type_of, split_view_change, with_signature
from fiscotool.devnet.wire_parts import WireError
from fiscotool.ledger.crypto import BadSignature, KeyPair, keccak256, recover
from fiscotool.pbft.messages import (
    CheckPoint,
    Message,
    NewView,
    Prepare,
    PreparedCertificate,
    PreparedProposalResponse,
    ViewChange,
)
from fiscotool.pbft.rules import Quirk

__all__ = ["Envelope", "NotAuthentic"]

_REMEMBERED_MAX: Final = 4096


class NotAuthentic(ValueError):
    """A signature does not belong to the sealer it names; the message is dropped."""


class Envelope:
    """Signs with the node's key and verifies against the sealer list in force."""

    def __init__(self, key: KeyPair, quirks: frozenset[Quirk], wire_quirks: frozenset[WireQuirk]) -> None:
        self._key = key
        self._is_type_signed = WireQuirk.TYPE_UNSIGNED not in wire_quirks
        self._is_view_in_proof = Quirk.PROOF_WITHOUT_VIEW not in quirks
        self._verified: dict[tuple[bytes, bytes, bytes], None] = {}

    def _signed_hash(self, packet_type: int, payload: bytes) -> bytes:
        return keccak256(packet_type.to_bytes(4, "big") + payload if self._is_type_signed else payload)

    def proof_hash(self, view: int, index: int, digest: bytes) -> bytes:
        """What a Prepare's second signature covers."""
        return keccak256(view.to_bytes(8, "big") + index.to_bytes(8, "big") + digest) if self._is_view_in_proof else digest

    def sign(self, message: Message, now_ms: int) -> tuple[Message, bytes]:
        """The message with its signatures filled in, as this replica hears it, and the RawMessage bytes the others get."""
        if isinstance(message, Prepare):
            message = replace(message, signature=self._key.sign(self.proof_hash(message.view, message.index, message.digest)))
        elif isinstance(message, CheckPoint):
            message = replace(message, signature=self._key.sign(message.digest))
        packet_type = packet_type_of(message)
        payload = encode_message(message, now_ms)
        signature = self._key.sign(self._signed_hash(packet_type, payload))
        if isinstance(message, ViewChange):
            message = replace(message, envelope=with_signature(payload, signature))
        raw: bytes = pb.RawMessage(type=packet_type, signatureData=signature, payLoad=payload).SerializeToString()
        return message, raw

    def open(self, data: bytes, sealers: Sequence[bytes]) -> Message:
        """The authentic message in RawMessage bytes. Raises WireError or NotAuthentic; `sealers` are node ids by index."""
        try:
            raw = pb.RawMessage.FromString(data)
        except DecodeError as problem:
            raise WireError("not a PBFT message") from problem
        message = decode_message(raw.type, raw.payLoad, raw.signatureData)
        self._check(sealers, message.sender, self._signed_hash(raw.type, raw.payLoad), raw.signatureData)
        self._check_nested(message, sealers)
        return message

    def _check(self, sealers: Sequence[bytes], index: int, hash32: bytes, signature: bytes) -> None:
        if not 0 <= index < len(sealers):
            raise NotAuthentic(f"node index {index} of {len(sealers)} sealers")
        node_id = sealers[index]
        known = (node_id, hash32, signature)
        if known in self._verified:
            return
        try:
            signer = recover(hash32, signature)
        except BadSignature as problem:
            raise NotAuthentic(f"of sealer {index}: {problem}") from problem
        if signer != node_id:
            raise NotAuthentic(f"signed by {signer[:4].hex()}..., not by sealer {index}, {node_id[:4].hex()}...")
        self._verified[known] = None
        if len(self._verified) > _REMEMBERED_MAX:
            del self._verified[next(iter(self._verified))]

    def _check_nested(self, message: Message, sealers: Sequence[bytes]) -> None:
        match message:
            case Prepare(view=view, index=index, digest=digest, sender=sender, signature=signature):
                self._check(sealers, sender, self.proof_hash(view, index, digest), signature)
            case CheckPoint(digest=digest, sender=sender, signature=signature):
                self._check(sealers, sender, digest, signature)
            case ViewChange(prepared=prepared):
                for certificate in prepared:
                    self._check_certificate(certificate, sealers)
            case NewView(view_changes=view_changes):
                for change in view_changes:
                    payload, signature = split_view_change(change.envelope)
                    self._check(sealers, change.sender, self._signed_hash(PacketType.VIEW_CHANGE, payload), signature)
                    self._check_nested(change, sealers)
            case PreparedProposalResponse(certificate=PreparedCertificate() as found):
                self._check_certificate(found, sealers)
            case _:
                pass

    def _check_certificate(self, certificate: PreparedCertificate, sealers: Sequence[bytes]) -> None:
        proposal = certificate.proposal
        expected = self.proof_hash(certificate.view, proposal.index, proposal.digest)
        for index, signature in certificate.signatures:
            self._check(sealers, index, expected, signature)
