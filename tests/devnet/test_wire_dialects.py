"""Messages of the other dialects survive the wire with what they sign; what is not authentic, or is garbage, does not."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from fiscotool.devnet.contracts import ChainConfig, Sealer
from fiscotool.devnet.envelope import Envelope, NotAuthentic
from fiscotool.devnet.form3 import FORM3
from fiscotool.devnet.form_classic import FORM_CLASSIC
from fiscotool.devnet.proto import pbft_pb2 as pb
from fiscotool.devnet.wire_parts import WireError, decode_checkpoints, encode_checkpoints
from fiscotool.ledger.crypto import KeyPair
from fiscotool.ledger.header3 import hash_header, with_signatures
from fiscotool.ledger.signatures import signed_hash, verify_signature_list
from fiscotool.pbft.dialects import CLASSIC, FISCO2, FISCO3, Dialect
from fiscotool.pbft.messages import (
    CheckPoint,
    Commit,
    Message,
    NewView,
    Prepare,
    PreparedCertificate,
    PreparedProposalResponse,
    PrePrepare,
    Proposal,
    ViewChange,
)
from fiscotool.pbft.types import NO_DIGEST, Digest, Height, NodeIndex, View

KEYS = sorted((KeyPair.from_secret(bytes([k]) * 32) for k in range(1, 5)), key=lambda key: key.node_id)
SEALERS = [key.node_id for key in KEYS]
D = Digest(b"\x11" * 32)
E = Digest(b"\x22" * 32)
PROPOSAL = Proposal(index=Height(7), digest=D, data=b"block", sealer=NodeIndex(0))


def envelope(k: int, dialect: Dialect = CLASSIC) -> Envelope:
    return Envelope(KEYS[k], frozenset(), frozenset(), dialect)


def stable(*signers: int) -> tuple[CheckPoint, ...]:
    return tuple(CheckPoint(View(0), Height(5), E, NodeIndex(k), KEYS[k].sign(E)) for k in signers)


def certificate(view: int = 2) -> PreparedCertificate:
    signatures = tuple((NodeIndex(k), KEYS[k].sign(envelope(k).proof_hash(view, 7, D))) for k in range(3))
    return PreparedCertificate(View(view), replace(PROPOSAL, data=b""), signatures)


def view_change(k: int) -> ViewChange:
    message, _ = envelope(k).sign(ViewChange(View(4), Height(5), E, NodeIndex(k), (certificate(),), stable=stable(0, 1, 2)), 0)
    assert isinstance(message, ViewChange)
    return message


OF_CLASSIC: list[Message] = [
    PrePrepare(View(4), Height(7), D, NodeIndex(0), PROPOSAL),
    Prepare(View(4), Height(7), D, NodeIndex(0)),
    Commit(View(4), Height(7), D, NodeIndex(0)),
    CheckPoint(View(4), Height(5), E, NodeIndex(0)),
    ViewChange(View(1), Height(0), NO_DIGEST, NodeIndex(0)),
    ViewChange(View(4), Height(5), E, NodeIndex(0), (certificate(),), stable=stable(0, 1, 2)),
    NewView(
        View(4),
        Height(5),
        NodeIndex(0),
        (view_change(1), view_change(2), view_change(3)),
        (PrePrepare(View(4), Height(7), D, NodeIndex(0), PROPOSAL),),
    ),
    PreparedProposalResponse(Height(7), NodeIndex(0), replace(certificate(), proposal=PROPOSAL)),
]
OF_FISCO2: list[Message] = [*OF_CLASSIC[:3], ViewChange(View(3), Height(6), E, NodeIndex(0))]
CASES = [pytest.param(CLASSIC, message, id=f"classic-{type(message).__name__}-{at}") for at, message in enumerate(OF_CLASSIC)] + [
    pytest.param(FISCO2, message, id=f"fisco2-{type(message).__name__}") for message in OF_FISCO2
]


@pytest.mark.parametrize(("dialect", "message"), CASES)
def test_signed_sent_and_opened_is_the_same_message(dialect: Dialect, message: Message) -> None:
    signed, data = envelope(0, dialect).sign(message, 1_700_000_000_000)
    assert envelope(1, dialect).open(data, SEALERS) == signed


@pytest.mark.parametrize(("dialect", "message"), CASES)
def test_another_sealers_name_and_a_flipped_bit_are_refused(dialect: Dialect, message: Message) -> None:
    _, data = envelope(2, dialect).sign(replace(message, sender=NodeIndex(1)), 0)
    with pytest.raises(NotAuthentic):
        envelope(3, dialect).open(data, SEALERS)
    raw = pb.RawMessage.FromString(envelope(0, dialect).sign(message, 0)[1])
    payload = bytearray(raw.payLoad)
    payload[len(payload) // 2] ^= 1
    raw.payLoad = bytes(payload)
    with pytest.raises((NotAuthentic, WireError)):
        envelope(1, dialect).open(raw.SerializeToString(), SEALERS)


def test_what_each_dialect_signs() -> None:
    """Commits end in blocks of fisco2 and classic, so they sign the digest alone; a pre-prepare of classic is its leader's Prepare."""
    commit, _ = envelope(0, FISCO2).sign(OF_CLASSIC[2], 0)
    assert isinstance(commit, Commit)
    assert commit.signature == KEYS[0].sign(D)
    pre, _ = envelope(0).sign(OF_CLASSIC[0], 0)
    prepare, _ = envelope(0).sign(OF_CLASSIC[1], 0)
    assert isinstance(pre, PrePrepare)
    assert isinstance(prepare, Prepare)
    assert pre.signature == prepare.signature != commit.signature
    assert isinstance(plain := envelope(0, FISCO3).sign(OF_CLASSIC[2], 0)[0], Commit)
    assert plain.signature == b""


@pytest.mark.parametrize("at", [0, 2], ids=["PrePrepare", "Commit"])
def test_a_vote_without_the_signature_its_dialect_wants_is_refused_and_so_is_one_too_many(at: int) -> None:
    _, bare = envelope(0, FISCO3).sign(OF_CLASSIC[at], 0)
    with pytest.raises(NotAuthentic):
        envelope(1, CLASSIC).open(bare, SEALERS)
    _, signed = envelope(0, CLASSIC).sign(OF_CLASSIC[at], 0)
    with pytest.raises(NotAuthentic, match="does not have"):
        envelope(1, FISCO3).open(signed, SEALERS)


@pytest.mark.parametrize(
    "proof",
    [
        pytest.param((*stable(0, 1), replace(stable(2)[0], signature=KEYS[3].sign(E))), id="another's signature"),
        pytest.param((*stable(0, 1), replace(stable(2)[0], signature=b"")), id="none"),
        pytest.param((*stable(0, 1), replace(stable(2)[0], sender=NodeIndex(9))), id="of no sealer"),
    ],
)
def test_the_proof_of_a_stable_checkpoint_is_verified(proof: tuple[CheckPoint, ...]) -> None:
    _, data = envelope(0).sign(ViewChange(View(4), Height(5), E, NodeIndex(0), stable=proof), 0)
    with pytest.raises(NotAuthentic):
        envelope(1).open(data, SEALERS)


def test_a_re_proposal_in_a_new_view_needs_its_leaders_signature() -> None:
    message = OF_CLASSIC[6]
    assert isinstance(message, NewView)
    foreign = replace(message.preprepares[0], sender=NodeIndex(2), signature=b"x" * 65)
    _, data = envelope(0).sign(replace(message, preprepares=(foreign,)), 0)
    with pytest.raises(NotAuthentic):
        envelope(1).open(data, SEALERS)


def test_a_new_view_is_passed_on_with_the_signature_of_whoever_made_it() -> None:
    _, data = envelope(0).sign(OF_CLASSIC[6], 0)
    hearer = envelope(1)
    heard = hearer.open(data, SEALERS)
    same, passed_on = hearer.sign(heard, 99)
    assert (same, passed_on) == (heard, data)
    assert envelope(2).open(passed_on, SEALERS) == heard


def test_a_view_change_that_proves_another_block_than_it_names_is_refused() -> None:
    with pytest.raises(WireError):
        decode_checkpoints(b"\xff")
    _, data = envelope(0).sign(ViewChange(View(4), Height(5), E, NodeIndex(0), stable=stable(0, 1, 2)), 0)
    raw = pb.RawMessage.FromString(data)
    inner = pb.RawViewChangeMessage.FromString(raw.payLoad)
    inner.committedProposal.proposal.index = 10
    raw.payLoad = inner.SerializeToString(deterministic=True)
    with pytest.raises(WireError, match="another block"):
        envelope(1).open(raw.SerializeToString(), SEALERS)


def test_records_of_the_consensus_log_survive() -> None:
    assert decode_checkpoints(encode_checkpoints(stable(2, 0, 1))) == stable(0, 1, 2)
    assert decode_checkpoints(encode_checkpoints(())) == ()


def test_mutated_messages_are_an_error_and_nothing_else() -> None:
    rng = random.Random(11)
    signed = [(CLASSIC, envelope(0).sign(message, 0)[1]) for message in OF_CLASSIC]
    signed += [(FISCO2, envelope(0, FISCO2).sign(message, 0)[1]) for message in OF_FISCO2]
    refused = 0
    for _ in range(500):
        dialect, original = rng.choice(signed)
        data = bytearray(original)
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            envelope(1, dialect).open(bytes(data), SEALERS)
        except (WireError, NotAuthentic):
            refused += 1
    assert refused > 450


# What a quorum of classic signs.

CONFIG = ChainConfig(tuple(Sealer(node_id, 1) for node_id in SEALERS), (), 10, 1, 3_000_000_000, 0x03100000)
HASHES = [b"\x01" * 32, b"\x02" * 32]


def test_a_block_of_classic_is_signed_as_it_was_proposed_and_names_its_transactions() -> None:
    proposed = FORM_CLASSIC.proposed_header(7, 2, CONFIG, 1_700_000_000_000, HASHES, b"")
    assert FORM_CLASSIC.proposal_objection(proposed, HASHES) == ""
    assert "not those that its header names" in FORM_CLASSIC.proposal_objection(proposed, HASHES[:1])
    executed = FORM_CLASSIC.executed_header(FORM_CLASSIC.on_parent(proposed, b"\x09" * 32), HASHES, HASHES, b"\x03" * 32, 42000)
    assert FORM_CLASSIC.block_objection(executed, HASHES) == ""
    assert FORM_CLASSIC.block_objection(executed, HASHES[::-1])
    block_hash = hash_header(executed)
    assert signed_hash(executed, block_hash) == hash_header(proposed) != block_hash
    signatures = tuple((k, KEYS[k].sign(hash_header(proposed))) for k in range(3))
    assert verify_signature_list(with_signatures(executed, signatures), block_hash) == ((0, True), (1, True), (2, True))
    forged = replace(executed, timestamp_ms=1)
    assert verify_signature_list(with_signatures(forged, signatures), hash_header(forged)) == ((0, False), (1, False), (2, False))


def test_a_block_of_3x_is_signed_as_it_is_and_may_not_say_otherwise() -> None:
    proposed = FORM3.proposed_header(7, 2, CONFIG, 1_700_000_000_000, HASHES, b"")
    assert signed_hash(proposed, D) == D
    marked = FORM_CLASSIC.proposed_header(7, 2, CONFIG, 1_700_000_000_000, HASHES, b"")
    assert FORM3.proposal_objection(proposed, HASHES) == ""
    assert FORM3.proposal_objection(marked, HASHES) == "its header has extra data"
