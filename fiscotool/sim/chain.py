"""What surrounds a simulated core: transactions, blocks, execution, and the signatures nobody can forge.

A transaction is a text; `weights:1,1,2` is a system transaction that changes the weights from the next block on. A proposal's data
is its header and transactions as text, its digest the hash of that; the hash after execution covers the parent's hash too.

A signature is the text of what it signs and by whom. Only `sign` makes one, and the adversary signs for itself alone, so a
certificate holds exactly the votes that were cast: what cryptography does for the embedded node.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import cast

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
from fiscotool.pbft.rules import Quirk, Rules
from fiscotool.pbft.types import Digest, Height, NodeIndex
from fiscotool.protocols.hotstuff import seals

SYSTEM_PREFIX = "weights:"


def digest_of(data: bytes) -> Digest:
    """32 bytes."""
    return Digest(hashlib.blake2b(data, digest_size=32).digest())


def genesis_hash() -> Digest:
    """Hash of block 0."""
    return digest_of(b"genesis")


def make_proposal(index: Height, sealer: NodeIndex, txs: tuple[str, ...], *, salt: str = "") -> Proposal:
    """A block before execution; no transactions make it a filler. `salt` makes another block of the same transactions."""
    data = "|".join((str(index), str(sealer), salt, *txs)).encode()
    is_system = any(tx.startswith(SYSTEM_PREFIX) for tx in txs)
    return Proposal(index, digest_of(data), data, is_system, sealer, is_filler=not txs)


def transactions_of(proposal: Proposal) -> tuple[str, ...]:
    """The transactions in a complete proposal."""
    assert proposal.data
    return tuple(proposal.data.decode().split("|")[3:])


def is_sound(proposal: Proposal) -> bool:
    """What a replica checks of a block alone: digest, header number, and that a filler is empty."""
    parts = proposal.data.decode().split("|")
    if digest_of(proposal.data) != proposal.digest or len(parts) < 3 or int(parts[0]) != proposal.index:  # noqa: PLR2004 (header fields)
        return False
    is_system = any(tx.startswith(SYSTEM_PREFIX) for tx in parts[3:])
    return proposal.is_filler == (len(parts) == 3) and proposal.is_system == is_system  # noqa: PLR2004 (header fields)


def execute(proposal: Proposal, parent_hash: Digest) -> Digest:
    """Hash of the executed block."""
    return digest_of(proposal.digest + parent_hash)


def rules_after(rules: Rules, txs: tuple[str, ...]) -> Rules:
    """The rules for the block after one with these transactions."""
    for tx in txs:
        if tx.startswith(SYSTEM_PREFIX):
            weights = tx.removeprefix(SYSTEM_PREFIX).split("#", maxsplit=1)[0]
            rules = replace(rules, weights=tuple(int(weight) for weight in weights.split(",")))
    return rules


def _seal(kind: bytes, signer: NodeIndex, digest: bytes) -> bytes:
    """The one signature of `signer` over a digest, in a message of this kind."""
    return b"%s%d|%s" % (kind, signer, digest)


def proof_signature(rules: Rules, signer: NodeIndex, view: int, index: int, digest: bytes) -> bytes:
    """What a Prepare contributes to a certificate; under Quirk.PROOF_WITHOUT_VIEW it names the digest only."""
    if rules.quirks and rules.has(Quirk.PROOF_WITHOUT_VIEW):
        return _seal(b"prepare", signer, digest)
    return b"prepare%d|%d|%d|%s" % (signer, view, index, digest)


def sign(message: Message, rules: Rules) -> Message:
    """The message as its sender sends it."""
    if isinstance(message, Prepare):
        view, index, digest, sender = message.view, message.index, message.digest, message.sender
        return Prepare(view, index, digest, sender, proof_signature(rules, sender, view, index, digest))
    if isinstance(message, Commit):
        return Commit(message.view, message.index, message.digest, message.sender, _seal(b"commit", message.sender, message.digest))
    if isinstance(message, CheckPoint):
        return CheckPoint(message.view, message.index, message.digest, message.sender, _seal(b"checkpoint", message.sender, message.digest))
    if isinstance(message, PrePrepare):
        return _sign_proposal(message, rules)
    if isinstance(message, NewView):
        entries = message.preprepares
        return replace(
            message, preprepares=tuple(_sign_proposal(each, rules) if each.sender == message.sender else each for each in entries)
        )
    return cast("Message", seals.sign(message))


def _sign_proposal(message: PrePrepare, rules: Rules) -> PrePrepare:
    """A pre-prepare counts as its leader's Prepare in classic, so it signs the same."""
    return replace(message, signature=proof_signature(rules, message.sender, message.view, message.index, message.digest))


def _is_certificate_authentic(cert: PreparedCertificate, rules: Rules) -> bool:
    """Whether every signature in it is its signer's, over exactly this."""
    proposal = cert.proposal
    return all(
        signature == proof_signature(rules, signer, cert.view, proposal.index, proposal.digest) for signer, signature in cert.signatures
    )


def is_authentic(message: Message, rules: Rules) -> bool:
    """What the driver checks before a message becomes an event: every signature in it, nested ones included."""
    match message:
        case Prepare() | CheckPoint() | Commit():
            return message == sign(message, rules) and message.signature == getattr(sign(message, rules), "signature", b"")
        case PrePrepare(signature=signature):
            return not signature or signature == proof_signature(rules, message.sender, message.view, message.index, message.digest)
        case ViewChange(prepared=prepared, stable=stable):
            return all(_is_certificate_authentic(cert, rules) for cert in prepared) and all(is_authentic(each, rules) for each in stable)
        case NewView(view_changes=view_changes, preprepares=entries):
            return all(is_authentic(vc, rules) for vc in view_changes) and all(is_authentic(entry, rules) for entry in entries)
        case PreparedProposalResponse(certificate=cert):
            return cert is None or _is_certificate_authentic(cert, rules)
        case _:
            return seals.is_authentic(message)
