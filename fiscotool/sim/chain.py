"""What surrounds a simulated core: transactions, blocks, execution, and the signatures nobody can forge.

A transaction is a text; `weights:1,1,2` is a system transaction that changes the weights from the next block on. A proposal's data
is its header and transactions as text, its digest the hash of that; the hash after execution covers the parent's hash too.

A signature is the text of what it signs and by whom. Only `sign` makes one, and the adversary signs for itself alone, so a
certificate holds exactly the votes that were cast: what cryptography does for the embedded node.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final, cast

from fiscotool.pbft.making import make_checkpoint, make_commit, make_prepare, make_preprepare
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

KEPT: Final = 4_096
"""How many answers about blocks are kept: every replica asks for the same ones."""


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
    return _transactions_in(proposal.data)


@lru_cache(KEPT)
def _transactions_in(data: bytes) -> tuple[str, ...]:
    return tuple(data.decode().split("|")[3:])


def is_sound(proposal: Proposal) -> bool:
    """What a replica checks of a block alone: digest, header number, and that a filler is empty."""
    return _is_sound(proposal.data, proposal.digest, proposal.index, proposal.is_filler, proposal.is_system)


@lru_cache(KEPT)
def _is_sound(data: bytes, digest: Digest, index: Height, is_filler: bool, is_system: bool) -> bool:  # noqa: FBT001 (a cache's key)
    parts = data.decode().split("|")
    if digest_of(data) != digest or len(parts) < 3 or int(parts[0]) != index:  # noqa: PLR2004 (header fields)
        return False
    return is_filler == (len(parts) == 3) and is_system == any(tx.startswith(SYSTEM_PREFIX) for tx in parts[3:])  # noqa: PLR2004


def execute(proposal: Proposal, parent_hash: Digest) -> Digest:
    """Hash of the executed block."""
    return _executed(proposal.digest, parent_hash)


@lru_cache(KEPT)
def _executed(digest: Digest, parent_hash: Digest) -> Digest:
    return digest_of(digest + parent_hash)


def rules_after(rules: Rules, txs: tuple[str, ...]) -> Rules:
    """The rules for the block after one with these transactions."""
    for tx in txs:
        if tx.startswith(SYSTEM_PREFIX):
            weights = tx.removeprefix(SYSTEM_PREFIX).split("#", maxsplit=1)[0]
            rules = replace(rules, weights=tuple(int(weight) for weight in weights.split(",")))
    return rules


def proof_signature(rules: Rules, signer: NodeIndex, view: int, index: int, digest: bytes) -> bytes:
    """What a Prepare contributes to a certificate; under Quirk.PROOF_WITHOUT_VIEW it names the digest only."""
    if rules.quirks and rules.has(Quirk.PROOF_WITHOUT_VIEW):
        return b"prepare%d|%s" % (signer, digest)
    return b"prepare%d|%d|%d|%s" % (signer, view, index, digest)


def sign(message: Message, rules: Rules) -> Message:
    """The message as its sender sends it."""
    signer = _SIGNERS.get(type(message))
    return cast("Message", seals.sign(message)) if signer is None else signer(message, rules)


def _sign_prepare(message: Prepare, rules: Rules) -> Message:
    view, index, digest, sender = message.view, message.index, message.digest, message.sender
    return make_prepare(view, index, digest, sender, proof_signature(rules, sender, view, index, digest))


def _sign_commit(message: Commit, _rules: Rules) -> Message:
    digest, sender = message.digest, message.sender
    return make_commit(message.view, message.index, digest, sender, b"commit%d|%s" % (sender, digest))


def _sign_checkpoint(message: CheckPoint, _rules: Rules) -> Message:
    digest, sender = message.digest, message.sender
    return make_checkpoint(message.view, message.index, digest, sender, b"checkpoint%d|%s" % (sender, digest))


def _sign_new_view(message: NewView, rules: Rules) -> Message:
    entries = message.preprepares
    return replace(message, preprepares=tuple(_sign_proposal(each, rules) if each.sender == message.sender else each for each in entries))


def _sign_proposal(message: PrePrepare, rules: Rules) -> PrePrepare:
    """A pre-prepare counts as its leader's Prepare in classic, so it signs the same."""
    view, index, digest, sender = message.view, message.index, message.digest, message.sender
    return make_preprepare(view, index, digest, sender, message.proposal, proof_signature(rules, sender, view, index, digest))


_SIGNERS: Final[dict[type, Callable[[Any, Rules], Message]]] = {
    Prepare: _sign_prepare,
    Commit: _sign_commit,
    CheckPoint: _sign_checkpoint,
    PrePrepare: _sign_proposal,
    NewView: _sign_new_view,
}
"""What signs each kind of message that is signed here."""


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
