"""What signatures take on this machine: the times that `compare-protocols --measure-crypto` puts into its model."""

from __future__ import annotations

import time
from collections.abc import Callable

ROUNDS = 9
"""Measurements of each operation; the median counts."""


def measure_crypto() -> dict[str, float]:
    """Seconds of processor time: `sign_s`, `verify_s` (secp256k1), `bls_sign_s`, `bls_add_s` (a share), `bls_verify_s` (an aggregate)."""
    from fiscotool.ledger.crypto import KeyPair, verify
    from fiscotool.pbft.types import Digest, Height, NodeIndex, View
    from fiscotool.protocols import bls
    from fiscotool.protocols.hotstuff.messages import Certificate, Vote

    pair, digest = KeyPair.from_secret(b"\x07" * 32), b"\x01" * 32
    signature = pair.sign(digest)
    keys = [bls.SecretKey(bytes([index]) * 32) for index in range(4)]
    plain = [Vote(View(1), NodeIndex(index), Height(1), Digest(digest)) for index in range(len(keys))]
    votes = [key.sign_vote(vote) for key, vote in zip(keys, plain, strict=True)]
    signers = tuple(vote.sender for vote in votes)
    shares = Certificate(View(1), Digest(digest), signers, tuple(vote.signature for vote in votes))
    whole = bls.aggregate(shares)
    public = [key.public for key in keys]
    return {
        "sign_s": _median_s(lambda: pair.sign(digest), 50),
        "verify_s": _median_s(lambda: verify(pair.node_id, digest, signature), 50),
        "bls_sign_s": _median_s(lambda: keys[0].sign_vote(plain[0]), 3),
        "bls_add_s": _median_s(lambda: bls.aggregate(shares), 3) / len(keys),
        "bls_verify_s": _median_s(lambda: bls.is_certificate_valid(whole, public), 2),
    }


def _median_s(action: Callable[[], object], times: int) -> float:
    """Seconds of one call, the median of several rounds of so many calls."""
    found = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(times):
            action()
        found.append((time.process_time() - began) / times)
    return sorted(found)[ROUNDS // 2]
