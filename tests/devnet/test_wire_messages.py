"""Messages survive the wire; what is not authentic does not; garbage is an error, never a crash."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiscotool.devnet.envelope import Envelope, NotAuthentic
from fiscotool.devnet.proto import pbft_pb2 as pb
from fiscotool.devnet.settings import WireQuirk
from fiscotool.devnet.wire import PacketType, decode_message, encode_message
from fiscotool.devnet.wire_parts import WireError, decode_certificate, decode_proposal, encode_certificate, encode_proposal
from fiscotool.ledger.crypto import KeyPair
from fiscotool.pbft.messages import (
    CheckPoint,
    Commit,
    CommittedProposalRequest,
    CommittedProposalResponse,
    Message,
    NewView,
    Prepare,
    PreparedCertificate,
    PreparedProposalRequest,
    PreparedProposalResponse,
    PrePrepare,
    Proposal,
    RecoverResponse,
    ViewChange,
)
from fiscotool.pbft.rules import Quirk
from fiscotool.pbft.types import Digest, Height, NodeIndex, View

KEYS = sorted((KeyPair.from_secret(bytes([k]) * 32) for k in range(1, 5)), key=lambda key: key.node_id)
SEALERS = [key.node_id for key in KEYS]
D = Digest(b"\x11" * 32)
E = Digest(b"\x22" * 32)
PROPOSAL = Proposal(index=Height(7), digest=D, data=b"block", is_system=True, sealer=NodeIndex(3))


def envelope(k: int, *wire_quirks: WireQuirk, quirks: frozenset[Quirk] = frozenset()) -> Envelope:
    return Envelope(KEYS[k], quirks, frozenset(wire_quirks))


def proof(view: int = 2, digest: Digest = D, signers: tuple[int, ...] = (0, 1, 2)) -> PreparedCertificate:
    signatures = tuple((NodeIndex(k), KEYS[k].sign(envelope(k).proof_hash(view, 7, digest))) for k in signers)
    return PreparedCertificate(view=View(view), proposal=replace(PROPOSAL, data=b"", digest=digest), signatures=signatures)


def view_change(k: int, view: int = 3) -> ViewChange:
    message, _ = envelope(k).sign(ViewChange(View(view), Height(6), E, NodeIndex(k), (proof(),)), 0)
    assert isinstance(message, ViewChange)
    return message


MESSAGES: list[Message] = [
    PrePrepare(View(3), Height(7), D, NodeIndex(0), PROPOSAL),
    Prepare(View(3), Height(7), D, NodeIndex(0)),
    Commit(View(3), Height(7), D, NodeIndex(0)),
    CheckPoint(View(3), Height(7), D, NodeIndex(0)),
    ViewChange(View(4), Height(6), E, NodeIndex(0), (proof(),)),
    NewView(
        View(3), Height(6), NodeIndex(0), (view_change(1), view_change(2)), (PrePrepare(View(3), Height(7), D, NodeIndex(1), PROPOSAL),)
    ),
    CommittedProposalRequest(Height(7), NodeIndex(0)),
    CommittedProposalResponse(Height(7), NodeIndex(0), PROPOSAL),
    CommittedProposalResponse(Height(7), NodeIndex(0), None),
    PreparedProposalRequest(Height(7), D, NodeIndex(0)),
    PreparedProposalResponse(Height(7), NodeIndex(0), proof()),
    PreparedProposalResponse(Height(7), NodeIndex(0), None),
    RecoverResponse(View(9), Height(6), NodeIndex(0), E),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_signed_sent_and_opened_is_the_same_message(message: Message) -> None:
    signed, data = envelope(0).sign(message, 1_700_000_000_000)
    assert envelope(1).open(data, SEALERS) == signed


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_another_sealers_name_is_refused(message: Message) -> None:
    _, data = envelope(2).sign(replace(message, sender=NodeIndex(1)), 0)
    with pytest.raises(NotAuthentic):
        envelope(3).open(data, SEALERS)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_one_flipped_bit_is_refused(message: Message) -> None:
    _, data = envelope(0).sign(message, 0)
    raw = pb.RawMessage.FromString(data)
    payload = bytearray(raw.payLoad)
    payload[len(payload) // 2] ^= 1
    raw.payLoad = bytes(payload)
    with pytest.raises((NotAuthentic, WireError)):
        envelope(1).open(raw.SerializeToString(), SEALERS)


def test_field_numbers_are_the_real_nodes() -> None:
    """Spec 3.x 1.3, decoded as bare field numbers."""
    payload = encode_message(Prepare(View(3), Height(7), D, NodeIndex(2), b"s" * 65), 99)
    assert payload.startswith(b"\x0a")
    base = pb.BaseMessage.FromString(pb.PBFTRawMessage.FromString(payload).hashFieldsData)
    assert [(field.number, value) for field, value in base.ListFields()] == [(2, 7), (3, D), (4, 3), (5, 99), (6, 2)]
    raw = pb.RawMessage(version=1, type=2, signatureData=b"s", payLoad=b"p")
    assert raw.SerializeToString() == b"\x08\x01\x10\x02\x1a\x01s\x22\x01p"


def _replay(message: Message, as_type: PacketType) -> bytes:
    _, data = envelope(0).sign(message, 0)
    raw = pb.RawMessage.FromString(data)
    raw.type = as_type
    return raw.SerializeToString()


def test_a_commit_cannot_be_replayed_as_another_type() -> None:
    with pytest.raises(NotAuthentic):
        envelope(1).open(_replay(RecoverResponse(View(3), Height(7), NodeIndex(0), D), PacketType.COMMIT), SEALERS)


def test_with_the_quirk_it_can() -> None:
    hole = envelope(0, WireQuirk.TYPE_UNSIGNED)
    _, data = hole.sign(RecoverResponse(View(3), Height(7), NodeIndex(0), D), 0)
    raw = pb.RawMessage.FromString(data)
    raw.type = PacketType.COMMIT
    assert envelope(1, WireQuirk.TYPE_UNSIGNED).open(raw.SerializeToString(), SEALERS) == Commit(View(3), Height(7), D, NodeIndex(0))


def _forged_view_change(hole: Envelope) -> bytes:
    """What sealer 0 once signed, around a view change in its name that it never made; `hole` has heard the original."""
    _, data = envelope(0).sign(ViewChange(View(3), Height(6), E, NodeIndex(0)), 0)
    assert hole.open(data, SEALERS)
    _, other = envelope(0).sign(ViewChange(View(1_000), Height(6), E, NodeIndex(0)), 0)
    raw, forged = pb.RawMessage.FromString(data), pb.RawMessage.FromString(other)
    forged.signatureData = raw.signatureData
    return forged.SerializeToString()


def test_f3_a_view_change_needs_a_signature_over_its_own_content() -> None:
    sound = envelope(1)
    with pytest.raises(NotAuthentic):
        sound.open(_forged_view_change(sound), SEALERS)


def test_f3_with_the_quirk_any_signature_of_the_sender_will_do() -> None:
    hole = envelope(1, WireQuirk.HASH_NOT_RECOMPUTED)
    message = hole.open(_forged_view_change(hole), SEALERS)
    assert isinstance(message, ViewChange)
    assert message.view == 1_000


def _redated(certificate: PreparedCertificate) -> PreparedCertificate:
    return replace(certificate, view=View(9))


def test_a_proof_cannot_be_redated() -> None:
    _, data = envelope(0).sign(ViewChange(View(9), Height(6), E, NodeIndex(0), (_redated(proof()),)), 0)
    with pytest.raises(NotAuthentic):
        envelope(1).open(data, SEALERS)


def test_with_the_quirk_a_proof_can_be_redated() -> None:
    hole = frozenset({Quirk.PROOF_WITHOUT_VIEW})
    signatures = tuple((NodeIndex(k), KEYS[k].sign(D)) for k in range(3))
    certificate = _redated(PreparedCertificate(View(2), replace(PROPOSAL, data=b""), signatures))
    _, data = envelope(0, quirks=hole).sign(ViewChange(View(9), Height(6), E, NodeIndex(0), (certificate,)), 0)
    assert envelope(1, quirks=hole).open(data, SEALERS)


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda change: change.message.__setattr__("view", 5), id="its view"),
        pytest.param(lambda change: change.message.__setattr__("index", 5), id="its height"),
        pytest.param(lambda change: change.ClearField("preparedProposals"), id="what it prepared"),
        pytest.param(lambda change: change.message.__setattr__("generatedFrom", 3), id="its sender"),
    ],
)
def test_a_view_change_inside_a_new_view_cannot_be_altered(forge: Callable[[object], None]) -> None:
    nested = pb.RawViewChangeMessage.FromString(view_change(1).envelope)
    forge(nested)
    change = replace(view_change(1), envelope=nested.SerializeToString(deterministic=True))
    _, data = envelope(0).sign(NewView(View(3), Height(6), NodeIndex(0), (change,)), 0)
    with pytest.raises(NotAuthentic):
        envelope(2).open(data, SEALERS)


def test_a_view_change_in_another_encoding_is_refused() -> None:
    """Otherwise it would be counted alone, and make the NewView that nests it invalid."""
    raw = pb.RawViewChangeMessage.FromString(encode_message(ViewChange(View(4), Height(6), E, NodeIndex(0)), 0))
    last_first = pb.RawViewChangeMessage(committedProposal=raw.committedProposal), pb.RawViewChangeMessage(message=raw.message)
    payload = b"".join(part.SerializeToString() for part in last_first)
    with pytest.raises(WireError):
        decode_message(PacketType.VIEW_CHANGE, payload, b"s" * 65)


def test_a_message_that_carries_another_proposal_than_it_names_is_refused() -> None:
    message = PrePrepare(View(3), Height(7), E, NodeIndex(0), PROPOSAL)
    with pytest.raises(WireError):
        decode_message(PacketType.PRE_PREPARE, encode_message(message, 0), b"")


@given(data=st.binary(max_size=300), packet_type=st.integers(0, 16))
def test_garbage_is_an_error_and_nothing_else(data: bytes, packet_type: int) -> None:
    for attempt in (data, pb.RawMessage(type=packet_type, payLoad=data, signatureData=data[:65]).SerializeToString()):
        try:
            envelope(1).open(attempt, SEALERS)
        except (WireError, NotAuthentic):
            continue
        pytest.fail("garbage was taken for a message")


def test_mutated_messages_are_an_error_and_nothing_else() -> None:
    rng = random.Random(7)
    signed = [envelope(0).sign(message, 0)[1] for message in MESSAGES]
    for _ in range(600):
        data = bytearray(rng.choice(signed))
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            envelope(1).open(bytes(data), SEALERS)
        except (WireError, NotAuthentic):
            continue


def test_records_of_the_consensus_log_survive() -> None:
    certificate = replace(proof(), proposal=replace(PROPOSAL, is_filler=True))
    assert decode_certificate(encode_certificate(certificate)) == certificate
    assert decode_proposal(encode_proposal(PROPOSAL)) == PROPOSAL
    with pytest.raises(WireError):
        decode_certificate(b"\xff")
