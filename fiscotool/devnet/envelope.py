"""Signing what leaves and verifying what arrives: a message that passes here is authentic, as the core assumes.

Rule 1. Every consensus message is signed over H(packet type ‖ payload), so a Prepare cannot be replayed as a Commit. Upstream signs
        without the packet type and leaves 0x5-0x8 unsigned (FIB-134); `WireQuirk.TYPE_UNSIGNED` brings the first back.
Rule 2. A Prepare also signs H(view ‖ height ‖ digest): a quorum of these is the prepared proof.
        `Quirk.PROOF_WITHOUT_VIEW`: the digest alone (H4).
Rule 3. A CheckPoint also signs the block hash: a quorum of these is the block's signature list. In fisco2 and classic that list is made
        of Commits, which sign their digest; in classic a pre-prepare signs what its leader's Prepare would. Where a dialect has no such
        signature, a message that carries one is refused. 2.x signs the block hash in its Sign, too, so that Signs of a quorum, which
        decide nothing, can be shown as a block's signatures; here a Sign signs by Rule 2.
Rule 4. Everything nested is verified: proofs in view changes, and in a NewView each view change over its own content.
Rule 5. A signature must recover to the sealer's key with its own v: whoever later checks a proof by recovery agrees with us.

`WireQuirk.HASH_NOT_RECOMPUTED` (F3): a ViewChange or NewView passes with any signature its sender ever made over anything, because
what is verified is the hash it names, not the hash of its content.

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
from fiscotool.pbft.dialects import FISCO3, Dialect
from fiscotool.pbft.messages import (
    CheckPoint,
    Commit,
    Message,
    NewView,
    Prepare,
    PreparedCertificate,
    PreparedProposalResponse,
    PrePrepare,
    ViewChange,
)
from fiscotool.pbft.rules import Quirk

__all__ = ["Envelope", "NotAuthentic"]

_REMEMBERED_MAX: Final = 4096
_NEW_VIEWS_MAX: Final = 4


class NotAuthentic(ValueError):
    """A signature does not belong to the sealer it names; the message is dropped."""


class Envelope:
    """Signs with the node's key and verifies against the sealer list in force."""

    def __init__(self, key: KeyPair, quirks: frozenset[Quirk], wire_quirks: frozenset[WireQuirk], dialect: Dialect = FISCO3) -> None:
        self._key = key
        self._dialect = dialect
        self._is_type_signed = WireQuirk.TYPE_UNSIGNED not in wire_quirks
        self._is_hash_recomputed = WireQuirk.HASH_NOT_RECOMPUTED not in wire_quirks
        self._is_view_in_proof = Quirk.PROOF_WITHOUT_VIEW not in quirks
        self._new_views: dict[NewView, bytes] = {}
        self._verified: dict[tuple[bytes, bytes, bytes], None] = {}

    def _signed_hash(self, packet_type: int, payload: bytes) -> bytes:
        return keccak256(packet_type.to_bytes(4, "big") + payload if self._is_type_signed else payload)

    def proof_hash(self, view: int, index: int, digest: bytes) -> bytes:
        """What a Prepare's second signature covers."""
        return keccak256(view.to_bytes(8, "big") + index.to_bytes(8, "big") + digest) if self._is_view_in_proof else digest

    def proof(self, view: int, index: int, digest: bytes) -> bytes:
        """The second signature of this node's Prepare for that."""
        return self._key.sign(self.proof_hash(view, index, digest))

    def sign(self, message: Message, now_ms: int) -> tuple[Message, bytes]:
        """The message with its signatures filled in, as this replica hears it, and the RawMessage bytes the others get."""
        if isinstance(message, NewView) and message in self._new_views:
            return message, self._new_views[message]
        message = self._with_vote(message)
        packet_type = packet_type_of(message)
        payload = encode_message(message, now_ms)
        signature = self._key.sign(self._signed_hash(packet_type, payload))
        if isinstance(message, ViewChange):
            message = replace(message, envelope=with_signature(payload, signature))
        raw: bytes = pb.RawMessage(type=packet_type, signatureData=signature, payLoad=payload).SerializeToString()
        if isinstance(message, NewView):
            self._keep(message, raw)
        return message, raw

    def _keep(self, message: NewView, raw: bytes) -> None:
        """In classic a replica shows others the NewView it was shown: with the signature of whoever made it."""
        self._new_views[message] = raw
        if len(self._new_views) > _NEW_VIEWS_MAX:
            del self._new_views[next(iter(self._new_views))]

    def _with_vote(self, message: Message) -> Message:
        """The message with the signatures inside it that this replica makes."""
        if isinstance(message, Prepare | PrePrepare | Commit | CheckPoint):
            signed = self._vote_hash(message)
            return message if signed is None else replace(message, signature=self._key.sign(signed))
        if isinstance(message, NewView) and self._dialect.is_preprepare_signed:
            entries = tuple(self._with_vote(entry) if entry.sender == message.sender else entry for entry in message.preprepares)
            return replace(message, preprepares=entries)  # type: ignore[arg-type]  # a PrePrepare stays one
        return message

    def _vote_hash(self, message: Prepare | PrePrepare | Commit | CheckPoint) -> bytes | None:
        """What the signature inside a vote covers; None where this dialect has none."""
        match message:
            case Prepare(view=view, index=index, digest=digest):
                return self.proof_hash(view, index, digest)
            case PrePrepare(view=view, index=index, digest=digest):
                return self.proof_hash(view, index, digest) if self._dialect.is_preprepare_signed else None
            case Commit(digest=digest):
                return digest if self._dialect.is_commit_signed else None
            case CheckPoint(digest=digest):
                return digest

    def open(self, data: bytes, sealers: Sequence[bytes]) -> Message:
        """The authentic message in RawMessage bytes. Raises WireError or NotAuthentic; `sealers` are node ids by index."""
        try:
            raw = pb.RawMessage.FromString(data)
        except DecodeError as problem:
            raise WireError("not a PBFT message") from problem
        message = decode_message(raw.type, raw.payLoad, raw.signatureData)
        if self._is_hash_recomputed or not self._is_known(sealers, message, raw.signatureData):
            self._check(sealers, message.sender, self._signed_hash(raw.type, raw.payLoad), raw.signatureData)
        self._check_nested(message, sealers)
        if isinstance(message, NewView):
            self._keep(message, data)
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

    def _is_known(self, sealers: Sequence[bytes], message: Message, signature: bytes) -> bool:
        """Whether the sender of this ViewChange or NewView is known to have made the signature, over whatever it was (F3)."""
        if not isinstance(message, ViewChange | NewView) or not 0 <= message.sender < len(sealers):
            return False
        return any(known[0] == sealers[message.sender] and known[2] == signature for known in self._verified)

    def _check_nested(self, message: Message, sealers: Sequence[bytes]) -> None:
        match message:
            case Prepare() | PrePrepare() | Commit() | CheckPoint():
                signed = self._vote_hash(message)
                if signed is not None:
                    self._check(sealers, message.sender, signed, message.signature)
                elif message.signature:
                    raise NotAuthentic(f"a {type(message).__name__} with a signature that {self._dialect.name} does not have")
            case ViewChange(prepared=prepared, stable=stable):
                for certificate in prepared:
                    self._check_certificate(certificate, sealers)
                for entry in stable:
                    self._check_nested(entry, sealers)
            case NewView(view_changes=view_changes, preprepares=entries):
                for again in entries:
                    self._check_nested(again, sealers)
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
