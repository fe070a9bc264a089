"""Votes and quorum certificates of HotStuff with real signatures: BLS on the curve BLS12-381.

Rule 1. A replica's share signs view and node. The sum of the shares of a quorum is a certificate's one proof, 96 bytes whatever n is.
Rule 2. An aggregate is verified with the sum of the signers' public keys: two pairings, e(g, proof) = e(sum of keys, H(vote)). All sign the
        same message, so a key that was made from others' keys could cancel them out; hence every key comes with a proof of possession.
Rule 3. Nonsense is not valid, it does not raise.

The core never comes here: it sees certificates as values (`hotstuff.messages.Certificate`). Public keys are points of G1, 48 bytes,
signatures points of G2, 96 bytes; hashing to G2 is that of RFC 9380.

Sources: Boneh, Drijvers, Neven, ASIACRYPT 2018; Boneh et al., draft-irtf-cfrg-bls-signature, proof-of-possession scheme; RFC 9380;
py_arkworks_bls12381 (the extra `bls`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

from fiscotool.errors import EnvironmentFailure
from fiscotool.pbft.types import Digest, NodeIndex, View
from fiscotool.protocols.hotstuff.messages import Certificate, Vote

VOTE_TAG: Final = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_"
POSSESSION_TAG: Final = b"BLS_POP_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_"
SHARE_BYTES: Final = 96
KEY_BYTES: Final = 48


@cache
def _curve() -> Any:
    """The library, loaded when first needed. Raises EnvironmentFailure when it is not installed."""
    try:
        import py_arkworks_bls12381
    except ImportError as problem:
        raise EnvironmentFailure("BLS signatures need py_arkworks_bls12381", hint="install it: pip install 'fiscotool[bls]'") from problem
    return py_arkworks_bls12381


def vote_bytes(view: View, digest: Digest) -> bytes:
    """What a share signs."""
    return b"hotstuff|%d|%s" % (view, digest)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A replica's key, 48 bytes, and the proof that it knows the secret, 96 bytes."""

    point: bytes
    possession: bytes


class SecretKey:
    """A replica's secret. It shows in no repr."""

    __slots__ = ("_scalar", "public")

    def __init__(self, seed: bytes) -> None:
        """The key of a seed with at least 32 bytes of entropy; the same seed, the same key."""
        curve = _curve()
        self._scalar = curve.Scalar.from_be_bytes_mod_order(hashlib.sha512(b"fiscotool bls key" + seed).digest()[:48][-32:])
        point = bytes((curve.G1Point() * self._scalar).to_compressed_bytes())
        self.public = PublicKey(point, self._sign(point, POSSESSION_TAG))

    def __repr__(self) -> str:
        return f"SecretKey(public={self.public.point.hex()[:16]}…)"

    def _sign(self, message: bytes, tag: bytes) -> bytes:
        return bytes((_curve().G2Point.hash_to_curve(message, tag) * self._scalar).to_compressed_bytes())

    def sign_vote(self, vote: Vote) -> Vote:
        """The vote with this replica's share in it."""
        return replace(vote, signature=self._sign(vote_bytes(vote.view, vote.digest), VOTE_TAG))


def _point(kind: Any, data: bytes, size_bytes: int) -> Any | None:
    """A point of the right subgroup that is not the identity, or None."""
    if len(data) != size_bytes:
        return None
    try:
        point = kind.from_compressed_bytes(data)
    except ValueError:
        return None
    return None if point == kind.identity() else point


def _sum(kind: Any, data: Sequence[bytes], size_bytes: int) -> Any | None:
    """The sum of points, or None when there are none or one of them is no point."""
    total = kind.identity()
    for each in data:
        point = _point(kind, each, size_bytes)
        if point is None:
            return None
        total += point
    return total if data else None


def _is_valid(keys: Sequence[bytes], message: bytes, tag: bytes, signature: bytes) -> bool:
    """Two pairings: whether `signature` is the sum of these keys' signatures over the message."""
    curve = _curve()
    proof, total = _point(curve.G2Point, signature, SHARE_BYTES), _sum(curve.G1Point, keys, KEY_BYTES)
    if proof is None or total is None:
        return False
    return bool(curve.GT.pairing_check([-curve.G1Point(), total], [proof, curve.G2Point.hash_to_curve(message, tag)]))


def owns_key(key: PublicKey) -> bool:
    """Whether the proof of possession holds; a key without one must not be admitted (rule 2)."""
    return _is_valid([key.point], key.point, POSSESSION_TAG, key.possession)


def is_vote_valid(vote: Vote, key: PublicKey) -> bool:
    """Whether the share in a vote is its sender's."""
    return _is_valid([key.point], vote_bytes(vote.view, vote.digest), VOTE_TAG, vote.signature)


def aggregate(certificate: Certificate) -> Certificate:
    """The certificate with one proof in place of its shares. Raises ValueError when a share is no point."""
    total = _sum(_curve().G2Point, certificate.proofs, SHARE_BYTES)
    if total is None or len(certificate.proofs) != len(certificate.signers):
        raise ValueError("a certificate is aggregated from one share of each signer")
    return replace(certificate, proofs=(bytes(total.to_compressed_bytes()),))


def is_certificate_valid(certificate: Certificate, keys: Sequence[PublicKey]) -> bool:
    """Whether the aggregate is the sum of the distinct signers' shares. Whether they are enough is for the core to say."""
    signers = certificate.signers
    if len(certificate.proofs) != 1 or not signers or list(signers) != sorted(set(signers)) or signers[0] < 0 or signers[-1] >= len(keys):
        return False
    message = vote_bytes(certificate.view, certificate.digest)
    return _is_valid([keys[signer].point for signer in signers], message, VOTE_TAG, certificate.proofs[0])


def wrong_shares(votes: Sequence[Vote], keys: Sequence[PublicKey]) -> tuple[NodeIndex, ...]:
    """Whose shares are not theirs: looked for only when an aggregate turns out wrong."""
    return tuple(vote.sender for vote in votes if not is_vote_valid(vote, keys[vote.sender]))
